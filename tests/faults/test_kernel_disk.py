"""The checkpoint when flushes fail, the disk is full, writes come short, or Ctrl-C strikes in an update."""

from __future__ import annotations

import errno
import json
import os
import signal
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from literature_review.pipeline.orchestrator_v2 import CheckpointManagerV2

pytestmark = pytest.mark.fault
unfolded = pytest.mark.usefixtures("unfolded")
ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "c.json"


def on_disk(file: Path) -> dict[str, str]:
    beside = CheckpointManagerV2(file)
    if not beside.load():
        return {}
    return {paper: record["stage"] for paper, record in beside.data["papers"].items()}


class Failing:
    """Stands for a function of ``os``; fails while ``times`` is above zero."""

    def __init__(self, name: str, code: int = errno.EIO) -> None:
        self.real: Callable[..., Any] = getattr(os, name)
        self.code = code
        self.times = 0
        self.calls = 0

    def __call__(self, *arguments: Any) -> Any:
        self.calls += 1
        if self.times > 0:
            self.times -= 1
            raise OSError(self.code, os.strerror(self.code))
        return self.real(*arguments)


@pytest.fixture
def fail(monkeypatch: pytest.MonkeyPatch) -> Callable[[str, int], Failing]:
    def patched(name: str, code: int = errno.EIO) -> Failing:
        failing = Failing(name, code)
        monkeypatch.setattr(os, name, failing)
        return failing

    return patched


@unfolded
def test_a_failed_flush_raises_and_the_next_update_writes_a_new_file_whole(
    file: Path, fail: Callable[..., Failing]
) -> None:
    """A repeated flush may report success for pages that are lost: no append is trusted after a failure."""
    fdatasync, fsync = fail("fdatasync"), fail("fsync")
    checkpoint = CheckpointManagerV2(file)
    checkpoint.update_paper_status("a", "completed")
    fdatasync.times = 1
    with pytest.raises(OSError, match="Input/output"):
        checkpoint.update_paper_status("b", "completed")
    distrusted, flushed = list(file.parent.glob("*.journal-*")), fsync.calls
    checkpoint.update_paper_status("c", "completed")
    assert fsync.calls > flushed
    assert not any(journal.exists() for journal in distrusted)
    assert list(json.loads(file.read_text())["papers"]) == ["a", "b", "c"]
    checkpoint.update_paper_status("d", "completed")
    assert list(on_disk(file)) == ["a", "b", "c", "d"]
    checkpoint.close()
    assert os.listdir(file.parent) == ["c.json"]


@unfolded
def test_nothing_is_acknowledged_until_the_new_file_could_be_written(file: Path, fail: Callable[..., Failing]) -> None:
    fdatasync, fsync = fail("fdatasync"), fail("fsync")
    checkpoint = CheckpointManagerV2(file)
    checkpoint.update_paper_status("a", "completed")
    fdatasync.times = 1
    fsync.times = 3
    for paper in "bcd":
        with pytest.raises(OSError, match="Input/output"):
            checkpoint.update_paper_status(paper, "completed")
        assert on_disk(file)["a"] == "completed"
    fsync.times = 0
    checkpoint.update_paper_status("e", "completed")
    assert sorted(on_disk(file)) == ["a", "b", "c", "d", "e"]
    checkpoint.close()
    assert os.listdir(file.parent) == ["c.json"]


