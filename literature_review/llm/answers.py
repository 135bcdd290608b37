"""What a model's answers come to: findings over all parts of a paper, verdicts over all votes.

    answers about excerpts --each quote looked up in our own text--> places, best first, each once -> Findings
    votes on a claim       --majority, mean of the scores-----------> Verdict

Answers are valid against their schema already. What they say of places is not asked for; what they quote that does not
stand in the paper comes last, for the quote check to refuse and write down. The order of the answers changes nothing.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, NamedTuple

from literature_review.llm.excerpts import PAGE_MARK, Excerpt, visible_text
from literature_review.llm.question_limits import Limits
from literature_review.llm.questions import SCORES, names
from literature_review.models import Document, Findings, Proposal, SubRequirement, Verdict
from literature_review.text.near_quotes import find_near
from literature_review.text.quote_indexes import index_of
from literature_review.text.quotes import QuoteMatch

MOST_SUSPICIOUS = 5

_MARKS_AROUND = "\"'\u201c\u201d\u201e\u00ab\u00bb\u2018\u2019\u2026 "


class Found(NamedTuple):
    """A quote that a model gave, as it is to be checked, and where it stands (None: nowhere)."""

    quote: str
    place: QuoteMatch | None


class QuoteFinder:
    """Looks a model's quotes up in the visible text of a paper. Safe to share by threads."""

    def __init__(self, document: Document) -> None:
        self.text = visible_text(document)
        self._index = index_of(visible_text(document, plain=True), self.text)
        self._has_marks_of_its_own = PAGE_MARK.search(self.text) is not None

    def find(self, quote: str, hint: int) -> Found:
        """Where the quote stands, the nearest to `hint` (characters of the text). Taken off it are our page marks, and
        what models set around a quote, or make of its first letter, where the paper has it otherwise."""
        if not self._has_marks_of_its_own:
            quote = PAGE_MARK.sub(" ", quote)
        bare = quote.strip(_MARKS_AROUND).lstrip(".")
        for form in (quote, bare, bare.rstrip(f".{_MARKS_AROUND}"), bare[:1].swapcase() + bare[1:]):
            place = self._index.find(form, hint)
            if place is not None:
                return Found(form, place)
        return Found(quote, find_near(self._index, quote, hint))


class _Passage(NamedTuple):
    quote: str
    place: QuoteMatch
    score: float
    reason: str

    @property
    def rank(self) -> tuple[Any, ...]:
        """Best first; equal ones by place and words, so that the order of the answers decides nothing."""
        return (-self.score, self.place, self.quote, self.reason)


class PaperFindings:
    """Gathers the answers about one paper's excerpts. Used by one thread."""

    def __init__(self, finder: QuoteFinder, limits: Limits) -> None:
        self._finder, self._limits = finder, limits
        self._claimed: dict[str, list[_Passage]] = {}
        self._near: dict[str, list[_Passage]] = {}
        self._invented: dict[str, list[Proposal]] = {}
        self._coverage: dict[str, float] = {}
        self._suspicious: dict[str, None] = {}

    def add(self, excerpt: Excerpt, asked: Sequence[SubRequirement], data: Mapping[str, Any]) -> None:
        """One answer: `data` as `claims_schema` describes it; `asked`: what s1, s2 ... stand for."""
        ids = dict(zip(names("s", len(asked)), (sub.id for sub in asked), strict=True))
        middle = (excerpt.start + excerpt.spans[-1][1]) // 2
        for row in data["claims"]:
            self._take(ids[row["sub_requirement"]], row, middle, self._claimed)
        for row in data["nearest"]:
            self._take(ids[row["sub_requirement"]], row, middle, self._near)
        for row in data["coverage"]:
            sub, value = ids[row["sub_requirement"]], _unit(row["coverage"])
            self._coverage[sub] = max(value, self._coverage.get(sub, 0.0))
        for words in data["suspicious"]:
            if self._finder.find(words, middle).place is not None:
                self._suspicious.setdefault(" ".join(words.split()))

    def _take(self, sub: str, row: Mapping[str, Any], hint: int, where: dict[str, list[_Passage]]) -> None:
        found = self._finder.find(row["quote"], hint)
        score, reason = _unit(row["score"]), " ".join(row["reason"].split()) or "given by the model without a reason"
        if found.place is not None:
            where.setdefault(sub, []).append(_Passage(found.quote, found.place, score, reason))
        elif where is self._claimed:
            self._invented.setdefault(sub, []).append(Proposal(sub, found.quote, score, reason))

    def findings(self, wanted: Sequence[SubRequirement]) -> Findings:
        """The best claims per sub-requirement and the nearest that were turned down, within the limits; behind them
        as many quotes that stand nowhere, which the quote check refuses."""
        proposals: list[Proposal] = []
        turned_down: list[Proposal] = []
        invented: list[Proposal] = []
        coverage: dict[str, float] = {}
        for sub in wanted:
            claimed = _each_place_once(self._claimed.get(sub.id, ()))
            taken, rest = claimed[: self._limits.claims], claimed[self._limits.claims :]
            places = {passage.place for passage in claimed}
            near = [each for each in _each_place_once(self._near.get(sub.id, ())) if each.place not in places]
            left = [_beaten(passage) for passage in rest] + near
            proposals += [_proposal(sub.id, passage) for passage in taken]
            turned_down += [_proposal(sub.id, each) for each in sorted(left, key=_rank)[: self._limits.nearest]]
            made_up = sorted(self._invented.get(sub.id, ()), key=lambda each: (-each.score, each.quote, each.reason))
            invented += made_up[: self._limits.claims]
            coverage[sub.id] = round(self._coverage.get(sub.id, taken[0].score if taken else 0.0), 4)
        suspicious = sorted(self._suspicious)[:MOST_SUSPICIOUS]
        return Findings(tuple(proposals + invented), tuple(turned_down), coverage, tuple(suspicious))


