"""What happens when something fails: the circuit breaker, and stages that run against a deadline.

a call of a model      CallGate (calls.py): quota, retry, breaker
a stage of one paper   run_with_deadline: a thread that is waited for no longer than its time
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, TypeVar

from literature_review.errors import StageTimeoutError

if TYPE_CHECKING:
    from literature_review.ports import Deadline

T = TypeVar("T")


class CircuitBreaker:
    """Stops calls to a server that fails, and lets one probe find out when it is back.

    closed: all calls pass. After `threshold` transient failures in a row: open, no call passes. After a pause
    half-open: exactly one call, the probe, passes; its success closes the breaker, its failure opens it anew, and
    where it ends without either its place is free again. The pause is `first_pause` seconds, doubled with every
    probe that fails, at most `pause` (which it is from the start where no `first_pause` is given): a few failures
    that came together by chance cost little, a long outage is seldom asked about.

    Source: M. Nygard, Release It!, 2nd edition, chapter 5, "Circuit Breaker". Thread-safe. `on_change(state)` is
    called under no lock of the breaker, in the thread that caused the change.
    """

    def __init__(
        self,
        threshold: int,
        pause: float = 60.0,
        on_change: Callable[[str], None] | None = None,
        clock: Callable[[], float] = time.monotonic,
        first_pause: float | None = None,
    ) -> None:
        first_pause = pause if first_pause is None else min(first_pause, pause)
        if threshold < 1 or not 0 <= first_pause <= pause < float("inf"):
            raise ValueError("a breaker needs a threshold of at least 1 and a pause of 0 seconds or more")
        self.threshold, self.pause, self.first_pause = threshold, pause, first_pause
        self.on_change = on_change
        self._clock = clock
        self._lock = threading.Lock()  # guards all below
        self._next_pause = first_pause
        self._state = "closed"
        self._failures = 0
        self._opens_again_at = 0.0
        self._probe: Admission | None = None

    @property
    def state(self) -> str:
        """closed, open or half_open."""
        with self._lock:
            return self._state

    def try_enter(self) -> Admission | None:
        """Leave for one call, which must be ended by one of its methods; None while the breaker is open."""
        with self._lock:
            if self._state == "closed":
                return Admission(self)
            if self._probe is not None or self._clock() < self._opens_again_at:
                return None
            self._probe = probe = Admission(self, is_probe=True)
            self._state = "half_open"
        try:
            self._tell("half_open")
        except BaseException:
            probe.cancelled()
            raise
        return probe

    def seconds_left(self) -> float:
        """Until a call may pass: 0 where one may now, infinite while the probe is under way."""
        with self._lock:
            if self._state == "closed":
                return 0.0
            return float("inf") if self._probe is not None else max(self._opens_again_at - self._clock(), 0.0)

    def _end(self, admission: Admission, outcome: str) -> None:
        with self._lock:
            before = self._state
            was_probe = self._probe is admission
            if was_probe:
                self._probe = None
            if outcome == "success":
                self._state, self._failures = "closed", 0
                self._probe, self._next_pause = None, self.first_pause
            elif outcome == "failure":
                self._failures += 1
                if was_probe or (self._state == "closed" and self._failures >= self.threshold):
                    self._state = "open"
                    self._opens_again_at = self._clock() + self._next_pause
                    self._next_pause = min(2 * self._next_pause, self.pause)
            elif was_probe:
                self._state = "open"  # its time is over already: the next caller is the probe
            after = self._state
        if after != before:
            self._tell(after)

    def _tell(self, state: str) -> None:
        if self.on_change is not None:
            self.on_change(state)


class Admission:
    """Leave for one call through a breaker. End it once; further ends do nothing. `is_probe`: it was given while the
    breaker was not closed."""

    def __init__(self, breaker: CircuitBreaker, is_probe: bool = False) -> None:
        self._breaker: CircuitBreaker | None = breaker
        self.is_probe = is_probe

    def succeeded(self) -> None:
        """The server answered, be it with a permanent error: it is alive."""
        self._finish("success")

    def failed(self) -> None:
        """The call failed for a transient reason."""
        self._finish("failure")

    def cancelled(self) -> None:
        """The call ended without a word on the server's health."""
        self._finish("none")

    def _finish(self, outcome: str) -> None:
        breaker, self._breaker = self._breaker, None
        if breaker is not None:
            breaker._end(self, outcome)


def run_with_deadline(
    work: Callable[[], T],
    deadline: Deadline,
    what: str,
    stop_asked: Callable[[], bool] = lambda: False,
    grace: float = 1.0,
) -> T:
    """Run `work` in a thread of its own and return or raise what it does.

    Past the deadline (and `grace` seconds in which work that heeds it ends by itself) StageTimeoutError is
    raised and the thread is left behind: it is a daemon, so it cannot keep the program from ending, and what it
    still returns goes nowhere. `stop_asked` is looked at ten times a second; then KeyboardInterrupt is raised.
    """
    outcome: list[tuple[bool, Any]] = []
    done = threading.Event()

    def body() -> None:
        try:
            outcome.append((True, work()))
        except BaseException as error:  # noqa: BLE001, it is raised again in the caller's thread
            outcome.append((False, error))
        finally:
            done.set()

    threading.Thread(target=body, name=f"stage {what}", daemon=True).start()
    while not done.wait(_pause(deadline, grace)):
        if stop_asked():
            deadline.cancelled.set()
            raise KeyboardInterrupt
        if deadline.cancelled.is_set() and done.wait(grace) is False:
            raise StageTimeoutError(f"{what} was told to stop and did not")
        if deadline.remaining() == 0.0 and done.wait(grace) is False:
            raise StageTimeoutError(f"{what} timed out: it ran past its deadline (stage_timeout)")
    succeeded, value = outcome[0]
    if succeeded:
        return value  # type: ignore[no-any-return]
    raise value


def _pause(deadline: Deadline, grace: float) -> float:
    left = deadline.remaining(at_most=0.1)
    return 0.1 if left is None else max(left, min(grace, 0.01))
