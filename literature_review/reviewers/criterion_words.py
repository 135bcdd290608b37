"""The words of a screening criterion, as a paper may write them. Pure.

British and American spelling, singular and plural, hyphens, blanks and line breaks are one.
"""

from __future__ import annotations

import re
import unicodedata

_SMALL_WORDS = frozenset(
    re.findall(
        r"\w+",
        "about after also among and any are been being but can could did does done each for from had has have "
        "into its may more most must not only one other our out over own should some such than that the their "
        "them then there these they this those through under was were what when where which while who whose "
        "with within without would paper papers study studies article articles report reports reported "
        "reporting published ",
    )
)

WORD = re.compile(r"[^\W_]+")
# Where British and American words differ: randomised, tumor, paediatric; and by what a plural differs.
_SPELT = re.compile(r"((?<=[a-z]{2}[iy])[sz](?=e|ing|ation)|(?<=[a-z]{3})ou?r|[ao]?e)", re.IGNORECASE)
_SPELLINGS = {"z": "[sz]", "or": "ou?r", "e": "[ao]?e"}
_SHORTEST_SPELT = 5  # letters
_PLURAL = re.compile(r"(?<=[a-z])(?:ies|(?<![aeiou])y)$|(?<=[^\W\d_]{2}[^\W\d_s])s$", re.IGNORECASE)
_GAP = re.compile(r"[\s\u2010-\u2015-]+")
_WORDS_WITHOUT_BLANKS = "\u2e80"  # from here on: Chinese, Japanese, Korean signs


def parts_of(keyword: str) -> list[str]:
    """What stands between the keyword's blanks and hyphens; nothing where it has nothing else."""
    return [part for part in _GAP.split(unicodedata.normalize("NFC", keyword)) if part]


def phrase(keyword: str) -> re.Pattern[str]:
    """The keyword as whole words, in any case, with hyphens, line breaks, the other spelling and the other number
    allowed for."""
    *parts, last_part = parts_of(keyword)
    stem = last_part if last_part.isupper() else _without_plural(last_part)  # AIDS is no plural
    joined = r"[\s\u2010-\u2015-]{1,3}".join(map(_in_any_spelling, (*parts, stem)))
    first, last = (*parts, stem)[0][0], last_part[-1]
    edge = r"(?<![^\W_])" if first.isalnum() and first < _WORDS_WITHOUT_BLANKS else ""
    number = "(?:y|ies)" if stem != last_part and last_part.lower().endswith(("y", "ies")) else "(?:s?e?s)?"
    ending = rf"{number}(?![^\W_])" if last.isalnum() and last < _WORDS_WITHOUT_BLANKS else ""
    return re.compile(edge + joined + ending, re.IGNORECASE)


def _without_plural(word: str) -> str:
    """`word` without the ending by which its singular and its plural differ."""
    return _PLURAL.sub("", word)


def _in_any_spelling(word: str) -> str:
    """A pattern for the word in British and American spelling: randomised, tumor, anaemia."""
    pieces = _SPELT.split(word) if len(word) >= _SHORTEST_SPELT else [word]
    return "".join(
        _SPELLINGS[_in_one_spelling(piece)] if at % 2 else re.escape(piece) for at, piece in enumerate(pieces)
    )


def _in_one_spelling(piece: str) -> str:
    """Of a piece of a word that is spelt in two ways, the one that stands for both."""
    return {"s": "z", "our": "or", "ae": "e", "oe": "e"}.get(piece.lower(), piece.lower())


def content_words(text: str) -> set[str]:
    """Lower-case words that carry meaning, in one spelling, without plural endings."""
    found = [
        _SPELT.sub(lambda piece: _in_one_spelling(piece[0]), word) if len(word) >= _SHORTEST_SPELT else word
        for word in WORD.findall(text.lower())
    ]
    words = {word for word in found if len(word) > 2 and word not in _SMALL_WORDS and word[0] < _WORDS_WITHOUT_BLANKS}
    words |= {run[at : at + 2] for run in found if run[0] >= _WORDS_WITHOUT_BLANKS for at in range(len(run) - 1)}
    return set(map(_without_plural, words))