@unfolded
@pytest.mark.parametrize("name", ["fsync", "fdatasync", "write", "replace"])
@pytest.mark.parametrize("code", [errno.EIO, errno.ENOSPC])
@pytest.mark.parametrize("skip", range(8))
def test_whichever_call_fails_what_was_acknowledged_stays_readable_and_the_next_success_has_all(
    file: Path, fail: Callable[..., Failing], name: str, code: int, skip: int
) -> None:
    """The n-th call of each kind fails, from the first write to the close."""
    failing = fail(name, code)
    acknowledged: list[str] = []
    codes: set[int | None] = set()
    checkpoint = CheckpointManagerV2(file)
    for number in range(6):
        if number == 3:
            failing.times = 0
        try:
            if failing.calls >= skip and not failing.times and number < 3:
                failing.times = 1
            checkpoint.update_paper_status(f"p{number}", "completed")
            acknowledged.append(f"p{number}")
            if number == 1:
                checkpoint.save()
        except OSError as error:
            codes.add(error.errno)
        papers = on_disk(file)
        assert set(acknowledged) <= set(papers)
    failing.times = 0
    assert codes <= {code}
    checkpoint.update_paper_status("last", "completed")
    assert set(on_disk(file)) == {f"p{number}" for number in range(6)} | {"last"} or "p0" not in acknowledged
    checkpoint.close()
    assert set(acknowledged) <= set(json.loads(file.read_text())["papers"])
    assert os.listdir(file.parent) == ["c.json"]


