"""What the kernel is given that it did not ask for: files of every released format, odd paths, texts and results."""

from __future__ import annotations

import base64
import json
import math
import os
import shutil
import subprocess
import sys
import threading
import time
import zlib
from pathlib import Path
from typing import Any

import pytest

from literature_review.pipeline.orchestrator_v2 import (
    CheckpointDamagedError,
    CheckpointManagerV2,
    ErrorClassifier,
    ParallelPipelineCoordinator,
)

from .kernel_tasks import echo

pytestmark = pytest.mark.fault
ROOT = Path(__file__).resolve().parents[2]

# Every released format

FORMAT_1 = """{
  "run_id": "2025-10-01T08:00:00_0a1b2c", "version": "1.0.0", "status": "failed",
  "stages": {"journal_reviewer": {"status": "completed"}, "judge": {"status": "failed", "error": "timeout"}}
}
"""
FORMAT_2_0_0 = """{
  "run_id": "2025-11-14T03:16:29_b67994",
  "version": "2.0.0",
  "created_at": "2025-11-14T03:16:29",
  "last_updated": "2025-11-14T03:16:29",
  "papers": {
    "paper_0001.pdf": {"stage": "in_progress", "stages": {"journal_reviewer": "2025-11-14T03:16:29"}, \
"retries": 0, "started_at": "2025-11-14T03:16:29"}
  },
  "stats": {"total_papers": 1, "completed_papers": 0, "failed_papers": 0, "retries": 0},
  "status": "running"
}
"""
JOURNAL_2_0_0 = zlib.decompress(base64.b85decode(  # of the run above, with what was acknowledged after its last fold
    b"c-s5!>}Ax&z`!8g-N<$!<ZY9Yfsv`Mp`os!Nr-{5m7$rHktJ8PQc-DMd}fN0m4Xr$`S>I=b4yDTB^?E&vecsD%=|pCLOlaL1CUs9"
    b"QEFmIYD#=!2@d@rMa3nFC8fn61wgCvGV{`vYQMSqxqJt@?k&)Dmo+M;R3A5=ji%e&%GiKQsUWc+wJ6@ez`#(iASDfGMm5N|^i+^("
    b"$@#ejIjKPFp_Zhl7K0UJ<(C%aCFaBzrIux;mZuisaavYs3dAfdmMhf)6%?hG6lH?VHGo)BM9{l%XJJ<cF&Y*CyMY1V=zpqo>x30{"
    b"SOcKAG)cc8rqsY7)dUz4F{MC77MMYimYA7?9uAn!&q*vUiBBym$_EFDM@UG3f~kQqNEcWTq%68xDL1va7-}rC5<H%Xg?lFo=$)7A"
    b"TQVPAO`U;1K8-Lvk(XZ*4-H{_J~4#bwi9SuuHKQ^Uj={GVzZ5|X*)Bo1Q?2?1z6G}G?7&!sfI>aZ7tX{0BUIsTm"
))  # fmt: skip


