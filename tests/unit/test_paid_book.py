"""answers.db: every answer that was paid for, and every call that was made."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import closing
from dataclasses import replace
from pathlib import Path
from types import MappingProxyType
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from literature_review.errors import StoreError
from literature_review.llm.chat import ModelAnswer
from literature_review.llm.paid_book import OUTCOMES, PaidBook, PaidQuestion
from tests.paid_samples import GOOD, PRICE, SCHEMA, question

pytestmark = pytest.mark.unit

TEXTS = st.text(st.characters(exclude_categories=[]), max_size=50)  # lone surrogates and NUL too


def asked(user: str = "?", **fields: Any) -> PaidQuestion:
    made = PaidQuestion(question(user), "gemini", "some-model", {"temperature": 0}, "judge", "a.pdf")
    return replace(made, **fields)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "answers.db"


@pytest.fixture
def book(path: Path) -> Iterator[PaidBook]:
    with PaidBook(path, now=lambda: "2026-11-24T12:00:00") as made:
        yield made


def buy(book: PaidBook, what: PaidQuestion, answer: ModelAnswer = GOOD, usd: float | None = 0.002) -> None:
    book.answered(book.begin(what, PRICE, 0.01), what, answer, usd)


# --- answers


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None, max_examples=50)
@given(TEXTS, TEXTS, st.sampled_from(["complete", "cut", "blocked"]), st.none() | st.integers(0, 2**53))
def test_an_answer_comes_back_the_same(book: PaidBook, user: str, text: str, finish: str, tokens: int | None) -> None:
    """Whatever characters question and answer hold; and its question is exported with it."""
    book.clear()
    answer = ModelAnswer(text, tokens, tokens, "req", finish)
    what = asked(user, paper=user, stage=text)
    buy(book, what, answer)
    assert book.find(what.key) == answer
    (row,) = book.answers()
    assert (row["user"], row["text"], row["paper"], row["stage"], row["finish"]) == (user, text, user, text, finish)


def test_the_first_answer_stands(book: PaidBook) -> None:
    """Where two processes asked the same, both get the one that was stored first."""
    buy(book, asked())
    second = book.begin(asked(), PRICE, 0.01)
    assert book.answered(second, asked(), ModelAnswer("other", 1, 1), 0.1) == GOOD
    assert book.find(asked().key) == GOOD
    assert book.counts().ended == 2


def test_equal_questions_have_equal_keys_whoever_asks(book: PaidBook) -> None:
    """Stage and paper are on the account, not in the key; nor does the order or the kind of a mapping matter."""
    backwards = dict(reversed(SCHEMA.items()))
    turned = question("?", schema=MappingProxyType(backwards))
    same = asked(question=turned, parameters=MappingProxyType({"temperature": 0}))
    assert same.key == asked(stage="dra", paper="b.pdf").key == asked().key
    assert len(asked().key) == 64
    others = [asked(backend="x"), asked(model="x"), asked(parameters={}), asked("x"), asked("? ")]
    assert len({other.key for other in [asked(), *others]}) == 6


def test_parts_of_a_question_do_not_run_into_each_other(book: PaidBook) -> None:
    one = asked(question=question("b", system="a"))
    other = asked(question=question("", system="ab"))
    assert one.key != other.key


def test_clearing_removes_answers_and_leaves_the_ledger(book: PaidBook, path: Path) -> None:
    for number in range(200):
        buy(book, asked(f"{number} {number * 7919}" * 50))
    book.close()
    before = path.stat().st_size
    spent, costs = book.spent_usd(), book.costs()
    assert book.clear() == 200
    assert book.find(asked("0 0" * 50).key) is None
    assert list(book.answers()) == []
    assert (book.spent_usd(), book.costs()) == (spent, costs)
    assert book.size()[0] == 0
    book.close()
    assert path.stat().st_size < before


def test_clearing_what_is_not_there_makes_nothing(book: PaidBook, path: Path) -> None:
    assert book.clear() == 0
    assert not path.exists()


def test_more_answers_than_a_page_are_exported_in_order(book: PaidBook) -> None:
    for number in range(120):
        buy(book, asked(f"{number}"))
    assert [row["user"] for row in book.answers()] == [f"{number}" for number in range(120)]


@pytest.mark.parametrize("damage", ["answer = x'00'", "finish = 'odd'", "answer = x'789c030000000001'"])
def test_a_row_that_was_tampered_with_is_named_with_what_to_do(book: PaidBook, path: Path, damage: str) -> None:
    buy(book, asked())
    book.close()
    with closing(sqlite3.connect(path)) as connection:
        connection.execute(f"UPDATE answers SET {damage}")
        connection.commit()
    with pytest.raises(StoreError, match=rf"answers\.db: an answer cannot be read .*DELETE .*{asked().key}"):
        book.find(asked().key)


def test_a_question_that_was_tampered_with_is_named_when_it_is_exported(book: PaidBook, path: Path) -> None:
    """The answer can still be used."""
    buy(book, asked())
    book.close()
    with closing(sqlite3.connect(path)) as connection:
        connection.execute("UPDATE answers SET question = x'00'")
        connection.commit()
    assert book.find(asked().key) == GOOD
    with pytest.raises(StoreError, match="an answer cannot be read"):
        list(book.answers())


# --- the ledger


def test_what_a_ledger_of_every_outcome_adds_up_to(book: PaidBook) -> None:
    """Open and broken calls may have been billed: a budget counts them at their estimates, the costs do not."""
    buy(book, asked("1"), usd=0.002)
    buy(book, asked("2"), usd=None)
    for number, outcome in enumerate(OUTCOMES[1:]):
        book.failed(book.begin(asked(f"{number}?"), PRICE, 0.01), outcome, "Error")
    book.begin(asked("died"), PRICE, 0.01)
    assert book.spent_usd() == pytest.approx(0.002 + 3 * 0.01)
    counts = book.counts()
    assert (counts.begun, counts.ended, counts.unreached, counts.answers, counts.unpriced) == (5, 4, 1, 2, 1)
    assert (counts.input_tokens, counts.output_tokens, counts.usd) == (2000, 200, 0.002)
    assert book.costs()["papers"] == {"a.pdf": {"calls": 5, "tokens_in": 2000, "tokens_out": 200}}


def test_an_empty_book_costs_nothing(book: PaidBook, path: Path) -> None:
    counts = book.counts()
    assert (counts.begun, counts.ended, counts.usd) == (0, 0, 0)
    assert (book.spent_usd(), book.size(), book.costs()) == (0.0, (0, 0), {"stages": {}, "papers": {}})
    assert not path.exists()


def test_a_call_ends_once(book: PaidBook, path: Path) -> None:
    """A late end does not change what is on the ledger."""
    call = book.begin(asked(), PRICE, 0.01)
    book.answered(call, asked(), GOOD, 0.002)
    book.failed(call, "broken", "Late")
    assert book.costs()["stages"]["judge"]["usd"] == 0.002


def test_a_second_process_sees_what_the_first_bought(book: PaidBook, path: Path) -> None:
    with PaidBook(path) as other:
        assert other.find(asked().key) is None
        buy(book, asked())
        assert other.find(asked().key) == GOOD
        buy(other, asked("2"))
        assert book.find(asked("2").key) == GOOD
        assert book.counts() == other.counts()


# --- files that are none of ours


@pytest.mark.parametrize("data", [b"no database, surely" * 100, b"SQLite format 3\0" + b"\xff" * 5000])
def test_a_damaged_file_is_named_and_left_alone(path: Path, data: bytes) -> None:
    path.write_bytes(data)
    with PaidBook(path) as book:
        for attempt in (lambda: book.find("0"), book.spent_usd, lambda: book.begin(asked(), PRICE, 0.01), book.clear):
            with pytest.raises(StoreError, match=r"answers\.db is damaged .*answers in it will be paid for again"):
                attempt()
    assert path.read_bytes() == data


def test_a_newer_version_is_refused(book: PaidBook, path: Path) -> None:
    buy(book, asked())
    book.close()
    with closing(sqlite3.connect(path)) as connection:
        connection.execute("PRAGMA user_version = 99")
    before = path.read_bytes()
    for attempt in (lambda: book.find("0"), lambda: book.begin(asked(), PRICE, 0.01), book.clear):
        with pytest.raises(StoreError, match=r"answers\.db is a database of version 99"):
            attempt()
    assert path.read_bytes() == before


def test_review_db_is_not_taken_for_answers(path: Path) -> None:
    with closing(sqlite3.connect(path)) as connection:
        connection.execute("PRAGMA application_id = 7")
    with PaidBook(path) as book, pytest.raises(StoreError, match="another program"):
        book.find("0")


def test_the_document_names_every_column(book: PaidBook, path: Path) -> None:
    """docs/costs.md and the file say the same."""
    buy(book, asked())
    document = (Path(__file__).resolve().parents[2] / "docs" / "costs.md").read_text(encoding="utf-8")
    with closing(sqlite3.connect(path)) as connection:
        for table in ("calls", "answers"):
            section = document.split(f"\n### {table}\n")[1].split("\n## ")[0].split("\n### ")[0]
            written = [line.split("|")[1:3] for line in section.splitlines() if line.startswith("| `")]
            columns = [(row[1], row[2]) for row in connection.execute(f"PRAGMA table_info({table})")]
            assert [(name.strip(" `"), kind.strip()) for name, kind in written] == columns
    for outcome in OUTCOMES:
        assert f"| `{outcome}` |" in document


def test_every_commit_is_flushed(book: PaidBook) -> None:
    """What the promise to survive a loss of power rests on, as the connection has it."""
    buy(book, asked())
    connection = book._file._connection
    assert connection is not None
    assert connection.execute("PRAGMA journal_mode").fetchone() == ("wal",)
    assert connection.execute("PRAGMA synchronous").fetchone() == (2,)
