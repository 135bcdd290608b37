"""The kernel's classes together, in processes of their own: a batch, an interrupt, and the resume after it."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from literature_review.pipeline.orchestrator_v2 import (
    CheckpointManagerV2,
    ErrorClassifier,
    ParallelPipelineCoordinator,
    RetryHelper,
    SimpleQuotaManager,
)

pytestmark = pytest.mark.integration
ROOT = Path(__file__).resolve().parents[2]


def test_quota_retry_classifier_checkpoint_and_coordinator_together(tmp_path: Path) -> None:
    """Papers that fail once for a passing reason succeed and count as retried; a permanent fault fails at once."""
    file = tmp_path / "run" / "checkpoint.json"
    quota = SimpleQuotaManager(rate=1000, per_seconds=1)
    attempts: dict[str, int] = {}
    with CheckpointManagerV2(file) as checkpoint:

        def review(paper: str) -> dict[str, Any]:
            def call() -> str:
                attempts[paper] = attempts.get(paper, 0) + 1
                if paper.startswith("busy") and attempts[paper] == 1:
                    raise ConnectionError("dropped")
                if paper.startswith("missing"):
                    raise FileNotFoundError(paper)
                return "text"

            RetryHelper.retry_with_backoff(
                call,
                error_classifier=ErrorClassifier,
                on_retry=lambda *_: checkpoint.increment_retries(paper),
                sleep=lambda _: None,
            )
            return {"status": "success", "stages_completed": ["journal_reviewer"]}

        papers = [f"{kind}-{number}" for number in range(10) for kind in ("fine", "busy", "missing")]
        coordinator = ParallelPipelineCoordinator(4, quota, checkpoint)
        results = coordinator.process_papers_parallel(papers, review)
    assert coordinator.get_stats() == {
        "total_processed": 30, "successful": 20, "failed": 10, "skipped": 0, "retries": 10
    }  # fmt: skip
    assert {r["error_type"] for r in results if r["status"] == "error"} == {"permanent"}
    assert quota.get_stats()["consumed_count"] == 30
    document = json.loads(file.read_text())
    assert document["stats"] == {
        "total_papers": 30, "completed_papers": 20, "failed_papers": 10, "retries": 10
    }  # fmt: skip
    again = CheckpointManagerV2(file)
    assert again.load()
    resumed = ParallelPipelineCoordinator(4, quota, again)
    assert {r["status"] for r in resumed.iter_papers_parallel(papers[:3], review)} == {"skipped", "error"}
    again.close()


BATCH = """
import os, sys, threading, time
from literature_review.pipeline.orchestrator_v2 import *
checkpoint = CheckpointManagerV2("c.json", fold_after=1e6)
checkpoint.load()
gate = threading.Event()
def work(paper):
    if paper.startswith("stuck"):
        gate.wait(20)
        print("stuck", flush=True)
        time.sleep(60)
    if paper.startswith("soon"):
        gate.set()
        time.sleep(0.2)
    return {"status": "success", "stages_completed": ["s"]}
papers = ["a", "b", "soon", "stuck"] + [f"rest-{n}" for n in range(20)]
coordinator = ParallelPipelineCoordinator(2, checkpoint_manager=checkpoint, grace=float(sys.argv[2]))
try:
    if sys.argv[1] == "list":
        coordinator.process_papers_parallel(papers, work)
    else:
        for result in coordinator.iter_papers_parallel(papers, work): pass
except KeyboardInterrupt:
    import json
    print(json.dumps(json.load(open("c.json"))["papers"]), flush=True)
    raise
"""


def start(tmp_path: Path, script: str, *arguments: str) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-c", script, *arguments], cwd=tmp_path, env={**os.environ, "PYTHONPATH": str(ROOT)},
        stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
    )  # fmt: skip


@pytest.mark.parametrize("form", ["list", "iterator"])
@pytest.mark.parametrize("how", [signal.SIGINT, signal.SIGTERM])
def test_an_interrupt_keeps_what_is_finished_and_the_rest_can_be_resumed(
    tmp_path: Path, how: signal.Signals, form: str
) -> None:
    """Nothing new starts, the paper that ends within the grace is recorded, the JSON file is up to date when the
    interrupt is raised again, and the program ends although one paper is stuck."""
    process = start(tmp_path, BATCH, form, "0.6")
    assert process.stdout is not None
    assert process.stdout.readline() == "stuck\n"
    began = time.monotonic()
    process.send_signal(how)
    output, errors = process.communicate(timeout=30)
    assert time.monotonic() - began < 10
    assert errors.splitlines()[-1].startswith("KeyboardInterrupt")
    assert process.returncode == -signal.SIGINT
    told = json.loads(output.splitlines()[-1])
    stages = {paper: record["stage"] for paper, record in told.items()}
    assert stages["a"] == stages["b"] == stages["soon"] == "completed"
    assert stages["stuck"] == "in_progress"
    assert not any(stage == "completed" for paper, stage in stages.items() if paper.startswith("rest-1"))
    assert os.listdir(tmp_path) == ["c.json"]
    checkpoint = CheckpointManagerV2(tmp_path / "c.json")
    assert checkpoint.load()
    papers = ["a", "b", "soon", "stuck", *(f"rest-{n}" for n in range(20))]
    results = ParallelPipelineCoordinator(4, checkpoint_manager=checkpoint).process_papers_parallel(
        papers, lambda paper: {"status": "success"}
    )
    assert {result["status"] for result in results if result["paper"] == "stuck"} == {"success"}
    assert {result["status"] for result in results if result["paper"] == "a"} == {"skipped"}
    checkpoint.close()


def test_a_second_interrupt_ends_the_grace(tmp_path: Path) -> None:
    process = start(tmp_path, BATCH, "list", "50")
    assert process.stdout is not None
    assert process.stdout.readline() == "stuck\n"
    began = time.monotonic()
    process.send_signal(signal.SIGINT)
    time.sleep(0.5)
    process.send_signal(signal.SIGINT)
    process.communicate(timeout=30)
    assert time.monotonic() - began < 20
    assert process.returncode == -signal.SIGINT


HANDLER = """
import signal, sys, time
from literature_review.pipeline.orchestrator_v2 import *
def mine(signum, frame):
    print("handled", flush=True)
    raise SystemExit(9)
