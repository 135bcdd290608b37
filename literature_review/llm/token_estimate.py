"""How many tokens a text will be, before a provider has counted them.

Four characters of a Latin text are about a token, two of another alphabet (Greek, Cyrillic, Arabic, Hebrew), and one
character of a script without an alphabet (Chinese, Japanese, Korean) is one. White space beyond one is nothing. What a
call really took is the provider's own count, always.
"""

from __future__ import annotations

from array import array
from itertools import accumulate

QUARTERS = 4
"""A token is counted in quarters, so that sums are exact."""

_LATIN, _ALPHABETS = "\u0250", "\u2e80"  # the first characters beyond Latin, and beyond alphabets


def _weight(character: str, before: str) -> int:
    if character < _LATIN:
        return 0 if character.isspace() and before.isspace() else 1
    return 2 if character < _ALPHABETS else QUARTERS


def quarters_before(text: str) -> array[int]:
    """Quarters of tokens before each character of `text`, and in all: the tokens of any piece are a difference."""
    sums = array("Q", (0,))
    sums.extend(accumulate(map(_weight, text, " " + text[:-1])))
    return sums


def tokens_of(text: str) -> int:
    """About how many tokens `text` is, rounded up."""
    return -(-sum(map(_weight, text, " " + text[:-1])) // QUARTERS)
