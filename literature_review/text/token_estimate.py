"""How many tokens a text will be, before a provider has counted them.

Four characters of a Latin text are about a token, two of another alphabet (Greek, Cyrillic, Arabic, Hebrew), and one
character of a script without an alphabet (Chinese, Japanese, Korean) is one. White space beyond one is nothing. What a
call really took is the provider's own count, always.
"""

from __future__ import annotations

import re
from array import array
from itertools import accumulate

QUARTERS = 4
"""A token is counted in quarters, so that sums are exact."""

# A text is a million characters at times, so the few that are no plain quarter are found by patterns, in runs.
_IDLE = re.compile("(?:(?<=\\s)|\\A)[\t-\r\x1c-\x20\x85\xa0]")  # white space beyond one, or at the beginning
_ALPHABETS = re.compile("[\u0250-\u2e7f]+")
_CHARACTERS = re.compile("[\u2e80-\U0010ffff]+")


def quarters_before(text: str) -> array[int]:
    """Quarters of tokens before each character of `text`, and in all: the tokens of any piece are a difference."""
    weights = bytearray(b"\1") * len(text)
    for found in _IDLE.finditer(text):
        weights[found.start()] = 0
    if not text.isascii():
        for pattern, weight in ((_ALPHABETS, b"\2"), (_CHARACTERS, b"\4")):
            for found in pattern.finditer(text):
                weights[found.start() : found.end()] = weight * (found.end() - found.start())
    sums = array("Q", (0,))
    sums.extend(accumulate(weights))
    return sums


def tokens_of(text: str) -> int:
    """About how many tokens `text` is, rounded up: the last of `quarters_before`, without the sums between."""
    return -(-quarters_of(text) // QUARTERS)


def quarters_of(text: str) -> int:
    """The same in quarters: how many characters of a Latin script would be as many tokens."""
    quarters = len(text) - len(_IDLE.findall(text))
    if not text.isascii():
        quarters += sum(map(len, _ALPHABETS.findall(text))) + 3 * sum(map(len, _CHARACTERS.findall(text)))
    return quarters
