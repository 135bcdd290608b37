"""A run as a whole: what is done again and what stands, stages that fail or hang, kills, stages of the user's own."""

from __future__ import annotations

import io
import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest

from literature_review.models import RunResult
from literature_review.pipeline.parts import RunOptions
from literature_review.pipeline.run import PipelineOrchestrator
from literature_review.pipeline.runlog import RunLog
from tests.review_samples import (
    PROTOCOL,
    ROOT,
    checkpoint_of,
    command,
    config_of,
    make_review,
    paper,
    report_of,
    tree,
)

pytestmark = pytest.mark.integration
FAST = {"default_max_attempts": 3, "default_backoff_base": 2, "default_backoff_max": 0.01}


def run(folder: Path, options: RunOptions | None = None, **settings: Any) -> tuple[RunResult, str]:
    """One run in this process: its result and what it said."""
    stream = io.StringIO()
    result = PipelineOrchestrator(config_of(folder, **settings), options, RunLog(stream)).run()
    return result, stream.getvalue()


def own_stage(folder: Path, code: str, monkeypatch: pytest.MonkeyPatch, **spec: Any) -> list[dict[str, Any]]:
    """Write a stage module under a name of its own; returns the `stages` setting that puts it in."""
    name = f"stage_of_{folder.name.replace('-', '_')}"
    (folder / f"{name}.py").write_text("from literature_review.models import StageResult\n" + code, encoding="utf-8")
    monkeypatch.syspath_prepend(str(folder))
    return [{"name": "own", "module": name, "title": "A stage of one's own", "per_paper": True, **spec}]


def test_running_again_redoes_nothing_and_says_so(tmp_path: Path) -> None:
    make_review(tmp_path, papers=4)
    first, _ = run(tmp_path)
    report = report_of(tmp_path)
    again, said = run(tmp_path)
    assert len(first.worked) == 4
    assert again.worked == ()
    assert len(again.reused) == 4
    assert "4 papers stand as they are: nothing to redo" in said
    assert report_of(tmp_path) == report


def test_one_paper_more_is_one_papers_work(tmp_path: Path) -> None:
    make_review(tmp_path, papers=3)
    run(tmp_path)
    (tmp_path / "papers" / "new.txt").write_text(paper(77), encoding="utf-8")
    result, _ = run(tmp_path)
    assert result.worked == ("new.txt",)


def test_what_changed_is_redone_and_named(tmp_path: Path) -> None:
    make_review(tmp_path, papers=3)
    run(tmp_path)
    (tmp_path / "papers" / "trial_002.txt").write_text(paper(55), encoding="utf-8")
    result, said = run(tmp_path)
    assert result.worked == ("trial_002.txt",)
    assert "content changed: done again: trial_002.txt" in said
    changed = json.loads(json.dumps(PROTOCOL).replace("blood glucose", "heart rate"))
    (tmp_path / "protocol.json").write_text(json.dumps(changed), encoding="utf-8")
    result, said = run(tmp_path)
    assert len(result.worked) == 3
    assert "protocol changed: done again" in said
    result, said = run(tmp_path, review={"covered_at": 0.9})
    assert len(result.worked) == 3
    assert "back end changed: done again" in said


