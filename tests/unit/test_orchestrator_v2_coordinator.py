"""ParallelPipelineCoordinator in threads and executors: results, faults, stops, and what the checkpoint has."""

from __future__ import annotations

import concurrent.futures
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path, PurePosixPath
from typing import Any

import pytest

from literature_review.pipeline.orchestrator_v2 import (
    CheckpointLockedError,
    CheckpointManagerV2,
    ErrorClassifier,
    ErrorType,
    ParallelPipelineCoordinator,
    SimpleQuotaManager,
)

Process = Callable[[Any], dict[str, Any]]


def succeed(paper: Any) -> dict[str, Any]:
    return {"paper": paper, "status": "success", "stages_completed": ["a", "b"]}


@pytest.fixture
def checkpoint(tmp_path: Path) -> Iterator[CheckpointManagerV2]:
    with CheckpointManagerV2(tmp_path / "c.json") as manager:
        yield manager


def test_attributes_are_as_the_guide_names_them(checkpoint: CheckpointManagerV2) -> None:
    quota = SimpleQuotaManager(1)
    coordinator = ParallelPipelineCoordinator(3, quota, checkpoint, True)
    assert (coordinator.max_workers, coordinator.dry_run) == (3, True)
    assert coordinator.quota_manager is quota
    assert coordinator.checkpoint is checkpoint
    assert ParallelPipelineCoordinator().max_workers == 4


@pytest.mark.parametrize("options", [{"max_workers": 0}, {"max_workers": -1}, {"stop_after": 0}])
def test_senseless_numbers_are_refused(options: dict[str, int]) -> None:
    with pytest.raises(ValueError, match="at least 1"):
        ParallelPipelineCoordinator(**options)  # type: ignore[arg-type]


@pytest.mark.parametrize("count", [0, 1, 3, 500])
@pytest.mark.parametrize("as_iterator", [False, True])
def test_results_come_in_the_order_of_the_papers(count: int, as_iterator: bool) -> None:
    def uneven(paper: int) -> dict[str, Any]:
        time.sleep(0.002 * (paper % 3 == 0 and count == 3))
        return succeed(paper)

    papers = iter(range(count)) if as_iterator else range(count)
    coordinator = ParallelPipelineCoordinator(4)
    results = coordinator.process_papers_parallel(papers, uneven)
    assert [result["paper"] for result in results] == list(range(count))
    assert coordinator.get_stats() == coordinator.stats == {
        "total_processed": count, "successful": count, "failed": 0, "skipped": 0, "retries": 0
    }  # fmt: skip


def test_the_iterator_form_yields_them_as_they_come() -> None:
    release = threading.Event()

    def work(paper: str) -> dict[str, Any]:
        if paper == "slow":
            release.wait(10)
        return succeed(paper)

    results = ParallelPipelineCoordinator(2).iter_papers_parallel(["slow", "quick"], work)
    assert next(results)["paper"] == "quick"
    release.set()
    assert next(results)["paper"] == "slow"
    assert list(results) == []


def test_a_text_is_no_list_of_papers() -> None:
    with pytest.raises(TypeError, match="list of papers"):
        ParallelPipelineCoordinator().iter_papers_parallel("paper.pdf", succeed)


def test_at_most_max_workers_run_at_once_and_all_are_used() -> None:
    running, most = 0, 0
    lock = threading.Lock()
    together = threading.Barrier(3)

    def work(paper: int) -> dict[str, Any]:
        nonlocal running, most
        with lock:
            running += 1
            most = max(most, running)
        if paper < 3:
            together.wait(10)
        with lock:
            running -= 1
        return succeed(paper)

    ParallelPipelineCoordinator(3).process_papers_parallel(range(30), work)
    assert most == 3


