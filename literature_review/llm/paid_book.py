"""answers.db: every answer that was paid for, and every call that was made. One SQLite file, flushed at each commit.

    begin     a call is about to be made        calls      so that after any crash the provider counted no more calls
    answered  its answer, with what it cost     calls, answers: one transaction
    failed    how it ended without an answer    calls
    find      the answer of an equal question   answers    so that nothing is paid for twice

After any crash, calls ended <= calls that the provider counted <= calls begun. Answers can be cleared, the calls stay.
docs/costs.md explains both tables.
"""

from __future__ import annotations

import hashlib
import json
import os
import time
import zlib
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from literature_review.errors import StoreError
from literature_review.llm.chat import FINISHES, ModelAnswer, ModelQuestion
from literature_review.llm.prices import Price
from literature_review.shared_commits import SharedCommits
from literature_review.sqlite_file import Schema, SqliteFile, from_sql, to_sql

FILE_NAME = "answers.db"
"""Its name in the output folder."""

OUTCOMES = ("answered", "refused", "broken", "unreached")
"""How a call ended. answered: with an answer. refused: with an error of the provider's, which costs nothing. broken:
without a word, so that the provider may have counted and billed it. unreached: before any connection was made."""

_VERSIONS = (
    """
    CREATE TABLE calls (
        id INTEGER PRIMARY KEY,
        key TEXT NOT NULL,
        stage TEXT NOT NULL,
        paper TEXT NOT NULL,
        backend TEXT NOT NULL,
        model TEXT NOT NULL,
        prompt TEXT NOT NULL,
        begun_at TEXT NOT NULL,
        estimated_usd REAL,
        input_usd_per_million REAL,
        output_usd_per_million REAL,
        ended_at TEXT,
        outcome TEXT CHECK (outcome IN ('answered', 'refused', 'broken', 'unreached')),
        error TEXT NOT NULL DEFAULT '',
        request_id TEXT NOT NULL DEFAULT '',
        input_tokens INTEGER,
        output_tokens INTEGER,
        usd REAL
    );
    CREATE TABLE answers (
        id INTEGER PRIMARY KEY,
        key TEXT NOT NULL UNIQUE,
        call INTEGER NOT NULL REFERENCES calls (id),
        backend TEXT NOT NULL,
        model TEXT NOT NULL,
        prompt TEXT NOT NULL,
        question BLOB NOT NULL,
        answer BLOB NOT NULL,
        finish TEXT NOT NULL,
        stored_at TEXT NOT NULL
    );
    """,
)
_SCHEMA = Schema(
    0x4C525041,  # "LRPA"
    lambda: _VERSIONS,
    "the answers in it will be paid for again, and the costs in it are lost",
)

_BEGIN = """
    INSERT INTO calls (key, stage, paper, backend, model, prompt, begun_at, estimated_usd, input_usd_per_million,
        output_usd_per_million) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)"""
_END = """
    UPDATE calls SET ended_at = ?, outcome = ?, error = ?, request_id = ?, input_tokens = ?, output_tokens = ?, usd = ?
    WHERE id = ? AND ended_at IS NULL"""
_PUT = """
    INSERT INTO answers (key, call, backend, model, prompt, question, answer, finish, stored_at)
    VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?) ON CONFLICT (key) DO NOTHING"""
_GET = "SELECT answer, finish FROM answers WHERE key = ?"
_PAGE = """
    SELECT answers.id, answers.key, answers.backend, answers.model, answers.prompt, question, answer, finish, stored_at,
        stage, paper, usd FROM answers JOIN calls ON calls.id = answers.call WHERE answers.id > ? ORDER BY answers.id
    LIMIT 50"""
_SPENT = """
    SELECT COALESCE(SUM(COALESCE(usd, estimated_usd)), 0) FROM calls
    WHERE outcome IS NULL OR outcome IN ('answered', 'broken')"""
_COUNTS = """
    SELECT COUNT(*), COUNT(ended_at), COUNT(*) FILTER (WHERE outcome = 'unreached'),
        COUNT(*) FILTER (WHERE outcome = 'answered'), COUNT(*) FILTER (WHERE outcome = 'answered' AND usd IS NULL),
        COALESCE(SUM(input_tokens), 0), COALESCE(SUM(output_tokens), 0), COALESCE(SUM(usd), 0) FROM calls"""
_COSTS = """
    SELECT {column}, COUNT(*), COALESCE(SUM(input_tokens), 0), COALESCE(SUM(output_tokens), 0),
        COALESCE(SUM(usd), 0), COUNT(*) FILTER (WHERE outcome = 'answered' AND usd IS NULL)
    FROM calls WHERE outcome IS NULL OR outcome <> 'unreached' GROUP BY {column} ORDER BY {column}"""

