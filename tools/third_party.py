#!/usr/bin/env python3
"""Write THIRD-PARTY-LICENSES.txt: what of others is in the program `sngan`, and under which licenses.

    python3 tools/third_party.py [--check]

The crates are those that the lock file links into the program on x86-64 Linux: no crates of tests, build scripts or procedural macros. Their texts
are those in the registry's sources, so the crates must have been downloaded (`cargo fetch --locked`). Of a choice such as `MIT OR Apache-2.0` MIT
is taken where its text is there. A text stands once, with the copyright notices of all who use it. --check writes nothing and fails if the file
is not what the lock file gives.
"""
import argparse
import collections
import json
import pathlib
import re
import subprocess
import sys

ROOT = pathlib.Path(__file__).resolve().parent.parent
OUT = ROOT / "THIRD-PARTY-LICENSES.txt"
PLATFORM = "x86_64-unknown-linux-gnu"
NAMES = re.compile(r"(?i)^(un)?licen[sc]e|^copying|^notice|^copyright")
# Parts of a package that are not built into the crate, with licenses of their own, and the half that was not chosen of zstd's two.
NOT_LINKED = re.compile(r"liblz4/(programs|tests|examples|contrib)/|^zstd/COPYING$")
# Packages that forgot the file, whose repository has one text for several crates.
TEXT_OF = {"alloc-stdlib": "alloc-no-stdlib"}
MIT = """Permission is hereby granted, free of charge, to any person obtaining a copy of this software and associated documentation files (the
"Software"), to deal in the Software without restriction, including without limitation the rights to use, copy, modify, merge, publish,
distribute, sublicense, and/or sell copies of the Software, and to permit persons to whom the Software is furnished to do so, subject to
the following conditions:

The above copyright notice and this permission notice shall be included in all copies or substantial portions of the Software.

THE SOFTWARE IS PROVIDED "AS IS", WITHOUT WARRANTY OF ANY KIND, EXPRESS OR IMPLIED, INCLUDING BUT NOT LIMITED TO THE WARRANTIES OF
MERCHANTABILITY, FITNESS FOR A PARTICULAR PURPOSE AND NONINFRINGEMENT. IN NO EVENT SHALL THE AUTHORS OR COPYRIGHT HOLDERS BE LIABLE FOR
ANY CLAIM, DAMAGES OR OTHER LIABILITY, WHETHER IN AN ACTION OF CONTRACT, TORT OR OTHERWISE, ARISING FROM, OUT OF OR IN CONNECTION WITH
THE SOFTWARE OR THE USE OR OTHER DEALINGS IN THE SOFTWARE.
"""
HEAD = """Third-party software and data in the program `sngan`

Made by tools/third_party.py from Cargo.lock; do not edit it by hand. Number n in brackets is the n-th text below.
Where a license offers a choice, the text of the choice made here is given. `sngan` itself is under MIT or Apache-2.0.

This software is based in part on the work of the Independent JPEG Group.

"""
# (name, whose and what, license, file of the text or none)
ASSETS = [
    ("DejaVu Sans", "the font of figures", "Bitstream Vera and Arev", "crates/plot/assets/DejaVuSans-LICENSE.txt"),
    ("Fashion-MNIST", "its 10,000 test images and labels, by Zalando SE", "MIT", "crates/data/assets/LICENSE"),
]
STD = ("The Rust standard library", "linked into every program by rustc", "MIT OR Apache-2.0", "Copyright (c) The Rust Project Contributors")


def cargo(*arguments):
    return subprocess.run(["cargo", *arguments], cwd=ROOT, check=True, stdout=subprocess.PIPE, text=True).stdout


def linked():
    """The packages that are linked into the program, as `cargo metadata` describes them."""
    tree = cargo("tree", "--package", "sngan-cli", "--edges", "normal,no-proc-macro", "--target", PLATFORM, "--locked", "--offline",
                 "--prefix", "none", "--format", "{p}")
    names = {tuple(line.split()[:2]) for line in tree.splitlines() if line.strip()}
    packages = json.loads(cargo("metadata", "--format-version", "1", "--locked", "--offline", "--filter-platform", PLATFORM))["packages"]
    found = [p for p in packages if (p["name"], f"v{p['version']}") in names and p["source"] is not None]
    return sorted(found, key=lambda p: (p["name"], p["version"]))


def is_mit(text):
    return "Permission is hereby granted, free of charge, to any person obtaining a copy" in " ".join(text.split())


