"""Abbreviations that a paper introduces: "Hamilton Depression Rating Scale (HDRS)".

The letters of the short form are looked for in the words before the bracket, from the right (the rule of Schwartz
and Hearst, "A simple algorithm for identifying abbreviation definitions in biomedical text", 2003).
"""

from __future__ import annotations

import re
from heapq import merge

from .tokens import content, stems

_BRACKETS = tuple(
    re.compile(rf"{opening}\s?([A-Za-z][A-Za-z0-9/\u2010-\u2015-]{{1,9}}?)s?\s?[)\],;]") for opening in (r"\(", r"\[")
)
_ENDS = re.compile(r"[.;:!?()]\s|\d{2}|^\W*\w+\W*$")
_MOST = 400


def _long_form(short: str, before: str) -> str | None:
    """The end of `before` that `short` stands for, or None."""
    at = len(before) - 1
    letters = [letter for letter in short.lower() if letter.isalnum()]
    for left, letter in enumerate(reversed(letters)):
        first = left == len(letters) - 1
        while at >= 0 and (before[at] != letter or (first and at > 0 and before[at - 1].isalnum())):
            at -= 1
        if at < 0:
            return None
        at -= 1
    return before[at + 1 :]


def abbreviations(text: str) -> dict[str, frozenset[str]]:
    """Stem of each short form of `text` -> content stems of what it stands for; the first definition counts."""
    found: dict[str, frozenset[str]] = {}
    for match in merge(*[bracket.finditer(text) for bracket in _BRACKETS], key=re.Match.start):
        short = match.group(1)
        if len(found) >= _MOST:
            break
        if sum(map(str.isupper, short)) < 2:
            continue
        low = max(0, match.start() - 12 * len(short) - 20)
        before = text[low : match.start()].lower().rstrip()
        long = _long_form(short, before)
        if long is None or len(long.split()) > 2 * len(short) or _ENDS.search(long):
            continue
        keys, words = stems(short), frozenset(content(stems(long)))
        if len(keys) == 1 and words and keys[0] not in words:
            found.setdefault(keys[0], words)
    return found
