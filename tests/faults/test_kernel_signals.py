"""Ctrl-C and SIGTERM in every phase of a batch; functions that exit, recurse or never return; a holder that dies."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from literature_review.pipeline.orchestrator_v2 import CheckpointManagerV2, ParallelPipelineCoordinator

from .kernel_store import CALLS
from .kernel_tasks import process

pytestmark = pytest.mark.fault
ROOT = Path(__file__).resolve().parents[2]
PAPERS = [f"paper_{number}.pdf" for number in range(8)]


@pytest.fixture
def interruptible() -> Iterator[None]:
    """SIGTERM outside a batch is an interrupt here, not the end of the tests."""
    former = signal.signal(signal.SIGTERM, signal.default_int_handler)
    yield
    signal.signal(signal.SIGTERM, former)


class SignalAt:
    """Sends a signal to this process at its n-th event: a call of the store, a paper begun, a paper read."""

    def __init__(self, number: int, which: int) -> None:
        self.number, self.which = number, which
        self.events = 0
        self.lock = threading.Lock()

    def event(self) -> None:
        with self.lock:
            number, self.events = self.events, self.events + 1
        if number == self.number:
            os.kill(os.getpid(), self.which)

    def patch_store(self, patch: pytest.MonkeyPatch) -> None:
        for name in CALLS:
            patch.setattr(os, name, self._announced(getattr(os, name)))

    def _announced(self, real: Callable[..., Any]) -> Callable[..., Any]:
        def called(*arguments: Any, **options: Any) -> Any:
            self.event()
            return real(*arguments, **options)

        return called

    def papers(self) -> Iterator[str]:
        for paper in PAPERS:
            self.event()
            yield paper

    def process(self, paper: str) -> dict[str, Any]:
        self.event()
        return {"status": "success", "stages_completed": ["worked"]}


@pytest.mark.usefixtures("interruptible")
@pytest.mark.parametrize("which", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_in_any_phase_keeps_what_was_finished_and_the_rest_resumes(in_memory: Path, which: int) -> None:
    """At every event in turn: reading, starting, working, writing, flushing, folding, closing."""
    interrupted, number = 0, 0
    while True:
        file = in_memory / str(number) / "c.json"
        source = SignalAt(number, which)
        finished: list[str] = []
        checkpoint = CheckpointManagerV2(file)
        coordinator = ParallelPipelineCoordinator(2, checkpoint_manager=checkpoint, grace=2.0)
        with pytest.MonkeyPatch.context() as patch:
            source.patch_store(patch)
            try:
                for result in coordinator.iter_papers_parallel(source.papers(), source.process):
                    finished.append(result["paper"])
                checkpoint.close()
            except KeyboardInterrupt:
                interrupted += 1
        checkpoint.close()
        again = CheckpointManagerV2(file)
        assert again.load() or not finished
        done = {paper for paper in PAPERS if again.stage_of(paper) == "completed"}
        assert set(finished) <= done
        resumed = ParallelPipelineCoordinator(2, checkpoint_manager=again)
        results = resumed.process_papers_parallel(PAPERS, lambda paper: {"status": "success"})
        statuses = {result["paper"]: result["status"] for result in results}
        assert statuses == {paper: "skipped" if paper in done else "success" for paper in PAPERS}
        again.save()  # the interrupted close may have left its journal: whoever writes next tidies up
        again.close()
        assert [path.name for path in file.parent.iterdir()] == ["c.json"]
        if source.events <= number:
            break
        number += 1
    assert number > 30
    assert interrupted == number  # none was swallowed


def exits(paper: str) -> dict[str, Any]:
    sys.exit(3)


def recurses(paper: str) -> dict[str, Any]:
    return recurses(paper)


@pytest.mark.parametrize("function", [exits, recurses])
@pytest.mark.parametrize("use_threads", [True, False], ids=["threads", "processes"])
def test_a_function_that_exits_or_recurses_for_ever_fails_its_paper_alone(function: Any, use_threads: bool) -> None:
    results = ParallelPipelineCoordinator(2).process_papers_parallel(["a", "b"], function, use_threads=use_threads)
    assert [(result["paper"], result["status"]) for result in results] == [("a", "error"), ("b", "error")]
    assert all(isinstance(result["error"], str) and result["error"] for result in results)


def test_a_paper_that_never_returns_does_not_hold_up_the_end_of_a_stopped_run(tmp_path: Path) -> None:
    """In threads it is left behind after its grace; the checkpoint keeps it as unfinished."""
    release, cancel = threading.Event(), threading.Event()

    def stuck(paper: str) -> dict[str, Any]:
        if paper == "stuck":
            cancel.set()
            release.wait(60)
        return {}

    began = time.monotonic()
    with CheckpointManagerV2(tmp_path / "c.json") as checkpoint:
        coordinator = ParallelPipelineCoordinator(1, checkpoint_manager=checkpoint, grace=0.1, cancel=cancel)
        results = coordinator.process_papers_parallel(["fine", "stuck", "later"], stuck)
        assert [result["status"] for result in results] == ["success", "not_started", "not_started"]
        assert checkpoint.stage_of("fine") == "completed"
        assert checkpoint.stage_of("stuck") not in ("completed", "failed")
    assert time.monotonic() - began < 20
    release.set()


def test_a_worker_process_that_never_returns_is_ended_with_a_stopped_run(tmp_path: Path) -> None:
    mark, cancel = tmp_path / "mark", threading.Event()

    def stop_when_stuck() -> None:
        while not (mark.exists() and mark.read_text()):
            time.sleep(0.01)
        cancel.set()

    watcher = threading.Thread(target=stop_when_stuck, daemon=True)
    watcher.start()
    coordinator = ParallelPipelineCoordinator(1, grace=0.1, cancel=cancel)
    results = coordinator.process_papers_parallel([f"sleep:{mark}", "later"], process, use_threads=False)
    assert [result["status"] for result in results] == ["not_started", "not_started"]
    with pytest.raises(ProcessLookupError):
        os.kill(int(mark.read_text()), 0)


def test_a_worker_out_of_memory_fails_its_paper_alone() -> None:
    """MemoryError under RLIMIT_AS, in a worker that goes on with the next paper."""
    results = ParallelPipelineCoordinator(1).process_papers_parallel(["memory", "ok"], process, use_threads=False)
    assert [result["status"] for result in results] == ["error", "success"]
    assert "MemoryError" in results[0]["error"]


HOLDER = """
import sys
from literature_review.pipeline.orchestrator_v2 import CheckpointManagerV2, ParallelPipelineCoordinator
from tests.faults.kernel_tasks import process
if __name__ == "__main__":
    checkpoint = CheckpointManagerV2("c.json")
    coordinator = ParallelPipelineCoordinator(1, checkpoint_manager=checkpoint)
    for result in coordinator.iter_papers_parallel(["ok", "sleep:mark"], process, use_threads=False):
        open("yielded", "w").close()
