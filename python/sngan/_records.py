"""The records of runs as pandas' tables: of run folders, of sweeps, and of the Parquet files that `sngan collect` writes.

Both forms give the same tables. Folders are read as they stand, also while a run trains, and are not compared with their checksums: `sngan verify`
does that. docs/records.md and docs/run-directory.md say what the values mean.
"""

import json
import pathlib
import tomllib

from ._program import Error

SCORE_VERSION = 2
# Keys of a line of the log that hold a value for each layer of D.
LAYERS = ("sigma_forward", "sigma_fig9", "effective_rank", "stable_rank")
NOT_LOGGED = ("sweep", "run", "gen_update", "layer", "version")
OF_PROTOCOL = ("backbone", "backbone_sha256", "n_samples", "n_splits")
COUNTS = ("gen_updates", "planned_gen_updates", "n_samples", "n_splits", "n_reference")


def runs(*paths):
    """A row for each run in `paths`: run folders, sweeps, collections, or folders that hold such.

    Columns: `sweep`, `run` (their folders' names), `status`, `gen_updates` (done), `reason` (of a divergence or failure), `images` (what was trained
    on), the keys of the run's spec (`gen_updates` of the spec is `planned_gen_updates`), and for each protocol and backbone the newest score, such as
    `fid_2k_ref2k[scorer-fashion]`, with its standard deviation in `is_2k_split5[scorer-fashion] std`. A score against others than the run's own
    images says which: `fid_2k_images800[scorer-fashion] against other 1a2b3c4d`, with the first digits of their SHA-256.
    """
    rows = [{**row, **_newest(scored)} for source in _sources(paths) for row, scored in source.runs()]
    first = ["sweep", "run", "label", "method", "setting", "seed", "status", "gen_updates", "planned_gen_updates", "reason", "images"]
    return _frame(rows, first)


def scores(*paths):
    """A row for each score in `paths`, with the columns of `scores.parquet` (docs/records.md).

    `of` is `run`, `real` (the real data's own score) or `untrained` (a generator before its first update); `run` is null for the last two.
    """
    rows = [row for source in _sources(paths) for row in source.scores()]
    first = ["sweep", "run", "of", "gen_updates", "metric", "value", "std", "protocol", *OF_PROTOCOL]
    return _frame(rows, [*first, "reference", "n_reference", "reference_sha256", "resize", "bytes", "stamps"])


def log(*paths):
    """A row for each value that runs in `paths` logged: `sweep`, `run`, `gen_update`, `quantity`, `layer` (null for what is of no layer), `value`.

    Quantities are the keys of `log.jsonl`, such as `loss_d` and `sigma_forward`, and `seconds` since the process began or resumed the run. Values
    that were not finite are null.
    """
    tables = [table for source in _sources(paths) for table in source.logs()]
    columns = ["sweep", "run", "gen_update", "quantity", "layer", "value"]
    pd = _pandas()
    whole = pd.concat(tables, ignore_index=True) if tables else pd.DataFrame(columns=columns)
    return whole[columns]


def _pandas():
    try:
        import pandas
    except ImportError:
        raise Error("records are read into pandas' tables: pip install 'sngan[records]'") from None
    return pandas


def _frame(rows, first):
    frame = _pandas().DataFrame(rows)
    for name in [name for name in first if name not in frame]:
        frame[name] = None
    for name in [name for name in COUNTS if name in frame]:
        frame[name] = frame[name].astype("Int64")
    return frame[first + [name for name in frame if name not in first]]


def _newest(scored):
    """The newest score of each protocol and backbone: of most updates, and of these the last that was made."""
    columns = {}
    for score in sorted(scored, key=lambda score: score["gen_updates"]):
        name = _protocol_name(score)
        columns[name] = score["value"]
        if score["std"] is not None:
            columns[f"{name} std"] = score["std"]
    return columns


def _protocol_name(score):
    """`NAME[BACKBONE]`, and where it compares with others than the run's own images, with which: its name says only how many they are."""
    protocol, name = score["protocol"], f"{score['protocol']}[{score['backbone']}]"
    if score["reference"] is None or not ("_images" in protocol or "_stats" in protocol):
        return name
    return f"{name} against {score['reference']} {score['reference_sha256'][:8]}"


def _row_of(spec, status, images):
    """The columns of a run: its spec and what became of it."""
    spec = {("planned_gen_updates" if key == "gen_updates" else key): value for key, value in spec.items() if key != "id_names"}
    return {**spec, "status": status["status"], "gen_updates": status["gen_updates"], "reason": status["reason"], "images": images}


def _sources(paths):
    if not paths:
        raise Error("give the folder of a run, of a sweep or of records")
    return [source for path in paths for source in _found(pathlib.Path(path))]


def _found(path):
    source = _source(path)
    if source is not None:
        return [source]
    if not path.is_dir():
        raise Error(f"{path} is no folder")
    found = [source for child in sorted(path.iterdir()) if child.is_dir() and (source := _source(child)) is not None]
    if not found:
        raise Error(f"{path} holds neither a run nor a sweep nor a collection of records, nor do the folders in it")
    return found


