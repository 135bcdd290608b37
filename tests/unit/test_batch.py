"""A segment over papers: what the coordinator hands out becomes marks, stops and interrupts."""

from __future__ import annotations

import io
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Any

import pytest

from literature_review.config import parse_config
from literature_review.pipeline import batch
from literature_review.pipeline.run import PipelineOrchestrator
from literature_review.pipeline.run_state import RunState
from literature_review.pipeline.runlog import RunLog
from tests.review_samples import checkpoint_of, config_of, make_review


class Cancelled:
    """A coordinator that was cancelled before its first paper; `before` runs just before it says so."""

    before: Callable[[], None] = staticmethod(lambda: None)

    def __init__(self, **options: Any) -> None:
        self.cancel = options["cancel"]

    def iter_papers_parallel(self, papers: Iterable[str], process: object) -> Iterator[dict[str, Any]]:
        type(self).before()
        self.cancel.set()
        for paper in papers:
            yield {"paper": paper, "status": "not_started", "reason": "cancelled"}


@pytest.mark.parametrize(("asked", "code", "status"), [(True, 130, "interrupted"), (False, 1, "failed")])
def test_a_signal_counts_as_one_however_the_batch_hears_of_it(
    asked: bool, code: int, status: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A worker cancels the batch a moment before it raises the interrupt: the run is interrupted, not failed."""
    make_review(tmp_path, papers=2)
    seen: list[Any] = []
    state = RunState

    def remembered(*values: Any, **named: Any) -> Any:
        seen.append(state(*values, **named))
        return seen[-1]

    monkeypatch.setattr("literature_review.pipeline.review_run.RunState", remembered)
    monkeypatch.setattr(batch, "ParallelPipelineCoordinator", Cancelled)
    monkeypatch.setattr(Cancelled, "before", staticmethod(lambda: setattr(seen[-1].signals, "asked", asked)))
    result = PipelineOrchestrator(parse_config(config_of(tmp_path)), log=RunLog(io.StringIO())).run()
    assert (result.exit_code, result.status) == (code, status)
    assert checkpoint_of(tmp_path)["status"] == status
