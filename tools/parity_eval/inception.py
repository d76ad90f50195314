"""Inception against torch-fidelity and pytorch-fid: fixtures, and full weights files to compare end to end.

    python tools/parity_eval/inception.py --fixture crates/eval/tests/fixtures/inception.safetensors
    python tools/parity_eval/inception.py --seed 2 --out target/parity-eval/inception

in an environment with torch, torchvision, torch-fidelity, pytorch-fid and safetensors. The published weights cannot be had everywhere, so
the network gets random ones: convolutions from a generator that the Rust test repeats (`uniform` below), batch normalization's statistics
from a pass over drawn images, so that activations neither vanish nor grow. Expected values are float64 results, stored as float32; resized images come from
float32, in which both libraries find the places that a pixel reads.
`--out` writes the same weights as torch.save's old and zip formats and as safetensors, beside expected.safetensors.
"""

import argparse
import pathlib

import numpy as np
import pytorch_fid.inception as pytorch_fid
import torch
import torch.nn.functional as F
import torch_fidelity.feature_extractor_inceptionv3 as torch_fidelity
from safetensors.torch import save_file
from torch_fidelity.interpolate_compat_tensorflow import interpolate_bilinear_2d_like_tensorflow1x

TAPS = ["64", "192", "768", "2048", "logits_unbiased", "logits"]
SIDE = 299
# Lines and columns of a resized image that the fixture keeps.
KEPT = sorted({round(i * 298 / 23) for i in range(24)})
RESIZED_SIDES = [16, 32, 33, 128, 320]
MASK = (1 << 64) - 1


