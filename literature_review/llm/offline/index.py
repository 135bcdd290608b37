"""EvidenceIndex: one text, read once, asked many questions.

    text -> sentences -> parts (sections, roles) -> stems
         -> prior of each sentence: does it look like a place where such a text answers?
    question, keywords -> weights of words -> match of each sentence -> prior + match -> best spans

Nothing here is random, and nothing but the arguments decides: equal texts and questions give equal spans.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from math import exp
from operator import mul
from typing import NamedTuple

from . import weights
from .abbreviations import abbreviations
from .places import Place, places_of
from .query import Query
from .sentences import Span

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
    """A passage that may answer: characters `start` to `end` of the text; `score` from 0 to 1, comparable in one text."""

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
        self.sentences: tuple[Sentence, ...] = tuple(
            Sentence(place.start, place.end, place.part.section, place.part.role) for place in self._places
        )

    def rank(self, question: str, keywords: Sequence[str] = (), k: int = 10) -> list[EvidenceSpan]:
        """The `k` best passages for `question`, best first; fewer where fewer speak to it, none where no word does."""
        scored = self._scored(question, keywords)
        scored.sort(key=lambda pair: (-pair[0], pair[1].start))
        return [EvidenceSpan(place.start, place.end, _squashed(score)) for score, place in scored[: max(0, k)]]

    def coverage(self, question: str, keywords: Sequence[str] = ()) -> float:
        """How surely the text speaks to `question`, 0 to 1, comparable between texts and questions.

        `weights.COVERED` and `weights.PARTIAL` are the thresholds fitted to it.
        """
        answers = self._query(question, keywords).answers(self.reporting)
        if not any(answers):
            return 0.0
        return _squashed(weights.COVERAGE_BIAS + sum(map(mul, weights.COVERAGE, answers)))

    def _query(self, question: str, keywords: Sequence[str]) -> Query:
        return Query(question[:LONGEST_QUESTION], keywords, self._places, self._short_forms)

    def _scored(self, question: str, keywords: Sequence[str]) -> list[tuple[float, Place]]:
        query = self._query(question, keywords)
        learnt = weights.blended(weights.FOCUSED if query.focused else weights.OPEN, self.reporting)
        prior = weights.blended(weights.FOCUSED_PRIOR if query.focused else weights.OPEN_PRIOR, self.reporting)
        return [
            (sum(map(mul, learnt, features)) + sum(map(mul, prior, place.signs)), place)
            for place, features in query.matches()
        ]


def _squashed(score: float) -> float:
    """A score as a share: 0.5 at 0."""
    return 1.0 / (1.0 + exp(-max(-60.0, min(60.0, score))))


def rank_evidence(text: str, question: str, keywords: Sequence[str] = (), k: int = 10) -> list[EvidenceSpan]:
    """The `k` passages of `text` that best answer `question`; `keywords` are the words that matter most."""
    return EvidenceIndex(text).rank(question, keywords, k)


def coverage(text: str, question: str, keywords: Sequence[str] = ()) -> float:
    """How surely `text` speaks to `question`, from 0 to 1."""
    return EvidenceIndex(text).coverage(question, keywords)
