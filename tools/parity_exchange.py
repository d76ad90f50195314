"""Exports of every network against other programs: docs/load_pytorch.py in PyTorch, and the ONNX model of G in onnxruntime.

    python tools/parity_exchange.py --sngan target/release/sngan --out target/parity-exchange

in an environment with torch, numpy and safetensors; without onnxruntime, the models are left out and this is said. It trains a few updates of
each network, with every way that labels enter and every normalization of D's maps, exports it, and prints by how much the images and D's
outputs differ from those in the export's check, relative to the largest. It ends with 1 where one differs by more than 1e-5.
"""

import argparse
import pathlib
import shutil
import subprocess
import sys

import torch

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "docs"))
import load_pytorch  # noqa: E402

try:
    import onnxruntime
except ImportError:
    onnxruntime = None

LARGEST = 1e-5
SIDES = {
    "standard-cnn": 16,
    "standard-cnn-cgl": 16,
    "resnet-cifar10": 16,
    "resnet-gulrajani": 16,
    "resnet-stl10": 16,
    "resnet-64": 32,
    "resnet-imagenet": 32,
}
LABELS = ["none", "concat", "projection", "ac-gan"]


def cases():
    for network in SIDES:
        for labels in LABELS:
            yield network, labels, "SN"
    for network in ("standard-cnn", "resnet-cifar10", "resnet-stl10"):
        for method in ("batch-norm", "layer-norm"):
            yield network, "none", method


def exported(arguments, network, labels, method):
    """A run of a few updates, as both formats."""
    folder = arguments.out / f"{network}-{labels}-{method}"
    values = {"architecture": network, "side": SIDES[network], "conditioning": labels, "n_classes": 0 if labels == "none" else 10}
    values |= {"width_divisor": 16, "gen_updates": arguments.updates, "batch": 8, "gen_batch": 8}
    command = [arguments.sngan, "train", "table1", "--method", method, "--setting", "C", "--out", folder]
    for key, value in values.items():
        command += ["--set", f"{key}={value}"]
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    files = folder / "torch.safetensors", folder / "g.onnx"
    for file, name in zip(files, ("pytorch", "onnx")):
        subprocess.run([arguments.sngan, "export", folder, "--format", name, "--out", file], check=True, stdout=subprocess.DEVNULL)
    return files


def error(a, b):
    return ((a - b).abs().max() / b.abs().max()).item()


def compare(files):
    """By how much PyTorch's and onnxruntime's results differ from the check."""
    generator, discriminator, check = load_pytorch.load(files[0])
    y = check["y"].long() if "y" in check else None
    with torch.no_grad():
        errors = [error(generator(check["z"], y), check["images"]), error(discriminator(check["x"], y), check["outputs"])]
    if onnxruntime:
        session = onnxruntime.InferenceSession(files[1], providers=["CPUExecutionProvider"])
        inputs = {"z": check["z"].numpy()} | ({"y": y.numpy()} if y is not None else {})
        errors.append(error(torch.from_numpy(session.run(["images"], inputs)[0]), check["images"]))
    return errors


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--sngan", type=pathlib.Path, required=True)
    parser.add_argument("--out", type=pathlib.Path, required=True)
    parser.add_argument("--updates", type=int, default=20)
    arguments = parser.parse_args()
    torch.set_num_threads(2)
    shutil.rmtree(arguments.out, ignore_errors=True)
    if not onnxruntime:
        print("skipped: onnxruntime is not installed, so the ONNX models are not run")
    print("| network | labels | method | G(z), PyTorch | D(x), PyTorch | G(z), onnxruntime |")
    print("|---|---|---|---|---|---|")
    worst = 0.0
    for network, labels, method in cases():
        errors = compare(exported(arguments, network, labels, method))
        worst = max(worst, *errors)
        shown = [f"{e:.1e}" for e in errors] + ["–"] * (3 - len(errors))
        print("| " + " | ".join([network, labels, method, *shown]) + " |", flush=True)
    print(f"largest difference {worst:.1e} of {LARGEST:.0e} allowed")
    sys.exit(not worst <= LARGEST)


if __name__ == "__main__":
    main()
