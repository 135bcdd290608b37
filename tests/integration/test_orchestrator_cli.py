"""The command as a user types it, in a process of its own."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from literature_review.config_shape import OUTPUTS
from literature_review.pipeline.orchestrator_v2 import CheckpointManagerV2
from tests.review_samples import ROOT, checkpoint_of, command, make_review, report_of, tree

pytestmark = pytest.mark.integration


def test_the_help_names_the_version_and_every_option(tmp_path: Path) -> None:
    run = command("--help", cwd=tmp_path)
    assert run.returncode == 0
    assert "v2.0" in run.stdout
    named = "config papers protocol output-dir checkpoint-file log-file resume resume-from dry-run force version"
    for option in [*named.split(), "enable-experimental", "max-workers"]:
        assert f"--{option}" in run.stdout


def test_a_review_from_papers_to_report(tmp_path: Path) -> None:
    make_review(tmp_path)
    run = command(cwd=tmp_path)
    assert run.returncode == 0, run.stdout + run.stderr
    assert "🎉 Pipeline Complete!" in run.stdout
    report = report_of(tmp_path)
    subs = {sub["id"]: sub for sub in report["questions"][0]["requirements"][0]["sub_requirements"]}
    assert subs["S1"]["status"] == "covered"
    assert subs["S2"]["status"] == "gap"
    assert any("Sleep duration was significantly shorter" in claim["quote"] for claim in subs["S1"]["claims"])
    written = {path.name for path in (tmp_path / "out").iterdir() if path.stat().st_size > 0}
    assert written == {*OUTPUTS, "review_version_history.json"} - {"answers.db"}
    checkpoint = checkpoint_of(tmp_path)
    assert checkpoint["status"] == "completed"
    assert checkpoint["dry_run"] is False
    assert checkpoint["papers_found"] == 3
    assert {name: entry["status"] for name, entry in checkpoint["stages"].items()} == {
        "journal_reviewer": "completed",
        "judge": "completed",
        "dra": checkpoint["stages"]["dra"]["status"],
        "sync": "completed",
        "orchestrator": "completed",
    }
    assert checkpoint["stats"]["completed_papers"] == 3
    assert {path.name for path in tmp_path.iterdir()} == {
        "papers", "protocol.json", "pipeline_config.json", "out", "checkpoint.json",
    }  # fmt: skip


def test_a_dry_run_says_what_the_guide_shows_and_changes_nothing_but_its_checkpoint(tmp_path: Path) -> None:
    make_review(tmp_path)
    before = tree(tmp_path)
    run = command("--dry-run", cwd=tmp_path)
    assert run.returncode == 0, run.stdout + run.stderr
    lines = run.stdout.splitlines()
    assert all(
        re.match(r"\[\d{4}-\d\d-\d\d \d\d:\d\d:\d\d\] \[(INFO|WARNING|SUCCESS|ERROR)\] ", line) for line in lines
    )
    said = [line.split("] ", 1)[1] for line in lines]
    assert said[:2] == ["[WARNING] DRY-RUN MODE ENABLED", "[INFO] No stages will be executed"]
    assert "[INFO] [DRY-RUN] Would execute: literature_review.reviewers.journal_reviewer" in said
    assert "[SUCCESS] ✅ Stage validated: Stage 1: Initial Paper Review" in said
    assert said[-1] == "[SUCCESS] 🎉 Pipeline Complete!"
    after = tree(tmp_path)
    checkpoint = json.loads(after.pop("checkpoint.json"))
    assert after == before
    assert checkpoint["dry_run"] is True
    assert checkpoint["status"] == "completed"


def test_a_dry_run_leaves_a_real_run_alone_and_is_never_taken_for_one(tmp_path: Path) -> None:
    make_review(tmp_path)
    command("--dry-run", cwd=tmp_path)
    run = command("--resume", cwd=tmp_path)
    assert run.returncode == 0
    assert "Nothing to resume: the checkpoint is that of a dry run" in run.stdout
    assert checkpoint_of(tmp_path)["stats"]["completed_papers"] == 3
    assert not (tmp_path / "checkpoint.previous.json").exists(), "a dry run is set aside as if it had been a run"
    before = tree(tmp_path)
    again = command("--dry-run", cwd=tmp_path)
    assert "it is left alone" in again.stdout
    after = tree(tmp_path)
    assert json.loads(after.pop("checkpoint.dry-run.json"))["dry_run"] is True
    assert after == before


def test_a_dry_run_leaves_a_run_alone_of_which_only_the_journal_is_there(tmp_path: Path) -> None:
    """A run that was killed before its first fold: what it acknowledged is in the journal, and --resume finds it."""
    make_review(tmp_path)
    code = (
        "import os, sys; from literature_review.pipeline.orchestrator_v2 import CheckpointManagerV2;"
        "c = CheckpointManagerV2(sys.argv[1]); c.update_paper_status('a.pdf', 'completed');"
        "[os.unlink(sys.argv[1]) for _ in '1' if os.path.exists(sys.argv[1])]; os._exit(9)"
    )
    path = str(tmp_path / "checkpoint.json")
    subprocess.run([sys.executable, "-c", code, path], env={**os.environ, "PYTHONPATH": str(ROOT)}, check=False)
    if not CheckpointManagerV2(path).load():
        pytest.skip("this kernel keeps no journal without its file")
    run = command("--dry-run", cwd=tmp_path)
    assert run.returncode == 0, run.stdout + run.stderr
    assert "it is left alone" in run.stdout
    assert (tmp_path / "checkpoint.dry-run.json").exists()
    manager = CheckpointManagerV2(path)
    assert manager.load()
    assert manager.data["papers"]["a.pdf"]["stage"] == "completed"


def test_a_dry_runs_checkpoint_has_one_paper_a_line_and_loads(tmp_path: Path) -> None:
    make_review(tmp_path)
    assert command("--dry-run", cwd=tmp_path).returncode == 0
    lines = (tmp_path / "checkpoint.json").read_text(encoding="utf-8").splitlines()
    assert sum('"not_started"' in line and '.txt"' in line for line in lines) == 3
    manager = CheckpointManagerV2(str(tmp_path / "checkpoint.json"))
    assert manager.load()
    assert len(manager.get_incomplete_papers()) == 3
    assert {path.name for path in tmp_path.iterdir()} == {
        "papers", "protocol.json", "pipeline_config.json", "checkpoint.json",
    }  # fmt: skip


@pytest.mark.parametrize("option", ["--dry-run", "--force"])
def test_the_log_file_gets_debug_detail(option: str, tmp_path: Path) -> None:
    """Everything that is shown, and beyond it versions, settings and each paper, every line in the log's form."""
    make_review(tmp_path)
    run = command("--log-file", "debug.log", option, cwd=tmp_path)
    assert run.returncode == 0
    lines = (tmp_path / "debug.log").read_text(encoding="utf-8").splitlines()
    assert [line for line in lines if "] [DEBUG] " not in line] == run.stdout.splitlines()
    assert all(re.match(r"\[\d{4}-\d\d-\d\d \d\d:\d\d:\d\d\] \[[A-Z]+\] ", line) for line in lines)
    detail = [line for line in lines if "] [DEBUG] " in line]
    for told in ("2.0.0, Python 3.", '"stage_timeout": 7200', "trial_001.txt"):
        assert any(told in line for line in detail), told
    assert "DEBUG" not in run.stdout


