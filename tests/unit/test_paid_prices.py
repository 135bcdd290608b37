"""What a call costs."""

from __future__ import annotations

import math
import re
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from literature_review.errors import ConfigError
from literature_review.llm.price_list import PAGES
from literature_review.llm.prices import Price, PriceTable

pytestmark = pytest.mark.unit

RATES = st.floats(0, 1000)
TOKENS = st.integers(0, 10**9)


def given_price(into: Any, out: Any) -> dict[str, Any]:
    return {"input_usd_per_million": into, "output_usd_per_million": out}


@given(RATES, RATES, TOKENS, TOKENS)
def test_a_call_costs_tokens_times_price(into: float, out: float, asked: int, said: int) -> None:
    assert Price(into, out).usd(asked, said) == pytest.approx(asked * into / 1e6 + said * out / 1e6)


def test_a_request_beyond_the_long_limit_is_billed_as_a_whole_at_the_long_rates() -> None:
    price = Price(1.0, 10.0, 200_000, 2.0, 15.0)
    assert price.usd(200_000, 1000) == pytest.approx(0.21)
    assert price.usd(200_001, 1000) == pytest.approx(0.400002 + 0.015)


@pytest.mark.parametrize("wrong", [-0.01, math.inf, math.nan])
@pytest.mark.parametrize("place", range(4))
def test_a_price_that_is_none_is_refused(wrong: float, place: int) -> None:
    rates: list[Any] = [1.0, 1.0, 1.0, 1.0]
    rates[place] = wrong
    with pytest.raises(ValueError, match="finite and not negative"):
        Price(rates[0], rates[1], 1000, rates[2], rates[3])


def test_the_users_prices_stand_above_the_list_and_add_to_it() -> None:
    own = {"gemini-2.5-flash": given_price(9, 9.5), "my-own": given_price(0, 0)}
    table = PriceTable.standard(own, today="2026-11-24")
    assert table.price("gemini-2.5-flash") == Price(9.0, 9.5, source="llm.prices")
    assert table.price("my-own") == Price(0.0, 0.0, source="llm.prices")
    assert table.price("gemini-2.5-pro") is not None
    assert table.price("no-such-model") is None


@pytest.mark.parametrize("wrong", [-1, math.nan, math.inf, "1", None, True, [], 10**400], ids=range(8))
def test_every_wrong_price_of_the_user_is_told_at_once(wrong: Any) -> None:
    """The configuration checks its own; whoever builds a table otherwise is told as well."""
    with pytest.raises(ConfigError) as raised:
        PriceTable.standard({"a": given_price(wrong, 1), "b": given_price(1, wrong), "c": 7})
    places = [line.split(":")[0] for line in raised.value.problems]
    assert places == [
        "llm.prices.a.input_usd_per_million",
        "llm.prices.b.output_usd_per_million",
        "llm.prices.c.input_usd_per_million",
        "llm.prices.c.output_usd_per_million",
    ]


def test_a_name_with_a_version_has_the_price_of_the_model() -> None:
    prices = {"gpt-4o": Price(2.5, 10), "gpt-4o-2024-05-13": Price(5, 15), "gemini-2.5-flash": Price(0.3, 2.5)}
    table = PriceTable(prices)
    assert table.price("gpt-4o-2024-08-06") == Price(2.5, 10)
    assert table.price("gpt-4o-2024-05-13") == Price(5, 15)
    assert table.price("models/gemini-2.5-flash-001") == Price(0.3, 2.5)
    assert table.price("gpt-4o-mini") is None
    assert table.price("") is None


def test_a_price_that_is_known_to_change_changes_on_its_day() -> None:
    def flash(today: str) -> float:
        price = PriceTable.standard(today=today).price("gemini-3.8-flash")
        assert price is not None
        return price.input_usd_per_million

    assert (flash("2026-12-31"), flash("2027-01-01")) == (0.75, 1.5)


def test_every_price_of_the_list_has_its_source_and_day() -> None:
    """And no model stands twice with the same first day."""
    seen = set()
    for page in PAGES:
        assert page.source.startswith("https://")
        assert re.fullmatch(r"\d{4}-\d\d-\d\d", page.read_on)
        for row in page.rows:
            assert 0 < row.input <= row.output
            assert (row.model, page.since) not in seen
            seen.add((row.model, page.since))
