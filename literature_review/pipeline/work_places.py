"""How many papers are worked on at a time, where most of a paper's time is spent waiting for a model.

    paper --at_work--> a place --its question is asked--> waiting: the place is another paper's
                         ^--------------its answer is there---------'

Of all papers under way at most so many compute; those that wait for an answer, for a turn or for a second attempt hold
up nobody. How many calls are under way meanwhile is the gate's (calls.py).
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext, suppress
from dataclasses import dataclass

from literature_review.errors import StageTimeoutError
from literature_review.pipeline.waiting import FOREVER, WaitingLine
from literature_review.ports import Deadline

AHEAD = 2  # papers under way for each place: one is asked about while another waits for its turn


@dataclass
class _Paper:
    has_place: bool = False


@dataclass
class _Attempt:
    """One attempt at a stage of a paper. `waits`: how many of its threads are waiting now."""

    paper: _Paper
    waits: int = 0
    is_over: bool = False


class WorkPlaces:
    """Places for `most` papers, first come, first served. Thread-safe. `stop`: set when the run is told to stop; then
    nobody waits for a place any more."""

    def __init__(self, most: int, stop: threading.Event) -> None:
        self.most = most
        self._free = most
        self._line = WaitingLine()  # its lock guards all here
        self._stop = Deadline(cancelled=stop)
        self._own = threading.local()  # .paper: the one that this thread works on

    @contextmanager
    def at_work(self) -> Iterator[None]:
        """Within it, this thread works on one paper. Raises StageTimeoutError where the run is told to stop before
        there is a place."""
        paper = _Paper()
        self._line.pass_through(lambda: self._may_take(paper), self._stop, "a paper that waited for its turn")
        self._own.paper = paper
        try:
            yield
        finally:
            self._own.paper = None
            with self._line.change():
                self._free += paper.has_place
                paper.has_place = True  # what was left behind of it takes none any more

    @contextmanager
    def attempt(self) -> Iterator[Callable[[], AbstractContextManager[None]]]:
        """Within it, this thread has a stage of its paper run. Gives what whoever waits there is to enter meanwhile, in
        whatever thread (see ports.Deadline.waiting); what is still waiting at the end has no more say."""
        paper: _Paper | None = getattr(self._own, "paper", None)
        if paper is None:  # a stage of no paper
            yield nullcontext
            return
        attempt = _Attempt(paper)
        try:
            yield lambda: self._waiting(attempt)
        finally:
            with self._line.change():
                attempt.is_over = True
                is_away = not paper.has_place
            if is_away:
                self._come_back(lambda: self._may_take(paper))

    @contextmanager
    def _waiting(self, attempt: _Attempt) -> Iterator[None]:
        with self._line.change():
            attempt.waits += 1
            if attempt.paper.has_place and not attempt.is_over:
                attempt.paper.has_place = False
                self._free += 1
        try:
            yield
        finally:
            with self._line.change():
                attempt.waits -= 1
                is_back = not attempt.is_over and attempt.waits == 0
            if is_back:
                self._come_back(lambda: None if attempt.is_over else self._may_take(attempt.paper))

    def _come_back(self, ready: Callable[[], float | None]) -> None:
        """Where the run is told to stop, without a place: what is under way is to end. (Who has one must not stand in
        line: those before may wait for it.)"""
        with suppress(StageTimeoutError):
            self._line.pass_through(ready, self._stop, "a paper that waited for its turn")

    def _may_take(self, paper: _Paper) -> float | None:
        """See WaitingLine. Of a paper's threads the first that comes back takes its place."""
        if not paper.has_place:
            if self._free == 0:
                return FOREVER
            self._free -= 1
            paper.has_place = True
        return None
