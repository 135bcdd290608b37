"""Waiting one behind the other until something lets the first one in, without looking again and again.

    pass_through(ready) --> in line --> first? ready() --> None: through, and the next is woken
                                             seconds: asleep so long, or until something changes

Who is told to stop, or whose time is over, leaves the line at once and wakes whoever stands behind.
"""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from literature_review.errors import StageTimeoutError
from literature_review.ports import Deadline

FOREVER = float("inf")
_LOOK_AGAIN = 0.1  # seconds, where a stop cannot wake: an Event that is no StopEvent


class StopEvent(threading.Event):
    """An event that, when set, also wakes those who wait for something else and registered their own event."""

    def __init__(self) -> None:
        super().__init__()
        self._guard = threading.Lock()  # guards the sleepers
        self._sleepers: set[threading.Event] = set()

    def set(self) -> None:
        super().set()
        with self._guard:
            for sleeper in self._sleepers:
                sleeper.set()

    @contextmanager
    def waking(self, sleeper: threading.Event) -> Iterator[None]:
        """Within it, `set` sets the sleeper as well."""
        with self._guard:
            self._sleepers.add(sleeper)
        try:
            yield
        finally:
            with self._guard:
                self._sleepers.discard(sleeper)


class WaitingLine:
    """First come, first served. Thread-safe. `pause(event, seconds)` waits for an event or the time (None: for the
    event alone); another takes its place in tests."""

    def __init__(self, pause: Callable[[threading.Event, float | None], object] = threading.Event.wait) -> None:
        self._wait = pause
        self._lock = threading.Lock()  # guards the line, and whatever `ready` looks at
        self._line: deque[threading.Event] = deque()

    @contextmanager
    def change(self) -> Iterator[None]:
        """Within it, what `ready` looks at may be changed; the first in line is woken then."""
        with self._lock:
            try:
                yield
            finally:
                self._wake_first()

    def pass_through(self, ready: Callable[[], float | None], deadline: Deadline, what: str) -> None:
        """Come back when `ready()`, called by the first in line alone and under the lock, has given None.

        Otherwise it gives the seconds after which to ask again, or FOREVER where only a change can help. Raises what
        it raises, and StageTimeoutError when the deadline passes, will have passed by then, or the run is stopped.
        """
        mine = threading.Event()
        with self._lock:
            self._line.append(mine)
        try:
            if self._try(mine, ready, deadline, what) is not None:
                with _woken_by(deadline.cancelled, mine):
                    while (seconds := self._try(mine, ready, deadline, what)) is not None:
                        self._pause(mine, seconds, deadline)
        finally:
            with self._lock:
                self._line.remove(mine)
                self._wake_first()

    def _try(
        self, mine: threading.Event, ready: Callable[[], float | None], deadline: Deadline, what: str
    ) -> float | None:
        mine.clear()
        deadline.check(what)
        with self._lock:
            seconds = ready() if self._line[0] is mine else FOREVER
        left = deadline.remaining()
        if seconds is None or left is None:
            return seconds
        if left < seconds < FOREVER:
            raise StageTimeoutError(f"{what} would have gone on in {seconds:.1f} s, but has {left:.1f} s left")
        return min(seconds, left)

    def _pause(self, mine: threading.Event, seconds: float, deadline: Deadline) -> None:
        if not isinstance(deadline.cancelled, StopEvent):
            seconds = min(seconds, _LOOK_AGAIN)
        self._wait(mine, None if seconds == FOREVER else min(seconds, threading.TIMEOUT_MAX))

    def _wake_first(self) -> None:
        if self._line:
            self._line[0].set()


@contextmanager
def _woken_by(stop: threading.Event, mine: threading.Event) -> Iterator[None]:
    if isinstance(stop, StopEvent):
        with stop.waking(mine):
            yield
    else:
        yield
