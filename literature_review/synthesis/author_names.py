"""Whether two lists of authors name the same people, however their names are written. Pure."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Sequence
from functools import lru_cache

_HYPHEN = re.compile("[-\u2010\u2011]")


def same_authors(one: Sequence[str], other: Sequence[str]) -> bool:
    """Whether two lists name the same people by surname. One may break off ("et al.", or a file that names its
    first author alone)."""
    a, b = [surname(name) for name in one], [surname(name) for name in other]
    a, b = [name for name in a if name], [name for name in b if name]
    if not a or not b:
        return False
    shorter, longer = sorted((a, b), key=len)
    if len(shorter) == len(longer):
        return sorted(a) == sorted(b) or sorted(map(_name_words, one)) == sorted(map(_name_words, other))
    broken_off = len(shorter) == 1 or any("et al" in name.casefold() for name in (*one, *other))
    return broken_off and longer[: len(shorter)] == shorter


@lru_cache(maxsize=8192)
def surname(name: str) -> str:
    """`smith` of "Smith, John", "John Smith", "J. Smith", "Smith JA" and "Smith et al."; of a surname of several words
    or parts (van der Berg, García-López) the last."""
    name = re.sub(r"\bet al\b\.?", "", name)
    given, comma, _ = name.partition(",")
    words = [word for word in given.replace(".", ". ").split() if not word.endswith(".")]
    if not comma:
        words = [word for word in words if not (word.isupper() and len(word) <= 3)] or sorted(words, key=len)
    parts = _HYPHEN.split(words[-1]) if words else [""]
    return _plain_letters(parts[-1] or parts[0])


def _name_words(name: str) -> list[str]:
    """All words of a name, for those that put the surname first without a comma (Li Bo)."""
    return sorted(filter(None, map(_plain_letters, name.replace(".", " ").replace(",", " ").split())))


def _plain_letters(word: str) -> str:
    plain = unicodedata.normalize("NFKD", word).casefold()
    return "".join(character for character in plain if character.isalnum())
