"""Time that stands still while anybody works: threads sleep in it, and it moves when all of them do."""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence


class VirtualTime:
    """`clock`, `sleep` and `pause` for the threads that `run` starts, or for one thread alone."""

    def __init__(self) -> None:
        self.now = 0.0
        self._moved = threading.Condition()  # guards all
        self._awake = 0
        self._sleepers: list[tuple[float, threading.Event | None]] = []

    def clock(self) -> float:
        return self.now

    def sleep(self, seconds: float) -> None:
        self._rest(self.now + max(seconds, 1e-9), None)

    def pause(self, event: threading.Event, seconds: float | None) -> None:
        """Until the event is set, or the time is over."""
        self._rest(float("inf") if seconds is None else self.now + max(seconds, 1e-9), event)

    def _rest(self, until: float, event: threading.Event | None) -> None:
        with self._moved:
            if self._awake == 0:  # one thread, not started by run()
                assert until < float("inf"), "the only thread waits for ever"
                self.now = until
                return
            mine = (until, event)
            self._sleepers.append(mine)
            self._awake -= 1
            self._move()
            while any(sleeper is mine for sleeper in self._sleepers):
                self._moved.wait()

    def _move(self) -> None:
        """Where all rest: wake whose event is set; where there is none, let the time of the next come."""
        if self._awake or not self._sleepers:
            return
        woken = [sleeper for sleeper in self._sleepers if sleeper[1] is not None and sleeper[1].is_set()]
        if not woken:
            self.now = min(until for until, _ in self._sleepers)
            assert self.now < float("inf"), "all threads wait for ever"
            woken = [sleeper for sleeper in self._sleepers if sleeper[0] <= self.now]
        self._sleepers = [sleeper for sleeper in self._sleepers if all(sleeper is not one for one in woken)]
        self._awake += len(woken)
        self._moved.notify_all()

    def run(self, works: Sequence[Callable[[], object]]) -> None:
        """Each in a thread of its own, all from now on; returns when all have ended."""
        self._awake = len(works)
        threads = [threading.Thread(target=self._body, args=(work,)) for work in works]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(60)
            assert not thread.is_alive(), "a thread waits for ever"

    def _body(self, work: Callable[[], object]) -> None:
        try:
            work()
        finally:
            with self._moved:
                self._awake -= 1
                self._move()
