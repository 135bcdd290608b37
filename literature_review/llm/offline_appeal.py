"""The second look of the offline back end at a rejected claim.

    rejected claim -> with the sentence before or behind it (what it speaks of may be named there)
                   -> where the same figures or words stand again (abstract, results, conclusion, a table's rows)
                   -> the judge's verdict on each; the likeliest that would be approved is proposed

It wins next to nothing, and says so: the first look has weighed the same passages. On held-out texts
(`benchmarks/judging.py`) 522 questions to trials gained no approved claim and 1,044 phantom questions one, wrongly; the
contracts gained eight where the requirement is mentioned, five of them marked, and one where it is not.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator
from itertools import chain, islice

from literature_review.llm.offline.tokens import content, stems
from literature_review.llm.offline_reading import PaperReading, Range
from literature_review.models import Claim, Proposal, SubRequirement

RESTATED_SHARE = 0.5
"""Share of a claim's words that a sentence must have to say the same again; half of it with one of its figures."""

MOST_RESTATED = 100
"""Sentences that are judged again for one claim; more say the same only in a text that repeats itself."""

LONGEST_GAP = 2
"""Characters of white space between two sentences that are read as one passage."""

_FIGURE = re.compile(r"\d+[.,\u00b7]\d+")


def appeal(
    reading: PaperReading, claim: Claim, sub: SubRequirement, known: Collection[tuple[str, int, int]]
) -> Proposal | None:
    """The likeliest passage near a rejected claim, or that says the same again, that would be approved, or None."""
    best: Proposal | None = None
    for start, end in chain(_neighbours(reading, claim), islice(_restated(reading, claim), MOST_RESTATED)):
        if (sub.id, start, end) in known or not reading.is_quotable(start, end):
            continue
        verdict = reading.verdict(claim.id, sub, start, end)
        if verdict.approved and (best is None or verdict.scores["relevance"] > best.score):
            reason = "found on a second look, in place of a passage that was rejected"
            quote = reading.text[start:end]
            best = Proposal(sub.id, quote, verdict.scores["relevance"], reason, start, appeal_of=claim.id)
    return best


def _neighbours(reading: PaperReading, claim: Claim) -> Iterator[Range]:
    """The sentences before and behind the claim, alone and joined to it where they follow on each other."""
    first, last = reading.positions(claim.start, claim.end)
    for at, joined in ((first - 1, True), (last + 1, False)):
        if not 0 <= at < len(reading.places):
            continue
        start, end = reading.places[at]
        yield start, end
        if joined and claim.start - end <= LONGEST_GAP:
            yield start, claim.end
        elif not joined and start - claim.end <= LONGEST_GAP:
            yield claim.start, end


def _restated(reading: PaperReading, claim: Claim) -> Iterator[Range]:
    """Sentences elsewhere that have most of the claim's words, or one of its figures and some of its words."""
    words = set(content(stems(claim.quote)))
    figures = set(_FIGURE.findall(claim.quote))
    for start, end in reading.places:
        if start < claim.end and claim.start < end:
            continue
        piece = reading.text[start:end]
        share = len(words.intersection(stems(piece))) / max(1, len(words))
        if share >= RESTATED_SHARE or (share >= RESTATED_SHARE / 2 and figures.intersection(_FIGURE.findall(piece))):
            yield start, end
