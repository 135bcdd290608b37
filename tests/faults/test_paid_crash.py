"""Runs that die and disks that fill up while money is spent: nothing is paid for twice, nothing is miscounted."""

from __future__ import annotations

import os
import random
import sqlite3
import subprocess
import sys
import time
from contextlib import closing
from pathlib import Path

import pytest

from literature_review.llm.paid_book import PaidBook

pytestmark = pytest.mark.fault

ROOT = Path(__file__).resolve().parents[2]
QUESTIONS, THREADS = 60, 6

PRELUDE = """
import os, sys, threading, time
from pathlib import Path
from literature_review.llm.chat import ModelAnswer
from literature_review.ports import Deadline
from tests.paid_samples import OpenGate, ScriptedModel, paid_calls, question
folder = Path(sys.argv[1])
provider = os.open(folder / "provider", os.O_WRONLY | os.O_APPEND | os.O_CREAT)
"""

RUN = (
    PRELUDE
    + """
def answer(asked):
    os.write(provider, b".")  # the provider counts a request as it comes in
    time.sleep(0.003)
    number = int(asked.user.split()[0])
    malformed = number % 7 == 0 and "request 2" not in asked.user
    return ModelAnswer("oops" if malformed else '{"score": 0.%d}' % number, 100, 10)

calls = paid_calls(folder, ScriptedModel(answer))

def work(first):
    for number in range(first, QUESTIONS, THREADS):
        found = calls.ask(question(f"{number} ?"), "judge", f"{number % 5}.pdf", Deadline())
        assert found == {"score": float(f"0.{number}")}, found

threads = [threading.Thread(target=work, args=(first,)) for first in range(THREADS)]
for thread in threads:
    thread.start()
for thread in threads:
    thread.join()
calls.close()
print("whole")
""".replace("QUESTIONS", str(QUESTIONS)).replace("THREADS", str(THREADS))
)
CALLS = QUESTIONS + len(range(0, QUESTIONS, 7))  # every seventh answer is malformed at first


def start(code: str, *arguments: object) -> subprocess.Popen[str]:
    command = [sys.executable, "-c", code, *map(str, arguments)]
    pipe = subprocess.PIPE
    return subprocess.Popen(command, cwd=ROOT, stdin=pipe, stdout=pipe, stderr=pipe, text=True)


def provider_counts(folder: Path) -> int:
    return os.path.getsize(folder / "provider") if (folder / "provider").exists() else 0


def test_in_a_run_that_is_not_killed_all_counts_are_equal(tmp_path: Path) -> None:
    output, errors = start(RUN, tmp_path).communicate(timeout=60)
    assert (output, errors) == ("whole\n", "")
    with PaidBook(tmp_path / "answers.db") as book:
        counts = book.counts()
        assert (counts.begun, counts.ended, counts.answers) == (CALLS, CALLS, CALLS)
    assert provider_counts(tmp_path) == CALLS


def test_whenever_a_run_is_killed_the_ledger_bounds_the_providers_count(tmp_path: Path) -> None:
    """Killed with -9 ten times at random and resumed: calls ended <= the provider's count <= calls begun, each time;
    repeated are at most the calls that were in flight; and the answers are those of an undisturbed run."""
    kills, rng = 0, random.Random(5)
    for _ in range(10):
        before = provider_counts(tmp_path)
        run = start(RUN, tmp_path)
        until = time.monotonic() + 30
        aim = before + rng.randrange(1, 12)
        while provider_counts(tmp_path) < aim and run.poll() is None and time.monotonic() < until:
            time.sleep(0.001)
        run.kill()
        output, _ = run.communicate(timeout=60)
        kills += output != "whole\n"
        with PaidBook(tmp_path / "answers.db") as book:
            counts = book.counts()
            assert counts.ended <= provider_counts(tmp_path) <= counts.begun
    assert kills >= 5
    output, errors = start(RUN, tmp_path).communicate(timeout=60)
    assert (output, errors) == ("whole\n", "")
    with PaidBook(tmp_path / "answers.db") as book:
        counts = book.counts()
        assert counts.ended <= provider_counts(tmp_path) <= counts.begun
        assert counts.answers == CALLS
        assert counts.begun <= CALLS + kills * THREADS
        assert len({row["key"] for row in book.answers()}) == CALLS
    with closing(sqlite3.connect(tmp_path / "answers.db")) as connection:
        assert connection.execute("PRAGMA integrity_check").fetchall() == [("ok",)]


SPENDER = (
    PRELUDE
    + """
def answer(asked):
    os.write(provider, b".")
    return ModelAnswer('{"score": 0.5}', 100, 10)

calls = paid_calls(folder, ScriptedModel(answer), budget_usd=1.0)
try:
    for number in range(int(sys.argv[2])):
        calls.ask(question(f"{number} ?"), "judge", "a.pdf", Deadline())
except Exception as error:
    print(error, flush=True)
else:
    print("whole", flush=True)
sys.stdin.readline()
calls.close()
"""
)


