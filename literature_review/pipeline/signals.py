"""Ctrl-C and SIGTERM: the first asks the run to stop in good order, the second ends it at once.

A handler only sets a flag, since it may interrupt a thread that holds any lock. Signals can be handled in the main
thread alone; elsewhere the program that uses the pipeline keeps its own handling.
"""

from __future__ import annotations

import signal
import threading
from types import FrameType
from typing import Any


class StopSignals:
    """Within `with`, SIGINT and SIGTERM set `asked`; a second one raises KeyboardInterrupt in the main thread."""

    def __init__(self) -> None:
        self.asked = False
        self._before: dict[int, Any] = {}

    def __enter__(self) -> StopSignals:
        if threading.current_thread() is threading.main_thread():
            for number in (signal.SIGINT, signal.SIGTERM):
                self._before[number] = signal.signal(number, self._handle)
        return self

    def __exit__(self, *exc_info: object) -> None:
        for number, handler in self._before.items():
            signal.signal(number, handler if handler is not None else signal.SIG_DFL)
        self._before.clear()

    def check(self) -> None:
        """Raise KeyboardInterrupt where the run was asked to stop."""
        if self.asked:
            raise KeyboardInterrupt

    def is_asked(self) -> bool:
        return self.asked

    def _handle(self, number: int, frame: FrameType | None) -> None:
        if self.asked:
            raise KeyboardInterrupt
        self.asked = True
