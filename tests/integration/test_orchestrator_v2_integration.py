"""The kernel's classes together, as the guide shows them."""

from __future__ import annotations

import json
import threading
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


def test_the_guides_parallel_example(tmp_path: Path) -> None:
    quota = SimpleQuotaManager(rate=60, per_seconds=60)
    with CheckpointManagerV2(tmp_path / "checkpoint.json") as checkpoint:
        coordinator = ParallelPipelineCoordinator(max_workers=4, quota_manager=quota, checkpoint_manager=checkpoint)

        def process_paper(paper_path: str) -> dict[str, Any]:
            return {"paper": paper_path, "status": "success", "stages_completed": ["journal_reviewer", "judge"]}

        papers = ["paper1.pdf", "paper2.pdf", "paper3.pdf", "paper4.pdf"]
        results = coordinator.process_papers_parallel(papers, process_paper)
        stats = coordinator.get_stats()
    assert [result["paper"] for result in results] == papers
    assert (stats["successful"], stats["failed"]) == (4, 0)
    assert quota.get_stats()["consumed_count"] == 4
    written = json.loads((tmp_path / "checkpoint.json").read_text(encoding="utf-8"))
    assert written["stats"] == {"total_papers": 4, "completed_papers": 4, "failed_papers": 0, "retries": 0}
    assert set(written["papers"]["paper1.pdf"]["stages"]) == {"journal_reviewer", "judge"}


def test_a_batch_that_fails_in_part_goes_on_where_it_was(tmp_path: Path) -> None:
    """The second run takes up what failed, and nothing that was completed."""
    path = tmp_path / "checkpoint.json"
    seen: list[str] = []
    lock = threading.Lock()

    def process(paper: str) -> dict[str, Any]:
        with lock:
            seen.append(paper)
        if paper.startswith("bad") and seen.count(paper) == 1:
            raise ValueError("a paper's own fault")
        return {"paper": paper, "status": "success", "stages_completed": ["judge"]}

    papers = [f"good{number}" for number in range(20)] + ["bad1", "bad2"]
    with CheckpointManagerV2(path) as checkpoint:
        first = ParallelPipelineCoordinator(8, checkpoint_manager=checkpoint).process_papers_parallel(papers, process)
    assert [result["paper"] for result in first if result["status"] == "error"] == ["bad1", "bad2"]
    with CheckpointManagerV2(path) as checkpoint:
        assert checkpoint.load()
        again = ParallelPipelineCoordinator(8, checkpoint_manager=checkpoint).process_papers_parallel(papers, process)
        assert checkpoint.data["stats"]["completed_papers"] == 22
    assert [result["status"] for result in again] == ["skipped"] * 20 + ["success"] * 2
    assert all(seen.count(paper) == 1 for paper in papers[:20])


def test_retries_of_a_paper_are_counted_in_the_checkpoint(tmp_path: Path) -> None:
    sleeps: list[float] = []
    failures = [ConnectionError("reset"), TimeoutError("slow")]

    def call() -> str:
        if failures:
            raise failures.pop(0)
        return "answer"

    with CheckpointManagerV2(tmp_path / "checkpoint.json") as checkpoint:
        answer = RetryHelper.retry_with_backoff(
            func=call,
            attempts=3,
            base=0.5,
            factor=2.0,
            max_delay=60.0,
            jitter=True,
            error_classifier=ErrorClassifier,
            on_retry=lambda attempt, error, delay: checkpoint.increment_retries("paper_0001.pdf"),
            sleep=sleeps.append,
        )
        assert answer == "answer"
        assert checkpoint.get_paper_status("paper_0001.pdf") is not None
        assert checkpoint.data["stats"]["retries"] == 2
    assert 0.4 <= sleeps[0] <= 0.6
    assert 0.8 <= sleeps[1] <= 1.2


def test_eight_threads_update_one_checkpoint_and_nothing_is_lost(tmp_path: Path) -> None:
    path = tmp_path / "checkpoint.json"
    with CheckpointManagerV2(path) as checkpoint:

        def work(worker: int) -> None:
            for number in range(25):
                checkpoint.update_paper_status(f"{worker}-{number}", "completed", stages_completed=["judge"])

        threads = [threading.Thread(target=work, args=(worker,)) for worker in range(8)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    assert {entry.name for entry in tmp_path.iterdir()} == {"checkpoint.json"}
    assert json.loads(path.read_text(encoding="utf-8"))["stats"]["completed_papers"] == 200


def test_a_dry_run_touches_nothing(tmp_path: Path) -> None:
    quota = SimpleQuotaManager(rate=1, per_seconds=60)
    checkpoint = CheckpointManagerV2(tmp_path / "checkpoint.json", dry_run=True)
    coordinator = ParallelPipelineCoordinator(2, quota, checkpoint, dry_run=True)
    results = coordinator.process_papers_parallel(["a", "b"], lambda paper: pytest.fail("was called"))
    assert all(result["dry_run"] for result in results)
    assert quota.get_stats()["consumed_count"] == 0
    assert list(tmp_path.iterdir()) == []
