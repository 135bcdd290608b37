"""Processes that die, disks that fill up and others who get in the way, while review.db is written."""

from __future__ import annotations

import os
import shutil
import signal
import sqlite3
import subprocess
import sys
import tempfile
import threading
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from literature_review.errors import StoreError
from literature_review.models import StageResult
from literature_review.ports import StoredResult
from literature_review.sqlite_file import Schema, translated
from literature_review.storage.database import Database
from tests.unit.test_storage_database import PROTOCOL, REVIEWS, ask, everything

pytestmark = pytest.mark.fault

ROOT = Path(__file__).resolve().parents[2]
SCHEMA = Schema(1, lambda: (), "what it held will be made again")
RESULT = StoredResult({"content": "1"}, StageResult(record={"n": 1}))
PRELUDE = """
import os, sys
from literature_review.models import Document, StageResult
from literature_review.ports import StoredResult
from literature_review.storage.database import Database
path = sys.argv[1]
def result(number):
    return StoredResult({"content": "1"}, StageResult(record={"n": number, "text": "x" * 2000}))
"""
PUT_FOR_EVER = (
    PRELUDE
    + """
database, number = Database(path), int(sys.argv[2])
while True:
    database.put_result(f"{number}", "judge", result(number))
    print(number, flush=True)
    number += 1
"""
)


def start(code: str, *arguments: object) -> subprocess.Popen[str]:
    command = [sys.executable, "-c", code, *map(str, arguments)]
    return subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)


def ended(process: subprocess.Popen[str]) -> tuple[str, str]:
    return process.communicate(timeout=60)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "review.db"


def test_every_acknowledged_result_survives_kill_9(path: Path) -> None:
    """Ten rounds of a writer killed at an arbitrary moment: what it had told of is there, and reads back."""
    acknowledged = 0
    for round_number in range(10):
        writer = start(PUT_FOR_EVER, path, acknowledged)
        assert writer.stdout is not None
        for _ in range(5 + 7 * round_number):
            acknowledged = int(writer.stdout.readline()) + 1
        writer.kill()
        told, _ = ended(writer)
        for line in told.splitlines(keepends=True):
            acknowledged = int(line) + 1 if line.endswith("\n") else acknowledged
        with Database(path) as database:
            for number in range(acknowledged):
                found = database.get_result(f"{number}", "judge")
                assert found is not None
                assert found.result.record["n"] == number
    assert ask(path, "PRAGMA integrity_check") == [("ok",)]


def test_reading_what_a_killed_run_left_changes_nothing(path: Path, tmp_path: Path) -> None:
    """A dry run after a crash sees every result and leaves database and log as they are."""
    writer = start(PUT_FOR_EVER, path, 0)
    assert writer.stdout is not None
    for _ in range(5):
        writer.stdout.readline()
    writer.kill()
    ended(writer)
    before = {name: (tmp_path / name).read_bytes() for name in ("review.db", "review.db-wal")}
    with Database(path) as database:
        assert database.get_result("4", "judge") is not None
    assert {name: (tmp_path / name).read_bytes() for name in before} == before
    with Database(path) as database:
        database.put_result("a", "judge", RESULT)
    assert [entry.name for entry in tmp_path.iterdir()] == ["review.db"]


REPLACE_AND_DIE = """
import os, signal, sys
from literature_review.storage import database
from tests.unit.test_storage_database import PROTOCOL
steps = int(sys.argv[2])
real = database._make_equal
def counted(*arguments):
    global steps
    steps -= 1
    if steps == 0:
        os.kill(os.getpid(), signal.SIGKILL)
    return real(*arguments)
database._make_equal = counted
database.Database(sys.argv[1]).replace_review(PROTOCOL, [], "run-2")
"""


@pytest.mark.parametrize("step", [1, 4, 8])
def test_a_run_killed_while_it_replaces_the_review_leaves_the_old_one(path: Path, step: int) -> None:
    """Never half of each."""
    with Database(path) as database:
        database.replace_review(PROTOCOL, REVIEWS, "run-1")
    before = everything(path)
    writer = start(REPLACE_AND_DIE, path, step)
    ended(writer)
    assert writer.returncode == -signal.SIGKILL
    assert everything(path) == before


READ_FOR_A_WHILE = (
    PRELUDE
    + """
database, seen = Database(path), 0
while seen < 100:
    while database.get_result(f"{seen}", "judge") is not None:
        assert database.get_result(f"{seen}", "judge") == result(seen)
        seen += 1
print(seen)
"""
)


def test_another_process_reads_while_one_writes(path: Path) -> None:
    """It begins before there is a file, sees every result once it is acknowledged, and never an error."""
    reader = start(READ_FOR_A_WHILE, path)
    with Database(path) as database:
        for number in range(100):
            result = StoredResult({"content": "1"}, StageResult(record={"n": number, "text": "x" * 2000}))
            database.put_result(f"{number}", "judge", result)
        output, errors = ended(reader)
    assert (output, errors) == ("100\n", "")


OPEN_WRITE_CLOSE = (
    PRELUDE
    + """
for number in range(30):
    with Database(path) as database:
        database.put_result(f"{sys.argv[2]} {number}", "judge", result(number))
"""
)


def test_two_processes_open_write_and_close_in_turns(path: Path, tmp_path: Path) -> None:
    """From the very first moment, when both make the file, to the last, when both tidy up."""
    writers = [start(OPEN_WRITE_CLOSE, path, name) for name in ("a", "b")]
    for _ in range(30):
        with Database(path) as database:
            database.get_result("a 0", "judge")
    for writer in writers:
        assert ended(writer) == ("", "")
    assert ask(path, "SELECT COUNT(*) FROM stage_results") == [(60,)]
    with Database(path) as database:
        database.put_result("c", "judge", RESULT)
    assert [entry.name for entry in tmp_path.iterdir()] == ["review.db"]


