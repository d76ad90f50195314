"""The package against the JSON lines that the program wrote.

    SNGAN_BINARY=target/release/sngan PYTHONPATH=python python -m unittest discover -s python/tests

Tests that need the program, or pandas with pyarrow, are skipped with the reason where it is missing.
"""

import json
import os
import pathlib
import stat
import sys
import tempfile
import tomllib
import unittest
from unittest import mock

import sngan

ROOT = pathlib.Path(__file__).resolve().parents[2]
try:
    sngan.binary()
    NO_PROGRAM = None
except sngan.Error as e:
    NO_PROGRAM = str(e)
try:
    import pandas
    import pyarrow  # noqa: F401

    NO_PANDAS = None
except ImportError as e:
    NO_PANDAS = str(e)


def lines(path):
    return [json.loads(line) for line in path.read_text().splitlines()] if path.exists() else []


def fake(folder, text):
    """A program that is a shell script."""
    path = pathlib.Path(folder, "sngan")
    path.write_text(f"#!/bin/sh\n{text}\n")
    path.chmod(path.stat().st_mode | stat.S_IXUSR)
    return path


class Program(unittest.TestCase):
    def setUp(self):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.folder = folder.name

    def using(self, text):
        return mock.patch.dict(os.environ, {"SNGAN_BINARY": str(fake(self.folder, text))})

    def test_the_program_is_looked_for_in_the_variable_the_scripts_and_the_path(self):
        path = fake(self.folder, "")
        with mock.patch.dict(os.environ, {"SNGAN_BINARY": str(path)}):
            self.assertEqual(sngan.binary(), path.resolve())
        for wrong in (self.folder, "/nowhere/sngan"):
            with mock.patch.dict(os.environ, {"SNGAN_BINARY": wrong}), self.assertRaisesRegex(sngan.Error, "is no program"):
                sngan.binary()
        other = {"SNGAN_BINARY": "", "PATH": self.folder}
        with mock.patch.dict(os.environ, other), mock.patch("sysconfig.get_path", return_value="/nowhere"):
            self.assertEqual(sngan.binary(), path)
        with mock.patch.dict(os.environ, other | {"PATH": ""}), mock.patch("sysconfig.get_path", return_value=self.folder):
            self.assertEqual(sngan.binary(), path)
        with mock.patch.dict(os.environ, other | {"PATH": ""}), mock.patch("sysconfig.get_path", return_value="/nowhere"):
            self.assertRaisesRegex(sngan.Error, "neither in /nowhere .* nor on PATH", sngan.binary)

    def test_a_failure_is_raised_with_the_programs_error(self):
        with self.using("echo out; echo warning: first >&2; echo error: the reason >&2; exit 1"):
            with self.assertRaisesRegex(sngan.Error, "^sngan score x: the reason$") as raised:
                sngan.run("score", "x")
        self.assertEqual((raised.exception.returncode, raised.exception.stderr.count("\n")), (1, 2))
        with self.using("exit 130"), self.assertRaisesRegex(sngan.Error, "130"):
            sngan.run("sweep")
        with self.using("echo first >&2; echo interrupted >&2; exit 130"), self.assertRaisesRegex(sngan.Error, "^sngan sweep: interrupted$"):
            sngan.run("sweep")
        # An error of several lines, and one of arguments, as clap writes it.
        with self.using(r"printf 'error: a.toml: wrong\n  |\n1 | x\n' >&2; exit 1"), self.assertRaises(sngan.Error) as raised:
            sngan.run("plan")
        self.assertEqual(str(raised.exception), "sngan plan: a.toml: wrong\n  |\n1 | x")
        clap = r"error: no --wrong\n\n  tip: --right\n\nUsage: sngan fid\n\nFor more information, try '\''--help'\''.\n"
        with self.using(f"printf '{clap}' >&2; exit 2"), self.assertRaises(sngan.Error) as raised:
            sngan.run("fid")
        self.assertEqual(str(raised.exception), "sngan fid: no --wrong\n  tip: --right")
        self.assertIn("For more information", raised.exception.stderr)
        with self.using("echo diverged; exit 3"):
            self.assertEqual((sngan.run("train").returncode, sngan.run("train").stdout), (3, "diverged\n"))

    def test_options_of_fid_become_flags(self):
        with self.using("""echo "$@" >&2; printf '{"fid": 1.5, "few_samples": false}\\n'; echo "$@" > "$(dirname "$0")/said" """):
            value = sngan.fid("a", pathlib.Path("b"), backbone="scorer-fashion", half_pixel=True, layout=None, range="-1..1")
        self.assertEqual(value, 1.5)
        said = pathlib.Path(self.folder, "said").read_text().strip()
        self.assertEqual(said, "fid a b --json --backbone=scorer-fashion --half-pixel --range=-1..1")

    @unittest.skipIf(NO_PROGRAM, NO_PROGRAM)
    def test_the_program_answers(self):
        self.assertRegex(sngan.run("--version").stdout, r"^sngan\S* \d+\.\d+\.\d+")
        with self.assertRaisesRegex(sngan.Error, "unknown experiment|nowhere") as raised:
            sngan.run("plan", "nowhere")
        self.assertEqual(raised.exception.returncode, 1)
        for option, reason in (("bckbone", "unexpected argument '--bckbone'"), ("pictures", "invalid value 'x' for '--pictures")):
            with self.assertRaises(sngan.Error) as raised:
                sngan.fid("a", "b", **{option: "x"})
            self.assertIn(reason, str(raised.exception))
            self.assertNotRegex(str(raised.exception), "For more information|Usage")

    @unittest.skipIf(NO_PROGRAM, NO_PROGRAM)
    def test_fid_of_the_program(self):
        if "\n  fid " not in sngan.run("--help").stdout:
            self.skipTest("this program has no `fid`")
        images = "fashion-mnist:test"
        self.assertLess(sngan.fid(images, images, backbone="scorer-fashion", side=16), 1e-6)


