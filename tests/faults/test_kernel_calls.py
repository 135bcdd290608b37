"""Every call to the system in turn fails: once, for good, in the process and under strace; the disk is really full."""

from __future__ import annotations

import errno
import json
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from literature_review.pipeline.orchestrator_v2 import (
    CheckpointError,
    CheckpointManagerV2,
    ParallelPipelineCoordinator,
)

from .kernel_store import FailingStore

pytestmark = pytest.mark.fault
ROOT = Path(__file__).resolve().parents[2]
unfolded = pytest.mark.usefixtures("unfolded")


def papers_in(file: Path) -> set[str]:
    checkpoint = CheckpointManagerV2(file)
    return set(checkpoint.data["papers"]) if checkpoint.load() else set()


def updates(file: Path) -> tuple[CheckpointManagerV2, list[str], list[OSError]]:
    """Updates, a fold and a close over an existing run; what was acknowledged, and what was raised."""
    checkpoint = CheckpointManagerV2(file)
    acknowledged: list[str] = []
    errors: list[OSError] = []

    def update(paper: str) -> None:
        checkpoint.update_paper_status(paper, "completed", ["a"])
        acknowledged.append(paper)

    for act in (checkpoint.load, lambda: update("a"), lambda: update("b"), checkpoint.save, lambda: update("c")):
        try:
            act()
        except OSError as error:
            errors.append(error)
            if act == checkpoint.load:
                break  # who cannot load would begin a new run
    return checkpoint, acknowledged, errors


def crashed_run(file: Path) -> None:
    """A file with one paper, and a journal with another, as kill -9 leaves them."""
    with CheckpointManagerV2(file) as checkpoint:
        checkpoint.update_paper_status("folded", "completed")
        checkpoint.save()
        checkpoint.update_paper_status("old", "in_progress")
        left = {path: path.read_bytes() for path in file.parent.iterdir() if path.suffix != ".lock"}
    for path, content in left.items():
        path.write_bytes(content)


@unfolded
@pytest.mark.parametrize(("for_good", "code"), [(False, errno.EIO), (True, errno.ENOSPC)], ids=["once", "for good"])
def test_whichever_call_fails_nothing_acknowledged_is_lost_and_the_next_success_has_all(
    in_memory: Path, for_good: bool, code: int
) -> None:
    number = 0
    while True:
        file = in_memory / str(number) / "c.json"
        file.parent.mkdir()
        crashed_run(file)
        with pytest.MonkeyPatch.context() as patch:
            store = FailingStore(patch, code)
            store.fails, store.for_good = number, for_good
            checkpoint, acknowledged, errors = updates(file)
        assert all(error.errno == code for error in errors)
        assert {"folded", "old", *acknowledged} <= papers_in(file)
        if not checkpoint.data["papers"]:  # the call that failed was of load()
            assert checkpoint.load()
        checkpoint.update_paper_status("last", "completed")
        assert {"folded", "old", "last", *acknowledged} <= papers_in(file)
        checkpoint.close()
        assert [path.name for path in file.parent.iterdir()] == ["c.json"]
        assert {"folded", "old", "last", *acknowledged} <= set(json.loads(file.read_text())["papers"])
        if store.calls <= number:
            break
        number += 1
    assert number > 20


@unfolded
def test_a_close_that_fails_in_any_call_leaves_all_readable_and_no_lock(in_memory: Path) -> None:
    number = 0
    while True:
        file = in_memory / str(number) / "c.json"
        checkpoint = CheckpointManagerV2(file)
        checkpoint.update_paper_status("a", "completed")
        with pytest.MonkeyPatch.context() as patch:
            store = FailingStore(patch)
            store.fails, store.for_good = number, True
            try:
                checkpoint.close()
                failed = False
            except OSError:
                failed = True
        assert papers_in(file) == {"a"}
        other = CheckpointManagerV2(file)
        assert other.load()
        other.update_paper_status("b", "completed")
        other.close()
        assert papers_in(file) == {"a", "b"}
        if not failed:
            break
        number += 1
    assert number > 2


@pytest.mark.parametrize("number", range(0, 40, 3))
def test_a_batch_over_a_disk_that_fails_for_good_ends_with_the_error_and_keeps_what_was_yielded(
    in_memory: Path, number: int
) -> None:
    file = in_memory / "c.json"
    checkpoint = CheckpointManagerV2(file)
    coordinator = ParallelPipelineCoordinator(2, checkpoint_manager=checkpoint)
    yielded: set[str] = set()
    with pytest.MonkeyPatch.context() as patch:
        store = FailingStore(patch)
        store.fails, store.for_good = number, True
        with pytest.raises(OSError, match="Input/output"):  # noqa: PT012 - what is yielded before the error counts
            for result in coordinator.iter_papers_parallel(map(str, range(10_000)), lambda paper: {}):
                yielded.add(result["paper"])
        try:
            checkpoint.close()
        except (OSError, CheckpointError):
            pass
    assert yielded <= papers_in(file)


