"""One paper as the offline back end reads it: candidates, verdicts and appeals, each with its reason.

    sub-requirement -> question and keywords -> engine: coverage of the paper, score of each sentence
    sentence -> what it does (signs) -> scores -> approved, or the first reason against it

Never changes once made, but for look-ups that are kept; two threads may at worst make the same one twice.
"""

from __future__ import annotations

import re
from bisect import bisect_left, bisect_right
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from literature_review.llm.offline import COVERED, PARTIAL, EvidenceIndex
from literature_review.llm.offline.abbreviations import abbreviations
from literature_review.llm.offline.scores import direction
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
from literature_review.llm.offline.tokens import content, stems
from literature_review.models import Claim, Document, Proposal, SubRequirement, Verdict
from literature_review.text.quotes import QuoteIndex

REPORTING = 0.3
"""How surely a text must report results before "planned" or "cited" speaks against one of its sentences."""

MOST_SPANS = 40
"""Passages looked at for one sub-requirement."""

NEAR_BEST = 0.5
"""Share of the best passage's score that a further one must reach to be proposed."""

APPROVED_AT = 0.35
"""Weighted score from which a claim is approved."""

NAMED_AT, NAMED_WORDS = 0.5, 4
"""Share of what was asked for that a passage must name to be proposed or approved, or so many words of it."""

REST_AT, REST_OF_PART = 0.3, 0.6
"""Share of the question's other words that a passage must name as well: one that names fewer than `ENOUGH_WORDS` and
gives no statistic, and one that names a part of the keywords alone."""

ENOUGH_WORDS = 3

WHOLE_AT = 0.6
"""Share of the keywords that a passage must name to answer in whole."""

WORDS_OF_A_QUESTION = 4
"""Words beyond its keywords with which a sub-requirement says by itself what is meant."""

LONGEST_TITLE = 20
"""Words; what is longer is a statement even where no full stop ends it."""

_DIRECTNESS = {REPORTS: 1.0, MENTIONS: 0.6, HYPOTHESISES: 0.3, PLANS: 0.3, CITES: 0.3, NEGATES: 0.0}
_AGAINST = {
    NEGATES: "says that this was not looked at",
    PLANS: "says what was planned, not what was found",
    CITES: "tells of other work",
    HYPOTHESISES: "is a supposition, not a finding",
}
_REPRODUCIBLE = re.compile(
    r"\b(?:randomi[sz]\w+|double.blind\w*|placebo|regist(?:ered|ration)|protocol|sample size|power calculation"
    r"|confidence interval|data (?:are|is) available|source code|github|supplementary)\b|\bn\s?=\s?\d",
    re.IGNORECASE,
)
_YEAR = re.compile(r"(?<!\d)(?:19[5-9]\d|20[0-4]\d)(?!\d)")
_OLD, _NEW = 1995, 2025  # recency 0 and 1: fixed, so that no clock changes a verdict


@dataclass(frozen=True)
class Thresholds:
    """Coverage of a paper from which it answers in whole or in part, and the weights of the five scores."""

    covered_at: float
    partial_at: float
    weights: Mapping[str, float]

    @classmethod
    def from_settings(cls, review: Mapping[str, Any]) -> Thresholds:
        """What the configuration's `review` says, and the engine's fitted numbers where it says nothing."""
        covered, partial = review.get("covered_at"), review.get("partial_at")
        weights = dict(review.get("score_weights") or DEFAULT_WEIGHTS)
        covered = COVERED if covered is None else float(covered)
        return cls(covered, min(PARTIAL if partial is None else float(partial), covered), weights)


DEFAULT_WEIGHTS = {"relevance": 0.4, "directness": 0.25, "strength": 0.2, "recency": 0.05, "reproducibility": 0.1}


@dataclass(frozen=True)
class _Asked:
    """What is asked of the engine for a sub-requirement, and what it answered for this paper."""

    by_keywords: bool
    words: tuple[tuple[str, str], ...]  # (word as written, stem): what a passage should name
    phrases: tuple[frozenset[str], ...]  # stems of each keyword, or of each word of a question without keywords
    rest: frozenset[str]  # stems of the question's other words
    coverage: float
    spans: tuple[tuple[float, int, int], ...]  # (score, start, end), best first; with the sentence that names it
    scores: Mapping[int, float] = field(default_factory=dict)  # by start