def test_two_processes_at_once_do_not_pass_a_budget_together(tmp_path: Path) -> None:
    """The second is told to wait before it buys anything; what the first has bought it has for nothing."""
    first = start(SPENDER, tmp_path, 3)
    assert first.stdout is not None
    assert first.stdout.readline() == "whole\n"
    assert start(SPENDER, tmp_path, 3).communicate("\n", timeout=60) == ("whole\n", "")
    output, _ = start(SPENDER, tmp_path, 5).communicate("\n", timeout=60)
    assert f"another run spends from {tmp_path / 'answers.db'} now" in output
    assert provider_counts(tmp_path) == 3
    assert first.communicate("\n", timeout=60) == ("", "")
    assert start(SPENDER, tmp_path, 5).communicate("\n", timeout=60) == ("whole\n", "")
    assert provider_counts(tmp_path) == 5


def test_a_process_that_dies_beside_others_keeps_nobody_waiting(tmp_path: Path) -> None:
    """Repeated are at most the calls that were in flight at the kill."""
    runs = [start(RUN, tmp_path) for _ in range(3)]
    until = time.monotonic() + 30
    while provider_counts(tmp_path) < 5 and time.monotonic() < until:
        time.sleep(0.001)
    runs[0].kill()
    runs[0].communicate(timeout=60)
    assert [run.communicate(timeout=60) for run in runs[1:]] == [("whole\n", "")] * 2
    assert CALLS <= provider_counts(tmp_path) <= CALLS + THREADS


def test_a_run_after_another_pays_for_nothing(tmp_path: Path) -> None:
    for _ in range(2):
        assert start(RUN, tmp_path).communicate(timeout=60) == ("whole\n", "")
    assert provider_counts(tmp_path) == CALLS


def test_several_processes_at_once_over_one_file_pay_once(tmp_path: Path) -> None:
    """What one of them is just asking the others wait for; all end with the same answers, and no lock stays."""
    runs = [start(RUN, tmp_path) for _ in range(3)]
    assert [run.communicate(timeout=60) for run in runs] == [("whole\n", "")] * 3
    with PaidBook(tmp_path / "answers.db") as book:
        counts = book.counts()
        assert counts.begun == counts.ended == provider_counts(tmp_path) == CALLS
        assert book.size()[0] == CALLS
    assert not (tmp_path / "answers.db.lock").exists()
    with closing(sqlite3.connect(tmp_path / "answers.db")) as connection:
        assert connection.execute("PRAGMA integrity_check").fetchall() == [("ok",)]


FULL_DISK = (
    PRELUDE
    + """
import resource, signal
from literature_review.errors import StoreError
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)

def answer(asked):
    os.write(provider, b".")
    return ModelAnswer('{"score": 0.5}' + " " * 10, 100, 10, request_id=os.urandom(4000).hex())

calls = paid_calls(folder, ScriptedModel(answer))
calls.ask(question("first"), "judge", "a.pdf", Deadline())
resource.setrlimit(resource.RLIMIT_FSIZE, (300_000, resource.RLIM_INFINITY))
number = 0
try:
    while True:
        calls.ask(question(f"{number}"), "judge", "a.pdf", Deadline())
        number += 1
except StoreError as error:
    print(number, str(folder / "answers.db") in str(error), "cannot be written" in str(error))
asked = os.path.getsize(folder / "provider")
for _ in range(2):
    try:
        calls.ask(question(f"{number}"), "judge", "a.pdf", Deadline())
    except StoreError:
        pass
print(os.path.getsize(folder / "provider") - asked <= 1)
assert calls.ask(question("first"), "judge", "a.pdf", Deadline()) == {"score": 0.5}
resource.setrlimit(resource.RLIMIT_FSIZE, (resource.RLIM_INFINITY, resource.RLIM_INFINITY))
calls.ask(question(f"{number}"), "judge", "a.pdf", Deadline())
calls.close()
print(os.path.getsize(folder / "provider") == number + 2)
"""
)


def test_on_a_full_disk_nothing_is_used_that_is_not_kept_nor_paid_for_twice(tmp_path: Path) -> None:
    """A StoreError that names the file; what was kept is still there; with room again it goes on where it stopped."""
    pytest.importorskip("resource")
    run = start(FULL_DISK, tmp_path)
    output, errors = run.communicate(timeout=60)
    assert errors == ""
    told, no_more, once = output.splitlines()
    number, named, said = told.split()
    assert int(number) > 5
    assert (named, said) == ("True", "True")
    assert (no_more, once) == ("True", "True")
    with PaidBook(tmp_path / "answers.db") as book:
        assert book.size()[0] == int(number) + 2


DIE_IN_COMMIT = (
    PRELUDE
    + """
import signal
from literature_review.llm.paid_book import PaidBook

class Dying(PaidBook):
    def _end(self, *arguments):
        super()._end(*arguments)
        os.kill(os.getpid(), signal.SIGKILL)

def answer(asked):
    os.write(provider, b".")
    return ModelAnswer('{"score": 0.5}', 100, 10)

calls = paid_calls(folder, ScriptedModel(answer))
calls._book = Dying(folder / "answers.db")
calls.ask(question(), "judge", "a.pdf", Deadline())
"""
)


def test_killed_between_the_end_of_a_call_and_its_answer_neither_is_kept(tmp_path: Path) -> None:
    """They are one transaction: an answer without its cost, or a cost without its answer, cannot be."""
    start(DIE_IN_COMMIT, tmp_path).communicate(timeout=60)
    with PaidBook(tmp_path / "answers.db") as book:
        counts = book.counts()
        assert (counts.begun, counts.ended, book.size()[0], provider_counts(tmp_path)) == (1, 0, 0, 1)
        assert book.spent_usd() > 0
