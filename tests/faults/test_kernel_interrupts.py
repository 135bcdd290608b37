"""Ctrl-C at every line of the kernel that the main thread passes: the other threads go on, and nothing is lost."""

from __future__ import annotations

import ctypes
import linecache
import os
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from types import FrameType
from typing import Any

import pytest

from literature_review.pipeline import orchestrator_v2
from literature_review.pipeline.orchestrator_v2 import (
    CheckpointManagerV2,
    ErrorClassifier,
    RetryHelper,
    SimpleQuotaManager,
)

pytestmark = pytest.mark.fault


class Interrupt:
    """Raises KeyboardInterrupt in the main thread at the n-th line of the kernel that it passes.

    Not at a line with `with` or `try`: between these and their blocks Python itself lets no signal in.
    """

    def __init__(self, number: int) -> None:
        self.number = number
        self.lines = 0
        self.struck = ""

    @contextmanager
    def armed(self) -> Iterator[None]:
        former = sys.gettrace()
        sys.settrace(self._enter)
        try:
            yield
        finally:
            sys.settrace(former)

    def _enter(self, frame: FrameType, event: str, argument: Any) -> Callable[..., Any] | None:
        return self._pass if frame.f_code.co_filename == orchestrator_v2.__file__ else None

    def _pass(self, frame: FrameType, event: str, argument: Any) -> Callable[..., Any] | None:
        line = linecache.getline(orchestrator_v2.__file__, frame.f_lineno).strip()
        if event == "line" and not line.startswith(("with ", "try:")) and not self.struck:
            if self.lines == self.number:
                self.struck = f"{frame.f_code.co_name}: {line}"
                raise KeyboardInterrupt
            self.lines += 1
        return self._pass


def at_every_line(act: Callable[[Interrupt], bool], stride: int = 1) -> list[str]:
    """Call `act`, which says whether it was interrupted, with an interrupt at each line in turn; where they struck."""
    struck: list[str] = []
    while act(interrupt := Interrupt(len(struck) * stride)):
        struck.append(interrupt.struck)
    return struck


def ends(thread: threading.Thread) -> bool:
    thread.join(10)
    return not thread.is_alive()


@pytest.mark.usefixtures("unfolded")
@pytest.mark.parametrize("others", [False, True], ids=["alone", "while others update"])
@pytest.mark.parametrize("closing", [False, True], ids=["update and fold", "close"])
def test_at_every_line_of_the_checkpoint(
    in_memory: Path, others: bool, closing: bool, long: bool
) -> None:
    """What was acknowledged is there, the statistics agree, another thread's update and one's own next go through.

    At every sixteenth line in the suite.
    """

    def interrupted(interrupt: Interrupt) -> bool:
        file = in_memory / str(interrupt.number) / "c.json"
        checkpoint = CheckpointManagerV2(file)
        checkpoint.update_paper_status("before", "completed", ["a"])
        acknowledged = {"before"}
        stop = threading.Event()

        def update() -> None:
            number = 0
            while number < 2 or not stop.is_set():
                checkpoint.update_paper_status(f"other {number}", "completed")
                acknowledged.add(f"other {number}")
                number += 1

        thread = threading.Thread(target=update)
        if others:
            thread.start()
        try:
            with interrupt.armed():
                if closing:
                    checkpoint.close()
                else:
                    checkpoint.update_paper_status("mine", "failed", ["b"], error="x")
                    acknowledged.add("mine")
                    checkpoint.increment_retries("before")
                    checkpoint.save()
        except KeyboardInterrupt:
            pass
        if not others:
            thread.start()
        stop.set()
        assert ends(thread), interrupt.struck
        checkpoint.update_paper_status("after", "completed")
        acknowledged.add("after")
        beside = CheckpointManagerV2(file)
        assert beside.load()
        for manager in (checkpoint, beside):
            papers, stats = manager.data["papers"], manager.data["stats"]
            assert acknowledged <= set(papers), interrupt.struck
            stages = [record["stage"] for record in papers.values()]
            counted = (stats["completed_papers"], stats["failed_papers"])
            assert counted == (stages.count("completed"), stages.count("failed")), interrupt.struck
        checkpoint.close()
        assert os.listdir(file.parent) == ["c.json"], interrupt.struck
        return bool(interrupt.struck)

    assert len(at_every_line(interrupted, 1 if long else 16)) > 4


def test_at_every_line_of_a_wait_for_tokens() -> None:
    """Nobody waits for ever behind a turn whose owner is gone, and no token is granted beyond the bound."""

    def interrupted(interrupt: Interrupt) -> bool:
        quota = SimpleQuotaManager(10_000, 1, burst=4)
        quota.consume(4)
        outcomes: list[bool] = []
        thread = threading.Thread(target=lambda: outcomes.append(quota.consume(4)))
        try:
            with interrupt.armed():
                quota.consume(3)
                quota.consume(2, timeout=1)
                quota.consume(1, cancel=threading.Event())
                quota.consume(4, wait=False)
        except KeyboardInterrupt:
            pass
        thread.start()
        assert ends(thread), interrupt.struck
        assert outcomes == [True]
        assert quota.consume(4, timeout=5), interrupt.struck
        assert quota.get_stats()["current_allowance"] >= 0
        return bool(interrupt.struck)

    assert len(at_every_line(interrupted)) > 30