def test_a_file_of_format_1_is_kept_and_told(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    (tmp_path / "c.json").write_text(FORMAT_1)
    with CheckpointManagerV2(tmp_path / "c.json") as checkpoint:
        assert checkpoint.load() is False
        checkpoint.update_paper_status("p", "completed")
    assert "judge failed" in caplog.text
    assert (tmp_path / "c.v1.json").read_text() == FORMAT_1
    assert list(json.loads((tmp_path / "c.json").read_text())["papers"]) == ["p"]


def test_a_file_of_format_2_0_0_loads_as_it_was_written(tmp_path: Path) -> None:
    (tmp_path / "c.json").write_text(FORMAT_2_0_0)
    checkpoint = CheckpointManagerV2(tmp_path / "c.json")
    assert checkpoint.load() is True
    assert checkpoint.data == json.loads(FORMAT_2_0_0)


@pytest.mark.parametrize("beside", [True, False], ids=["beside its file", "alone"])
def test_a_journal_of_format_2_0_0_loads_whole(tmp_path: Path, beside: bool) -> None:
    """A run that was killed under an earlier release of this format is resumed by a later one."""
    if beside:
        (tmp_path / "c.json").write_text(FORMAT_2_0_0)
    (tmp_path / "c.json.journal-2").write_bytes(JOURNAL_2_0_0 + bytes(4_096))
    with CheckpointManagerV2(tmp_path / "c.json") as checkpoint:
        assert checkpoint.load() is True
        data = checkpoint.data
        assert data["run_id"] == "2025-11-14T03:16:29_b67994"
        assert data["last_updated"] == "2025-11-14T03:17:30"
        assert data["papers"] == {
            "paper_0001.pdf": {
                "stage": "completed",
                "stages": {"journal_reviewer": "2025-11-14T03:16:29", "judge": "2025-11-14T03:17:30"}, "retries": 0,
                "started_at": "2025-11-14T03:16:29", "completed_at": "2025-11-14T03:17:30",
            },
            "sub/päper\u2028.pdf": {
                "stage": "failed", "stages": {}, "retries": 0, "last_error": "HTTP 503",
                "errors": [{"message": "HTTP 503", "at": "2025-11-14T03:17:30"}],
            },
            "paper_0002.pdf": {"stage": "not_started", "stages": {}, "retries": 1},
        }  # fmt: skip
        assert (data["status"], data["stages"]) == ("interrupted", {"judge": {"status": "failed"}})
        checkpoint.update_paper_status("paper_0002.pdf", "completed")
    assert [path.name for path in tmp_path.iterdir()] == ["c.json"]


# Paths


def test_a_path_that_is_a_folder_is_an_oserror_and_the_folder_stays(tmp_path: Path) -> None:
    (tmp_path / "c.json").mkdir()
    (tmp_path / "c.json" / "kept").write_text("x")
    checkpoint = CheckpointManagerV2(tmp_path / "c.json")
    with pytest.raises(OSError, match="directory"):
        checkpoint.load()
    with pytest.raises(OSError, match="directory"):
        checkpoint.update_paper_status("p", "completed")
    assert (tmp_path / "c.json" / "kept").read_text() == "x"
    assert [path.name for path in tmp_path.iterdir()] == ["c.json"]


def test_a_path_below_a_file_is_an_oserror(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("x")
    checkpoint = CheckpointManagerV2(tmp_path / "file" / "c.json")
    with pytest.raises(OSError, match="file"):
        checkpoint.update_paper_status("p", "completed")
    assert (tmp_path / "file").read_text() == "x"


def test_a_link_that_leads_nowhere_yet_is_written_through_and_a_ring_of_links_is_an_oserror(tmp_path: Path) -> None:
    (tmp_path / "link.json").symlink_to(tmp_path / "target" / "c.json")
    with CheckpointManagerV2(tmp_path / "link.json") as checkpoint:
        assert checkpoint.load() is False
        checkpoint.update_paper_status("p", "completed")
    assert list(json.loads((tmp_path / "target" / "c.json").read_text())["papers"]) == ["p"]
    (tmp_path / "ring").symlink_to(tmp_path / "ring")
    ring = CheckpointManagerV2(tmp_path / "ring")
    with pytest.raises(OSError, match="ring"):
        ring.load()


READ_ONLY = """
import os, subprocess, sys
from literature_review.pipeline.orchestrator_v2 import CheckpointManagerV2
path = sys.argv[1]
with CheckpointManagerV2(path) as checkpoint:
    checkpoint.update_paper_status("a", "in_progress")
subprocess.run(["mount", "-o", "remount,ro", os.path.dirname(path)], check=True)
checkpoint = CheckpointManagerV2(path)
assert checkpoint.load() and checkpoint.get_incomplete_papers() == ["a"]
try:
    checkpoint.update_paper_status("b", "completed")
except OSError as error:
    assert error.errno == 30, error
else:
    raise SystemExit("written on a read-only disk")
checkpoint.close()
assert checkpoint.get_paper_status("b") is None or not CheckpointManagerV2(path).get_paper_status("b")
"""


def test_on_a_read_only_disk_a_run_can_be_read_and_an_update_is_an_oserror(tmp_path: Path) -> None:
    if shutil.which("unshare") is None:
        pytest.skip("unshare is not installed")
    script = f'mount -t tmpfs tmpfs {tmp_path} || exit 99; exec {sys.executable} -c "$0" {tmp_path}/c.json'
    done = subprocess.run(
        ["unshare", "--mount", "sh", "-c", script, READ_ONLY], cwd=ROOT, capture_output=True, text=True, timeout=60
    )
    if done.returncode == 99 or "unshare" in done.stderr:
        pytest.skip(f"a file system may not be mounted here: {done.stderr.strip()}")
    assert done.returncode == 0, done.stderr


def test_the_json_of_another_program_is_named_and_never_overwritten(tmp_path: Path) -> None:
    foreign = json.dumps({"name": "another-program", "dependencies": {}})
    (tmp_path / "package.json").write_text(foreign)
    checkpoint = CheckpointManagerV2(tmp_path / "package.json")
    with pytest.raises(CheckpointDamagedError, match=r"package\.json"):
        checkpoint.load()
    with CheckpointManagerV2(tmp_path / "package.json") as heedless:
        heedless.update_paper_status("p", "completed")
    assert foreign in [path.read_text() for path in tmp_path.iterdir()]


# Texts, results, clocks, numbers


def test_an_error_text_of_ten_megabytes_is_judged_kept_short_and_harms_nobody(tmp_path: Path) -> None:
    text = "Figure 429 could not be parsed; " * 320_000

    def fails(paper: str) -> dict[str, Any]:
        raise RuntimeError(text)

    began = time.monotonic()
    with CheckpointManagerV2(tmp_path / "c.json") as checkpoint:
        coordinator = ParallelPipelineCoordinator(2, checkpoint_manager=checkpoint)
        results = coordinator.process_papers_parallel(["a", "b"], fails)
        assert [result["error_type"] for result in results] == ["unknown", "unknown"]
    assert ErrorClassifier.should_retry(text) is False
    assert (tmp_path / "c.json").stat().st_size < 100_000
    assert time.monotonic() - began < 20


@pytest.mark.parametrize("use_threads", [True, False], ids=["threads", "processes"])
def test_odd_papers_and_results_come_back_as_they_are(tmp_path: Path, use_threads: bool) -> None:
    papers: list[Any] = [
        "", "x" * 10_000, "two\nlines", "nul\0", "half \ud800 a pair", "a\u2028b", "../up/a.pdf", 1, 1.5,
        ("a", 1), None,
    ]  # fmt: skip
    with CheckpointManagerV2(tmp_path / "c.json") as checkpoint:
        coordinator = ParallelPipelineCoordinator(2, checkpoint_manager=checkpoint)
        results = coordinator.process_papers_parallel(papers, echo, use_threads=use_threads)
        assert [result["echo"] for result in results] == papers
        assert all(math.isnan(result["nan"]) and result["huge"] == 10**5_000 for result in results)
        before = checkpoint.data["papers"]
    again = CheckpointManagerV2(tmp_path / "c.json")
    assert again.load()
    assert again.data["papers"] == before
    assert len(before) == len(papers)
    assert again.data["stats"]["completed_papers"] == len(papers)


def test_a_wall_clock_that_is_set_back_or_is_far_off_harms_nothing(tmp_path: Path) -> None:
    times = iter([2e9, 1e9, 0.0, 4e9, 1.7e9] * 100)
    with CheckpointManagerV2(tmp_path / "c.json", wall_clock=lambda: next(times)) as checkpoint:
        for number in range(20):
            checkpoint.update_paper_status(f"p{number}", "completed", ["a"])
            if number % 5 == 0:
                checkpoint.save()
        before = checkpoint.data["papers"]
    again = CheckpointManagerV2(tmp_path / "c.json")
    assert again.load()
    assert again.data["papers"] == before


def test_updates_of_64_threads_are_all_there_and_none_waits_for_ever(tmp_path: Path) -> None:
    def work(number: int) -> None:
        for step in range(10):
            checkpoint.update_paper_status(f"{number}-{step}", "completed")
            checkpoint.increment_retries("shared")

    with CheckpointManagerV2(tmp_path / "c.json", fold_after=0.01) as checkpoint:
        threads = [threading.Thread(target=work, args=(number,)) for number in range(64)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(60)
            assert not thread.is_alive()
        beside = CheckpointManagerV2(tmp_path / "c.json")
        assert beside.load()
        assert beside.data["papers"] == checkpoint.data["papers"]
    stats = json.loads((tmp_path / "c.json").read_text())["stats"]
    assert (stats["total_papers"], stats["completed_papers"], stats["retries"]) == (641, 640, 640)


@pytest.mark.usefixtures("unfolded")
def test_a_journal_of_200_megabytes_loads(in_memory: Path, long: bool) -> None:
    """In the suite of 4: a run that could not fold for hours (`--long` for the rest)."""
    file = in_memory / "c.json"
    checkpoint = CheckpointManagerV2(file)
    error = "x" * 1_900
    for number in range(50_000 if long else 1_000):
        checkpoint.note_paper_status(f"p{number % 500}", "failed", error=error)
        if number % 5 == 0:
            checkpoint.flush()
    checkpoint.flush()
    size = sum(path.stat().st_size for path in in_memory.glob("c.json.journal-*"))
    assert size > (2e8 if long else 1e6)
    beside = CheckpointManagerV2(file)
    assert beside.load()
    assert beside.data["papers"] == checkpoint.data["papers"]
    checkpoint.close()
    assert os.listdir(in_memory) == ["c.json"]