# what a row that cannot be decoded raises: wrong compression, bytes, JSON or keys
_UNREADABLE = (ValueError, TypeError, KeyError, RecursionError, zlib.error)


@dataclass(frozen=True)
class PaidQuestion:
    """A question as it is put to one model, and on whose account. `key` names it: equal questions have equal keys."""

    question: ModelQuestion
    backend: str
    model: str
    parameters: Mapping[str, Any]
    stage: str
    paper: str

    @cached_property
    def key(self) -> str:
        """SHA-256, 64 hexadecimal digits, of all that an answer depends on; stage and paper are no part of it."""
        parts = [self.backend, self.model, self.question.prompt, _content(self)]
        return hashlib.sha256(json.dumps(parts, sort_keys=True, default=dict).encode()).hexdigest()


@dataclass(frozen=True)
class BookCounts:
    """What the book holds. `begun` and `ended`: calls, those left out that reached nobody; `answers`: calls answered;
    `unpriced`: answers whose cost is not known; tokens as the provider counted them; `usd`: the sum of all costs."""

    begun: int
    ended: int
    unreached: int
    answers: int
    unpriced: int
    input_tokens: int
    output_tokens: int
    usd: float


def _local_time() -> str:
    return time.strftime("%Y-%m-%dT%H:%M:%S")