def _source(path):
    if (path / "collection.json").exists():
        return Collection(path)
    if (path / "spec.toml").exists():
        # As a collection names it.
        name = path.resolve().name
        return Folders(name, [path], None)
    if (path / "plan.json").exists() and (path / "runs").is_dir():
        planned = json.loads((path / "plan.json").read_text())["runs"]
        return Folders(path.resolve().name, [path / "runs" / name for name in planned], path)
    return None


class Folders:
    """Run folders, and the sweep's own if they are of one. A run that was planned and has not begun is left out."""

    def __init__(self, name, folders, sweep):
        self.name, self.sweep = name, sweep
        self.folders = [folder for folder in folders if (folder / "spec.toml").exists() and (folder / "status.json").exists()]

    def runs(self):
        for folder in self.folders:
            spec = tomllib.loads((folder / "spec.toml").read_text())
            status = json.loads((folder / "status.json").read_text())
            provenance = folder / "provenance.json"
            images = json.loads(provenance.read_text()).get("dataset") if provenance.exists() else None
            row = {"sweep": self.name, "run": folder.resolve().name, **_row_of(spec, status, images)}
            yield row, self.of(folder / "scores.jsonl", "run", row["run"])

    def scores(self):
        rows = []
        if self.sweep is not None:
            rows += self.of(self.sweep / "ceiling.jsonl", "real", None) + self.of(self.sweep / "untrained.jsonl", "untrained", None)
        for folder in self.folders:
            rows += self.of(folder / "scores.jsonl", "run", folder.resolve().name)
        return rows

    def of(self, path, kind, run):
        return [{"sweep": self.name, "run": run, "of": kind, **_flat(record, path)} for record in _lines(path)]

    def logs(self):
        for folder in self.folders:
            run, rows = folder.resolve().name, []
            for record in _lines(folder / "log.jsonl"):
                update = record["gen_update"]
                for quantity, value in record.items():
                    if quantity in LAYERS:
                        rows += [(update, quantity, layer, of_layer) for layer, of_layer in value.items()]
                    elif quantity not in NOT_LOGGED:
                        rows.append((update, quantity, None, value))
            rows += [(record["gen_update"], "seconds", None, record["seconds"]) for record in _lines(folder / "timing.jsonl")]
            if rows:
                yield _long(rows, self.name, run)


def _long(rows, sweep, run):
    table = _pandas().DataFrame(rows, columns=["gen_update", "quantity", "layer", "value"])
    return table.assign(value=table["value"].astype("float64"), sweep=sweep, run=run)


def _lines(path):
    """The records of a file; a last line that a kill cut short is none."""
    if not path.exists():
        return []
    whole = path.read_text().rpartition("\n")[0]
    return [json.loads(line) for line in whole.splitlines() if line.strip()]


def _flat(record, path):
    if record["version"] != SCORE_VERSION:
        raise Error(f"{path} was written by an older version: `sngan collect` brings records up to date")
    protocol, reference = record["protocol"], record["protocol"]["reference"] or {}
    return {
        **{key: record[key] for key in ("gen_updates", "metric", "value", "std")},
        "protocol": protocol["name"],
        **{key: protocol[key] for key in OF_PROTOCOL},
        "reference": reference.get("name"),
        "n_reference": reference.get("n"),
        "reference_sha256": reference.get("sha256"),
        "resize": protocol["resize"],
        "bytes": protocol["bytes"],
        "stamps": " ".join(protocol["stamps"]),
    }


class Collection:
    """The Parquet files of a sweep."""

    def __init__(self, path):
        self.path = path

    def table(self, name):
        """A table's rows, null where it has none; without the file there are none."""
        pd, path = _pandas(), self.path / f"{name}.parquet"
        if not path.exists():
            return None
        try:
            return pd.read_parquet(path)
        except ImportError:
            raise Error("records in Parquet are read by pyarrow: pip install 'sngan[records]'") from None

    def rows(self, name):
        table = self.table(name)
        return [] if table is None else table.astype(object).where(table.notna(), None).to_dict("records")

    def runs(self):
        scored = {}
        for score in self.scores():
            scored.setdefault(score["run"], []).append(score)
        for row in self.rows("runs"):
            of = _row_of(json.loads(row["spec"]), row, row["images"])
            yield {"sweep": row["sweep"], "run": row["run"], **of}, scored.get(row["run"], [])

    def scores(self):
        return self.rows("scores")

    def logs(self):
        keys = ["sweep", "run", "gen_update"]
        for name in ("log", "layers", "timing"):
            table = self.table(name)
            if table is None:
                continue
            by = [key for key in (*keys, "layer") if key in table]
            quantities = [column for column in table if column not in by]
            long = table.melt(by, quantities, "quantity", "value")
            # A key that a run's log has not is null in every row.
            long = long[long.groupby(["run", "quantity"])["value"].transform("count") > 0]
            yield long.assign(value=long["value"].astype("float64"), layer=long["layer"] if "layer" in long else None)
