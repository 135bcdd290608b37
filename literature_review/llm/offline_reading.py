"""One paper as the offline back end reads it: candidates, verdicts and appeals, each with its reason.

    sub-requirement -> question and keywords -> engine: coverage of the paper, score of each sentence
    passage -> does it speak to it? -> does it report a finding? -> scores -> approved, or the first reason against it

Candidates must speak to what was asked; whether they report a finding is for the judge to say, so that "what was
planned" shows as a rejected claim. Never changes once made, but for answers that are kept; two threads may at worst
make the same one twice.
"""

from __future__ import annotations

import re
from bisect import bisect_left, bisect_right
from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from literature_review.llm.offline import COVERED, PARTIAL, EvidenceIndex
from literature_review.llm.offline import scores as signs_of
from literature_review.llm.offline.abbreviations import abbreviations
from literature_review.llm.offline.signs import (
    CITES,
    HYPOTHESISES,
    MENTIONS,
    NEGATES,
    PLANS,
    REPORTS,
    STATISTIC,
    in_own_findings,
    reading,
)
from literature_review.llm.offline.tokens import stems
from literature_review.llm.offline_question import Asked
from literature_review.models import Claim, Document, Proposal, SubRequirement, Verdict
from literature_review.text.hidden import blank_out
from literature_review.text.quotes import QuoteIndex

REPORTING = 0.3
"""How surely a text must report results for its sentences to be read as those of a trial."""

_PARTS_OF_A_PAPER = frozenset(("introduction", "methods", "results", "discussion", "conclusion"))

MOST_SPANS = 40
"""Passages looked at for one sub-requirement."""

NEAR_BEST = 0.5
"""Share of the best passage's score that a further one must reach to be proposed."""

NAMES_NOTHING = 0.1
"""What is left of the score of a passage that names nothing of what was asked for, when the nearest are chosen."""

APPROVED_AT = 0.3
"""Weighted score from which a claim is approved."""

FIGURES = re.compile(STATISTIC.pattern + r"|\d\s?%")

FIRM_SHARE = 0.2
"""Share of the fitted coverage that is enough where a passage names half of what was asked for and its circumstances,
with a figure; none is needed where it names all of it."""

LONGEST_TITLE = 20
"""Words; what is longer is a statement even where no full stop ends it."""

DEFAULT_WEIGHTS = {"relevance": 0.4, "directness": 0.25, "strength": 0.2, "recency": 0.05, "reproducibility": 0.1}

_AGAINST = {
    NEGATES: "says that this was not looked at",
    PLANS: "says what was planned, not what was found",
    CITES: "tells of other work",
    HYPOTHESISES: "is a supposition, not a finding",
}
_YEAR = re.compile(r"(?<!\d)(?:19[5-9]\d|20[0-4]\d)(?!\d)")
_FIRST_LINES = 1_500  # characters
_THIS_YEAR = 2025  # fixed, so that no clock changes a verdict
_UNKNOWN = 0.5  # for a year that is not known, and for signs that a text of another kind cannot show


@dataclass(frozen=True)
class Thresholds:
    """Coverage of a paper from which it answers in whole and in part, and the weights of the five scores. `fitted`:
    the coverage for a part is the engine's own, and may be lower where a passage answers firmly."""

    covered_at: float
    partial_at: float
    fitted: bool
    weights: Mapping[str, float]

    @classmethod
    def from_settings(cls, review: Mapping[str, Any]) -> Thresholds:
        """What the configuration's `review` says, and the engine's fitted numbers where it says nothing."""
        covered, partial = review.get("covered_at"), review.get("partial_at")
        given = review.get("score_weights") or DEFAULT_WEIGHTS
        own = {name: float(given.get(name, 0.0)) for name in DEFAULT_WEIGHTS}  # rigour is for a model to judge
        total = sum(own.values())
        weights = {name: weight / total for name, weight in own.items()} if total > 0 else dict(DEFAULT_WEIGHTS)
        covered = COVERED if covered is None else float(covered)
        return cls(covered, min(PARTIAL if partial is None else float(partial), covered), partial is None, weights)

    def needed(self, asked: Asked) -> float:
        """The coverage from which a paper is believed to speak to it. The engine is less sure of a question without
        keywords: there, the fitted coverage for a part would say little."""
        return self.covered_at if self.fitted and not asked.keywords else self.partial_at


