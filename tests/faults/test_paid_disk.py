"""Whole runs whose answer store cannot be used: they stop, having paid for next to nothing, and go on later."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

import pipeline_orchestrator
from literature_review.llm.chat import ModelAnswer
from literature_review.llm.paid_book import PaidBook
from literature_review.pipeline.parts import RunOptions
from tests.integration.test_paid_money import PRICE, build
from tests.paid_runs import PaidRun, paid_run
from tests.review_samples import checkpoint_of, make_review

pytestmark = pytest.mark.fault


def run(folder: Path, monkeypatch: pytest.MonkeyPatch, options: RunOptions | None = None, **more: Any) -> PaidRun:
    make_review(folder, papers=6)
    settings: Mapping[str, Any] = {"llm": {"prices": PRICE}, **more}
    return paid_run(folder, monkeypatch, lambda n: '{"paper": "x"}', options, build, **settings)


@pytest.mark.parametrize("parallel", [False, True])
def test_a_disk_that_is_full_stops_the_run_and_fails_no_paper(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, parallel: bool
) -> None:
    """One call is paid for, or as many as were under way; with room again, --resume pays for the rest alone."""

    def full(self: PaidBook, *arguments: Any) -> ModelAnswer:
        raise OSError(28, "No space left on device", self.path)

    features: dict[str, Any] = {"v2_features": {"enable_parallel": parallel, "max_workers": 2}}
    with monkeypatch.context() as patched:
        patched.setattr(PaidBook, "answered", full)
        stopped = run(tmp_path, monkeypatch, **features)
    assert 1 <= len(stopped.requests) <= (2 if parallel else 1)
    assert stopped.result.exit_code == 1
    assert "answers.db cannot be written (No space left on device), so nothing more is paid for" in stopped.said
    assert checkpoint_of(tmp_path)["stats"]["failed_papers"] == 0
    resumed = run(tmp_path, monkeypatch, RunOptions(resume=True), **features)
    assert resumed.result.exit_code == 0
    assert len(resumed.requests) == 12


@pytest.mark.parametrize("dry", [[], ["--dry-run"]])
def test_a_damaged_answer_store_is_told_before_the_run_begins(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], dry: list[str]
) -> None:
    """Exit code 2, in the dry run too; the file stays as it is, and no call is made."""
    pytest.importorskip("google.genai", reason="needs the extra gemini")
    make_review(tmp_path, papers=1)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("GEMINI_API_KEY", "key-of-the-tests-0123456789")
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / "answers.db").write_bytes(b"no database" * 100)
    (tmp_path / "mine.json").write_text('{"llm": {"backend": "gemini", "base_url": "http://127.0.0.1:9"}}')
    command = ["--config", "mine.json", "--papers", "papers", "--protocol", "protocol.json", "--output-dir", "out"]
    assert pipeline_orchestrator.main([*command, *dry]) == 2
    (error,) = [line for line in capsys.readouterr().out.splitlines() if "[ERROR]" in line]
    assert "answers.db is damaged" in error
    assert "move it away" in error
    assert (tmp_path / "out" / "answers.db").read_bytes() == b"no database" * 100