def test_papers_are_read_by_the_callers_thread_and_only_a_little_ahead() -> None:
    read_by: set[int] = set()
    read, done = 0, 0
    furthest = 0

    def papers() -> Iterator[int]:
        nonlocal read
        for paper in range(60):
            read_by.add(threading.get_ident())
            read += 1
            yield paper

    def work(paper: int) -> dict[str, Any]:
        nonlocal done, furthest
        furthest = max(furthest, read - done)
        time.sleep(0.001)
        done += 1
        return succeed(paper)

    ParallelPipelineCoordinator(2).process_papers_parallel(papers(), work)
    assert read_by == {threading.get_ident()}
    assert furthest <= 16


def test_a_slow_consumer_holds_the_reading_up() -> None:
    read = 0

    def papers() -> Iterator[int]:
        nonlocal read
        for paper in range(10_000):
            read += 1
            yield paper

    results = ParallelPipelineCoordinator(2).iter_papers_parallel(papers(), succeed)
    next(results)
    time.sleep(0.02)
    assert read < 1_000
    results.close()  # type: ignore[attr-defined]


def test_a_million_papers_need_no_million_futures() -> None:
    """The window stays bounded: what is read and not handed out never exceeds a few hundred papers."""
    read = 0

    def papers() -> Iterator[int]:
        nonlocal read
        for paper in range(50_000):
            read += 1
            yield paper

    handed = 0
    for _ in ParallelPipelineCoordinator(4).iter_papers_parallel(papers(), succeed):
        handed += 1
        assert read - handed <= 64 * 8
    assert handed == 50_000


# Failures


class Unshowable(Exception):
    def __str__(self) -> str:
        raise ValueError


@pytest.mark.parametrize(
    ("error", "text", "kind"),
    [
        (ValueError("boom"), "boom", "unknown"),
        (TimeoutError("too slow"), "too slow", "transient"),
        (FileNotFoundError(), "FileNotFoundError", "permanent"),
        (SystemExit(3), "3", "unknown"),
        (Unshowable(), "Unshowable", "unknown"),
        (RecursionError("deep"), "deep", "unknown"),
    ],
)
def test_a_paper_that_raises_touches_no_other(
    checkpoint: CheckpointManagerV2, error: BaseException, text: str, kind: str
) -> None:
    def work(paper: str) -> dict[str, Any]:
        if paper == "bad":
            raise error
        return succeed(paper)

    coordinator = ParallelPipelineCoordinator(2, checkpoint_manager=checkpoint)
    results = coordinator.process_papers_parallel(["a", "bad", "b"], work)
    assert results[1] == {"paper": "bad", "status": "error", "error": text, "error_type": kind}
    assert [result["status"] for result in results] == ["success", "error", "success"]
    assert coordinator.stats == {"total_processed": 3, "successful": 2, "failed": 1, "skipped": 0, "retries": 0}
    record = checkpoint.get_paper_status("bad") or {}
    assert (record["stage"], record["last_error"]) == ("failed", text)


@pytest.mark.parametrize("result", [None, "done", ["a"], 1])
def test_a_result_that_is_no_dict_is_an_error(result: Any) -> None:
    (outcome,) = ParallelPipelineCoordinator().process_papers_parallel(["p"], lambda _: result)
    assert (outcome["paper"], outcome["status"], outcome["error_type"]) == ("p", "error", "permanent")
    assert type(result).__name__ in outcome["error"]


@pytest.mark.parametrize(
    ("result", "failed"),
    [
        ({}, False),
        ({"status": "success"}, False),
        ({"paper": "mine", "extra": 1}, False),
        ({"status": "failed", "error": "no text"}, True),
        ({"status": "skipped"}, True),
        ({"status": "not_started"}, True),
        ({"status": None}, True),
    ],
)
def test_a_status_that_is_neither_success_nor_absent_counts_as_failed(
    checkpoint: CheckpointManagerV2, result: dict[str, Any], failed: bool
) -> None:
    coordinator = ParallelPipelineCoordinator(checkpoint_manager=checkpoint)
    before = dict(result)
    (outcome,) = coordinator.process_papers_parallel(["p"], lambda _: result)
    assert coordinator.stats["failed"] == failed
    assert checkpoint.stage_of("p") == ("failed" if failed else "completed")
    assert outcome["paper"] == result.get("paper", "p")
    assert result == before  # it is the caller's