@unittest.skipIf(NO_PANDAS, NO_PANDAS)
class WithoutProgram(unittest.TestCase):
    def test_committed_records_have_a_row_for_each_run_and_score(self):
        for sweep in ("table1-quick", "table1-narrow"):
            folder = ROOT / "results" / sweep
            table, scores = sngan.runs(folder), sngan.scores(folder)
            raw = pandas.read_parquet(folder / "scores.parquet")
            self.assertEqual(list(table["run"]), list(pandas.read_parquet(folder / "runs.parquet")["run"]))
            self.assertEqual(list(scores["value"]), list(raw["value"]))
            # The newest score of a protocol is the one of most updates.
            of_runs = raw[raw["of"] == "run"].sort_values("gen_updates", kind="stable").groupby(["run", "protocol", "backbone"]).last()
            for (run, protocol, backbone), row in of_runs.iterrows():
                self.assertEqual(table.set_index("run").loc[run, f"{protocol}[{backbone}]"], row["value"])
            spec = json.loads(pandas.read_parquet(folder / "runs.parquet")["spec"][0])
            self.assertEqual({key: table[key][0] for key in ("lr", "batch", "width_divisor")}, {key: spec[key] for key in ("lr", "batch", "width_divisor")})
            self.assertEqual(table["planned_gen_updates"][0], spec["gen_updates"])

    def test_scores_against_several_sets_of_as_many_images_stay_apart(self):
        def score(protocol, value, name, sha256):
            reference = {"name": name, "n": 800, "sha256": sha256}
            protocol = {"name": protocol, "backbone": "b", "backbone_sha256": "00", "n_samples": 9, "n_splits": 1, "reference": reference}
            protocol |= {"resize": "none", "bytes": "given", "stamps": []}
            return {"version": 2, "gen_updates": 7, "metric": "fid", "value": value, "std": None, "protocol": protocol}

        sets = [("fid_9_images800", 1.0, "other", "5e82187b6e"), ("fid_9_images800", 2.0, "other2", "1a2b3c4d5e")]
        sets += [("fid_9_stats", 3.0, "kept", "00112233445"), ("fid_9_ref800", 4.0, "own", "99887766554")]
        with tempfile.TemporaryDirectory() as folder:
            run = pathlib.Path(folder)
            (run / "spec.toml").write_text('label = "SN"\n')
            (run / "status.json").write_text('{"status": "completed", "gen_updates": 7, "reason": null}')
            (run / "scores.jsonl").write_text("".join(json.dumps(score(*one)) + "\n" for one in sets))
            row = sngan.runs(run).iloc[0]
        expected = {
            "fid_9_images800[b] against other 5e82187b": 1.0,
            "fid_9_images800[b] against other2 1a2b3c4d": 2.0,
            "fid_9_stats[b] against kept 00112233": 3.0,
            "fid_9_ref800[b]": 4.0,
        }
        self.assertEqual({name: row[name] for name in row.index if name.startswith("fid_")}, expected)

    def test_a_folder_of_collections_is_read_whole(self):
        sweeps = {path.parent.name for path in (ROOT / "results").glob("*/collection.json")}
        self.assertEqual(set(sngan.runs(ROOT / "results")["sweep"]), sweeps)
        two = sngan.runs(ROOT / "results/table1-quick", ROOT / "results/demo-quick")
        self.assertEqual(set(two["sweep"]), {"table1-quick", "demo-quick"})

    def test_what_is_no_record_is_an_error(self):
        with tempfile.TemporaryDirectory() as folder:
            self.assertRaisesRegex(sngan.Error, "holds neither", sngan.runs, folder)
            self.assertRaisesRegex(sngan.Error, "is no folder", sngan.log, folder + "/none")
        self.assertRaisesRegex(sngan.Error, "give the folder", sngan.scores)


