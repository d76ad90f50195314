"""`sngan fid` against torch-fidelity's and pytorch-fid's own programs, on folders of pictures and files of statistics.

    python tools/parity_eval/fid.py --sngan target/release/sngan --inception target/parity-eval/inception --out target/parity-eval/fid

in the environment of metrics.py, with the random weights that inception.py made. Both libraries get the same weights and read the same files;
pictures of unequal sizes they take one at a time. It prints one table and ends with an error where a difference is above its tolerance.
"""

import argparse
import json
import pathlib
import shutil
import subprocess
import sys

import numpy as np
import pytorch_fid.fid_score
import pytorch_fid.inception as pytorch_fid_inception
import scipy.linalg
import torch
import torch_fidelity
from PIL import Image
from safetensors.torch import load_file

import inception

# Relative to the value, where it is above 1, as in metrics.py: so few pictures make singular covariances.
TOLERANCE = 1e-3
SQUARE = [(32, 32)]
WIDE = [(32, 48)]
UNEQUAL = [(32, 32), (32, 48), (64, 40), (33, 33)]


def write(folder, seed, n, sizes, extension="png"):
    """n pictures of these heights and widths in turn: the middles of larger drawn ones."""
    folder.mkdir(parents=True)
    for i, image in enumerate(inception.drawn_images(seed, n, 96).numpy()):
        height, width = sizes[i % len(sizes)]
        picture = Image.fromarray(image[:, 10 : 10 + height, 10 : 10 + width].transpose(1, 2, 0))
        picture.save(folder / f"{i:04}.{extension}", **({"quality": 90} if extension == "jpg" else {}))
    return folder


def ours(arguments, a, b, *options):
    command = [arguments.sngan, "fid", a, b, "--weights", arguments.inception / "old.pth", "--json", *options]
    return json.loads(subprocess.run(command, check=True, capture_output=True, text=True).stdout)["fid"]


def of_torch_fidelity(arguments, a, b, batch=32, **options):
    values = torch_fidelity.calculate_metrics(
        input1=str(a),
        input2=str(b),
        fid=True,
        cuda=False,
        cache=False,
        verbose=False,
        batch_size=batch,
        feature_extractor="inception-v3-compat",
        feature_extractor_weights_path=str(arguments.inception / "zip.pth"),
        **options,
    )
    return values["frechet_inception_distance"]


def of_pytorch_fid(state, a, b, batch=32):
    inception.without_download(pytorch_fid_inception, state)
    sqrtm = scipy.linalg.sqrtm

    def with_disp(matrix, disp=True):
        # Newer SciPy has no `disp`, with which pytorch-fid asks for a pair.
        return sqrtm(matrix) if disp else (sqrtm(matrix), 0.0)

    pytorch_fid.fid_score.linalg.sqrtm = with_disp
    try:
        return float(pytorch_fid.fid_score.calculate_fid_given_paths([str(a), str(b)], batch, "cpu", 2048, 0))
    finally:
        pytorch_fid.fid_score.linalg.sqrtm = sqrtm


def rows(arguments, state):
    out, n = arguments.out, arguments.n
    folders = {
        name: [write(out / name / side, seed, n, sizes, extension) for side, seed in (("a", 5), ("b", 6))]
        for name, sizes, extension in (("squares", SQUARE, "png"), ("jpegs", SQUARE, "jpg"), ("wide", WIDE, "png"), ("unequal", UNEQUAL, "png"))
    }
    for name, options, batch in (("squares", [], 32), ("jpegs", [], 32), ("wide", [], 32), ("unequal", ["--pictures", "each"], 1)):
        a, b = folders[name]
        yield name, options, "torch-fidelity", ours(arguments, a, b, *options), of_torch_fidelity(arguments, a, b, batch)
        half = [*options, "--half-pixel"]
        yield name, half, "pytorch-fid", ours(arguments, a, b, *half), of_pytorch_fid(state, a, b, batch)
    a, b = folders["squares"]
    plain = ours(arguments, a, b)
    yield "squares, each", ["--pictures", "each"], "squares", ours(arguments, a, b, "--pictures", "each"), plain
    np.save(out / "a.npy", np.stack([np.asarray(Image.open(f)) for f in sorted(a.iterdir())]))
    yield "an array", [], "squares", ours(arguments, out / "a.npy", b), plain
    inception.without_download(pytorch_fid_inception, state)
    pytorch_fid.fid_score.save_fid_stats([str(a), str(out / "a.npz")], 32, "cpu", 2048, 0)
    half = of_pytorch_fid(state, a, b)
    yield "pytorch-fid's statistics", ["--half-pixel"], "pytorch-fid", ours(arguments, out / "a.npz", b, "--half-pixel"), half
    subprocess.run([arguments.sngan, "reference", b, "--out", out / "b.npz", "--weights", arguments.inception / "old.pth", "--allow-few", "--resize", "half-pixel"], check=True, capture_output=True)
    yield "statistics of both", [], "pytorch-fid", ours(arguments, out / "a.npz", out / "b.npz"), half
    # Another rule than torch-fidelity's, which resizes before it crops.
    options = ["--pictures", "crop", "--side", "32"]
    a, b = folders["unequal"]
    yield "unequal, cropped", options, None, ours(arguments, a, b, *options), of_torch_fidelity(arguments, a, b, 32, samples_resize_and_crop=32)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--sngan", type=pathlib.Path, required=True)
    parser.add_argument("--inception", type=pathlib.Path, required=True)
    parser.add_argument("--out", type=pathlib.Path, required=True)
    parser.add_argument("-n", type=int, default=48)
    arguments = parser.parse_args()
    torch.set_num_threads(2)
    shutil.rmtree(arguments.out, ignore_errors=True)
    state = load_file(arguments.inception / "weights.safetensors")
    print(f"| pictures ({arguments.n} + {arguments.n}, random calibrated weights) | options | sngan | reference | | difference |")
    print("|---|---|---|---|---|---|")
    failed = False
    with torch.no_grad():
        for name, options, library, value, expected in rows(arguments, state):
            difference, allowed = abs(value - expected), TOLERANCE * max(1.0, abs(expected))
            failed |= library is not None and not difference <= allowed
            said = f"{difference:.1e} of {allowed:.1e} allowed" if library else f"{difference:.1e}; another rule"
            print(f"| {name} | {' '.join(options)} | {value:.6f} | {expected:.6f} | {library or 'torch-fidelity'} | {said} |", flush=True)
    sys.exit(failed)


if __name__ == "__main__":
    main()