def texts(package, packages):
    """Texts of the package's licenses, of those that were chosen."""
    if package["name"] in TEXT_OF:
        return texts(next(p for p in packages if p["name"] == TEXT_OF[package["name"]]), packages)
    folder = pathlib.Path(package["manifest_path"]).parent
    paths = sorted(p for p in folder.rglob("*") if NAMES.match(p.name) and p.suffix not in (".rs", ".c", ".h", ".py") and p.is_file())
    paths = [p for p in paths if not NOT_LINKED.search(p.relative_to(folder).as_posix())]
    found = [p.read_text(errors="replace").replace("\r\n", "\n") for p in paths]
    # A package may hold a link's path in place of the file that it leads to.
    whole = [(p, t) for p, t in zip(paths, found) if len(t.split()) > 20]
    paths, found = [p for p, _ in whole], [t for _, t in whole]
    license = package["license"] or ""
    offered = re.split(r"\s+OR\s+|/", license)
    if " AND " not in license and "MIT" in offered:
        if any(map(is_mit, found)):
            # Texts of the other choices go; notices stay.
            return [t for p, t in zip(paths, found) if is_mit(t) or re.match(r"(?i)notice", p.name)]
        if not found:
            # The package forgot the file.
            authors = ", ".join(a.partition(" <")[0] for a in package["authors"]) or f"The {package['name']} contributors"
            return [f"Copyright (c) {authors}\n\n{MIT}"]
    if not found:
        sys.exit(f"{package['name']} {package['version']} ({license}) has no text of its license: name one in TEXT_OF")
    return found


def parts(text):
    """The copyright notices that a text begins with, and the rest."""
    lines = text.strip("\n").splitlines()
    notices = []
    for i, line in enumerate(lines):
        said = line.strip(" \t*#")
        if re.match(r"(?i)(portions )?copyright\b(?! notice)|\(c\) |©", said):
            notices.append(said)
        elif said and not re.fullmatch(r"(?i)(the )?(mit|isc|bsd)\b.{0,30}license.{0,25}|all rights reserved\.?|=+|-+", said):
            return notices, "\n".join(l.rstrip() for l in lines[i:]).strip("\n")
    return [], text.strip("\n")


def document():
    packages = linked()
    users, bodies, rows = collections.OrderedDict(), {}, []

    def add(name, text):
        notices, body = parts(text)
        key = re.sub(r"[^a-z0-9]+", " ", body.lower()).strip()
        bodies.setdefault(key, body)
        users.setdefault(key, []).append((name, notices))
        return key

    assets = [(name, what, license, [add(name, (ROOT / path).read_text())]) for name, what, license, path in ASSETS]
    assets.append((*STD[:3], [add(STD[0], f"{STD[3]}\n\n{MIT}")]))
    for package in packages:
        keys = list(dict.fromkeys(add(f"{package['name']} {package['version']}", text) for text in texts(package, packages)))
        rows.append((package, keys))
    numbers = {key: n for n, key in enumerate(users, 1)}
    cite = lambda keys: " ".join(f"[{numbers[key]}]" for key in keys)
    lines = [HEAD + "Data and other parts\n"]
    lines += [f"  {name}, {what}: {license} {cite(keys)}\n" for name, what, license, keys in assets]
    lines += [f"\nCrates ({len(rows)})\n"]
    lines += [f"  {p['name']} {p['version']}: {p['license']} {cite(keys)}{'' if not p['repository'] else '  ' + p['repository']}\n" for p, keys in rows]
    for key, names in users.items():
        lines.append(f"\n{'=' * 100}\n[{numbers[key]}]\n")
        by_notice = collections.OrderedDict()
        for name, notices in names:
            by_notice.setdefault("\n    ".join(notices), []).append(name)
        for notices, of in by_notice.items():
            lines.append(f"  {', '.join(dict.fromkeys(of))}\n" + (f"    {notices}\n" if notices else ""))
        lines.append(f"\n{bodies[key]}\n")
    return "".join(lines), len(rows), len(users)


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--check", action="store_true")
    check = parser.parse_args().check
    text, crates, n = document()
    said = f"{OUT.name}: {len(ASSETS) + 1} parts and {crates} crates with {n} texts, {len(text.encode()) / 1000:.0f} kB"
    if not check:
        OUT.write_text(text)
    elif not OUT.exists() or OUT.read_text() != text:
        sys.exit(f"{OUT.name} is not what Cargo.lock gives: python3 tools/third_party.py")
    print(said)


if __name__ == "__main__":
    main()