class PaperReading:
    """A paper's index with what it was asked. `thresholds` as above."""

    def __init__(self, document: Document, thresholds: Thresholds) -> None:
        self._document, self._thresholds = document, thresholds
        self._index = EvidenceIndex(document.text, excluded=[(h.start, h.end) for h in document.hidden])
        self._quotes = QuoteIndex(document.text)
        self._short_forms = abbreviations(document.text)
        self._starts = [sentence.start for sentence in self._index.sentences]
        self._asked: dict[SubRequirement, _Asked] = {}
        self._reproducible = _share_of_signs(document.text)
        self._recency = _recency(document)

    def coverage(self, sub: SubRequirement) -> float:
        """How surely the paper speaks to it, 0 to 1."""
        return self._ask(sub).coverage

    def candidates(
        self, sub: SubRequirement, most: int, nearest: int
    ) -> tuple[list[Proposal], list[Proposal]]:
        """Passages to propose (at most `most`), and the next best with why they were turned down. Where none is a
        finding, those are proposed that speak of it in another way: the judge says why they are none."""
        asked = self._ask(sub)
        best = asked.spans[0][0] if asked.spans else 0.0
        enough = asked.coverage >= self._thresholds.partial_at
        near = [span for span in asked.spans if enough and span[0] >= NEAR_BEST * best]
        named = [span for span in near if not self._off_topic(asked, *span[1:])]
        taken = [span for span in named if not self._no_finding(*span[1:])][:most] or named[:most]
        left = [span for span in asked.spans if span not in taken][:nearest]
        return [self._proposal(sub, *span, "among the best passages of the paper for this") for span in taken], [
            self._proposal(sub, *span, self._why_not(asked, *span, best)) for span in left
        ]

    def verdict(self, claim: str, sub: SubRequirement, start: int, end: int) -> Verdict:
        """The judgement of the passage at these characters."""
        asked = self._ask(sub)
        scores = self._scores(asked, start, end)
        weights = self._thresholds.weights
        total = sum(weights.values()) or 1.0
        score = sum(weights.get(name, 0.0) * value for name, value in scores.items()) / total
        why = self._why_rejected(asked, score, start, end)
        whole = asked.coverage >= self._thresholds.covered_at and self._names_whole(asked, start, end)
        return Verdict(
            claim=claim,
            approved=not why,
            reason=why or self._why_approved(asked, start, end, whole),
            score=round(score, 4),
            coverage="covered" if whole else "partial",
            scores={name: round(value, 4) for name, value in scores.items()},
            direction=direction(self._document.text[start:end]),
        )

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
                quote = self._document.text[start:end]
                best = Proposal(sub.id, quote, verdict.score, reason, start, appeal_of=claim.id)
        return best

    def _around(self, claim: Claim, sub: SubRequirement) -> Iterable[tuple[int, int]]:
        """The sentences before and behind the claim, the claim with each, then the next best passages."""
        first = max(bisect_right(self._starts, claim.start) - 1, 0)
        last = max(bisect_left(self._starts, claim.end) - 1, first)
        sentences = self._index.sentences
        low, high = max(first - 1, 0), min(last + 1, len(sentences) - 1)
        if sentences:
            yield sentences[low].start, sentences[low].end
            yield sentences[high].start, sentences[high].end
            yield sentences[low].start, sentences[last].end  # with what was rejected for what it does, it is too
            yield sentences[first].start, sentences[high].end
        for _, start, end in self._ask(sub).spans[:8]:
            yield start, end

    def _ask(self, sub: SubRequirement) -> _Asked:
        asked = self._asked.get(sub)
        if asked is None:
            asked = self._asked[sub] = self._answer(sub)
        return asked

    def _answer(self, sub: SubRequirement) -> _Asked:
        question, keywords = _with_context(sub)
        found = self._index.rank(question, keywords, k=len(self._starts))
        words = _named_words(sub.keywords or (sub.text,))
        phrases = _phrases(sub.keywords, words)
        best = [(span.score, self._with_subject(phrases, span.start), span.end) for span in found[:MOST_SPANS]]
        return _Asked(
            bool(sub.keywords),
            words,
            phrases,
            frozenset(content(stems(sub.text))) - frozenset().union(*phrases),
            self._index.coverage(question, keywords),
            tuple(span for span in best if self._is_quotable(*span[1:])),
            {span.start: span.score for span in found},
        )

    def _with_subject(self, phrases: tuple[frozenset[str], ...], start: int) -> int:
        """Where a passage begins that can be read alone: with the sentence before, where that one names what was
        asked for and the sentence at `start` only tells what came of it."""
        at = bisect_right(self._starts, start) - 1
        if at < 1 or self._index.reporting < REPORTING:
            return start
        before, here = self._index.sentences[at - 1], self._index.sentences[at]
        text = self._document.text
        if before.role != here.role or "\n" in text[before.end : here.start]:
            return start
        tells = STATISTIC.search(text, here.start, here.end) is not None
        names_less = _share_named(phrases, self._words(here.start, here.end)) < NAMED_AT
        names_there = _share_named(phrases, self._words(before.start, before.end)) >= NAMED_AT
        return before.start if tells and names_less and names_there else start

    def _words(self, start: int, end: int) -> set[str]:
        """The stems of a passage, short forms of the paper read as what they stand for."""
        present = set(stems(self._document.text[start:end]))
        return present.union(*[self._short_forms[word] for word in present & self._short_forms.keys()])

    def _names_whole(self, asked: _Asked, start: int, end: int) -> bool:
        """Whether the passage names most of the keywords, each at least by half; True where there are none."""
        present = self._words(start, end)
        named = [2 * len(phrase & present) >= len(phrase) for phrase in asked.phrases]
        return not asked.by_keywords or not named or sum(named) >= WHOLE_AT * len(named)

    def _is_quotable(self, start: int, end: int) -> bool:
        """Whether the passage would pass the quote check: long enough, whole words, in text that can be seen."""
        match = self._quotes.find(self._document.text[start:end], start)
        return match is not None and not self._document.is_hidden(*match)

    def _proposal(self, sub: SubRequirement, score: float, start: int, end: int, reason: str) -> Proposal:
        return Proposal(sub.id, self._document.text[start:end], round(score, 4), reason, start)

    def _why_not(self, asked: _Asked, score: float, start: int, end: int, best: float) -> str:
        """Why a passage is not proposed."""
        needed = self._thresholds.partial_at
        if asked.coverage < needed:
            missing = _missing(asked.words, self._words(start, end))
            words = f"does not name {', '.join(missing)} here" if missing else "speaks of this only in passing"
            return f"the paper {words} (coverage {asked.coverage:.2f}, needed {needed:.2f})"
        against = self._off_topic(asked, start, end) or self._no_finding(start, end)
        if against:
            return against
        if score < NEAR_BEST * best:
            return f"other passages of the paper are nearer (score {score:.2f}, the best has {best:.2f})"
        return f"enough better passages of the paper were taken (score {score:.2f})"

    def _off_topic(self, asked: _Asked, start: int, end: int) -> str:
        """Why the passage does not speak to what was asked; empty where it does."""
        quote, present = self._document.text[start:end], self._words(start, end)
        if not _is_statement(quote, whole=self._index.reporting >= REPORTING):
            return "the passage is a heading, a title or a question, not a statement"
        share = _share_named(asked.phrases, present)
        named = sum(stem in present for _, stem in asked.words)
        if share < (NAMED_AT if asked.by_keywords else NAMED_AT / 2) and named < NAMED_WORDS:
            return f"the passage does not name {', '.join(_missing(asked.words, present)[:5])}"
        if self._index.reporting < REPORTING or not asked.rest:
            return ""
        needed = 0.0 if named >= ENOUGH_WORDS or STATISTIC.search(quote) else REST_AT
        if not self._names_whole(asked, start, end):
            needed = REST_OF_PART
        if len(asked.rest & present) >= needed * len(asked.rest):
            return ""
        return "the passage names some of the words asked for, but speaks of something else"

    def _no_finding(self, start: int, end: int) -> str:
        """What the passage does instead of reporting a finding; empty where it may report one."""
        if self._index.reporting < REPORTING:
            return ""
        acts = [reading(self._document.text[low:high], self._role(low)) for low, high in self._sentences(start, end)]
        for act, words in acts:
            if act in _AGAINST:
                return f'the passage {_AGAINST[act]} ("{words}")'
        if all(act == MENTIONS for act, _ in acts) and self._role(start) in ("introduction", "methods", "references"):
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

    def _why_rejected(self, asked: _Asked, score: float, start: int, end: int) -> str:
        needed = self._thresholds.partial_at
        if asked.coverage < needed:
            return f"the paper speaks to this too weakly (coverage {asked.coverage:.2f}, needed {needed:.2f})"
        against = self._off_topic(asked, start, end) or self._no_finding(start, end)
        if against:
            return against
        if self._scores(asked, start, end)["directness"] == 0.0:
            words = ", ".join(word for word, _ in asked.words[:5])
            return f"the passage names nothing of what was asked for ({words})"
        if score < APPROVED_AT:
            return f"the scores are too low together ({score:.2f}, needed {APPROVED_AT:.2f})"
        return ""

    def _why_approved(self, asked: _Asked, start: int, end: int, whole: bool) -> str:
        act, words = reading(self._document.text[start:end], self._role(start))
        present = self._words(start, end)
        named = [word for word, stem in asked.words if stem in present][:4]
        parts = [f"names {', '.join(named)}" if named else "stands among the best passages"]
        if act == REPORTS and words:
            parts.append(f"reports a result ({words})")
        parts.append(f"coverage of the paper {asked.coverage:.2f}" + ("" if whole else ", in part"))
        return "; ".join(parts)

    def _scores(self, asked: _Asked, start: int, end: int) -> dict[str, float]:
        quote, role = self._document.text[start:end], self._role(start)
        act = reading(quote, role).act if self._index.reporting >= REPORTING else REPORTS
        named = 1.0 - len(_missing(asked.words, self._words(start, end))) / (len(asked.words) or 1)
        strength = 0.5 * bool(STATISTIC.search(quote)) + 0.5 * in_own_findings(role, quote)
        return {
            "relevance": self._relevance(asked, start, end),
            "directness": named * _DIRECTNESS[act],
            "strength": strength if self._index.reporting >= REPORTING else 0.5,
            "recency": self._recency,
            "reproducibility": self._reproducible,
        }

    def _relevance(self, asked: _Asked, start: int, end: int) -> float:
        """The engine's score of the best sentence in the passage."""
        first = max(bisect_right(self._starts, start) - 1, 0)
        inside = self._starts[first : max(bisect_left(self._starts, end), first + 1)]
        return max((asked.scores.get(at, 0.0) for at in inside), default=0.0)

    def _role(self, at: int) -> str:
        found = bisect_right(self._starts, at) - 1
        return self._index.sentences[found].role if found >= 0 else "unknown"


