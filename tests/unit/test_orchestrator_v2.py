"""The kernel as a whole: the examples of the user's guide, word for word, and the file as a drop-in module."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from literature_review.pipeline import orchestrator_v2
from literature_review.pipeline.orchestrator_v2 import (
    CheckpointManagerV2,
    ErrorClassifier,
    ErrorType,
    ParallelPipelineCoordinator,
    RetryHelper,
    SimpleQuotaManager,
    create_v2_config_defaults,
)

KERNEL = Path(orchestrator_v2.__file__)


def test_the_guides_example_of_error_classification() -> None:
    assert ErrorClassifier.classify_error("Connection timeout", http_status=429) is ErrorType.TRANSIENT
    assert ErrorClassifier.should_retry("File not found") is False


def test_the_guides_example_of_quota_management() -> None:
    quota = SimpleQuotaManager(rate=60, per_seconds=60)
    assert quota.consume(tokens=1, wait=True) is True
    stats = quota.get_stats()
    assert f"Consumed: {stats['consumed_count']}, Throttled: {stats['throttle_count']}" == "Consumed: 1, Throttled: 0"


def test_the_guides_example_of_the_checkpoint(tmp_path: Path) -> None:
    checkpoint = CheckpointManagerV2(str(tmp_path / "checkpoint.json"), dry_run=False)
    checkpoint.update_paper_status(
        paper_id="paper_0001.pdf", stage="in_progress", stages_completed=["journal_reviewer"]
    )
    checkpoint.increment_retries("paper_0001.pdf")
    assert checkpoint.get_incomplete_papers() == ["paper_0001.pdf"]
    checkpoint.close()


def test_the_guides_example_of_retry() -> None:
    result = RetryHelper.retry_with_backoff(
        func=lambda: "response",
        attempts=3,
        base=0.5,
        factor=2.0,
        max_delay=60.0,
        jitter=True,
        error_classifier=ErrorClassifier,
    )
    assert result == "response"


def test_the_guides_example_of_parallel_processing(tmp_path: Path) -> None:
    quota = SimpleQuotaManager(rate=60, per_seconds=60)
    checkpoint = CheckpointManagerV2(str(tmp_path / "checkpoint.json"))
    coordinator = ParallelPipelineCoordinator(max_workers=4, quota_manager=quota, checkpoint_manager=checkpoint)

    def process_paper(paper_path: str) -> dict[str, Any]:
        return {"paper": paper_path, "status": "success", "stages_completed": ["journal_reviewer", "judge"]}

    papers = ["paper1.pdf", "paper2.pdf", "paper3.pdf", "paper4.pdf"]
    results = coordinator.process_papers_parallel(papers, process_paper)
    assert [result["paper"] for result in results] == papers
    stats = coordinator.get_stats()
    assert (stats["successful"], stats["failed"]) == (4, 0)
    record = checkpoint.get_paper_status("paper1.pdf")
    assert record is not None
    assert list(record["stages"]) == ["journal_reviewer", "judge"]
    checkpoint.close()


def test_the_file_has_the_guides_format(tmp_path: Path) -> None:
    """Key names and their order, local ISO seconds, the shape of the run's id."""
    times = iter([1_700_000_000.0 + 60 * minute for minute in range(100)])
    file = tmp_path / "checkpoint.json"
    with CheckpointManagerV2(file, wall_clock=lambda: next(times)) as checkpoint:
        checkpoint.update_paper_status("paper_0001.pdf", "in_progress", stages_completed=["journal_reviewer"])
        checkpoint.update_paper_status("paper_0001.pdf", "completed", stages_completed=["judge"])
        checkpoint.update_paper_status("paper_0002.pdf", "in_progress", error="Connection timeout")
        checkpoint.increment_retries("paper_0002.pdf")
    document = json.loads(file.read_text())
    assert list(document) == ["run_id", "version", "created_at", "last_updated", "papers", "stats"]
    assert document["version"] == "2.0.0"
    first, second = document["papers"].values()
    assert list(first) == ["stage", "stages", "retries", "started_at", "completed_at"]
    assert list(second) == ["stage", "stages", "retries", "started_at", "last_error", "errors"]
    assert document["stats"] == {
        "total_papers": 2, "completed_papers": 1, "failed_papers": 0, "retries": 1
    }  # fmt: skip
    iso = r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d"
    assert re.fullmatch(iso + "_[0-9a-f]{6}", document["run_id"])
    stamps = [document["created_at"], first["started_at"], first["completed_at"], *first["stages"].values()]
    assert all(re.fullmatch(iso, stamp) for stamp in stamps)
    assert document["run_id"].startswith(document["created_at"])


def test_defaults_are_the_guides_block_and_a_fresh_copy_each_call() -> None:
    defaults = create_v2_config_defaults()
    assert defaults == {
        "max_workers": 4,
        "enable_parallel": False,
        "checkpoint_file": "pipeline_checkpoint.json",
        "retry": {"attempts": 3, "base": 0.5, "factor": 2.0, "max_delay": 60.0, "enable_jitter": True},
        "quota": {"gemini_api": {"rate": 60, "per_seconds": 60}},
        "feature_flags": {
            "enable_parallel_processing": False, "enable_quota_management": True, "enable_smart_retry": True
        },
    }  # fmt: skip
    defaults["retry"]["attempts"] = 99
    assert create_v2_config_defaults()["retry"]["attempts"] == 3


STANDALONE = """
import sys, os
{before}
import orchestrator_v2 as k
assert not [name for name in sys.modules if name.startswith("literature_review")]
with k.CheckpointManagerV2("c.json") as c:
    r = k.ParallelPipelineCoordinator(2, k.SimpleQuotaManager(60), c).process_papers_parallel(
        ["a", "b"], lambda p: k.RetryHelper.retry_with_backoff(lambda: {{"paper": p, "status": "success"}}))
    assert [x["status"] for x in r] == ["success"] * 2, r
assert sorted(os.listdir()) == ["c.json", "orchestrator_v2.py"], os.listdir()
d = k.CheckpointManagerV2("c.json")
assert d.load() and not d.get_incomplete_papers()
print("works")
"""


@pytest.mark.parametrize(
    "before",
    ["", "sys.modules['fcntl'] = None", "del os.fdatasync", "del os.register_at_fork"],
    ids=["as it is", "without fcntl", "without fdatasync", "without register_at_fork"],
)
def test_copied_alone_into_an_empty_folder_it_works(tmp_path: Path, before: str) -> None:
    (tmp_path / "orchestrator_v2.py").write_bytes(KERNEL.read_bytes())
    done = subprocess.run(
        [sys.executable, "-B", "-W", "error", "-c", STANDALONE.format(before=before)],
        cwd=tmp_path, capture_output=True, text=True, timeout=60,
    )  # fmt: skip
    assert done.stdout.strip() == "works", done.stderr


def test_importing_it_loads_nothing_heavy() -> None:
    heavy = ["multiprocessing", "concurrent.futures", "logging", "email", "random", "signal", "pickle", "ast", "queue"]
    script = f"import sys, {orchestrator_v2.__name__}; print([m for m in {heavy!r} if m in sys.modules])"
    done = subprocess.run([sys.executable, "-S", "-c", script], capture_output=True, text=True, timeout=60)
    assert done.stdout.strip() == "[]", done.stderr


def test_every_name_it_exports_exists() -> None:
    assert all(hasattr(orchestrator_v2, name) for name in orchestrator_v2.__all__)
