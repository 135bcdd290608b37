"""What a call costs: tokens times the model's price.

    the user's llm.prices, above the program's dated list (price_list.py) -> PriceTable -> Price -> US dollars
"""

from __future__ import annotations

import math
import re
import time
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from literature_review.errors import ConfigError
from literature_review.strict_json import nearest, printable, shown

_DEAREST = 1_000_000  # US dollars per million tokens
_VERSION = re.compile(r"-(\d{4}-\d{2}-\d{2}|\d{3})\Z")  # gpt-4.1-mini-2025-04-14, gemini-2.0-flash-001


@dataclass(frozen=True)
class Price:
    """US dollars per million tokens, input and output. Raises ValueError for one that is negative or not finite.

    A request of more than `long_from` input tokens (None: there is no such limit) is billed as a whole at the `long_`
    rates. `source` and `read_on` say where and on which day the price was read.
    """

    input_usd_per_million: float
    output_usd_per_million: float
    long_from: int | None = None
    long_input_usd_per_million: float = 0.0
    long_output_usd_per_million: float = 0.0
    source: str = ""
    read_on: str = ""

    def __post_init__(self) -> None:
        rates = (self.input_usd_per_million, self.output_usd_per_million)
        for rate in (*rates, self.long_input_usd_per_million, self.long_output_usd_per_million):
            if not 0 <= rate < math.inf:
                raise ValueError(f"a price is {rate} US dollars per million tokens; it must be finite and not negative")

    @property
    def is_free(self) -> bool:
        """Whatever is asked costs nothing, counted or not."""
        long_rates = self.long_input_usd_per_million, self.long_output_usd_per_million
        return not any((self.input_usd_per_million, self.output_usd_per_million, *long_rates))

    def usd(self, input_tokens: float, output_tokens: float) -> float:
        """What a request of so many tokens costs, in US dollars."""
        is_long = self.long_from is not None and input_tokens > self.long_from
        into = self.long_input_usd_per_million if is_long else self.input_usd_per_million
        out = self.long_output_usd_per_million if is_long else self.output_usd_per_million
        return (input_tokens * into + output_tokens * out) / 1_000_000


class PriceTable:
    """The price of each model that has one. Immutable, so threads may share it."""

    def __init__(self, prices: Mapping[str, Price]) -> None:
        self._prices = dict(prices)

    @classmethod
    def standard(cls, overrides: Mapping[str, Any] | None = None, today: str = "") -> PriceTable:
        """The program's list as it holds on `today` (such as 2026-11-24; empty: this day), the user's prices above it.

        `overrides`: model -> {"input_usd_per_million", "output_usd_per_million"}, as llm.prices in the configuration.
        Raises ConfigError with every price that is missing, no number, negative, not finite or beyond all reason.
        """
        from literature_review.llm.price_list import PAGES

        today = today or time.strftime("%Y-%m-%d")
        prices: dict[str, Price] = {}
        for page in sorted(PAGES, key=lambda page: page.since):
            if page.since <= today:
                prices |= {row.model: Price(*row[1:], page.source, page.read_on) for row in page.rows}
        return cls(prices | _read_overrides(overrides or {}))

    def price(self, model: str) -> Price | None:
        """The price of a model by its name, or None where it is not known.

        A name with a version behind it (a day, or three digits) has the price of the name without, unless it has one
        of its own; "models/" before it does not count. A user's price of 0 is a price: the model is free.
        """
        name = model.removeprefix("models/")
        for known in (model, name, _VERSION.sub("", name)):
            if known in self._prices:
                return self._prices[known]
        return None

    def nearest(self, model: str) -> str | None:
        """The model with a price whose name is most like this one, which may be misspelt; None where none is."""
        return nearest(model.removeprefix("models/"), list(self._prices))


def _read_overrides(overrides: Mapping[str, Any]) -> dict[str, Price]:
    problems: list[str] = []
    read: dict[str, Price] = {}
    for model, given in overrides.items():
        into, out = (_rate(model, given, f"{way}_usd_per_million", problems) for way in ("input", "output"))
        read[model] = Price(into, out, source="llm.prices")
    if problems:
        raise ConfigError(problems)
    return read


def _rate(model: str, given: Any, name: str, problems: list[str]) -> float:
    value = given.get(name) if isinstance(given, Mapping) else None
    if isinstance(value, (int, float)) and not isinstance(value, bool) and 0 <= value <= _DEAREST:
        return float(value)
    wanted = f"must be US dollars per million tokens, a number from 0 to {_DEAREST:,}"
    problems.append(f"llm.prices.{printable(model)}.{name}: {wanted}, not {shown(value)}")
    return 0.0
