"""One paper as the offline back end reads it: candidates and verdicts, each with its reason.

    sub-requirement -> question and keywords -> engine: coverage of the paper, score of each sentence
    passage -> does it report a finding? -> fitted chance that it answers -> scores -> approved, or why not

What a passage does (plans, cites, supposes, says that nothing was looked at) is read from its words and rejects it for
that reason; whether it speaks to what was asked for is weighed by the fitted judge (`offline.judging`). Never changes
once made, but for answers that are kept; two threads may at worst make the same one twice.
"""

from __future__ import annotations

import re
from bisect import bisect_left, bisect_right
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from literature_review.llm.offline import COVERED, EvidenceIndex
from literature_review.llm.offline import scores as signs_of
from literature_review.llm.offline.abbreviations import abbreviations
from literature_review.llm.offline.directions import SHARES, UNKNOWN, Effect, direction, vote
from literature_review.llm.offline.judging import BESIDE, FEATURES, NEEDED, ROLES, chance, log_odds, prominence
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
from literature_review.llm.offline.synonyms import SYNONYMS
from literature_review.llm.offline.tokens import stems
from literature_review.llm.offline_question import Asked
from literature_review.llm.offline_thresholds import Thresholds
from literature_review.models import Document, Proposal, SubRequirement, Verdict
from literature_review.text.hidden import blank_out
from literature_review.text.quotes import QuoteIndex

REPORTING = 0.3
"""How surely a text must report results for its sentences to be read as those of a trial."""

MOST_SPANS = 20
"""Passages looked at for one sub-requirement."""

LONGEST_TITLE = 20
"""Words; what is longer is a statement even where no full stop ends it."""

FIGURES = re.compile(STATISTIC.pattern + r"|\d\s?%")

_PARTS_OF_A_PAPER = frozenset(("introduction", "methods", "results", "discussion", "conclusion"))
_AGAINST = {
    NEGATES: "says that this was not looked at",
    PLANS: "says what was planned, not what was found",
    CITES: "tells of other work",
    HYPOTHESISES: "is a supposition, not a finding",
}
_HALF = 0.5
_NAMED = FEATURES.index("named")
_YEAR = re.compile(r"(?<!\d)(?:19[5-9]\d|20[0-4]\d)(?!\d)")
_FIRST_LINES = 1_500  # characters
_SIGNS_WITHOUT_BLANKS = "\u2e80"  # from here on: Chinese, Japanese and Korean; two of them count as a word
_NO_WORD = "what is asked for has no word to look for"
_THIS_YEAR = 2025  # fixed, so that no clock changes a verdict
_UNKNOWN = 0.5  # for a year that is not known, and for signs that a text of another kind cannot show

Range = tuple[int, int]


@dataclass(frozen=True)
class Answer:
    """What the engine answered. `spans`: (score, start, end), best first, with the sentence before where that one
    names what was asked for; `scores`: start of a sentence -> its score; `best`: the first scores."""

    asked: Asked
    coverage: float
    spans: tuple[tuple[float, int, int], ...]
    scores: Mapping[int, float]
    best: tuple[float, ...]


