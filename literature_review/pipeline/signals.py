"""Ctrl-C and SIGTERM: the first asks the run to stop in good order, the second ends it at once. A terminal that is
closed (SIGHUP) is as SIGTERM, unless the program was started to outlive it (nohup).

A handler only sets a flag, since it may interrupt a thread that holds any lock; that the run is stopping is said by a
thread of its own, which the system's signal wakes through a pipe. Signals can be handled in the main thread alone;
elsewhere the program that uses the pipeline keeps its own handling.
"""

from __future__ import annotations

import os
import signal
import threading
from collections.abc import Callable
from types import FrameType
from typing import Any

_NUMBERS = (signal.SIGINT, signal.SIGTERM)
_HANGUP = getattr(signal, "SIGHUP", None)  # the terminal was closed; not on Windows


class StopSignals:
    """Within `with`, SIGINT, SIGTERM and SIGHUP raise KeyboardInterrupt in the main thread. From `begin` on the first
    of them only sets `asked`: what is under way may end."""

    def __init__(self) -> None:
        self.asked = False
        self._begun = False
        self._before: dict[int, Any] = {}
        self._pipe: int | None = None  # where the system writes a signal's number

    def __enter__(self) -> StopSignals:
        if threading.current_thread() is threading.main_thread():
            for number in _NUMBERS:
                self._before[number] = signal.signal(number, self._handle)
            if _HANGUP is not None and signal.getsignal(_HANGUP) != signal.SIG_IGN:  # with nohup the run goes on
                self._before[_HANGUP] = signal.signal(_HANGUP, _terminate)
        return self

    def __exit__(self, *exc_info: object) -> None:
        if self._pipe is not None:
            signal.set_wakeup_fd(-1)
            os.close(self._pipe)  # the listener reads its end
            self._pipe = None
        for number, handler in self._before.items():
            signal.signal(number, handler if handler is not None else signal.SIG_DFL)
        self._before.clear()

    def begin(self, tell: Callable[[], object]) -> None:
        """From here on there is something that may end in good order. `tell` is called once, in another thread, the
        moment a signal comes; not on Windows, nor where the program has a wake-up descriptor of its own."""
        self._begun = True
        if not self._before or os.name == "nt":
            return
        theirs = signal.set_wakeup_fd(-1)
        if theirs != -1:
            signal.set_wakeup_fd(theirs)
            return
        heard, self._pipe = os.pipe()
        os.set_blocking(self._pipe, False)
        signal.set_wakeup_fd(self._pipe, warn_on_full_buffer=False)
        threading.Thread(target=_listen, args=(heard, tell), name="stop signals", daemon=True).start()

    def check(self) -> None:
        """Raise KeyboardInterrupt where the run was asked to stop."""
        if self.asked:
            raise KeyboardInterrupt

    def is_asked(self) -> bool:
        return self.asked

    def _handle(self, number: int, frame: FrameType | None) -> None:
        if self.asked or not self._begun:
            raise KeyboardInterrupt
        self.asked = True


def _terminate(number: int, frame: FrameType | None) -> None:
    """Whoever handles SIGTERM now, which the coordinator does while it runs papers, handles this as well."""
    signal.raise_signal(signal.SIGTERM)


def _listen(heard: int, tell: Callable[[], object]) -> None:
    told = False
    while numbers := os.read(heard, 64):
        if not told and not set(_NUMBERS).isdisjoint(numbers):
            told = True
            tell()
    os.close(heard)
