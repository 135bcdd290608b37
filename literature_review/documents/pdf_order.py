"""Puts a page's text into the order in which people read it, where PDFium's order is another.

PDFium follows the file's own order, which for most papers is the reading order, columns included. It turns
right-to-left lines round by itself, and is wrong where one glyph stands for several letters. Only a worker
process imports this module.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from itertools import accumulate, groupby, pairwise
from typing import NamedTuple

from literature_review.documents import pdfium
from literature_review.documents.pdf_blocks import in_blocks
from literature_review.documents.pdfium import Box

_RIGHT_TO_LEFT = "\u0590-\u08ff\ufb1d-\ufdcf\ufdf0-\ufdff\ufe70-\ufefc"
_GUTTER = 8.0  # points at least between two columns
_LEAST_CHARACTERS = 400  # of a page whose columns are looked for
_PLACES = 10
_FEW_WORDS = 37  # characters, about half of a line
_LEAST_CHANGES = 3
_MOST_CROSSED = 2
_CROSSING_SHARE = 0.05
_WIDEST_TEXT = 5_000  # points
_SAMPLED_TEXTS = 16
_MOSTLY = 5  # times as much text as runs the way that the page is shown
_WORD_OR_BLANK = re.compile("[^ ]+| +")
_RUN = re.compile(f"[{_RIGHT_TO_LEFT}]+(?: +[{_RIGHT_TO_LEFT}]+)*")


def wrong_turn(quads: Sequence[float], rotation: int) -> int | None:
    """The rotation (quarter turns) in which the page's lines run from left to right, where it is not shown so.

    `quads`: the corners of its texts, eight numbers each, of which some are looked at; `rotation`: the quarter turns
    by which the page is shown turned. PDFium orders lines as they are shown: where they run downwards, it gives the
    last line first. A page that has lines of both kinds (a table turned sideways beside text) stays as it is."""
    step = 8 * max(len(quads) // 8 // _SAMPLED_TEXTS, 1)
    lengths = [0.0] * 4
    for at in range(0, len(quads), step):
        across, up = quads[at + 2] - quads[at], quads[at + 3] - quads[at + 1]
        if abs(across) >= abs(up):
            lengths[0 if across > 0 else 2] += abs(across)
        else:
            lengths[1 if up > 0 else 3] += abs(up)
    longest = max(lengths)
    turn = lengths.index(longest)
    return turn if turn != rotation % 4 and longest > _MOSTLY * lengths[rotation % 4] else None


def in_reading_order(
    text_page: int, places: Sequence[int], text: str, middle: float, may_be_right_to_left: bool
) -> str:
    """The page's text in reading order and in blocks. `places`: PDFium's index of each of its characters; `middle`: of
    the page's text from left to right."""
    if may_be_right_to_left and _RUN.search(text):
        return _logical(text_page, places, text)
    if _may_go_to_and_fro(text_page, places, text, middle):
        boxes = pdfium.char_boxes(text_page, places)
        gutter = _gutter(boxes)
        if gutter is not None:
            return _column_after_column(text, boxes, gutter)
    return in_blocks(text_page, text, places)


