"""Loads what `sngan export --format pytorch` or `weights` wrote into plain PyTorch modules: python load_pytorch.py FILE.safetensors

Every network of the project: the standard CNNs and the residual networks, conditional ones too. `load` gives G and D (None where the file has
no D). The script itself compares both with the check in the file, and ends with 1 where they differ by more than 1e-5 of the largest value.
"""
import json
import sys

import torch
from safetensors import safe_open
from safetensors.torch import load_file
from torch import nn
from torch.nn import functional as F

# What a state dict does not tell of D: how many of its blocks halve the side, and how the last map is pooled.
RESNETS = {
    "resnet-cifar10": (2, "sum"),
    "resnet-stl10": (4, "sum"),
    "resnet-64": (5, "sum"),
    "resnet-imagenet": (5, "sum"),
    "resnet-gulrajani": (2, "mean"),
}
EPS = 2e-5  # of every normalization


class ConditionalBatchNorm(nn.BatchNorm2d):
    """Batch normalization with γ and β of each image's class, `[classes, C]`."""

    def __init__(self, classes, channels):
        super().__init__(channels, eps=EPS)
        self.weight, self.bias = (nn.Parameter(torch.zeros(classes, channels)) for _ in range(2))

    def forward(self, x, y):
        one, zero = torch.ones_like(self.running_mean), torch.zeros_like(self.running_mean)
        x = F.batch_norm(x, self.running_mean, self.running_var, one, zero, False, 0.1, self.eps)
        return self.weight[y][:, :, None, None] * x + self.bias[y][:, :, None, None]


def of_map(x, norm):
    """Features `[N, C]` as the map that a normalization takes, and back."""
    return norm(x[:, :, None, None])[:, :, 0, 0] if x.dim() == 2 else norm(x)


