"""The offline back end: reads like a reviewer with the embedded evidence engine. No network, no cost, the same
answer every time.

    find_claims   engine ranks the sentences per sub-requirement -> likely ones proposed, next ones turned down
    judge         what the sentence does (reports, plans, cites ...), the fitted chance that it answers, five scores
                  -> verdict with its reason
    reconsider    the sentences around a rejected claim, or that say the same -> one that the judge would approve

Scores, each 0 to 1, weighted by `review.score_weights`: relevance (the chance that it answers), directness (how
much of what was asked for the passage names), strength (statistics, own findings), recency (year of the paper),
reproducibility (what a reader would need to do it again). The direction of an effect is advisory.
"""

from __future__ import annotations

import hashlib
import json
import threading
from collections import OrderedDict
from collections.abc import Mapping, Sequence
from functools import cached_property
from typing import TYPE_CHECKING, Any

from literature_review import __version__

if TYPE_CHECKING:
    from literature_review.llm.offline_reading import PaperReading
    from literature_review.llm.offline_thresholds import Thresholds
    from literature_review.models import Claim, Document, Findings, Proposal, SubRequirement, Verdict
    from literature_review.ports import Deadline

KEPT_READINGS = 4
"""Papers whose index is kept, so that stages in a row read each once."""

_SECONDS_PER_CHARACTER = 2e-7
_SECONDS_PER_ROW = 1e-3


class OfflineBackend:
    """Keeps `ports.Backend`. `settings`: the configuration's plain data. Thread-safe."""

    name = "offline"
    model = f"embedded-{__version__}"
    paid = False

    def __init__(self, settings: Mapping[str, Any]) -> None:
        self._review = review = settings.get("review", {})
        self._proposed = int(review.get("claims_per_sub_requirement", 3))
        self._nearest = int(review.get("nearest_passages", 3))
        self._lock = threading.Lock()  # guards _readings
        self._readings: OrderedDict[tuple[str, Any], PaperReading] = OrderedDict()

    @cached_property
    def _thresholds(self) -> Thresholds:
        """Made at first use: a dry run does not pay for the engine."""
        from literature_review.llm.offline_thresholds import Thresholds

        return Thresholds.from_settings(self._review)

    def fingerprint(self) -> str:
        """Version, fitted numbers, thresholds and weights in 16 hexadecimal digits."""
        from literature_review.llm.offline import weights

        fitted = {name: value for name, value in vars(weights).items() if name.isupper()}
        made_of = [self.model, fitted, self._thresholds.__dict__, self._proposed, self._nearest]
        text = json.dumps(made_of, sort_keys=True, default=list)
        return hashlib.sha256(text.encode("ascii")).hexdigest()[:16]

    def for_paper(self, paper: str) -> OfflineBackend:
        """Itself: nothing is paid for, so nothing is booked."""
        return self

    def find_claims(self, document: Document, wanted: Sequence[SubRequirement], deadline: Deadline) -> Findings:
        """The likeliest passages for each sub-requirement, what was turned down, and how far the paper answers it."""
        from literature_review.models import Findings

        deadline.check("finding claims")
        reading = self._reading(document)
        proposals: list[Proposal] = []
        turned_down: list[Proposal] = []
        coverage: dict[str, float] = {}
        for sub in wanted:
            deadline.check("finding claims")
            coverage[sub.id] = round(reading.coverage(sub), 4)
            taken, left = reading.candidates(sub, self._proposed, self._nearest)
            proposals += taken
            turned_down += left
        return Findings(tuple(proposals), tuple(turned_down), coverage)

    def judge(
        self,
        document: Document,
        claims: Sequence[Claim],
        wanted: Mapping[str, SubRequirement],
        deadline: Deadline,
    ) -> list[Verdict]:
        """By relevance, directness and strength of the quote where it stands, with a reason in words."""
        deadline.check("judging")
        reading = self._reading(document)
        verdicts = []
        for claim in claims:
            deadline.check("judging")
            verdicts.append(reading.verdict(claim.id, wanted[claim.sub_requirement], claim.start, claim.end))
        return verdicts

    def reconsider(
        self,
        document: Document,
        rejected: Sequence[Claim],
        wanted: Mapping[str, SubRequirement],
        deadline: Deadline,
    ) -> Findings:
        """For each rejected claim the same passage with more of its context, where the judge would approve that."""
        from literature_review.models import Findings

        deadline.check("reconsidering")
        from literature_review.llm.offline_appeal import appeal

        reading = self._reading(document)
        known = {(claim.sub_requirement, claim.start, claim.end) for claim in rejected}
        proposals: list[Proposal] = []
        for claim in rejected:
            deadline.check("reconsidering")
            proposal = appeal(reading, claim, wanted[claim.sub_requirement], known)
            if proposal is not None:
                start = proposal.start or 0
                known.add((proposal.sub_requirement, start, start + len(proposal.quote)))
                proposals.append(proposal)
        return Findings(tuple(proposals))

    def estimate(self, stage: str, characters: int, sub_requirements: int) -> Mapping[str, float]:
        reading = characters * _SECONDS_PER_CHARACTER if stage == "journal_reviewer" else 0.0
        seconds = reading + sub_requirements * _SECONDS_PER_ROW
        return {"calls": 0, "tokens": 0, "usd": 0.0, "seconds": seconds}

    def usage(self) -> Mapping[str, float]:
        names = ("calls", "retries", "tokens", "usd", "quota_consumed", "quota_throttled")
        return dict.fromkeys(names, 0.0)

    def close(self) -> None:
        """Forget the papers read."""
        with self._lock:
            self._readings.clear()

    def _reading(self, document: Document) -> PaperReading:
        from literature_review.llm.offline_reading import PaperReading

        key = (document.text, document.hidden)
        with self._lock:
            reading = self._readings.get(key)
            if reading is not None:
                self._readings.move_to_end(key)
                return reading
        reading = PaperReading(document, self._thresholds)  # outside the lock: other papers go on meanwhile
        with self._lock:
            self._readings[key] = reading
            while len(self._readings) > KEPT_READINGS:
                self._readings.popitem(last=False)
        return reading
