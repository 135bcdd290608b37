"""A segment over papers: what the coordinator hands out becomes marks, stops and interrupts."""

from __future__ import annotations

import io
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Any

import pytest

from literature_review.config import parse_config
from literature_review.pipeline import batch
from literature_review.pipeline.parts import RunOptions
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


def spending(folder: Path, monkeypatch: pytest.MonkeyPatch) -> list[dict[str, Any]]:
    """Two stages behind the first one: `own`, which writes down each paper it sees, and `buys`, which fails for the
    first paper and finds the budget spent with the second, until there is a file `rich`."""
    name = f"stage_of_{folder.name.replace('-', '_')}"
    code = f"""
import os
from literature_review.errors import BudgetSpentError
from literature_review.models import StageResult
HERE = {str(folder)!r}
def run(context):
    if context.stage == "own":
        with open(os.path.join(HERE, "seen"), "a") as seen:
            seen.write(context.paper.id + "\\n")
    elif not os.path.exists(os.path.join(HERE, "rich")):
        raise ConnectionError("dropped") if "001" in context.paper.id else BudgetSpentError("nothing left")
    return StageResult()
"""
    (folder / f"{name}.py").write_text(code, encoding="utf-8")
    monkeypatch.syspath_prepend(str(folder))
    own = {"name": "own", "module": name, "title": "Own", "per_paper": True, "after": "journal_reviewer"}
    return [own, {**own, "name": "buys", "title": "Buys", "after": "own"}]


@pytest.mark.parametrize("parallel", [False, True])
def test_where_the_run_stops_no_paper_under_way_is_marked_as_failed(
    parallel: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The paper that found the budget spent has no fault: its mark says that it is not finished, with what it has."""
    make_review(tmp_path, papers=2)
    features = {"enable_parallel": parallel, "max_workers": 1}
    settings = config_of(
        tmp_path, stages=spending(tmp_path, monkeypatch), v2_features=features, retry_policy={"enabled": False}
    )
    result = PipelineOrchestrator(settings, log=RunLog(io.StringIO())).run()
    assert (result.exit_code, result.status) == (1, "failed")
    papers = checkpoint_of(tmp_path)["papers"]
    assert {name: entry["stage"] for name, entry in papers.items()} == {
        "trial_001.txt": "failed", "trial_002.txt": "in_progress"
    }  # fmt: skip
    assert set(papers["trial_002.txt"]["stages"]) == {"journal_reviewer", "own"}


def test_a_failed_paper_that_is_gone_on_with_keeps_the_stages_that_stand(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What a run with --force has done is not done again by its --resume, for a paper that failed later on either."""
    make_review(tmp_path, papers=2)
    settings = config_of(tmp_path, stages=spending(tmp_path, monkeypatch), retry_policy={"enabled": False})
    PipelineOrchestrator(settings, RunOptions(force=True), RunLog(io.StringIO())).run()
    assert checkpoint_of(tmp_path)["papers"]["trial_001.txt"]["stage"] == "failed"
    (tmp_path / "rich").touch()
    result = PipelineOrchestrator(settings, RunOptions(resume=True), RunLog(io.StringIO())).run()
    assert result.exit_code == 0
    assert (tmp_path / "seen").read_text(encoding="utf-8").split() == ["trial_001.txt", "trial_002.txt"]
