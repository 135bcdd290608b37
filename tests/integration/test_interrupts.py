"""Ctrl-C, SIGTERM and a closed terminal at any moment: exit code 130, no traceback, and a word at once on what is
waited for."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from tests.review_samples import ROOT, checkpoint_of, make_review

pytestmark = [
    pytest.mark.integration,
    pytest.mark.skipif(os.name == "nt", reason="signals to a process are POSIX's"),
]
HANGUP = getattr(signal, "SIGHUP", signal.SIGTERM)
SIGNALS = pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, HANGUP])
WAITS = """
import pathlib, time
pathlib.Path({reached!r}).touch()
time.sleep(60)
"""
STAGE = """
import pathlib, time
def run(context):
    pathlib.Path({reached!r}).touch()
    time.sleep(60)
"""
LAST = """
import builtins, os, time
from literature_review.models import StageResult
class Last:
    def __del__(self, open=os.open, close=os.close, flags=os.O_CREAT, sleep=time.sleep):
        close(open({reached!r}, flags))
        sleep(0.3)
builtins.last = Last()  # the last thing that is taken down
def run(context):
    return StageResult(status="completed")
"""


INSTALLED = """
import sys
from pipeline_orchestrator import main
if __name__ == "__main__":
    sys.exit(main())
"""


def start(folder: Path, *arguments: str, program: str = "the script") -> subprocess.Popen[str]:
    installed = folder / "path" / "literature-review"  # as pip writes it
    if program == "installed":
        installed.write_text(INSTALLED, encoding="utf-8")
    how = {
        "the script": [str(ROOT / "pipeline_orchestrator.py")],
        "a stage": ["-m", "literature_review.reviewers.judge"],
        "a verb": ["-m", "literature_review", "answers", "size"],
        "installed": [str(installed)],
    }[program]
    return subprocess.Popen(
        [sys.executable, *how, *arguments],
        cwd=folder,
        env={**os.environ, "PYTHONIOENCODING": "utf-8", "PYTHONPATH": f"{folder / 'path'}{os.pathsep}{ROOT}"},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        encoding="utf-8",
    )


def write(path: Path, code: str) -> Path:
    """A module that touches a file when it is reached, and the file."""
    reached = path.with_suffix(".reached")
    path.parent.mkdir(exist_ok=True)
    path.write_text(code.format(reached=str(reached)), encoding="utf-8")
    return reached


def wait_for(path: Path) -> None:
    until = time.monotonic() + 60
    while not path.exists():
        assert time.monotonic() < until, f"{path} did not come"
        time.sleep(0.01)


@SIGNALS
@pytest.mark.parametrize("program", ["the script", "a stage", "a verb", "installed"])
def test_while_the_program_is_still_being_imported(number: int, program: str, tmp_path: Path) -> None:
    """Nothing is begun: it ends without a word, above all without a traceback."""
    make_review(tmp_path)
    reached = write(tmp_path / "path" / "argparse.py", WAITS)
    process = start(tmp_path, program=program)
    wait_for(reached)
    process.send_signal(number)
    said, _ = process.communicate(timeout=60)
    assert (process.returncode, said) == (130, "")


@SIGNALS
@pytest.mark.parametrize("options", [(), ("--dry-run",)])
def test_before_the_run_has_begun(number: int, options: tuple[str, ...], tmp_path: Path) -> None:
    """There is nothing to wait for: it ends at the first signal, and has written nothing."""
    make_review(tmp_path, stages=[{"name": "own", "module": "slow_to_import"}])
    reached = write(tmp_path / "slow_to_import.py", WAITS)
    process = start(tmp_path, *options)
    wait_for(reached)
    process.send_signal(number)
    said, _ = process.communicate(timeout=60)
    assert process.returncode == 130
    assert "Traceback" not in said
    assert said.splitlines()[-1].endswith("[WARNING] Interrupted; what was done is kept")
    assert not (tmp_path / "checkpoint.json").exists()


@SIGNALS
@pytest.mark.parametrize("options", [(), ("--enable-experimental",)])
def test_what_is_waited_for_is_told_at_once(number: int, options: tuple[str, ...], tmp_path: Path) -> None:
    """Before the grace is over, and in the log's form; a second signal ends the wait."""
    make_review(tmp_path, papers=1, stages=[{"name": "own", "module": "slow_stage", "after": "judge"}])
    reached = write(tmp_path / "slow_stage.py", STAGE)
    process = start(tmp_path, *options)
    wait_for(reached)
    process.send_signal(number)
    assert process.stdout is not None
    told = next(line for line in process.stdout if "Stopping" in line)
    assert process.poll() is None, "it was told at the end, not at once"
    assert "[WARNING] Stopping: nothing new is begun" in told
    assert "own of trial_001.txt" in told
    assert "second Ctrl-C" in told
    began = time.monotonic()
    while process.poll() is None and time.monotonic() - began < 60:
        process.send_signal(number)
        time.sleep(0.2)
    rest, _ = process.communicate(timeout=60)
    assert process.returncode == 130
    assert "Stopping" not in rest
    assert "Traceback" not in rest
    assert checkpoint_of(tmp_path)["status"] == "interrupted"


@SIGNALS
def test_at_the_very_end_a_signal_changes_no_exit_code(number: int, tmp_path: Path) -> None:
    """A second Ctrl-C often comes when all is done and Python tidies up."""
    make_review(tmp_path, papers=1, stages=[{"name": "own", "module": "last_words", "after": "judge"}])
    reached = write(tmp_path / "last_words.py", LAST)
    process = start(tmp_path)
    wait_for(reached)
    process.send_signal(number)
    said, _ = process.communicate(timeout=60)
    assert process.returncode == 0, said
    assert "Pipeline Complete" in said


def test_a_terminal_that_is_closed_ends_no_run_that_was_started_to_outlive_it(tmp_path: Path) -> None:
    """As with nohup: the signal is not heard when the program begins, and stays unheard."""
    make_review(tmp_path, papers=1, stages=[{"name": "own", "module": "short_stage", "after": "judge"}])
    reached = write(tmp_path / "short_stage.py", STAGE.replace("sleep(60)", "sleep(0.5)"))
    former = signal.signal(HANGUP, signal.SIG_IGN)
    try:
        process = start(tmp_path)
    finally:
        signal.signal(HANGUP, former)
    wait_for(reached)
    process.send_signal(HANGUP)
    said, _ = process.communicate(timeout=60)
    assert "Stopping" not in said
    assert checkpoint_of(tmp_path)["status"] == "completed"
