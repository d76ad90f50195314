"""Kills a sweep at random moments and compares what it ends in with an undisturbed one.

Every file of the two folders must have the same bytes, but for wall-clock times and provenance, which live in files of their own.
"""

import argparse
import pathlib
import random
import shutil
import signal
import subprocess
import time

APART = {"timing.jsonl", "provenance.json", ".lock", ".plan.json.lock", ".status.json.lock"}


def contents(out):
    files = {p.relative_to(out): p for p in out.rglob("*") if p.is_file() and p.name not in APART}
    newest = {}
    for path in files:
        if path.parent.name == "checkpoints":
            newest[path.parent, path.suffix] = max(newest.get((path.parent, path.suffix), path), path)
    # How many older checkpoints stand beside the newest depends on where a run was resumed.
    return {p: f.read_bytes() for p, f in files.items() if p.parent.name != "checkpoints" or newest[p.parent, p.suffix] == p}


def compare(whole, cut):
    """How many files and checkpoints the two hold alike; an error names those that differ."""
    one, other = contents(whole), contents(cut)
    assert one.keys() == other.keys(), sorted(map(str, one.keys() ^ other.keys()))
    different = [str(p) for p in one if one[p] != other[p]]
    assert not different, different
    return len(one), sum(p.suffix == ".safetensors" for p in one)


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--sngan", required=True)
    parser.add_argument("--experiment", default="table1")
    parser.add_argument("--scale", default="smoke")
    parser.add_argument("--out", type=pathlib.Path, default=pathlib.Path("target/kill-sweep"))
    parser.add_argument("--kills", type=int, default=20)
    parser.add_argument("--seed", type=int, default=0)
    a = parser.parse_args()
    shutil.rmtree(a.out, ignore_errors=True)

    def command(out, threads):
        return [a.sngan, "sweep", a.experiment, "--scale", a.scale, "--out", str(a.out / out), "--threads", str(threads)]

    start = time.monotonic()
    subprocess.run(command("whole", 1), check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    whole = time.monotonic() - start
    rng = random.Random(a.seed)
    killed = finished = 0
    while killed < a.kills:
        # Each piece is a fraction of the whole, so that the kills spread over it.
        process = subprocess.Popen(command("cut", 1 + killed % 2), stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        try:
            code = process.wait(timeout=rng.uniform(0.02, 2.0) * whole / a.kills)
            assert code == 0, f"a sweep that was not killed ended with code {code}"
            finished += 1
            if finished > 3:
                # Everything is done already: start over, so that each kill still hits a sweep at work.
                compare(a.out / "whole", a.out / "cut")
                shutil.rmtree(a.out / "cut")
                finished = 0
        except subprocess.TimeoutExpired:
            process.send_signal(signal.SIGKILL)
            process.wait()
            killed += 1
    subprocess.run(command("cut", 2), check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)

    files, checkpoints = compare(a.out / "whole", a.out / "cut")
    print(f"{killed} kills: {files} files, {checkpoints} of them checkpoints, have the bytes of the undisturbed sweep")


if __name__ == "__main__":
    main()