@dataclass(frozen=True)
class _Answer:
    """What the engine answered. `spans`: (score, start, end), best first, with the sentence before where that one
    names what was asked for; `scores`: start of a sentence -> its score."""

    asked: Asked
    coverage: float
    spans: tuple[tuple[float, int, int], ...]
    scores: Mapping[int, float]
    no_finding: bool  # where all of it is named, no finding is reported


class PaperReading:
    """A paper's index with what it was asked. `thresholds` as above."""

    def __init__(self, document: Document, thresholds: Thresholds) -> None:
        self._document, self._thresholds = document, thresholds
        hidden = [(span.start, span.end) for span in document.hidden]
        self._text = blank_out(document.text, hidden)
        self._index = EvidenceIndex(self._text, excluded=hidden)
        self._reports = self._index.reporting >= REPORTING
        self._is_study = self._reports or _has_parts_of_a_paper(self._index)
        self._quotes = QuoteIndex(self._text)
        self._short_forms = abbreviations(self._text)
        self._starts = [sentence.start for sentence in self._index.sentences]
        self._answers: dict[SubRequirement, _Answer] = {}
        self._reproducible = signs_of.reproducibility(self._text).value if self._reports else _UNKNOWN
        self._recency = _recency(document, self._text)

    def coverage(self, sub: SubRequirement) -> float:
        """How surely the paper speaks to it, 0 to 1."""
        return self._answer(sub).coverage

    def candidates(self, sub: SubRequirement, most: int, nearest: int) -> tuple[list[Proposal], list[Proposal]]:
        """Passages to propose (at most `most`), and the next best with why they were turned down. Where none is a
        finding, those are proposed that speak of it in another way: the judge says why they are none."""
        answer = self._answer(sub)
        best = answer.spans[0][0] if answer.spans else 0.0
        near = [span for span in answer.spans if span[0] >= NEAR_BEST * best and not self._too_weak(answer, *span[1:])]
        taken = [span for span in near if not self._against(answer, *span[1:])][:most]
        if not taken:
            named = [span for span in near if not self._off_topic(answer.asked, *span[1:])]
            taken = [span for span in named if self._no_finding(*span[1:])][:most]
        left = [(self._nearness(answer.asked, *span), span) for span in answer.spans if span not in taken]
        left.sort(key=lambda pair: -pair[0])
        return [self._proposal(sub, *span, "among the best passages of the paper for this") for span in taken], [
            self._proposal(sub, nearness, *span[1:], self._why_not(answer, *span)) for nearness, span in left[:nearest]
        ]

    def _nearness(self, asked: Asked, score: float, start: int, end: int) -> float:
        """How near a passage comes that is not proposed: the engine's score, as far as it names what was asked for."""
        return score * (NAMES_NOTHING + (1.0 - NAMES_NOTHING) * asked.share(self._words(start, end)))

    def verdict(self, claim: str, sub: SubRequirement, start: int, end: int) -> Verdict:
        """The judgement of the passage at these characters."""
        answer = self._answer(sub)
        scores = self._scores(answer, start, end)
        weights = self._thresholds.weights
        total = sum(weights.values()) or 1.0
        score = sum(weights.get(name, 0.0) * value for name, value in scores.items()) / total
        why = self._why_rejected(answer, score, start, end)
        whole = self._answers_whole(answer, start, end)
        return Verdict(
            claim=claim,
            approved=not why,
            reason=why or self._why_approved(answer, start, end, whole),
            score=round(score, 4),
            coverage="covered" if whole else "partial",
            scores={name: round(value, 4) for name, value in scores.items()},
            direction=signs_of.direction(self._text[start:end]),
        )

    def _answers_whole(self, answer: _Answer, start: int, end: int) -> bool:
        """Whether a passage answers in whole: it names most of what was asked for, and the paper speaks of it surely,
        or the passage names all of it and gives a statistic."""
        present = self._words(start, end)
        if not answer.asked.names_whole(present):
            return False
        firmly = answer.asked.share(present) == 1.0 and self._gives_figures(start, end)
        return firmly or answer.coverage >= self._thresholds.covered_at

    def appeal(
        self, claim: Claim, sub: SubRequirement, known: Collection[tuple[str, int, int]]
    ) -> Proposal | None:
        """The best passage around a rejected claim, or elsewhere, that would be approved, or None."""
        best: Proposal | None = None
        for start, end in self._around(claim, sub):
            if (sub.id, start, end) in known or not self._is_quotable(start, end):
                continue
            verdict = self.verdict(claim.id, sub, start, end)
            if verdict.approved and (best is None or verdict.score > best.score):
                reason = "found on a second look, in place of a passage that was rejected"
                quote = self._text[start:end]
                best = Proposal(sub.id, quote, verdict.score, reason, start, appeal_of=claim.id)
        return best

    def _around(self, claim: Claim, sub: SubRequirement) -> Iterator[tuple[int, int]]:
        """The sentences before and behind the claim, the claim with each (rejected for what it does, it stays so),
        then the next best passages."""
        sentences = self._index.sentences
        if sentences:
            first = max(bisect_right(self._starts, claim.start) - 1, 0)
            last = max(bisect_left(self._starts, claim.end) - 1, first)
            low, high = max(first - 1, 0), min(last + 1, len(sentences) - 1)
            yield sentences[low].start, sentences[low].end
            yield sentences[high].start, sentences[high].end
            yield sentences[low].start, sentences[last].end
            yield sentences[first].start, sentences[high].end
        for _, start, end in self._answer(sub).spans:
            yield start, end

    def _answer(self, sub: SubRequirement) -> _Answer:
        answer = self._answers.get(sub)
        if answer is None:
            asked = Asked.of(sub)
            found = self._index.rank(asked.question, asked.keywords, k=len(self._starts))
            best = [(span.score, self._with_subject(asked, span.start), span.end) for span in found[:MOST_SPANS]]
            spans = tuple(span for span in best if self._is_quotable(*span[1:]))
            whole = [span[1:] for span in spans if asked.share(self._words(*span[1:])) == 1.0]
            answer = self._answers[sub] = _Answer(
                asked,
                self._index.coverage(asked.question, asked.keywords),
                spans,
                {span.start: span.score for span in found},
                no_finding=bool(whole) and all(self._no_finding(*span) for span in whole),
            )
        return answer

    def _with_subject(self, asked: Asked, start: int) -> int:
        """Where a passage begins that can be read alone: with the sentence before, where that one names what was
        asked for and the sentence at `start` only tells what came of it."""
        at = bisect_right(self._starts, start) - 1
        if at < 1 or not self._reports:
            return start
        before, here = self._index.sentences[at - 1], self._index.sentences[at]
        if before.role != here.role or "\n" in self._text[before.end : here.start]:
            return start
        if self._gives_figures(here.start, here.end) and not asked.names_enough(self._words(here.start, here.end)):
            return before.start if asked.names_enough(self._words(before.start, before.end)) else start
        return start

    def _words(self, start: int, end: int) -> set[str]:
        """The stems of a passage, short forms of the paper read as what they stand for."""
        present = set(stems(self._text[start:end]))
        return present.union(*[self._short_forms[word] for word in present & self._short_forms.keys()])

    def _is_quotable(self, start: int, end: int) -> bool:
        """Whether the passage would pass the quote check: long enough, whole words, in text that can be seen. What
        is left of a sentence whose beginning or end is hidden is no quote either."""
        match = self._quotes.find(self._text[start:end], start)
        if match is None or not self._document.hidden:
            return match is not None
        blank_before = start - len(self._text[:start].rstrip(" "))
        blank_behind = len(self._text[end:]) - len(self._text[end:].lstrip(" "))
        return not self._document.is_hidden(match.start - blank_before, match.end + blank_behind)

    def _proposal(self, sub: SubRequirement, score: float, start: int, end: int, reason: str) -> Proposal:
        return Proposal(sub.id, self._text[start:end], round(score, 4), reason, start)

    def _why_not(self, answer: _Answer, score: float, start: int, end: int) -> str:
        """Why a passage is not proposed."""
        if self._too_weak(answer, start, end):
            missing = answer.asked.missing(self._words(start, end))
            why = f"the paper does not speak of {missing} here" if missing else self._no_finding(start, end)
            return f"{why or 'the paper speaks of this only in passing'} {self._against_threshold(answer)}"
        against = self._against(answer, start, end)
        if against:
            return against
        best = answer.spans[0][0]
        if score < NEAR_BEST * best:
            return f"other passages of the paper are nearer (score {score:.2f}, the best has {best:.2f})"
        return f"enough better passages of the paper were taken (score {score:.2f})"

    def _too_weak(self, answer: _Answer, start: int, end: int) -> bool:
        """Whether the paper as a whole speaks too weakly of what was asked for to believe this passage."""
        needed = self._thresholds.needed(answer.asked)
        if answer.coverage >= needed:
            return False
        present = self._words(start, end)
        if not self._thresholds.fitted or not self._gives_figures(start, end):
            return True
        needed = 0.0 if answer.asked.share(present) == 1.0 else FIRM_SHARE * needed
        return answer.coverage < needed or not answer.asked.names_firmly(present)

    def _gives_figures(self, start: int, end: int) -> bool:
        """Whether the passage gives a statistic or a percentage."""
        return FIGURES.search(self._text, start, end) is not None

    def _against_threshold(self, answer: _Answer) -> str:
        return f"(coverage {answer.coverage:.2f}, needed {self._thresholds.needed(answer.asked):.2f})"

    def _against(self, answer: _Answer, start: int, end: int) -> str:
        """The first reason against a passage, by itself; empty where there is none."""
        why = self._off_topic(answer.asked, start, end) or self._no_finding(start, end)
        if why or not self._is_study:
            return why
        present = self._words(start, end)
        names_all = answer.asked.share(present) == 1.0
        firmly = self._gives_figures(start, end)
        if (answer.no_finding and not names_all) or not answer.asked.names_the_rest(present, firmly):
            return "the passage names some of the words asked for, but speaks of something else"
        return ""

    def _off_topic(self, asked: Asked, start: int, end: int) -> str:
        """Why the passage does not speak of what was asked for; empty where it does."""
        present = self._words(start, end)
        if not (self._gives_figures(start, end) or _is_statement(self._text[start:end], self._reports)):
            return "the passage is a heading, a title or a question, not a statement"
        return "" if asked.names_enough(present) else f"the passage does not speak of {asked.missing(present)}"

    def _no_finding(self, start: int, end: int) -> str:
        """What the passage does instead of reporting a finding; empty where it may report one."""
        if not self._is_study:
            return ""
        acts = [reading(self._text[low:high], self._role(low)) for low, high in self._sentences(start, end)]
        for act, words in acts:
            if act in _AGAINST:
                return f'the passage {_AGAINST[act]} ("{words}")'
        if all(act == MENTIONS for act, _ in acts) and self._role(start) in ("introduction", "references"):
            return "the passage mentions this without a finding of its own"
        return ""

    def _sentences(self, start: int, end: int) -> Iterable[tuple[int, int]]:
        """The parts of the passage, a sentence each."""
        first = max(bisect_right(self._starts, start) - 1, 0)
        last = max(bisect_left(self._starts, end), first + 1)
        for sentence in self._index.sentences[first:last]:
            low, high = max(sentence.start, start), min(sentence.end, end)
            if low < high:
                yield low, high

    def _why_rejected(self, answer: _Answer, score: float, start: int, end: int) -> str:
        if self._too_weak(answer, start, end):
            return f"the paper speaks to this too weakly {self._against_threshold(answer)}"
        against = self._against(answer, start, end)
        if not against and score < APPROVED_AT:
            return f"the scores are too low together ({score:.2f}, needed {APPROVED_AT:.2f})"
        return against

    def _why_approved(self, answer: _Answer, start: int, end: int, whole: bool) -> str:
        act, words = reading(self._text[start:end], self._role(start))
        present = self._words(start, end)
        named = [word for word, stem in answer.asked.words if stem in present][:4]
        parts = [f"names {', '.join(named)}" if named else "stands among the best passages"]
        if act == REPORTS and words and self._reports:
            parts.append(f"reports a result ({words})")
        parts.append(f"coverage of the paper {answer.coverage:.2f}" + ("" if whole else ", in part"))
        return "; ".join(parts)

    def _scores(self, answer: _Answer, start: int, end: int) -> dict[str, float]:
        """The five scores by name, each 0 to 1."""
        quote = self._text[start:end]
        strength = 0.5 * self._gives_figures(start, end) + 0.5 * in_own_findings(self._role(start), quote)
        named = answer.asked.share(self._words(start, end))
        direct = signs_of.directness(quote, self._role(start)).value if self._reports else 1.0
        return {
            "relevance": self._relevance(answer, start, end),
            "directness": named * direct,
            "strength": strength if self._reports else _UNKNOWN,
            "recency": self._recency,
            "reproducibility": self._reproducible,
        }

    def _relevance(self, answer: _Answer, start: int, end: int) -> float:
        """The engine's score of the best sentence in the passage."""
        first = max(bisect_right(self._starts, start) - 1, 0)
        inside = self._starts[first : max(bisect_left(self._starts, end), first + 1)]
        return max((answer.scores.get(at, 0.0) for at in inside), default=0.0)

    def _role(self, at: int) -> str:
        found = bisect_right(self._starts, at) - 1
        return self._index.sentences[found].role if found >= 0 else "unknown"


