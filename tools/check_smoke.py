#!/usr/bin/env python3
"""Check the outputs of `just smoke`, `report` and `smoke-all`: check_smoke.py OUT"""
import csv
import json
import math
import pathlib
import struct
import sys
import xml.etree.ElementTree as ET

out = pathlib.Path(sys.argv[1])
plan = json.loads((out / "plan.json").read_text())
assert len(plan["runs"]) == 48, plan["runs"]
for name in plan["runs"]:
    run = out / "runs" / name
    status = json.loads((run / "status.json").read_text())
    assert status["status"] in ("completed", "diverged"), (name, status)
    for line in (run / "log.jsonl").read_text().splitlines():
        # Python would read NaN; the records must not hold it.
        json.loads(line, parse_constant=lambda c: sys.exit(f"{name}: {c} in log.jsonl"))
rows = list(csv.DictReader((out / "tables/table1.csv").open()))
assert len(rows) == 48
for row in rows:
    if row["status"] == "completed":
        assert 1.0 - 1e-9 <= float(row["is_mean"]) <= 10.0, row
        assert 0.0 <= float(row["fid"]) < math.inf, row
assert len({row["fid"] for row in rows}) > 40, "runs of different methods and settings must not score alike"
ceiling = {row["metric"]: row["value"] for row in map(json.loads, (out / "ceiling.jsonl").read_text().splitlines())}
assert ceiling["is"] > 5.0, ceiling
for stem in ("fig1", "fig2", "fig3", "fig6", "fig9"):
    root = ET.parse(out / f"figures/{stem}.svg").getroot()
    assert len(root) > 10 and not root.findall(".//{http://www.w3.org/2000/svg}text"), stem
    png = (out / f"figures/{stem}.png").read_bytes()
    width, height = struct.unpack(">II", png[16:24])
    assert png[:4] == b"\x89PNG" and width > 800 and height > 400, stem
page = (out / "report.html").read_text()
assert page.count("<svg") >= 5 and "http://" not in page.replace("http://www.w3.org/", ""), "the report must hold its figures and fetch nothing"
drawn = pathlib.Path("runs/drawn-smoke")
for stem in [f"fig{i}" for i in range(1, 16)] + ["ranks", "stable-rank", "training"]:
    assert list(drawn.glob(f"{stem}*.svg")), f"{stem} was not drawn"
for stem in [f"table{i}" for i in range(1, 9)]:
    assert (drawn / f"{stem}.md").stat().st_size > 100, f"{stem} was not written"
print("48 runs, table, figures and report are sane; every table and figure is drawn")