FULL_DISK = (
    PRELUDE
    + """
import resource, signal
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
with Database(path) as database:
    database.put_result("first", "judge", result(1))
resource.setrlimit(resource.RLIMIT_FSIZE, (400_000, resource.RLIM_INFINITY))
database, number = Database(path), 0
try:
    while True:
        database.put_result(f"{number}", "judge", result(number))
        number += 1
except OSError as error:
    print(number, type(error).__name__, error.filename == path)
assert database.get_result("first", "judge") == result(1)
resource.setrlimit(resource.RLIMIT_FSIZE, (resource.RLIM_INFINITY, resource.RLIM_INFINITY))
database.put_result("after", "judge", result(2))
database.close()
"""
)


def test_no_room_is_an_os_error_and_what_was_kept_stays(path: Path) -> None:
    """Everything acknowledged reads back during and after, and with room again it goes on."""
    pytest.importorskip("resource")
    writer = start(FULL_DISK, path)
    output, errors = ended(writer)
    assert (writer.returncode, errors) == (0, "")
    number, name, named = output.split()
    assert int(number) > 10
    assert (name, named) == ("OSError", "True")
    with Database(path) as database:
        for paper in [*map(str, range(int(number))), "first", "after"]:
            assert database.get_result(paper, "judge") is not None
    assert ask(path, "PRAGMA integrity_check") == [("ok",)]


@pytest.mark.parametrize(
    ("text", "kind", "named"),
    [
        ("database or disk is full", OSError, "no room left"),
        ("disk I/O error", OSError, "could not be read or written"),
        ("attempt to write a readonly database", PermissionError, "may not be written"),
        ("unable to open database file", PermissionError, "cannot be opened"),
        ("database is locked", StoreError, "another process"),
        ("database disk image is malformed", StoreError, "move it away"),
        ("malformed database schema (x)", StoreError, "move it away"),
        ("no such column: x", StoreError, "the database refused"),
    ],
)
def test_each_error_of_sqlite_says_what_it_means(text: str, kind: type[Exception], named: str) -> None:
    """The file is named, and the cause is kept."""
    with pytest.raises(kind, match=named) as raised, translated("/out/review.db", SCHEMA, 1.0):
        raise sqlite3.OperationalError(text)
    assert "/out/review.db" in str(raised.value)
    assert isinstance(raised.value.__cause__, sqlite3.OperationalError)


@pytest.fixture
def shared_folder() -> Iterator[Path]:
    """A folder that another user can reach (pytest's own are private)."""
    folder = Path(tempfile.mkdtemp())
    folder.chmod(0o755)
    yield folder
    shutil.rmtree(folder)


AS_NOBODY = """
import os, sys
path = sys.argv[1]
from literature_review.models import StageResult
from literature_review.ports import StoredResult
from literature_review.storage.database import Database
import sqlite3, urllib.parse  # loaded before: the other user may not be able to read this Python's own files
from literature_review.storage.schema import migrations
migrations()
os.setuid(65534)
for work in (lambda: Database(path).put_result("b", "judge", StoredResult({}, StageResult())),
             lambda: Database(path).get_result("a", "judge")):
    try:
        work()
        print("done")
    except OSError as error:
        print(type(error).__name__)
"""


@pytest.mark.skipif(not hasattr(os, "geteuid") or os.geteuid() != 0, reason="needs root to become another user")
@pytest.mark.parametrize("mode", [0o644, 0o600])
def test_a_database_of_another_user_is_a_permission_error(shared_folder: Path, mode: int) -> None:
    """Told as such, with nothing changed."""
    path = shared_folder / "review.db"
    with Database(path) as database:
        database.put_result("a", "judge", RESULT)
    path.chmod(mode)
    before = path.read_bytes()
    output, errors = ended(start(AS_NOBODY, path))
    assert (output, errors) == ("PermissionError\nPermissionError\n", "")
    assert path.read_bytes() == before
    assert [entry.name for entry in shared_folder.iterdir()] == ["review.db"]


def test_sixteen_threads_put_get_and_replace(path: Path) -> None:
    """Results and whole reviews at once, from one object and from two."""
    errors: list[BaseException] = []

    def work(database: Database, index: int) -> None:
        try:
            for number in range(5):
                database.put_result(f"{index}", f"{number}", RESULT)
                assert database.get_result(f"{index}", f"{number}") == RESULT
                database.replace_review(PROTOCOL, REVIEWS if number % 2 else [], f"run-{index}")
        except BaseException as error:  # handed to the test's own thread
            errors.append(error)

    with Database(path) as one, Database(path) as two:
        threads = [threading.Thread(target=work, args=((one, two)[index % 2], index)) for index in range(16)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    assert errors == []
    assert ask(path, "SELECT COUNT(*) FROM stage_results") == [(80,)]
    assert ask(path, "PRAGMA foreign_key_check") == []


FORK = (
    PRELUDE
    + """
database = Database(path)
database.put_result("parent", "judge", result(1))
child = os.fork()
if child == 0:
    sys.exit(0)
os.waitpid(child, 0)
database.put_result("parent again", "judge", result(2))
database.close()
"""
)


@pytest.mark.skipif(not hasattr(os, "fork"), reason="needs fork")
def test_a_forked_child_that_ends_takes_nothing_along(path: Path, tmp_path: Path) -> None:
    """Its copy of the connection is closed with it; the parent's log stays whole."""
    assert ended(start(FORK, path))[0] == ""
    with closing(sqlite3.connect(path)) as connection:
        assert connection.execute("SELECT COUNT(*) FROM stage_results").fetchone() == (2,)
    assert [entry.name for entry in tmp_path.iterdir()] == ["review.db"]
