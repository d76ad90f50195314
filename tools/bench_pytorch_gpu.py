#!/usr/bin/env python3
"""Times one D and one G update of the paper's networks with PyTorch on a GPU: eager, as one CUDA graph, and compiled, each in both layouts.

Usage: bench_pytorch_gpu.py [--architecture standard-cnn|resnet-cifar10] [--method sn|wgan-gp|batch-norm] [--math f32|tf32] [--size 32|48]
       [--batch 64] [--repeat 50] [--modes eager,graphed,compiled]

Prints one JSON object: `ms` holds the median of G + D in each mode that works here, the faster layout of two; `failed` says why another
does not; `peak_mib` the most memory that PyTorch held for tensors in that mode and layout. Needs torch with CUDA.
"""

import argparse
import gc
import json
import sys
import time

import torch
import torch.nn as nn
import torch.nn.functional as F
from torch.nn.utils.parametrizations import spectral_norm


class Generator(nn.Module):
    """The standard CNN's."""

    def __init__(self, size, divisor):
        super().__init__()
        self.side, self.top = size // 8, 512 // divisor
        self.dense = nn.Linear(128, self.top * self.side**2)
        layers = []
        for c_in, c_out in [(512, 256), (256, 128), (128, 64)]:
            c_in, c_out = c_in // divisor, c_out // divisor
            layers += [nn.ConvTranspose2d(c_in, c_out, 4, 2, 1), nn.BatchNorm2d(c_out), nn.ReLU(inplace=True)]
        self.body = nn.Sequential(*layers, nn.Conv2d(64 // divisor, 3, 3, 1, 1), nn.Tanh())

    def forward(self, z):
        return self.body(self.dense(z).view(-1, self.top, self.side, self.side))


class Discriminator(nn.Module):
    """The standard CNN's."""

    def __init__(self, size, method, divisor):
        super().__init__()
        wrap = spectral_norm if method == "sn" else lambda layer: layer
        layers = []
        for i, (c_in, c_out, k, s) in enumerate(
            [(3, 64, 3, 1), (64, 64, 4, 2), (64, 128, 3, 1), (128, 128, 4, 2), (128, 256, 3, 1), (256, 256, 4, 2), (256, 512, 3, 1)]
        ):
            c_in, c_out = c_in if c_in == 3 else c_in // divisor, c_out // divisor
            layers.append(wrap(nn.Conv2d(c_in, c_out, k, s, 1)))
            if method == "batch-norm" and i > 0:
                layers.append(nn.BatchNorm2d(c_out))
            layers.append(nn.LeakyReLU(0.1, inplace=True))
        self.body = nn.Sequential(*layers)
        self.dense = wrap(nn.Linear(512 // divisor * (size // 8) ** 2, 1))

    def forward(self, x):
        return self.dense(self.body(x).flatten(1)).squeeze(1)


class GeneratorBlock(nn.Module):
    """Doubles the side: BN, ReLU, nearest, 3x3, BN, ReLU, 3x3; nearest and 1x1 beside it."""

    def __init__(self, channels):
        super().__init__()
        self.norms = nn.ModuleList(nn.BatchNorm2d(channels) for _ in range(2))
        self.convs = nn.ModuleList(nn.Conv2d(channels, channels, 3, 1, 1) for _ in range(2))
        self.beside = nn.Conv2d(channels, channels, 1)

    def forward(self, x):
        h = self.convs[0](F.interpolate(F.relu(self.norms[0](x)), scale_factor=2))
        return self.convs[1](F.relu(self.norms[1](h))) + self.beside(F.interpolate(x, scale_factor=2))


class ResnetGenerator(nn.Module):
    """Table 4's."""

    def __init__(self, size, divisor):
        super().__init__()
        self.side, self.channels = size // 8, 256 // divisor
        self.dense = nn.Linear(128, self.channels * self.side**2)
        blocks = [GeneratorBlock(self.channels) for _ in range(3)]
        self.body = nn.Sequential(*blocks, nn.BatchNorm2d(self.channels), nn.ReLU(), nn.Conv2d(self.channels, 3, 3, 1, 1), nn.Tanh())

    def forward(self, z):
        return self.body(self.dense(z).view(-1, self.channels, self.side, self.side))


class DiscriminatorBlock(nn.Module):
    """ReLU, 3x3, ReLU, 3x3, and the mean of 2x2 where it halves; 1x1 beside it where channels or side change. The first has no ReLU before."""

    def __init__(self, c_in, c_out, halves, first, wrap):
        super().__init__()
        self.halves, self.first = halves, first
        self.convs = nn.ModuleList([wrap(nn.Conv2d(c_in, c_out, 3, 1, 1)), wrap(nn.Conv2d(c_out, c_out, 3, 1, 1))])
        self.beside = wrap(nn.Conv2d(c_in, c_out, 1)) if halves or c_in != c_out else None

    def forward(self, x):
        h = self.convs[1](F.relu(self.convs[0](x if self.first else F.relu(x))))
        h = F.avg_pool2d(h, 2) if self.halves else h
        if self.beside is None:
            return h + x
        if self.first:
            return h + self.beside(F.avg_pool2d(x, 2))
        return h + F.avg_pool2d(self.beside(x), 2)


class ResnetDiscriminator(nn.Module):
    """Table 4's."""

    def __init__(self, _, method, divisor):
        super().__init__()
        wrap = spectral_norm if method == "sn" else lambda layer: layer
        c = 128 // divisor
        self.body = nn.Sequential(*[DiscriminatorBlock(3 if i == 0 else c, c, i < 2, i == 0, wrap) for i in range(4)])
        self.dense = wrap(nn.Linear(c, 1))

    def forward(self, x):
        return self.dense(F.relu(self.body(x)).sum((2, 3))).squeeze(1)


NETWORKS = {"standard-cnn": (Generator, Discriminator), "resnet-cifar10": (ResnetGenerator, ResnetDiscriminator)}


def updates(arg, device, layout):
    """The two updates, and the inputs that they read in place."""
    generator, discriminator = NETWORKS[arg.architecture]
    g = generator(arg.size, arg.width_divisor).to(device, memory_format=layout)
    d = discriminator(arg.size, arg.method, arg.width_divisor).to(device, memory_format=layout)
    options = dict(lr=2e-4, betas=(0.5, 0.999), fused=True, capturable=device.type == "cuda")
    adam_g, adam_d = torch.optim.Adam(g.parameters(), **options), torch.optim.Adam(d.parameters(), **options)
    real = (torch.rand(arg.batch, 3, arg.size, arg.size, device=device) * 2 - 1).contiguous(memory_format=layout)
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
    arg.add_argument("--architecture", default="standard-cnn", choices=NETWORKS)
    arg.add_argument("--method", default="sn", choices=["sn", "wgan-gp", "batch-norm"])
    arg.add_argument("--modes", default="eager,graphed,compiled")
    arg.add_argument("--width-divisor", type=int, default=1)
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
    result = {"torch": torch.__version__, "architecture": arg.architecture, "method": arg.method, "math": arg.math}
    result |= {"size": arg.size, "batch": arg.batch, "width_divisor": arg.width_divisor}
    result |= {"device": torch.cuda.get_device_name() if arg.device == "cuda" else "cpu", "ms": {}, "layout": {}, "peak_mib": {}, "failed": {}}

    def measure(mode, layout):
        d_update, g_update = updates(arg, device, layout)
        if mode == "graphed":
            return median(graphed(d_update, g_update), arg.repeat, wait)
        if mode == "compiled":
            g_update, d_update = torch.compile(g_update), torch.compile(d_update)

        def both():
            g_update()
            d_update()

        return median(both, arg.repeat, wait)

    for mode in arg.modes.split(","):
        for name, layout in (("nchw", torch.contiguous_format), ("nhwc", torch.channels_last)):
            if arg.device == "cuda":
                # What an earlier one held does not count.
                gc.collect()
                torch.cuda.empty_cache()
                torch.cuda.reset_peak_memory_stats()
            try:
                ms = measure(mode, layout)
            except Exception as e:  # a graph or a compiler may refuse for many reasons; each is said
                result["failed"][f"{mode} {name}"] = (str(e).splitlines() or [type(e).__name__])[0]
                continue
            if ms < result["ms"].get(mode, float("inf")):
                result["ms"][mode], result["layout"][mode] = ms, name
                if arg.device == "cuda":
                    result["peak_mib"][mode] = torch.cuda.max_memory_allocated() / 2**20
    if not result["ms"]:
        sys.exit(str(result["failed"]))
    print(json.dumps(result))


if __name__ == "__main__":
    main()
