"""The quote check: where in a text does a quote stand, word for word?

    text ---fold characters---> Unicode forms, quotation marks and dashes made one
         ---fold spacing------> white space and hyphenation made one, offsets kept      = QuoteIndex
    quote, folded the same way, is looked up there; the answer is characters of the text as it was given.

One function for every back end. What is folded: white space, hyphens inside words (at a line's end or not),
soft hyphens, ligatures, composed and compatibility forms, the shapes of quotation marks and dashes. What is
never folded: case, digits and the marks inside numbers, a minus sign against none, comparisons, exponents
(10⁵ is not 105, and the same as 10^5), fractions, words. Running heads between two pages are passed over where a
sentence goes on behind them. A quote begins and ends at whole words and whole numbers,
and not just behind a negation, sign or comparison that governs it: leaving those out changes what it says.
"""

from __future__ import annotations

import re
import unicodedata
from array import array
from bisect import bisect_left
from collections.abc import Callable, Iterator
from functools import cached_property, lru_cache, partial
from typing import NamedTuple

from literature_review.text.running_heads import joined_over_heads

SHORTEST_QUOTE = 15
"""Letters and digits that a quote must have at least; a Chinese or Japanese character counts as two."""

LONGEST_QUOTE = 10_000
"""Characters; what is longer is a copy of the paper, not a quote."""

_SUPERSCRIPTS = str.maketrans("0123456789-+\u2212", "⁰¹²³⁴⁵⁶⁷⁸⁹⁻⁺⁻")
_RAISED = re.compile("[\u2070\xb9\xb2\xb3\u2074-\u2079^]|\\*\\*")
_TRIES = 200  # occurrences looked at in each direction, so that a hostile text stays linear

_DASH, _SIGN, _LONG_DASH = "-", "\u2212", "\u2014"
_INVISIBLE = "\x00\u200b-\u200f\u202a-\u202e\u2060-\u2064\u2066-\u2069\ufeff"
_MARKS = (
    "\u0300-\u036f\u0591-\u05c7\u0610-\u061a\u064b-\u065f\u0670\u093c\u09bc\u1160-\u11ff"
    "\u1ab0-\u1aff\u1dc0-\u1dff\u20d0-\u20ff\u3099\u309a\ufe20-\ufe2f"
)
# `plain`: a unit's exponent (cm², not x² and not 10²) and an index behind a letter (CO₂) read as digits.
# At most 30 marks a letter, Unicode's own limit for streams: normalising longer runs takes quadratic time.
_ODD = re.compile(
    "(?P<plain>(?<![^\\W\\d_])[cdkmn\u00b5\u03bc]?m[\u00b2\u00b3](?![\u2070-\u2079\u00b9\u00b2\u00b3])"
    "|(?<=[A-Za-z])[\u2080-\u2089]+)"
    "|(?P<power>(?<=\\d)(?:\\^|\\*\\*)(?:[-+\u2212]?\\d{1,4}(?!\\d)|\\{[-+\u2212]?\\d{1,4}\\}|\\([-+\u2212]?\\d{1,4}\\)))"
    f"|[^\\x00-\\x7f][{_MARKS}]{{0,30}}|[\\x21-\\x7e][{_MARKS}]{{1,30}}|``|''|[`\\x00\\x02]"
)
# one blank between words stays as it is, and is not looked at
_SPACING = re.compile("(?!(?<=[A-Za-z]) [A-Za-z])(?:\\s*[-\u2014\u00ad]+\\s*|\\s+)")
_UNSEEN = re.compile(f"[\\s\u00ad\ufffe\x02{_INVISIBLE}]+$")
_BROKEN_WORD = re.compile("([^\\W\\d_]{1,40})(?:[\u00ad\ufffe\x02]\\s*|[-\u2010]\\s*\\n\\s*)([^\\W\\d_]{1,40})")
_NOT_SHOWN = re.compile(f"[\u00ad\ufffe\x02{_INVISIBLE}]")
_KEPT_FORMS = ("<super>", "<sub>", "<fraction>", "<circle>", "<square>")
_UNSPACED = re.compile(
    "[\u0e00-\u0eff\u1000-\u109f\u1780-\u17ff\u3040-\u30ff\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff]"
)
_IDEOGRAPH = re.compile("[\u3040-\u30ff\u3400-\u4dbf\u4e00-\u9fff\uac00-\ud7af\uf900-\ufaff]")
# folding leaves no blank between a figure or a mark and a word: "40 not treated" is "40not treated" there
_NEGATION = re.compile(
    r"(?<![^\W\d_])(?:no|not|none|never|neither|nor|without|cannot|\w+n't) ?$", re.IGNORECASE
)
_GOVERNS_NUMBER = frozenset("\u2212+<>=\u2264\u2265\u2260\u2248~\u00b1$\u20ac\u00a3\u00a5\u226a\u226b\u2a7d\u2a7e")
_GOVERNED_BY_NUMBER = frozenset("%\u2030\u00b0\u207a\u207b")
_IN_NUMBERS = frozenset(".,:'")
_CLOSING = frozenset(")]}%\u2030\u00b0'\"")


