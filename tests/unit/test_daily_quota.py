"""The calls of a day: whose midnight it is, and what a count that cannot be written does."""

from __future__ import annotations

from datetime import datetime, timezone
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest

from literature_review.errors import BudgetSpentError, StoreError
from literature_review.pipeline import daily_quota
from literature_review.pipeline.daily_quota import DailyQuota

pytestmark = pytest.mark.unit
PACIFIC = ZoneInfo("America/Los_Angeles")


def at(*moment: int, zone: ZoneInfo | timezone = PACIFIC) -> float:
    return datetime(*moment, tzinfo=zone).timestamp()  # type: ignore[misc, arg-type]


@pytest.mark.parametrize(
    ("api", "now", "ends"),
    [
        ("gemini_api", at(2026, 1, 10, 23, 59), at(2026, 1, 11)),
        ("gemini_api", at(2026, 7, 10, 0, 0), at(2026, 7, 11)),
        ("gemini_api", at(2026, 3, 8, 1, 30), at(2026, 3, 9)),  # a day of 23 hours
        ("gemini_api", at(2026, 11, 1, 1, 30), at(2026, 11, 2)),  # a day of 25 hours
        ("openai_api", at(2026, 7, 10, 23, 59, zone=timezone.utc), at(2026, 7, 11, zone=timezone.utc)),
    ],
)
def test_a_day_ends_at_the_providers_midnight_whatever_the_clocks_do(
    api: str, now: float, ends: float, tmp_path: Path
) -> None:
    clock = [now]
    quota = DailyQuota(api, 1, str(tmp_path), wall_clock=lambda: clock[0])
    quota.take()
    clock[0] = ends - 1
    spoken = f"{datetime.fromtimestamp(ends):%Y-%m-%d %H:%M}"
    with pytest.raises(BudgetSpentError, match=f"go on after {spoken} with --resume"):
        quota.take()
    clock[0] = ends
    quota.take()


def test_a_system_without_time_zones_takes_standard_time(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(daily_quota, "_PACIFIC", "Nowhere/At_All")
    clock = [at(2026, 1, 10, 12)]
    quota = DailyQuota("gemini_api", 1, str(tmp_path), wall_clock=lambda: clock[0])
    quota.take()
    clock[0] = at(2026, 1, 11) - 1
    with pytest.raises(BudgetSpentError):
        quota.take()
    clock[0] += 1
    quota.take()


def test_without_a_limit_nothing_is_written(tmp_path: Path) -> None:
    DailyQuota("gemini_api", None, str(tmp_path / "out")).take()
    assert list(tmp_path.iterdir()) == []


def test_a_count_that_cannot_be_written_says_what_to_do_and_lets_no_call_through(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "out").write_text("a file where the folder should be")
    with pytest.raises(StoreError, match="requests_per_day out"):
        DailyQuota("gemini_api", 5, str(tmp_path / "out")).take()

    def full(descriptor: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("os.fsync", full)
    with pytest.raises(StoreError, match="No space left on device"):
        DailyQuota("gemini_api", 5, str(tmp_path / "other")).take()
