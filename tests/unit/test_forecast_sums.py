"""What the forecasts of single papers come to together: what papers share adds up, what is each one's own does not."""

from __future__ import annotations

from collections.abc import Mapping

import pytest
from hypothesis import given
from hypothesis import strategies as st

from literature_review.llm.forecast import forecast
from literature_review.llm.prices import Price
from literature_review.llm.question_limits import Limits
from literature_review.pipeline.forecast import AMOUNTS, together

STAGES = ("journal_reviewer", "judge", "dra")


def of_paper(stage: str, characters: int, subs: int = 12, votes: int = 1) -> Mapping[str, float]:
    return forecast(stage, characters, subs, Limits(votes=votes), Price(0.75, 3.75))


@given(st.sampled_from(STAGES), st.integers(0, 400_000), st.integers(0, 60), st.sampled_from([1, 3]))
def test_what_many_papers_take_on_average_lies_within_what_one_may_take(
    stage: str, characters: int, subs: int, votes: int
) -> None:
    found = of_paper(stage, characters, subs, votes)
    for name in AMOUNTS:
        bounds = [found[f"{name}{bound}"] for bound in ("_low", "_mean_low", "", "_mean_high", "_high")]
        assert bounds == sorted(bounds)


@pytest.mark.parametrize("stage", STAGES)
def test_of_one_paper_the_range_is_its_own(stage: str) -> None:
    alone = of_paper(stage, 40_000)
    total = together([alone])
    assert total == pytest.approx({name: alone[name] for name in total})


@pytest.mark.parametrize("stage", STAGES)
def test_the_more_papers_the_narrower_the_range_but_never_narrower_than_what_is_not_known_of_any(stage: str) -> None:
    alone = of_paper(stage, 40_000)
    widths = []
    for papers in (1, 10, 1000):
        total = together([alone] * papers)
        low, middle, high = ((total[f"usd{bound}"] or 0.0) / papers for bound in ("_low", "", "_high"))
        assert low <= alone["usd_mean_low"] <= middle <= alone["usd_mean_high"] <= high
        widths.append(high - low)
    assert widths[0] > 1.3 * widths[1] > 1.3 * widths[2]


def test_a_back_end_that_knows_no_averages_has_its_ranges_summed() -> None:
    plain = {"calls": 2.0, "calls_low": 1.0, "calls_high": 4.0, "tokens": 10.0, "seconds": 1.0}
    total = together([plain, plain])
    assert (total["calls_low"], total["calls"], total["calls_high"]) == (2.0, 4.0, 8.0)
    assert (total["tokens_low"], total["tokens_high"]) == (20.0, 20.0)
    assert total["usd"] is total["usd_low"] is total["usd_high"] is None


def test_the_forecast_of_nothing_is_nothing() -> None:
    assert set(together([]).values()) == {0.0}