def _folding_table() -> dict[str, str]:
    shapes = {
        '"': "\u201c\u201d\u201e\u201f\u00ab\u00bb\u2033\u301d\u301e",
        "'": "\u2018\u2019\u201a\u201b\u2032\u00b4\u02bc\u2039\u203a`",
        _DASH: "\u2010\u2011\u2012\u2013\u2212\u02d7\u2043\ufe63",
        _LONG_DASH: "\u2014\u2015\u2e3a\u2e3b\ufe58",
        "\u00ad": "\u00ad\ufffe\x02",  # hyphens that a typesetter, or PDFium, marks at a line's end
        "/": "\u2044\u2215",
    }
    table = {shape: folded for folded, group in shapes.items() for shape in group}
    invisible = [range(0x200B, 0x2010), range(0x202A, 0x202F), range(0x2060, 0x2065), range(0x2066, 0x206A)]
    table.update({chr(code): "" for codes in [*invisible, (0x00, 0xFEFF)] for code in codes})
    return {**table, "``": '"', "''": '"'}


_TABLE = _folding_table()


class QuoteMatch(NamedTuple):
    """Where a quote stands: characters of the text, `end` exclusive."""

    start: int
    end: int


@lru_cache(maxsize=4096)
def _folded(cluster: str) -> str:
    """A character with its marks, in the form in which it is compared."""
    if cluster in _TABLE:
        return _TABLE[cluster]
    if unicodedata.decomposition(cluster[0]).startswith(_KEPT_FORMS):
        return unicodedata.normalize("NFC", cluster)
    return "".join(_TABLE.get(character, character) for character in unicodedata.normalize("NFKC", cluster))


def _folded_power(power: str) -> str:
    """`^4`, `**4`, `^{-4}` behind a number as the superscript that they are typed for."""
    return power.strip("^*(){}").translate(_SUPERSCRIPTS)


_FOLDED_GROUPS: dict[str, Callable[[str], str]] = {
    "": _folded,
    "plain": partial(unicodedata.normalize, "NFKC"),
    "power": _folded_power,
}


def _fold_characters(text: str) -> tuple[str, array[int]]:
    """The text with one form per character, and the place in `text` that each of its characters has."""
    pieces: list[str] = []
    origins = array("L")
    last = 0
    for found in _ODD.finditer(text):
        start, end = found.span()
        cluster = found.group()
        folded = _FOLDED_GROUPS[found.lastgroup or ""](cluster)
        pieces += (text[last:start], folded)
        origins.extend(range(last, start))
        origins.extend(range(start, end) if len(folded) == end - start else [start] * len(folded))
        last = end
    pieces.append(text[last:])
    origins.extend(range(last, len(text)))
    return "".join(pieces), origins


def _spacing(left: str, gap: str, right: str, far_left: str, far_right: str) -> str:
    """What stays of white space or a dash between two characters (empty at the text's ends)."""
    if not gap.isspace():
        return _dash(left, gap, right, far_right)
    if left.isalnum() and right.isalnum():
        if _UNSPACED.match(left) or _UNSPACED.match(right) or _RAISED.match(right):
            return ""
        return " " if left.isalpha() == right.isalpha() else ""
    inside_number = (left in _IN_NUMBERS and far_left.isdigit() and right.isdigit()) or (
        left.isdigit() and right in _IN_NUMBERS and far_right.isdigit()
    )
    return " " if inside_number and left and right else ""


