"""The sentences of a text as places where an answer may stand: their words, their part, their signs.

Signs that are there or not are the bits of one number, so that a table gives the weight of all of them at once.
"""

from __future__ import annotations

import re
from bisect import bisect_left, bisect_right
from collections.abc import Sequence
from itertools import accumulate
from math import log
from typing import NamedTuple

from literature_review.text.running_heads import without_running_heads

from .sections import HEADING, NEVER_EVIDENCE, RUNNING, Part, mark_excluded, parts_of
from .sentences import Span, split_sentences
from .signs import BINDING, COMPARED, FOUND, HEDGED, PLANNED, SIGNIFICANT
from .tokens import StemmedText, stem_set

_RELATION = tuple(re.compile(rf"{sign}\s?-?[\d.]") for sign in "<>=\u2264\u2265\xb1")
_CITATION = re.compile(r"\[\d"), re.compile(r"\([A-Z][\w'-]{1,30}(?: and [A-Z][\w'-]{1,30})?,? (?:19|20)\d\d")
"""A pattern that begins with one sign is looked for many times as fast as one that begins with any of a few."""
_GROUPS = stem_set("group groups arm arms control placebo between vs versus both treatment intervention")
_TELLING = COMPARED | SIGNIFICANT | FOUND | stem_set("p ci cis vs versus")
_NEAR = 5  # words
_START = stem_set(
    "baseline randomized enrolled screened age sex eligible recruited withdrew characteristics demographic"
)
_INTERVAL = stem_set("ci cis odds hazard")
_DUTY = stem_set("shall undertake undertakes obligation obligations obliged entitled hereby herein thereof hereunder")
_TABLE = stem_set("table tables fig figs figure figures")

FLAGS = (
    "statistic", "statistics", "significant", "compared", "compared twice", "found", "planned", "hedged", "groups",
    "start", "cited", "refers", "percent", "fragment", "binding", "end",
)  # fmt: skip
"""Signs that are there or not; the i-th is the bit 1 << i of a place's flags."""

ROLES = (
    "abstract results", "abstract conclusion", "abstract other", "introduction", "methods", "results", "discussion",
    "conclusion", "unknown",
)  # fmt: skip
LEVELS = ("many numbers", "dense", "place", "place squared", "length", "length squared")
SIGNS = (*FLAGS, *ROLES, *LEVELS)
"""Names of all signs of a place."""

_BIT = {name: 1 << i for i, name in enumerate(FLAGS)}
_STATISTIC, _STATISTICS, _CITED, _TWICE = (
    _BIT[name] for name in ("statistic", "statistics", "cited", "compared twice")
)
_PERCENT, _FRAGMENT, _END = _BIT["percent"], _BIT["fragment"], _BIT["end"]
_SIGN_BITS: dict[str, int] = {}
for _name, _stems in (
    ("significant", SIGNIFICANT), ("compared", COMPARED), ("found", FOUND), ("planned", PLANNED), ("hedged", HEDGED),
    ("groups", _GROUPS), ("start", _START), ("binding", BINDING), ("statistic", _INTERVAL), ("refers", _TABLE),
    ("cited", frozenset({"al"})),
):  # fmt: skip
    for _stem in _stems:
        _SIGN_BITS[_stem] = _SIGN_BITS.get(_stem, 0) | _BIT[_name]
_SIGN_WORDS = frozenset(_SIGN_BITS)
_NOTHING: frozenset[str] = frozenset()
_STRONG = _STATISTIC | _BIT["significant"]


class Place(NamedTuple):
    """A sentence as the ranking sees it.

    `spelt`: its words, a blank around each; `head`: words of the heading above it; `reports`: 0 to 1, how much it looks
    like a reported result; `told`: where it does, its words near those that tell what came of something: the outcome
    that is told of is named there; `flags`, `role` and `levels`: its signs.
    """

    start: int
    end: int
    part: Part
    spelt: str
    present: frozenset[str]
    head: frozenset[str]
    reports: float
    told: frozenset[str]
    flags: int
    role: int
    levels: tuple[float, ...]


def signs_of(place: Place) -> tuple[float, ...]:
    """The signs of a place as numbers, in the order of SIGNS."""
    flags = (float(place.flags >> i & 1) for i in range(len(FLAGS)))
    return (*flags, *(float(i == place.role) for i in range(len(ROLES))), *place.levels)


def _role_of(part: Part) -> int:
    if part.section == "abstract":
        kind = f"abstract {part.role}" if part.role in ("results", "conclusion") else "abstract other"
    else:
        kind = part.role
    return ROLES.index(kind) if kind in ROLES else len(ROLES) - 1


def _hits(patterns: Sequence[re.Pattern[str]], text: str, starts: Sequence[int]) -> dict[int, int]:
    """How often one of `patterns` occurs in the sentences that have it, from a scan of the text each."""
    counts: dict[int, int] = {}
    for pattern in patterns:
        for found in pattern.finditer(text):
            at = bisect_right(starts, found.start()) - 1
            counts[at] = counts.get(at, 0) + 1
    return counts


