"""Random histories against models that are too simple to be wrong: the checkpoint, and the token bucket."""

from __future__ import annotations

import os
import random
import shutil
import tempfile
import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from time import monotonic as quota_clock
from typing import Any

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule, run_state_machine_as_test

from literature_review.pipeline.orchestrator_v2 import CheckpointManagerV2, SimpleQuotaManager

from .kernel_store import ForgetfulDisk

pytestmark = pytest.mark.fault
run_machine: Callable[..., None] = run_state_machine_as_test  # some of its releases have no types
PAPERS = st.sampled_from(["a.pdf", "b/ä.pdf", "c\n\u2028.pdf", '"{}', "e" * 300])
NAMES = st.lists(st.sampled_from(["journal_reviewer", "judge", "dra"]), max_size=2)


@dataclass
class Paper:
    """What the model knows of a paper."""

    stage: str = "not_started"
    stages: set[str] = field(default_factory=set)
    retries: int = 0
    errors: list[str] = field(default_factory=list)

    def copy(self) -> Paper:
        return Paper(self.stage, set(self.stages), self.retries, list(self.errors))


class Checkpoint(RuleBasedStateMachine):
    """Updates, folds, closing, reloading and losses of power in any order; the model is a dict."""

    def __init__(self) -> None:
        super().__init__()
        self.patch = pytest.MonkeyPatch()
        self.root = Path(tempfile.mkdtemp(dir="/dev/shm" if os.access("/dev/shm", os.W_OK) else None))
        self.crashes = 0
        self.model: dict[str, Paper] = {}
        self.run: dict[str, Any] = {}
        self._begin_on(self.root / "0")
        self.checkpoint.update_paper_status("first", "in_progress")  # so that there is always a run to load
        self.model["first"] = Paper("in_progress")

    def _begin_on(self, folder: Path) -> None:
        folder.mkdir(exist_ok=True)
        self.file = folder / "c.json"
        self.patch.undo()
        self.disk = ForgetfulDisk(self.patch, folder)
        self.managers = [CheckpointManagerV2(self.file)]

    @property
    def checkpoint(self) -> CheckpointManagerV2:
        return self.managers[-1]

    def _close_all(self) -> None:
        for manager in self.managers:
            manager.close()

    def teardown(self) -> None:
        self._close_all()
        self.patch.undo()
        shutil.rmtree(self.root)

    @rule(paper=PAPERS, stage=st.sampled_from(["in_progress", "completed", "failed"]), names=NAMES)
    def update(self, paper: str, stage: str, names: list[str]) -> None:
        self.checkpoint.update_paper_status(paper, stage, names)
        known = self.model.setdefault(paper, Paper())
        known.stage = stage
        known.stages |= set(names)

    @rule(paper=PAPERS, error=st.text(max_size=20))
    def fail(self, paper: str, error: str) -> None:
        self.checkpoint.update_paper_status(paper, "failed", error=error)
        known = self.model.setdefault(paper, Paper())
        known.stage = "failed"
        known.errors = [*known.errors, error][-10:]

    @rule(paper=PAPERS, names=NAMES)
    def begin_anew(self, paper: str, names: list[str]) -> None:
        self.checkpoint.update_paper_status(paper, "not_started", names)
        known = self.model.setdefault(paper, Paper())
        known.stage, known.stages = "not_started", set(names)

    @rule(paper=PAPERS)
    def retry(self, paper: str) -> None:
        self.checkpoint.increment_retries(paper)
        self.model.setdefault(paper, Paper()).retries += 1

    @rule(status=st.sampled_from(["running", "failed"]), number=st.integers())
    def update_run(self, status: str, number: int) -> None:
        self.checkpoint.update_run(status=status, number=number)
        self.run |= {"status": status, "number": number}

    @rule()
    def save(self) -> None:
        self.checkpoint.save()

    @rule()
    def close(self) -> None:
        self.checkpoint.close()

    @rule()
    def another_manager_takes_over(self) -> None:
        self.managers.append(CheckpointManagerV2(self.file))
        assert self.checkpoint.load()

    @rule(choice=st.integers(0, 2**32))
    def the_power_goes(self, choice: int) -> None:
        """One of the folders that may be left; the former manager is gone with its process."""
        states = list(self.disk.crash_states())
        state = states[choice % len(states)]
        self.patch.undo()
        self._close_all()
        self.crashes += 1
        folder = self.root / str(self.crashes)
        folder.mkdir()
        for name, content in state.items():
            (folder / name).write_bytes(content)
        self._begin_on(folder)
        assert self.checkpoint.load()

    @invariant()
    def agrees(self) -> None:
        data = self.checkpoint.data
        assert list(data["papers"]) == list(self.model)
        for paper, known in self.model.items():
            record = data["papers"][paper]
            seen = (record["stage"], set(record["stages"]), record["retries"])
            assert seen == (known.stage, known.stages, known.retries)
            assert [error["message"] for error in record.get("errors", [])] == known.errors
        stages = [known.stage for known in self.model.values()]
        assert data["stats"] == {
            "total_papers": len(stages), "completed_papers": stages.count("completed"),
            "failed_papers": stages.count("failed"), "retries": sum(known.retries for known in self.model.values()),
        }  # fmt: skip
        assert {key: data[key] for key in self.run} == self.run
        open_papers = [p for p, known in self.model.items() if known.stage not in ("completed", "failed")]
        assert self.checkpoint.get_incomplete_papers() == open_papers


