"""Where the sentences of a text begin and end.

One pass over the text, linear in its length. A line break ends a sentence unless the lines are those of a
page (hard-wrapped), where a paragraph runs over many of them. Latin, Chinese, Japanese and Arabic marks are
known; what has no marks at all is cut at white space, so that a span never grows to a page.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from itertools import pairwise

Span = tuple[int, int]

LONGEST_SENTENCE = 1_000
"""Characters; what is longer is cut at white space."""

_END = re.compile(
    r"[.!?]['\"\u2019\u201d)\]]{0,3}(?:\[[\d,\u2013 -]{1,20}\])?\s{1,40}(?=['\"\u2018\u201c(\[]?[^\Wa-z_])"
    r"|[.!?][)\]]?(?=[A-Z][a-z]+ [a-z])"
    r"|[\u3002\uff01\uff1f\uff1b]['\"\u2019\u201d\u300d\u300f)]{0,3}"
    r"|[\u061f\u06d4\u0964]\s*"
    r"|;\s{1,40}(?=\((?:[a-z]{1,4}|\d{1,2})\)\s)"
    r"|\n\s*"
)
_NO_END = re.compile(
    r"(?:^|[\s(\[\u201c\"])(?:vs|cf|al|eg|e\.g|ie|i\.e|Figs?|figs?|Tabs?|Refs?|refs?|Eqs?|Nos?|nos?|Drs?"
    r"|Profs?"
    r"|Mrs?|Ms|St|Inc|Ltd|Corp|Co|LLC|Pty|approx|ca|resp|Suppl|Vol|vol|pp|Sec|Art|Jr|Sr)$"
)
_INITIAL = re.compile(r"(?:^|[^\w])[A-Za-z]$")
_NUMBER = re.compile(r"\(?(?:\d{1,2}(?:\.\d{1,2}){0,3}|[ivxIVX]{1,5}|[A-Z])$")
_OPENER = re.compile(
    r"(?:The|An?|In|We|It|This|These|Those|There|They|At|On|For|No|All|After|Both|However|Patients|When)\s"
)
_ITEM = re.compile(r"(?:[\u2022\u2023\u25aa\u25cf*\u2013\u2014-]|\(?[a-zA-Z0-9ivx]{1,4}[.)])\s")
_CELL = re.compile(r"[\d\W_]*(?:[^\W\d_]{1,3}[\d\W_]+)*[^\W\d_]{0,2}$")
_CLOSERS = frozenset(".!?:;\u3002\uff01\uff1f\u061f\u06d4")


def page_width(text: str) -> int:
    """The width in characters of the lines of a hard-wrapped text, or 0 where a line is a paragraph."""
    lines = [line for line in text[:60_000].split("\n") if line.strip()]
    if len(lines) < 8:
        return 0
    broken = sum(
        1
        for line, after in pairwise(lines)
        if after[0].islower() and line.rstrip()[-1] not in _CLOSERS
    )
    lengths = sorted(map(len, lines))
    if broken < 0.2 * len(lines) or lengths[-len(lengths) // 20 - 1] > 200:
        return 0
    return lengths[len(lengths) * 3 // 4]


def _goes_on(text: str, start: int, gap: str, at: int, width: int) -> bool:
    """Whether the sentence begun at `start` runs over the line break `gap` that ends before `at`."""
    if gap.count("\n") > 1 or at >= len(text):
        return False
    before = text[start : at - len(gap)]
    last, first = before[-1:], text[at]
    if last in _CLOSERS and last not in ":;":
        return last == "." and bool(_NO_END.search(before[-10:-1])) and first.islower()
    if _ITEM.match(text, at):
        return False
    if not width:
        return first.islower() and len(before) > 40
    line = before.rfind("\n") + 1
    return first.islower() or len(before) - line >= 0.7 * width


def _cut(start: int, end: int, text: str) -> Iterator[Span]:
    while end - start > LONGEST_SENTENCE:
        cut = text.rfind(" ", start + LONGEST_SENTENCE // 2, start + LONGEST_SENTENCE) + 1
        cut = cut or start + LONGEST_SENTENCE
        yield start, cut
        start = cut
    yield start, end


def _is_end(text: str, start: int, found: re.Match[str], width: int) -> bool:
    gap = found.group()
    if gap[0] == ".":
        low, at = max(start, found.start() - 10), found.start()
        if _NO_END.search(text, low, at) or _NUMBER.match(text[start : start + 14], 0, at - start):
            return False
        if _INITIAL.search(text, low, at) and not _OPENER.match(text, found.end()):
            return False
    elif "\n" in gap and gap.isspace():
        return not _goes_on(text, start, gap, found.end(), width)
    return True


def split_sentences(text: str) -> list[Span]:
    """The sentences of `text` as (start, end) in characters, in order, without surrounding white space."""
    width, start, spans = page_width(text), 0, []
    for found in _END.finditer(text):
        if found.start() < start or not _is_end(text, start, found, width):
            continue
        spans.append((start, found.end()))
        start = found.end()
    spans.append((start, len(text)))
    return list(_with_cells(text, _trimmed(text, spans)))


def _trimmed(text: str, spans: list[Span]) -> Iterator[Span]:
    for start, end in spans:
        for low, high in _cut(start, end, text) if end - start > LONGEST_SENTENCE else ((start, end),):
            piece = text[low:high]
            kept = piece.strip()
            if kept:
                low += len(piece) - len(piece.lstrip())
                yield low, low + len(kept)


def _with_cells(text: str, spans: Iterator[Span]) -> Iterator[Span]:
    """Table rows whole: a line without words belongs to the line before it."""
    held: Span | None = None
    for start, end in spans:
        joins = held is not None and end - start < 40 and end - held[0] < 300 and _CELL.match(text, start, end)
        if held is not None and joins and "\n" in text[held[1] : start]:
            held = held[0], end
            continue
        if held is not None:
            yield held
        held = start, end
    if held is not None:
        yield held