signal.signal(signal.SIGTERM, mine)
def work(paper):
    print("working", flush=True)
    time.sleep(0.3)
    return {"status": "success"}
try:
    ParallelPipelineCoordinator(1).process_papers_parallel(range(100), work)
finally:
    print(signal.getsignal(signal.SIGTERM) is mine, flush=True)
"""


def test_a_handler_of_the_programs_own_is_called_after_the_batch_and_put_back(tmp_path: Path) -> None:
    process = start(tmp_path, HANDLER)
    assert process.stdout is not None
    assert process.stdout.readline() == "working\n"
    process.send_signal(signal.SIGTERM)
    output, _ = process.communicate(timeout=30)
    assert output.split()[-2:] == ["handled", "True"]
    assert process.returncode == 9


IGNORED = """
import signal, os
from literature_review.pipeline.orchestrator_v2 import *
signal.signal(signal.SIGINT, signal.SIG_IGN)
def work(paper):
    os.kill(os.getpid(), signal.SIGINT)
    return {"status": "success"}
print(len(ParallelPipelineCoordinator(1).process_papers_parallel(range(5), work)))
"""


def test_an_ignored_signal_stays_ignored(tmp_path: Path) -> None:
    process = start(tmp_path, IGNORED)
    assert process.communicate(timeout=30)[0] == "5\n"


def test_in_another_thread_no_handler_is_touched() -> None:
    before = signal.getsignal(signal.SIGINT)
    results: list[Any] = []

    def work() -> None:
        coordinator = ParallelPipelineCoordinator(2)
        results.extend(coordinator.process_papers_parallel(range(10), lambda paper: {"status": "success"}))

    thread = threading.Thread(target=work)
    thread.start()
    thread.join()
    assert len(results) == 10
    assert signal.getsignal(signal.SIGINT) is before


BETWEEN = """
import json, os, signal, sys, threading, time
from literature_review.pipeline.orchestrator_v2 import *
how = getattr(signal, sys.argv[1])
checkpoint = CheckpointManagerV2("c.json", fold_after=1e6)
checkpoint.save()
before = signal.getsignal(how)
gate, begun = threading.Event(), threading.Event()
def work(paper):
    if paper == "early":
        begun.wait(20)
    if paper == "late":
        begun.set()
        gate.wait(20)
    return {"status": "success"}
results = ParallelPipelineCoordinator(2, checkpoint_manager=checkpoint, grace=float(sys.argv[2])).iter_papers_parallel(
    ["early", "late"] + [f"rest-{n}" for n in range(500)], work)
where = "waiting"
try:
    for result in results:
        where = "consumer"
        gate.set()
        os.kill(os.getpid(), how)
        if len(sys.argv) > 3:
            os.write(1, b"stuck\\n")
            for _ in range(1_200):  # not one long sleep: Python misses a signal that comes just before it
                time.sleep(0.05)
        where = "waiting"
except KeyboardInterrupt:
    results.close()
    stages = [record["stage"] for record in json.load(open("c.json"))["papers"].values()]
    print(where, stages.count("completed"), signal.getsignal(how) is before)
