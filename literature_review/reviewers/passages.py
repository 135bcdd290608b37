"""Pieces of a paper's text around a place: the sentence it stands in, the words before and after it."""

from __future__ import annotations

import re

CONTEXT_CHARACTERS = 160
LONGEST_PASSAGE = 400

_SENTENCE_END = re.compile(r"[.!?][\"'\u201d\u2019)\]]{0,2}\s+|[\u3002\uff01\uff1f]\s*|\n\s*\n")


def context_of(text: str, start: int, end: int) -> tuple[str, str]:
    """About 160 characters before `start` and after `end`, cut at words, on one line each."""
    low, high = max(start - CONTEXT_CHARACTERS, 0), end + CONTEXT_CHARACTERS
    before, after = text[low:start], text[end:high]
    if low > 0 and not text[low - 1].isspace():
        before = _behind_first_space(before)
    if high < len(text) and not text[high].isspace():
        after = _behind_first_space(after[::-1])[::-1]
    return " ".join(before.split()), " ".join(after.split())


def _behind_first_space(words: str) -> str:
    """`words` without the piece of a word that it begins with; whole where it is one word (or has no spaces)."""
    for at, character in enumerate(words):
        if character.isspace():
            return words[at:]
    return words


def sentence_around(text: str, start: int, end: int) -> tuple[int, int]:
    """The sentence that holds the characters `start` to `end`, at most about 400 characters long."""
    low, high = max(start - LONGEST_PASSAGE // 2, 0), min(end + LONGEST_PASSAGE // 2, len(text))
    begins = low
    for found in _SENTENCE_END.finditer(text, low, start):
        begins = found.end()
    if begins == low and low > 0:
        begins += len(text[low:start]) - len(_behind_first_space(text[low:start]))
    ends = _SENTENCE_END.search(text, max(end - 1, 0), high)
    stop = ends.end() if ends else high
    if ends is None and high < len(text):
        stop -= len(text[end:high]) - len(_behind_first_space(text[end:high][::-1]))
    piece = text[begins:stop]
    if not piece.strip():
        return start, end
    return begins + len(piece) - len(piece.lstrip()), stop - (len(piece) - len(piece.rstrip()))
