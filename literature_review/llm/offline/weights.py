"""Fitted numbers of the offline engine, in one place; `benchmarks/fit_evidence.py` reproduces them."""

from __future__ import annotations

WITH_KEYWORDS = (3.0, 0, 1, 1, 0.5, 1, 2, 1, 1, 0.3, 1, 1, 0.5)
QUESTION_ALONE = WITH_KEYWORDS
PRIOR_WITH_KEYWORDS = (
    1,
    1,
    0.5,
    0.2,
    0.2,
    -0.3,
    -0.2,
    -0.5,
    0,
    0.5,
    1,
    0,
    0,
    1,
    0.5,
    0,
    -1,
    -1,
    1,
    0,
    0,
    0,
    0,
    -1,
    0.2,
)
PRIOR_QUESTION_ALONE = PRIOR_WITH_KEYWORDS
COVERAGE = (3.0, 2.0, 1.0, 2.0, 1.0, 3.0)
COVERAGE_BIAS = -7.0
COVERED = 0.5
PARTIAL = 0.25
