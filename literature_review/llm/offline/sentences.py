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

LONGEST_LABEL = 40
"""Characters of a label in bold or italics (Markdown) that begins a sentence."""

_EMPHASIS = frozenset("*_")

_END = re.compile(
    r"[.!?;\n\u3002\uff01\uff1f\uff1b\u061f\u06d4\u0964](?:"
    r"(?<=[.!?])(?!\d)(?:['\"\u2019\u201d)\]*_]{0,3}(?:\[[\d,\u2013 -]{1,20}\])?\s{1,40}"
    r"(?=['\"\u2018\u201c(\[*_]{0,2}[^\Wa-z_])"
    r"|[)\]]?(?=[A-Z][a-z]+ [a-z]))"
    r"|(?<=[\n\u061f\u06d4\u0964])\s*"
    r"|(?<=[\u3002\uff01\uff1f\uff1b])['\"\u2019\u201d\u300d\u300f)]{0,3}"
    r"|(?<=;)\s{1,40}(?=\((?:[a-z]{1,4}|\d{1,2})\)\s))"
)
"""Every mark that may end a sentence. It begins with one set of characters, so that the scan skips from mark
to mark."""

_NO_END = frozenset(
    [
        "vs",
        "cf",
        "al",
        "eg",
        "e.g",
        "ie",
        "i.e",
        "Fig",
        "Figs",
        "fig",
        "figs",
        "Tab",
        "Tabs",
        "Ref",
        "Refs",
        "ref",
        "refs",
        "Eq",
        "Eqs",
        "No",
        "Nos",
        "no",
        "nos",
        "Dr",
        "Drs",
        "Prof",
        "Mr",
        "Mrs",
        "Ms",
        "St",
        "Inc",
        "Ltd",
        "Corp",
        "Co",
        "LLC",
        "Pty",
        "approx",
        "ca",
        "resp",
        "Suppl",
        "Vol",
        "vol",
        "pp",
        "Sec",
        "Art",
        "Jr",
        "Sr",
    ]
)
_NO_END_ENDS = frozenset(word[-2:] for word in _NO_END)
_NUMBER = re.compile(r"\(?(?:\d{1,2}(?:\.\d{1,2}){0,3}|[ivxIVX]{1,5}|[A-Z])$")
_OPENER = re.compile(
    r"(?:The|An?|In|We|It|This|These|Those|There|They|At|On|For|No|All|After|Both|However|Patients|When)\s"
)
_ITEM = re.compile(r"(?:[\u2022\u2023\u25aa\u25cf*\u2013\u2014-]|\(?(?:\d{1,4}|[a-zA-Z]|[ivxIVX]{2,5})[.)])\s")
_SHORT = r"[^\W\d_\u2e80-\U0010ffff]"  # a letter of a script in which one or two of them are no word
_CELL = re.compile(rf"[\d\W_]*(?:{_SHORT}{{1,3}}[\d\W_]+)*{_SHORT}{{0,2}}$")
_LONGEST_CELL, _LONGEST_ROW = 40, 300  # characters
_HYPHENS = frozenset("-\xad\u2010\u2013")
_CLOSERS = frozenset(".!?:;\u3002\uff01\uff1f\u061f\u06d4")


