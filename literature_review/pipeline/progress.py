"""How far the run is: one line that renews itself on a terminal, a plain log line now and then elsewhere."""

from __future__ import annotations

import sys
import threading
import time
from collections.abc import Callable
from typing import IO, TYPE_CHECKING

if TYPE_CHECKING:
    from literature_review.ports import Log


class Progress:
    """Papers done, rate and time left of one batch. Thread-safe.

    On a terminal (`stream.isatty()`) it draws one line on `stream`, at most ten times a second; elsewhere it
    tells `log` every `plain_every` seconds.
    """

    def __init__(
        self,
        title: str,
        total: int,
        log: Log,
        stream: IO[str] | None = None,
        clock: Callable[[], float] = time.monotonic,
        plain_every: float = 15.0,
    ) -> None:
        self._title, self._total, self._log = title, total, log
        self._stream = stream if stream is not None else sys.stderr
        self._terminal = bool(getattr(self._stream, "isatty", lambda: False)())
        self._clock = clock
        self._plain_every = plain_every
        self._lock = threading.RLock()  # guards the counts and the line on the terminal
        self._began = self._told = clock()
        self._done = self._failed = 0
        self._drawn = ""

    def step(self, failed: bool = False) -> None:
        """One paper more is done."""
        with self._lock:
            self._done += 1
            self._failed += failed
            now = self._clock()
            if now - self._told < (0.1 if self._terminal else self._plain_every):
                return
            self._told = now
            if self._terminal:
                self._draw(self.text())
            elif self._done < self._total:
                self._log.info(self.text())

    def text(self) -> str:
        """For example: `judge: 12/195 papers, 3.1 papers/s, about 59 s left, 1 failed`."""
        seconds = max(self._clock() - self._began, 1e-9)
        rate = self._done / seconds
        parts = [f"{self._title}: {self._done}/{self._total} papers", f"{rate:.1f} papers/s"]
        if rate and self._done < self._total:
            parts.append(f"about {spoken_seconds((self._total - self._done) / rate)} left")
        if self._failed:
            parts.append(f"{self._failed} failed")
        return ", ".join(parts)

    def hide(self) -> None:
        """Clear the line on the terminal, so that a log line can take its place."""
        with self._lock:
            if self._drawn:
                self._put("\r" + " " * len(self._drawn) + "\r")

    def show(self) -> None:
        """Draw the line on the terminal again."""
        with self._lock:
            if self._drawn:
                self._put(self._drawn)

    def finish(self) -> None:
        """Leave the terminal clean."""
        with self._lock:
            self.hide()
            self._drawn = ""

    def _draw(self, text: str) -> None:
        self.hide()
        self._drawn = text
        self._put(text)

    def _put(self, text: str) -> None:
        try:
            self._stream.write(text)
            self._stream.flush()
        except (OSError, ValueError):
            self._terminal = False  # the terminal went away: the run goes on


def spoken_seconds(seconds: float) -> str:
    """A time that a person can read: `0.4 s`, `59 s`, `12 min`, `3 h 20 min`."""
    if seconds < 10:
        return f"{seconds:.1f} s"
    if seconds < 120:
        return f"{seconds:.0f} s"
    minutes = round(seconds / 60)
    return f"{minutes} min" if minutes < 120 else f"{minutes // 60} h {minutes % 60} min"
