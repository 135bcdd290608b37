"""EvidenceIndex: one text, read once, asked many questions.

    text -> sentences -> parts (sections, roles) -> stems
         -> prior of each sentence: does it look like a place where such a text answers?
    question, keywords -> weights of words -> match of each sentence -> prior + match -> best spans

Nothing here is random, and nothing but the arguments decides: equal texts and questions give equal spans.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from functools import cached_property, lru_cache
from math import exp
from operator import mul
from typing import NamedTuple

from . import weights
from .abbreviations import abbreviations
from .places import FLAGS, ROLES, Place, places_of, signs_of
from .query import MATCHES, Query
from .sentences import Span

EXACT_FROM = 0.5
"""How surely a text must report results for its coverage to rest on the very words asked for: the terms of a study are
exact, and what only resembles an outcome is another one. Elsewhere synonyms speak for the words (see `synonyms`)."""

LONGEST_QUESTION = 20_000
"""Characters of a question that are read; what stands behind is left out."""


class Sentence(NamedTuple):
    """One sentence (or table row): characters of the text, and where in the paper it stands.

    `section` is one of the names in `sections`; `role` is what it does there: an abstract's sentence has the section
    "abstract" and the role "results", say.
    """

    start: int
    end: int
    section: str
    role: str


class EvidenceSpan(NamedTuple):
    """A passage that may answer: characters `start` to `end` of the text; `score` from 0 to 1, comparable in
    one text."""

    start: int
    end: int
    score: float


class EvidenceIndex:
    """A text prepared for questions.

    `excluded`: (start, end) character ranges that are never ranked (hidden text, running heads). Building is linear in
    the text; an index never changes afterwards, so that threads may share it.
    """

    def __init__(self, text: str, *, excluded: Iterable[Span] = ()) -> None:
        self._places, self.reporting = places_of(text, tuple(excluded))
        self._short_forms = abbreviations(text)
        self._priors: dict[_Prior, list[float]] = {}

    @property
    def exact(self) -> bool:
        """Whether only the words asked for count in the text as a whole, and no synonyms (see EXACT_FROM)."""
        return self.reporting >= EXACT_FROM

    @cached_property
    def sentences(self) -> tuple[Sentence, ...]:
        """The sentences that may be evidence, in order."""
        return tuple(Sentence(place.start, place.end, *place.part) for place in self._places)

    def rank(self, question: str, keywords: Sequence[str] = (), k: int = 10) -> list[EvidenceSpan]:
        """The `k` best passages for `question`, best first; fewer where fewer speak to it, none where no word does."""
        query = self._query(question, keywords)
        match, prior = blended(query.focused, self.reporting)
        weighed = self._priors.get(prior)
        if weighed is None:
            weighed = self._priors[prior] = list(map(prior.of, self._places))
        scored = [(-sum(map(mul, match, features)) - weighed[at], at) for at, features in query.matches()]
        scored.sort()
        best = [(self._places[at], _squashed(-score)) for score, at in scored[: max(0, k)]]
        return [EvidenceSpan(place.start, place.end, score) for place, score in best]

    def coverage(self, question: str, keywords: Sequence[str] = ()) -> float:
        """How surely the text speaks to `question`, 0 to 1, comparable between texts and questions.

        `weights.COVERED` and `weights.PARTIAL` are the thresholds fitted to it.
        """
        query = self._whole(question, keywords)
        answers = query.answers()
        if answers is None:
            return 0.0
        focused = weights.COVERAGE_FOCUSED if query.focused else weights.COVERAGE_OPEN
        score = self.reporting * _linear(focused, answers) + (1 - self.reporting) * _linear(
            weights.COVERAGE_PLAIN, answers
        )
        return _squashed(score)

    def candidates(self, question: str, keywords: Sequence[str] = ()) -> list[tuple[Place, tuple[float, ...]]]:
        """Every place that shares a word with the question, and its features: what the weights are fitted on."""
        found = [(self._places[at], features) for at, features in self._query(question, keywords).matches()]
        return [(place, features + signs_of(place)) for place, features in found]

    def answers(self, question: str, keywords: Sequence[str] = ()) -> tuple[float, ...] | None:
        """The features of `coverage` (see `query.ANSWERS`); None where the text has no word of the question."""
        return self._whole(question, keywords).answers()

    def _query(self, question: str, keywords: Sequence[str], exact: bool = False) -> Query:
        return Query(question[:LONGEST_QUESTION], keywords, self._places, self._short_forms, exact)

    def _whole(self, question: str, keywords: Sequence[str]) -> Query:
        """The question as the text as a whole is asked."""
        return self._query(question, keywords, self.exact)


def _linear(fitted: tuple[float, ...], answers: tuple[float, ...]) -> float:
    """Weights, the last of them the bias, times features."""
    return float(sum(map(mul, fitted, answers)) + fitted[-1])


class _Prior:
    """What the signs of a place weigh, whatever is asked; flags are looked up in two tables of 256."""

    def __init__(self, learnt: tuple[float, ...]) -> None:
        flags = learnt[: len(FLAGS)]
        self._low = [sum(w for i, w in enumerate(flags[:8]) if bits >> i & 1) for bits in range(256)]
        self._high = [sum(w for i, w in enumerate(flags[8:]) if bits >> i & 1) for bits in range(256)]
        self._roles = learnt[len(FLAGS) : len(FLAGS) + len(ROLES)]
        self._levels = learnt[len(FLAGS) + len(ROLES) :]

    def of(self, place: Place) -> float:
        """The prior of a place."""
        one, two, three, four, five, six = place.levels
        w1, w2, w3, w4, w5, w6 = self._levels  # written out: several times as fast as a sum over pairs
        levels = one * w1 + two * w2 + three * w3 + four * w4 + five * w5 + six * w6
        return self._low[place.flags & 255] + self._high[place.flags >> 8] + self._roles[place.role] + levels


@lru_cache(maxsize=32)
def blended(focused: bool, reporting: float) -> tuple[tuple[float, ...], _Prior]:
    """The weights between those of a text that reports no results and those of one that does (`reporting` 0 to 1)."""
    plain, full = weights.FOCUSED if focused else weights.OPEN
    learnt = tuple(low + reporting * (high - low) for low, high in zip(plain, full, strict=True))
    return learnt[: len(MATCHES)], _Prior(learnt[len(MATCHES) :])


def _squashed(score: float) -> float:
    """A score as a share: 0.5 at 0."""
    return 1.0 / (1.0 + exp(-max(-60.0, min(60.0, score))))


def rank_evidence(text: str, question: str, keywords: Sequence[str] = (), k: int = 10) -> list[EvidenceSpan]:
    """The `k` passages of `text` that best answer `question`; `keywords` are the words that matter most."""
    return EvidenceIndex(text).rank(question, keywords, k)


def coverage(text: str, question: str, keywords: Sequence[str] = ()) -> float:
    """How surely `text` speaks to `question`, from 0 to 1."""
    return EvidenceIndex(text).coverage(question, keywords)
