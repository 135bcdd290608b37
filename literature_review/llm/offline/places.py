"""The sentences of a text as places where an answer may stand: their words, their part, their signs."""

from __future__ import annotations

import re
from bisect import bisect_left, bisect_right
from collections.abc import Sequence
from functools import cache
from itertools import accumulate
from math import log
from typing import NamedTuple

from .sections import HEADING, NEVER_EVIDENCE, Part, mark_excluded, parts_of
from .sentences import Span, split_sentences
from .signs import BINDING, CITED, COMPARED, FOUND, HEDGED, PLANNED, SIGNIFICANT, STATISTIC
from .tokens import stem_set, stems

_NUMBER = re.compile(r"\d+(?:\.\d+)?")
_REFERS = re.compile(r"\b(?:Table|Fig|Figure)s?\b")

_GROUPS = stem_set("group groups arm arms control placebo between vs versus both treatment intervention")
_START = stem_set("baseline randomized enrolled screened age sex eligible recruited withdrew characteristics demographic")
SIGNS = (
    "statistic", "statistics", "significant", "compared", "compared twice", "found", "planned", "hedged", "groups",
    "start", "cited", "refers", "numbers", "percent", "dense", "place", "place squared",
    "abstract results", "abstract conclusion", "abstract other", "introduction", "methods", "results", "discussion",
    "conclusion", "length", "length squared", "fragment", "binding", "end",
)  # fmt: skip
"""Names of a place's signs."""

_WORDS_OF_SIGNS = COMPARED | SIGNIFICANT | FOUND | HEDGED | PLANNED | BINDING | _GROUPS | _START


class Place(NamedTuple):
    """A sentence as the ranking sees it. `reports`: 0 to 1, how much it looks like a reported result."""

    start: int
    end: int
    part: Part
    words: list[str]
    present: frozenset[str]
    head: frozenset[str]
    reports: float
    signs: tuple[float, ...]


def _hits(pattern: re.Pattern[str], text: str, starts: Sequence[int]) -> list[int]:
    """How often `pattern` occurs in each sentence, from one scan of the text."""
    counts = [0] * len(starts)
    for found in pattern.finditer(text):
        at = bisect_right(starts, found.start()) - 1
        if at >= 0:
            counts[at] += 1
    return counts


def _overlaps(excluded: Sequence[Span], spans: Sequence[Span]) -> set[int]:
    """The sentences that share a character with an excluded range."""
    starts = [start for start, _ in spans]
    hit: set[int] = set()
    for low, high in excluded:
        first = max(0, bisect_right(starts, low) - 1)
        hit.update(i for i in range(first, bisect_left(starts, high)) if spans[i][1] > low)
    return hit


@cache
def _role_signs(part: Part) -> tuple[float, ...]:
    if part.section == "abstract":
        kind = f"abstract {part.role}" if part.role in ("results", "conclusion") else "abstract other"
    else:
        kind = part.role
    return tuple(1.0 if name == kind else 0.0 for name in SIGNS[17:25])


def _density(strong: Sequence[float], around: int = 4) -> list[float]:
    """The mean of `strong` over the sentences around each one."""
    total = [0.0, *accumulate(strong)]
    last = len(strong)
    return [
        (total[min(last, i + around + 1)] - total[max(0, i - around)])
        / (min(last, i + around + 1) - max(0, i - around))
        for i in range(last)
    ]


def reporting_of(strong: Sequence[float]) -> float:
    """0 to 1: how surely a text reports results, by the sentences that give a statistic or speak of significance."""
    told = sum(strong)
    return min(1.0, told / 6.0) * min(1.0, 40.0 * told / max(1, len(strong)))


def places_of(text: str, excluded: Sequence[Span] = ()) -> tuple[list[Place], float]:
    """The places of `text` in order, those that are never evidence left out, and how surely the text reports results."""
    spans = split_sentences(text)
    parts = parts_of(text, spans)
    mark_excluded(text, spans, parts)
    for i in _overlaps(excluded, spans):
        parts[i] = Part("running head", "running head")
    starts = [start for start, _ in spans]
    statistics, cited = _hits(STATISTIC, text, starts), _hits(CITED, text, starts)
    refers, numbers = _hits(_REFERS, text, starts), _hits(_NUMBER, text, starts)
    words = [stems(text[start:end]) for start, end in spans]
    present = [frozenset(found) for found in words]
    told = [found & _WORDS_OF_SIGNS for found in present]
    strong = [
        1.0 if (statistics[i] or told[i] & SIGNIFICANT) and parts[i].section not in NEVER_EVIDENCE else 0.0
        for i in range(len(spans))
    ]
    reporting, dense, length = reporting_of(strong), _density(strong), max(1, len(text))
    places = []
    head: frozenset[str] = frozenset()
    for i, (start, end) in enumerate(spans):
        if parts[i].section in NEVER_EVIDENCE:
            if parts[i].section == HEADING:
                head = present[i]
            continue
        seen, at = told[i], start / length
        significant, compared = len(seen & SIGNIFICANT), len(seen & COMPARED)
        size = log((end - start) / 150.0)
        signs = (
            1.0 if statistics[i] else 0.0, 1.0 if statistics[i] > 1 else 0.0, 1.0 if significant else 0.0,
            1.0 if compared else 0.0, 1.0 if compared > 1 else 0.0, 1.0 if seen & FOUND else 0.0,
            1.0 if seen & PLANNED else 0.0, 1.0 if seen & HEDGED else 0.0, 1.0 if seen & _GROUPS else 0.0,
            1.0 if seen & _START else 0.0, 1.0 if cited[i] else 0.0, 1.0 if refers[i] else 0.0,
            min(numbers[i], 6) / 6.0, 1.0 if "%" in text[start:end] else 0.0, dense[i], at, at * at,
            *_role_signs(parts[i]), size, size * size, 1.0 if len(words[i]) < 5 else 0.0,
            1.0 if seen & BINDING else 0.0, 1.0 if text[end - 1] in ".;" else 0.0,
        )  # fmt: skip
        reports = min(1.0, 0.5 * (statistics[i] > 0) + 0.4 * (significant > 0) + 0.3 * (compared > 0))
        places.append(Place(start, end, parts[i], words[i], present[i], head, reports, signs))
    return places, reporting
