"""Metrics against torch-fidelity, pytorch-fid, pytorch-msssim and a plain NumPy MS-SSIM: a fixture, and a comparison end to end.

    python tools/parity_eval/metrics.py --fixture crates/eval/tests/fixtures/metrics.safetensors
    python tools/parity_eval/metrics.py --sngan target/release/sngan --inception target/parity-eval/inception --out target/parity-eval/metrics

in an environment with torch, torchvision, torch-fidelity, pytorch-fid, pytorch-msssim, scipy and safetensors. The fixture holds features and
logits with the libraries' scores of them; MS-SSIM's images are made by a rule of whole numbers that the Rust test repeats (`image` below).

The comparison sends the same images through the weights that inception.py made: through `sngan score`, and through the libraries. `--cifar`
names a folder with CIFAR-10's binary files, from which images are then taken; otherwise they are drawn. It prints one table and ends with an
error where a difference is above its tolerance.
"""

import argparse
import json
import pathlib
import subprocess
import sys

import numpy as np
import pytorch_fid.fid_score
import pytorch_fid.inception as pytorch_fid_inception
import scipy.linalg
import scipy.signal
import torch
from pytorch_msssim import ms_ssim as pytorch_ms_ssim
from safetensors.torch import load_file, save_file
from torch_fidelity.metric_fid import fid_statistics_to_metric
from torch_fidelity.metric_isc import isc_features_to_metric
from torch_fidelity.metric_kid import kid_features_to_metric
from torch_fidelity.metric_prc import prc_features_to_metric

import inception

WEIGHTS = [0.0448, 0.2856, 0.3001, 0.2363, 0.1333]
# Sides above 160 that stay even are pytorch-msssim's too.
SIDES = {16: False, 33: False, 48: False, 128: False, 192: True}
# End to end: relative to the value, where it is above 1.
TOLERANCE = 1e-3


def statistics(features):
    features = np.asarray(features, dtype=np.float64)
    return {"mu": features.mean(0), "sigma": np.cov(features, rowvar=False)}


def fid_of_torch_fidelity(a, b):
    return fid_statistics_to_metric(statistics(a), statistics(b), False)["frechet_inception_distance"]


def fid_of_pytorch_fid(a, b):
    sqrtm = scipy.linalg.sqrtm

    def with_disp(matrix, disp=True):
        # Newer SciPy has no `disp`, with which pytorch-fid asks for a pair.
        return sqrtm(matrix) if disp else (sqrtm(matrix), 0.0)

    pytorch_fid.fid_score.linalg.sqrtm = with_disp
    try:
        a, b = statistics(a), statistics(b)
        return float(pytorch_fid.fid_score.calculate_frechet_distance(a["mu"], a["sigma"], b["mu"], b["sigma"]))
    finally:
        pytorch_fid.fid_score.linalg.sqrtm = sqrtm


def inception_score(logits, splits):
    score = isc_features_to_metric(torch.as_tensor(np.asarray(logits)), splits=splits, shuffle=False)
    return [score["inception_score_mean"], score["inception_score_std"]]


def kernel_distance(a, b):
    """Over one subset, all of the rows: no choice is left to a random generator."""
    a, b = (torch.as_tensor(np.asarray(x, dtype=np.float64)) for x in (a, b))
    score = kid_features_to_metric(a, b, kid_subsets=1, kid_subset_size=len(a), verbose=False)
    return score["kernel_inception_distance_mean"]


def precision_recall(generated, real):
    generated, real = (torch.as_tensor(np.asarray(x, dtype=np.float64)) for x in (generated, real))
    score = prc_features_to_metric(generated, real, prc_neighborhood=3, prc_batch_size=1000, verbose=False)
    return [score["precision"], score["recall"]]