@pytest.mark.parametrize(
    ("stages", "expected"),
    [(["a", "b"], ["a", "b"]), (("a",), ["a"]), ("judge", ["judge"]), (None, []), (7, []), ([1], ["1"])],
)
def test_stages_completed_go_to_the_checkpoint(
    checkpoint: CheckpointManagerV2, stages: Any, expected: list[str]
) -> None:
    coordinator = ParallelPipelineCoordinator(checkpoint_manager=checkpoint)
    coordinator.process_papers_parallel(
        ["ok", "bad"], lambda p: {"status": "success" if p == "ok" else "failed", "stages_completed": stages}
    )
    assert list((checkpoint.get_paper_status("ok") or {})["stages"]) == expected
    assert list((checkpoint.get_paper_status("bad") or {})["stages"]) == expected
    assert (checkpoint.get_paper_status("ok") or {})["started_at"]


def test_an_injected_classifier_decides_the_error_type() -> None:
    class Mine:
        def classify_error(self, error: object) -> ErrorType:
            return ErrorType.TRANSIENT

    def work(_: Any) -> dict[str, Any]:
        raise ValueError("x")

    (result,) = ParallelPipelineCoordinator(classifier=Mine()).process_papers_parallel(["p"], work)
    assert result["error_type"] == "transient"


# Faults that every paper would meet


def failing_with(text: str, calls: list[Any]) -> Process:
    def work(paper: Any) -> dict[str, Any]:
        calls.append(paper)
        raise RuntimeError(text)

    return work


@pytest.mark.parametrize("text", ["HTTP 401", "403 Forbidden", "API key not valid", "insufficient_quota"])
def test_a_fault_that_every_paper_would_meet_stops_the_batch(checkpoint: CheckpointManagerV2, text: str) -> None:
    calls: list[Any] = []
    papers = [f"p{number}" for number in range(5_000)]
    coordinator = ParallelPipelineCoordinator(1, checkpoint_manager=checkpoint)
    results = coordinator.process_papers_parallel(papers, failing_with(text, calls))
    assert len(calls) == 3
    assert [result["paper"] for result in results] == papers
    assert [result["status"] for result in results[:4]] == ["error", "error", "error", "not_started"]
    assert {result["status"] for result in results[3:]} == {"not_started"}
    assert text in results[-1]["reason"]
    assert checkpoint.get_incomplete_papers() == papers[3:]
    assert coordinator.stats["total_processed"] == 3


def test_after_a_stop_nothing_more_is_read_of_an_iterator(checkpoint: CheckpointManagerV2) -> None:
    read = 0

    def papers() -> Iterator[str]:
        nonlocal read
        while True:
            read += 1
            yield f"p{read}"

    calls: list[Any] = []
    coordinator = ParallelPipelineCoordinator(2, checkpoint_manager=checkpoint, stop_after=2)
    results = coordinator.process_papers_parallel(papers(), failing_with("HTTP 401", calls))
    assert len(results) == read <= 20
    incomplete = [result["paper"] for result in results if result["status"] == "not_started"]
    assert sorted(checkpoint.get_incomplete_papers()) == sorted(incomplete)


@pytest.mark.parametrize("text", ["the PDF is encrypted", "Permission denied: 'x.pdf'", "no text: scanned", "HTTP 404"])
def test_a_papers_own_fault_never_stops_others_however_many(text: str) -> None:
    calls: list[Any] = []
    results = ParallelPipelineCoordinator(2).process_papers_parallel(range(50), failing_with(text, calls))
    assert len(calls) == 50
    assert {result["status"] for result in results} == {"error"}