"""


@pytest.mark.parametrize(
    ("how", "where"), [("SIGTERM", "waiting"), ("SIGINT", "consumer")], ids=["SIGTERM", "Ctrl-C"]
)
def test_a_signal_while_the_consumers_code_runs_is_not_lost(tmp_path: Path, how: str, where: str) -> None:
    """SIGTERM lets the consumer's code finish and ends the batch at the next `next()`; Ctrl-C is raised in that code,
    as ever. Both bring the JSON file up to date, start nothing new, and put the handlers back."""
    output, errors = start(tmp_path, BETWEEN, how, "10").communicate(timeout=60)
    told = output.split()
    assert (told[0], told[2]) == (where, "True"), errors
    assert 2 <= int(told[1]) < 100
    assert os.listdir(tmp_path) == ["c.json"]


def test_a_consumer_that_does_not_come_back_after_sigterm_is_interrupted(tmp_path: Path) -> None:
    """After the grace, or at once by a second signal."""
    began = time.monotonic()
    output, errors = start(tmp_path, BETWEEN, "SIGTERM", "0.2", "stays").communicate(timeout=60)
    assert output.split()[1] == "consumer", errors
    process = start(tmp_path, BETWEEN, "SIGTERM", "50", "stays")
    assert process.stdout is not None
    assert process.stdout.readline() == "stuck\n"
    process.send_signal(signal.SIGTERM)
    assert process.communicate(timeout=60)[0].split()[0] == "consumer"
    assert time.monotonic() - began < 40


LEFT = """
import os, signal, sys, threading, time
from literature_review.pipeline.orchestrator_v2 import *
how, when, form = getattr(signal, sys.argv[1]), sys.argv[2], sys.argv[3]
begun, ending = threading.Event(), threading.Event()
def work(paper):
    if paper == 0 and when == "ending":
        begun.wait(20)
    if paper == 1 and when == "ending":
        begun.set()
        ending.wait(20)
        os.kill(os.getpid(), how)
        time.sleep(0.2)
    return {"status": "success"}
def results():
    return ParallelPipelineCoordinator(2, grace=20).iter_papers_parallel(range(3), work)
def leave():
    if when == "consumer":
        os.kill(os.getpid(), how)
    threading.Timer(0.2, ending.set).start()
try:
    if form == "break":
        for result in results():
            leave()
            break
    else:
        opened = results()
        next(opened)
        leave()
        opened.close()
    for _ in range(200):
        time.sleep(0.05)
    print("ran on")
except KeyboardInterrupt:
    print("interrupted")
"""


@pytest.mark.parametrize("form", ["break", "close"])
@pytest.mark.parametrize(("how", "when"), [("SIGTERM", "consumer"), ("SIGTERM", "ending"), ("SIGINT", "ending")])
def test_a_signal_that_no_batch_raised_because_its_consumer_left_comes_to_the_program(
    tmp_path: Path, how: str, when: str, form: str
) -> None:
    process = start(tmp_path, LEFT, how, when, form)
    output, errors = process.communicate(timeout=60)
    assert errors == ""
    expected = ("", -signal.SIGTERM) if how == "SIGTERM" else ("interrupted\n", 0)
    assert (output, process.returncode) == expected


def batch_of(papers: Any) -> Any:
    return ParallelPipelineCoordinator(1).iter_papers_parallel(papers, lambda paper: {"status": "success"})


def handlers() -> list[Any]:
    return [signal.getsignal(signum) for signum in (signal.SIGINT, signal.SIGTERM)]


def test_iterators_that_end_in_any_order_leave_the_handlers_that_were_there() -> None:
    before = handlers()
    first, second, never = batch_of(range(9)), batch_of(range(9)), batch_of(range(9))
    assert handlers() == before  # nothing has begun
    next(first)
    next(second)
    ours = handlers()
    assert ours != before
    first.close()
    assert handlers() == ours  # the second still stands
    del second
    assert handlers() == before
    never.close()
    assert handlers() == before


@pytest.fixture
def seen() -> Iterator[list[int]]:
    """SIGTERM goes into a list meanwhile."""
    received: list[int] = []
    former = signal.signal(signal.SIGTERM, lambda signum, _: received.append(signum))
    yield received
    signal.signal(signal.SIGTERM, former)


def test_an_iterator_that_ends_in_another_thread_leaves_no_handler_that_swallows_signals(seen: list[int]) -> None:
    """There no handler can be put back; the next signal finds the program's own, and so does the next batch."""
    before = handlers()
    for signum in (None, signal.SIGTERM):
        results = batch_of(range(9))
        next(results)
        ender = threading.Thread(target=results.close)
        ender.start()
        ender.join()
        if signum is not None:
            signal.raise_signal(signum)
    assert seen == [signal.SIGTERM]
    assert handlers() == before


def test_a_handler_of_the_programs_own_has_a_signal_at_once_in_the_consumers_code_and_only_once(
    seen: list[int],
) -> None:
    results = batch_of(range(1_000))
    next(results)
    signal.raise_signal(signal.SIGTERM)
    assert seen == [signal.SIGTERM]
    with pytest.raises(KeyboardInterrupt):
        list(results)
    assert seen == [signal.SIGTERM]


def test_a_handler_that_was_set_meanwhile_is_not_replaced(seen: list[int]) -> None:
    results = batch_of(range(9))
    next(results)
    later: list[int] = []
    signal.signal(signal.SIGTERM, lambda signum, _: later.append(signum))
    list(results)
    signal.raise_signal(signal.SIGTERM)
    assert (seen, later) == ([], [signal.SIGTERM])
