#!/usr/bin/env python3
"""Check the links of every Markdown file in the repository: relative paths, and anchors by GitHub's rules, which are the book's too.

    python3 tools/check_links.py [--book target/book]

Links into the web are counted and not fetched. With --book the pages of the built book are checked as well.
"""
import argparse
import collections
import html.parser
import pathlib
import re
import subprocess
import sys
import urllib.parse

ROOT = pathlib.Path(__file__).resolve().parent.parent
# A target stands behind `](`, so that an image within a link counts too, or in a reference's definition.
LINK = re.compile(r"\]\(\s*(<[^>\n]*>|[^()\s]*(?:\([^()\s]*\)[^()\s]*)*)(?:\s+(?:\"[^\"]*\"|'[^']*'))?\s*\)|^ {0,3}\[[^\]\n]+\]:\s*(\S+)", re.M)
TAG = re.compile(r"<(?:a|img)\s[^>]*?\b(?:href|src)\s*=\s*\"([^\"]*)\"", re.I)
NAMED = re.compile(r"<a\s[^>]*?\b(?:id|name)\s*=\s*\"([^\"]*)\"", re.I)
FENCE = re.compile(r"^ {0,3}(`{3,}|~{3,}).*?(?:^ {0,3}\1[`~]*\s*$|\Z)", re.M | re.S)
CODE = re.compile(r"(?<!`)(`+)(?!`)(.+?)(?<!`)\1(?!`)", re.S)
HEADING = re.compile(r"^ {0,3}#{1,6}[ \t]+(.+?)[ \t]*#*[ \t]*$", re.M)


def blank(match):
    """Spaces in place of code, so that lines keep their numbers."""
    return re.sub(r"[^\n]", " ", match[0])


def slug(heading):
    text = re.sub(r"!?\[([^\]]*)\]\([^)]*\)", r"\1", heading).replace("`", "")
    text = re.sub(r"(?<!\w)[*_]+|[*_]+(?!\w)", "", text)
    return "".join("-" if c.isspace() else c for c in text.lower() if c.isalnum() or c in "-_" or c.isspace())


class Page:
    def __init__(self, path):
        prose = FENCE.sub(blank, path.read_text())
        self.anchors, seen = set(NAMED.findall(prose)), collections.Counter()
        for heading in HEADING.findall(prose):
            name = slug(heading)
            self.anchors.add(f"{name}-{seen[name]}" if seen[name] else name)
            seen[name] += 1
        plain = CODE.sub(blank, prose)
        found = [(m.start(), (m[1] or m[2] or "").strip("<>")) for m in LINK.finditer(plain)]
        found += [(m.start(), m[1]) for m in TAG.finditer(plain)]
        self.links = sorted((plain.count("\n", 0, start) + 1, target) for start, target in found)


class Html(html.parser.HTMLParser):
    def __init__(self, path):
        super().__init__()
        self.anchors, self.links = set(), []
        self.feed(path.read_text())

    def handle_starttag(self, tag, attributes):
        for name, value in attributes:
            if name in ("id", "name") and tag != "meta":
                self.anchors.add(value)
            elif (name, tag) in (("href", "a"), ("src", "img")) and value is not None:
                self.links.append((self.getpos()[0], value))


class Check:
    def __init__(self, read):
        self.read, self.pages, self.counts, self.errors = read, {}, collections.Counter(), []

    def page(self, path):
        if path not in self.pages:
            self.pages[path] = self.read(path)
        return self.pages[path]

    def link(self, source, line, target):
        url = urllib.parse.urlsplit(target)
        if url.scheme or target.startswith("//"):
            self.counts["into the web"] += 1
            return
        wrong = lambda why: self.errors.append(f"{source.relative_to(ROOT)}:{line}: `{target}` {why}")
        path = (source.parent / urllib.parse.unquote(url.path)).resolve() if url.path else source
        self.counts["relative"] += 1
        if url.path.startswith("/") or not path.is_relative_to(ROOT):
            wrong("leads out of the repository")
        elif not path.exists():
            wrong("leads nowhere")
        elif url.fragment:
            self.counts["to an anchor"] += 1
            # A line of a source file, or a part of the book's script, is no anchor of a page.
            if path.suffix not in (".md", ".html"):
                wrong("names an anchor in a file without headings")
            elif urllib.parse.unquote(url.fragment) not in self.page(path).anchors:
                wrong("names no heading there")

    def all(self, paths):
        for path in paths:
            for line, target in self.page(path).links:
                self.link(path, line, target)


def unlisted(documents):
    """Pages of docs/ that the book's SUMMARY.md does not name."""
    summary = ROOT / "docs/SUMMARY.md"
    named = {(summary.parent / target).resolve() for _, target in Page(summary).links}
    pages = {p for p in documents if p.is_relative_to(ROOT / "docs")} - {summary}
    return [f"{p.relative_to(ROOT)}: docs/SUMMARY.md does not name this page" for p in sorted(pages - named)]


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--book", type=pathlib.Path, help="folder of the built book")
    book = parser.parse_args().book
    git = ["git", "-C", ROOT, "ls-files", "-z", "--cached", "--others", "--exclude-standard", "*.md"]
    listed = subprocess.run(git, check=True, capture_output=True, text=True).stdout.split("\0")
    documents = sorted(ROOT / name for name in listed if name and (ROOT / name).exists())
    checks = [("Markdown files", documents, Check(Page))]
    if book is not None:
        pages = sorted(book.resolve().rglob("*.html"))
        if not pages:
            sys.exit(f"{book} holds no page: just book")
        checks.append(("pages of the book", pages, Check(Html)))
    errors = unlisted(documents)
    for what, paths, check in checks:
        check.all(paths)
        errors += check.errors
        c = check.counts
        print(f"{len(paths)} {what}: {c['relative']} relative links, {c['to an anchor']} of them to anchors; {c['into the web']} into the web, not fetched")
    print("\n".join(errors), end="\n" if errors else "", file=sys.stderr)
    sys.exit(bool(errors))


if __name__ == "__main__":
    main()
