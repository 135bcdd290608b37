"""Quotes that stand in a text but for what scanning does to letters. For what models say, where the exact check fails.

    quote --its runs of characters that stand in the text--> places --edit distance (rapidfuzz)--> differences
    each difference is a confusion of the table below, inside a long word of small letters --> a near match

A text from a scanner, or from a PDF without a table of its characters, reads `pattem` for `pattern`, `hea1th` for
`health`, `signi cant` for `significant` or `ofpatients` for `of patients`; a model that quotes it mends this. What may
differ is a closed list of such confusions. Everything else has to be the same: figures, signs, units, comparisons,
negations, and words that a change of letters makes into others. What is shown is always the text's own characters.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import TYPE_CHECKING, NamedTuple

from literature_review.text.quotes import QuoteIndex, QuoteMatch, folded

if TYPE_CHECKING:
    from collections.abc import Callable

NEAR = "the paper's text differs from the quote by signs of scanning"
"""How a near match is told to people."""

SHORTEST, LONGEST = 30, 2_000
"""Characters that a quote must have, and may have, to be looked for nearly."""

CHARACTERS_PER_CONFUSION = 20
"""One confusion at most in so many characters, and never more than `MOST`."""

MOST = 8

LONG_WORD, LONG_WORD_OF_DIGIT = 7, 6
"""Letters of a word in which letters may be confused, or one read as a digit; shorter ones are too near to others."""

# What a model reads, and what the text has instead: in any place of a word; not at its beginning, where there are two
# words for it (`closing`, `dosing`); and only inside it (a figure at its end is a note's, `fireplace` is no `replace`).
_ANYWHERE = {("rn", "m"), ("m", "rn")}
_NOT_FIRST = {("cl", "d"), ("d", "cl"), ("vv", "w"), ("w", "vv")}
_DIGITS = {("l", "1"), ("i", "1"), ("o", "0"), ("l", "I")}
_LIGATURES = {(lost, left) for lost in ("fi", "fl", "ff", "ffi", "ffl") for left in ("", " ")}
_CONFUSIONS = _ANYWHERE | _NOT_FIRST | _DIGITS | _LIGATURES
# pieces of words that say something else with or without a space: `not able`, `in effective`, `pain less`
_TELLING = frozenset(
    re.findall(
        r"\w+",
        "a ab an any anti as at be can cannot contra counter de dis down dys en every ex extra for fore hyper hypo il "
        "im in infra inter intra ir less like mal many may mid mis mono more most much multi never no non none nor not "
        "off on one only out over per poly post pre pro re self semi several so some sub super than the to trans two "
        "ultra un under up very with without",
    )
)
# the pairs of long words that a confusion would make one of
_WORDS_THAT_ARE_BOTH = frozenset(
    ("corners", "comers", "cornered", "comered", "moderns", "modems", "falling", "failing", "specifies", "species")
)
_SEED, _SEEDS, _PLACES_OF_A_SEED, _SLACK = 12, 12, 5, 10


class _Difference(NamedTuple):
    """Characters `quote[a:b]` stand as `text[c:d]`."""

    a: int
    b: int
    c: int
    d: int


def find_near(index: QuoteIndex, quote: str, hint: int | None = None) -> QuoteMatch | None:
    """Where `quote` stands but for signs of scanning, or None; also where rapidfuzz is not installed.

    Of several places the one with the fewest differences, then the nearest to `hint` (characters of the text), then
    the first. Linear time in the text's length, whatever it holds. Raises nothing."""
    distance = _edit_distance()
    wanted = folded(quote)
    if distance is None or not SHORTEST <= len(wanted) <= LONGEST:
        return None
    most = min(MOST, len(wanted) // CHARACTERS_PER_CONFUSION)
    best: tuple[int, int, QuoteMatch] | None = None
    for start, end in _places(index, wanted):
        match = index.place(start, end)
        differences = match and _differences(distance, wanted, index.folded[start:end], most)
        if not match or not differences:
            continue
        rank = (len(differences), abs(match.start - (hint or 0)), match)
        best = rank if best is None else min(best, rank)
    return best[2] if best else None


def _edit_distance() -> Callable[..., list[tuple[str, int, int]]] | None:
    """The edits between two texts, as rapidfuzz finds them; None where it is not installed."""
    try:
        from rapidfuzz.distance import Levenshtein
    except ImportError:
        return None

    def edits(one: str, other: str, most: int) -> list[tuple[str, int, int]]:
        if Levenshtein.distance(one, other, score_cutoff=most) > most:
            return []
        return [(edit.tag, edit.src_pos, edit.dest_pos) for edit in Levenshtein.editops(one, other)]

    return edits


def _places(index: QuoteIndex, wanted: str) -> Iterator[tuple[int, int]]:
    """Ranges of the folded text in which the quote may stand: around places of some of its runs of characters, from
    the beginning of a word to the end of one."""
    text = index.folded
    step = max(_SEED, len(wanted) // _SEEDS)
    tried: set[tuple[int, int]] = set()
    for offset in range(0, len(wanted) - _SEED + 1, step):
        at = text.find(wanted[offset : offset + _SEED])
        for _ in range(_PLACES_OF_A_SEED):
            if at < 0:
                break
            starts = _near_bounds(text, at - offset, wanted[0], first=True)
            for start in starts:
                for end in _near_bounds(text, at - offset + len(wanted), wanted[-1], first=False):
                    if 0 <= start < end and (start, end) not in tried:
                        tried.add((start, end))
                        yield start, end
            at = text.find(wanted[offset : offset + _SEED], at + 1)


def _near_bounds(text: str, at: int, character: str, first: bool) -> list[int]:
    """Places near `at` at which the text has the quote's own first (or last) character: confusions are inside words."""
    low, high = max(at - _SLACK, 0), min(at + _SLACK, len(text))
    if first:
        return [place for place in range(low, high) if text[place] == character]
    return [place + 1 for place in range(low, high) if text[place] == character]


def _differences(
    distance: Callable[..., list[tuple[str, int, int]]], wanted: str, text: str, most: int
) -> list[_Difference]:
    """The differences between quote and text, where all are confusions and few enough; else none."""
    edits = distance(wanted, text, 3 * most)
    found = list(_joined(edits))
    allowed = bool(found) and len(found) <= most and all(_is_confusion(wanted, text, each) for each in found)
    return found if allowed else []


def _joined(edits: list[tuple[str, int, int]]) -> Iterator[_Difference]:
    """Edits that touch each other as one difference."""
    open_one: _Difference | None = None
    for tag, a, c in edits:
        b, d = a + (tag != "insert"), c + (tag != "delete")
        if open_one is not None and open_one.b == a and open_one.d == c:
            open_one = open_one._replace(b=b, d=d)
            continue
        if open_one is not None:
            yield open_one
        open_one = _Difference(a, b, c, d)
    if open_one is not None:
        yield open_one


def _is_confusion(quote: str, text: str, found: _Difference) -> bool:
    """Whether a difference is one of the table, in a place where it changes no meaning."""
    for a, b in _readings(quote, found):
        shift = a - found.a
        c, d = found.c + shift, found.d + shift
        if {quote[a:b], text[c:d]} == {"", " "}:
            return _is_lost_space(quote, a, b, text, c)
        if (quote[a:b], text[c:d]) in _CONFUSIONS and _is_in_place(quote, a, b, text[c:d]):
            low, high = _word_around(text, c, d)
            return low < high and text[low:high] not in _WORDS_THAT_ARE_BOTH
    return False


def _readings(quote: str, found: _Difference) -> Iterator[tuple[int, int]]:
    """The quote's side of a difference, and where letters are lost the other ways to say the same: what makes
    `scientic` of `scientific` is the loss of `fi`, or as well of `if`."""
    a, b = found.a, found.b
    yield a, b
    if found.c < found.d:
        return
    while a > 0 and b > a and quote[a - 1] == quote[b - 1]:
        a, b = a - 1, b - 1
        yield a, b
    a, b = found.a, found.b
    while a < b < len(quote) and quote[a] == quote[b]:
        a, b = a + 1, b + 1
        yield a, b


def _word_around(text: str, start: int, end: int) -> tuple[int, int]:
    """The run of letters around a range. A figure ends it: in this form no space is left between the two."""
    while start > 0 and text[start - 1].isalpha():
        start -= 1
    while end < len(text) and text[end].isalpha():
        end += 1
    return start, end


def _is_in_place(quote: str, a: int, b: int, instead: str) -> bool:
    """Whether the range is where it may be confused, in a long word of plain letters, small but for the first."""
    low, high = _word_around(quote, a, b)
    word, pair = quote[low:high], (quote[a:b], instead)
    plain = word.isascii() and word.isalpha() and word[1:].islower() and word not in _WORDS_THAT_ARE_BOTH
    if not plain or len(word) < (LONG_WORD_OF_DIGIT if pair in _DIGITS else LONG_WORD):
        return False
    return pair in _ANYWHERE or (low < a and (b < high or pair in _NOT_FIRST))


def _is_lost_space(quote: str, a: int, b: int, text: str, c: int) -> bool:
    """Whether a space more or less, between two pieces of letters, makes no other word of them."""
    spaced, at = (quote, a) if b > a else (text, c)
    left = spaced[_word_around(spaced, at, at)[0] : at]
    right = spaced[at + 1 : _word_around(spaced, at + 1, at + 1)[1]]
    plain = (left + right).isascii() and left.isalpha() and right.isalpha() and right.islower()
    telling = left.lower() in _TELLING or right in _TELLING
    return plain and not telling and min(len(left), len(right)) >= 2 and len(left + right) >= LONG_WORD
