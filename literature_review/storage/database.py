"""review.db: what the stages left, and the review as tables that people query. One SQLite file.

    put_result, put_document   while papers are worked on   documents, stage_results   so that nothing is redone
    replace_review             at sync                      papers, claims ...         so that people can ask

docs/database.md explains every table, column and view, with questions one can ask.
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterator, Sequence
from typing import TYPE_CHECKING

from literature_review.errors import StoreError
from literature_review.models import Document, PaperReview, ReviewProtocol
from literature_review.ports import StoredResult
from literature_review.shared_commits import SharedCommits
from literature_review.sqlite_file import Schema, SqliteFile, from_sql, to_sql
from literature_review.storage import schema as versions
from literature_review.storage.encoding import (
    UNREADABLE,
    decode_document,
    decode_result,
    encode_document,
    encode_result,
    sql_literal,
)
from literature_review.storage.review_rows import Row, Table, screening_json, tables_of

if TYPE_CHECKING:
    import sqlite3

_PUT_RESULT = """
    INSERT INTO stage_results (paper, stage, made_from, status, result, error_type, finished_at)
    VALUES (?, ?, ?, ?, ?, ?, ?)
    ON CONFLICT (paper, stage) DO UPDATE SET made_from = excluded.made_from, status = excluded.status,
        result = excluded.result, error_type = excluded.error_type, finished_at = excluded.finished_at"""
_GET_RESULT = "SELECT made_from, result, error_type, finished_at FROM stage_results WHERE paper = ? AND stage = ?"
_PUT_DOCUMENT = """
    INSERT INTO documents (sha256, reader, text) VALUES (?, ?, ?)
    ON CONFLICT (sha256, reader) DO UPDATE SET text = excluded.text"""
_GET_DOCUMENT = "SELECT text FROM documents WHERE sha256 = ? AND reader = ?"
_PUT_RUN = """
    INSERT INTO runs (run_id, written_at, protocol, screening, papers, claims, rows_changed)
    VALUES (?, ?, ?, ?, ?, ?, ?)
    ON CONFLICT (run_id) DO UPDATE SET written_at = excluded.written_at, protocol = excluded.protocol,
        screening = excluded.screening, papers = excluded.papers, claims = excluded.claims,
        rows_changed = rows_changed + excluded.rows_changed"""


def _local_time() -> str:
    return time.strftime("%Y-%m-%dT%H:%M:%S")


class Database:
    """Keeps ports.ResultStore and ports.ReviewDatabase in one SQLite file, `path`.

    Thread-safe; other processes may read at any time. What a method that writes returned from survives `kill -9` and
    loss of power; what raised changed nothing. Nothing is made before the first write. sqlite_file.SqliteFile says
    more, and what is raised for a file that is damaged, foreign, newer or held by another writer, for a disk that
    is full, fails or forbids, and for a Python without SQLite.

    `warn` gets a line where the file system forces a slower journal. `now` gives the time of a run.
    """

    def __init__(
        self,
        path: str | os.PathLike[str],
        *,
        busy_seconds: float = 30.0,
        warn: Callable[[str], None] = lambda text: None,
        now: Callable[[], str] = _local_time,
    ) -> None:
        schema = Schema(versions.APPLICATION_ID, versions.migrations, versions.IF_MOVED_AWAY)
        self._file = SqliteFile(path, schema, busy_seconds, warn)
        self._commits = SharedCommits(self._file)
        self._now = now

    @property
    def path(self) -> str:
        """The file's absolute path."""
        return self._file.path

    def get_result(self, paper: str, stage: str) -> StoredResult | None:
        """What `stage` left for `paper`, or None.

        A row that cannot be decoded is a StoreError that names it and how to remove it. It is not taken as
        absent: SQLite vouches for what it wrote, so something else has been at work in the file, and a person
        should look before the rest of it is trusted.
        """
        rows = self._file.rows(_GET_RESULT, (to_sql(paper), to_sql(stage)))
        try:
            return decode_result(*map(from_sql, rows[0])) if rows else None
        except UNREADABLE as error:
            where = f"stage_results WHERE paper = {sql_literal(paper)} AND stage = {sql_literal(stage)}"
            raise self._unreadable_row(where, error) from error

    def put_result(self, paper: str, stage: str, result: StoredResult) -> None:
        """Keep a result in place of an earlier one. Raises TypeError where its record is no plain JSON data."""
        made_from, text = encode_result(paper, stage, result)
        values = (paper, stage, made_from, result.result.status, text, result.error_type, result.finished_at)
        row = [to_sql(value) for value in values]
        self._commits.write(lambda connection: connection.execute(_PUT_RESULT, row))

    def get_document(self, sha256: str, reader: str) -> Document | None:
        """The text that `reader` made of the file with these bytes, or None. Raises as `get_result` does."""
        rows = self._file.rows(_GET_DOCUMENT, (sha256, to_sql(reader)))
        try:
            return decode_document(rows[0][0]) if rows else None
        except UNREADABLE as error:
            where = f"documents WHERE sha256 = {sql_literal(sha256)} AND reader = {sql_literal(reader)}"
            raise self._unreadable_row(where, error) from error

    def put_document(self, sha256: str, reader: str, document: Document) -> None:
        """Keep a text that was read, in place of an earlier one."""
        row = (sha256, to_sql(reader), encode_document(document))
        self._commits.write(lambda connection: connection.execute(_PUT_DOCUMENT, row))

    def replace_review(self, protocol: ReviewProtocol, reviews: Sequence[PaperReview], run_id: str) -> None:
        """Make the tables say exactly this review, in one transaction. Rows that are the same stay untouched.

        Raises ValueError where two papers, claims or parts of the protocol share an id, and StoreError where a
        row names a paper or sub-requirement that the review does not have; then nothing was changed.
        """
        claims = sum(len(review.claims) for review in reviews)
        with self._file.transaction() as connection:
            changed = sum(
                _make_equal(connection, table, rows) for table, rows in tables_of(protocol, reviews)
            )
            _check_references(connection)
            values = (run_id, self._now(), protocol.title, screening_json(protocol))
            connection.execute(_PUT_RUN, (*map(to_sql, values), len(reviews), claims, changed))

    def check(self, thorough: bool = False) -> None:
        """Raise what using the file would raise, before it is used: see sqlite_file.SqliteFile.check."""
        self._file.check(thorough)

    def close(self) -> None:
        """Fold the log into the file and close it: only review.db remains, unless another process has it open.
        A later call opens it again."""
        self._file.close()

    def __enter__(self) -> Database:
        return self

    def __exit__(self, *exception: object) -> None:
        self.close()

    def _unreadable_row(self, where: str, error: Exception) -> StoreError:
        return StoreError(
            f"{self.path}: a row cannot be read ({type(error).__name__}: {error}); see whether the file was "
            f"edited or damaged. To have it made again: DELETE FROM {where};"
        )