def _is_statement(quote: str, reports: bool) -> bool:
    """Whether it reads as a sentence that states something: no question, no heading. `reports`: the text is written
    in sentences, so that a short one without its full stop is a title."""
    words = quote.split()
    if quote.rstrip().endswith("?") or len(words) < 4:
        return False
    ended = quote.rstrip(" \"')\u201d\u2019]*").endswith((".", "!", ";", ":", "\u3002"))
    return ended or len(words) > LONGEST_TITLE or (not reports and len(words) >= 8)


def _has_parts_of_a_paper(index: EvidenceIndex) -> bool:
    """Whether the text has an abstract, or at least two of the parts of a paper."""
    roles = {sentence.role for sentence in index.sentences} & _PARTS_OF_A_PAPER
    return len(roles) > 1 or any(sentence.section == "abstract" for sentence in index.sentences)


def _recency(document: Document, text: str) -> float:
    """0 to 1 by the paper's year, as its metadata or its first lines give it; 0.5 where unknown."""
    references = min((part.start for part in document.sections if part.kind == "references"), default=_FIRST_LINES)
    found = _YEAR.search(str(document.metadata.get("year", "")))
    found = found or _YEAR.search(text, 0, min(references, _FIRST_LINES))
    return signs_of.recency(int(found.group()), _THIS_YEAR).value if found else _UNKNOWN