def test_only_faults_in_a_row_stop_and_only_if_asked_to() -> None:
    def work(paper: int) -> dict[str, Any]:
        if paper % 3:
            return {"status": "failed", "error": "HTTP 401"}
        return succeed(paper)

    results = ParallelPipelineCoordinator(1).process_papers_parallel(range(30), work)
    assert not [result for result in results if result["status"] == "not_started"]
    calls: list[Any] = []
    never = ParallelPipelineCoordinator(1, stop_after=None)
    never.process_papers_parallel(range(30), failing_with("HTTP 401", calls))
    assert len(calls) == 30


# The checkpoint


def test_completed_papers_are_not_run_again(tmp_path: Path) -> None:
    with CheckpointManagerV2(tmp_path / "c.json") as first:
        first.update_paper_status("a", "completed")
        first.update_paper_status("b", "failed")
        first.update_paper_status("c", "in_progress")
        first.increment_retries("c")
    again = CheckpointManagerV2(tmp_path / "c.json")
    assert again.load()
    calls: list[str] = []

    def work(paper: str) -> dict[str, Any]:
        calls.append(paper)
        return succeed(paper)

    coordinator = ParallelPipelineCoordinator(1, checkpoint_manager=again)
    results = coordinator.process_papers_parallel(["a", "b", "c", "d"], work)
    assert calls == ["b", "c", "d"]
    assert results[0] == {"paper": "a", "status": "skipped"}
    assert coordinator.stats == {"total_processed": 3, "successful": 3, "failed": 0, "skipped": 1, "retries": 1}
    again.close()


def test_each_result_is_in_the_checkpoint_before_it_is_yielded(tmp_path: Path) -> None:
    """On disk, as another reader sees it, and also those that nobody has asked for yet."""
    file = tmp_path / "c.json"
    with CheckpointManagerV2(file) as manager:
        coordinator = ParallelPipelineCoordinator(2, checkpoint_manager=manager)
        results = coordinator.iter_papers_parallel([f"p{n}" for n in range(40)], succeed)
        for result in results:
            beside = CheckpointManagerV2(file)
            assert beside.load()
            assert beside.stage_of(result["paper"]) == "completed"
        waiting = coordinator.iter_papers_parallel(["x", "y"], succeed)
        next(waiting)
        for _ in range(1_000):
            if manager.stage_of("x") == manager.stage_of("y") == "completed":
                break
            time.sleep(0.002)
        else:
            pytest.fail("a slow consumer kept a finished paper out of the checkpoint")
        list(waiting)


@pytest.mark.parametrize("paper", [PurePosixPath("a/b.pdf"), ("a", 1), 7, None, "\ud800", "", "x" * 10_000])
def test_any_value_is_a_paper_and_its_text_is_the_id(checkpoint: CheckpointManagerV2, paper: Any) -> None:
    (result,) = ParallelPipelineCoordinator(checkpoint_manager=checkpoint).process_papers_parallel([paper], succeed)
    assert result["paper"] == paper
    assert checkpoint.stage_of(str(paper)) == "completed"


def test_a_manager_of_ones_own_is_told_through_its_public_methods() -> None:
    class Mine:
        def __init__(self) -> None:
            self.told: list[tuple[Any, ...]] = []
            self.data = {"stats": {"retries": 5}}

        def update_paper_status(self, *arguments: Any) -> None:
            self.told.append(arguments)

        def get_paper_status(self, paper: str) -> dict[str, Any] | None:
            return {"stage": "completed"} if paper == "done" else None

    mine = Mine()
    coordinator = ParallelPipelineCoordinator(1, checkpoint_manager=mine)
    results = coordinator.process_papers_parallel(["done", "p"], succeed)
    assert [result["status"] for result in results] == ["skipped", "success"]
    assert mine.told == [("p", "in_progress"), ("p", "completed", ["a", "b"], None)]
    assert coordinator.stats["retries"] == 5