@unittest.skipIf(NO_PANDAS, NO_PANDAS)
@unittest.skipIf(NO_PROGRAM, NO_PROGRAM)
class Records(unittest.TestCase):
    """A sweep of three methods at scale smoke, as folders and collected."""

    @classmethod
    def setUpClass(cls):
        cls.temporary = tempfile.TemporaryDirectory()
        cls.addClassCleanup(cls.temporary.cleanup)
        cls.folder = pathlib.Path(cls.temporary.name)
        cls.sweep = cls.folder / "small"
        chosen = [part for name in ("SN", "BN", "WGAN-GP") for part in ("--method", name)]
        sngan.run("sweep", "table1", "--scale", "smoke", *chosen, "--setting", "C", "--out", cls.sweep, cwd=cls.folder)
        sngan.run("collect", cls.sweep, "--out", cls.folder / "collected", cwd=cls.folder)
        cls.collected = cls.folder / "collected/small"
        cls.runs = sorted((cls.sweep / "runs").iterdir())

    def test_runs_hold_spec_status_and_newest_scores(self):
        table = sngan.runs(self.sweep).set_index("run")
        self.assertEqual(sorted(table.index), [path.name for path in self.runs])
        for path in self.runs:
            row, spec = table.loc[path.name], tomllib.loads((path / "spec.toml").read_text())
            spec["planned_gen_updates"] = spec.pop("gen_updates")
            for key, value in spec.items():
                self.assertEqual(row[key], value, key)
            status = json.loads((path / "status.json").read_text())
            self.assertEqual((row["status"], row["gen_updates"]), (status["status"], status["gen_updates"]))
            self.assertEqual(row["images"], json.loads((path / "provenance.json").read_text())["dataset"])
            newest = {}
            for score in lines(path / "scores.jsonl"):
                newest[f"{score['protocol']['name']}[{score['protocol']['backbone']}]"] = score
            self.assertEqual(len(newest), 2)
            for name, score in newest.items():
                self.assertEqual(row[name], score["value"])
                if score["std"] is not None:
                    self.assertEqual(row[f"{name} std"], score["std"])

    def test_scores_are_the_lines_of_the_sweep_and_of_its_runs(self):
        files = [self.sweep / "ceiling.jsonl", self.sweep / "untrained.jsonl"] + [path / "scores.jsonl" for path in self.runs]
        expected = sorted((s["metric"], s["value"], s["protocol"]["backbone_sha256"]) for path in files for s in lines(path))
        table = sngan.scores(self.sweep)
        self.assertEqual(sorted(zip(table["metric"], table["value"], table["backbone_sha256"])), expected)
        self.assertEqual(table["of"].value_counts().to_dict(), {"run": 6, "real": 2, "untrained": 2})

    def test_the_log_is_the_lines_of_the_log_and_of_the_timing(self):
        table = sngan.log(self.sweep)
        for path in self.runs:
            of_run = table[table["run"] == path.name]
            expected = {}
            for record in lines(path / "log.jsonl"):
                for key, value in record.items():
                    values = value.items() if isinstance(value, dict) else [(None, value)]
                    if key not in ("version", "gen_update"):
                        expected |= {(record["gen_update"], key, layer): v for layer, v in values}
            expected |= {(r["gen_update"], "seconds", None): r["seconds"] for r in lines(path / "timing.jsonl")}
            layers = [layer if isinstance(layer, str) else None for layer in of_run["layer"]]
            values = [None if value != value else value for value in of_run["value"]]
            self.assertEqual(dict(zip(zip(of_run["gen_update"], of_run["quantity"], layers), values)), expected)
            self.assertEqual(len(of_run), len(expected))

    def test_folders_and_collections_give_the_same_tables(self):
        for read, by in (sngan.runs, ["run"]), (sngan.scores, ["of", "run", "metric"]), (sngan.log, ["run", "gen_update", "quantity", "layer"]):
            tables = [read(path).sort_values(by, ignore_index=True) for path in (self.sweep, self.collected)]
            tables = [table.reindex(sorted(table), axis=1) for table in tables]
            pandas.testing.assert_frame_equal(*tables, check_dtype=False, check_exact=True, obj=read.__name__)

    def test_a_run_alone_a_folder_of_sweeps_and_a_line_that_was_cut(self):
        one = sngan.runs(self.runs[0])
        self.assertEqual(list(one["run"]), [self.runs[0].name])
        self.assertEqual(len(sngan.runs(self.folder)), len(self.runs))
        copy = self.folder / "copy" / "cut"
        copy.mkdir(parents=True)
        for name in ("spec.toml", "status.json", "scores.jsonl"):
            (copy / name).write_bytes((self.runs[0] / name).read_bytes())
        (copy / "scores.jsonl").write_text((copy / "scores.jsonl").read_text()[:-10])
        self.assertEqual(len(sngan.scores(copy)), 1)
        (copy / "scores.jsonl").write_text('{"version":1}\n')
        self.assertRaisesRegex(sngan.Error, "sngan collect", sngan.scores, copy)


if __name__ == "__main__":
    sys.exit(unittest.main())