class Network(nn.Module):
    """Modules named by layer, as the state dict has them: `block0.conv1` is `self.block0.conv1`."""

    def __init__(self, tensors):
        super().__init__()
        self.tensors = tensors

    def place(self, name, module):
        parent = self
        *path, last = name.split(".")
        for part in path:
            if part not in dict(parent.named_children()):
                parent.add_module(part, nn.Module())
            parent = getattr(parent, part)
        parent.add_module(last, module)

    def fill(self):
        """Makes the module of every weight by its name and shape, a layer before the normalization below it, and loads the state dict."""
        shapes = {k.removesuffix(".weight"): t.shape for k, t in self.tensors.items() if k.endswith(".weight")}
        for name, shape in sorted(shapes.items(), key=lambda item: item[0].count(".")):
            bias, last = f"{name}.bias" in self.tensors, name.split(".")[-1]
            if last.startswith("bn") and f"{name}.running_mean" in self.tensors:
                module = ConditionalBatchNorm(*shape) if len(shape) == 2 else nn.BatchNorm2d(shape[0], eps=EPS)
            elif last.startswith("bn"):
                module = nn.BatchNorm2d(shape[0], eps=EPS, track_running_stats=False)
            elif last.startswith("ln"):
                module = nn.GroupNorm(1, shape[0], eps=EPS)
            elif last == "embedding":
                module = nn.Embedding(*shape)
            elif last.startswith("deconv"):
                stride = 2 if shape[2] == 4 else 1
                module = nn.ConvTranspose2d(shape[0], shape[1], shape[2], stride, 1, bias=bias)
            elif len(shape) == 4:
                stride = 2 if shape[2] == 4 else 1
                module = nn.Conv2d(shape[1], shape[0], shape[2], stride, shape[2] // 2 if stride == 1 else 1, bias=bias)
            else:
                module = nn.Linear(shape[1], shape[0], bias=bias)
            self.place(name, module)
        self.load_state_dict(self.tensors)
        return self.eval()

    def has(self, name):
        return f"{name}.weight" in self.tensors

    def at(self, name):
        return self.get_submodule(name)

    def normalized(self, x, *names, y=None):
        """`x` after the first of these normalizations that there is."""
        for name in names:
            if self.has(name):
                norm = self.at(name)
                return of_map(x, (lambda x: norm(x, y)) if isinstance(norm, ConditionalBatchNorm) else norm)
        return x


class Generator(Network):
    """z `[N, 128]`, and classes `[N]` where it is conditional, to images `[N, 3, side, side]` in [−1, 1]."""

    def forward(self, z, y=None):
        blocks = sum(self.has(f"block{i}.conv1") for i in range(8))
        x = self.at("dense")(z)
        first = self.tensors["block0.conv1.weight"].shape[1] if blocks else self.tensors["deconv0.weight"].shape[0]
        if self.has("dense.bn"):
            x = F.relu(self.normalized(x, "dense.bn", y=y))
        x = x.unflatten(1, (first, *[round((x.shape[1] / first) ** 0.5)] * 2))
        if not blocks:
            for i in range(3):
                x = F.relu(self.normalized(self.at(f"deconv{i}")(x), f"bn{i}", y=y))
            return torch.tanh(self.at("conv" if self.has("conv") else "deconv3")(x))
        for i in range(blocks):
            wide = lambda x: F.interpolate(x, scale_factor=2)
            h = wide(F.relu(self.normalized(x, f"block{i}.input.bn", y=y)))
            h = F.relu(self.normalized(self.at(f"block{i}.conv1")(h), f"block{i}.conv1.bn", y=y))
            x = self.at(f"block{i}.conv2")(h) + self.at(f"block{i}.shortcut")(wide(x))
        return torch.tanh(self.at("conv")(F.relu(self.normalized(x, "output.bn", y=y))))


class Discriminator(Network):
    """Images `[N, 3, side, side]` in [−1, 1], and classes where it reads them, to one output each."""

    def __init__(self, tensors, spec):
        super().__init__(tensors)
        self.spec = spec

    def appended(self, x, y):
        rows = self.at("embedding")(y)[:, :, None, None]
        return torch.cat((x, rows.expand(-1, -1, *x.shape[2:])), 1)

    def forward(self, x, y=None):
        architecture, conditioning = self.spec["architecture"], self.spec["conditioning"]
        if architecture in RESNETS:
            x, pooled = self.residual(x, y, conditioning == "concat", *RESNETS[architecture])
            outputs = self.at("dense")(pooled)[:, 0]
        else:
            slope = {"standard-cnn": 0.1, "standard-cnn-cgl": 0.2}[architecture]
            for i in range(7):
                x = self.at(f"conv{i}")(x)
                x = F.leaky_relu(self.normalized(x, f"bn{i}", f"ln{i}"), slope)
                if i == 5 and conditioning == "concat":
                    x = self.appended(x, y)
            pooled = x.sum((2, 3))
            outputs = self.at("dense")(x.flatten(1))[:, 0]
        if conditioning == "projection":
            outputs = outputs + (self.at("embedding")(y) * pooled).sum(1)
        return outputs

    def residual(self, x, y, concat, down, pooling):
        for i in range(sum(self.has(f"block{i}.conv1") for i in range(8))):
            name = f"block{i}"
            pool = (lambda x: F.avg_pool2d(x, 2)) if i < down else (lambda x: x)
            h = x if i == 0 else F.relu(self.normalized(x, f"{name}.input.bn", f"{name}.input.ln"))
            h = self.at(f"{name}.conv1")(h)
            h = F.relu(self.normalized(h, f"{name}.conv1.bn", f"{name}.conv1.ln"))
            h = pool(self.at(f"{name}.conv2")(h))
            # The first block pools before its shortcut's convolution, which is the same.
            shortcut = pool(self.at(f"{name}.shortcut")(x)) if self.has(f"{name}.shortcut") else x
            x = h + shortcut
            if concat and i + 1 == min(down, 3):
                x = self.appended(x, y)
        x = F.relu(x)
        return x, x.sum((2, 3)) if pooling == "sum" else x.mean((2, 3))


def load(path):
    """G and D of an exported file, D None where it has none, and the file's check."""
    with safe_open(path, "pt") as file:
        spec = json.loads(file.metadata()["sngan"])["spec"]
    # Weights of a generator alone are in half precision.
    tensors = {name: t.float() if t.is_floating_point() else t for name, t in load_file(path).items()}
    g, d, check = ({k.removeprefix(p): t for k, t in tensors.items() if k.startswith(p)} for p in ("generator.", "discriminator.", "check."))
    return Generator(g).fill(), Discriminator(d, spec).fill() if d else None, check


def main():
    if len(sys.argv) != 2:
        sys.exit(__doc__)
    generator, discriminator, check = load(sys.argv[1])
    y = check["y"].long() if "y" in check else None
    with torch.no_grad():
        pairs = {"G(z)": (generator(check["z"], y), check["images"])}
        if discriminator:
            pairs["D(x)"] = discriminator(check["x"], y), check["outputs"]
    errors = {name: ((a - b).abs().max() / b.abs().max()).item() for name, (a, b) in pairs.items()}
    said = [f"{name} {'differs ' if i == 0 else ''}by {e:.1e}" for i, (name, e) in enumerate(errors.items())]
    print("relative to the largest value, " + ", ".join(said))
    sys.exit(not max(errors.values()) <= 1e-5)


if __name__ == "__main__":
    main()
