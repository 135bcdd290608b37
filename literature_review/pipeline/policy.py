"""What happens when something fails: the circuit breaker, and stages that run against a deadline.

a call of a model      CallGate (calls.py): quota, retry, breaker
a stage of one paper   run_with_deadline: a thread that is waited for no longer than its time
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from typing import Any, TypeVar

from literature_review.errors import StageTimeoutError
from literature_review.ports import Deadline

T = TypeVar("T")


class CircuitBreaker:
    """Stops calls to a server that fails, and lets one probe find out when it is back.

    closed: all calls pass. After `threshold` transient failures in a row: open for `pause` seconds, no call
    passes. Then half-open: exactly one call, the probe, passes; its success closes the breaker, its failure
    opens it anew, and where it ends without either its place is free again.

    Source: M. Nygard, Release It!, 2nd edition, chapter 5, "Circuit Breaker". Thread-safe. `on_change(state)` is
    called under no lock, in the thread that caused the change.
    """

    def __init__(
        self,
        threshold: int,
        pause: float = 60.0,
        on_change: Callable[[str], None] | None = None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        if threshold < 1 or not 0 <= pause < float("inf"):
            raise ValueError("a breaker needs a threshold of at least 1 and a pause of 0 seconds or more")
        self.threshold, self.pause = threshold, pause
        self.on_change = on_change
        self._clock = clock
        self._changed = threading.Condition()  # guards all below
        self._state = "closed"
        self._failures = 0
        self._opens_again_at = 0.0
        self._probe: Admission | None = None

    @property
    def state(self) -> str:
        """closed, open or half_open."""
        with self._changed:
            return self._state

    def try_enter(self) -> Admission | None:
        """Leave for one call, which must be ended by one of its methods; None while the breaker is open."""
        with self._changed:
            if self._state == "closed":
                return Admission(self)
            if self._probe is not None or self._clock() < self._opens_again_at:
                return None
            self._probe = probe = Admission(self)
            self._state = "half_open"
        self._tell("half_open")
        return probe

    def wait(self, timeout: float | None) -> None:
        """Sleep until the breaker may let a call in, `timeout` seconds at most."""
        with self._changed:
            if self._state == "closed":
                return
            left = self._opens_again_at - self._clock() if self._probe is None else None
            limits = [limit for limit in (left, timeout) if limit is not None]
            self._changed.wait(max(min(limits), 0.0) if limits else None)

    def _end(self, admission: Admission, outcome: str) -> None:
        with self._changed:
            before = self._state
            was_probe = self._probe is admission
            if was_probe:
                self._probe = None
            if outcome == "success":
                self._state, self._failures = "closed", 0
                self._probe = None
            elif outcome == "failure":
                self._failures += 1
                if was_probe or (self._state == "closed" and self._failures >= self.threshold):
                    self._state = "open"
                    self._opens_again_at = self._clock() + self.pause
            elif was_probe:
                self._state = "open"  # its time is over already: the next caller is the probe
            after = self._state
            self._changed.notify_all()
        if after != before:
            self._tell(after)

    def _tell(self, state: str) -> None:
        if self.on_change is not None:
            self.on_change(state)


class Admission:
    """Leave for one call through a breaker. End it once; further ends do nothing."""

    def __init__(self, breaker: CircuitBreaker) -> None:
        self._breaker: CircuitBreaker | None = breaker

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