def test_the_log_file_gets_the_traceback_of_a_stage_in_the_logs_form(tmp_path: Path) -> None:
    (tmp_path / "raising.py").write_text("def run(context):\n    raise ValueError('first\\nsecond')\n")
    make_review(tmp_path, stages=[{"name": "own", "module": "raising", "after": "judge"}])
    assert command("--log-file", "debug.log", cwd=tmp_path).returncode == 1
    lines = (tmp_path / "debug.log").read_text(encoding="utf-8").splitlines()
    assert any(line.endswith("[DEBUG] Traceback (most recent call last):") for line in lines)
    assert any("raising.py" in line for line in lines)
    assert all(re.match(r"\[\d{4}-\d\d-\d\d \d\d:\d\d:\d\d\] \[[A-Z]+\] ", line) for line in lines)


def test_the_folder_of_the_log_file_is_made_as_those_of_other_outputs_are(tmp_path: Path) -> None:
    make_review(tmp_path)
    assert command("--dry-run", "--log-file", "logs/today/run.log", cwd=tmp_path).returncode == 0
    assert "DRY-RUN MODE ENABLED" in (tmp_path / "logs" / "today" / "run.log").read_text(encoding="utf-8")


def test_a_corpus_stage_that_says_it_failed_is_named(tmp_path: Path) -> None:
    code = "from literature_review.models import StageResult\n"
    (tmp_path / "saying_no.py").write_text(f"{code}def run(context):\n    return StageResult('failed', reason='no')\n")
    make_review(tmp_path, stages=[{"name": "own", "module": "saying_no", "per_paper": False, "after": "sync"}])
    run = command(cwd=tmp_path)
    assert run.returncode == 1
    assert "[ERROR] the stage own (saying_no) failed: no\n" in run.stdout


