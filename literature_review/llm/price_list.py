"""What models cost, in US dollars per million tokens, as the providers' own pages said on the day named.

Standard rates for text, without the discounts for batches and cached input: what a run costs is at most this. A
request of more than `long_from` input tokens is billed as a whole at other rates, where there are such. A price that is
known to change has its first day. Newer prices belong into llm.prices of the configuration, or here with their day.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple


class Row(NamedTuple):
    """One model's rates."""

    model: str
    input: float
    output: float
    long_from: int | None = None
    long_input: float = 0.0
    long_output: float = 0.0


@dataclass(frozen=True)
class PricePage:
    """The rows that were read from one page. `read_on`: the day; `since`: the first day on which they hold."""

    source: str
    read_on: str
    rows: tuple[Row, ...]
    since: str = ""


_GOOGLE = "https://ai.google.dev/gemini-api/docs/pricing"
_OPENAI = "https://developers.openai.com/api/docs/pricing"

PAGES: tuple[PricePage, ...] = (
    PricePage(
        _GOOGLE,
        "2026-10-07",
        (
            Row("gemini-3.8-flash", 0.75, 3.75),
            Row("gemini-3.5-flash", 1.50, 9.00),
            Row("gemini-3.5-flash-lite", 0.30, 2.50),
            Row("gemini-3.1-pro-preview", 2.00, 12.00, 200_000, 4.00, 18.00),
            Row("gemini-2.5-pro", 1.25, 10.00, 200_000, 2.50, 15.00),
            Row("gemini-2.5-flash", 0.30, 2.50),
            Row("gemini-2.5-flash-lite", 0.10, 0.40),
        ),
    ),
    PricePage(_GOOGLE, "2026-10-07", (Row("gemini-3.8-flash", 1.50, 7.50),), since="2027-01-01"),
    PricePage(
        _GOOGLE,
        "2026-07-31",
        (
            Row("gemini-3.1-flash-lite", 0.25, 1.50),
            Row("gemini-3-flash-preview", 0.50, 3.00),
        ),
    ),
    PricePage(
        _OPENAI,
        "2026-11-05",
        (
            Row("gpt-6-luna", 0.10, 0.50, 272_000, 0.20, 0.75),
            Row("gpt-6-sol", 2.00, 10.00, 272_000, 4.00, 15.00),
            Row("gpt-5.6-luna", 0.20, 1.20, 272_000, 0.40, 1.80),
            Row("gpt-5.6-terra", 2.00, 12.00, 272_000, 4.00, 18.00),
            Row("gpt-5.6-sol", 4.00, 20.00, 272_000, 8.00, 30.00),
        ),
    ),
    PricePage(
        _OPENAI,
        "2026-06-28",
        (
            Row("gpt-5.5", 5.00, 30.00, 272_000, 10.00, 45.00),
            Row("gpt-5.4", 2.50, 15.00, 272_000, 5.00, 22.50),
            Row("gpt-5.4-mini", 0.75, 4.50),
            Row("gpt-5.4-nano", 0.20, 1.25),
            Row("gpt-5.2", 1.75, 14.00),
            Row("gpt-5.1", 1.25, 10.00),
            Row("gpt-5", 1.25, 10.00),
            Row("gpt-5-mini", 0.25, 2.00),
            Row("gpt-5-nano", 0.05, 0.40),
            Row("gpt-4.1", 2.00, 8.00),
            Row("gpt-4.1-mini", 0.40, 1.60),
            Row("gpt-4.1-nano", 0.10, 0.40),
            Row("gpt-4o", 2.50, 10.00),
            Row("gpt-4o-2024-05-13", 5.00, 15.00),
            Row("gpt-4o-mini", 0.15, 0.60),
            Row("o3", 2.00, 8.00),
            Row("o4-mini", 1.10, 4.40),
        ),
    ),
)
