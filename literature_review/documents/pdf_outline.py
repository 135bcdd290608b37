"""Reads a PDF's outline (its bookmarks). Only a worker process imports this module."""

from __future__ import annotations

from collections.abc import Iterator

from literature_review.documents import pdfium
from literature_review.documents.outline import OutlineEntry

MAX_ENTRIES = 5_000
_MAX_DEPTH = 12


def read_outline(document: int) -> list[OutlineEntry]:
    """The outline's entries in order, at most MAX_ENTRIES. A circle in it ends the reading."""
    return list(_entries(document, None, 1, set()))


def _entries(document: int, parent: int | None, level: int, seen: set[int]) -> Iterator[OutlineEntry]:
    bookmark = pdfium.first_bookmark(document, parent)
    while bookmark:
        if bookmark in seen or len(seen) >= MAX_ENTRIES:
            return
        seen.add(bookmark)
        target = pdfium.bookmark_target(document, bookmark)
        page = pdfium.target_page(document, target) + 1 if target else 0
        yield OutlineEntry(level, pdfium.bookmark_title(bookmark), page)
        if level < _MAX_DEPTH:
            yield from _entries(document, bookmark, level + 1, seen)
        bookmark = pdfium.next_bookmark(document, bookmark)
