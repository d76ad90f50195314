#!/usr/bin/env python3
"""Time single updates of sngan and of PyTorch at its best, alternately in one run, and write both with their ratios.

Usage: bench_vs_pytorch.py [--python VENV/bin/python | --venv DIR] [--rounds 3] [--repeat 8] [--only NAME] [--out DIR]

--venv DIR makes a virtual environment there with PyTorch from PyPI. Writes raw.jsonl and README.md to DIR, by default
results/bench/<date>-<cpu>/. The figure of a program in a row is the median over rounds of its median over repeats.
"""
import argparse
import datetime
import json
import os
import pathlib
import platform
import re
import statistics
import subprocess
import sys
import venv

ROOT = pathlib.Path(__file__).resolve().parent.parent
# name, threads, side, method, width divisor, bound on the ratio of D's update and of G's
ROWS = [
    ("SN, 32x32, 2 threads", 2, 32, "sn", 1, 0.70, 0.70),
    ("SN, 32x32, 1 thread", 1, 32, "sn", 1, 0.70, 0.70),
    ("SN, 48x48, 2 threads", 2, 48, "sn", 1, 0.70, 0.70),
    ("WGAN-GP, 32x32, 2 threads", 2, 32, "wgan-gp", 1, 0.80, 0.70),
    ("SN, 32x32, width/4, 1 thread", 1, 32, "sn", 4, 0.70, 0.70),
    ("vanilla, 32x32, 2 threads", 2, 32, "vanilla", 1, None, None),
]


def run(command, environment):
    done = subprocess.run(command, env=environment, check=True, capture_output=True, text=True)
    return json.loads(done.stdout.splitlines()[-1])


def opponents_environment():
    """glibc keeps freed blocks; OpenBLAS picks its kernels by itself."""
    keep = {k: v for k, v in os.environ.items() if k not in ("OPENBLAS_CORETYPE", "OPENBLAS_L2_SIZE")}
    return keep | {"MALLOC_MMAP_THRESHOLD_": str(1 << 32), "MALLOC_TRIM_THRESHOLD_": str(1 << 32)}


def cpu_name():
    text = pathlib.Path("/proc/cpuinfo").read_text() if pathlib.Path("/proc/cpuinfo").exists() else ""
    found = re.search(r"model name\s*:\s*(.*)", text)
    return found.group(1).strip() if found else platform.processor() or platform.machine()


def measure(row, python, arguments, raw):
    name, threads, side, method, divisor, *_ = row
    sizes = ["--threads", threads, "--size", side, "--method", method, "--width-divisor", divisor, "--repeat", arguments.repeat, "--json"]
    sizes = [str(s) for s in sizes]
    for _ in range(arguments.rounds):
        for program, command, environment in [
            ("pytorch", [python, ROOT / "tools/bench_pytorch.py"], opponents_environment()),
            ("sngan", [ROOT / "target/release/sngan", "bench", "update"], dict(os.environ)),
        ]:
            result = run([*map(str, command), *sizes], environment)
            raw.append({"row": name, "program": program} | result)


def summary(row, raw):
    name, *_, bound_d, bound_g = row
    of = lambda program, get: statistics.median(get(r) for r in raw if r["row"] == name and r["program"] == program)
    cells = []
    for kind, bound in [("d_update", bound_d), ("g_update", bound_g)]:
        theirs, ours = (of(p, lambda r: r[kind]["median_s"]) for p in ("pytorch", "sngan"))
        cells += [f"{theirs * 1e3:.1f}", f"{ours * 1e3:.1f}", f"{ours / theirs:.2f}" + (f" (≤ {bound:.2f})" if bound else "")]
    theirs, ours = (of(p, lambda r: r["peak_rss_mb"]) for p in ("pytorch", "sngan"))
    return "| " + " | ".join([name, *cells, f"{theirs:.0f}", f"{ours:.0f}", f"{ours / theirs:.2f}"]) + " |"


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--python", help="an interpreter that has torch")
    parser.add_argument("--venv", type=pathlib.Path, help="make a virtual environment with PyTorch here, if it is not there yet")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--repeat", type=int, default=8)
    parser.add_argument("--only", help="rows whose name contains this")
    parser.add_argument("--out", type=pathlib.Path)
    arguments = parser.parse_args()
    python = arguments.python or sys.executable
    if arguments.venv:
        python = arguments.venv / "bin/python"
        if not python.exists():
            venv.create(arguments.venv, with_pip=True)
            subprocess.run([python, "-m", "pip", "install", "--quiet", "torch", "numpy"], check=True)

    raw, lines = [], []
    head = "| | D PyTorch ms | D sngan ms | ratio | G PyTorch ms | G sngan ms | ratio | PyTorch MB | sngan MB | ratio |\n|" + "---|" * 10
    print(head, flush=True)
    for row in ROWS:
        if arguments.only and arguments.only not in row[0]:
            continue
        measure(row, python, arguments, raw)
        lines.append(summary(row, raw))
        print(lines[-1], flush=True)

    cpu = cpu_name()
    today = datetime.date.today().isoformat()
    out = arguments.out or ROOT / "results/bench" / f"{today}-{re.sub(r'[^a-z0-9]+', '-', cpu.lower()).strip('-')}"
    out.mkdir(parents=True, exist_ok=True)
    (out / "raw.jsonl").write_text("".join(json.dumps(r) + "\n" for r in raw))
    ours, theirs = (next(r for r in raw if r["program"] == p) for p in ("sngan", "pytorch"))
    (out / "README.md").write_text(
        f"# One update, sngan and PyTorch side by side\n\n{today}, {cpu}, {os.cpu_count()} cores, {ours['instruction_set']}; sngan {ours['sngan']}, PyTorch "
        f"{theirs['torch']}, Python {platform.python_version()}. Standard CNN, batch 64. Made by `just bench-vs-pytorch`: {arguments.rounds} rounds, the programs in\n"
        f"turn, {arguments.repeat} updates each; median of medians. PyTorch at its best: channels_last, real and fake in one batch, D frozen in G's\n"
        "update, fused Adam, freed memory kept. The bounds in brackets are this project's targets.\n\n" + head + "\n" + "\n".join(lines) + "\n"
    )
    print(f"\n{out}")


if __name__ == "__main__":
    main()
