"""How `quotes.py` sets sentences anew, which changes nothing that they say, and how it changes them, which does.

Each function takes a sentence and a source of chance, and returns it changed, or an empty text where it has nothing
that can be changed so.
"""

from __future__ import annotations

import random
import re
import unicodedata
from collections.abc import Callable
from itertools import pairwise

Mutation = Callable[[str, random.Random], str]

# Faithful: the same words, set in another way.


def broken_lines(words: str, rng: random.Random) -> str:
    return re.sub(" ", lambda _: rng.choice((" ", "\n", " \n", "\r\n", "\u00a0", "  ")), words)


def hyphenated(words: str, rng: random.Random) -> str:
    return re.sub(
        r"(?<=[a-z]{3})(?=[a-z]{3})", lambda _: rng.choice(("",) * 4 + ("-\n", "\u00ad", "\u00ad\n", "\u2010\n")), words
    )


def ligatures(words: str, rng: random.Random) -> str:
    for plain, ligature in (("ffi", "\ufb03"), ("ffl", "\ufb04"), ("ff", "\ufb00"), ("fi", "\ufb01"), ("fl", "\ufb02")):
        words = words.replace(plain, ligature)
    return words


def typographic(words: str, rng: random.Random) -> str:
    words = re.sub(r'"([^"]*)"', "\u201c\\1\u201d", words).replace("'", "\u2019")
    words = re.sub(r"(?<=\d)-(?=\d)", "\u2013", words)
    return re.sub(r"(?<=[\s(=])-(?=\d)", "\u2212", words)


def over_a_page(words: str, rng: random.Random) -> str:
    places = [match.start() for match in re.finditer(" ", words)]
    at = rng.choice(places)
    return words[:at] + rng.choice(("\f", "\n\f", "\n\n\f\n")) + words[at + 1 :]


def decomposed(words: str, rng: random.Random) -> str:
    return unicodedata.normalize("NFD", words).replace("<", " < ").replace("=", " = ")


# Changed: other words, numbers or signs.


def other_number(words: str, rng: random.Random) -> str:
    return _one(r"\d", words, rng, lambda digit: str((int(digit) + rng.randint(1, 9)) % 10))


def moved_point(words: str, rng: random.Random) -> str:
    return _one(r"\d\.\d", words, rng, lambda number: number.replace(".", rng.choice(("", ",", "\u00b7"))))


def lost_sign(words: str, rng: random.Random) -> str:
    return _one(r"(?<=[\s(=])[-\u2212\u2013](?=\d)", words, rng, lambda sign: "")


def new_sign(words: str, rng: random.Random) -> str:
    return _one(r"(?<=[\s(=])(?=\d)", words, rng, lambda _: "-")


def negated(words: str, rng: random.Random) -> str:
    if re.search(r"\b(?:[Nn]o|not) ", words):
        return _one(r"\b(?:[Nn]o|not) ", words, rng, lambda _: "")
    return _one(r"\b(?:was|were|is|are|will|shall|may|have|had) ", words, rng, lambda verb: verb + "not ")


def other_comparison(words: str, rng: random.Random) -> str:
    others = {"<": ">", ">": "\u2265", "=": "<", "\u2264": "<", "\u2265": ">", "\u00b1": "+"}
    return _one(r"[<>=\u2264\u2265\u00b1]", words, rng, lambda sign: others[sign])


def other_word(words: str, rng: random.Random) -> str:
    return _one(r"(?<![^\W\d_])[a-z]{4,}(?![^\W\d_])", words, rng, lambda word: "other" if word != "other" else "same")


def words_swapped(words: str, rng: random.Random) -> str:
    return _one(r"\b[a-z]{3,} [a-z]{3,}\b", words, rng, lambda pair: " ".join(pair.split()[::-1]))


def other_case(words: str, rng: random.Random) -> str:
    return _one(r"\b[a-z]{4,}\b", words, rng, str.upper)


def exponent_lost(words: str, rng: random.Random) -> str:
    return _one(r"(?<=\d)[\u00b2\u00b3\u2074-\u2079]|(?<=\d) (?=\d)", words, rng, lambda _: "7")


def cut_short(words: str, rng: random.Random) -> str:
    return words[2:] if words[:4].isalpha() else ""


def other_unit(words: str, rng: random.Random) -> str:
    """mg for mg/kg, mmol for mmol/mol, mg for g, days for weeks."""
    if re.search(r"[a-z]/[a-z]", words):
        return _one(r"(?<=[a-z])/[a-z]+", words, rng, lambda _: "")
    units = {
        "mg": "g", "kg": "g", "ml": "l", "cm": "mm", "mm": "cm", "days": "weeks", "weeks": "months", "months": "years",
        "years": "months", "hours": "minutes", "minutes": "hours",
    }  # fmt: skip
    return _one(r"(?<=\d )(?:mg|kg|ml|cm|mm|days|weeks|months|years|hours|minutes)\b", words, rng, units.__getitem__)


def range_closed(words: str, rng: random.Random) -> str:
    return _one(r"(?<=\d)(?:[-\u2013]| to )(?=\d)", words, rng, lambda _: "")


def number_in_range_lost(words: str, rng: random.Random) -> str:
    return _one(r"(?<=\d)(?:[-\u2013]| to )\d+(?:\.\d+)?", words, rng, lambda _: "")


def percent(words: str, rng: random.Random) -> str:
    return _one(r"(?<=\d)\s?%", words, rng, lambda _: rng.choice(("", " percentage points", "\u2030")))