def _dash(left: str, gap: str, right: str, far_right: str) -> str:
    """A dash by what it does: nothing inside a word, a sign, a range, or a break in the sentence."""
    attached_left, attached_right = not gap[0].isspace(), not gap[-1].isspace()
    if len(gap.strip()) > 2:
        return _LONG_DASH  # a rule across the page
    long = _LONG_DASH in gap
    if left.isalpha() and right.isalpha():
        return "" if attached_left and not long else _LONG_DASH
    if right.isdigit() or (right == "." and far_right.isdigit()):
        after_value = left.isalnum() or left in _CLOSING
        if left and after_value and (attached_left or (not attached_right and not left.isalpha())):
            return _DASH
        return _LONG_DASH if long else _SIGN
    return _DASH if attached_left and attached_right and not long else _LONG_DASH


def _fold(text: str) -> tuple[str, array[int]]:
    """The text in the form in which quotes are compared, and where each character of it came from."""
    plain, places = _fold_characters(text)
    pieces: list[str] = []
    origins = array("L")
    last = 0
    for found in _SPACING.finditer(plain):
        start, end = found.span()
        gap, left, right = found.group(), plain[start - 1 : start], plain[end : end + 1]
        folded = _spacing(left, gap, right, plain[max(start - 2, 0) : max(start - 1, 0)], plain[end + 1 : end + 2])
        if folded == gap:
            continue
        pieces += (plain[last:start], folded)
        origins.extend(places[last:start])
        if folded:
            origins.append(places[start])
        last = end
    pieces.append(plain[last:])
    origins.extend(places[last:])
    return "".join(pieces), origins


def folded(quote: str) -> str:
    """A quote in the form in which it is compared, as `QuoteIndex.folded` is for a text."""
    return _fold(quote.strip())[0]


def quotes_equal(one: str, other: str) -> bool:
    """Whether two texts say the same, word for word and number for number, however they are set."""
    return folded(one) == folded(other)


def _cut(left: str, right: str, together: bool) -> bool:
    """Whether a boundary between two characters cuts a word or a number. `together`: nothing between them."""
    if not (left.isalnum() and right.isalnum()) or _UNSPACED.match(left) or _UNSPACED.match(right):
        return False
    return together or left.isalpha() == right.isalpha()


