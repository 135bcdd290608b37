"""How well the program agrees with a person, from a stratified sample of cells, each with a weight.

A cell's weight is the number of cells that it stands for: cells in its stratum / cells of it that were answered.
Without weights, a sample drawn by the program's own verdict would make sensitivity look like precision (Begg and
Greenes, Biometrics 39:207-215, 1983).

    share, interval   Wilson's score interval (E. B. Wilson, JASA 22:209-212, 1927) at the effective sample size
                      (sum w)^2 / sum w^2 (L. Kish, Survey Sampling, 1965, section 8.2): with equal weights the plain
                      one, and sensible at 0 and 1, where a normal approximation is not
    kappa             J. Cohen, Educational and Psychological Measurement 20:37-46, 1960; its standard error after
                      J. L. Fleiss, J. Cohen, B. S. Everitt, Psychological Bulletin 72:323-327, 1969, equation 13
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from statistics import NormalDist
from typing import NamedTuple

CONFIDENCE = 0.95


class Rating(NamedTuple):
    """One cell: what the program says, what the person says, and how many cells it stands for (more than 0)."""

    program: str
    person: str
    weight: float = 1.0


@dataclass(frozen=True)
class Estimate:
    """A figure with its interval, each None where it cannot be made from what was seen. `cells`: how many were seen."""

    value: float | None
    low: float | None
    high: float | None
    cells: int


NOTHING = Estimate(None, None, None, 0)


def share(hits: Iterable[tuple[bool, float]], confidence: float = CONFIDENCE) -> Estimate:
    """The weighted share of hits, with Wilson's interval at the effective sample size. `hits`: (hit, weight)."""
    seen = list(hits)
    total = math.fsum(weight for _, weight in seen)
    if not seen:
        return NOTHING
    rate = math.fsum(weight for hit, weight in seen if hit) / total
    size = effective_size(weight for _, weight in seen)
    z = _z(confidence)
    middle = (rate + z * z / (2 * size)) / (1 + z * z / size)
    reach = z / (1 + z * z / size) * math.sqrt(rate * (1 - rate) / size + z * z / (4 * size * size))
    return Estimate(rate, max(middle - reach, 0.0), min(middle + reach, 1.0), len(seen))


def effective_size(weights: Iterable[float]) -> float:
    """Kish's: how many cells of equal weight would tell as much. 0 for none."""
    seen = list(weights)
    squares = math.fsum(weight * weight for weight in seen)
    return math.fsum(seen) ** 2 / squares if squares else 0.0


def kappa(ratings: Sequence[Rating], confidence: float = CONFIDENCE) -> Estimate:
    """Cohen's kappa of program and person. None where both said one and the same of every cell: chance alone would
    agree as well. The interval is kappa +- z standard errors, cut to -1..1, and None where they are all alike (full
    agreement among them): the formula would then give an interval of no width, which says too much."""
    total = math.fsum(rating.weight for rating in ratings)
    if not ratings:
        return NOTHING
    names = sorted({name for rating in ratings for name in rating[:2]})
    cells = {(one, other): 0.0 for one in names for other in names}
    for rating in ratings:
        cells[rating.program, rating.person] += rating.weight / total
    program = {name: math.fsum(cells[name, other] for other in names) for name in names}
    person = {name: math.fsum(cells[other, name] for other in names) for name in names}
    agreed = math.fsum(cells[name, name] for name in names)
    chance = math.fsum(program[name] * person[name] for name in names)
    if chance >= 1 - 1e-12:
        return Estimate(None, None, None, len(ratings))
    value = min((agreed - chance) / (1 - chance), 1.0)
    size = effective_size(rating.weight for rating in ratings)
    error = _standard_error(cells, program, person, agreed, chance, size)
    if error < 1e-6:
        return Estimate(value, None, None, len(ratings))
    reach = _z(confidence) * error
    return Estimate(value, max(value - reach, -1.0), min(value + reach, 1.0), len(ratings))


def _standard_error(
    cells: Mapping[tuple[str, str], float],
    program: Mapping[str, float],
    person: Mapping[str, float],
    agreed: float,
    chance: float,
    size: float,
) -> float:
    """Of kappa, for large samples (Fleiss, Cohen and Everitt 1969, equation 13)."""
    miss, unlike = 1 - agreed, 1 - chance
    on = math.fsum(cells[name, name] * (unlike - (program[name] + person[name]) * miss) ** 2 for name in program)
    off = math.fsum(
        value * (program[other] + person[one]) ** 2 for (one, other), value in cells.items() if one != other
    )
    inner = on + miss * miss * off - (agreed * chance - 2 * chance + agreed) ** 2
    return math.sqrt(max(inner, 0.0) / size) / unlike**2


def _z(confidence: float) -> float:
    return NormalDist().inv_cdf((1 + confidence) / 2)
