"""From where on the offline back end says yes: the configuration's `review`, else the fitted numbers."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from literature_review.llm.offline import COVERED
from literature_review.llm.offline.judging import APPROVED, PROPOSED, WHOLE

DEFAULT_WEIGHTS = {"relevance": 0.4, "directness": 0.25, "strength": 0.2, "recency": 0.05, "reproducibility": 0.1}


@dataclass(frozen=True)
class Thresholds:
    """Coverage of a paper from which it may answer in whole and in part (0 where the fitted judge alone decides), the
    weights of the five scores, and the judge's own thresholds (`judging.APPROVED`, `WHOLE`, `PROPOSED`)."""

    covered_at: float
    partial_at: float
    weights: Mapping[str, float]
    approved_at: float = APPROVED
    whole_at: float = WHOLE
    proposed_at: float = PROPOSED

    @classmethod
    def from_settings(cls, review: Mapping[str, Any]) -> Thresholds:
        """What the configuration's `review` says, and the fitted numbers where it says nothing."""
        fitted = {
            "covered_at": COVERED, "partial_at": 0.0, "approved_at": APPROVED, "whole_at": WHOLE,
            "proposed_at": PROPOSED,
        }  # fmt: skip
        told = {name: review.get(name) for name in fitted}
        given = review.get("score_weights") or DEFAULT_WEIGHTS
        own = {name: float(given.get(name, 0.0)) for name in DEFAULT_WEIGHTS}  # rigour is for a model to judge
        total = sum(own.values())
        weights = {name: weight / total for name, weight in own.items()} if total > 0 else dict(DEFAULT_WEIGHTS)
        levels = {name: fitted[name] if value is None else float(value) for name, value in told.items()}
        return cls(weights=weights, **levels)