def contraction(words: str, rng: random.Random) -> str:
    if re.search(r"n['\u2019]t\b", words):
        return _one(r"n['\u2019]t\b", words, rng, lambda _: "")
    return _one(r"\b(?:did|does|is|was|were|has|had|could|would)(?= )", words, rng, lambda verb: f"{verb}n't")


OPPOSITES = (
    ("with", "without"), ("less", "more"), ("lower", "higher"), ("increase", "decrease"), ("increased", "decreased"),
    ("improved", "worsened"), ("before", "after"), ("all", "no"), ("both", "neither"), ("above", "below"),
    ("significant", "insignificant"), ("least", "most"), ("greater", "smaller"), ("may", "must"), ("or", "and"),
)  # fmt: skip


def opposite(words: str, rng: random.Random) -> str:
    other = dict(OPPOSITES) | {second: first for first, second in OPPOSITES}
    return _one(rf"\b(?:{'|'.join(other)})\b", words, rng, other.__getitem__)


def non_prefix(words: str, rng: random.Random) -> str:
    if re.search(r"\b(?:non|un|anti)-[a-z]", words):
        return _one(r"\b(?:non|un|anti)-(?=[a-z])", words, rng, lambda _: "")
    return _one(r"(?<= )(?=[a-z]{6,}\b)", words, rng, lambda _: rng.choice(("non-", "non")))


def one_letter(words: str, rng: random.Random) -> str:
    """As between the names of two drugs, or of two genes."""

    def other(letter: str) -> str:
        changed = rng.choice([one for one in "aeiounrstlmd" if one != letter.lower()])
        return changed.upper() if letter.isupper() else changed

    return _one(r"(?<=[a-z]{3})[a-z](?=[a-z]{3})|(?<=\b[A-Z])[A-Z](?=[A-Z]?\b)", words, rng, other)


def letter_lost(words: str, rng: random.Random) -> str:
    return _one(r"(?<=[a-z]{2})[a-z](?=[a-z]{2})", words, rng, lambda _: "")


def groups_swapped(words: str, rng: random.Random) -> str:
    """Two words on both sides of `and`, `than`, `versus` change places: which group had what."""

    def swapped(found: str) -> str:
        first, middle, second = found.split(" ")
        return f"{second} {middle} {first}"

    return _one(r"\b[A-Za-z]{3,} (?:and|than|versus|vs\.?|or|to) [A-Za-z]{3,}\b", words, rng, swapped)


def figures_swapped(words: str, rng: random.Random) -> str:
    figures = pairwise(re.finditer(r"\d+(?:\.\d+)?", words))
    unlike = [(one, other) for one, other in figures if one.group() != other.group()]
    if not unlike:
        return ""
    one, other = rng.choice(unlike)
    between = words[one.end() : other.start()]
    return f"{words[: one.start()]}{other.group()}{between}{one.group()}{words[other.end() :]}"


def item_dropped(words: str, rng: random.Random) -> str:
    return _one(r"(?<=, )[a-z][^,.;]{2,40}, ", words, rng, lambda _: "")


def word_dropped(words: str, rng: random.Random) -> str:
    return _one(r"(?<= )[a-z]{2,} (?=[a-z])", words, rng, lambda _: "")


def ellipsis(words: str, rng: random.Random) -> str:
    parts = words.split(" ")
    if len(parts) < 8:
        return ""
    at = rng.randrange(2, len(parts) - 4)
    return " ".join([*parts[:at], rng.choice(("...", "\u2026", "[...]")), *parts[at + rng.randint(1, 3) :]])


def behind_what_governs(words: str, rng: random.Random) -> str:
    """The sentence from behind its negation, or from behind the sign of its first figure."""
    governs = r"\b(?:[Nn]ot?|never|without|neither|nor) (?=[a-z])|[<>\u2264\u2265\u00b1] ?(?=\d)"
    found = list(re.finditer(governs, words))
    return words[rng.choice(found).end() :] if found else ""


def before_what_governs(words: str, rng: random.Random) -> str:
    """The sentence up to a figure, without the sign, fraction or range behind it."""
    found = list(re.finditer(r"\d(?=%|\.\d|[-\u2013]\d| ?%)", words))
    return words[: rng.choice(found).end()] if found else ""


def brackets_lost(words: str, rng: random.Random) -> str:
    return _one(r" \([^()]{3,60}\)", words, rng, lambda _: "")


FAITHFUL: dict[str, Mutation] = {
    function.__name__.replace("_", " "): function
    for function in (broken_lines, hyphenated, ligatures, typographic, over_a_page, decomposed)
}
CHANGED: dict[str, Mutation] = {
    function.__name__.replace("_", " "): function
    for function in (
        other_number, moved_point, lost_sign, new_sign, negated, other_comparison, other_word, words_swapped,
        other_case, exponent_lost, cut_short, other_unit, range_closed, number_in_range_lost, percent, contraction,
        opposite, non_prefix, one_letter, letter_lost, groups_swapped, figures_swapped, item_dropped, word_dropped,
        ellipsis, brackets_lost, behind_what_governs, before_what_governs,
    )
}  # fmt: skip


def _one(pattern: str, words: str, rng: random.Random, change: Callable[[str], str]) -> str:
    """`words` with one match of `pattern` changed; empty where there is none or nothing changes."""
    found = list(re.finditer(pattern, words))
    if not found:
        return ""
    match = rng.choice(found)
    changed = words[: match.start()] + change(match.group()) + words[match.end() :]
    return changed if changed != words else ""