class GuideOnly:
    """A manager with the methods that the guide names, and no other."""

    def __init__(self) -> None:
        self.told: list[str] = []

    def update_paper_status(self, paper_id: str, stage: str, stages_completed: Any = None, error: Any = None) -> None:
        self.told.append(stage)

    def increment_retries(self, paper_id: str) -> None:
        raise NotImplementedError

    def get_incomplete_papers(self) -> list[str]:
        return []


def test_a_manager_needs_no_more_methods_than_the_guide_names() -> None:
    mine = GuideOnly()
    coordinator = ParallelPipelineCoordinator(1, checkpoint_manager=mine)
    assert [result["status"] for result in coordinator.process_papers_parallel(["a"], succeed)] == ["success"]
    assert mine.told == ["in_progress", "completed"]
    assert coordinator.get_stats()["retries"] == 0

    def interrupt(_: Any) -> dict[str, Any]:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        coordinator.process_papers_parallel(["b"], interrupt)


def test_an_error_that_cannot_be_shown_fails_its_paper_alone(checkpoint: CheckpointManagerV2) -> None:
    coordinator = ParallelPipelineCoordinator(1, checkpoint_manager=checkpoint)
    results = coordinator.process_papers_parallel(
        ["a", "b"], lambda p: {"status": "error", "error": Unshowable()} if p == "a" else succeed(p)
    )
    assert [result["status"] for result in results] == ["error", "success"]


def test_an_overridden_update_is_called(tmp_path: Path) -> None:
    told: list[str] = []

    class Spy(CheckpointManagerV2):
        def update_paper_status(self, *arguments: Any, **named: Any) -> None:
            told.append(arguments[1])
            super().update_paper_status(*arguments, **named)

    with Spy(tmp_path / "c.json") as spy:
        ParallelPipelineCoordinator(1, checkpoint_manager=spy).process_papers_parallel(["p"], succeed)
    assert told == ["in_progress", "completed"]