def _may_go_to_and_fro(text_page: int, places: Sequence[int], text: str, middle: float) -> bool:
    """A quick look: could this be a page of two columns that was drawn row by row, so that the text goes to and
    fro between them?

    A few places of the text are looked at: at some, the text a few words on stands in the other half, and hardly
    any has a letter in the middle of the page beside it."""
    if len(text) < _LEAST_CHARACTERS:
        return False
    starts = range(_FEW_WORDS, len(text) - _FEW_WORDS, (len(text) - _FEW_WORDS) // _PLACES)
    looked_at = [places[at] for start in starts for at in (start, start + _FEW_WORDS)]
    boxes = pdfium.char_boxes(text_page, looked_at)
    pairs = zip(boxes[::2], boxes[1::2], strict=True)
    if sum((one[0] < middle) != (other[0] < middle) for one, other in pairs) < _LEAST_CHANGES:
        return False
    crossed = 0
    for box in boxes[::2]:
        height = (box[1] + box[3]) / 2
        crossed += pdfium.char_at(text_page, middle, height, _GUTTER / 2, 3.0) >= 0
        if crossed > _MOST_CROSSED:
            return False
    return True


def _gutter(boxes: list[Box]) -> float | None:
    """The middle of the widest strip in the inner half of the page's text that hardly any character stands in;
    None where none is as wide as a gutter. A title may cross it."""
    inked = [box for box in boxes if box[2] > box[0]]
    first, last = min(int(box[0]) for box in inked), max(int(box[2]) for box in inked)
    if last - first > _WIDEST_TEXT:
        return None
    changes = [0] * (last - first + 2)
    for box in inked:
        changes[int(box[0]) - first] += 1
        changes[int(box[2]) - first + 1] -= 1
    standing = list(accumulate(changes))
    quarter = (last - first) // 4
    limit = _CROSSING_SHARE * max(standing)
    strips = groupby(range(quarter, last - first - quarter), key=lambda at: standing[at] <= limit)
    empty = [list(places) for is_empty, places in strips if is_empty]
    widest = max(empty, key=len, default=[])
    return first + (widest[0] + widest[-1] + 1) / 2 if len(widest) >= _GUTTER else None


def _column_after_column(text: str, boxes: list[Box], gutter: float) -> str:
    """The text with what stands on both sides of the gutter as left column, then right column. What crosses the
    gutter ends both and stays where it is."""
    lines: list[str] = []
    left: list[_Piece] = []
    right: list[_Piece] = []
    for piece in _pieces(text, boxes):
        if piece.left < gutter < piece.right:
            lines += [*_lines(left), *_lines(right), piece.text]
            left, right = [], []
        else:
            (left if piece.right <= gutter else right).append(piece)
    return "\n".join([*lines, *_lines(left), *_lines(right)])


class _Piece(NamedTuple):
    """Characters that follow each other on a line without a gap as wide as a gutter."""

    text: str
    left: float
    right: float
    y: float
    height: float


def _pieces(text: str, boxes: list[Box]) -> Iterator[_Piece]:
    start, first, last = 0, None, None
    for at, box in enumerate(boxes):
        if text[at].isspace() or box[2] <= box[0]:
            continue
        if first is not None and last is not None and not -_GUTTER < box[0] - last[2] < _GUTTER:
            yield _piece(text[start:at], first, last)
            start, first = at, None
        first, last = first or box, box
    if first is not None and last is not None:
        yield _piece(text[start:], first, last)


def _piece(text: str, first: Box, last: Box) -> _Piece:
    height = max(first[3] - first[1], last[3] - last[1])
    return _Piece(" ".join(text.split()), first[0], last[2], first[1], height)


def _lines(pieces: list[_Piece]) -> list[str]:
    """The pieces of one column as lines: pieces of one height stand on one line."""
    lines: list[str] = []
    y = 0.0
    for piece in pieces:
        if lines and abs(piece.y - y) < piece.height / 2:
            lines[-1] += f" {piece.text}"
        else:
            lines.append(piece.text)
        y = piece.y
    return lines


def _logical(text_page: int, places: Sequence[int], text: str) -> str:
    """The text with its right-to-left runs in logical order."""
    parts, last = [], 0
    for run in _RUN.finditer(text):
        boxes = pdfium.char_boxes(text_page, places[run.start() : run.end()])
        parts += [text[last : run.start()], logical_run(run.group(), boxes)]
        last = run.end()
    return "".join([*parts, text[last:]])


def logical_run(run: str, boxes: list[Box]) -> str:
    """A right-to-left run in logical order, from the place of each of its characters.

    Characters of one box are the letters of one glyph, which PDFium turned round: they are turned back. A word
    whose glyphs run from left to right is turned as a whole, and so is a run whose words do."""
    words = [(found.group(), boxes[found.start() : found.end()]) for found in _WORD_OR_BLANK.finditer(run)]
    lefts = [min(box[0] for box in places) for word, places in words if not word.isspace()]
    turned = [_logical_word(word, places) for word, places in words]
    return "".join(reversed(turned) if _rises(lefts) else turned)


def _logical_word(word: str, boxes: list[Box]) -> str:
    clusters: list[list[int]] = []
    for at, box in enumerate(boxes):
        if clusters and boxes[clusters[-1][0]] == box:
            clusters[-1].append(at)
        else:
            clusters.append([at])
    if _rises([boxes[cluster[0]][0] for cluster in clusters]):
        clusters.reverse()
    return "".join(word[at] for cluster in clusters for at in reversed(cluster))


def _rises(lefts: list[float]) -> bool:
    """True where most steps go to the right."""
    return sum(after > before for before, after in pairwise(lefts)) > (len(lefts) - 1) / 2
