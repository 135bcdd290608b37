"""Text with parts of it blanked out, so that what a reader cannot see decides nothing."""

from __future__ import annotations

from collections.abc import Iterable


def blank_out(text: str, ranges: Iterable[tuple[int, int]]) -> str:
    """`text` with the characters of each (start, end) turned into spaces: all offsets stay. Linear time."""
    pieces: list[str] = []
    at = 0
    for start, end in sorted(ranges):
        start, end = max(start, at), min(end, len(text))
        if start < end:
            pieces += (text[at:start], " " * (end - start))
            at = end
    pieces.append(text[at:])
    return "".join(pieces)
