#!/usr/bin/env python3
"""Check that the GitHub workflow calls the recipes that .ci/run calls."""
import pathlib
import re
import sys

ROOT = pathlib.Path(__file__).resolve().parent.parent
steps = re.findall(r"^step just (.+)$", (ROOT / ".ci/run").read_text(), re.M)
workflow = (ROOT / ".github/workflows/ci.yml").read_text()
jobs = re.findall(r"^          - (.+)$", workflow[workflow.index("        recipe:") : workflow.index("    steps:")], re.M)
# A job may call several recipes.
if not steps or sorted(" ".join(steps).split()) != sorted(" ".join(jobs).split()):
    sys.exit(f".ci/run calls {', '.join(steps)}; the workflow's jobs call {', '.join(jobs)}")
missing = [step for step in steps if not any(step in job for job in jobs)]
if missing:
    sys.exit(f"no job of the workflow calls {', '.join(missing)}")
print(f"the workflow's {len(jobs)} jobs call the {len(steps)} recipes of .ci/run")