class QuoteIndex:
    """A text made ready for the look-up of several quotes. Linear time and memory; safe to share by threads.

    `shown`: the same text, character for character, as people and models are shown it, where that differs: with
    superscripts in place of digits that a PDF sets as exponents. Then a quote may have them all in either form, and
    10⁴ is found where 10 is raised to the 4th, never where 104 or 10⁵ stands. `folded`: the text in the form in which
    quotes are compared."""

    def __init__(self, text: str, shown: str = "") -> None:
        self.text = text
        self._shown = shown if shown != text else ""
        self.folded, self._origins = _fold(text)

    def place(self, start: int, end: int) -> QuoteMatch | None:
        """Where characters `start` to `end` of `folded` stand in the text, or None where they cut a word or number, or
        leave out what governs them."""
        if not (0 <= start < end <= len(self.folded) and self._begins(start) and self._ends(end)):
            return None
        return QuoteMatch(self._origins[start], self._end_of(end))

    @cached_property
    def _backwards(self) -> str:
        return self.folded[::-1]  # `str.rfind` takes quadratic time on periodic texts, `find` does not

    def find(self, quote: str, hint: int | None = None) -> QuoteMatch | None:
        """Where `quote` stands, or None. Of several places the one that begins nearest to `hint` (characters
        of the text), without a hint the first. Never matches what is too short or too long for a quote."""
        if refusal_of_length(quote):
            return None
        match = self._find(quote, hint)
        if match is None and self._shown and _RAISED.search(quote):
            match = self._index_of_shown._find(quote, hint)
        if match is None and self._index_of_joined is not None:
            match = self._index_of_joined._find(quote, hint)
        return match

    @cached_property
    def _index_of_shown(self) -> QuoteIndex:
        return QuoteIndex(self._shown)

    @cached_property
    def _index_of_joined(self) -> QuoteIndex | None:
        """Of the text as it reads where pages turn; None where it reads as it stands."""
        text = self._shown or self.text
        joined = joined_over_heads(text)
        return QuoteIndex(joined) if joined != text else None

    def _find(self, quote: str, hint: int | None) -> QuoteMatch | None:
        wanted = folded(quote)
        at = 0 if hint is None else bisect_left(self._origins, hint)
        found = [next(self._whole(self._after(wanted, at), wanted), None)]
        if hint is not None:
            found.append(next(self._whole(self._before(wanted, at), wanted), None))
        matches = [match for match in found if match is not None]
        return min(matches, key=lambda match: abs(match.start - (hint or 0)), default=None)

    def refusal(self, quote: str, hint: int | None = None) -> str:
        """Why `quote` is not accepted, in words; empty where it stands in the text."""
        length = refusal_of_length(quote)
        if length or self.find(quote, hint) is not None:
            return length
        if folded(quote) in self.folded:
            return "the quote leaves out part of a word or number, or the negation or sign that governs it"
        return "these words do not stand in the paper"

    def _after(self, wanted: str, at: int) -> Iterator[int]:
        for _ in range(_TRIES):
            at = self.folded.find(wanted, at)
            if at < 0:
                return
            yield at
            at += 1

    def _before(self, wanted: str, at: int) -> Iterator[int]:
        backwards, size = wanted[::-1], len(self.folded)
        mirrored = size - at - len(wanted) + 1
        for _ in range(_TRIES):
            mirrored = self._backwards.find(backwards, max(mirrored, 0))
            if mirrored < 0:
                return
            yield size - mirrored - len(wanted)
            mirrored += 1

    def _whole(self, places: Iterator[int], wanted: str) -> Iterator[QuoteMatch]:
        for start in places:
            match = self.place(start, start + len(wanted))
            if match is not None:
                yield match

    def _end_of(self, end: int) -> int:
        """The end in the text of the folded character before `end`, without what was folded away behind it."""
        low = self._origins[end - 1]
        high = self._origins[end] if end < len(self._origins) else len(self.text)
        unseen = _UNSEEN.search(self.text, low + 1, high)
        return unseen.start() if unseen else max(high, low + 1)

    def _between(self, at: int) -> str:
        """What stands in the text between the folded characters before and at `at`."""
        return self.text[self._origins[at - 1] + 1 : self._origins[at]]

    def _begins(self, at: int) -> bool:
        if at == 0:
            return True
        left, right, gap = self.folded[at - 1], self.folded[at], self._between(at)
        if _cut(left, right, not gap) or self._origins[at] == self._origins[at - 1]:
            return False
        if left == _DASH and right.isalnum():
            return False
        before = self.folded[max(at - 2, 0) : at - 1]
        if right.isdigit() and (left in _GOVERNS_NUMBER or (left in _IN_NUMBERS and before.isdigit() and not gap)):
            return False
        if not _NEGATION.search(self.folded[max(at - 24, 0) : at]):
            return True
        return "\n" in self.text[self._origins[at - 1] : self._origins[at]] and right.isupper()

    def _ends(self, at: int) -> bool:
        if at >= len(self.folded):
            return True
        left, right, gap = self.folded[at - 1], self.folded[at], self._between(at)
        if _cut(left, right, not gap) or self._origins[at] == self._origins[at - 1]:
            return False
        after = self.folded[at + 1 : at + 2]
        if right == _DASH and left.isalnum() and after.isalnum():
            return False
        cuts_number = right in _IN_NUMBERS and after.isdigit() and not gap
        return not (left.isdigit() and (right in _GOVERNED_BY_NUMBER or cuts_number))


def refusal_of_length(quote: str) -> str:
    """Why a quote is no quote by its length alone; empty where its length is sensible."""
    if len(quote) > LONGEST_QUOTE:
        return f"the quote has more than {LONGEST_QUOTE:,} characters"
    letters = sum(map(str.isalnum, quote)) + len(_IDEOGRAPH.findall(quote))
    if letters < SHORTEST_QUOTE:
        return f"the quote has fewer than {SHORTEST_QUOTE} letters"
    return ""


def find_quote(text: str, quote: str, hint: int | None = None) -> QuoteMatch | None:
    """Where `quote` stands in `text`, or None; `hint` as in `QuoteIndex.find`. For several quotes of one text
    make one `QuoteIndex`."""
    return QuoteIndex(text).find(quote, hint)


def readable(text: str, start: int, end: int) -> str:
    """The characters of a match on one line: white space made single, words broken at a line's end joined. A
    hyphen stays where the paper writes the word with one elsewhere too."""

    def join(found: re.Match[str]) -> str:
        hyphened = f"{found.group(1)}-{found.group(2)}"
        return hyphened if hyphened in text else found.group(1) + found.group(2)

    quote = text[start:end]
    shown = " ".join(_NOT_SHOWN.sub("", _BROKEN_WORD.sub(join, quote)).split())
    return shown if quotes_equal(shown, quote) else " ".join(quote.split())