def page_width(text: str) -> int:
    """The width in characters of the lines of a hard-wrapped text, or 0 where a line is a paragraph."""
    lines = [line for line in text[:60_000].split("\n") if line.strip()]
    if len(lines) < 8:
        return 0
    broken = sum([1 for line, after in pairwise(lines) if after[0].islower() and line.rstrip()[-1] not in _CLOSERS])
    if broken < 0.2 * len(lines):
        return 0
    lengths = sorted(map(len, lines))
    if lengths[-len(lengths) // 20 - 1] > 200:
        return 0
    return lengths[len(lengths) * 3 // 4]


def _abbreviates(text: str, start: int, at: int) -> str:
    """The word before the full stop at `at` where it may be an abbreviation, else ""."""
    space = max(text.rfind(" ", max(start, at - 8), at), text.rfind("\n", max(start, at - 8), at))
    if space < 0 and at - start > 7:
        return ""
    word = text[max(space + 1, start) : at].lstrip('(["\u201c')
    return word if word in _NO_END or (len(word) == 1 and word.isalpha()) else ""


def _is_plain(last: str) -> bool:
    """Whether no abbreviation ends with these two characters: most full stops need no further look."""
    return last not in _NO_END_ENDS if last.isalpha() else not last[1].isalpha()


def _is_stop(text: str, start: int, at: int, after: int) -> bool:
    """Whether the full stop at `at` ends the sentence begun at `start`."""
    if text[start] in _EMPHASIS and text[at + 1 : at + 2] == text[start] and at - start < LONGEST_LABEL:
        return False  # `**Methods.** We sent ...`: a label belongs to what it heads
    word = _abbreviates(text, start, at)
    if word:
        return len(word) == 1 and bool(_OPENER.match(text, after))
    return at - start > 14 or not _NUMBER.match(text, start, at)


def _goes_on(text: str, start: int, at: int, after: int, width: int) -> bool:
    """Whether the sentence begun at `start` runs over the line break at `at`."""
    if after >= len(text) or text.find("\n", at + 1, after) >= 0 or at == start:
        return False
    last, first = text[at - 1], text[after]
    if last in _CLOSERS and last not in ":;":
        return last == "." and first.islower() and bool(_abbreviates(text, start, at - 1))
    if last in _HYPHENS and first.isalnum() and text[at - 2].isalnum():
        return True  # a word or a range that is broken at the line's end
    if _ITEM.match(text, after):
        return False
    if not width:
        return first.islower() and at - start > 40
    line = text.rfind("\n", max(at - 2 * width, 0), at) + 1 or at - width  # the sentence may begin within it
    return first.islower() or at - line >= 0.7 * width


def _cut(text: str, start: int, end: int) -> Iterator[Span]:
    while end - start > LONGEST_SENTENCE:
        cut = text.rfind(" ", start + LONGEST_SENTENCE // 2, start + LONGEST_SENTENCE) + 1
        cut = cut or start + LONGEST_SENTENCE
        yield start, cut
        start = cut
    yield start, end


def _bounds(text: str) -> Iterator[Span]:
    """The sentences, with white space around some of them."""
    width, start = page_width(text), 0
    for found in _END.finditer(text):
        at, after = found.span()
        if at < start:
            continue
        mark = text[at]
        if mark == ".":
            plain = at - start > LONGEST_LABEL and _is_plain(text[at - 2 : at])
            if not plain and not _is_stop(text, start, at, after):
                continue
        elif mark == "\n" and _goes_on(text, start, at, after, width):
            continue
        if after - start > LONGEST_SENTENCE:
            yield from _cut(text, start, after)
        else:
            yield start, after
        start = after
    yield from _cut(text, start, len(text))


def split_sentences(text: str) -> list[Span]:
    """The sentences of `text` as (start, end) in characters, in order, without surrounding white space."""
    found: list[Span] = []
    for start, end in _bounds(text):
        piece = text[start:end].rstrip()
        if not piece:
            continue
        end = start + len(piece)
        if piece[0].isspace():
            start = end - len(piece.lstrip())
        if end - start < _LONGEST_CELL and found and _is_cell(text, *found[-1], start, end):
            found[-1] = found[-1][0], end
        else:
            found.append((start, end))
    return found


def _is_cell(text: str, first: int, last: int, start: int, end: int) -> bool:
    """Whether a line without words belongs to what stands right before it, `first` to `last`: table rows are whole."""
    if end - first >= _LONGEST_ROW or text[start - 1] != "\n" or text.count("\n", last, start) != 1:
        return False
    return _CELL.match(text, start, end) is not None