def _make_equal(connection: sqlite3.Connection, table: Table, rows: Iterator[Row]) -> int:
    """Make a table hold exactly `rows`; returns how many rows were added, changed or removed."""
    before = connection.total_changes
    wanted: set[Row] = set()

    def noted() -> Iterator[Row]:
        for row in rows:
            key = row[: table.key]
            if key in wanted:
                raise ValueError(f"{table.name}: {' / '.join(map(str, key))} stands twice in the review")
            wanted.add(key)
            yield row

    connection.executemany(table.upsert, noted())
    gone = [key for key in connection.execute(table.select_keys).fetchall() if key not in wanted]
    connection.executemany(table.delete, gone)
    return connection.total_changes - before


def _check_references(connection: sqlite3.Connection) -> None:
    """Name what a row points to in vain; the commit would only say that there is such a row."""
    for table, _, parent, number in connection.execute("PRAGMA foreign_key_check").fetchall():
        columns = connection.execute(f"SELECT id, \"from\" FROM pragma_foreign_key_list('{table}')").fetchall()
        column = dict(columns)[number]
        sql = f"SELECT {column} FROM {table} WHERE {column} NOT IN (SELECT id FROM {parent}) LIMIT 1"
        (value,) = connection.execute(sql).fetchall()[0]
        raise StoreError(
            f"the review does not hold together: in {table}, {column} is {from_sql(value)!r}, which is not among "
            f"the {parent}; the database was left as it was"
        )