def _exclude(excluded: Sequence[Span], spans: Sequence[Span], parts: list[Part]) -> None:
    """Mark the sentences that share a character with an excluded range, in place."""
    starts = [start for start, _ in spans]
    for low, high in excluded:
        first = max(0, bisect_right(starts, low) - 1)
        for i in range(first, bisect_left(starts, high)):
            if spans[i][1] > low:
                parts[i] = Part(RUNNING, RUNNING)


def _density(strong: Sequence[int], around: int = 4) -> list[float]:
    """The mean of `strong` over the sentences around each one."""
    total = [*[0] * (around + 1), *accumulate(strong)]
    total += total[-1:] * around
    return [(high - low) / (2 * around + 1) for low, high in zip(total, total[2 * around + 1 :], strict=False)]


def reporting_of(telling: int, binding: int, sentences: int) -> float:
    """0 to 1, in eighths: how surely a text reports results, by its sentences that tell one, with a statistic or
    "significant". Those that bind somebody speak against it: a contract may well call something significant."""
    told = max(0, telling - binding)
    return round(8 * min(1.0, told / 6.0) * min(1.0, 40.0 * told / max(1, sentences))) / 8


def _flags(present: frozenset[str], words: int, piece: str, relations: int, cited: bool) -> int:
    seen, flags = present & _SIGN_WORDS, 0
    for word in seen:
        flags |= _SIGN_BITS[word]
    if relations:
        flags |= _STATISTIC | _STATISTICS if relations > 1 else _STATISTIC
    if len(seen) > 1 and len(seen & COMPARED) > 1:
        flags |= _TWICE
    if cited:
        flags |= _CITED
    if "%" in piece:
        flags |= _PERCENT
    if words < 5:
        flags |= _FRAGMENT
    return flags | _END if piece[-1] in ".;" else flags


def _reports(flags: int) -> float:
    """How much a sentence with these flags looks like a reported result, 0 to 1."""
    return min(
        1.0,
        0.5 * (flags & _STATISTIC > 0) + 0.4 * (flags & _BIT["significant"] > 0) + 0.3 * (flags & _BIT["compared"] > 0),
    )


_FIRST_FLAGS = (_BIT["compared"] << 1) - 1  # those that `_reports` reads are among them
_REPORTS = tuple(map(_reports, range(_FIRST_FLAGS + 1)))


def _told(words: list[str]) -> frozenset[str]:
    """The words that stand near one that tells a result."""
    near: list[str] = []
    last = 0
    for at in [at for at, word in enumerate(words) if word in _TELLING]:
        near += words[max(last, at - _NEAR) : at + _NEAR + 1]
        last = at + _NEAR + 1
    return frozenset(near)


def places_of(text: str, excluded: Sequence[Span] = ()) -> tuple[list[Place], float]:
    """The places of `text` in order, without those that are never evidence; how surely the text reports results."""
    text = without_running_heads(text)
    spans = split_sentences(text)
    parts = parts_of(text, spans)
    mark_excluded(text, spans, parts)
    _exclude(excluded, spans, parts)
    starts = [start for start, _ in spans]
    relations, cited = _hits(_RELATION, text, starts), _hits(_CITATION, text, starts)
    stemmed = StemmedText(text)
    read: list[tuple[int, int, Part, str, frozenset[str], frozenset[str], frozenset[str], int, int]] = []
    head, binding = _NOTHING, 0
    for i, ((start, end), part) in enumerate(zip(spans, parts, strict=True)):
        section = part.section
        if section in NEVER_EVIDENCE:
            if section == HEADING:
                head = frozenset(stemmed.of(start, end))
            continue
        words = stemmed.of(start, end)
        present = frozenset(words)
        flags = _flags(present, len(words), text[start:end], relations.get(i, 0), i in cited)
        binding += not present.isdisjoint(_DUTY)
        told = _told(words) if _REPORTS[flags & _FIRST_FLAGS] else _NOTHING
        figures, spelt = sum(map(str.isdigit, words)), f" {' '.join(words)} "
        read.append((start, end, part, spelt, present, head, told, flags, figures))
    strong = [1 if one[7] & _STRONG else 0 for one in read]
    # "CI" without a figure is more often a short form of something else than an interval.
    telling = sum([1 for *_, flags, figures in read if flags & (_STRONG if figures else _BIT["significant"])])
    dense, length = _density(strong), max(1, len(text))
    roles = {part: _role_of(part) for part in set(parts)}
    places = []
    for (start, end, part, spelt, present, above, told, flags, figures), near in zip(read, dense, strict=True):
        at, size = start / length, log((end - start) / 150.0)
        levels = (min(figures, 6) / 6.0, near, at, at * at, size, size * size)
        reports = _REPORTS[flags & _FIRST_FLAGS]
        places.append(Place(start, end, part, spelt, present, above, reports, told, flags, roles[part], levels))
    return places, reporting_of(telling, binding, len(read))