def _rank(passage: _Passage) -> tuple[Any, ...]:
    return passage.rank


def _each_place_once(passages: Iterable[_Passage]) -> list[_Passage]:
    best: dict[QuoteMatch, _Passage] = {}
    for passage in sorted(passages, key=_rank):
        best.setdefault(passage.place, passage)
    return list(best.values())


def _beaten(passage: _Passage) -> _Passage:
    return passage._replace(reason=f"enough better passages of the paper were taken (score {passage.score:.2f})")


def _proposal(sub: str, passage: _Passage) -> Proposal:
    return Proposal(sub, passage.quote, passage.score, passage.reason, passage.place.start)


def one_each(key: str, count: int) -> Callable[[Any], str]:
    """A check that an answer has one entry for each of c1, c2 ... under `key`: "" or the fault in words."""

    def fault(data: Any) -> str:
        given = [row["claim"] for row in data[key]]
        missing = [name for name in names("c", count) if name not in given]
        twice = sorted({name for name in given if given.count(name) > 1})
        if missing:
            return f"{key} has nothing for {', '.join(missing)}; give one entry for each of the {count} claims"
        return f"{key} has more than one entry for {', '.join(twice)}; give one for each claim" if twice else ""

    return fault


def weighted(row: Mapping[str, Any], weights: Mapping[str, float]) -> float:
    """The score of one vote: its parts by `review.score_weights` (in equal parts where there are no weights)."""
    used = {name: weights.get(name, 0.0) for name in SCORES} if weights else dict.fromkeys(SCORES, 1.0)
    total = sum(used.values())
    return sum(weight * _unit(row[name]) for name, weight in used.items()) / total if total > 0 else 0.0


def verdict_of(claim: str, votes: Sequence[Mapping[str, Any]], weights: Mapping[str, float]) -> Verdict:
    """The verdict on a claim by the majority of an odd number of votes; scores are the mean of all of them, the words
    are the first vote's on the side of the majority."""
    approving = sum(vote["verdict"] == "approve" for vote in votes)
    approved = 2 * approving > len(votes)
    told = next(vote for vote in votes if (vote["verdict"] == "approve") == approved)
    agreed = approving if approved else len(votes) - approving
    reason = " ".join(told["reason"].split()) or "given by the model without a reason"
    return Verdict(
        claim=claim,
        approved=approved,
        reason=reason if len(votes) == 1 else f"{agreed} of {len(votes)} votes: {reason}",
        score=round(sum(weighted(vote, weights) for vote in votes) / len(votes), 4),
        coverage=told["coverage"],
        scores={name: round(sum(_unit(vote[name]) for vote in votes) / len(votes), 4) for name in SCORES},
        direction=told["direction"],
    )


def _unit(value: Any) -> float:
    """A number of an answer in 0..1; what a JSON reader takes for a number and is none counts as 0."""
    return min(max(float(value), 0.0), 1.0) if math.isfinite(value) else 0.0
