"""How likely a passage is the one that a reader would mark, from what is known of it: a fitted logistic.

    paper's coverage, ranking's score, words named, what the sentence does, where it stands -> chance, 0 to 1

`weights.JUDGE_*` hold the numbers and `benchmarks/fit_evidence.py` how they were fitted: on passages that doctors and
lawyers marked, against other passages and against questions that the text does not answer. The bias is set so that 0.5
is the chance from which approving is worth it.
"""

from __future__ import annotations

from collections.abc import Sequence
from math import exp, log
from operator import mul

from . import weights

ROLES = ("results", "conclusion", "discussion", "methods", "introduction")

FEATURES = (
    "coverage", "score", "prominence", "named", "names all", "words", "figures", "reports", "abstract", *ROLES,
)  # fmt: skip
"""What `chance` reads, in this order: log odds of the paper's coverage and of the ranking's score; log of its share
among the first passages; share of what was asked for that is named, whether all of it is, how many words (of five);
figures given; a result reported; stands in the abstract; its role."""

RISING = 8
"""So many of the FEATURES, the first, never speak against a passage: their weights are kept from being negative."""

NEEDED = 0.5
"""The chance from which a passage is approved."""

PROPOSED = 0.25
"""The chance from which a passage that is not approved is worth a verdict and a second look; no claim is approved by
it, so that no marked text can say what is best."""

BESIDE = 2.0
"""How far, in log odds, a further passage may be beneath the likeliest and still be taken beside it. On the marked
trials it takes an eighth of the claims away, most of them unmarked, and from one question in 140 its only marked one; a
lower one takes the marked ones too."""

APPROVED = 0.3
"""The weighted score that an approved claim must have as well, by the configuration's weights. On the marked texts any
value from 0.2 to 0.4 is as good, and none above: the share of answered questions with a marked passage approved falls
faster than that of wrong approvals."""

WHOLE = 0.6
"""Share of the keywords that a passage must name to answer in whole: of two, both. The marked texts have one keyword a
question or none, so that they cannot tell."""

FIRST = 10
"""Passages among which a passage's prominence is measured."""


def log_odds(share: float) -> float:
    """log(p / (1 - p)), with p kept a millionth away from 0 and 1."""
    share = min(max(share, 1e-6), 1.0 - 1e-6)
    return log(share / (1.0 - share))


def prominence(score: float, scores: Sequence[float]) -> float:
    """The log of a passage's share in the first passages, all of them by their odds; at most 0."""
    odds = [exp(log_odds(other)) for other in scores[:FIRST]]
    return min(0.0, log_odds(score) - log(sum(odds) or 1.0))


def chance(features: Sequence[float], focused: bool, reporting: float) -> float:
    """The chance of a passage with these FEATURES. `focused`: keywords were given; `reporting`: 0 to 1, how surely
    the text reports results: between a text that does and one that does not, the two fits are blended."""
    study = _score(weights.JUDGE_FOCUSED if focused else weights.JUDGE_OPEN, features)
    plain = _score(weights.JUDGE_PLAIN, features)
    score = reporting * study + (1.0 - reporting) * plain
    return 1.0 / (1.0 + exp(-max(-60.0, min(60.0, score))))


def _score(fitted: Sequence[float], features: Sequence[float]) -> float:
    return float(sum(map(mul, fitted, features)) + fitted[-1])
