#!/usr/bin/env python3
"""Check tools/sweep.sbatch without Slurm: its variables are set, and `sngan` and `scontrol` are scripts that write down how they were called."""
import os
import pathlib
import signal
import subprocess
import tempfile
import time
import unittest

SCRIPT = pathlib.Path(__file__).resolve().parent / "sweep.sbatch"
# Says that it has begun; on TERM it ends as an interrupted sweep does, after as long as the test says; a second TERM ends it at once.
SNGAN = """#!/bin/bash
terms=0
trap 'terms=$((terms + 1)); echo $terms > terms; [ $terms = 1 ] || exit 143' TERM
echo "$@" > sngan
if [ -n "$CODE" ]; then exit "$CODE"; fi
for i in {1..200}; do
    sleep 0.05
    if [ $terms -gt 0 ]; then
        for ((j = 0; j < LEAVE; j++)); do sleep 0.1; done
        exit 130
    fi
done
"""
SCONTROL = """#!/bin/bash
echo "$@" >> scontrol
"""


class Sbatch(unittest.TestCase):
    def setUp(self):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.folder = pathlib.Path(folder.name)
        (self.folder / "bin").mkdir()
        for name, text in ("sngan", SNGAN), ("scontrol", SCONTROL):
            path = self.folder / "bin" / name
            path.write_text(text)
            path.chmod(0o755)

    def start(self, *arguments, task="3", code="", leave="0", **variables):
        environment = {k: v for k, v in os.environ.items() if not k.startswith(("SLURM_", "SNGAN"))}
        environment |= {"PATH": f"{self.folder / 'bin'}:{os.environ['PATH']}", "CODE": code, "LEAVE": leave, "SLURM_ARRAY_JOB_ID": "7"}
        environment |= ({"SLURM_ARRAY_TASK_ID": task} if task else {}) | variables
        return subprocess.Popen(["bash", SCRIPT, *arguments], cwd=self.folder, env=environment, stderr=subprocess.PIPE, text=True, start_new_session=True)

    def called(self, name):
        path = self.folder / name
        return path.read_text().strip() if path.exists() else None

    def end(self, process):
        errors = process.communicate(timeout=20)[1]
        return process.returncode, errors

    def signal(self, process, number, send=subprocess.Popen.send_signal):
        deadline = time.monotonic() + 10
        while not self.called("sngan"):
            self.assertLess(time.monotonic(), deadline, "the sweep did not begin")
            time.sleep(0.01)
        send(process, number)
        return self.end(process)[0]

    def test_a_task_takes_its_part_of_the_number_that_is_given(self):
        # As Slurm sets them in an array of one task, sent again: --array=3.
        alone = {"SLURM_ARRAY_TASK_COUNT": "1", "SLURM_ARRAY_TASK_MIN": "3", "SLURM_ARRAY_TASK_MAX": "3", "SLURM_CPUS_PER_TASK": "2"}
        code, _ = self.end(self.start("--shards", "4", "table1", "--out", "a b", code="0", **alone))
        self.assertEqual((code, self.called("sngan")), (0, "sweep table1 --out a b --shard 3/4 --threads 2"))

    def test_a_wrong_number_of_parts_starts_nothing(self):
        cases = [(["table1"], "3"), ([], "3"), (["--shards"], "3"), (["--shards", "x", "table1"], "3"), (["--shards", "0", "table1"], "0"),
                 (["--shards", "2", "table1"], "3"), (["--shards", "4", "table1"], "0"), (["--shards", "4", "table1"], None)]
        for arguments, task in cases:
            with self.subTest(arguments=arguments, task=task):
                code, said = self.end(self.start(*arguments, task=task))
                self.assertEqual((code, self.called("sngan")), (2, None))
                self.assertIn("--shards N", said)

    def test_at_the_time_limit_the_task_asks_to_be_queued_again(self):
        for leave in ("0", "3"):
            with self.subTest(leave=leave):
                process = self.start("--shards", "4", "table1", leave=leave)
                self.assertEqual((self.signal(process, signal.SIGUSR1), self.called("scontrol")), (130, "requeue 7_3"))
                [(self.folder / name).unlink() for name in ("sngan", "scontrol")]

    def test_a_cancelled_task_does_not_come_back(self):
        process = self.start("--shards", "4", "table1", leave="3")
        # As scancel does: all processes of the task get it, and none twice.
        everywhere = lambda process, number: os.killpg(process.pid, number)
        self.assertEqual((self.signal(process, signal.SIGTERM, everywhere), self.called("scontrol")), (130, None))
        self.assertEqual(self.called("terms"), "1")

    def test_a_sweep_that_ends_by_itself_gives_its_exit_code(self):
        for code in "0", "1", "130":
            with self.subTest(code=code):
                self.assertEqual((self.end(self.start("--shards", "4", "table1", code=code))[0], self.called("scontrol")), (int(code), None))


if __name__ == "__main__":
    unittest.main()
