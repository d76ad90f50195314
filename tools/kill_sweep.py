"""Kills a sweep, and then a scoring, a pack and a report, at random moments, and compares what each ends in with an undisturbed one.

Every file of the two folders must have the same bytes, but for wall-clock times and provenance, which live in files of their own. The kill
of a download is a test of crates/data, which serves the file itself.
"""

import argparse
import json
import pathlib
import random
import shutil
import signal
import struct
import subprocess
import time
import zlib

APART = {"timing.jsonl", "provenance.json"}


def is_apart(path):
    """What may differ: times and provenance, locks, and what a killed process was writing beside a file."""
    return path.name in APART or path.name.endswith(".lock") or any(part.startswith(".unfinished-") for part in path.parts)


def contents(out):
    files = {p.relative_to(out): p for p in out.rglob("*") if p.is_file() and not is_apart(p)}
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


def run(command):
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)


def kill(command, kills, rng, seconds, fresh):
    """Starts `command(i)` again and again and kills it `kills` times, each within `seconds`; `fresh` undoes what is done already, where
    it ended before the kill."""
    killed = finished = 0
    while killed < kills:
        process = subprocess.Popen(command(killed), stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        try:
            code = process.wait(timeout=rng.uniform(0.0, seconds))
            assert code == 0, f"what was not killed ended with code {code}: {command(killed)}"
            finished += 1
            if finished > 3:
                # Everything is done already: start over, so that each kill still hits work.
                fresh()
                finished = 0
        except subprocess.TimeoutExpired:
            process.send_signal(signal.SIGKILL)
            process.wait()
            killed += 1


def picture(path, seed, side=32):
    """A PNG of made-up pixels."""
    noise = random.Random(seed)
    rows = b"".join(b"\0" + noise.randbytes(3 * side) for _ in range(side))
    chunk = lambda kind, body: struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))
    header = struct.pack(">IIBBBBB", side, side, 8, 2, 0, 0, 0)
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", zlib.compress(rows, 1)) + chunk(b"IEND", b""))


def commands(sngan, out, swept):
    """Name, command for a folder that it works in, and what makes that folder. The commands are run in it, so that no name of the folder
    gets into a file."""
    classes = out / "classes"
    for part, n in ("train", 150), ("val", 20):
        for i in range(n):
            picture(classes / part / f"c{i % 2}" / f"{i:04}.png", i)
    first = sorted((swept / "runs").iterdir())[0]

    def unscored(folder):
        shutil.copytree(first, folder / "run")
        (folder / "run" / "scores.jsonl").unlink(missing_ok=True)
        # As it was before it was scored: a status that knows of scores would make the first ones look cut short.
        status = json.loads((folder / "run" / "status.json").read_text())
        status["records"].pop("scores.jsonl", None)
        (folder / "run" / "status.json").write_text(json.dumps(status))

    def but_a_few(folder, names):
        """All but six runs: a report of the whole grid takes as long as the sweep."""
        return sorted(names)[6:] if pathlib.Path(folder).name == "runs" else []

    score = ["score", "run", "--metrics", "is", "--samples", "1000", "--threads", "1", "--cache", "cache"]
    pack = ["data", "pack", "imagenet", "--from", str(classes.resolve()), "--side", "16", "--min-side", "0", "--out", "packed"]
    return [
        ("score", score, unscored),
        ("pack", pack, lambda folder: folder.mkdir(parents=True)),
        ("report", ["report", "sweep"], lambda folder: shutil.copytree(swept, folder / "sweep", ignore=but_a_few)),
    ]


def others(a, rng):
    for name, arguments, make in commands(a.sngan, a.out, a.out / "whole"):
        folders = {which: a.out / f"{name}-{which}" for which in ("whole", "cut")}

        def command(which):
            return ["env", "-C", str(folders[which]), a.sngan, *arguments]

        def fresh(which):
            shutil.rmtree(folders[which], ignore_errors=True)
            make(folders[which])

        for which in folders:
            fresh(which)
        start = time.monotonic()
        run(command("whole"))
        seconds = time.monotonic() - start
        kill(lambda _: command("cut"), a.kills, rng, seconds, lambda: fresh("cut"))
        run(command("cut"))
        files, _ = compare(folders["whole"], folders["cut"])
        print(f"{name}: {a.kills} kills: {files} files have the bytes of the undisturbed one")


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--sngan", required=True)
    parser.add_argument("--experiment", default="table1")
    parser.add_argument("--scale", default="smoke")
    parser.add_argument("--out", type=pathlib.Path, default=pathlib.Path("target/kill-sweep"))
    parser.add_argument("--kills", type=int, default=20)
    parser.add_argument("--seed", type=int, default=0)
    a = parser.parse_args()
    a.sngan = str(pathlib.Path(a.sngan).resolve())
    shutil.rmtree(a.out, ignore_errors=True)

    def command(out, threads):
        return [a.sngan, "sweep", a.experiment, "--scale", a.scale, "--out", str(a.out / out), "--threads", str(threads)]

    def fresh():
        compare(a.out / "whole", a.out / "cut")
        shutil.rmtree(a.out / "cut")

    start = time.monotonic()
    run(command("whole", 1))
    whole = time.monotonic() - start
    rng = random.Random(a.seed)
    # Each piece is a fraction of the whole, so that the kills spread over it.
    kill(lambda i: command("cut", 1 + i % 2), a.kills, rng, 2.0 * whole / a.kills, fresh)
    run(command("cut", 2))
    files, checkpoints = compare(a.out / "whole", a.out / "cut")
    print(f"sweep: {a.kills} kills: {files} files, {checkpoints} of them checkpoints, have the bytes of the undisturbed one")
    others(a, rng)


if __name__ == "__main__":
    main()
