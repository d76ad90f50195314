#!/usr/bin/env python3
"""mdBook's preprocessor of this book: links that leave docs/ work in its pages too.

Documents outside of docs/ that SUMMARY.md names become pages of the book, and links to them lead there. Pictures are embedded. Other links lead to
`git-repository-url` of book.toml's [output.html], if there is one, else to the file in the checkout that the book is built in.
"""
import base64
import json
import os
import pathlib
import posixpath
import re
import sys
import urllib.parse

LINK = re.compile(r"(!?)(\[(?:[^\[\]]|\[[^\]]*\])*\])\(([^()\s]+)\)")
# Blocks of code are left as they are.
CODE = re.compile(r"^ {0,3}(`{3,}|~{3,}).*?^ {0,3}\1[`~]*\s*$", re.M | re.S)


def chapters(items):
    for item in items:
        if isinstance(item, dict) and "Chapter" in item:
            yield item["Chapter"]
            yield from chapters(item["Chapter"]["sub_items"])


def page_of(source):
    """Where the page of a document lies in the book: `../experiments/README.md` becomes `experiments.md`."""
    if not source.startswith("../"):
        return source
    name = source.removeprefix("../")
    folder = posixpath.dirname(name)
    if posixpath.basename(name) == "README.md":
        # Not `readme`, which mdBook would take for the index.
        return f"{folder or 'overview'}.md"
    return name if folder else name.lower()


class Links:
    def __init__(self, context, pages):
        self.root = pathlib.Path(context["root"])
        self.docs = context["config"]["book"].get("src", "src")
        html = context["config"].get("output", {}).get("html", {})
        self.url, self.pages = html.get("git-repository-url"), pages
        build = (self.root / context["config"].get("build", {}).get("build-dir", "book")).resolve()
        self.to_root = os.path.relpath(self.root.resolve(), build)

    def of(self, source, page):
        """Rewrites a link of the document `source`, whose page is `page`; both relative to docs/."""
        def rewrite(match):
            picture, text, target = match[1], match[2], match[3]
            url = urllib.parse.urlsplit(target)
            if url.scheme or not url.path:
                return match[0]
            path = (self.root / self.docs / posixpath.dirname(source) / urllib.parse.unquote(url.path)).resolve()
            found = pathlib.Path(os.path.relpath(path, (self.root / self.docs).resolve())).as_posix()
            here = posixpath.dirname(page) or "."
            fragment = f"#{url.fragment}" if url.fragment else ""
            if found in self.pages:
                return f"{picture}{text}({posixpath.relpath(self.pages[found], here)}{fragment})"
            if picture:
                kind = {".png": "image/png", ".svg": "image/svg+xml", ".jpg": "image/jpeg"}[path.suffix]
                return f"!{text}(data:{kind};base64,{base64.b64encode(path.read_bytes()).decode()})"
            if not found.startswith("../") and path.suffix != ".md":
                # mdBook copies the other files of docs/.
                return f"{text}({posixpath.relpath(found, here)}{fragment})"
            inside = path.relative_to(self.root.resolve()).as_posix()
            if self.url:
                return f"{text}({self.url.rstrip('/')}/blob/HEAD/{inside}{fragment})"
            # mdBook takes whatever ends in .md for a page of the book. An anchor is of a page, not of a file.
            place = urllib.parse.quote(posixpath.join(posixpath.relpath(".", here), self.to_root, inside))
            return f"{text}({re.sub(r'[.]md$', '%2Emd', place)})"
        return rewrite


def main():
    if len(sys.argv) > 1 and sys.argv[1] == "supports":
        sys.exit(sys.argv[2] != "html")
    context, book = json.load(sys.stdin)
    found = list(chapters(book.get("items", book.get("sections"))))
    source = lambda chapter: posixpath.normpath(chapter.get("source_path") or chapter["path"])
    found = [chapter for chapter in found if chapter.get("path")]
    links = Links(context, {source(chapter): page_of(source(chapter)) for chapter in found})
    for chapter in found:
        chapter["path"] = page_of(source(chapter))
        rewrite = links.of(source(chapter), chapter["path"])
        parts, end = [], 0
        for code in CODE.finditer(chapter["content"]):
            parts += [LINK.sub(rewrite, chapter["content"][end:code.start()]), code[0]]
            end = code.end()
        chapter["content"] = "".join(parts) + LINK.sub(rewrite, chapter["content"][end:])
    json.dump(book, sys.stdout)


if __name__ == "__main__":
    main()
