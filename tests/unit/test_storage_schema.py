"""docs/database.md, the records and the schema say the same."""

from __future__ import annotations

import dataclasses
import re
import sqlite3
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from literature_review.models import (
    CLAIM_STATUSES,
    PAPER_STATES,
    STAGE_STATUSES,
    Claim,
    Passage,
    ReviewProtocol,
)
from literature_review.storage.database import Database
from literature_review.storage.review_rows import tables_of
from literature_review.storage.schema import APPLICATION_ID, migrations

pytestmark = pytest.mark.unit

DOCUMENT = Path(__file__).resolve().parents[2] / "docs" / "database.md"


@pytest.fixture
def schema(tmp_path: Path) -> Iterator[sqlite3.Connection]:
    with Database(tmp_path / "review.db") as database:
        database.replace_review(ReviewProtocol("Empty"), [], "run")
    with closing(sqlite3.connect(tmp_path / "review.db")) as connection:
        yield connection


def names(connection: sqlite3.Connection, kind: str) -> list[str]:
    rows = connection.execute("SELECT name FROM sqlite_master WHERE type = ? ORDER BY rowid", (kind,))
    return [name for (name,) in rows if not name.startswith("sqlite_")]


def columns(connection: sqlite3.Connection, table: str) -> list[tuple[str, str]]:
    return [(row[1], row[2]) for row in connection.execute(f"PRAGMA table_info({table})")]


def documented(part: str) -> dict[str, list[list[str]]]:
    """Heading -> the cells of its table's rows, for the level-2 heading `part`."""
    text = DOCUMENT.read_text(encoding="utf-8").split(f"\n## {part}\n")[1].split("\n## ")[0]
    found = {}
    for section in text.split("\n### ")[1:]:
        rows = [[cell.strip(" `") for cell in line.strip("|").split("|")]
                for line in section.splitlines() if line.startswith("| `")]  # fmt: skip
        found[section.split("\n")[0]] = rows
    return found


def test_the_document_names_every_table_and_column(schema: sqlite3.Connection) -> None:
    """Name, type and order of every column, with words for each."""
    tables = documented("Tables")
    assert sorted(tables) == sorted(names(schema, "table"))
    for table, rows in tables.items():
        assert [(row[0], row[1]) for row in rows] == columns(schema, table), table
        assert all(row[2] for row in rows), table


def test_the_document_names_every_view_and_column(schema: sqlite3.Connection) -> None:
    views = documented("Views")
    assert sorted(views) == sorted(names(schema, "view"))
    for view, rows in views.items():
        assert [row[0] for row in rows] == [name for name, _ in columns(schema, view)], view


def test_the_questions_in_the_document_can_be_asked(schema: sqlite3.Connection) -> None:
    """Every SQL statement of the document runs."""
    text = DOCUMENT.read_text(encoding="utf-8")
    questions = re.findall(r"```sql\n(.*?)```", text, re.DOTALL)
    schema.executescript("".join(questions + re.findall(r"`(DELETE .*?)`", text)))


def test_the_document_names_the_application_id() -> None:
    assert f"{APPLICATION_ID:#010X}".replace("0X", "0x") in DOCUMENT.read_text(encoding="utf-8")


@pytest.mark.parametrize(("record", "table"), [(Claim, "claims"), (Passage, "passages")])
def test_a_record_and_its_table_have_the_same_fields(schema: sqlite3.Connection, record: type, table: str) -> None:
    """A field added to the record is not forgotten in the database."""
    fields = {field.name for field in dataclasses.fields(record)}
    assert {name for name, _ in columns(schema, table)} - {"position"} == fields


@pytest.mark.parametrize(
    ("table", "states"), [("papers", PAPER_STATES), ("claims", CLAIM_STATUSES), ("stage_results", STAGE_STATUSES)]
)
def test_the_database_allows_the_known_states_and_no_other(
    schema: sqlite3.Connection, table: str, states: tuple[str, ...]
) -> None:
    sql = schema.execute("SELECT sql FROM sqlite_master WHERE name = ?", (table,)).fetchone()[0]
    allowed = re.search(r"CHECK \(\s*(?:state|status) IN \(([^)]*)\)", sql)
    assert allowed is not None
    assert tuple(re.findall(r"'(\w+)'", allowed[1])) == states


def test_every_table_of_the_review_is_written(schema: sqlite3.Connection) -> None:
    """Each table's columns, key first, are those of the schema."""
    for table, _ in tables_of(ReviewProtocol("Empty"), []):
        info = schema.execute(f"PRAGMA table_info({table.name})").fetchall()
        assert set(table.columns) == {row[1] for row in info}
        assert sorted(table.columns[: table.key]) == sorted(row[1] for row in info if row[5])


def test_every_foreign_key_has_an_index(schema: sqlite3.Connection) -> None:
    """Removing a paper or a sub-requirement never scans a whole table."""
    for table in names(schema, "table"):
        indexed = set()
        for index in schema.execute(f"PRAGMA index_list({table})").fetchall():
            indexed.add(schema.execute(f"PRAGMA index_info({index[1]})").fetchall()[0][2])
        for key in schema.execute(f"PRAGMA foreign_key_list({table})").fetchall():
            assert key[3] in indexed, (table, key[3])


def test_the_migrations_are_numbered_without_gaps(schema: sqlite3.Connection) -> None:
    """The number in a migration's name is the version it leads to."""
    folder = Path(__file__).resolve().parents[2] / "literature_review" / "storage" / "migrations"
    numbers = [int(path.name[:4]) for path in sorted(folder.glob("*.sql"))]
    assert numbers == list(range(1, len(migrations()) + 1))
    assert schema.execute("PRAGMA user_version").fetchone() == (len(migrations()),)