def test_max_workers_without_concurrency_is_said_to_change_nothing(tmp_path: Path) -> None:
    make_review(tmp_path)
    assert "[WARNING] --max-workers changes nothing" in command("--max-workers", "2", "--dry-run", cwd=tmp_path).stdout
    both = command("--max-workers", "2", "--enable-experimental", "--dry-run", cwd=tmp_path)
    assert "changes nothing" not in both.stdout


@pytest.mark.skipif(os.name == "nt", reason="Windows keeps a folder that is in use")
@pytest.mark.parametrize("options", ["", "--dry-run", "--log-file run.log"])
def test_a_current_folder_that_was_deleted_is_told(options: str, tmp_path: Path) -> None:
    gone = tmp_path / "gone"
    gone.mkdir()
    script = f"rmdir {gone}; exec {sys.executable} {ROOT / 'pipeline_orchestrator.py'} {options}"
    run = subprocess.run(["sh", "-c", script], cwd=gone, capture_output=True, text=True, timeout=60, check=False)
    assert run.returncode == 2
    assert "[ERROR] the current folder is not there any more" in run.stdout
    assert "unexpected" not in run.stdout + run.stderr


def test_experimental_is_said_to_be_so_and_gives_the_same_report(tmp_path: Path) -> None:
    for name in ("one", "many"):
        make_review(tmp_path / name, papers=6)
    command(cwd=tmp_path / "one")
    run = command("--enable-experimental", "--max-workers", "3", cwd=tmp_path / "many")
    assert run.returncode == 0, run.stdout + run.stderr
    assert re.search(r"\[WARNING\] Experimental", run.stdout)
    assert report_of(tmp_path / "one") == report_of(tmp_path / "many")


@pytest.mark.parametrize("arguments", [(), ("--config", "pipeline_config.json"), ("--resume",)])
def test_commands_of_version_1_work_unchanged(arguments: tuple[str, ...], tmp_path: Path) -> None:
    make_review(tmp_path)
    run = command(*arguments, cwd=tmp_path)
    assert run.returncode == 0, run.stdout + run.stderr


def test_a_checkpoint_of_version_1_is_kept_and_a_new_run_begins(tmp_path: Path) -> None:
    make_review(tmp_path)
    old = '{"stages": {"journal_reviewer": {"status": "completed"}}, "run_id": "old"}'
    (tmp_path / "checkpoint.json").write_text(old, encoding="utf-8")
    run = command("--resume", cwd=tmp_path)
    assert run.returncode == 0, run.stdout + run.stderr
    assert (tmp_path / "checkpoint.v1.json").read_text(encoding="utf-8") == old
    assert checkpoint_of(tmp_path)["stats"]["completed_papers"] == 3


@pytest.mark.parametrize("module", ["reviewers.journal_reviewer", "reviewers.judge", "synthesis.gap_analysis"])
def test_a_stage_runs_alone(module: str, tmp_path: Path) -> None:
    make_review(tmp_path)
    assert command(cwd=tmp_path).returncode == 0
    run = subprocess.run(
        [sys.executable, "-m", f"literature_review.{module}"],
        cwd=tmp_path,
        env={"PYTHONPATH": str(ROOT), "PATH": ""},
        capture_output=True,
        text=True,
        check=False,
    )
    assert run.returncode == 0, run.stdout + run.stderr
    assert f"Executing: literature_review.{module}" in run.stdout
    assert run.stdout.count("Executing:") == 1


def test_a_stage_alone_is_begun_at_no_other_stage(tmp_path: Path) -> None:
    """An option that would change nothing is refused, and --resume-from says where a whole run begins."""
    run = subprocess.run(
        [sys.executable, "-m", "literature_review.reviewers.judge", "--resume-from", "sync"],
        cwd=tmp_path,
        env={"PYTHONPATH": str(ROOT), "PATH": ""},
        capture_output=True,
        text=True,
        check=False,
    )
    assert run.returncode == 2
    assert "--resume-from does not go with judge alone" in run.stderr


def test_a_dry_run_says_where_there_is_nothing_to_begin_behind(tmp_path: Path) -> None:
    """The run would fail every paper: they have no results of the stages that it does not run."""
    make_review(tmp_path)
    dry = command("--dry-run", "--resume-from", "judge", cwd=tmp_path)
    assert dry.returncode == 0
    assert "[WARNING] judge works on what the stages before it found, and nothing is in" in dry.stdout
    assert "nothing is in" not in command("--dry-run", "--resume-from", "journal_reviewer", cwd=tmp_path).stdout
    assert command(cwd=tmp_path).returncode == 0
    assert "nothing is in" not in command("--dry-run", "--resume-from", "judge", cwd=tmp_path).stdout