def _named_words(texts: Iterable[str]) -> tuple[tuple[str, str], ...]:
    """The words that matter in `texts`, each with its stem, once."""
    found: dict[str, str] = {}
    for word in re.findall(r"[^\W_]+(?:-[^\W_]+)*", " ".join(texts)):
        for stem in content(stems(word)):
            found.setdefault(stem, word)
    return tuple((word, stem) for stem, word in found.items())


def _with_context(sub: SubRequirement) -> tuple[str, tuple[str, ...]]:
    """The question and the keywords for the engine. A text that says little beyond its keywords ("accuracy") is asked
    with what it stands under, as the weaker words; without keywords its own words are then the strong ones."""
    question, keywords = sub.text, sub.keywords
    strong = set(content(stems(" ".join(keywords))))
    for above in (sub.requirement, sub.question):
        if len(set(content(stems(question))) - strong) >= WORDS_OF_A_QUESTION or not above:
            break
        question, keywords = f"{question} . {above}", keywords or (sub.text,)
    return question, keywords


def _phrases(
    keywords: Collection[str], words: Iterable[tuple[str, str]]
) -> tuple[frozenset[str], ...]:
    """The stems of each keyword; of each word where there are no keywords."""
    if not keywords:
        return tuple(frozenset((stem,)) for _, stem in words)
    return tuple(found for keyword in keywords if (found := frozenset(content(stems(keyword)))))