class PaperReading:
    """A paper's index with what it was asked. `thresholds` as above."""

    def __init__(self, document: Document, thresholds: Thresholds) -> None:
        self._document, self._thresholds = document, thresholds
        hidden = [(span.start, span.end) for span in document.hidden]
        self.text = blank_out(document.text, hidden)
        self._index = EvidenceIndex(self.text, excluded=hidden)
        self._reports = self._index.reporting >= REPORTING
        self._is_study = self._reports or _has_parts_of_a_paper(self._index)
        self._quotes = QuoteIndex(self.text)
        self._stands_for = abbreviations(self.text) if self._index.exact else {**SYNONYMS, **abbreviations(self.text)}
        self.places: tuple[Range, ...] = tuple((sentence.start, sentence.end) for sentence in self._index.sentences)
        self._starts = [start for start, _ in self.places]
        self._answers: dict[SubRequirement, Answer] = {}
        self._reproducible = signs_of.reproducibility(self.text).value if self._reports else _UNKNOWN
        self._recency = _recency(document, self.text)

    def coverage(self, sub: SubRequirement) -> float:
        """How surely the paper speaks to it, 0 to 1; 0 where it has no word to look for, whatever it stands under."""
        answer = self.answer(sub)
        return answer.coverage if answer.asked.words else 0.0

    def candidates(self, sub: SubRequirement, most: int, nearest: int) -> tuple[list[Proposal], list[Proposal]]:
        """Passages to propose (at most `most`, likeliest first), and the next likely with why they were turned down.

        Where none is likely enough, those are proposed that come near, or would be likely were they findings: the
        judge says why they are none.
        """
        answer = self.answer(sub)
        likely = sorted(((self.chance(answer, *span[1:]), *span[1:]) for span in answer.spans), key=lambda one: -one[0])
        good = [one for one in likely if one[0] >= NEEDED and not self.against(*one[1:])]
        good = [one for one in good if log_odds(one[0]) >= log_odds(good[0][0]) - BESIDE]
        proposed_at = self._thresholds.proposed_at
        near = [one for one in likely if one[0] >= proposed_at and answer.asked.share(self.words(*one[1:])) >= _HALF]
        taken = (good or near)[:most]
        if self._beneath(answer) or not answer.asked.words:
            taken = []
        left = [one for one in likely if one not in taken][:nearest]
        return (
            [self.proposal(sub, *one, "among the likeliest passages of the paper for this") for one in taken],
            [self.proposal(sub, *one, self._why_not(answer, *one)) for one in left],
        )

    def verdict(self, claim: str, sub: SubRequirement, start: int, end: int) -> Verdict:
        """The judgement of the passage at these characters."""
        answer = self.answer(sub)
        likely = self.chance(answer, start, end)
        scores = self._scores(answer, likely, start, end)
        weights = self._thresholds.weights
        total = sum(weights.values()) or 1.0
        score = sum(weights.get(name, 0.0) * value for name, value in scores.items()) / total
        why = self._why_rejected(answer, likely, score, start, end)
        whole = answer.asked.names_whole(self.words(start, end), self._thresholds.whole_at)
        whole = whole and answer.coverage >= self._thresholds.covered_at
        return Verdict(
            claim=claim,
            approved=not why,
            reason=why or self._why_approved(answer, likely, start, end, whole),
            score=round(score, 4),
            coverage="covered" if whole else "partial",
            scores={name: round(value, 4) for name, value in scores.items()},
            direction=self._direction(sub, answer, start, end),
        )

    def _direction(self, sub: SubRequirement, answer: Answer, start: int, end: int) -> str:
        """What the passage tells of an effect; where it tells nothing, what the likeliest other passages do."""
        effect = Effect(sub.text, sub.keywords)
        own = direction(self.text[start:end], effect)
        if own != UNKNOWN:
            return own
        others = [span[1:] for span in answer.spans[: len(SHARES)] if self.chance(answer, *span[1:]) >= NEEDED]
        return vote([direction(self.text[low:high], effect) for low, high in others])

    def answer(self, sub: SubRequirement) -> Answer:
        """What the engine finds for a sub-requirement; kept."""
        answer = self._answers.get(sub)
        if answer is None:
            asked = Asked.of(sub)
            found = self._index.rank(asked.question, asked.keywords, k=len(self._starts))
            best = [(span.score, self._with_subject(asked, span.start), span.end) for span in found[:MOST_SPANS]]
            answer = self._answers[sub] = Answer(
                asked,
                self._index.coverage(asked.question, asked.keywords),
                tuple(span for span in best if self.is_quotable(*span[1:])),
                {span.start: span.score for span in found},
                tuple(span.score for span in found[:MOST_SPANS]),
            )
        return answer

    def chance(self, answer: Answer, start: int, end: int) -> float:
        """How likely the passage answers, 0 to 1, whatever it does (see `offline.judging`); 0 where it names nothing of
        what was asked for, however like an answer it looks."""
        features = self.features(answer, start, end)
        if not features[_NAMED]:
            return 0.0
        return chance(features, bool(answer.asked.keywords), self._index.reporting)

    def features(self, answer: Answer, start: int, end: int) -> tuple[float, ...]:
        """What the fitted judge reads of a passage: `judging.FEATURES`."""
        present, asked = self.words(start, end), answer.asked
        score, share, role = self._relevance(answer, start, end), asked.share(present), self._role(start)
        return (
            log_odds(answer.coverage),
            log_odds(score),
            prominence(score, answer.best),
            share,
            float(share == 1.0),
            min(asked.named(present), 5) / 5,
            float(self._gives_figures(start, end)),
            float(any(reading(self.text[low:high], role).act == REPORTS for low, high in self.sentences(start, end))),
            float(self._section(start) == "abstract"),
            *(float(role == name) for name in ROLES),
        )

    def sentences(self, start: int, end: int) -> Iterable[Range]:
        """The parts of the passage, a sentence each."""
        first, last = self.positions(start, end)
        for begin, stop in self.places[first : last + 1]:
            low, high = max(begin, start), min(stop, end)
            if low < high:
                yield low, high

    def positions(self, start: int, end: int) -> Range:
        """Where in `places` the first and the last sentence of these characters stand."""
        first = max(bisect_right(self._starts, start) - 1, 0)
        return first, max(bisect_left(self._starts, end) - 1, first)

    def words(self, start: int, end: int) -> set[str]:
        """The stems of a passage, short forms of the paper read as what they stand for, and synonyms where they count
        (see `EvidenceIndex.exact`)."""
        present = set(stems(self.text[start:end]))
        return present.union(*[self._stands_for[word] for word in present & self._stands_for.keys()])

    def is_quotable(self, start: int, end: int) -> bool:
        """Whether the passage would pass the quote check: long enough, whole words, in text that can be seen. What
        is left of a sentence whose beginning or end is hidden is no quote either."""
        match = self._quotes.find(self.text[start:end], start)
        if match is None or not self._document.hidden:
            return match is not None
        blank_before = start - len(self.text[:start].rstrip(" "))
        blank_behind = len(self.text[end:]) - len(self.text[end:].lstrip(" "))
        return not self._document.is_hidden(match.start - blank_before, match.end + blank_behind)

    def proposal(self, sub: SubRequirement, score: float, start: int, end: int, reason: str) -> Proposal:
        """The passage at these characters as a proposal."""
        return Proposal(sub.id, self.text[start:end], round(score, 4), reason, start)

    def _with_subject(self, asked: Asked, start: int) -> int:
        """Where a passage begins that can be read alone: with the sentence before, where that one names what was
        asked for and the sentence at `start` only tells what came of it."""
        at = bisect_right(self._starts, start) - 1
        if at < 1 or not self._reports:
            return start
        before, here = self._index.sentences[at - 1], self._index.sentences[at]
        if before.role != here.role or "\n" in self.text[before.end : here.start]:
            return start
        if self._gives_figures(here.start, here.end) and asked.share(self.words(here.start, here.end)) < _HALF:
            return before.start if asked.share(self.words(before.start, before.end)) >= _HALF else start
        return start

    def _beneath(self, answer: Answer) -> bool:
        """Whether the paper's coverage is beneath what the configuration asks for."""
        return answer.coverage < self._thresholds.partial_at

    def _gives_figures(self, start: int, end: int) -> bool:
        """Whether the passage gives a statistic or a percentage."""
        return FIGURES.search(self.text, start, end) is not None

    def against(self, start: int, end: int) -> str:
        """What speaks against a passage whatever is asked: it states nothing, or reports no finding."""
        if not (self._gives_figures(start, end) or _is_statement(self.text[start:end], self._reports)):
            return "the passage is a heading, a title or a question, not a statement"
        if not self._is_study:
            return ""
        acts = [reading(self.text[low:high], self._role(low)) for low, high in self.sentences(start, end)]
        for act, words in acts:
            if act in _AGAINST:
                return f'the passage {_AGAINST[act]} ("{words}")'
        if all(act == MENTIONS for act, _ in acts) and self._role(start) in ("introduction", "references"):
            return "the passage mentions this without a finding of its own"
        return ""

    def _too_unlikely(self, answer: Answer, likely: float, start: int, end: int) -> str:
        """Why a passage is not likely enough: the nearest reason that a reader can check."""
        present = self.words(start, end)
        if answer.asked.share(present) < _HALF:
            why = f"the passage does not speak of {answer.asked.missing(present)}"
        elif answer.coverage < COVERED:
            missing = answer.asked.missing(present)
            why = f"the paper speaks of this only in passing (coverage {answer.coverage:.2f})"
            why += f", and not of {missing} here" if missing else ""
        else:
            why = "other passages of the paper say it more plainly, or this one says something else"
        return f"{why} (chance {likely:.2f}, needed {NEEDED:.2f})"

    def _why_not(self, answer: Answer, likely: float, start: int, end: int) -> str:
        """Why a passage is not proposed."""
        if not answer.asked.words:
            return _NO_WORD
        against = self.against(start, end)
        if self._beneath(answer):
            return against or self._beneath_words(answer)
        if likely < NEEDED:
            return self._too_unlikely(answer, likely, start, end)
        return against or f"enough better passages of the paper were taken (chance {likely:.2f})"

    def _beneath_words(self, answer: Answer) -> str:
        return (
            f"the paper speaks to this too weakly "
            f"(coverage {answer.coverage:.2f}, needed {self._thresholds.partial_at:.2f})"
        )

    def _why_rejected(self, answer: Answer, likely: float, score: float, start: int, end: int) -> str:
        if not answer.asked.words:
            return _NO_WORD
        against, off_topic = self.against(start, end), answer.asked.share(self.words(start, end)) < _HALF
        if against and not (off_topic and likely < NEEDED):
            return against
        if self._beneath(answer):
            return self._beneath_words(answer)
        if likely < NEEDED:
            return self._too_unlikely(answer, likely, start, end)
        if score < self._thresholds.approved_at:
            return f"the scores are too low together ({score:.2f}, needed {self._thresholds.approved_at:.2f})"
        return ""

    def _why_approved(self, answer: Answer, likely: float, start: int, end: int, whole: bool) -> str:
        act, words = reading(self.text[start:end], self._role(start))
        present = self.words(start, end)
        named = [word for word, stem in answer.asked.words if stem in present][:4]
        parts = [f"names {', '.join(named)}" if named else "stands among the best passages"]
        if act == REPORTS and words and self._reports:
            parts.append(f"reports a result ({words})")
        parts.append(f"chance {likely:.2f}, coverage of the paper {answer.coverage:.2f}{'' if whole else ', in part'}")
        return "; ".join(parts)

    def _scores(self, answer: Answer, likely: float, start: int, end: int) -> dict[str, float]:
        """The five scores by name, each 0 to 1."""
        quote = self.text[start:end]
        strength = 0.5 * self._gives_figures(start, end) + 0.5 * in_own_findings(self._role(start), quote)
        named = answer.asked.share(self.words(start, end))
        direct = signs_of.directness(quote, self._role(start)).value if self._reports else 1.0
        return {
            "relevance": likely,
            "directness": named * direct,
            "strength": strength if self._reports else _UNKNOWN,
            "recency": self._recency,
            "reproducibility": self._reproducible,
        }

    def _relevance(self, answer: Answer, start: int, end: int) -> float:
        """The engine's score of the best sentence in the passage."""
        first, last = self.positions(start, end)
        return max((answer.scores.get(at, 0.0) for at in self._starts[first : last + 1]), default=0.0)

    def _role(self, at: int) -> str:
        found = bisect_right(self._starts, at) - 1
        return self._index.sentences[found].role if found >= 0 else "unknown"

    def _section(self, at: int) -> str:
        found = bisect_right(self._starts, at) - 1
        return self._index.sentences[found].section if found >= 0 else "unknown"


def _is_statement(quote: str, reports: bool) -> bool:
    """Whether it reads as a sentence that states something: no question, no heading. `reports`: the text is written
    in sentences, so that a short one without its full stop is a title."""
    words = len(quote.split()) + sum(sign >= _SIGNS_WITHOUT_BLANKS for sign in quote) // 2
    if quote.rstrip().endswith(("?", "\uff1f", "\u061f")) or words < 4:
        return False
    ended = quote.rstrip(" \"')\u201d\u2019]*").endswith((".", "!", ";", ":", "\u3002", "\uff01"))
    return ended or words > LONGEST_TITLE or (not reports and words >= 8)


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
