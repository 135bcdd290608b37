"""A SQLite file of ours: opened, brought to its newest version, written durably, shared between threads.

    path -> looked at, unchanged -> ours? -> to write: log ahead, flush commits -> migrations, one by one

SQLite's errors come out in plain words, with the file's name and what to do. sqlite3 is imported when a file is
opened: a run that never does so, does not pay for it. The wings that keep a database share this.
"""

from __future__ import annotations

import errno
import os
import stat
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, closing, contextmanager
from typing import TYPE_CHECKING, Any

from literature_review.errors import MissingExtraError, StoreError
from literature_review.files import make_folder
from literature_review.light_record import record

if TYPE_CHECKING:
    import sqlite3

_PLAIN = frozenset(b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789/:._-~")  # as they are in a URI
_SMALLEST = 512  # bytes of the smallest database; SQLite takes some shorter files for empty and writes over them

Warn = Callable[[str], None]


@record
class Schema:
    """What makes a file ours. `application_id`: in its header; `versions()`: the SQL of every version, oldest first
    (number n brings a file from version n-1 to n); `if_moved_away`: what comes of moving a damaged file away."""

    application_id: int
    versions: Callable[[], Sequence[str]]
    if_moved_away: str


class SqliteFile:
    """One file, one connection behind one lock, short transactions. Thread-safe.

    Other processes may read at any time; a second writer waits up to `busy_seconds`, then gets a StoreError. (This
    process must not open the file by other means meanwhile, to hash it, say: closing it again would drop the locks
    that SQLite holds.) A transaction that ended survives `kill -9` and loss of power; one that raised changed nothing.

    Nothing is made before the first write: constructing, and reading where there is no file, leave no trace.
    `warn` gets a line where the file system forces a slower journal.

    Every method raises StoreError for a file that is damaged, foreign, newer or held by another writer, OSError
    for a disk that is full, fails or forbids, and MissingExtraError for a Python without SQLite.
    """

    def __init__(
        self, path: str | os.PathLike[str], schema: Schema, busy_seconds: float = 30.0, warn: Warn = lambda text: None
    ) -> None:
        self.path = os.path.abspath(os.fspath(path))
        self._schema, self._busy_seconds, self._warn = schema, busy_seconds, warn
        self._lock = threading.Lock()  # guards the three below, and everything done with the connection
        self._connection: sqlite3.Connection | None = None
        self._writable = False
        self._identity: tuple[int, int] | None = None

    def rows(self, sql: str, values: Sequence[Any] = ()) -> list[Any]:
        """All rows of a query; none where there is no file yet."""
        with self._lock:
            if self._connection is None and not os.path.exists(self.path):
                return []  # without SQLite: a dry run over a new folder does not load it
            with self._translated():
                if self._connection is None:
                    self._connection = open_to_read(self.path, self._schema, self._busy_seconds)
                return [] if self._connection is None else self._connection.execute(sql, values).fetchall()

    @contextmanager
    def transaction(self) -> Iterator[sqlite3.Connection]:
        """One writing transaction: all of it or nothing. The file is made, or brought up to date, where needed."""
        with self._lock, self._translated(), _transaction(self._writing()) as connection:
            yield connection

    def compact(self) -> None:
        """Give the room of deleted rows back to the disk. Waits for other processes that use the file."""
        with self._lock, self._translated():
            self._writing().execute("VACUUM")

    def check(self, thorough: bool = False) -> None:
        """Raise what using the file would raise: as far as its head tells, or every page where `thorough` (about a
        second for a gigabyte). Nothing is changed and nothing stays open."""
        if not os.path.exists(self.path):
            return
        with self._lock, self._translated():
            connection = open_to_read(self.path, self._schema, self._busy_seconds)
            faults = []
            if connection is not None:
                with closing(connection):
                    faults = connection.execute("PRAGMA quick_check(1)").fetchall() if thorough else []
        if faults and faults[0][0] != "ok":
            raise _damaged(self.path, self._schema, " ".join(str(faults[0][0]).split()))
        if not os.access(self.path, os.W_OK):
            raise PermissionError(errno.EACCES, "the database may not be written", self.path)

    def close(self) -> None:
        """Fold the log into the file and close it: only the file itself remains, unless another process has it open.
        A later call opens it again."""
        with self._lock:
            self._disconnect()

    def _translated(self) -> AbstractContextManager[None]:
        return translated(self.path, self._schema, self._busy_seconds)

    def _writing(self) -> sqlite3.Connection:
        """The connection, made fit for writing. Call with the lock held.

        A file that was moved away or replaced meanwhile would take writes that nobody ever finds again.
        """
        if self._connection is None or not self._writable:
            self._disconnect()
            self._connection = open_to_write(self.path, self._schema, self._busy_seconds, self._warn)
            self._identity, self._writable = self._on_disk(), True
        elif self._on_disk() != self._identity:
            raise StoreError(f"{self.path} was moved away or replaced while it was in use; nothing more is "
                             f"written to it: put it back, or run again for a new one")  # fmt: skip
        return self._connection

    def _on_disk(self) -> tuple[int, int] | None:
        try:
            found = os.stat(self.path)
        except FileNotFoundError:
            return None
        return found.st_dev, found.st_ino

    def _disconnect(self) -> None:
        connection, self._connection, self._writable = self._connection, None, False
        if connection is not None:
            with self._translated():
                connection.close()


def to_sql(text: str) -> str | bytes:
    """The value to bind for a text: itself, or bytes where SQLite cannot keep it as TEXT.

    SQLite takes no lone surrogates (a paper's id has them where its file name could not be decoded) and its own
    functions cut a text at NUL: such a text is kept as a BLOB of UTF-8 in which surrogates are let through. A text
    has one form only, so that comparing and joining works.
    """
    if "\0" not in text:
        if text.isascii():
            return text
        try:
            text.encode()
            return text
        except UnicodeEncodeError:
            pass
    return text.encode("utf-8", "surrogatepass")


def from_sql(value: str | bytes) -> str:
    """The text that was bound. Raises UnicodeDecodeError where the bytes are not ours."""
    return value if isinstance(value, str) else value.decode("utf-8", "surrogatepass")


def open_to_read(path: str, schema: Schema, busy_seconds: float) -> sqlite3.Connection | None:
    """A connection to the database as it is; None where there is none yet. Changes nothing of it.

    Where a run that died left its log (`-wal`), it is read along and left for the next writer. Raises
    StoreError for a file that is damaged, foreign or newer, and OSError for one that cannot be read.
    """
    try:
        found = os.stat(path)
    except FileNotFoundError:
        return None
    if stat.S_ISDIR(found.st_mode):
        raise IsADirectoryError(errno.EISDIR, "a folder stands where the database belongs", path)
    if 0 < found.st_size < _SMALLEST:
        raise _damaged(path, schema, f"{found.st_size} bytes")
    with translated(path, schema, busy_seconds):
        connection = _connect(path, "ro" if _log_is_left(path) else "rw", busy_seconds)
        try:
            if _version(path, schema, connection) > 0:
                return connection
        except BaseException:
            connection.close()
            raise
        connection.close()
        return None


def open_to_write(path: str, schema: Schema, busy_seconds: float, warn: Warn) -> sqlite3.Connection:
    """A connection that may write; the file, its folder and its tables are made where they are missing.

    Every commit is flushed to disk. Raises as `open_to_read`, and before anything is changed.
    """
    seen = open_to_read(path, schema, busy_seconds)
    if seen is not None:
        seen.close()
    make_folder(os.path.dirname(path))
    with translated(path, schema, busy_seconds):
        connection = _connect(path, "rwc", busy_seconds)
        try:
            _set_up(path, connection, busy_seconds, warn)
            _migrate(path, schema, connection)
        except BaseException:
            connection.close()
            raise
        return connection


@contextmanager
def _transaction(connection: sqlite3.Connection) -> Iterator[sqlite3.Connection]:
    """One writing transaction: all of it or nothing, also where an interrupt comes in between."""
    try:
        connection.execute("BEGIN IMMEDIATE")
        yield connection
        connection.execute("COMMIT")
    except BaseException:
        if connection.in_transaction:
            connection.execute("ROLLBACK")
        raise


@contextmanager
def translated(path: str, schema: Schema, busy_seconds: float) -> Iterator[None]:
    """Turns SQLite's errors into ours, each with the file's name and what to do about it."""
    sqlite = _sqlite()
    try:
        yield
    except sqlite.Error as error:
        raise _plain(path, schema, busy_seconds, error) from error
    except OverflowError as error:
        why = f"the database takes no number that large ({error}); nothing was changed"
        raise StoreError(f"{path}: {why}") from error


def _sqlite() -> Any:
    try:
        import sqlite3
    except ImportError as error:
        raise MissingExtraError(
            "this Python was built without SQLite (no module sqlite3), which keeps results and answers: use a "
            "Python from python.org or conda, or build it again with the SQLite headers (libsqlite3-dev) there"
        ) from error
    return sqlite3


def _log_is_left(path: str) -> bool:
    """True where a log holds what the file does not have yet: of a run that died, or of one that is writing."""
    try:
        return os.stat(f"{path}-wal").st_size > 0
    except FileNotFoundError:
        return False


def _connect(path: str, mode: str, busy_seconds: float) -> sqlite3.Connection:
    """A bare connection in SQLite's `mode`. Threads may share it behind a lock; transactions are explicit."""
    connection: sqlite3.Connection = _sqlite().connect(
        _uri(path, mode), uri=True, timeout=busy_seconds, isolation_level=None, check_same_thread=False
    )
    return connection


def _uri(path: str, mode: str) -> str:
    """An absolute path as SQLite takes it with a mode, whatever bytes are in its name. (pathlib would do it, and cost
    the dry run a tenth of its time.)"""
    inside = os.fsencode(path.replace(os.sep, "/"))
    quoted = "".join(chr(byte) if byte in _PLAIN else f"%{byte:02X}" for byte in inside)
    return f"file://{'' if quoted.startswith('/') else '/'}{quoted}?mode={mode}"


def _set_up(path: str, connection: sqlite3.Connection, busy_seconds: float, warn: Warn) -> None:
    """Log ahead (readers go on beside a writer), flush every commit, hold foreign keys."""
    if _in_wal(connection, busy_seconds):
        connection.execute("PRAGMA synchronous = FULL")
    else:  # a network file system, mostly
        connection.execute("PRAGMA journal_mode = DELETE")
        connection.execute("PRAGMA synchronous = EXTRA")  # flushes the folder as well when the journal goes
        warn(f"{path}: this file system has no shared memory for SQLite's log; the database works, but whoever "
             f"reads it waits while it is written")  # fmt: skip
    connection.execute("PRAGMA fullfsync = ON")  # macOS: down to the disk itself
    connection.execute("PRAGMA foreign_keys = ON")


def _in_wal(connection: sqlite3.Connection, busy_seconds: float) -> bool:
    """Switch to a write-ahead log; False where the file system has none.

    The switch needs the file for itself, and SQLite does not always wait for that: so it is asked again.
    """
    give_up = time.monotonic() + busy_seconds
    while True:
        try:
            (mode,) = connection.execute("PRAGMA journal_mode = WAL").fetchall()[0]
            return str(mode) == "wal"
        except _sqlite().OperationalError as error:
            if "locking protocol" in str(error):
                return False
            if "locked" not in str(error) or time.monotonic() >= give_up:
                raise
        time.sleep(0.01)


def _version(path: str, schema: Schema, connection: sqlite3.Connection) -> int:
    """The version of the tables; 0 for a file without any. Raises StoreError where the file is not ours."""
    application, version, objects = connection.execute(  # one statement: another process may just make it
        "SELECT application_id, user_version, (SELECT COUNT(*) FROM sqlite_master) "
        "FROM pragma_application_id, pragma_user_version"
    ).fetchall()[0]
    if application != schema.application_id and (application or version or objects):
        raise StoreError(
            f"{path} is a database of another program (application id {application}); it was left as it is: "
            f"move it away, or choose another output folder"
        )
    newest = len(schema.versions())
    if version > newest:
        raise StoreError(
            f"{path} is a database of version {version}, and this program knows versions up to {newest}; it was "
            f"left as it is: use the newer program, or choose another output folder"
        )
    return int(version)


def _migrate(path: str, schema: Schema, connection: sqlite3.Connection) -> None:
    """Run the migrations that the database lacks, each in one transaction with its number.

    The version is read again inside: another process may have been faster.
    """
    for number, script in enumerate(schema.versions(), 1):
        with _transaction(connection):
            if _version(path, schema, connection) >= number:
                continue
            for statement in _statements(script):
                connection.execute(statement)
            connection.execute(f"PRAGMA application_id = {schema.application_id}")
            connection.execute(f"PRAGMA user_version = {number}")


def _statements(script: str) -> Iterator[str]:
    """The statements of a script. (`executescript` would end the transaction it is in.)"""
    complete = _sqlite().complete_statement
    pending = ""
    for line in script.splitlines(keepends=True):
        pending += line
        if complete(pending):
            yield pending
            pending = ""
    if pending.strip():
        raise ValueError(f"a migration ends in the middle of a statement: {pending.strip()[:60]!r}")


def _plain(path: str, schema: Schema, busy_seconds: float, error: sqlite3.Error) -> Exception:
    """What an error of SQLite means for the user. (Python 3.10 has no codes on them: the texts are SQLite's own
    and have not changed in years.)"""
    text = str(error)
    if "locked" in text or "locking protocol" in text:
        return StoreError(
            f"{path} is being written by another process, which did not finish within {busy_seconds:g} s; "
            f"nothing was changed: wait for it to end, then run again"
        )
    if "not a database" in text or "malformed" in text or "encrypted" in text:
        return _damaged(path, schema, text)
    if "full" in text:
        return OSError(errno.ENOSPC, f"no room left for the database ({text}); what it had stays", path)
    if "disk I/O" in text:
        return OSError(errno.EIO, f"the database could not be read or written ({text}); what it had stays", path)
    if "readonly" in text or "permission" in text:
        return PermissionError(errno.EACCES, f"the database may not be written ({text})", path)
    if "unable to open" in text:
        return PermissionError(errno.EACCES, "the database cannot be opened: see who may read and write it and "
                               "its folder", path)  # fmt: skip
    return StoreError(f"{path}: the database refused ({text}); nothing was changed")


def _damaged(path: str, schema: Schema, why: str) -> StoreError:
    return StoreError(
        f"{path} is damaged or is no SQLite database ({why}); it was left as it is: move it away, with the "
        f"files {os.path.basename(path)}-wal and -shm if they are there, and run again: {schema.if_moved_away}"
    )
