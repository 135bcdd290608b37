"""The words of a screening criterion, as a paper may write them. Pure.

British and American spelling, singular and plural, hyphens, blanks and line breaks are one.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable, Mapping
from functools import lru_cache

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
_ODD_PLURALS = {
    "women": "woman", "men": "man", "children": "child", "mice": "mouse", "feet": "foot", "teeth": "tooth",
    "people": "person", "lives": "life", "wives": "wife", "halves": "half", "calves": "calf", "leaves": "leaf",
    "criteria": "criterion", "phenomena": "phenomenon", "bacteria": "bacterium", "media": "medium", "sera": "serum",
    "indices": "index", "matrices": "matrix", "appendices": "appendix", "cortices": "cortex", "vertebrae": "vertebra",
    "larvae": "larva", "stimuli": "stimulus", "nuclei": "nucleus", "fungi": "fungus", "foci": "focus", "loci": "locus",
    "thrombi": "thrombus", "emboli": "embolus", "viruses": "virus", "fetuses": "fetus", "foetuses": "foetus",
    "sinuses": "sinus", "biases": "bias", "lenses": "lens", "analyses": "analysis", "diagnoses": "diagnosis",
    "prognoses": "prognosis", "hypotheses": "hypothesis", "syntheses": "synthesis", "prostheses": "prosthesis",
    "metastases": "metastasis", "stenoses": "stenosis", "crises": "crisis", "psychoses": "psychosis",
    "neuroses": "neurosis", "thromboses": "thrombosis", "fibroses": "fibrosis",
}  # fmt: skip
_ODD_SINGULARS = {one: many for many, one in _ODD_PLURALS.items()}
_COMPOUND = re.compile(r"(?<=\w{2})(?:women|woman|children|child|analyses|analysis|viruses|virus)$")  # grandchildren
_OF_HISSING = re.compile(r"(?<=ss|.x|sh)es$|(?<=ch)(?<![dhkr]ach)es$")  # classes, boxes, approaches; no headaches
_PLURAL = re.compile(r"(?<=[a-z])(?:ies|(?<![aeiou])y)$|(?<=[^\W\d_]{2}[^\W\d_s])s$", re.IGNORECASE)
_ENDING = re.compile(r"(?<=\w{4})(?:i[sz](?:ations?|ed|ing|e)|ations?|edly|ally|ing|ed|ly|e)$")
_GAP = re.compile(r"[\s\u2010-\u2015-]+")
_WORDS_WITHOUT_BLANKS = "\u2e80"  # from here on: Chinese, Japanese, Korean signs


def parts_of(keyword: str) -> list[str]:
    """What stands between the keyword's blanks and hyphens; nothing where it has nothing else. Quotation marks around
    a phrase are none of it."""
    return [part for part in _GAP.split(unicodedata.normalize("NFC", keyword).strip(' "\u201c\u201d')) if part]


def phrase(keyword: str) -> re.Pattern[str]:
    """The keyword as whole words, in any case, with hyphens, line breaks, the other spelling and the other number
    allowed for; `randomi*` has any ending."""
    *parts, last_part = parts_of(keyword)
    joined = r"[\s\u2010-\u2015-]{1,3}".join((*map(_in_any_spelling, parts), _in_any_number(last_part)))
    first, last = (*parts, last_part)[0][0], last_part[-1]
    edge = r"(?<![^\W_])" if first.isalnum() and first < _WORDS_WITHOUT_BLANKS else ""
    ending = r"(?![^\W_])" if last.isalnum() and last < _WORDS_WITHOUT_BLANKS else ""
    return re.compile(edge + joined + ending, re.IGNORECASE)


def _in_any_number(word: str) -> str:
    """A pattern for the word in singular and plural, in any spelling."""
    if word.isupper() or word.endswith("*"):  # AIDS is no plural
        return _in_any_spelling(word) + "(?:e?s)?"
    one = _singular(word.lower())
    many = _odd(one, _ODD_SINGULARS)
    if many != one:
        return f"(?:{_in_any_spelling(one)}(?:e?s)?|{_in_any_spelling(many)})"
    stem = _without_plural(one)
    if stem != one and one.endswith(("y", "ies")):
        return _in_any_spelling(stem) + "(?:y|ies)"
    if one.endswith(("ss", "us", "is", "x", "z", "ch", "sh", "o")):
        return _in_any_spelling(one) + "(?:e?s)?"
    return _in_any_spelling(stem) + "s?"  # and no more: rats are no rates


def _singular(word: str) -> str:
    """A word in small letters, in singular where its plural is an odd one; one in -s keeps it."""
    return _OF_HISSING.sub("", _odd(word, _ODD_PLURALS))


def _odd(word: str, other_number: Mapping[str, str]) -> str:
    """The word's other number, also where it is the end of a compound; itself where the table has none."""
    found = _COMPOUND.search(word)
    start = found.start() if found else 0
    return word[:start] + other_number.get(word[start:], word[start:])


def _without_plural(word: str) -> str:
    """`word` without the ending by which its singular and its plural differ."""
    return _PLURAL.sub("", word)


def _in_any_spelling(word: str) -> str:
    """A pattern for the word in British and American spelling: randomised, tumor, anaemia."""
    if word.endswith("*") and word[:-1].isalpha():
        return _in_any_spelling(word[:-1]) + r"[^\W_]*"
    pieces = _SPELT.split(word) if len(word) >= _SHORTEST_SPELT else [word]
    return "".join(
        _SPELLINGS[_in_one_spelling(piece)] if at % 2 else re.escape(piece) for at, piece in enumerate(pieces)
    )


def _in_one_spelling(piece: str) -> str:
    """Of a piece of a word that is spelt in two ways, the one that stands for both."""
    return {"s": "z", "our": "or", "ae": "e", "oe": "e"}.get(piece.lower(), piece.lower())


def content_words(text: str) -> set[str]:
    """Lower-case words that carry meaning, in one spelling, in singular."""
    return {part for word in WORD.findall(text.lower()) for part in _meant(word)}


def stems_of(words: Iterable[str]) -> set[str]:
    """Content words without their endings: randomized, randomly and randomization are one."""
    return set(map(_stem, words))


@lru_cache(maxsize=65_536)
def _stem(word: str) -> str:
    stem = _ENDING.sub("", word)
    return stem[:-1] if stem != word and stem[-1] == stem[-2] else stem


@lru_cache(maxsize=65_536)
def _meant(word: str) -> tuple[str, ...]:
    """What a word in small letters is compared by: one form of it; of signs without blanks every pair; or nothing."""
    word = _singular(word)
    if len(word) >= _SHORTEST_SPELT:
        word = _SPELT.sub(lambda piece: _in_one_spelling(piece[0]), word)
    if word[0] >= _WORDS_WITHOUT_BLANKS:
        return tuple(word[at : at + 2] for at in range(len(word) - 1))
    return (_without_plural(word),) if len(word) > 2 and word not in _SMALL_WORDS else ()