@pytest.mark.parametrize("parallel", [False, True])
def test_a_stage_that_no_paper_comes_through_is_told_and_recorded_as_failed(
    parallel: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """And those behind it as skipped; where one paper comes through it is completed. A later run says the same."""
    make_review(tmp_path, papers=3)
    code = "def run(context):\n    if {}: raise ValueError('no good')\n    return StageResult()\n"
    stages = own_stage(tmp_path, code.format(True), monkeypatch, after="journal_reviewer")
    features = {"enable_parallel": parallel}
    for _ in range(2):
        result, said = run(tmp_path, stages=stages, v2_features=features)
        assert result.exit_code == 1
        assert "[ERROR] Stage failed: A stage of one's own: no paper came through it, of 3 papers" in said
        assert "Stage completed: A stage of one's own" not in said
        assert "Skipped: Stage 2: Claim Judgement: no paper came this far" in said
        entries = checkpoint_of(tmp_path)["stages"]
        assert [entries[name]["status"] for name in ("journal_reviewer", "own", "judge")] == [
            "completed", "failed", "skipped"
        ]  # fmt: skip
    (tmp_path / f"{stages[0]['module']}.py").write_text(
        "from literature_review.models import StageResult\n" + code.format("'trial_001' in context.paper.id")
    )
    monkeypatch.delitem(sys.modules, stages[0]["module"])
    result, said = run(tmp_path, stages=stages, v2_features=features)
    assert result.exit_code == 1
    assert "✅ Stage completed: A stage of one's own" in said


def test_a_stage_that_changes_the_current_folder_moves_no_output(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Relative paths are from the folder in which the run was started."""
    make_review(tmp_path, papers=2)
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    code = f"import os\ndef run(context):\n    os.chdir({str(elsewhere)!r})\n    return StageResult()\n"
    stages = own_stage(tmp_path, code, monkeypatch, after="judge")
    monkeypatch.chdir(tmp_path)
    config = {"papers": "papers", "protocol": "protocol.json", "output_dir": "out", "stages": stages}
    stream = io.StringIO()
    assert PipelineOrchestrator(config, log=RunLog(stream)).run().exit_code == 0
    assert Path.cwd() == elsewhere
    assert list(elsewhere.iterdir()) == []
    assert (tmp_path / "out" / "gap_analysis_report.html").exists()
    assert f"Report to read: {Path('out', 'gap_analysis_report.html')}\n" in stream.getvalue()


def test_force_reviews_everything_again(tmp_path: Path) -> None:
    make_review(tmp_path)
    run(tmp_path)
    result, said = run(tmp_path, RunOptions(force=True))
    assert len(result.worked) == 3
    assert "done again as asked" in said


def test_resume_from_judge_judges_again_and_reads_no_paper(tmp_path: Path) -> None:
    make_review(tmp_path)
    run(tmp_path)
    report = report_of(tmp_path)
    for path in (tmp_path / "papers").iterdir():
        path.chmod(0o644)
    result, said = run(tmp_path, RunOptions(resume_from="judge"))
    assert len(result.worked) == 3
    assert "Executing: literature_review.reviewers.judge" in said
    assert "Executing: literature_review.reviewers.journal_reviewer" not in said
    assert report_of(tmp_path) == report


def test_resume_from_the_gap_analysis_runs_it_alone(tmp_path: Path) -> None:
    make_review(tmp_path)
    run(tmp_path)
    report = report_of(tmp_path)
    result, said = run(tmp_path, RunOptions(resume_from="orchestrator"))
    assert result.worked == ()
    assert said.count("Executing:") == 1
    assert report_of(tmp_path) == report


@pytest.mark.parametrize("resume", [False, True])
@pytest.mark.parametrize("checkpoint", ["kept", "lost"])
def test_after_a_run_from_a_late_stage_the_checkpoint_still_knows_every_paper(
    resume: bool, checkpoint: str, tmp_path: Path
) -> None:
    """`--resume` beside it changes nothing, and a checkpoint that was lost is made again from the store."""
    make_review(tmp_path)
    first, _ = run(tmp_path)
    if checkpoint == "lost":
        (tmp_path / "checkpoint.json").unlink()
    result, said = run(tmp_path, RunOptions(resume=resume, resume_from="sync"))
    assert result.exit_code == 0
    assert ("Resuming run" in said) is (checkpoint == "kept")
    data = checkpoint_of(tmp_path)
    assert (data["run_id"] == first.run_id) is (checkpoint == "kept")
    assert data["stats"]["completed_papers"] == data["stats"]["total_papers"] == 3
    assert all(set(entry["stages"]) == {"journal_reviewer", "judge", "dra"} for entry in data["papers"].values())


def test_a_run_from_a_late_stage_over_papers_never_seen_can_be_resumed(tmp_path: Path) -> None:
    """They have not been assessed, which is told and exit code 1; --resume does all of them."""
    make_review(tmp_path)
    result, _ = run(tmp_path, RunOptions(resume_from="judge"))
    assert result.exit_code == 1
    assert checkpoint_of(tmp_path)["stats"] == {
        "total_papers": 3, "completed_papers": 0, "failed_papers": 0, "retries": 0,
    }  # fmt: skip
    result, said = run(tmp_path, RunOptions(resume=True))
    assert "Resuming run" in said
    assert (result.exit_code, result.papers["reviewed"]) == (0, 3)
    assert checkpoint_of(tmp_path)["stats"]["completed_papers"] == 3


def test_a_paper_that_cannot_be_read_fails_alone_and_is_remembered(tmp_path: Path) -> None:
    make_review(tmp_path)
    (tmp_path / "papers" / "empty.txt").write_bytes(b"")
    result, _ = run(tmp_path)
    assert (result.exit_code, result.status) == (1, "completed")
    assert set(result.failures) == {"empty.txt"}
    assert result.papers["reviewed"] == 3
    assert result.papers["unreadable"] == 1
    assert checkpoint_of(tmp_path)["papers"]["empty.txt"]["stage"] == "failed"
    again, _ = run(tmp_path)
    assert again.exit_code == 1
    assert again.worked == ()


@pytest.mark.parametrize(
    ("reason", "again"), [("missing", 1), ("not_permitted", 1), ("no_reader", 1), ("timed_out", 1), ("damaged", 0)]
)
def test_what_does_not_lie_in_the_bytes_of_a_paper_is_tried_again(
    reason: str, again: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A file that is put back, may be read now, or gets more time has the bytes that it had before."""
    make_review(tmp_path, papers=1)
    code = f"""from pathlib import Path
from literature_review.errors import UnreadablePaperError
def run(context):
    if not Path({str(tmp_path / "mended")!r}).exists():
        raise UnreadablePaperError({reason!r}, "Mend it.")
    return StageResult()
"""
    stages = own_stage(tmp_path, code, monkeypatch, name="journal_reviewer")
    assert run(tmp_path, stages=stages)[0].exit_code == 1
    (tmp_path / "mended").touch()
    result, _ = run(tmp_path, stages=stages)
    assert len(result.worked) == again
    assert result.exit_code == 1 - again


def test_a_transient_failure_is_tried_again_and_counted(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    make_review(tmp_path, papers=1)
    code = (
        "calls = []\ndef run(context):\n    calls.append(1)\n"
        "    if len(calls) < 3:\n        raise ConnectionError('reset')\n    return StageResult()\n"
    )
    result, said = run(tmp_path, stages=own_stage(tmp_path, code, monkeypatch, after="judge"), retry_policy=FAST)
    assert result.exit_code == 0, said
    assert result.retries == 2
    assert checkpoint_of(tmp_path)["papers"]["trial_001.txt"]["retries"] == 2
    assert checkpoint_of(tmp_path)["stages"]["own"]["attempts"] == 3


@pytest.mark.parametrize(
    ("policy", "calls"),
    [
        ({"enabled": False}, 1),
        ({**FAST, "default_max_attempts": 2}, 2),
        ({**FAST, "per_stage": {"own": {"max_attempts": 4, "backoff_base": 2, "backoff_max": 0.01}}}, 4),
    ],
)
def test_the_retry_policy_decides_how_often(
    policy: dict[str, Any], calls: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    make_review(tmp_path, papers=1)
    code = (
        f"def run(context):\n    with open({str(tmp_path / 'calls')!r}, 'a') as calls:\n        calls.write('x')\n"
        "    raise TimeoutError('slow')\n"
    )
    result, _ = run(tmp_path, stages=own_stage(tmp_path, code, monkeypatch), retry_policy=policy)
    assert result.exit_code == 1
    assert (tmp_path / "calls").read_text() == "x" * calls
    again, _ = run(
        tmp_path, RunOptions(resume=True), stages=own_stage(tmp_path, code, monkeypatch), retry_policy=policy
    )
    assert again.worked == ("trial_001.txt",)  # a transient failure is tried again


def test_a_permanent_error_of_a_stage_is_not_tried_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    make_review(tmp_path, papers=2)
    code = (
        "def run(context):\n    if context.paper.id.endswith('1.txt'):\n        raise KeyError('field')\n"
        "    return StageResult()\n"
    )
    result, said = run(tmp_path, stages=own_stage(tmp_path, code, monkeypatch), retry_policy=FAST)
    assert set(result.failures) == {"trial_001.txt"}
    assert result.retries == 0
    assert "Traceback" not in said


@pytest.mark.parametrize("per_paper", [True, False])
def test_a_stage_that_heeds_no_deadline_cannot_keep_the_run(
    per_paper: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    make_review(tmp_path, papers=1)
    code = "import threading\ndef run(context):\n    threading.Event().wait(600)\n"
    stages = own_stage(tmp_path, code, monkeypatch, per_paper=per_paper, after="judge")
    began = time.monotonic()
    result, said = run(tmp_path, stages=stages, stage_timeout=0.05, retry_policy={"enabled": False})
    assert time.monotonic() - began < 20
    assert result.exit_code == 1
    assert "timed out" in said


def test_a_stage_of_ones_own_is_one_entry(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    make_review(tmp_path, papers=2)
    code = (
        "def run(context):\n    assert 'sleep' in context.read(context.paper).text\n"
        "    return StageResult(status='completed')\n"
    )
    result, said = run(tmp_path, stages=own_stage(tmp_path, code, monkeypatch, after="journal_reviewer"))
    assert result.exit_code == 0, said
    assert list(checkpoint_of(tmp_path)["stages"]) == [
        "journal_reviewer", "own", "judge", "dra", "sync", "orchestrator",
    ]  # fmt: skip
    assert "own" in checkpoint_of(tmp_path)["papers"]["trial_001.txt"]["stages"]


def test_what_a_stage_returns_must_be_a_stage_result(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    make_review(tmp_path, papers=1)
    result, _ = run(tmp_path, stages=own_stage(tmp_path, "def run(context):\n    return {}\n", monkeypatch))
    assert "returned dict, not a StageResult" in result.failures["trial_001.txt"]


def test_duplicates_in_content_are_counted_once(tmp_path: Path) -> None:
    make_review(tmp_path, papers=2)
    (tmp_path / "papers" / "zz_copy.txt").write_text(paper(1), encoding="utf-8")
    result, said = run(tmp_path)
    assert result.papers["duplicate"] == 1
    assert "zz_copy.txt: the same file as trial_001.txt; counted once" in said


def test_odd_names_are_papers_like_any_other(tmp_path: Path) -> None:
    make_review(tmp_path, papers=0)
    names = [
        "with space.txt",
        "quo'te\".txt",
        "new\nline.txt",
        "größe.txt",
        "-dash.txt",
        "..dots.txt",
        "a/b.txt",
        "c/b.txt",
    ]
    for number, name in enumerate(names, 10):
        target = tmp_path / "papers" / name
        target.parent.mkdir(exist_ok=True)
        target.write_text(paper(number), encoding="utf-8")
    result, said = run(tmp_path)
    assert result.exit_code == 0, said
    assert result.papers["reviewed"] == len(names) - 1  # one begins with a dot: hidden
    assert "new\\nline.txt" in said or "\nline.txt" not in said


def test_a_link_out_of_the_folder_and_a_circle_harm_nobody(tmp_path: Path) -> None:
    make_review(tmp_path, papers=2)
    (tmp_path / "secret.txt").write_text(paper(99), encoding="utf-8")
    (tmp_path / "papers" / "out.txt").symlink_to(tmp_path / "secret.txt")
    (tmp_path / "papers" / "circle").symlink_to(tmp_path / "papers", target_is_directory=True)
    result, _ = run(tmp_path)
    assert result.papers["reviewed"] == 2
    assert set(result.failures) == {"out.txt"}


def test_a_second_run_on_the_same_checkpoint_is_told_of_the_first(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    make_review(tmp_path, papers=1, stages=own_stage(tmp_path, SLOW, monkeypatch, after="journal_reviewer"))
    first = start(tmp_path)
    wait_for(tmp_path / "started")
    second = command("--resume", cwd=tmp_path)
    first.kill()
    first.communicate()
    assert second.returncode == 2, "it could not begin, so nothing of it failed"
    assert second.stdout.count("[ERROR]") == 1
    assert "Papers:" not in second.stdout
    assert str(first.pid) in second.stdout + second.stderr
    assert "Traceback" not in second.stdout + second.stderr


SLOW = (
    "import os, time\ndef run(context):\n    open(os.path.join(os.getcwd(), 'started'),"
    " 'a').write(context.paper.id + '\\n')\n"
    "    if context.paper.id not in os.environ.get('FAST', ''):\n"
    "        for _ in range(6000):\n            context.deadline.check('slow')\n            time.sleep(0.01)\n"
    "    return StageResult()\n"
)


def start(folder: Path, *arguments: str, **environment: str) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, str(ROOT / "pipeline_orchestrator.py"), *arguments],
        cwd=folder,
        env={**os.environ, "PYTHONIOENCODING": "utf-8", **environment},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        encoding="utf-8",
    )


def wait_for(path: Path, lines: int = 1) -> None:
    until = time.monotonic() + 60
    while not path.exists() or len(path.read_text().splitlines()) < lines:
        assert time.monotonic() < until, f"{path} did not come"
        time.sleep(0.01)


def ended_within(process: subprocess.Popen[str], seconds: float) -> bool:
    try:
        process.wait(seconds)
    except subprocess.TimeoutExpired:
        return False
    return True


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
@pytest.mark.parametrize("arguments", [(), ("--enable-experimental",)])
def test_an_interrupt_ends_resumably_with_130(
    number: int, arguments: tuple[str, ...], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Papers under way have a grace of five seconds, which ends when whoever waits asks again."""
    make_review(tmp_path, papers=3, stages=own_stage(tmp_path, SLOW, monkeypatch, after="journal_reviewer"))
    process = start(tmp_path, *arguments, FAST="trial_001.txt")
    wait_for(tmp_path / "started", lines=2)
    process.send_signal(number)
    while not ended_within(process, 0.2):
        process.send_signal(number)
    output, errors = process.communicate(timeout=60)
    assert process.returncode == 130, output + errors
    assert "Traceback" not in output + errors
    assert "Failed: " not in output, "a paper that was told to stop has not failed"
    assert checkpoint_of(tmp_path)["status"] == "interrupted"
    (tmp_path / "started").unlink()
    run = command(
        "--resume", *arguments, cwd=tmp_path, environment={"FAST": "trial_001.txt trial_002.txt trial_003.txt"}
    )
    assert run.returncode == 0, run.stdout + run.stderr
    assert "Resuming run" in run.stdout
    assert "trial_001.txt" not in (tmp_path / "started").read_text()
    assert checkpoint_of(tmp_path)["stats"]["completed_papers"] == 3


def test_kill_9_then_resume_does_no_finished_paper_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    names = [f"trial_{number:03}.txt" for number in range(1, 5)]
    make_review(tmp_path / "calm", papers=4)
    make_review(tmp_path, papers=4, stages=own_stage(tmp_path, SLOW, monkeypatch, after="journal_reviewer"))
    for done in range(1, 4):
        process = start(tmp_path, "--resume", FAST=" ".join(names[:done]))
        wait_for(tmp_path / "started", lines=done + 1 if done == 1 else 2)
        process.kill()
        process.communicate()
        again = (tmp_path / "started").read_text().split()
        assert len(again) == len(set(again)), again
        (tmp_path / "started").write_text("")
    run = command("--resume", cwd=tmp_path, environment={"FAST": " ".join(names)})
    assert run.returncode == 0, run.stdout + run.stderr
    assert (tmp_path / "started").read_text().split() == [names[3]]
    command(cwd=tmp_path / "calm")
    assert report_of(tmp_path) == report_of(tmp_path / "calm")


def test_a_damaged_checkpoint_is_told_and_kept(tmp_path: Path) -> None:
    make_review(tmp_path)
    (tmp_path / "checkpoint.json").write_text('{"papers": {"a": ', encoding="utf-8")
    before = tree(tmp_path)
    for arguments in ((), ("--resume",), ("--dry-run",)):
        done = command(*arguments, cwd=tmp_path)
        assert done.returncode == 2, done.stdout
        assert "checkpoint.json" in done.stdout
        assert "Traceback" not in done.stdout + done.stderr
    after = tree(tmp_path)
    assert {name: after[name] for name in before} == before
