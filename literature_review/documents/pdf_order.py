"""Puts a page's text into the order in which people read it, where PDFium's order is another.

PDFium follows the file's own order, which for most papers is the reading order, columns included. It turns
right-to-left lines round by itself, and is wrong where one glyph stands for several letters. Only a worker
process imports this module.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Sequence
from itertools import pairwise

from literature_review.documents import pdfium
from literature_review.documents.pdfium import Box

_RIGHT_TO_LEFT = "\u0590-\u08ff\ufb1d-\ufdcf\ufdf0-\ufdff\ufe70-\ufefc"
_GUTTER = 8.0  # points at least between two columns
_LONG_LINE = 40  # characters
_MIN_ROWS = 6
_MOST_FULL_ROWS = 2
_SAMPLED_TEXTS = 9
_RUN = re.compile(f"[{_RIGHT_TO_LEFT}]+(?: +[{_RIGHT_TO_LEFT}]+)*")


def wrong_turn(page: int, rotation: int) -> int | None:
    """The rotation (quarter turns) in which the page's lines run from left to right, where it is not shown so.

    `rotation`: the quarter turns by which the page is shown turned. PDFium orders lines as they are shown: where
    they run downwards, it gives the last line first."""
    turns = Counter(_quarter(quad) for quad in pdfium.some_quads(page, _SAMPLED_TEXTS))
    del turns[None]
    if not turns:
        return None
    turn = turns.most_common(1)[0][0]
    return turn if turn is not None and turn != rotation % 4 else None


def _quarter(quad: Sequence[float]) -> int | None:
    """How many quarter turns against the clock a text's line is turned; None for a blank."""
    across, up = quad[2] - quad[0], quad[3] - quad[1]
    if across == up == 0:
        return None
    if abs(across) >= abs(up):
        return 0 if across > 0 else 2
    return 1 if up > 0 else 3


def in_reading_order(text_page: int, count: int, text: str, may_be_right_to_left: bool) -> str:
    """The page's text of `count` characters in reading order."""
    if may_be_right_to_left and _RUN.search(text):
        text = _logical(text_page, count, text)
    if len(text) == count:
        gutter = _gutter_of_rows(text_page, text)
        if gutter is not None:
            text = _column_after_column(text_page, text, gutter)
    return text


def _gutter_of_rows(text_page: int, text: str) -> float | None:
    """Where the gutter is on a page of two columns that was drawn row by row, so that each line of the text
    holds a line of both columns; None for any other page.

    A dozen long lines are looked at: nearly all must reach over the middle and have nothing there."""
    ends = _sample_lines(text)
    if len(ends) < _MIN_ROWS:
        return None
    boxes = list(pdfium.char_boxes(text_page, [at for pair in ends for at in pair]))
    lines = [(first, last) for first, last in zip(boxes[::2], boxes[1::2], strict=True) if last[2] > first[0]]
    if len(lines) < _MIN_ROWS:
        return None
    middle = (min(first[0] for first, _ in lines) + max(last[2] for _, last in lines)) / 2
    gaps = full = 0
    for first, last in lines:
        if first[0] > middle - _GUTTER or last[2] < middle + _GUTTER:
            continue
        y = (first[1] + first[3]) / 2
        if pdfium.char_at(text_page, middle, y, _GUTTER / 2, 3.0) < 0:
            gaps += 1
        else:
            full += 1
        if full > _MOST_FULL_ROWS:
            return None
    return middle if gaps >= _MIN_ROWS else None


def _sample_lines(text: str) -> list[tuple[int, int]]:
    """First and last character of up to a dozen long lines, spread over the page."""
    ends, start = [], 0
    for line in text.split("\n"):
        bare = line.rstrip()
        if len(bare) >= _LONG_LINE:
            ends.append((start, start + len(bare) - 1))
        start += len(line) + 1
    return ends[:: max(len(ends) // 12, 1)][:12]


def _column_after_column(text_page: int, text: str, gutter: float) -> str:
    """The text with each run of two-column rows as left column, then right column. A line that crosses the
    gutter ends a run and stays where it is."""
    out: list[str] = []
    left: list[str] = []
    right: list[str] = []
    start = 0
    for line in text.split("\n"):
        at = _break_at_gutter(text_page, start, line.rstrip(), gutter)
        start += len(line) + 1
        if at is None:
            out += [*left, *right, line.rstrip()]
            left, right = [], []
            continue
        left += [line[:at].strip()] if line[:at].strip() else []
        right += [line[at:].strip()] if line[at:].strip() else []
    return "\n".join([*out, *left, *right])


def _break_at_gutter(text_page: int, start: int, line: str, gutter: float) -> int | None:
    """Where in the line its right column begins: its length if it has none, None if it crosses the gutter."""
    inked = [at for at, char in enumerate(line) if not char.isspace()]
    boxes = list(pdfium.char_boxes(text_page, [start + at for at in inked]))
    edge = 0.0
    for at, (left, _, right, _) in zip(inked, boxes, strict=True):
        if left < gutter < right:
            return None
        if left >= gutter:
            return None if at != inked[0] and left - edge < _GUTTER else at
        edge = right
    return len(line)


def _logical(text_page: int, count: int, text: str) -> str:
    """The text with its right-to-left runs in logical order."""
    places = [at for at in range(count) if pdfium.text_index(text_page, at) >= 0]
    if len(places) != len(text):
        return text
    parts, last = [], 0
    for run in _RUN.finditer(text):
        boxes = list(pdfium.char_boxes(text_page, places[run.start() : run.end()]))
        parts += [text[last : run.start()], logical_run(run.group(), boxes)]
        last = run.end()
    return "".join([*parts, text[last:]])


def logical_run(run: str, boxes: list[Box]) -> str:
    """A right-to-left run in logical order, from the place of each of its characters.

    Characters of one box are the letters of one glyph, which PDFium turned round: they are turned back. Glyphs
    that run from left to right are turned as a whole."""
    clusters: list[list[int]] = []
    for at, box in enumerate(boxes):
        if clusters and boxes[clusters[-1][0]] == box:
            clusters[-1].append(at)
        else:
            clusters.append([at])
    lefts = [boxes[cluster[0]][0] for cluster in clusters]
    rising = sum(after > before for before, after in pairwise(lefts))
    if rising > (len(lefts) - 1) / 2:
        clusters.reverse()
    return "".join(run[at] for cluster in clusters for at in reversed(cluster))
