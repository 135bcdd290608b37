"""The calls of a day: how many there may be, and when the next day begins.

The count is a file in the output folder that grows by one byte per call, named by API and day: the runs of a day
share it, also two at a time; a kill loses nothing, and nothing needs to be read or rewritten.
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable
from datetime import datetime, timedelta, timezone, tzinfo

from literature_review.errors import BudgetSpentError, StoreError

_PACIFIC = "America/Los_Angeles"


class DailyQuota:
    """Counts the calls of one API per day. Thread-safe, and safe between processes.

    `api`: as in v2_features.quota; `limit`: calls in a day, None for no limit; `folder`: where the count is kept.
    Days end at midnight Pacific time for gemini_api ("Requests per day (RPD) quotas reset at midnight Pacific time",
    ai.google.dev/gemini-api/docs/rate-limits), else at midnight UTC.
    """

    def __init__(
        self, api: str, limit: int | None, folder: str, wall_clock: Callable[[], float] = time.time
    ) -> None:
        self._api, self._limit, self._folder = api, limit, folder
        self._wall_clock = wall_clock

    def take(self) -> None:
        """Count one call, durably, before it is made. Raises BudgetSpentError where the day has no more, and StoreError
        where the count cannot be written."""
        if self._limit is None:
            return
        begins, ends = self._day()
        if self._count(begins, self._limit) > self._limit:
            raise BudgetSpentError(
                f"the {self._limit:,} calls a day of v2_features.quota.{self._api}.requests_per_day are made; go on "
                f"after {_spoken(ends)} with --resume, or raise the key"
            )

    def when_more(self) -> str:
        """When a quota of the provider's that is spent is filled again, as a part of a sentence."""
        if self._api != "gemini_api":
            return "when the provider's quota allows it again (for insufficient_quota: once there is credit)"
        return f"after {_spoken(self._day()[1])}, midnight Pacific time"

    def _count(self, day: datetime, limit: int) -> int:
        """Which call of the day this is, from 1. A call above the limit is not counted."""
        path = os.path.join(self._folder, f"{self._api}_calls_{day:%Y-%m-%d}.count")
        try:
            os.makedirs(self._folder, exist_ok=True)
            descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o644)
            try:
                if os.fstat(descriptor).st_size >= limit:
                    return limit + 1
                os.write(descriptor, b".")
                os.fsync(descriptor)
                return os.lseek(descriptor, 0, os.SEEK_CUR)
            finally:
                os.close(descriptor)
        except OSError as error:
            raise StoreError(
                f"the calls of the day cannot be counted in {path} ({error.strerror}): make room or see to its "
                f"permissions, or take v2_features.quota.{self._api}.requests_per_day out"
            ) from error

    def _day(self) -> tuple[datetime, datetime]:
        """When this day began, in its own zone, and when it ends."""
        zone = _zone(self._api)
        now = datetime.fromtimestamp(self._wall_clock(), zone)
        begins = now.replace(hour=0, minute=0, second=0, microsecond=0)
        following = (begins + timedelta(days=1)).date()
        return begins, datetime(following.year, following.month, following.day, tzinfo=zone)


def _zone(api: str) -> tzinfo:
    if api != "gemini_api":
        return timezone.utc
    from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

    try:
        return ZoneInfo(_PACIFIC)
    except ZoneInfoNotFoundError:  # a system without time zones: Pacific standard time, an hour late in summer
        return timezone(timedelta(hours=-8))


def _spoken(moment: datetime) -> str:
    """Local time, as in the log."""
    return f"{moment.astimezone():%Y-%m-%d %H:%M}"