def test_at_every_line_of_a_retry_the_interrupt_comes_through() -> None:
    def interrupted(interrupt: Interrupt) -> bool:
        def fails() -> None:
            raise TimeoutError("late")

        with pytest.raises((KeyboardInterrupt, TimeoutError)) as caught, interrupt.armed():
            RetryHelper.retry_with_backoff(fails, 2, error_classifier=ErrorClassifier, sleep=lambda _: None)
        assert (caught.type is KeyboardInterrupt) == bool(interrupt.struck)
        return bool(interrupt.struck)

    assert len(at_every_line(interrupted)) > 20


class HeldFlush:
    """The first flush of the journal waits until `let_go` is set; `begun` tells that it has been reached."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, then: type[BaseException] | None = None) -> None:
        self.begun, self.let_go, self.then = threading.Event(), threading.Event(), then
        self.flush = os.fdatasync
        monkeypatch.setattr(os, "fdatasync", self)

    def __call__(self, descriptor: int) -> None:
        if not self.begun.is_set():
            self.begun.set()
            assert self.let_go.wait(10)
            if self.then is not None:
                raise self.then
        self.flush(descriptor)


class Update(threading.Thread):
    """One update in a thread of its own, and what came of it."""

    def __init__(self, checkpoint: CheckpointManagerV2, paper: str) -> None:
        super().__init__(daemon=True)
        self.checkpoint, self.paper, self.outcome = checkpoint, paper, "under way"
        self.start()

    def run(self) -> None:
        try:
            self.checkpoint.update_paper_status(self.paper, "completed")
            self.outcome = "acknowledged"
        except BaseException as error:
            self.outcome = type(error).__name__

    def queues(self) -> bool:
        """Wait until it has made its update and sleeps for the flush."""
        deadline = time.monotonic() + 10
        while time.monotonic() < deadline:
            frame = sys._current_frames().get(self.ident or 0)
            if frame is not None and frame.f_code.co_name == "wait_for" and self.checkpoint.stage_of(self.paper):
                return True
            time.sleep(0.001)
        return False


@pytest.fixture
def open_checkpoint(tmp_path: Path, unfolded: None) -> Iterator[CheckpointManagerV2]:
    """A checkpoint in use, whose flushes are those of its updates alone."""
    with CheckpointManagerV2(tmp_path / "c.json") as checkpoint:
        checkpoint.update_paper_status("first", "in_progress")
        yield checkpoint


def test_an_interrupt_of_the_thread_that_leads_a_batch_is_its_own_and_the_others_are_acknowledged(
    open_checkpoint: CheckpointManagerV2, monkeypatch: pytest.MonkeyPatch
) -> None:
    flush = HeldFlush(monkeypatch, then=KeyboardInterrupt)
    leader = Update(open_checkpoint, "leader")
    assert flush.begun.wait(10)
    followers = [Update(open_checkpoint, f"follower {number}") for number in range(3)]
    assert all(follower.queues() for follower in followers)
    flush.let_go.set()
    assert all(ends(update) for update in [leader, *followers])
    assert leader.outcome == "KeyboardInterrupt"
    assert {follower.outcome for follower in followers} == {"acknowledged"}
    beside = CheckpointManagerV2(open_checkpoint.checkpoint_file)
    assert beside.load()
    assert all(beside.stage_of(follower.paper) == "completed" for follower in followers)


def test_a_failed_flush_fails_every_update_that_waits_for_it(
    open_checkpoint: CheckpointManagerV2, monkeypatch: pytest.MonkeyPatch
) -> None:
    flush = HeldFlush(monkeypatch, then=OSError)
    updates = [Update(open_checkpoint, "leader")]
    assert flush.begun.wait(10)
    updates += [Update(open_checkpoint, f"follower {number}") for number in range(3)]
    assert all(update.queues() for update in updates[1:])
    flush.let_go.set()
    assert all(ends(update) for update in updates)
    assert {update.outcome for update in updates} == {"OSError"}


@pytest.mark.parametrize("struck", range(4))
def test_a_thread_that_is_interrupted_as_it_wakes_leaves_nobody_asleep(
    open_checkpoint: CheckpointManagerV2, monkeypatch: pytest.MonkeyPatch, struck: int
) -> None:
    """Whether it is to lead (the first) or to wake the next (the others). An exception that is raised in another thread
    from outside strikes when that wakes."""
    flush = HeldFlush(monkeypatch)
    leader = Update(open_checkpoint, "leader")
    assert flush.begun.wait(10)
    late: list[Update] = []
    for number in range(4):
        late.append(Update(open_checkpoint, f"late {number}"))
        assert late[-1].queues()
    thread = ctypes.c_ulong(late[struck].ident or 0)
    ctypes.pythonapi.PyThreadState_SetAsyncExc(thread, ctypes.py_object(KeyboardInterrupt))
    flush.let_go.set()
    assert all(ends(update) for update in [leader, *late])
    assert late.pop(struck).outcome == "KeyboardInterrupt"
    assert {update.outcome for update in [leader, *late]} == {"acknowledged"}