@unfolded
def test_a_short_write_is_cut_back_before_the_next_append(file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    checkpoint = CheckpointManagerV2(file)
    checkpoint.update_paper_status("a", "completed")
    real = os.write
    written: list[int] = []

    def short(descriptor: int, data: Any) -> int:
        written.append(len(data))
        if len(written) == 1:
            return real(descriptor, data[: len(data) // 2])
        raise OSError(errno.ENOSPC, "full")

    with monkeypatch.context() as patch:
        patch.setattr(os, "write", short)
        with pytest.raises(OSError, match="full"):
            checkpoint.update_paper_status("b" * 900, "completed")
    assert list(on_disk(file)) == ["a"]
    checkpoint.update_paper_status("c", "failed")
    assert list(on_disk(file)) == ["a", "b" * 900, "c"]
    checkpoint.close()


@unfolded
def test_a_write_of_nothing_is_an_error_and_not_an_endless_loop(file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    checkpoint = CheckpointManagerV2(file)
    checkpoint.update_paper_status("a", "completed")
    with monkeypatch.context() as patch:
        patch.setattr(os, "write", lambda *_: 0)
        with pytest.raises(OSError, match="nothing could be written"):
            checkpoint.update_paper_status("b", "completed")
    checkpoint.close()
    assert len(on_disk(file)) == 2


def test_a_fold_that_fails_costs_no_update_and_is_told_once(
    file: Path, fail: Callable[..., Failing], caplog: pytest.LogCaptureFixture
) -> None:
    replace = fail("replace", errno.ENOSPC)
    replace.times = 10**9
    checkpoint = CheckpointManagerV2(file, fold_after=0.001)
    for number in range(30):
        checkpoint.update_paper_status(f"p{number}", "completed")
        if number % 10 == 0:
            threading.Event().wait(0.01)
    for _ in range(1_000):
        if replace.calls > 3:
            break
        threading.Event().wait(0.005)
    assert len(list(file.parent.glob("c.json.journal-*"))) <= 2
    assert sum("could not be brought up to date" in record.message for record in caplog.records) == 1
    assert len(on_disk(file)) == 30
    with pytest.raises(OSError, match="No space"):
        checkpoint.save()
    with pytest.raises(OSError, match="No space"):
        checkpoint.close()
    assert not (file.parent / "c.json.lock").exists()
    assert len(on_disk(file)) == 30
    replace.times = 0
    checkpoint.update_paper_status("more", "completed")
    checkpoint.close()
    assert len(json.loads(file.read_text())["papers"]) == 31
    assert os.listdir(file.parent) == ["c.json"]


def test_a_folder_that_cannot_be_flushed_by_its_file_system_is_no_error(
    file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    real = os.fsync

    def fsync(descriptor: int) -> None:
        if os.path.isdir(f"/proc/self/fd/{descriptor}"):
            raise OSError(errno.EINVAL, "not here")
        real(descriptor)

    monkeypatch.setattr(os, "fsync", fsync)
    with CheckpointManagerV2(file) as checkpoint:
        checkpoint.update_paper_status("a", "completed")
    assert on_disk(file) == {"a": "completed"}


def test_a_new_run_that_cannot_begin_leaves_the_old_one_and_no_lock(file: Path, fail: Callable[..., Failing]) -> None:
    with CheckpointManagerV2(file) as old:
        old.update_paper_status("old", "in_progress")
    replace = fail("replace")
    replace.times = 1
    new = CheckpointManagerV2(file)
    with pytest.raises(OSError, match="Input/output"):
        new.update_paper_status("new", "completed")
    assert on_disk(file) == {"old": "in_progress"}
    assert os.listdir(file.parent) == ["c.json"]
    new.update_paper_status("new", "completed")
    new.close()
    assert on_disk(file) == {"new": "completed"}
    assert on_disk(file.with_name("c.previous.json")) == {"old": "in_progress"}


@unfolded
def test_a_takeover_that_fails_leaves_the_earlier_manager_able_to_write(
    file: Path, fail: Callable[..., Failing]
) -> None:
    first = CheckpointManagerV2(file)
    first.update_paper_status("a", "completed")
    second = CheckpointManagerV2(file)
    assert second.load()
    replace = fail("replace")
    replace.times = 1
    with pytest.raises(OSError, match="Input/output"):
        second.update_paper_status("b", "completed")
    first.update_paper_status("c", "completed")
    first.close()
    assert list(on_disk(file)) == ["a", "c"]


LIMITED = """
import json, os, resource, sys
from literature_review.pipeline.orchestrator_v2 import CheckpointManagerV2
resource.setrlimit(resource.RLIMIT_FSIZE, (int(sys.argv[2]), resource.RLIM_INFINITY))
checkpoint = CheckpointManagerV2(sys.argv[1])
acknowledged = []
try:
    for number in range(2_000):
        checkpoint.update_paper_status(f"p{number}", "completed", ["a"])
        acknowledged.append(f"p{number}")
except OSError:
    resource.setrlimit(resource.RLIMIT_FSIZE, (resource.RLIM_INFINITY, resource.RLIM_INFINITY))
    beside = CheckpointManagerV2(sys.argv[1])
    assert beside.load() and set(acknowledged) <= set(beside.data["papers"])
    checkpoint.update_paper_status("after", "completed")
    acknowledged.append("after")
else:
    raise SystemExit("the limit was not met")
print(json.dumps(acknowledged))
if sys.argv[3] == "kill":
    sys.stdout.flush()
    os.kill(os.getpid(), 9)
"""


@pytest.mark.parametrize("end", ["exit", "kill"])
@pytest.mark.parametrize("limit", [30_000, 100_000])
def test_a_file_that_may_grow_no_more_is_an_oserror_and_loses_nothing(file: Path, limit: int, end: str) -> None:
    done = subprocess.run(
        [sys.executable, "-c", LIMITED, str(file), str(limit), end],
        cwd=ROOT, capture_output=True, text=True, timeout=60,
    )  # fmt: skip
    assert done.returncode == (0 if end == "exit" else -signal.SIGKILL), done.stderr
    acknowledged = json.loads(done.stdout)
    assert len(acknowledged) > 20
    assert set(acknowledged) <= set(on_disk(file))


# Interrupts


@pytest.fixture
def interrupts() -> Iterator[None]:
    former = signal.signal(signal.SIGALRM, signal.default_int_handler)
    yield
    signal.setitimer(signal.ITIMER_REAL, 0)
    signal.signal(signal.SIGALRM, former)


@pytest.mark.usefixtures("interrupts")
@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")  # one that strikes in a finaliser
def test_an_interrupt_in_the_main_threads_update_leaves_the_other_threads_working(file: Path) -> None:
    """KeyboardInterrupt at sixty random moments, while four threads update: all of theirs arrive, and go on."""
    checkpoint = CheckpointManagerV2(file, fold_after=0.002)
    counts = [0] * 4
    going = True

    def work(number: int) -> None:
        while going:
            checkpoint.update_paper_status(f"{number}-{counts[number]}", "completed")
            counts[number] += 1

    threads = [threading.Thread(target=work, args=(number,)) for number in range(4)]
    for thread in threads:
        thread.start()
    mine = 0
    for round_number in range(60):
        try:
            # Again after a second: an interrupt that strikes in a finaliser is lost to Python itself.
            signal.setitimer(signal.ITIMER_REAL, 0.0005 + round_number * 0.00005, 1.0)
            while True:
                checkpoint.update_paper_status(f"main-{mine}", "completed")
                mine += 1
                if mine % 7 == 0:
                    checkpoint.save()
        except KeyboardInterrupt:
            signal.setitimer(signal.ITIMER_REAL, 0)
    before = list(counts)
    checkpoint.update_paper_status("after", "completed")
    for _ in range(2_000):
        if all(now > then for now, then in zip(counts, before, strict=True)):
            break
        threading.Event().wait(0.005)
    going = False
    for thread in threads:
        thread.join(20)
        assert not thread.is_alive()
    checkpoint.close()
    papers = set(json.loads(file.read_text())["papers"])
    expected = {f"{number}-{step}" for number in range(4) for step in range(counts[number])}
    assert expected | {f"main-{step}" for step in range(mine)} | {"after"} <= papers
    assert os.listdir(file.parent) == ["c.json"]


@unfolded
def test_an_interrupt_between_write_and_flush_leaves_no_half_record(
    file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    checkpoint = CheckpointManagerV2(file)
    checkpoint.update_paper_status("a", "completed")

    def interrupted(descriptor: int) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(os, "fdatasync", interrupted)
        with pytest.raises(KeyboardInterrupt):
            checkpoint.update_paper_status("b" * 3_000, "completed")
    checkpoint.update_paper_status("c", "completed")
    assert list(on_disk(file)) == ["a", "b" * 3_000, "c"]
    checkpoint.close()


@unfolded
def test_followers_of_a_failed_batch_all_raise_and_the_next_works(file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Threads that wait for a flush which fails each get its error; none hangs, none is acknowledged."""
    checkpoint = CheckpointManagerV2(file)
    checkpoint.update_paper_status("first", "completed")
    entered, proceed = threading.Event(), threading.Event()

    def failing(descriptor: int) -> None:
        entered.set()
        proceed.wait(10)
        raise OSError(errno.EIO, "broken")

    outcomes: dict[int, str] = {}

    def work(number: int) -> None:
        try:
            checkpoint.update_paper_status(f"t{number}", "completed")
            outcomes[number] = "acknowledged"
        except OSError:
            outcomes[number] = "raised"

    threads = [threading.Thread(target=work, args=(number,)) for number in range(6)]
    with monkeypatch.context() as patch:
        patch.setattr(os, "fdatasync", failing)
        for name in ("fsync", "replace"):  # a new file written whole would be as good as the flush
            never = Failing(name)
            never.times = 10**6
            patch.setattr(os, name, never)
        threads[0].start()
        entered.wait(10)
        for thread in threads[1:]:
            thread.start()
        for _ in range(100):  # until all of them wait, as far as can be seen from outside
            if all(checkpoint.get_paper_status(f"t{number}") for number in range(6)):
                break
            threading.Event().wait(0.002)
        threading.Event().wait(0.01)
        proceed.set()
        for thread in threads:
            thread.join(20)
    assert outcomes == dict.fromkeys(range(6), "raised")
    checkpoint.update_paper_status("last", "completed")
    assert set(on_disk(file)) == {"first", "last"} | {f"t{number}" for number in range(6)}
    checkpoint.close()