@pytest.mark.usefixtures("unfolded")
def test_the_checkpoint_does_what_a_dict_does_whatever_fails_in_between(long: bool) -> None:
    run_machine(
        Checkpoint,
        settings=settings(
            max_examples=2_000 if long else 12, stateful_step_count=25, deadline=None,
            suppress_health_check=list(HealthCheck),
        ),
    )  # fmt: skip


class VirtualTime:
    """A clock that stands until it is moved, and threads that sleep by it."""

    def __init__(self) -> None:
        self.now = 0.0
        self.changed = threading.Condition()  # guards all below
        self.sleepers: dict[int, float] = {}  # when each sleeping thread is to wake
        self.working = 0

    def clock(self) -> float:
        return self.now

    def sleep(self, seconds: float) -> None:
        me = threading.get_ident()
        with self.changed:
            self.sleepers[me] = until = self.now + seconds
            self.working -= 1
            self.changed.notify_all()
            self.changed.wait_for(lambda: self.now >= until and me not in self.sleepers)

    def settle(self) -> None:
        """Until every thread sleeps or has ended."""
        with self.changed:
            assert self.changed.wait_for(lambda: self.working == 0, 20)

    def move(self, seconds: float) -> None:
        """Let the time pass; each sleeper wakes at its moment, one after the other."""
        target = self.now + seconds
        while True:
            with self.changed:
                due = sorted((at, thread) for thread, at in self.sleepers.items() if at <= target)
                if not due:
                    self.now = target
                    return
                self.now = max(self.now, due[0][0])
                del self.sleepers[due[0][1]]
                self.working += 1
                self.changed.notify_all()
            self.settle()


class Waiter:
    def __init__(self, tokens: float, timeout: float | None) -> None:
        self.tokens, self.timeout = tokens, timeout
        self.cancel = threading.Event()
        self.asked_at = 0.0
        self.outcome: bool | None = None
        self.ended_at = 0.0


