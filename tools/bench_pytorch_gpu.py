#!/usr/bin/env python3
"""Times one D and one G update of the paper's standard CNN with PyTorch on a GPU, eager and as one CUDA graph.

Usage: bench_pytorch_gpu.py [--method sn|wgan-gp|batch-norm] [--math f32|tf32] [--size 32|48] [--batch 64] [--repeat 50]

Prints one JSON object; `ms` holds the median of G + D in each mode that works here. Needs torch with CUDA.
"""

import argparse
import json
import sys
import time

import torch
import torch.nn as nn
import torch.nn.functional as F
from torch.nn.utils.parametrizations import spectral_norm


class Generator(nn.Module):
    def __init__(self, size):
        super().__init__()
        self.side = size // 8
        self.dense = nn.Linear(128, 512 * self.side**2)
        layers = []
        for c_in, c_out in [(512, 256), (256, 128), (128, 64)]:
            layers += [nn.ConvTranspose2d(c_in, c_out, 4, 2, 1), nn.BatchNorm2d(c_out), nn.ReLU(inplace=True)]
        self.body = nn.Sequential(*layers, nn.Conv2d(64, 3, 3, 1, 1), nn.Tanh())

    def forward(self, z):
        return self.body(self.dense(z).view(-1, 512, self.side, self.side))


class Discriminator(nn.Module):
    def __init__(self, size, method):
        super().__init__()
        wrap = spectral_norm if method == "sn" else lambda layer: layer
        layers = []
        for i, (c_in, c_out, k, s) in enumerate(
            [(3, 64, 3, 1), (64, 64, 4, 2), (64, 128, 3, 1), (128, 128, 4, 2), (128, 256, 3, 1), (256, 256, 4, 2), (256, 512, 3, 1)]
        ):
            layers.append(wrap(nn.Conv2d(c_in, c_out, k, s, 1)))
            if method == "batch-norm" and i > 0:
                layers.append(nn.BatchNorm2d(c_out))
            layers.append(nn.LeakyReLU(0.1, inplace=True))
        self.body = nn.Sequential(*layers)
        self.dense = wrap(nn.Linear(512 * (size // 8) ** 2, 1))

    def forward(self, x):
        return self.dense(self.body(x).flatten(1)).squeeze(1)


def updates(arg, device):
    """The two updates, and the inputs that they read in place."""
    g, d = Generator(arg.size).to(device), Discriminator(arg.size, arg.method).to(device)
    options = dict(lr=2e-4, betas=(0.5, 0.999), fused=True, capturable=device.type == "cuda")
    adam_g, adam_d = torch.optim.Adam(g.parameters(), **options), torch.optim.Adam(d.parameters(), **options)
    real = torch.rand(arg.batch, 3, arg.size, arg.size, device=device) * 2 - 1
    z = torch.randn(arg.batch, 128, device=device)
    epsilon = torch.rand(arg.batch, 1, 1, 1, device=device)

    def d_update():
        d.requires_grad_(True)
        with torch.no_grad():
            fake = g(z)
        adam_d.zero_grad(set_to_none=False)
        # Batch normalization takes its statistics of each kind alone.
        out = [d(real), d(fake)] if arg.method == "batch-norm" else d(torch.cat([real, fake])).split(arg.batch)
        if arg.method == "wgan-gp":
            mid = (epsilon * real + (1 - epsilon) * fake).requires_grad_(True)
            (grad,) = torch.autograd.grad(d(mid).sum(), mid, create_graph=True)
            loss = out[1].mean() - out[0].mean() + 10 * (grad.flatten(1).norm(dim=1) - 1).square().mean()
        else:
            loss = F.softplus(-out[0]).mean() + F.softplus(out[1]).mean()
        loss.backward()
        adam_d.step()

    def g_update():
        d.requires_grad_(False)
        adam_g.zero_grad(set_to_none=False)
        out = d(g(z))
        loss = -out.mean() if arg.method == "wgan-gp" else F.softplus(-out).mean()
        loss.backward()
        adam_g.step()

    return d_update, g_update


def median(run, repeat, wait):
    times = []
    for _ in range(repeat + 3):
        start = time.perf_counter()
        run()
        wait()
        times.append(time.perf_counter() - start)
    return 1e3 * sorted(times[3:])[repeat // 2]


def graphed(d_update, g_update):
    side = torch.cuda.Stream()
    side.wait_stream(torch.cuda.current_stream())
    with torch.cuda.stream(side):
        for _ in range(3):
            g_update()
            d_update()
    torch.cuda.current_stream().wait_stream(side)
    graph = torch.cuda.CUDAGraph()
    with torch.cuda.graph(graph):
        g_update()
        d_update()
    return graph.replay


def main():
    arg = argparse.ArgumentParser()
    arg.add_argument("--method", default="sn", choices=["sn", "wgan-gp", "batch-norm"])
    arg.add_argument("--math", default="f32", choices=["f32", "tf32"])
    arg.add_argument("--size", type=int, default=32)
    arg.add_argument("--batch", type=int, default=64)
    arg.add_argument("--repeat", type=int, default=50)
    arg.add_argument("--device", default="cuda", help="cpu only shows that this file runs")
    arg = arg.parse_args()
    if arg.device == "cuda" and not torch.cuda.is_available():
        sys.exit("this torch finds no GPU")
    tf32 = arg.math == "tf32"
    torch.backends.cuda.matmul.allow_tf32 = torch.backends.cudnn.allow_tf32 = tf32
    torch.backends.cudnn.benchmark = True
    device = torch.device(arg.device)
    wait = torch.cuda.synchronize if arg.device == "cuda" else lambda: None
    d_update, g_update = updates(arg, device)

    def both():
        g_update()
        d_update()

    result = {"torch": torch.__version__, "method": arg.method, "math": arg.math, "size": arg.size, "batch": arg.batch}
    result["ms"] = {"eager": median(both, arg.repeat, wait)}
    if arg.device == "cuda":
        result["device"] = torch.cuda.get_device_name()
        try:
            result["ms"]["graphed"] = median(graphed(d_update, g_update), arg.repeat, wait)
        except RuntimeError as e:
            result["graphed_failed"] = str(e).splitlines()[0]
        result["peak_mib"] = torch.cuda.max_memory_allocated() / 2**20
    print(json.dumps(result))


if __name__ == "__main__":
    main()
