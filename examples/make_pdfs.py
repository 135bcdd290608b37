"""Makes the PDF papers of the example review again from their sources.

    python -m examples.make_pdfs        (from the project's root folder)

A source begins with fields (`file`, `title`, `authors`, `journal`, ...), one a line; after an empty line follow
paragraphs and headings (`#`, `##`). Pages are filled sentence by sentence; each begins with the journal's name
and the page number. The same source always gives the same bytes.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from tests.pdf_factory import Block, Heading, make_pdf

HERE = Path(__file__).resolve().parent
SOURCES, PAPERS, UNREADABLE = HERE / "sources", HERE / "papers", HERE / "unreadable"
_REFERENCE = re.compile(r"\[\d+\] ")
_SENTENCE_END = re.compile(r"(?<=[.?!])\s+(?=[A-Z\"])")


def read_source(path: Path) -> tuple[dict[str, str], list[Block]]:
    """The fields of a source and its body as blocks, headings told from paragraphs."""
    head, _, body = path.read_text(encoding="utf-8").partition("\n\n")
    fields = dict(line.split(": ", 1) for line in head.splitlines())
    blocks: list[Block] = []
    for paragraph in body.strip().split("\n\n"):
        marks = len(paragraph) - len(paragraph.lstrip("#"))
        blocks.append(Heading(paragraph[marks:].strip(), marks + 1) if marks else paragraph)
    return fields, blocks


def render(fields: dict[str, str], blocks: Sequence[Block]) -> bytes:
    """The paper as a PDF file, its pages numbered from `first page`."""
    layout: dict[str, Any] = {
        "font": fields["font"],
        "size": float(fields["size"]),
        "columns": int(fields["columns"]),
    }
    waiting: list[Block] = [Heading(fields["title"]), fields["authors"], f"doi: {fields['doi']}", *blocks]
    pages: list[list[Block]] = []
    while waiting:
        number = int(fields["first page"]) + len(pages)
        header = f"{fields['journal']} {fields['volume']} ({fields['year']}), page {number}"
        page, waiting = _fill(header, waiting, layout)
        pages.append(page)
    return make_pdf(
        pages, title=fields["title"], author=fields["authors"], created=f"D:{fields['year']}", **layout
    )


def _fill(header: str, waiting: list[Block], layout: dict[str, Any]) -> tuple[list[Block], list[Block]]:
    """As much of `waiting` as one page holds, and what is left. No heading stands last on a page."""
    page: list[Block] = [header]
    rest = list(waiting)
    while rest and _fits([*page, rest[0]], layout):
        page.append(rest.pop(0))
    if rest and isinstance(rest[0], str) and not _REFERENCE.match(rest[0]):
        rest[:1] = _split(page, rest[0], layout)
    while rest and isinstance(page[-1], Heading):
        rest.insert(0, page.pop())
    return page, rest


def _split(page: list[Block], paragraph: str, layout: dict[str, Any]) -> list[Block]:
    """Adds the first sentences of a paragraph to the page while they fit; returns the others."""
    sentences = _SENTENCE_END.split(paragraph)
    fitting = [n for n in range(1, len(sentences)) if _fits([*page, " ".join(sentences[:n])], layout)]
    taken = max(fitting, default=0)
    if taken:
        page.append(" ".join(sentences[:taken]))
    return [" ".join(sentences[taken:])]


def _fits(page: list[Block], layout: dict[str, Any]) -> bool:
    return make_pdf([page], **layout).count(b"/Type /Page ") == 1


def make_all() -> dict[Path, bytes]:
    """Every PDF of the example with its bytes; the unreadable one is a paper whose second half is missing."""
    made: dict[Path, bytes] = {}
    for source in sorted(SOURCES.glob("*.txt")):
        fields, blocks = read_source(source)
        made[PAPERS / fields["file"]] = render(fields, blocks)
    whole = made[PAPERS / "attendance" / "calls-or-text-messages.pdf"]
    made[UNREADABLE / "download-broke-off.pdf"] = whole[: len(whole) // 3]
    return made


if __name__ == "__main__":
    for path, content in make_all().items():
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)
        print(path.relative_to(HERE.parent), len(content), "bytes")
