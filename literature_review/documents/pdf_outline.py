"""Reads a PDF's outline (its bookmarks). Only a worker process imports this module."""

from __future__ import annotations

import ctypes
from collections.abc import Iterator

import pypdfium2.raw as raw

from literature_review.documents.outline import OutlineEntry

MAX_ENTRIES = 5_000
_MAX_DEPTH = 12
_MAX_TITLE_BYTES = 2_000
_buffer = ctypes.create_string_buffer(_MAX_TITLE_BYTES)  # for one thread of a worker


def read_outline(document: raw.FPDF_DOCUMENT) -> list[OutlineEntry]:
    """The outline's entries in order, at most MAX_ENTRIES. A circle in it ends the reading."""
    return list(_entries(document, None, 1, set()))


def _entries(
    document: raw.FPDF_DOCUMENT, parent: raw.FPDF_BOOKMARK | None, level: int, seen: set[int]
) -> Iterator[OutlineEntry]:
    bookmark = raw.FPDFBookmark_GetFirstChild(document, parent)
    while bookmark:
        address = ctypes.addressof(bookmark.contents)
        if address in seen or len(seen) >= MAX_ENTRIES:
            return
        seen.add(address)
        yield OutlineEntry(level, _title(bookmark), _page(document, bookmark))
        if level < _MAX_DEPTH:
            yield from _entries(document, bookmark, level + 1, seen)
        bookmark = raw.FPDFBookmark_GetNextSibling(document, bookmark)


def _title(bookmark: raw.FPDF_BOOKMARK) -> str:
    size = raw.FPDFBookmark_GetTitle(bookmark, _buffer, _MAX_TITLE_BYTES)  # written where it is not above the limit
    if not 2 < size <= _MAX_TITLE_BYTES:
        return ""
    return ctypes.string_at(_buffer, size - 2).decode("utf-16-le", "ignore")


def _page(document: raw.FPDF_DOCUMENT, bookmark: raw.FPDF_BOOKMARK) -> int:
    target = raw.FPDFBookmark_GetDest(document, bookmark)
    return raw.FPDFDest_GetDestPageIndex(document, target) + 1 if target else 0
