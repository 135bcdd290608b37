"""Fitted numbers of the offline engine, in one place; `benchmarks/fit_evidence.py` reproduces them."""

from __future__ import annotations

Weights = tuple[float, ...]

FOCUSED: tuple[Weights, Weights] = ((3.0,) * 16, (3.0,) * 16)
OPEN = FOCUSED
FOCUSED_PRIOR: tuple[Weights, Weights] = ((0.0,) * 30, (0.0,) * 30)
OPEN_PRIOR = FOCUSED_PRIOR
COVERAGE = (3.0, 2.0, 1.0, 2.0, 1.0, 3.0)
COVERAGE_BIAS = -7.0
COVERED = 0.5
PARTIAL = 0.25


def blended(pair: tuple[Weights, Weights], reporting: float) -> Weights:
    """The weights between those of a text that reports no results and those of one that does."""
    plain, full = pair
    return tuple(low + reporting * (high - low) for low, high in zip(plain, full, strict=True))
