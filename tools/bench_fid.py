#!/usr/bin/env python3
"""Time FID of two statistics by sngan and by torch-fidelity, alternately in one run, and print both with their ratio.

    python tools/bench_fid.py [--dim 2048] [--rounds 5] [--threads 2] [--out DIR]

in an environment with torch-fidelity, after `cargo build --release --package sngan-cli`. The statistics are of made-up features that fire
sparsely and with falling strength, as Inception's do. A figure is the median over rounds.
"""
import argparse
import json
import os
import pathlib
import statistics
import subprocess
import sys
import tempfile
import time

ROOT = pathlib.Path(__file__).resolve().parent.parent


def made_up(seed, dim):
    import numpy as np

    rng = np.random.default_rng(seed)
    mix = np.random.default_rng(0).normal(size=(dim, dim)) / dim**0.5
    scale = np.exp(-5 * np.arange(dim) / dim)
    features = np.maximum((rng.normal(size=(dim + dim // 2, dim)) * scale) @ mix + 0.1 * rng.normal(size=dim), 0)
    return {"mu": features.mean(0), "sigma": np.cov(features, rowvar=False)}


def opponent(paths):
    """torch-fidelity's process: prints its time and value as JSON."""
    import numpy as np
    from torch_fidelity.metric_fid import fid_statistics_to_metric

    a, b = (dict(np.load(path)) for path in paths)
    start = time.perf_counter()
    value = fid_statistics_to_metric(a, b, False)["frechet_inception_distance"]
    print(json.dumps({"seconds": time.perf_counter() - start, "distance": value}))


def run(command, threads):
    limits = {name: str(threads) for name in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS")}
    done = subprocess.run([str(c) for c in command], env=os.environ | limits, check=True, capture_output=True, text=True)
    return json.loads(done.stdout.splitlines()[-1])


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--dim", type=int, default=2048)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--out", type=pathlib.Path, help="folder for raw.json")
    parser.add_argument("--opponent", nargs=2, help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.opponent:
        return opponent(arguments.opponent)

    import numpy as np

    rows = {"torch-fidelity": [], "sngan": []}
    with tempfile.TemporaryDirectory() as folder:
        paths = [pathlib.Path(folder) / name for name in ("a.npz", "b.npz")]
        for seed, path in enumerate(paths):
            np.savez(path, **made_up(seed + 1, arguments.dim))
        for _ in range(arguments.rounds):
            rows["torch-fidelity"].append(run([sys.executable, __file__, "--opponent", *paths], arguments.threads))
            command = [ROOT / "target/release/sngan", "bench", "fid", *paths, "--repeat", 1, "--threads", arguments.threads]
            ours = run(command, arguments.threads)
            rows["sngan"].append({"seconds": ours["fid"]["median_s"], "distance": ours["distance"]})
    median = {name: statistics.median(r["seconds"] for r in found) for name, found in rows.items()}
    for name, found in rows.items():
        print(f"{name}: median {median[name]:.2f} s of {[round(r['seconds'], 2) for r in found]}, distance {found[0]['distance']:.9f}")
    print(f"ratio {median['sngan'] / median['torch-fidelity']:.2f} on {arguments.threads} threads, {arguments.dim} features")
    if arguments.out:
        arguments.out.mkdir(parents=True, exist_ok=True)
        (arguments.out / "raw.json").write_text(json.dumps(rows, indent=1) + "\n")


if __name__ == "__main__":
    main()
