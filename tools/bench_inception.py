#!/usr/bin/env python3
"""Time Inception's features by sngan and by torch-fidelity at its best, alternately in one run, and print both with their ratio.

    python tools/bench_inception.py --weights FILE.pth [--rounds 5] [--repeat 2] [--threads 2] [--out DIR]

in an environment with torch and torch-fidelity, after `cargo build --release --package sngan-cli`. Each program gets its own process in
each round; a figure is the median over rounds of its median over repeats. torch-fidelity runs with contiguous and with channels_last
memory, freed blocks kept by the allocator; the faster is compared.
"""
import argparse
import datetime
import json
import os
import pathlib
import statistics
import subprocess
import sys
import time

from bench_vs_pytorch import ROOT, cpu_name, opponents_environment

OPPONENTS = ["contiguous", "channels_last"]


def torch_fidelity_times(arguments):
    """One opponent's process: prints its times as JSON."""
    import resource

    import torch
    from torch_fidelity.feature_extractor_inceptionv3 import FeatureExtractorInceptionV3

    torch.set_num_threads(arguments.threads)
    model = FeatureExtractorInceptionV3("inception-v3-compat", ["2048", "logits_unbiased"], arguments.weights)
    if arguments.opponent == "channels_last":
        model = model.to(memory_format=torch.channels_last)
    images = torch.randint(0, 256, (arguments.batch, 3, 32, 32), dtype=torch.uint8)
    times = []
    with torch.no_grad():
        for _ in range(arguments.repeat + 1):
            start = time.perf_counter()
            model(images)
            times.append(time.perf_counter() - start)
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    print(json.dumps({"images_s": arguments.batch / statistics.median(times[1:]), "peak_rss_mb": peak, "torch": torch.__version__}))


def run(command, environment):
    done = subprocess.run([str(c) for c in command], env=environment, check=True, capture_output=True, text=True)
    return json.loads(done.stdout.splitlines()[-1])


def measure(arguments):
    common = ["--weights", arguments.weights, "--repeat", arguments.repeat, "--threads", arguments.threads]
    rows = {name: [] for name in [*OPPONENTS, "sngan"]}
    for _ in range(arguments.rounds):
        for name in OPPONENTS:
            command = [sys.executable, __file__, "--opponent", name, "--batch", arguments.batch, *common]
            rows[name].append(run(command, opponents_environment()))
        ours = run([ROOT / "target/release/sngan", "bench", "inception", "--images", arguments.images, "--json", *common], dict(os.environ))
        rows["sngan"].append(ours | {"images_s": ours["images"] / ours["features"]["median_s"]})
    return rows


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--weights", required=True)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--repeat", type=int, default=2)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--batch", type=int, default=32, help="torch-fidelity's images a pass")
    parser.add_argument("--images", type=int, default=48, help="images a measurement of sngan takes, in passes of its own size")
    parser.add_argument("--opponent", choices=OPPONENTS, help=argparse.SUPPRESS)
    parser.add_argument("--out", type=pathlib.Path, help="folder for raw.json and README.md")
    arguments = parser.parse_args()
    if arguments.opponent:
        return torch_fidelity_times(arguments)

    rows = measure(arguments)
    median = lambda name, key: statistics.median(r[key] for r in rows[name])
    best = max(OPPONENTS, key=lambda name: median(name, "images_s"))
    lines = ["| | images/s | peak MB |", "|---|---|---|"]
    for name, label in [("contiguous", "torch-fidelity, contiguous"), ("channels_last", "torch-fidelity, channels_last"), ("sngan", "sngan")]:
        lines.append(f"| {label} | {median(name, 'images_s'):.2f} | {median(name, 'peak_rss_mb'):.0f} |")
    ratio = median("sngan", "images_s") / median(best, "images_s")
    each = sorted(s["images_s"] / t["images_s"] for s, t in zip(rows["sngan"], rows[best]))
    lines.append(f"\nsngan is {ratio:.2f}x torch-fidelity {best} ({each[0]:.2f} to {each[-1]:.2f} over {arguments.rounds} rounds; target 1.3)")
    print("\n".join(lines))
    if arguments.out:
        arguments.out.mkdir(parents=True, exist_ok=True)
        (arguments.out / "raw.json").write_text(json.dumps(rows, indent=1) + "\n")
        head = f"# Inception's features, sngan and torch-fidelity side by side\n\n{datetime.date.today().isoformat()}, {cpu_name()}, {arguments.threads} threads"
        about = f"{rows['sngan'][0]['instruction_set']}, PyTorch {rows[best][0]['torch']}. Made by `just bench-inception`: {arguments.rounds} rounds, the programs in turn; medians."
        (arguments.out / "README.md").write_text(f"{head}, {about}\n\n" + "\n".join(lines) + "\n")


if __name__ == "__main__":
    main()