def _share_named(phrases: tuple[frozenset[str], ...], present: set[str]) -> float:
    """How much of the phrases the words present name, 0 to 1; 1 where there are none."""
    return sum(len(phrase & present) / len(phrase) for phrase in phrases) / (len(phrases) or 1) if phrases else 1.0


def _is_statement(quote: str, whole: bool) -> bool:
    """Whether it reads as a sentence that states something: no question, no heading. `whole`: the text is written in
    sentences, so that one without its full stop is a title."""
    words = quote.split()
    if quote.rstrip().endswith("?") or len(words) < 4:
        return False
    ended = quote.rstrip(" \"')\u201d\u2019]*").endswith((".", "!", ";", ":", "\u3002"))
    return ended or len(words) > LONGEST_TITLE or bool(STATISTIC.search(quote)) or (not whole and len(words) >= 8)


def _missing(words: Iterable[tuple[str, str]], present: set[str]) -> list[str]:
    return list(dict.fromkeys(word for word, stem in words if stem not in present))


def _share_of_signs(text: str) -> float:
    """Signs of reproducible work in the text, five different ones counting as all."""
    found = {match.group().lower()[:8] for match in _REPRODUCIBLE.finditer(text)}
    return min(len(found) / 5.0, 1.0)


def _recency(document: Document) -> float:
    """0 to 1 by the paper's year, as its metadata or its first page gives it; 0.5 where unknown."""
    found = _YEAR.search(str(document.metadata.get("year", ""))) or _YEAR.search(document.text[:3_000])
    if found is None:
        return 0.5
    return min(max((int(found.group()) - _OLD) / (_NEW - _OLD), 0.0), 1.0)