class Bucket(RuleBasedStateMachine):
    """Threads that take, wait, time out and are cancelled, on a clock that stands until it is moved."""

    RATE, PERIOD, BURST = 10.0, 2.0, 8.0

    def __init__(self) -> None:
        super().__init__()
        self.time = VirtualTime()
        self.quota = SimpleQuotaManager(
            self.RATE, self.PERIOD, burst=self.BURST, clock=self.time.clock, sleep=self.time.sleep
        )
        self.granted: list[tuple[float, float]] = []  # when, how many
        self.waiters: list[Waiter] = []
        self.threads: list[threading.Thread] = []

    @rule(tokens=st.floats(0.01, BURST))
    def try_now(self, tokens: float) -> None:
        if self.quota.consume(tokens, wait=False):
            self.granted.append((self.time.now, tokens))

    @precondition(lambda self: len(self.threads) < 12)
    @rule(tokens=st.floats(0.01, BURST), timeout=st.none() | st.floats(0, 5))
    def wait_for(self, tokens: float, timeout: float | None) -> None:
        waiter = Waiter(tokens, timeout)
        waiter.asked_at = self.time.now
        self.waiters.append(waiter)

        def body() -> None:
            outcome = self.quota.consume(tokens, timeout=timeout, cancel=waiter.cancel)
            with self.time.changed:
                waiter.outcome, waiter.ended_at = outcome, self.time.now
                if outcome:
                    self.granted.append((self.time.now, tokens))
                self.time.working -= 1
                self.time.changed.notify_all()

        self.time.working += 1
        self.threads.append(threading.Thread(target=body))
        self.threads[-1].start()
        self.time.settle()

    @precondition(lambda self: self.waiters)
    @rule(choice=st.integers(0, 2**16))
    def cancel(self, choice: int) -> None:
        self.waiters[choice % len(self.waiters)].cancel.set()

    @rule(seconds=st.floats(0, 3))
    def time_passes(self, seconds: float) -> None:
        self.time.move(seconds)

    @invariant()
    def holds_the_bound_in_every_window(self) -> None:
        for first in range(len(self.granted)):
            total = 0.0
            for at, tokens in self.granted[first:]:
                total += tokens
                assert total <= self.BURST + self.RATE / self.PERIOD * (at - self.granted[first][0]) + 1e-6

    @invariant()
    def counts_what_it_grants(self) -> None:
        assert self.quota.consumed_count == pytest.approx(sum(tokens for _, tokens in self.granted))

    @invariant()
    def serves_in_order_and_keeps_timeouts(self) -> None:
        served = [waiter for waiter in self.waiters if waiter.outcome]
        assert [waiter.ended_at for waiter in served] == sorted(waiter.ended_at for waiter in served)
        for waiter in self.waiters:
            if waiter.outcome is False:
                assert waiter.timeout is not None or waiter.cancel.is_set()
            if waiter.outcome is not None and waiter.timeout is not None:
                assert waiter.ended_at <= waiter.asked_at + waiter.timeout + 1e-5

    def teardown(self) -> None:
        """Nobody waits for ever."""
        self.time.move(100.0)
        for thread in self.threads:
            thread.join(20)
            assert not thread.is_alive()
        self.holds_the_bound_in_every_window()
        assert all(waiter.outcome for waiter in self.waiters if not waiter.cancel.is_set() and waiter.timeout is None)


def test_the_token_bucket_keeps_its_bound_in_every_window_whoever_gives_up(long: bool) -> None:
    run_machine(
        Bucket, settings=settings(max_examples=1_000 if long else 25, stateful_step_count=25, deadline=None)
    )


def test_threads_that_wait_give_up_and_try_share_a_real_bucket_within_its_bound() -> None:
    """Real time: 12 threads for 0.3 s; waits that end by their turn, by time-out and by a cancel event."""
    quota = SimpleQuotaManager(2_000, 1, burst=20)
    granted: list[tuple[float, int]] = []
    chance = random.Random(5)
    lock = threading.Lock()
    cancel = threading.Event()
    ways: list[dict[str, Any]] = [{}, {"timeout": 0.001}, {"cancel": cancel}, {"wait": False}]
    began = quota_clock()

    def work(number: int) -> None:
        while quota_clock() - began < 0.3:
            with lock:
                tokens = chance.randint(1, 10)
            asked = ways[number % 4]
            if quota.consume(tokens, **asked):
                granted.append((quota_clock(), tokens))
            elif "wait" in asked:
                cancel.wait(0.001)  # who spins would keep the others from the interpreter

    threads = [threading.Thread(target=work, args=(number,)) for number in range(12)]
    for thread in threads:
        thread.start()
    cancel.wait(0.2)
    cancel.set()
    for thread in threads:
        thread.join(20)
        assert not thread.is_alive()
    total = sum(tokens for _, tokens in granted)
    assert total == quota.consumed_count
    assert total <= 20 + 2_000 * (quota_clock() - began)
    assert total > 100
