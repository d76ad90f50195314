"""Reads a run's event files with TensorBoard's own reader and compares them with its records: check_tensorboard.py --sngan BINARY --out DIR

Trains with --tensorboard, goes on from a checkpoint, scores, and converts the same run afterwards; needs `tensorboard` from PyPI.
"""

import argparse
import json
import pathlib
import struct
import subprocess
import sys

from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

# A tag of the log's quantities, and of those that each layer has.
QUANTITIES = {
    "loss/D": "loss_d", "loss/G": "loss_g", "loss/regularizer": "loss_reg", "output/D(x)": "d_real", "output/D(G(z))": "d_fake",
    "gradient norm/D": "grad_norm_d", "gradient norm/G": "grad_norm_g",
}
LAYERS = {"sigma": "sigma_forward", "sigma Figure 9": "sigma_fig9", "stable rank": "stable_rank", "effective rank": "effective_rank"}


def f32(x):
    return struct.unpack("<f", struct.pack("<f", x))[0]


def lines(path):
    return [json.loads(line) for line in path.read_text().splitlines()]


def check(folder, run):
    """Whether `folder` shows exactly the records of `run`; returns the number of values."""
    events = EventAccumulator(str(folder), size_guidance={"scalars": 0, "images": 0, "tensors": 0})
    events.Reload()
    expected = {}
    for record in lines(run / "log.jsonl"):
        for tag, key in QUANTITIES.items():
            expected.setdefault(tag, []).append((record["gen_update"], f32(record[key])))
        for tag, key in LAYERS.items():
            for layer, value in record[key].items():
                expected.setdefault(f"{tag}/{layer}", []).append((record["gen_update"], f32(value)))
    for record in lines(run / "scores.jsonl") if (run / "scores.jsonl").exists() else []:
        tag = f"score/{record['protocol']['name']}[{record['protocol']['backbone']}]"
        expected.setdefault(tag, []).append((record["gen_updates"], f32(record["value"])))
        if record["std"] is not None:
            expected.setdefault(f"{tag} std", []).append((record["gen_updates"], f32(record["std"])))
    shown = {tag: [(e.step, e.value) for e in events.Scalars(tag)] for tag in events.Tags()["scalars"]}
    if shown != expected:
        differing = sorted(tag for tag in shown.keys() | expected.keys() if shown.get(tag) != expected.get(tag))
        sys.exit(f"{folder}: TensorBoard shows other values than the records hold: {differing}")
    grids = sorted(int(path.stem) for path in (run / "samples").glob("*.png"))
    pictures = [e.step for e in events.Images("samples")]
    if pictures != grids:
        sys.exit(f"{folder}: TensorBoard shows samples of {pictures}, the run has {grids}")
    times = [e.wall_time for e in events.Scalars("loss/D")]
    if times != sorted(times):
        sys.exit(f"{folder}: times go back: {times}")
    return sum(map(len, shown.values()))


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--sngan", required=True)
    parser.add_argument("--out", required=True, type=pathlib.Path)
    a = parser.parse_args()
    run = a.out / "run"

    def sngan(*arguments):
        subprocess.run([a.sngan, *map(str, arguments)], check=True, stdout=subprocess.DEVNULL)

    sngan("train", "table1", "--method", "SN", "--setting", "C", "--set", "gen_updates=40", "--sample-every", 20, "--eval-every", 20, "--log-every", 5,
          "--out", run, "--tensorboard")
    first = check(run, run)
    sngan("train", run, "--set", "gen_updates=60", "--resume", "--tensorboard")
    second = check(run, run)
    sngan("score", run)
    sngan("tensorboard", run, "--out", a.out / "converted")
    third = check(a.out / "converted" / "run", run)
    assert first < second < third, (first, second, third)
    print(f"TensorBoard shows what the records hold: {first} values after a training, {second} after its resumption, {third} converted with scores")


if __name__ == "__main__":
    main()