def uniform(seed, name, n):
    """n numbers in [0, 1): splitmix64's finalizer over a counter, keyed by FNV-1a of the name."""
    key = 0xCBF29CE484222325
    for byte in name.encode():
        key = ((key ^ byte) * 0x100000001B3) & MASK
    key = (key + seed * 0x9E3779B97F4A7C15) & MASK
    with np.errstate(over="ignore"):
        z = np.uint64(key) + np.arange(1, n + 1, dtype=np.uint64) * np.uint64(0x9E3779B97F4A7C15)
        z = (z ^ (z >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
        z = (z ^ (z >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
        z = z ^ (z >> np.uint64(31))
    return (z >> np.uint64(40)).astype(np.float64) / float(1 << 24)


def drawn_images(seed, n, side):
    """[n, 3, side, side] bytes: gradients, ellipses, edges and grain, so that neighbouring pixels are alike as in photographs."""
    rng = np.random.default_rng([seed, side])
    y, x = np.mgrid[0:side, 0:side] / side
    images = np.empty((n, 3, side, side))
    for image in images:
        for channel in image:
            a, b, c = rng.uniform(-1, 1, 3)
            channel[:] = 128 + 60 * (a * x + b * y + c)
        for _ in range(6):
            cy, cx, ry, rx = rng.uniform(0, 1, 2).tolist() + rng.uniform(0.05, 0.4, 2).tolist()
            inside = ((y - cy) / ry) ** 2 + ((x - cx) / rx) ** 2 < 1
            image[:, inside] = rng.uniform(0, 255, (3, 1)) + 20 * np.sin(40 * rng.uniform() * (x + y)[inside])
        image += rng.normal(0, 6, image.shape)
    return torch.from_numpy(np.clip(images, 0, 255).astype(np.uint8))


def without_download(module, state):
    """Lets the library's constructor take `state` where it would fetch the published file."""
    module.load_state_dict_from_url = lambda *a, **k: state


def fidelity(state, taps=TAPS, dtype="float64"):
    """torch-fidelity's extractor with weights `state`; None leaves its own random ones."""
    load = torch.nn.Module.load_state_dict
    without_download(torch_fidelity, state)
    if state is None:
        torch.nn.Module.load_state_dict = lambda *a, **k: None
    try:
        return torch_fidelity.FeatureExtractorInceptionV3("inception-v3-compat", taps, feature_extractor_internal_dtype=dtype)
    finally:
        torch.nn.Module.load_state_dict = load


def random_state(seed):
    """Every tensor but batch normalization's statistics, which start as mean 0 and variance 1."""
    state = {}
    for name, tensor in fidelity(None, dtype="float32").state_dict().items():
        if name.endswith("num_batches_tracked"):
            continue
        if name.endswith("running_mean") or name.endswith("running_var"):
            values = np.full(tensor.numel(), float(name.endswith("running_var")))
        elif name.endswith("bn.weight"):
            values = 0.5 + uniform(seed, name, tensor.numel())
        elif name.endswith("bias"):
            values = 0.6 * uniform(seed, name, tensor.numel()) - 0.3
        else:
            bound = np.sqrt(6.0 / tensor[0].numel())
            values = (2 * uniform(seed, name, tensor.numel()) - 1) * bound
        state[name] = torch.from_numpy(values.astype(np.float32)).reshape(tensor.shape)
    return state


def calibrate(state, images):
    """Sets each normalization's statistics to those of its input over `images`, layer by layer in one pass."""
    model = fidelity(state)
    for module in model.modules():
        if isinstance(module, torch.nn.BatchNorm2d):

            def set_statistics(module, inputs):
                module.running_mean.copy_(inputs[0].mean((0, 2, 3)))
                module.running_var.copy_(inputs[0].var((0, 2, 3), unbiased=False))

            module.register_forward_pre_hook(set_statistics)
    model(images)
    for name, tensor in model.state_dict().items():
        if name.endswith("running_mean") or name.endswith("running_var"):
            state[name] = tensor.float()
    return state


def legacy(x):
    x = interpolate_bilinear_2d_like_tensorflow1x(x.float(), size=(SIDE, SIDE), align_corners=False)
    return (x - 128) / 128


def half_pixel(x):
    return 2 * F.interpolate(x.float() / 255, size=(SIDE, SIDE), mode="bilinear", align_corners=False) - 1


def half_pixel_taps(state, images):
    """pytorch-fid's features, means over the plane as its own callers take them."""
    without_download(pytorch_fid, state)
    model = pytorch_fid.InceptionV3([0, 1, 2, 3]).double().eval()
    return [map.mean((2, 3)) for map in model(images.double() / 255)]


def wrong_networks(state, images):
    """pool3 of networks with one of the differences to later Inception-v3's undone: what must not be computed."""
    import torch_fidelity.feature_extractor_inceptionv3 as m

    right = {"pool": F.avg_pool2d, "e2": m.InceptionE_2.forward}

    def counting(x, **k):
        return right["pool"](x, **(k | {"count_include_pad": True}))

    def epsilon(model, value):
        for module in model.modules():
            if isinstance(module, torch.nn.BatchNorm2d):
                module.eps = value
        return model

    out = {}
    m.F.avg_pool2d = counting
    out["mean-counts-padding"] = fidelity(state, ["2048"])(images)[0]
    m.F.avg_pool2d = right["pool"]
    m.InceptionE_2.forward = m.InceptionE_1.forward
    out["mean-in-7c"] = fidelity(state, ["2048"])(images)[0]
    m.InceptionE_2.forward = right["e2"]
    out["epsilon-1e-5"] = epsilon(fidelity(state, ["2048"]), 1e-5)(images)[0]
    return out


def expected(state, seed):
    """Images and what both libraries make of them."""
    out = {}
    for side, n in ((32, 3), (75, 1)):
        images = drawn_images(seed, n, side)
        out[f"images.{side}"] = images
        for tap, value in zip(TAPS, fidelity(state)(images)):
            out[f"legacy.{side}.{tap}"] = value
        for tap, value in zip(TAPS, half_pixel_taps(state, images)):
            out[f"half-pixel.{side}.{tap}"] = value
    for name, value in wrong_networks(state, out["images.32"]).items():
        out[f"wrong.{name}"] = value
    for side in RESIZED_SIDES:
        image = drawn_images(seed + 1, 1, side)
        out[f"resized.{side}.image"] = image
        for name, prepare in (("legacy", legacy), ("half-pixel", half_pixel)):
            out[f"resized.{side}.{name}"] = prepare(image)[:, :, KEPT][:, :, :, KEPT]
    return {name: value.contiguous() if value.dtype == torch.uint8 else value.float().contiguous() for name, value in out.items()}


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--fixture", type=pathlib.Path)
    parser.add_argument("--out", type=pathlib.Path)
    arguments = parser.parse_args()
    torch.set_num_threads(2)
    with torch.no_grad():
        state = calibrate(random_state(arguments.seed), drawn_images(arguments.seed + 100, 4, 32))
        results = expected(state, arguments.seed)
    if arguments.fixture:
        statistics = {name: value for name, value in state.items() if "running_" in name}
        save_file(statistics | results, arguments.fixture)
    if arguments.out:
        arguments.out.mkdir(parents=True, exist_ok=True)
        torch.save(state, arguments.out / "old.pth", _use_new_zipfile_serialization=False)
        torch.save(state, arguments.out / "zip.pth")
        save_file(state, arguments.out / "weights.safetensors")
        save_file(results, arguments.out / "expected.safetensors")


if __name__ == "__main__":
    main()
