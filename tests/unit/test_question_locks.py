"""Equal questions of several processes: one asks, the others wait."""

from __future__ import annotations

import errno
import os
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest

from literature_review.errors import StageTimeoutError
from literature_review.llm import question_locks
from literature_review.llm.question_locks import QuestionLocks
from literature_review.ports import Deadline

fcntl = pytest.importorskip("fcntl", reason="needs locks between processes")
pytestmark = pytest.mark.unit

ROOT = Path(__file__).resolve().parents[2]
KEY, OTHER = "ab" * 32, "cd" * 32

HOLDER = """
import sys
from literature_review.llm.question_locks import QuestionLocks
from literature_review.ports import Deadline
locks = QuestionLocks(sys.argv[1])
with locks.held(sys.argv[2], Deadline(30.0)):
    print("held", flush=True)
    sys.stdin.readline()
if len(sys.argv) > 3:
    locks.close()
    print("closed", flush=True)
    sys.stdin.readline()
"""


def other_process(*arguments: object) -> subprocess.Popen[str]:
    """Another process that holds a question until it is told to go on. `arguments`: path, key; anything more closes."""
    command = [sys.executable, "-c", HOLDER, *map(str, arguments)]
    process = subprocess.Popen(command, cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    assert process.stdout.readline() == "held\n"
    return process


def test_who_comes_second_waits_until_the_first_has_done(tmp_path: Path) -> None:
    """Another question is held at once."""
    locks, deadline = QuestionLocks(str(tmp_path / "lock")), Deadline(30.0)
    process = other_process(tmp_path / "lock", KEY)
    with locks.held(OTHER, deadline):
        pass
    with pytest.raises(StageTimeoutError, match="another process"), locks.held(KEY, Deadline(0.2)):
        pass
    threading.Timer(0.2, process.communicate, ["\n"]).start()
    with locks.held(KEY, deadline):
        assert process.wait(10.0) == 0
    locks.close()
    assert list(tmp_path.iterdir()) == []


def test_the_dead_hold_nothing(tmp_path: Path) -> None:
    process = other_process(tmp_path / "lock", KEY)
    process.kill()
    process.communicate()
    locks = QuestionLocks(str(tmp_path / "lock"))
    with locks.held(KEY, Deadline(0.0)):
        pass
    locks.close()


def test_a_wait_heeds_the_wish_to_stop(tmp_path: Path) -> None:
    process = other_process(tmp_path / "lock", KEY)
    deadline = Deadline()
    threading.Timer(0.05, deadline.cancelled.set).start()
    with pytest.raises(StageTimeoutError), QuestionLocks(str(tmp_path / "lock")).held(KEY, deadline):
        pass
    process.communicate("\n")


def test_a_file_that_another_process_removed_is_not_locked_in_vain(tmp_path: Path) -> None:
    """Who has the old file open would hold against nobody; so the new one is taken."""
    process = other_process(tmp_path / "lock", KEY, "close")
    locks = QuestionLocks(str(tmp_path / "lock"))
    with locks.held(OTHER, Deadline()):
        pass
    assert process.stdin is not None
    assert process.stdout is not None
    process.stdin.write("\n")
    process.stdin.flush()
    assert process.stdout.readline() == "closed\n"
    assert list(tmp_path.iterdir()) == []
    with locks.held(KEY, Deadline()):
        assert [path.name for path in tmp_path.iterdir()] == ["lock"]
        second = subprocess.Popen([sys.executable, "-c", HOLDER, str(tmp_path / "lock"), KEY], cwd=ROOT,
                                  stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)  # fmt: skip
        time.sleep(0.3)
        assert second.poll() is None
    assert second.stdout is not None
    assert second.stdout.readline() == "held\n"
    locks.close()
    assert [path.name for path in tmp_path.iterdir()] == ["lock"]  # the second still holds a question
    second.communicate("\n")
    process.communicate("\n")


BUDGET = HOLDER.replace("    print", "    assert locks.alone_with_budget()\n    print")


def test_one_process_at_a_time_keeps_to_a_budget(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Until it closes or dies."""
    monkeypatch.setitem(globals(), "HOLDER", BUDGET)
    process = other_process(tmp_path / "lock", KEY, "close")
    locks = QuestionLocks(str(tmp_path / "lock"))
    with locks.held(OTHER, Deadline()):
        assert not locks.alone_with_budget()
    process.communicate("\n\n")
    with locks.held(OTHER, Deadline()):
        assert locks.alone_with_budget()
        assert locks.alone_with_budget()
    locks.close()
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("failing", [errno.ENOLCK, errno.EINVAL])
def test_where_nothing_can_be_locked_the_work_goes_on(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, failing: int
) -> None:
    def no_locks(*arguments: int) -> None:
        raise OSError(failing, os.strerror(failing))

    monkeypatch.setattr(fcntl, "lockf", no_locks)
    locks = QuestionLocks(str(tmp_path / "lock"))
    with locks.held(KEY, Deadline(0.0)):
        assert locks.alone_with_budget()
    locks.close()


def test_a_folder_that_cannot_be_written_or_a_system_without_locks(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "file").write_text("")
    with QuestionLocks(str(tmp_path / "file" / "lock")).held(KEY, Deadline(0.0)):
        pass
    monkeypatch.setattr(question_locks, "_fcntl", None)
    locks = QuestionLocks(str(tmp_path / "lock"))
    with locks.held(KEY, Deadline(0.0)):
        pass
    locks.close()
    assert [path.name for path in tmp_path.iterdir()] == ["file"]


def test_threads_hold_different_questions_at_once(tmp_path: Path) -> None:
    locks = QuestionLocks(str(tmp_path / "lock"))
    together = threading.Barrier(8)

    def hold(number: int) -> None:
        with locks.held(f"{number:064x}"[::-1], Deadline(10.0)):
            together.wait(10.0)

    threads = [threading.Thread(target=hold, args=(number,)) for number in range(1, 9)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not together.broken
    locks.close()
