"""The figures of a validation: formulas held against statsmodels and scikit-learn, and against cases done by hand."""

from __future__ import annotations

import math
import warnings

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from literature_review.validation.agreement import NOTHING, Estimate, Rating, effective_size, kappa, share

ANSWERS = st.sampled_from(("covered", "partial", "none"))
PAIRS = st.lists(st.tuples(ANSWERS, ANSWERS), min_size=2, max_size=60)
WEIGHTS = st.floats(0.1, 50)


def test_nothing_seen_is_unknown_not_zero() -> None:
    assert share([]) == NOTHING
    assert kappa([]) == NOTHING


def test_a_share_done_by_hand() -> None:
    """Wilson 1927, 8 of 10: centre (0.8 + 1.92/10) / (1 + 3.84/10), reach 0.2264."""
    found = share([(True, 1.0)] * 8 + [(False, 1.0)] * 2)
    assert found.value == pytest.approx(0.8)
    assert found.low == pytest.approx(0.4902, abs=1e-4)
    assert found.high == pytest.approx(0.9433, abs=1e-4)


def test_all_hits_are_no_certainty() -> None:
    found = share([(True, 1.0)] * 5)
    assert (found.value, found.high) == (1.0, 1.0)
    assert found.low is not None
    assert found.low < 0.6


def test_a_heavy_cell_counts_for_as_many_as_it_stands_for() -> None:
    assert share([(True, 9.0), (False, 1.0)]).value == pytest.approx(0.9)
    assert effective_size([9.0, 1.0]) == pytest.approx(100 / 82)


@settings(deadline=None)  # the first example pays for the import
@given(st.integers(1, 80), st.integers(0, 80), WEIGHTS)
def test_shares_agree_with_statsmodels(count: int, hits: int, weight: float) -> None:
    proportion = pytest.importorskip("statsmodels.stats.proportion", reason="statsmodels is not installed")
    hits = min(hits, count)
    found = share([(at < hits, weight) for at in range(count)])
    low, high = proportion.proportion_confint(hits, count, alpha=0.05, method="wilson")
    assert found.low == pytest.approx(low, abs=1e-9)
    assert found.high == pytest.approx(high, abs=1e-9)


def test_kappa_done_by_hand() -> None:
    """Twenty yes-yes, fifteen no-no, five and ten apart: agreed 0.7, by chance 0.5, kappa 0.4."""
    ratings = (
        [Rating("yes", "yes")] * 20 + [Rating("yes", "no")] * 5 + [Rating("no", "yes")] * 10 + [Rating("no", "no")] * 15
    )
    assert kappa(ratings).value == pytest.approx(0.4)


def test_kappa_of_one_and_the_same_answer_is_unknown() -> None:
    """Where all is `none`, chance agrees as well: neither 1 nor 0 would be true."""
    assert kappa([Rating("none", "none")] * 9) == Estimate(None, None, None, 9)


@settings(deadline=None)
@given(PAIRS)
def test_kappa_agrees_with_statsmodels(pairs: list[tuple[str, str]]) -> None:
    inter_rater = pytest.importorskip("statsmodels.stats.inter_rater", reason="statsmodels is not installed")
    found = kappa([Rating(*pair) for pair in pairs])
    if found.value is None:
        return
    names = sorted({name for pair in pairs for name in pair})
    table = [[sum(pair == (one, other) for pair in pairs) for other in names] for one in names]
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # theirs divides by zero where kappa has no spread
        theirs = inter_rater.cohens_kappa(table)
    if found.low is None:
        assert math.isnan(theirs.kappa_low) or theirs.kappa_upp - theirs.kappa_low < 1e-5
        return
    assert found.value == pytest.approx(theirs.kappa, abs=1e-9)
    assert found.low == pytest.approx(max(theirs.kappa_low, -1.0), abs=1e-6)
    assert found.high == pytest.approx(min(theirs.kappa_upp, 1.0), abs=1e-6)


@settings(deadline=None)
@given(st.lists(st.tuples(ANSWERS, ANSWERS, WEIGHTS), min_size=2, max_size=40))
def test_weighted_kappa_and_sensitivity_agree_with_scikit_learn(rows: list[tuple[str, str, float]]) -> None:
    metrics = pytest.importorskip("sklearn.metrics", reason="scikit-learn is not installed")
    program, person, weights = [list(column) for column in zip(*rows, strict=True)]
    found = kappa([Rating(*row) for row in rows])
    if found.value is not None:
        theirs = metrics.cohen_kappa_score(program, person, sample_weight=weights)
        assert found.value == pytest.approx(theirs, abs=1e-9)
    if "covered" in person:
        recall = metrics.recall_score(
            [name == "covered" for name in person], [name == "covered" for name in program], sample_weight=weights
        )
        hits = ((row[0] == "covered", row[2]) for row in rows if row[1] == "covered")
        assert share(hits).value == pytest.approx(recall, abs=1e-9)


@given(st.lists(st.tuples(ANSWERS, ANSWERS, WEIGHTS), min_size=1, max_size=40))
def test_figures_stay_in_their_bounds(rows: list[tuple[str, str, float]]) -> None:
    for found, least in ((kappa([Rating(*row) for row in rows]), -1), (share((r[0] == r[1], r[2]) for r in rows), 0)):
        if found.value is None or found.low is None or found.high is None:
            continue
        assert least - 1e-9 <= found.low <= found.value + 1e-9
        assert found.value - 1e-9 <= found.high <= 1
        assert all(math.isfinite(value) for value in (found.low, found.value, found.high))
