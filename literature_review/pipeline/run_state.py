"""What the threads of one run share."""

from __future__ import annotations

import os
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field

from literature_review.config import Config
from literature_review.pipeline.orchestrator_v2 import CheckpointManagerV2
from literature_review.pipeline.parts import Parts, RunOptions
from literature_review.pipeline.runlog import RunLog
from literature_review.pipeline.signals import StopSignals
from literature_review.pipeline.waiting import StopEvent
from literature_review.pipeline.work_places import WorkPlaces


@dataclass
class RunState:
    """What the threads of one run share."""

    config: Config
    options: RunOptions
    parts: Parts
    log: RunLog
    checkpoint: CheckpointManagerV2
    signals: StopSignals
    cancelled: StopEvent = field(default_factory=StopEvent)
    forecast: Mapping[str, float | None] = field(default_factory=dict)  # of a paid run, made at its beginning
    spent_before: Mapping[str, float | None] = field(default_factory=dict)  # what the ledger held then
    lock: threading.Lock = field(default_factory=threading.Lock)  # guards all below
    retries: dict[str, int] = field(default_factory=dict)  # stage -> attempts beyond the first
    under_way: list[str] = field(default_factory=list)  # stages of papers: "judge of a.pdf"
    fatal: BaseException | None = None  # what ends the whole run: a full disk, a spent budget

    def __post_init__(self) -> None:
        self._folder = os.getcwd()  # a stage of one's own may change it
        self.places = WorkPlaces(self.config.max_workers if self.config.parallel else 1, self.cancelled)

    def absolute(self, path: str) -> str:
        """A path of the configuration as it was meant when the run began."""
        return os.path.join(self._folder, path)

    @contextmanager
    def noting(self, what: str) -> Iterator[None]:
        """Within it, `what` is under way."""
        with self.lock:
            self.under_way.append(what)
        try:
            yield
        finally:
            with self.lock:
                self.under_way.remove(what)

    def stop_for(self, error: BaseException) -> None:
        """Nothing new starts; the first error of its kind is kept."""
        with self.lock:
            self.fatal = self.fatal or error
        self.cancelled.set()
