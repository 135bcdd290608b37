"""A limit of tokens in any minute, with calls whose true size is known only afterwards.

The kernel's token bucket can neither take tokens back nor owe them, and a call larger than its burst would never be
served; here each call stays known until a minute after its end.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from time import monotonic

from literature_review.pipeline.waiting import FOREVER


class TokenWindow:
    """No more than `limit` tokens in any window of `seconds`.

    A call is charged with its estimate from its beginning, with what it really took from its end, and counts until
    `seconds` after that: wherever between the two the provider counts it, no window of the provider's holds more.
    What a correction can keep: where no call takes more than its estimate, the limit holds in every window. What it
    cannot: a call that takes more has taken it by the time it is known; the excess is charged then, so that later
    calls wait, and the limit is passed by no more than the excess of the calls that were under way together.

    Not thread-safe: who uses it holds a lock.
    """

    def __init__(self, limit: float, seconds: float = 60.0, clock: Callable[[], float] = monotonic) -> None:
        self.limit, self.seconds = limit, seconds
        self._clock = clock
        self._under_way = 0.0
        self._ended: deque[tuple[float, float]] = deque()  # (time of the end, tokens), oldest first
        self._in_window = 0.0  # sum of the ended

    def seconds_until(self, tokens: float) -> float:
        """0 where a call of so many tokens may begin; FOREVER where calls under way have to end first."""
        now = self._clock()
        while self._ended and self._ended[0][0] + self.seconds <= now:
            self._in_window -= self._ended.popleft()[1]
        if not self._ended:
            self._in_window = 0.0  # no rounding outlives its calls
        missing = self._under_way + self._in_window + tokens - self.limit
        if missing <= 0:
            return 0.0
        for ended_at, freed in self._ended:
            missing -= freed
            if missing <= 0:
                return max(ended_at + self.seconds - now, 1e-6)
        return FOREVER

    def begin(self, tokens: float) -> None:
        self._under_way += tokens

    def end(self, estimate: float, tokens: float) -> None:
        """The call that began with this estimate took so many tokens."""
        self.withdraw(estimate)
        self._ended.append((self._clock(), tokens))
        self._in_window += tokens

    def withdraw(self, estimate: float) -> None:
        """The call that began with this estimate was not made after all."""
        self._under_way = max(self._under_way - estimate, 0.0)
