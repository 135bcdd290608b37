"""Concurrent papers of a paid run, with a provider's own client against a real server on loopback."""

from __future__ import annotations

import sys
from itertools import accumulate
from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("google.genai", reason="needs the extra gemini")

from model_reviewers import honest
from model_server import ModelServer
from model_wire import Request

import pipeline_orchestrator
from tests.review_samples import make_review, report_of

pytestmark = pytest.mark.integration

COUNTING_STAGE = '''
import threading
from literature_review.models import StageResult
lock, now, most = threading.Lock(), 0, 0

def turn(change):
    global now, most
    with lock:
        now += change
        most = max(most, now)

def run(context):
    turn(1)
    threading.Event().wait(0.002)
    turn(-1)
    return StageResult(status="completed")
'''


def most_under_way(requests: list[Request]) -> int:
    """Of the calls, at any moment, as the server saw them."""
    turns = sorted([(each.at, 1) for each in requests] + [(each.ended, -1) for each in requests])
    return max(accumulate(change for _, change in turns))


def review(folder: Path, server: ModelServer, **features: Any) -> int:
    """Exit code of a run of six papers, with a stage that counts papers at work."""
    stages = [{"name": "own", "module": "counting_stage", "title": "Counting", "per_paper": True,
               "after": "journal_reviewer"}]  # fmt: skip
    llm = {"backend": "gemini", "model": "a-model", "base_url": server.base_url}
    make_review(folder, papers=6, stages=stages, llm=llm, v2_features={"quota": {}, **features})
    return int(pipeline_orchestrator.main(["--config", str(folder / "pipeline_config.json")]))


def test_max_workers_bounds_papers_at_work_and_calls_under_way_and_the_report_is_that_of_one_after_the_other(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Though more papers are under way, so that those that wait leave no place empty."""
    monkeypatch.setenv("GEMINI_API_KEY", "a-key-of-no-account")
    (tmp_path / "counting_stage.py").write_text(COUNTING_STAGE, encoding="utf-8")
    monkeypatch.syspath_prepend(str(tmp_path))
    monkeypatch.delitem(sys.modules, "counting_stage", raising=False)
    reports = []
    for workers in (3, 1):
        folder = tmp_path / str(workers)
        folder.mkdir()
        with ModelServer(honest, latency=0.01 if workers > 1 else 0.0) as server:
            assert review(folder, server, max_workers=workers, enable_parallel=workers > 1) == 0, capsys.readouterr()
        reports.append(report_of(folder))
        assert 1 <= most_under_way(server.requests) <= workers
        assert 1 <= sys.modules["counting_stage"].most <= 3
    assert reports[0] == reports[1]