BAD: list[tuple[str, str, tuple[str, ...], tuple[str, ...]]] = [
    ("no such configuration", "", ("--config", "nowhere.json"), ("nowhere.json",)),
    ("not JSON", '{"papers": "papers",,}', (), ("line 1", "column 21")),
    ("a wrong type", '{"stage_timeout": "soon"}', (), ("stage_timeout",)),
    ("an unknown key", '{"retry_polcy": {}}', (), ("retry_polcy", "retry_policy")),
    ("NaN", '{"stage_timeout": NaN}', (), ("stage_timeout", "no JSON number")),
    ("no such stage", "", ("--resume-from", "jugde"), ("jugde", "judge", "orchestrator")),
    ("no such folder", "", ("--papers", "nowhere"), ("nowhere", "--papers")),
    ("papers is a file", "", ("--papers", "protocol.json"), ("not a folder",)),
    ("no such protocol", "", ("--protocol", "nowhere.json"), ("nowhere.json",)),
    ("an unknown option", "", ("--papres", "x"), ("--papres",)),
    ("force and resume", "", ("--force", "--resume"), ("--force",)),
    ("no workers", "", ("--max-workers", "0"), ("--max-workers",)),
    ("output below a file", "", ("--output-dir", "protocol.json/out"), ("output_dir",)),
    ("checkpoint in a folder that cannot be", "", ("--checkpoint-file", "a" * 300 + "/c.json"), ("checkpoint_file",)),
    ("a checkpoint of too long a name", "", ("--checkpoint-file", "a" * 250 + ".json"), ("checkpoint_file", "long")),
    ("log file below a file", "", ("--log-file", "protocol.json/x.log"), ("protocol.json/x.log",)),
]


@pytest.mark.parametrize(("config", "arguments", "said"), [row[1:] for row in BAD], ids=[row[0] for row in BAD])
def test_wrong_usage_is_one_clear_line_and_exit_code_2(
    config: str, arguments: tuple[str, ...], said: tuple[str, ...], tmp_path: Path
) -> None:
    make_review(tmp_path)
    if config:
        (tmp_path / "pipeline_config.json").write_text(config, encoding="utf-8")
    before = tree(tmp_path)
    run = command(*arguments, cwd=tmp_path)
    output = run.stdout + run.stderr
    assert run.returncode == 2, output
    assert "Traceback" not in output
    for word in said:
        assert word in output
    assert tree(tmp_path) == before
    assert command(*arguments, "--dry-run", cwd=tmp_path).returncode == 2


@pytest.mark.parametrize(
    ("code", "said"),
    [
        (None, "there is no module 'my_stage'"),
        ("import nowhere_at_all", "needs the module 'nowhere_at_all'"),
        ("raise RuntimeError('boom')", "fails to import (RuntimeError: boom)"),
        ("def run(:", "SyntaxError"),
        ("runs = 1", "has no function run(context)"),
    ],
)
def test_a_stage_module_that_cannot_be_used_is_told_before_anything_runs(
    code: str | None, said: str, tmp_path: Path
) -> None:
    make_review(tmp_path, stages=[{"name": "mine", "module": "my_stage", "title": "Mine", "per_paper": True}])
    if code is not None:
        (tmp_path / "my_stage.py").write_text(code, encoding="utf-8")
    for arguments in ((), ("--dry-run",)):
        run = command(*arguments, cwd=tmp_path)
        assert run.returncode == 2
        assert said in run.stdout
        assert "Traceback" not in run.stdout + run.stderr


def test_no_papers_is_a_warning_in_a_dry_run_and_an_error_in_a_real_one(tmp_path: Path) -> None:
    make_review(tmp_path, papers=0)
    dry, real = command("--dry-run", cwd=tmp_path), command(cwd=tmp_path)
    assert (dry.returncode, real.returncode) == (0, 2)
    assert "no papers in" in dry.stdout
    assert "put PDF, text or Markdown files there" in real.stdout


def test_without_a_configuration_the_defaults_are_told_apart_from_wrong_names(tmp_path: Path) -> None:
    dry, real = command("--dry-run", cwd=tmp_path), command(cwd=tmp_path)
    assert (dry.returncode, real.returncode) == (0, 2)
    assert "there is no folder 'papers'" in dry.stdout
    assert "protocol: there is no file 'protocol.json'; write it, or name another with --protocol" in real.stdout
    assert "--papers" in real.stdout


def test_the_configuration_of_the_repository_validates() -> None:
    run = command("--dry-run", "--checkpoint-file", "/dev/null/x", cwd=ROOT)
    assert run.returncode == 2  # but for the checkpoint, which has no place there
    assert "checkpoint_file" in run.stdout
