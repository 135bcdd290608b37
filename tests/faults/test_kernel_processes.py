"""Two processes and one checkpoint: one writes, and the other is told who does."""

from __future__ import annotations

import importlib.util
import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

from literature_review.pipeline import orchestrator_v2
from literature_review.pipeline.orchestrator_v2 import CheckpointError, CheckpointLockedError, CheckpointManagerV2

from .test_kernel_crash import UPDATES, python

pytestmark = pytest.mark.fault
ROOT = Path(__file__).resolve().parents[2]


HOLD = """
import sys
{before}
from literature_review.pipeline.orchestrator_v2 import *
checkpoint = CheckpointManagerV2(sys.argv[1])
checkpoint.update_paper_status("held", "in_progress")
{after}
print("ready", flush=True)
sys.stdin.read()
"""


def holder(file: Path, before: str = "", after: str = "") -> subprocess.Popen[str]:
    process = subprocess.Popen(
        [sys.executable, "-c", HOLD.format(before=before, after=after), str(file)],
        cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
    )  # fmt: skip
    assert process.stdout is not None
    line = process.stdout.readline().strip()
    assert line == "ready"
    return process


def test_a_second_process_that_writes_is_told_who_holds_it_and_may_read(tmp_path: Path) -> None:
    file = tmp_path / "c.json"
    process = holder(file)
    reader = CheckpointManagerV2(file)
    assert reader.load() is True
    assert reader.get_incomplete_papers() == ["held"]
    with pytest.raises(CheckpointLockedError, match=str(process.pid)) as caught:
        reader.update_paper_status("p", "completed")
    assert caught.value.pid == process.pid
    assert not isinstance(caught.value, OSError)
    assert reader.get_paper_status("p") is None
    with pytest.raises(CheckpointLockedError):
        CheckpointManagerV2(file).save()
    process.communicate("")
    assert os.listdir(tmp_path) == ["c.json"]
    reader.update_paper_status("p", "completed")
    reader.close()
    assert list(json.loads(file.read_text())["papers"]) == ["held", "p"]


def without_fcntl() -> ModuleType:
    """The kernel as it is imported where there is no fcntl."""
    spec = importlib.util.spec_from_file_location("kernel_without_fcntl", orchestrator_v2.__file__)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    with pytest.MonkeyPatch.context() as patch:
        patch.setitem(sys.modules, "fcntl", None)
        spec.loader.exec_module(module)
    return module


@pytest.mark.parametrize("locks", [True, False], ids=["flock", "without fcntl"])
def test_death_releases_the_lock(tmp_path: Path, locks: bool) -> None:
    kernel = orchestrator_v2 if locks else without_fcntl()
    file = tmp_path / "c.json"
    process = holder(file, "" if locks else "sys.modules['fcntl'] = None")
    checkpoint = kernel.CheckpointManagerV2(file)
    with pytest.raises(kernel.CheckpointLockedError, match=str(process.pid)):
        checkpoint.update_paper_status("p", "completed")
    process.kill()
    process.communicate()
    assert checkpoint.load()
    checkpoint.update_paper_status("p", "completed")
    checkpoint.close()
    assert os.listdir(tmp_path) == ["c.json"]


CHILD = """
import os, time
readable, writable = os.pipe()
if os.fork() == 0:
    try:
        checkpoint.update_paper_status("child", "completed")
        os.write(2, b"the child could write")
    except CheckpointError as error:
        os.write(1, f"{type(error).__name__}\\n".encode())
    os.write(1, f"{os.getpid()}\\n".encode())
    os.close(1)
    os.write(writable, b"done")
    time.sleep(60)
    os._exit(0)
os.read(readable, 4)
"""


def test_a_forked_child_cannot_write_and_holds_nothing_when_its_parent_is_dead(tmp_path: Path) -> None:
    file = tmp_path / "c.json"
    process = subprocess.Popen(
        [sys.executable, "-W", "ignore", "-c", HOLD.format(before="", after=CHILD), str(file)],
        cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
    )  # fmt: skip
    assert process.stdout is not None
    lines = {process.stdout.readline().strip() for _ in range(3)}
    child = next(int(line) for line in lines if line.isdigit())
    try:
        assert "CheckpointLockedError" in lines
        process.kill()
        process.wait()
        checkpoint = CheckpointManagerV2(file)
        assert checkpoint.load()
        checkpoint.update_paper_status("p", "completed")
        checkpoint.close()
        assert list(json.loads(file.read_text())["papers"]) == ["held", "p"]
    finally:
        os.kill(child, signal.SIGKILL)
        process.communicate()


def test_a_lock_that_was_removed_meanwhile_is_not_taken_for_one(tmp_path: Path) -> None:
    """Who waited at the file that the former holder then removed looks again, and locks the new one."""
    file = tmp_path / "c.json"
    opened: list[str] = []
    real = os.open

    def removed_under_us(path: Any, *arguments: Any, **options: Any) -> int:
        descriptor = real(path, *arguments, **options)
        if str(path).endswith(".lock"):
            opened.append(path)
            if len(opened) == 1:
                os.unlink(path)
        return descriptor

    checkpoint = CheckpointManagerV2(file)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(os, "open", removed_under_us)
        checkpoint.update_paper_status("p", "completed")
    assert len(opened) == 2
    script = "import sys; from literature_review.pipeline.orchestrator_v2 import CheckpointManagerV2 as C\n"
    other = python(script + "C(sys.argv[1]).save()", str(file))
    assert f"process {os.getpid()}" in other.communicate(timeout=60)[1]
    checkpoint.close()
    assert os.listdir(tmp_path) == ["c.json"]


def test_without_fcntl_a_lock_of_ones_own_or_of_nobody_is_stale(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    kernel = without_fcntl()
    monkeypatch.setattr(time, "sleep", lambda _: None)
    for content in (b"", str(os.getpid()).encode(), b"999999999"):
        (tmp_path / "c.json.lock").write_bytes(content)
        with kernel.CheckpointManagerV2(tmp_path / "c.json") as checkpoint:
            checkpoint.update_paper_status("p", "completed")


def test_a_normal_exit_leaves_only_the_json_file(tmp_path: Path) -> None:
    process = holder(tmp_path / "c.json")
    process.communicate("")
    assert process.returncode == 0
    assert os.listdir(tmp_path) == ["c.json"]


def test_reading_beside_a_busy_writer_always_sees_a_whole_state(tmp_path: Path) -> None:
    process = python(UPDATES, str(tmp_path / "c.json"), "x")
    assert process.stdout is not None
    try:
        process.stdout.readline()
        counts = []
        for _ in range(30):
            reader = CheckpointManagerV2(tmp_path / "c.json")
            assert reader.load() is True
            counts.append(sum(len(record["stages"]) for record in reader.data["papers"].values()))
        assert counts == sorted(counts)
        with pytest.raises(CheckpointError):
            reader.update_paper_status("p", "completed")
    finally:
        process.kill()
        process.communicate()