INJECTED = """
import os, sys
from literature_review.pipeline.orchestrator_v2 import CheckpointManagerV2
checkpoint = CheckpointManagerV2(sys.argv[1], fold_after=0.005)
checkpoint.load()
for number in range(40):
    try:
        checkpoint.update_paper_status(f"{sys.argv[2]}{number}", "completed")
    except OSError:
        continue
    os.writev(1, [f"{sys.argv[2]}{number}\\n".encode()])  # no call that strace makes fail
    if number % 10 == 0:
        try: checkpoint.save()
        except OSError: pass
try: checkpoint.close()
except OSError: pass
"""
INJECTIONS = [
    "fdatasync:error=EIO:when=5+", "fsync:error=EIO:when=2", "write:error=ENOSPC:when=12+", "write:retval=7:when=11",
    "rename:error=EIO:when=1+", "fdatasync:signal=SIGKILL:when=7", "rename:signal=SIGKILL:when=2",
]  # fmt: skip


@pytest.mark.skipif(shutil.which("strace") is None, reason="strace is not installed")
def test_strace_makes_calls_fail_and_nothing_acknowledged_is_lost(tmp_path: Path, long: bool) -> None:
    """The system's own calls, whoever makes them: errors, short writes, and death in the middle of a call."""
    file = tmp_path / "c.json"
    acknowledged: set[str] = set()
    several = [f"{kind}:when={at}" for at in range(1, 120) for kind in {i.rpartition(":")[0] for i in INJECTIONS}]
    for number, injection in enumerate(several if long else INJECTIONS):
        done = subprocess.run(
            ["strace", "-f", "-qq", "-o", os.devnull, "-P", str(tmp_path), *names_of(tmp_path),
             "-e", f"inject={injection}", sys.executable, "-c", INJECTED, str(file), f"r{number}-"],
            cwd=ROOT, capture_output=True, text=True, timeout=60,
        )  # fmt: skip
        if "ptrace" in done.stderr:
            pytest.skip(f"strace may not trace here: {done.stderr.splitlines()[0]}")
        assert "Traceback" not in done.stderr, (injection, done.stderr)
        acknowledged |= set(done.stdout.split())
        assert acknowledged <= papers_in(file), injection
    assert len(acknowledged) > 10 * len(INJECTIONS)


def names_of(folder: Path) -> Iterator[str]:
    """The options that keep the injection to the checkpoint's own files."""
    for name in ("c.json", "c.json.tmp", *(f"c.json.journal-{number}" for number in range(1, 40))):
        yield from ("-P", str(folder / name))


FULL = """
import json, os, sys
from literature_review.pipeline.orchestrator_v2 import CheckpointManagerV2
checkpoint = CheckpointManagerV2(sys.argv[1], fold_after=0.005)
acknowledged, refused = [], 0
for number in range(100_000):
    try:
        checkpoint.update_paper_status(f"p{number}", "completed", ["a" * 500])
        acknowledged.append(f"p{number}")
    except OSError as error:
        assert error.errno == 28, error
        refused += 1
        if refused == 5:
            break
beside = CheckpointManagerV2(sys.argv[1])
assert beside.load()
assert set(acknowledged) <= set(beside.data["papers"])
os.unlink(os.path.join(os.path.dirname(sys.argv[1]), "ballast"))
checkpoint.update_paper_status("after", "completed")
checkpoint.close()
assert set(acknowledged) | {"after"} <= set(json.load(open(sys.argv[1]))["papers"])
os.write(1, b"%d" % len(acknowledged))
"""


def test_a_disk_that_is_really_full_refuses_updates_and_loses_none(tmp_path: Path) -> None:
    """A tiny tmpfs in a mount namespace of its own; when there is room again, everything goes on."""
    place = tmp_path / "small"
    place.mkdir()
    script = (
        f"mount -t tmpfs -o size=4m tmpfs {place} || exit 99\n"
        f"head -c 3000000 /dev/zero > {place}/ballast\n"
        f'exec {sys.executable} -W ignore -c "$0" {place}/c.json'
    )
    if shutil.which("unshare") is None:
        pytest.skip("unshare is not installed")
    done = subprocess.run(
        ["unshare", "--mount", "sh", "-c", script, FULL], cwd=ROOT, capture_output=True, text=True, timeout=120
    )
    if done.returncode == 99 or "unshare" in done.stderr:
        pytest.skip(f"a file system may not be mounted here: {done.stderr.strip()}")
    assert done.returncode == 0, done.stderr
    assert int(done.stdout) > 50
