"""Loads what `sngan export --format pytorch` wrote into plain PyTorch modules: python load_pytorch.py FILE.safetensors"""
import sys
from collections import OrderedDict
from safetensors.torch import load_file
from torch import nn

tensors = load_file(sys.argv[1])
g, d, check = ({k.removeprefix(p): t for k, t in tensors.items() if k.startswith(p)} for p in ("generator.", "discriminator.", "check."))
outputs, channels = g["dense.weight"].shape[0], g["deconv0.weight"].shape[0]
G, D = {"dense": nn.Linear(128, outputs), "map": nn.Unflatten(1, (channels, *[round((outputs / channels) ** 0.5)] * 2))}, {}
for i in range(3):
    a, b, *_ = g[f"deconv{i}.weight"].shape
    G |= {f"deconv{i}": nn.ConvTranspose2d(a, b, 4, 2, 1), f"bn{i}": nn.BatchNorm2d(b, eps=2e-5), f"relu{i}": nn.ReLU()}
G |= {"conv": nn.Conv2d(b, 3, 3, padding=1), "tanh": nn.Tanh()}
for i in range(7):
    b, a, k, _ = d[f"conv{i}.weight"].shape
    norms = {f"bn{i}": nn.BatchNorm2d(b, eps=2e-5, track_running_stats=False), f"ln{i}": nn.GroupNorm(1, b, eps=2e-5)}
    D |= {f"conv{i}": nn.Conv2d(a, b, k, stride=1 + i % 2, padding=1)}
    D |= {name: norm for name, norm in norms.items() if f"{name}.bias" in d} | {f"relu{i}": nn.LeakyReLU(0.1)}
D |= {"flat": nn.Flatten(), "dense": nn.Linear(d["dense.weight"].shape[1], 1)}
generator, discriminator = nn.Sequential(OrderedDict(G)).eval(), nn.Sequential(OrderedDict(D)).eval()
generator.load_state_dict(g), discriminator.load_state_dict(d)
pairs = (generator(check["z"]), check["images"]), (discriminator(check["x"])[:, 0], check["outputs"])
print("relative to the largest value, G(z) differs by {:.1e}, D(x) by {:.1e}".format(*(e := [((a - b).abs().max() / b.abs().max()).item() for a, b in pairs])))
sys.exit(max(e) > 1e-5)
