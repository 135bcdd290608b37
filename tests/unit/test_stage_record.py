"""The `stages` block of the checkpoint, as the contract has it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from literature_review.pipeline.orchestrator_v2 import CheckpointManagerV2
from literature_review.pipeline.stage_record import StageRecord

TIMES = {"started_at", "completed_at"}


@pytest.fixture
def record(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Any:
    """A record of two stages, of which the first was run once before, and what the checkpoint has of it. A look at the
    clock takes a second and a half."""
    now = iter(range(0, 1_000, 3))
    monkeypatch.setattr("literature_review.pipeline.stage_record.time.monotonic", lambda: next(now) / 2)
    checkpoint = CheckpointManagerV2(str(tmp_path / "c.json"), dry_run=True)
    made = StageRecord(checkpoint, ["judge", "dra"], {"judge": {"status": "failed", "attempts": 1}, "dra": "junk"})
    return made, lambda: checkpoint.data["stages"]


def test_attempts_go_on_where_an_earlier_run_left_them_and_count_its_retries(record: Any) -> None:
    made, stages = record
    made.begin(["judge"])
    assert stages()["judge"]["attempts"] == 2
    made.end(["judge"], "completed", retries=3)
    entry = stages()["judge"]
    assert set(entry) >= TIMES
    assert {name: value for name, value in entry.items() if name not in TIMES} == {
        "status": "completed", "attempts": 5, "duration_seconds": 1.5
    }  # fmt: skip
    assert stages()["dra"] == {"status": "pending", "attempts": 0}


def test_a_reason_stands_where_there_is_one(record: Any) -> None:
    made, stages = record
    made.begin(["judge"])
    made.end(["judge"], "failed", "the disk is full")
    made.skip("dra", "no claim was rejected")
    assert stages()["judge"]["reason"] == "the disk is full"
    assert stages()["dra"] == {"status": "skipped", "attempts": 0, "reason": "no claim was rejected"}
    made.begin(["judge"])
    assert "reason" not in stages()["judge"]
