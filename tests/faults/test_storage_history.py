"""Processes that die and disks that fail while the version history is written."""

from __future__ import annotations

import errno
import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from literature_review.storage.version_history import HistoryFile
from tests.unit.test_storage_database import review

pytestmark = pytest.mark.fault

ROOT = Path(__file__).resolve().parents[2]
RECORD_FOR_EVER = """
import sys
from literature_review.storage.version_history import HistoryFile
from tests.unit.test_storage_database import review
number, history = int(sys.argv[2]), HistoryFile(sys.argv[1])
while number < int(sys.argv[3]):
    history.record([review(f"{number}.pdf", error="x" * 20_000)], "run", {})
    print(number, flush=True)
    number += 1
"""


def start(path: Path, first: int, end: int) -> subprocess.Popen[str]:
    command = [sys.executable, "-c", RECORD_FOR_EVER, str(path), str(first), str(end)]
    return subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True)


def test_every_acknowledged_version_survives_kill_9(tmp_path: Path) -> None:
    """Five rounds of a writer killed at an arbitrary moment: the file is whole each time."""
    path, acknowledged = tmp_path / "history.json", 0
    for round_number in range(5):
        writer = start(path, acknowledged, 10_000)
        assert writer.stdout is not None
        for _ in range(2 + 3 * round_number):
            acknowledged = int(writer.stdout.readline()) + 1
        writer.kill()
        told = writer.communicate(timeout=60)[0]
        for line in told.splitlines(keepends=True):
            acknowledged = int(line) + 1 if line.endswith("\n") else acknowledged
        papers = json.loads(path.read_bytes())["papers"]
        assert {f"{number}.pdf" for number in range(acknowledged)} <= set(papers)


def test_two_processes_that_record_at_once_lose_no_version(tmp_path: Path) -> None:
    path = tmp_path / "history.json"
    writers = [start(path, 0, 20), start(path, 100, 120)]
    for writer in writers:
        writer.communicate(timeout=60)
        assert writer.returncode == 0
    assert len(json.loads(path.read_bytes())["papers"]) == 40


@pytest.mark.parametrize("outdated", [False, True])
def test_a_failed_flush_is_told_and_loses_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, outdated: bool
) -> None:
    """The old history stays whole under its name; one of format 1 under the name it was set aside by."""
    path = tmp_path / "history.json"
    if outdated:
        path.write_text("{}")
    else:
        HistoryFile(path).record([review()], "run-1", {})
    before = path.read_bytes()

    def failing(descriptor: int) -> None:
        raise OSError(errno.EIO, os.strerror(errno.EIO))

    with monkeypatch.context() as patch:
        patch.setattr(os, "fsync", failing)
        with pytest.raises(OSError):
            HistoryFile(path).record([review("b.pdf")], "run-2", {})
    assert (tmp_path / "history.v1.json" if outdated else path).read_bytes() == before
    assert len(list(tmp_path.iterdir())) == 1
    assert HistoryFile(path).record([review("b.pdf")], "run-2", {}) == 1
