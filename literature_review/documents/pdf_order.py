"""Puts a page's text into the order in which people read it, where PDFium's order is another.

PDFium follows the file's own order, which for most papers is the reading order, columns included. It turns
right-to-left lines round by itself, and is wrong where one glyph stands for several letters. Only a worker
process imports this module.
"""

from __future__ import annotations

import re
from itertools import pairwise

from literature_review.documents import pdfium
from literature_review.documents.pdfium import Box

_RIGHT_TO_LEFT = "\u0590-\u08ff\ufb1d-\ufdcf\ufdf0-\ufdff\ufe70-\ufefc"
_RUN = re.compile(f"[{_RIGHT_TO_LEFT}]+(?: +[{_RIGHT_TO_LEFT}]+)*")


def in_reading_order(text_page: int, count: int, text: str, may_be_right_to_left: bool) -> str:
    """The page's text of `count` characters in reading order."""
    if may_be_right_to_left and _RUN.search(text):
        text = _logical(text_page, count, text)
    return text


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
