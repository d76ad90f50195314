#!/usr/bin/env python3
"""Checks training on an NVIDIA GPU: `gpu_check.py truth|sanitize|speed|train|all --sngan PROGRAM [--device cuda:0] [--seconds N] [--out FOLDER]`.

truth  every committed case of crates/core/tests/fixtures: one update on the GPU in f32 against the CPU in f64; then a training that is
       killed and resumed against one that is not, byte by byte; samples and scores of it against the CPU's.
sanitize
       one update of small cases under compute-sanitizer (memcheck, racecheck, synccheck), where CUDA's toolkit has put it on the path.
speed  updates on the GPU (f32 and TF32) beside PyTorch's on the same GPU, where this Python has torch: eager, graphed, the first row compiled; then
       the CPU's on 1 to 16 threads beside PyTorch's.
train  SN at setting C, the paper's size, on CIFAR-10 in --data-dir (built-in Fashion-MNIST without it) for what is left of --seconds, scored and exported.

A line for each verdict, all numbers in FOLDER/gpu-check.json; ends with 1 if a verdict is bad. Needs nothing but Python and the program.
"""

import argparse
import array
import hashlib
import json
import os
import pathlib
import shutil
import signal
import statistics
import struct
import subprocess
import sys
import time

ROOT = pathlib.Path(__file__).resolve().parent.parent
FIXTURES = ROOT / "crates/core/tests/fixtures"
# Gradients in f32 against f64, relative to the tensor's largest, or to a hundredth of the network's largest: a bias before batch
# normalization has the gradient 0, and what is left of it is the rounding of sums of numbers of that size.
GRADIENT, FLOOR = 5e-4, 1e-2
# Losses and outputs, relative to their size (at least 1e-3).
NUMBER = 1e-3
# Cases that have every kind of operation between them, and seconds for one of them under a tool.
SANITIZED, SANITIZER_SECONDS = ["sn-per-forward", "wgan-gp", "resnet-cifar10-projection-pieces"], 60
# What the program says of a method that it has no updates for on a GPU.
REFUSED = "programs, which a GPU runs, have no"
# Scores on the GPU, relative to the CPU's.
SCORE = 1e-3
# Network, side and method of the stage speed.
ROWS = [("standard-cnn", 32, m) for m in ("sn", "wgan-gp", "batch-norm")] + [("standard-cnn", 48, "sn"), ("resnet-cifar10", 32, "sn")]
# Our time over PyTorch's, at most.
TARGET = 0.8
# Seconds for what PyTorch measures of one row.
PYTORCH_SECONDS = 180
# Less than this is no time to measure a row in.
LEAST_SECONDS = 20.0
# What the stages before it leave the training, with what follows it.
TRAINING_SECONDS = 240.0
# Seconds of the stage train for what follows the training.
AFTER_TRAINING = 60.0


def read(path):
    """The tensors of a safetensors file, as {name: (shape, values)}, and its metadata."""
    raw = path.read_bytes()
    (size,) = struct.unpack("<Q", raw[:8])
    header = json.loads(raw[8 : 8 + size])
    metadata, tensors = header.pop("__metadata__", {}), {}
    for name, entry in header.items():
        begin, end = entry["data_offsets"]
        values = array.array({"F32": "f", "F64": "d"}[entry["dtype"]])
        values.frombytes(raw[8 + size + begin : 8 + size + end])
        tensors[name] = (entry["shape"], values)
    return tensors, metadata


def write(path, tensors, metadata):
    header, data = {"__metadata__": metadata}, b""
    for name, (shape, values) in sorted(tensors.items()):
        raw = array.array("d", values).tobytes()
        header[name] = {"dtype": "F64", "shape": shape, "data_offsets": [len(data), len(data) + len(raw)]}
        data += raw
    text = json.dumps(header).encode()
    text += b" " * (-len(text) % 8)
    path.write_bytes(struct.pack("<Q", len(text)) + text + data)


