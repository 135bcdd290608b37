"""What the tests of the gate share: a server's error answer, a gate and a deadline in time that is not real."""

from __future__ import annotations

import io
from typing import Any

from literature_review.config import CallRetry
from literature_review.pipeline.calls import CallGate
from literature_review.pipeline.runlog import RunLog
from literature_review.pipeline.waiting import StopEvent
from literature_review.ports import Deadline
from tests.virtual_time import VirtualTime


class Answer(Exception):
    """A server's error answer, as client libraries raise it."""

    def __init__(self, status: int, text: str = "", **headers: str) -> None:
        super().__init__(text or f"HTTP {status}")
        self.status_code = status
        self.headers = {name.replace("_", "-"): value for name, value in headers.items()}


def gate(time: VirtualTime, **settings: Any) -> CallGate:
    retry = settings.pop("retry", CallRetry(attempts=3, enable_jitter=False))
    return CallGate(retry, RunLog(io.StringIO()), clock=time.clock, sleep=time.sleep, pause=time.pause, **settings)


def never(time: VirtualTime, seconds: float | None = None) -> Deadline:
    return Deadline(seconds, cancelled=StopEvent(), clock=time.clock)
