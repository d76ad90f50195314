"""The largest ‖∇D(x)‖ over a folder of pictures by PyTorch, for the lower bound that `sngan spectrum` prints of a run (docs/spectra.md).

python gradient_bound.py EXPORT.safetensors FOLDER [--draws N]: EXPORT is what `sngan export --format pytorch` wrote of a standard CNN,
FOLDER holds pictures of the run's side. Prints the bound of bytes b as 2b/255 - 1, as b/128 - 1, and of N draws of (b + u)/128 - 1 with u
uniform in [0, 1). Needs torch, numpy, Pillow and safetensors.
"""

import argparse
import pathlib
from collections import OrderedDict

import numpy as np
import torch
from PIL import Image
from safetensors.torch import load_file
from torch import nn


def discriminator(path):
    tensors = {k.removeprefix("discriminator."): t for k, t in load_file(path).items() if k.startswith("discriminator.")}
    layers = OrderedDict()
    for i in range(7):
        b, a, k, _ = tensors[f"conv{i}.weight"].shape
        layers[f"conv{i}"] = nn.Conv2d(a, b, k, stride=1 + i % 2, padding=1)
        if f"ln{i}.bias" in tensors:
            layers[f"ln{i}"] = nn.GroupNorm(1, b, eps=2e-5)
        layers[f"relu{i}"] = nn.LeakyReLU(0.1)
    layers |= {"flat": nn.Flatten(), "dense": nn.Linear(tensors["dense.weight"].shape[1], 1)}
    d = nn.Sequential(layers)
    d.load_state_dict(tensors)
    return d.double()


def norms(d, x):
    x = torch.from_numpy(x).requires_grad_()
    (gradient,) = torch.autograd.grad(d(x).sum(), x)
    return gradient.flatten(1).norm(dim=1)


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("export")
    parser.add_argument("folder", type=pathlib.Path)
    parser.add_argument("--draws", type=int, default=20)
    a = parser.parse_args()
    d = discriminator(a.export)
    files = sorted(p for p in a.folder.rglob("*") if p.suffix.lower() in (".png", ".jpg", ".jpeg"))
    b = np.stack([np.asarray(Image.open(p).convert("RGB"), dtype=np.float64).transpose(2, 0, 1) for p in files])
    say = lambda what, n: print(f"{what}: largest {n.max():.6f}, mean {n.mean():.6f} of {len(n)} images")
    say("2b/255 - 1", norms(d, b / 127.5 - 1))
    say("b/128 - 1", norms(d, b / 128 - 1))
    noise = np.random.default_rng(0)
    drawn = [norms(d, (b + noise.random(b.shape)) / 128 - 1) for _ in range(a.draws)]
    largest = [n.max().item() for n in drawn]
    print(f"(b + u)/128 - 1: largest {min(largest):.6f} to {max(largest):.6f} in {a.draws} draws, mean {torch.stack(drawn).mean():.6f}")


if __name__ == "__main__":
    main()