def cases():
    """Name and file of every case, cut to one update of G and one of D."""
    shared, _ = read(FIXTURES / "shared.safetensors")
    for path in sorted(FIXTURES.glob("*.safetensors")) + sorted(FIXTURES.glob("authors/*.safetensors")):
        if path.stem in ("shared", "layers"):
            continue
        own, metadata = read(path)
        tensors = shared | own | {k.removeprefix("initial."): v for k, v in own.items() if k.startswith("initial.")}
        tensors = {k: v for k, v in tensors.items() if not k.startswith(("initial.", "expected.", "digest."))}
        # A step of next to nothing: where a gradient is rounding alone, Adam's step is α in an arbitrary direction, and D would see it.
        spec = json.loads(metadata["spec"]) | {"gen_updates": 1, "n_dis": 1, "lr_decay": "constant", "lr": 1e-12}
        yield path.stem, tensors, {"spec": json.dumps(spec)}


class Check:
    def __init__(self, arguments):
        self.a = arguments
        self.out = pathlib.Path(arguments.out)
        self.out.mkdir(parents=True, exist_ok=True)
        self.found, self.bad, self.began, self.without = {}, 0, time.monotonic(), set()

    def left(self):
        return self.a.seconds - (time.monotonic() - self.began)

    def say(self, good, text):
        self.bad += not good
        print(f"{'ok ' if good else 'BAD'} {text}", flush=True)

    def sngan(self, *arguments, **options):
        return subprocess.run([self.a.sngan, *map(str, arguments)], capture_output=True, text=True, **options)

    def must(self, *arguments):
        done = self.sngan(*arguments)
        if done.returncode:
            sys.exit(f"sngan {' '.join(map(str, arguments))}\n{done.stderr}")
        return done.stdout

    def truth(self):
        case, worst, refused = self.out / "case.safetensors", {}, []
        for name, tensors, metadata in cases():
            write(case, tensors, metadata)
            result = self.out / "result.safetensors"
            done = self.sngan("replay", case, "--out", result, "--device", self.a.device, "--precision", "f32")
            if done.returncode:
                if REFUSED not in done.stderr:
                    sys.exit(f"{name}: {done.stderr}")
                refused.append(name)
                continue
            gpu = read(result)[0]
            self.must("replay", case, "--out", result, "--precision", "f64")
            cpu = read(result)[0]
            error = {"gradient": 0.0, "number": 0.0}
            for network in ("generator", "discriminator"):
                keys = [k for k in cpu if k.startswith(f"adam.m.{network}")]
                largest = max(abs(x) for k in keys for x in cpu[k][1])
                for k in keys:
                    scale = max(FLOOR * largest, max(abs(x) for x in cpu[k][1]))
                    far = max(abs(a - b) for a, b in zip(gpu[k][1], cpu[k][1]))
                    error["gradient"] = max(error["gradient"], far / scale)
            for k in cpu:
                if k.startswith("update.") and "grad_norm" not in k:
                    (a,), (b,) = gpu[k][1], cpu[k][1]
                    error["number"] = max(error["number"], abs(a - b) / max(abs(b), 1e-3))
            worst[name] = error
            good = error["gradient"] < GRADIENT and error["number"] < NUMBER
            self.say(good, f"{name}: gradients within {error['gradient']:.1e}, numbers within {error['number']:.1e}")
        self.found |= {"cases": worst, "refused": refused}
        print(f"    {len(refused)} cases of methods that the CPU alone has: {', '.join(refused)}")
        self.resuming()

    def resuming(self):
        """Two trainings of the same spec, one of them interrupted; both end in the same bytes."""

        def start(folder):
            command = ["train", "table1", "--scale", "smoke", "--method", "SN", "--setting", "C", "--set", "gen_updates=400"]
            return [self.a.sngan, *command, "--device", self.a.device, "--out", str(folder), "--resume"]

        folders = [self.out / "whole", self.out / "parts"]
        subprocess.run(start(folders[0]), check=True, capture_output=True)
        running = subprocess.Popen(start(folders[1]), stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        log = folders[1] / "log.jsonl"
        while running.poll() is None and (not log.exists() or log.read_text().count("\n") < 3):
            time.sleep(0.02)
        running.send_signal(signal.SIGINT)
        interrupted = running.wait() != 0
        subprocess.run(start(folders[1]), check=True, capture_output=True)
        last = [sorted((f / "checkpoints").glob("*.safetensors"))[-1] for f in folders]
        hashes = [[hashlib.sha256(p.read_bytes()).hexdigest() for p in (file, f / "log.jsonl")] for f, file in zip(folders, last)]
        self.found["resuming"] = {"interrupted": interrupted, "sha256": hashes}
        self.say(hashes[0] == hashes[1] and interrupted, "a training that was interrupted and resumed ends in the same bytes")
        self.scoring(folders[0])

    def scoring(self, run):
        """The run's newest checkpoint, scored by the GPU and by the CPU, each in a copy of its folder: what is recorded is not taken again."""
        scores = {}
        for device in (self.a.device, "cpu"):
            copy = self.out / f"scored-{device.replace(':', '-')}"
            shutil.rmtree(copy, ignore_errors=True)
            shutil.copytree(run, copy)
            lines = self.must("score", copy, "--backbone", "scorer-fashion", "--json", "--device", device).splitlines()
            scores[device] = [json.loads(line)["value"] for line in lines]
        gpu, cpu = scores[self.a.device], scores["cpu"]
        far = max(abs(a - b) / max(abs(b), 1e-3) for a, b in zip(gpu, cpu))
        self.found["scores"] = scores | {"far": far}
        self.say(len(gpu) == len(cpu) > 0 and far < SCORE, f"scores on the GPU within {far:.1e} of the CPU's")

    def sanitize(self):
        """Our kernels' reads, writes and barriers under NVIDIA's checker; cuDNN's and cuBLAS' too, as far as it follows them."""
        tool = shutil.which("compute-sanitizer")
        self.found["sanitizer"] = {"tool": tool, "verdicts": {}}
        if tool is None:
            print("    compute-sanitizer is not on the path: nothing was checked by it (it comes with CUDA's toolkit)")
            return
        case = self.out / "case.safetensors"
        for name, tensors, metadata in cases():
            if name not in SANITIZED:
                continue
            write(case, tensors, metadata)
            for check in ("memcheck", "racecheck", "synccheck"):
                command = [tool, "--tool", check, "--error-exitcode", "9", self.a.sngan, "replay", case, "--device", self.a.device, "--precision", "f32", "--out", self.out / "result.safetensors"]
                try:
                    done = subprocess.run(list(map(str, command)), capture_output=True, text=True, timeout=SANITIZER_SECONDS)
                except subprocess.TimeoutExpired:
                    self.found["sanitizer"]["verdicts"][f"{name} {check}"] = "no answer in time"
                    print(f"    {check} of {name}: skipped after {SANITIZER_SECONDS} s")
                    continue
                last = (done.stdout.strip().splitlines() or ["no answer"])[-1].removeprefix("========= ")
                self.found["sanitizer"]["verdicts"][f"{name} {check}"] = last
                self.say(done.returncode == 0, f"{check} of {name}: {last}")

    def speed(self):
        """Each row's G + D: on the GPU in f32 and TF32, beside PyTorch on the same GPU; then the CPU's, by threads, beside PyTorch's."""
        self.found |= {"speed": [], "pytorch": []}
        for i, (network, side, method) in enumerate(ROWS):
            # A compilation takes a minute, so that one row has it.
            modes = ["--modes", "eager,graphed" if i else "eager,graphed,compiled"]
            row = ["--architecture", network, "--size", side, "--method", method, "--width-divisor", self.a.width_divisor, "--batch", self.a.batch]
            ours, theirs = {}, {}
            for math in ("f32", "tf32"):
                done = self.sngan("bench", "update", *row, "--repeat", self.a.repeat, "--device", self.a.device, "--json", *(["--tf32"] if math == "tf32" else []))
                if done.returncode:
                    self.say(False, f"{network} {side} {method} {math}: {done.stderr.strip()}")
                    continue
                ours[math] = json.loads(done.stdout)
                self.found["speed"].append(ours[math] | {"math": math})
                theirs[math] = self.pytorch("bench_pytorch_gpu.py", *row, *modes, "--math", math, "--repeat", self.a.repeat)
            self.compare(f"{network} {side}x{side} {method}", network, ours, theirs)
        for threads in [t for t in (1, 2, 4, 8, 16) if t <= (os.cpu_count() or 1)]:
            row = ["--size", 32, "--method", "sn", "--width-divisor", self.a.width_divisor, "--batch", self.a.batch, "--threads", threads, "--repeat", 3, "--json"]
            ours = json.loads(self.must("bench", "update", *row))
            self.found["speed"].append(ours | {"math": "cpu"})
            theirs = self.pytorch("bench_pytorch.py", *row)
            beside = f", PyTorch {milliseconds(theirs):.1f} ms" if theirs else ""
            print(f"    CPU, {threads} threads, standard-cnn 32x32 sn, G + D: {milliseconds(ours):.1f} ms{beside}", flush=True)

    def pytorch(self, script, *arguments):
        """What a script beside this one measures; `None`, said once, where this Python has no torch or it finds no GPU."""
        if script in self.without:
            return None
        # In a check of all stages the training has its share.
        seconds = self.left() - (TRAINING_SECONDS if self.a.stage == "all" else 0.0)
        if seconds < LEAST_SECONDS:
            self.without.add(script)
            print(f"    PyTorch: no time is left for {script}", flush=True)
            return None
        try:
            done = subprocess.run([sys.executable, str(ROOT / "tools" / script), *map(str, arguments)], capture_output=True, text=True, timeout=min(seconds, PYTORCH_SECONDS))
        except subprocess.TimeoutExpired:
            print(f"    PyTorch: {script} gave no answer in {min(seconds, PYTORCH_SECONDS):.0f} s", flush=True)
            return None
        if done.returncode:
            self.without.add(script)
            print(f"    PyTorch: {(done.stderr.strip().splitlines() or ['no answer'])[-1]}: not measured by {script}", flush=True)
            return None
        result = json.loads(done.stdout.splitlines()[-1])
        self.found["pytorch"].append(result)
        return result

    def compare(self, name, network, ours, theirs):
        """A row's times, and whether they are within the targets: 0.8 of PyTorch's graph for the standard CNN, of its eager mode for a ResNet."""
        for math, result in ours.items():
            ms, mib, other = milliseconds(result), result["device_mib"], theirs.get(math)
            text = f"{name} {math}, G + D: {ms:.2f} ms, {sum(result['launches'])} launches in 2 graphs, {mib:.0f} MiB"
            if other is None:
                self.say(True, text)
                continue
            beside = ", ".join(f"{mode} {theirs_ms:.2f} ms" for mode, theirs_ms in other["ms"].items())
            against = other["ms"].get("graphed" if network == "standard-cnn" else "eager")
            good = against is None or ms <= TARGET * against
            if other["peak_mib"]:
                least = min(other["peak_mib"].values())
                good, beside = good and mib <= least, beside + f", {least:.0f} MiB"
            ratio = "" if against is None else f" ({ms / against:.2f}; at most {TARGET})"
            self.say(good, f"{text}; PyTorch {beside}{ratio}")
            for mode, why in other["failed"].items():
                print(f"    PyTorch {mode}: {why}")

    def train(self):
        run = self.out / "run"
        command = ["train", "table1", "--scale", self.a.scale, "--method", "SN", "--setting", "C", "--seed", 0]
        command += ["--device", self.a.device, "--out", run, "--resume"]
        command += ["--data-dir", self.a.data_dir] if self.a.data_dir else ["--set", "dataset=fashion-mnist"]
        if self.a.tf32:
            command += ["--tf32"]
        # Stopping, scoring and exporting need some of the time.
        seconds = max(10.0, self.left() - AFTER_TRAINING)
        running = subprocess.Popen([self.a.sngan, *map(str, command)], stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True)
        try:
            said = running.communicate(timeout=seconds)[1]
        except subprocess.TimeoutExpired:
            running.send_signal(signal.SIGINT)
            said = running.communicate()[1]
        timing = [json.loads(line) for line in (run / "timing.jsonl").read_text().splitlines()] if (run / "timing.jsonl").exists() else []
        steps = [(b["seconds"] - a["seconds"]) / (b["gen_update"] - a["gen_update"]) for a, b in zip(timing, timing[1:]) if b["seconds"] > a["seconds"]]
        if not steps:
            self.say(False, f"no training: {said.strip()}")
            return
        each = statistics.median(steps)
        self.found["train"] = {"updates": timing[-1]["gen_update"], "seconds_an_update": each, "provenance": json.loads((run / "provenance.json").read_text())}
        self.say(True, f"{timing[-1]['gen_update']} updates, {1e3 * each:.2f} ms each: 100,000 in {1e5 * each / 60:.1f} minutes")
        scorer = "scorer-cifar10" if self.a.data_dir else "scorer-fashion"
        data = ["--data-dir", self.a.data_dir] if self.a.data_dir else []
        done = self.sngan("score", run, "--backbone", scorer, "--json", "--device", self.a.device, *data)
        scores = [json.loads(line) for line in done.stdout.splitlines()]
        self.found["train"]["scores"] = scores
        words = ", ".join(f"{s['metric']}[{scorer}] {s['value']:.2f} after {s['gen_updates']} updates" for s in scores)
        self.say(done.returncode == 0 and bool(scores), words or done.stderr.strip())
        done = self.sngan("export", run, "--out", self.out / "run.safetensors")
        self.say(done.returncode == 0, "exported" if done.returncode == 0 else done.stderr.strip())


def milliseconds(result):
    """Of an update of G and one of D."""
    return 1e3 * (result["d_update"]["median_s"] + result["g_update"]["median_s"])


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("stage", choices=["truth", "sanitize", "speed", "train", "all"])
    parser.add_argument("--sngan", required=True)
    parser.add_argument("--device", default="cuda:0")
    parser.add_argument("--seconds", type=float, help="time for all that is asked for: PyTorch is measured while there is some, the training takes the rest [default: 300 for one stage, 780 for all]")
    parser.add_argument("--scale", default="paper", help="size of the stage train")
    parser.add_argument("--width-divisor", type=int, default=1, help="of the stage speed; more than 1 only shows that it runs")
    parser.add_argument("--batch", type=int, default=64, help="the same")
    parser.add_argument("--repeat", type=int, default=50, help="updates of each kind in the stage speed")
    parser.add_argument("--data-dir")
    parser.add_argument("--tf32", action="store_true", help="train in TF32")
    parser.add_argument("--out", default="runs/gpu-check")
    arguments = parser.parse_args()
    arguments.sngan = str(pathlib.Path(arguments.sngan).resolve())
    arguments.seconds = arguments.seconds or (780.0 if arguments.stage == "all" else 300.0)
    check = Check(arguments)
    devices = json.loads(check.must("devices", "--json"))
    check.found["devices"] = devices
    if not devices["gpus"]:
        sys.exit("no GPU: `sngan devices` says what is missing")
    print(f"    {devices['gpus'][0]['name']}, " + ", ".join(f"{l['name']} {l['version']}" for l in devices["libraries"]))
    for stage in ["truth", "sanitize", "speed", "train"] if arguments.stage == "all" else [arguments.stage]:
        getattr(check, stage)()
    (check.out / "gpu-check.json").write_text(json.dumps(check.found, indent=1))
    sys.exit(check.bad > 0)


if __name__ == "__main__":
    main()