def test_a_checkpoint_that_cannot_be_written_ends_the_batch_with_its_error(
    checkpoint: CheckpointManagerV2, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full() -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(checkpoint, "flush", full)
    with pytest.raises(OSError, match="No space"):
        ParallelPipelineCoordinator(2, checkpoint_manager=checkpoint).process_papers_parallel(range(100), succeed)


def test_a_checkpoint_that_another_process_holds_ends_the_batch_before_any_call(
    checkpoint: CheckpointManagerV2, monkeypatch: pytest.MonkeyPatch
) -> None:
    def held(*_: Any) -> None:
        raise CheckpointLockedError("c.json", 4711)

    monkeypatch.setattr(checkpoint, "note_paper_status", held)
    calls: list[Any] = []
    with pytest.raises(CheckpointLockedError, match="4711"):
        ParallelPipelineCoordinator(2, checkpoint_manager=checkpoint).process_papers_parallel(
            range(100), failing_with("x", calls)
        )
    assert calls == []


# Quota, dry run


def test_one_token_is_taken_per_paper_and_none_for_one_that_is_skipped(checkpoint: CheckpointManagerV2) -> None:
    checkpoint.update_paper_status("done", "completed")
    quota = SimpleQuotaManager(100)
    ParallelPipelineCoordinator(2, quota, checkpoint).process_papers_parallel(["done", *range(7)], succeed)
    assert quota.consumed_count == 7


def test_another_quota_manager_may_refuse() -> None:
    class Refusing:
        asked = 0

        def consume(self, tokens: int, wait: bool) -> bool:
            self.asked += tokens
            return self.asked <= 1

    coordinator = ParallelPipelineCoordinator(1, Refusing())
    results = coordinator.process_papers_parallel(["a", "b"], succeed)
    assert [result["status"] for result in results] == ["success", "not_started"]
    assert results[1]["reason"] == "no token"


@pytest.mark.parametrize("use_threads", [True, False])
def test_a_dry_run_calls_nothing_takes_no_token_and_records_nothing(
    checkpoint: CheckpointManagerV2, tmp_path: Path, use_threads: bool
) -> None:
    checkpoint.update_paper_status("a", "completed")
    before = checkpoint.data
    quota = SimpleQuotaManager(1)
    coordinator = ParallelPipelineCoordinator(2, quota, checkpoint, dry_run=True)
    results = coordinator.process_papers_parallel(["a", "b"], lambda _: pytest.fail("called"), use_threads)
    assert results == [{"paper": paper, "status": "success", "dry_run": True} for paper in "ab"]
    assert quota.consumed_count == 0
    assert checkpoint.data == before


# Stopping from outside


def test_cancel_stops_as_an_interrupt_would_without_raising(checkpoint: CheckpointManagerV2) -> None:
    cancel = threading.Event()
    stuck, release = threading.Event(), threading.Event()
    papers = [f"p{number}" for number in range(100)]

    def work(paper: str) -> dict[str, Any]:
        if paper == "p0":
            stuck.wait(10)
            cancel.set()
        elif paper == "p1":
            stuck.set()
            release.wait(20)  # does not end within the grace
        return succeed(paper)

    coordinator = ParallelPipelineCoordinator(2, checkpoint_manager=checkpoint, cancel=cancel, grace=0.05)
    results = coordinator.process_papers_parallel(papers, work)
    release.set()
    assert [result["paper"] for result in results] == papers
    assert results[0]["status"] == "success"
    assert {result["status"] for result in results[1:]} == {"not_started"}
    assert results[-1]["reason"] == "cancelled"
    assert set(checkpoint.get_incomplete_papers()) == set(papers[1:])
    assert checkpoint.stage_of("p1") == "in_progress"


def test_cancel_frees_a_worker_that_waits_for_a_token() -> None:
    cancel = threading.Event()
    quota = SimpleQuotaManager(1, 1e6)
    coordinator = ParallelPipelineCoordinator(2, quota, cancel=cancel, grace=10)
    timer = threading.Timer(0.05, cancel.set)
    timer.start()
    results = coordinator.process_papers_parallel(["a", "b", "c"], succeed)
    timer.join()
    assert sorted(result["status"] for result in results) == ["not_started", "not_started", "success"]


def test_closing_the_iterator_ends_the_batch_and_its_threads(checkpoint: CheckpointManagerV2) -> None:
    before = threading.active_count()
    coordinator = ParallelPipelineCoordinator(4, checkpoint_manager=checkpoint)
    results = coordinator.iter_papers_parallel(iter(int, 1), succeed)
    next(results)
    results.close()  # type: ignore[attr-defined]
    deadline = time.monotonic() + 10
    while threading.active_count() > before + 1 and time.monotonic() < deadline:  # the fold thread may live
        time.sleep(0.005)
    assert threading.active_count() <= before + 1


def test_papers_that_raise_while_they_are_read_end_the_batch_with_that_error(checkpoint: CheckpointManagerV2) -> None:
    def papers() -> Iterator[str]:
        yield "a"
        raise LookupError("the list is broken")

    coordinator = ParallelPipelineCoordinator(2, checkpoint_manager=checkpoint)
    with pytest.raises(LookupError, match="broken"):
        coordinator.process_papers_parallel(papers(), succeed)
    assert checkpoint.stage_of("a") == "completed"


def test_keyboard_interrupt_from_a_paper_is_one() -> None:
    def work(paper: int) -> dict[str, Any]:
        if paper == 3:
            raise KeyboardInterrupt
        return succeed(paper)

    with pytest.raises(KeyboardInterrupt):
        ParallelPipelineCoordinator(1).process_papers_parallel(range(1000), work)


def test_keyboard_interrupt_while_papers_are_read_saves_the_checkpoint(tmp_path: Path) -> None:
    import json

    def papers() -> Iterator[str]:
        yield "a"
        raise KeyboardInterrupt

    with CheckpointManagerV2(tmp_path / "c.json", fold_after=1e6) as manager:
        manager.save()
        with pytest.raises(KeyboardInterrupt):
            ParallelPipelineCoordinator(1, checkpoint_manager=manager).process_papers_parallel(papers(), succeed)
        assert json.loads((tmp_path / "c.json").read_text())["papers"]["a"]["stage"] == "completed"


# Hooks


def test_hooks_see_every_start_and_every_result(checkpoint: CheckpointManagerV2) -> None:
    checkpoint.update_paper_status("done", "completed")
    started: list[Any] = []
    finished: list[Any] = []
    coordinator = ParallelPipelineCoordinator(
        2, checkpoint_manager=checkpoint, on_start=started.append, on_result=finished.append
    )
    results = coordinator.process_papers_parallel(["a", "done", "b"], succeed)
    assert sorted(started) == ["a", "b"]
    assert sorted(map(str, finished)) == sorted(map(str, results))


@pytest.mark.parametrize("hook", ["on_start", "on_result"])
def test_a_hook_that_raises_ends_the_batch_with_its_error(hook: str) -> None:
    def bad(_: Any) -> None:
        raise ZeroDivisionError("in the hook")

    coordinator = ParallelPipelineCoordinator(2, grace=60, **{hook: bad})  # type: ignore[arg-type]
    began = time.monotonic()
    with pytest.raises(ZeroDivisionError):
        coordinator.process_papers_parallel(range(100), succeed)
    assert time.monotonic() - began < 30, "nothing is under way, and the grace is waited for"


# Executors


def test_any_executor_may_run_the_papers() -> None:
    with concurrent.futures.ThreadPoolExecutor(2, thread_name_prefix="mine") as pool:

        def work(paper: int) -> dict[str, Any]:
            if paper == 5:
                raise ValueError("five")
            return {"thread": threading.current_thread().name}

        results = ParallelPipelineCoordinator(3, executor=pool).process_papers_parallel(range(10), work)
    assert results[5] == {"paper": 5, "status": "error", "error": "five", "error_type": "unknown"}
    assert all(result["thread"].startswith("mine") for result in results if result["status"] == "success")


def test_an_executor_that_breaks_leaves_the_rest_not_started(checkpoint: CheckpointManagerV2) -> None:
    class Breaking(concurrent.futures.Executor):
        def submit(self, *arguments: Any, **named: Any) -> concurrent.futures.Future[Any]:
            raise concurrent.futures.BrokenExecutor("a worker died")

    coordinator = ParallelPipelineCoordinator(1, checkpoint_manager=checkpoint, executor=Breaking())
    results = coordinator.process_papers_parallel(["a", "b", "c"], succeed)
    assert {result["status"] for result in results} == {"not_started"}
    assert "a worker died" in results[-1]["reason"]
    assert checkpoint.get_incomplete_papers() == ["a", "b", "c"]


def test_an_executor_that_was_shut_down_fails_no_paper(checkpoint: CheckpointManagerV2) -> None:
    pool = concurrent.futures.ThreadPoolExecutor(1)
    pool.shutdown()
    coordinator = ParallelPipelineCoordinator(1, checkpoint_manager=checkpoint, executor=pool)
    results = coordinator.process_papers_parallel(["a", "b"], succeed)
    assert {result["status"] for result in results} == {"not_started"}
    assert checkpoint.get_incomplete_papers() == ["a", "b"]


def test_what_an_executor_cannot_take_fails_that_paper_alone() -> None:
    class Picky(concurrent.futures.ThreadPoolExecutor):
        def submit(self, function: Any, /, *arguments: Any, **named: Any) -> Any:
            if arguments[1] == 1:
                raise TypeError("cannot pickle 1")
            return super().submit(function, *arguments, **named)

    with Picky(1) as pool:
        coordinator = ParallelPipelineCoordinator(1, executor=pool, classifier=ErrorClassifier())
        results = coordinator.process_papers_parallel(range(3), succeed)
    assert [result["status"] for result in results] == ["success", "error", "success"]
    assert results[1]["error"] == "cannot pickle 1"


class Nameless:
    """A paper, or the name of a stage, that cannot be shown."""

    def __str__(self) -> str:
        raise ValueError("no text")

    __repr__ = __str__


def test_a_paper_that_cannot_be_shown_fails_alone(checkpoint: CheckpointManagerV2) -> None:
    paper = Nameless()
    coordinator = ParallelPipelineCoordinator(2, checkpoint_manager=checkpoint)
    results = coordinator.process_papers_parallel(["a", paper, "b"], lambda _: {"status": "success"})
    assert [result["status"] for result in results] == ["success", "error", "success"]
    assert results[1]["paper"] is paper
    assert list(checkpoint.data["papers"]) == ["a", "b"]


def test_a_paper_that_cannot_be_shown_is_not_started_after_a_stop_like_any_other(
    checkpoint: CheckpointManagerV2,
) -> None:
    coordinator = ParallelPipelineCoordinator(1, checkpoint_manager=checkpoint, stop_after=1)

    def refuse(paper: Any) -> dict[str, Any]:
        raise RuntimeError("HTTP 401")

    results = coordinator.process_papers_parallel(["a", *range(50), Nameless()], refuse)
    assert len(results) == 52
    assert results[0]["status"] == "error"
    assert {result["status"] for result in results[1:-1]} == {"not_started"}


@pytest.mark.parametrize("stages", [["a", Nameless(), "b"], {"b", "a"}, frozenset({"a", "b"}), ("a", "b")])
def test_stages_completed_may_be_any_collection_and_one_that_cannot_be_shown_is_left_out(
    checkpoint: CheckpointManagerV2, stages: Any
) -> None:
    coordinator = ParallelPipelineCoordinator(1, checkpoint_manager=checkpoint)
    (result,) = coordinator.process_papers_parallel(["p"], lambda _: {"status": "success", "stages_completed": stages})
    assert result["status"] == "success"
    assert list((checkpoint.get_paper_status("p") or {})["stages"]) == ["a", "b"]


def test_a_system_without_a_thread_to_spare_is_told_as_it_is_and_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(thread: threading.Thread) -> None:
        raise RuntimeError("can't start new thread")

    monkeypatch.setattr(threading.Thread, "start", refuse)
    began = time.monotonic()
    with pytest.raises(RuntimeError, match="can't start new thread"):
        ParallelPipelineCoordinator(2, grace=3).process_papers_parallel(["a", "b"], succeed)
    assert time.monotonic() - began < 2


def test_no_paper_starts_once_its_batch_has_stopped_while_another_quota_was_waited_for() -> None:
    cancel = threading.Event()
    started: list[Any] = []

    class Slow:
        def consume(self, tokens: float = 1, wait: bool = True) -> bool:
            cancel.set()
            return True

    coordinator = ParallelPipelineCoordinator(2, Slow(), cancel=cancel, on_start=started.append)
    results = coordinator.process_papers_parallel(["a", "b"], succeed)
    assert [result["status"] for result in results] == ["not_started"] * 2
    assert not started


def test_a_paper_given_up_after_a_cancel_is_yielded_once_even_if_it_ends_after_all() -> None:
    cancel, release = threading.Event(), threading.Event()

    def stuck(paper: str) -> dict[str, Any]:
        if paper == "stuck":
            cancel.set()
            release.wait(10)
        return succeed(paper)

    def is_given_up(result: dict[str, Any]) -> None:
        if result["paper"] == "stuck":
            release.set()
            time.sleep(0.05)  # its end comes now

    coordinator = ParallelPipelineCoordinator(1, cancel=cancel, grace=0, on_result=is_given_up)
    results = list(coordinator.iter_papers_parallel(["stuck", *"abcdefghij"], stuck))
    assert sorted(result["paper"] for result in results) == sorted(["stuck", *"abcdefghij"])