"""


def test_a_holder_that_dies_while_its_pool_lives_holds_the_checkpoint_no_longer(tmp_path: Path) -> None:
    """The worker is stopped, so that it cannot follow its parent: the next run writes nevertheless, and at once."""
    (tmp_path / "script.py").write_text(HOLDER)
    holder = subprocess.Popen(
        [sys.executable, "script.py"], cwd=tmp_path, env={**os.environ, "PYTHONPATH": str(ROOT)}
    )
    mark = tmp_path / "mark"
    deadline = time.monotonic() + 30
    while not (mark.exists() and mark.read_text() and (tmp_path / "yielded").exists()):
        assert time.monotonic() < deadline
        time.sleep(0.01)
    worker = int(mark.read_text())
    os.kill(worker, signal.SIGSTOP)
    try:
        holder.kill()
        holder.wait()
        with CheckpointManagerV2(tmp_path / "c.json") as checkpoint:
            assert checkpoint.load()
            assert checkpoint.stage_of("ok") == "completed"
            assert checkpoint.get_incomplete_papers() == ["sleep:mark"]
            checkpoint.update_paper_status("sleep:mark", "completed")
        assert json.loads((tmp_path / "c.json").read_text())["stats"]["completed_papers"] == 2
    finally:
        os.kill(worker, signal.SIGKILL)