def image(number, side):
    """[3, side, side] bytes: gradients, curves and grain."""
    c, y, x = np.mgrid[0:3, 0:side, 0:side]
    grain = (x * 7919 + y * 104729 + c * 1299709 + number * 15485863) % 64
    return ((x * (5 + c) + y * (3 + number) + x * y // (7 + number) + grain) % 256).astype(np.uint8)


def window(side):
    width = min(11, side)
    offset = np.arange(width) - (width - 1) / 2
    values = np.exp(-0.5 * (offset / (1.5 * width / 11)) ** 2)
    return np.outer(values, values) / values.sum() ** 2


def similarity(a, b):
    """Means of SSIM and of its contrast and structure over the valid places of one channel."""
    w = window(len(a))

    def smooth(x):
        return scipy.signal.convolve2d(x, w, mode="valid")

    c1, c2 = (0.01 * 255) ** 2, (0.03 * 255) ** 2
    ma, mb = smooth(a), smooth(b)
    va, vb, cov = smooth(a * a) - ma**2, smooth(b * b) - mb**2, smooth(a * b) - ma * mb
    contrast = (2 * cov + c2) / (va + vb + c2)
    return (contrast * (2 * ma * mb + c1) / (ma**2 + mb**2 + c1)).mean(), contrast.mean()


def ms_ssim(a, b):
    """The definition, channel by channel."""
    scores = []
    for x, y in zip(a.astype(np.float64), b.astype(np.float64)):
        product = 1.0
        for scale, weight in enumerate(WEIGHTS):
            ssim, contrast = similarity(x, y)
            product *= max(ssim if scale == 4 else contrast, 0.0) ** weight
            side = len(x) // 2
            x, y = (z[: 2 * side, : 2 * side].reshape(side, 2, side, 2).mean((1, 3)) for z in (x, y))
        scores.append(product)
    return float(np.mean(scores))


def fixture(path):
    rng = np.random.default_rng(7)
    n, dim, classes = 150, 12, 10
    mix = rng.normal(size=(dim, dim)) / np.sqrt(dim)
    a = np.maximum(rng.normal(size=(n, dim)) @ mix + 1.5, 0).astype(np.float32)
    b = np.maximum(rng.normal(size=(n, dim)) @ mix.T + 1.2, 0).astype(np.float32)
    logits = (3 * rng.normal(size=(120, classes))).astype(np.float32)
    out = {"a": a, "b": b, "logits": logits}
    out["fid"] = [fid_of_torch_fidelity(a, b), fid_of_pytorch_fid(a, b)]
    out["is.1"], out["is.4"] = inception_score(logits, 1), inception_score(logits, 4)
    out["kid"] = [kernel_distance(a, b)]
    out["precision-recall"] = precision_recall(a, b)
    for side, pytorch in SIDES.items():
        x, y = image(1, side), image(2, side)
        values = [ms_ssim(x, y)]
        if pytorch:
            tensors = [torch.from_numpy(z[None].astype(np.float64)) for z in (x, y)]
            values.append(float(pytorch_ms_ssim(*tensors, data_range=255)))
        out[f"ms-ssim.{side}"] = values
    save_file({k: torch.as_tensor(np.asarray(v, dtype=None if k in ("a", "b", "logits") else np.float64)) for k, v in out.items()}, path)
    for name, value in out.items():
        if name not in ("a", "b", "logits"):
            print(name, value)


def cifar(folder, file, n):
    records = np.fromfile(folder / file, dtype=np.uint8).reshape(-1, 3073)
    return records[:n, 1:].reshape(-1, 3, 32, 32)


def features(state, images):
    """torch-fidelity's and pytorch-fid's features, in portions."""
    extractor = inception.fidelity(state, ["2048", "logits_unbiased"], dtype="float32")
    inception.without_download(pytorch_fid_inception, state)
    half_pixel = pytorch_fid_inception.InceptionV3([3]).eval()
    pools, logits, others = [], [], []
    for part in torch.from_numpy(images).split(32):
        pool, logit = extractor(part)
        pools.append(pool)
        logits.append(logit)
        others.append(half_pixel(part.float() / 255)[0].mean((2, 3)))
    return [torch.cat(x).numpy() for x in (pools, logits, others)]


def score(arguments, metrics, *options):
    out = arguments.out
    command = [arguments.sngan, "score", "--images", out / "generated.npy", "--reference", out / "real.npy", "--metrics", metrics]
    command += ["--splits", "1", "--weights", arguments.inception / "old.pth", "--allow-few", "--json", *options]
    said = subprocess.run(command, check=True, capture_output=True, text=True).stdout
    records = [json.loads(line) for line in said.splitlines() if line.startswith("{")]
    return {record["metric"]: record["value"] for record in records}


def compare(arguments):
    arguments.out.mkdir(parents=True, exist_ok=True)
    n = arguments.n
    if arguments.cifar:
        generated, real = cifar(arguments.cifar, "data_batch_1.bin", n), cifar(arguments.cifar, "test_batch.bin", n)
    else:
        generated, real = (inception.drawn_images(seed, n, 32).numpy() for seed in (5, 6))
    np.save(arguments.out / "generated.npy", generated)
    np.save(arguments.out / "real.npy", real)
    ours = score(arguments, "is,fid,kid,precision,recall")
    half_pixel = score(arguments, "fid", "--resize", "half-pixel")
    state = load_file(arguments.inception / "weights.safetensors")
    with torch.no_grad():
        (pool, logits, other), (real_pool, _, real_other) = features(state, generated), features(state, real)
    precision, recall = precision_recall(pool, real_pool)
    rows = [
        ("inception score", ours["is"], "torch-fidelity", inception_score(logits, 1)[0]),
        ("FID", ours["fid"], "torch-fidelity", fid_of_torch_fidelity(pool, real_pool)),
        ("FID, half-pixel resize", half_pixel["fid"], "torch-fidelity's formula on pytorch-fid's features", fid_of_torch_fidelity(other, real_other)),
        ("KID", ours["kid"], "torch-fidelity", kernel_distance(pool, real_pool)),
        ("precision", ours["precision"], "torch-fidelity", precision),
        ("recall", ours["recall"], "torch-fidelity", recall),
    ]
    print(f"| metric ({n} + {n} images of {'CIFAR-10' if arguments.cifar else 'a generator'}, random calibrated weights) | sngan | reference | | difference |")
    print("|---|---|---|---|---|")
    failed = False
    for name, value, library, expected in rows:
        difference = abs(value - expected)
        # One image of the set may lie within rounding of a ball's surface.
        allowed = 2 / n if name in ("precision", "recall") else TOLERANCE * max(1.0, abs(expected))
        failed |= not difference <= allowed
        print(f"| {name} | {value:.6f} | {expected:.6f} | {library} | {difference:.1e} of {allowed:.1e} allowed |")
    sys.exit(failed)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--fixture", type=pathlib.Path)
    parser.add_argument("--sngan", type=pathlib.Path)
    parser.add_argument("--inception", type=pathlib.Path)
    parser.add_argument("--out", type=pathlib.Path)
    parser.add_argument("--cifar", type=pathlib.Path)
    parser.add_argument("-n", type=int, default=256)
    arguments = parser.parse_args()
    torch.set_num_threads(2)
    if arguments.fixture:
        fixture(arguments.fixture)
    if arguments.sngan:
        compare(arguments)


if __name__ == "__main__":
    main()