class PaidBook:
    """The answer store and the ledger of calls in the file `path`. Thread-safe; processes may share the file.

    What a method that writes returned from survives `kill -9` and loss of power. Nothing is made before the first
    write. Every method raises StoreError for a file that is damaged, foreign, newer or held by another writer, and
    OSError for a disk that is full, fails or forbids; then nothing was changed.
    """

    def __init__(
        self,
        path: str | os.PathLike[str],
        *,
        busy_seconds: float = 30.0,
        warn: Callable[[str], None] = lambda text: None,
        now: Callable[[], str] = _local_time,
    ) -> None:
        self._file = SqliteFile(path, _SCHEMA, busy_seconds, warn)
        self._commits = SharedCommits(self._file)
        self._now = now

    @property
    def path(self) -> str:
        """The file's absolute path."""
        return self._file.path

    def find(self, key: str) -> ModelAnswer | None:
        """The stored answer to the question with this key, malformed, cut and blocked ones too, or None."""
        rows = self._file.rows(_GET, (key,))
        return self._decoded(key, *rows[0]) if rows else None

    def begin(self, asked: PaidQuestion, price: Price | None, estimated_usd: float | None) -> int:
        """Book the intent to make a call, durably, before it is made. Returns the call's number.

        `price`: the model's, where it is known; `estimated_usd`: what the call costs at most."""
        texts = (asked.key, asked.stage, asked.paper, asked.backend, asked.model, asked.question.prompt, self._now())
        rates = (price.input_usd_per_million, price.output_usd_per_million) if price is not None else (None, None)
        row = (*map(to_sql, texts), estimated_usd, *rates)
        number = self._commits.write(lambda connection: connection.execute(_BEGIN, row).lastrowid)
        assert number is not None  # it was inserted
        return number

    def answered(self, call: int, asked: PaidQuestion, answer: ModelAnswer, usd: float | None) -> ModelAnswer:
        """Book a call's answer and what it cost, and keep the answer, in one transaction.

        Returns the answer that is kept: where another process asked the same and was first, it is that one's.
        """
        question = _packed(_content(asked))
        texts = (asked.backend, asked.model, asked.question.prompt)
        kept = (question, _packed({"text": answer.text, **_tokens(answer)}), answer.finish, self._now())
        row = (asked.key, call, *map(to_sql, texts), *kept)

        def book(connection: Any) -> int:
            self._end(connection, call, "answered", "", answer.request_id, answer, usd)
            added: int = connection.execute(_PUT, row).rowcount
            return added

        added = self._commits.write(book)
        return answer if added == 1 else self.find(asked.key) or answer

    def failed(self, call: int, outcome: str, error: str, request_id: str = "") -> None:
        """Book how a call ended without an answer. `outcome`: one of OUTCOMES; `error`: the kind of error, such as
        "RateLimitError 429"; never its text, which could quote a key."""
        self._commits.write(lambda connection: self._end(connection, call, outcome, error, request_id))

    def spent_usd(self) -> float:
        """What the calls cost, in US dollars, for a budget: those that may have been billed without our seeing it
        (broken, or never ended since the program died) count at their estimates."""
        return float(sum(row[0] for row in self._file.rows(_SPENT)))

    def counts(self) -> BookCounts:
        """The ledger in figures."""
        rows = self._file.rows(_COUNTS) or [(0,) * 8]
        calls, ended, unreached, *rest = rows[0]
        return BookCounts(calls - unreached, ended - unreached, unreached, *rest)

    def costs(self) -> dict[str, dict[str, dict[str, float]]]:
        """Calls, tokens and US dollars by stage and by paper, as ledger sums: {"stages": {stage: {"calls",
        "tokens_in", "tokens_out", "usd"}}, "papers": {...}}. "usd" is absent where an answer's cost is not known."""
        return {"stages": self._costs("stage"), "papers": self._costs("paper")}

    def size(self) -> tuple[int, int]:
        """How many answers are kept, and the bytes of the file with its log."""
        rows = self._file.rows("SELECT COUNT(*) FROM answers")
        on_disk = [path for path in (self.path, f"{self.path}-wal") if os.path.exists(path)]
        return sum(row[0] for row in rows), sum(os.path.getsize(path) for path in on_disk)

    def answers(self) -> Iterator[dict[str, Any]]:
        """Every kept answer with its question, in the order they came, as plain data; a few in memory at a time."""
        last = 0
        while page := self._file.rows(_PAGE, (last,)):
            yield from map(self._exported, page)
            last = page[-1][0]

    def clear(self) -> int:
        """Remove every answer and give its room back; returns how many. The ledger of calls stays."""
        if not os.path.exists(self.path):
            return 0
        with self._file.transaction() as connection:
            removed = connection.execute("DELETE FROM answers").rowcount
        self._file.compact()
        return removed

    def check(self, thorough: bool = False) -> None:
        """Raise what using the file would raise, before it is used: see sqlite_file.SqliteFile.check."""
        self._file.check(thorough)

    def close(self) -> None:
        """Give the file back. A later call opens it again."""
        self._file.close()

    def __enter__(self) -> PaidBook:
        return self

    def __exit__(self, *exception: object) -> None:
        self.close()

    def _end(
        self,
        connection: Any,
        call: int,
        outcome: str,
        error: str,
        request_id: str,
        answer: ModelAnswer | None = None,
        usd: float | None = None,
    ) -> None:
        tokens = (None, None) if answer is None else (answer.input_tokens, answer.output_tokens)
        cost = 0.0 if outcome in ("refused", "unreached") else usd
        connection.execute(_END, (self._now(), outcome, to_sql(error), to_sql(request_id), *tokens, cost, call))

    def _costs(self, column: str) -> dict[str, dict[str, float]]:
        costs: dict[str, dict[str, float]] = {}
        for name, calls, tokens_in, tokens_out, usd, unpriced in self._file.rows(_COSTS.format(column=column)):
            costs[from_sql(name)] = {"calls": calls, "tokens_in": tokens_in, "tokens_out": tokens_out} | (
                {} if unpriced else {"usd": usd}
            )
        return costs

    def _decoded(self, key: str, answer: bytes, finish: str) -> ModelAnswer:
        try:
            if finish not in FINISHES:
                raise ValueError(f"finish is {finish!r}")
            return ModelAnswer(**_unpacked(answer), finish=finish)
        except _UNREADABLE as error:
            raise self._unreadable(key, error) from error

    def _exported(self, row: Sequence[Any]) -> dict[str, Any]:
        _, key, backend, model, prompt, question, answer, finish, stored_at, stage, paper, usd = row
        try:
            texts = {"backend": backend, "model": model, "prompt": prompt, "stage": stage, "paper": paper}
            return {
                "key": key,
                **{name: from_sql(value) for name, value in texts.items()},
                **_unpacked(question),
                **_unpacked(answer),
                "finish": finish,
                "usd": usd,
                "stored_at": stored_at,
            }
        except _UNREADABLE as error:
            raise self._unreadable(key, error) from error

    def _unreadable(self, key: str, error: Exception) -> StoreError:
        return StoreError(
            f"{self.path}: an answer cannot be read ({type(error).__name__}); see whether the file was edited or "
            f"damaged. To have it asked and paid for again: DELETE FROM answers WHERE key = '{key}';"
        )


def _content(asked: PaidQuestion) -> dict[str, Any]:
    """What is kept of a question beside its columns, and goes into its key."""
    question = asked.question
    return {
        "system": question.system,
        "user": question.user,
        "schema": question.schema,
        "parameters": asked.parameters,
        "max_output_tokens": question.max_output_tokens,
    }


def _tokens(answer: ModelAnswer) -> dict[str, Any]:
    names = ("input_tokens", "output_tokens", "request_id")
    return {name: getattr(answer, name) for name in names}


def _packed(data: Mapping[str, Any]) -> bytes:
    """zlib of JSON, about a third of the text's size."""
    text = json.dumps(data, ensure_ascii=False, separators=(",", ":"), default=dict)
    return zlib.compress(text.encode("utf-8", "surrogatepass"))


def _unpacked(data: bytes) -> dict[str, Any]:
    values: dict[str, Any] = json.loads(zlib.decompress(data).decode("utf-8", "surrogatepass"))
    return values
