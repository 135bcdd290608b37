"""review.db: what it holds, what it refuses, what it leaves alone."""

from __future__ import annotations

import builtins
import dataclasses
import os
import sqlite3
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing, contextmanager
from functools import partial
from pathlib import Path
from typing import Any, NoReturn, cast

import pytest

from literature_review import sqlite_file
from literature_review.errors import MissingExtraError, StoreError
from literature_review.models import (
    Bibliography,
    Claim,
    Document,
    Page,
    PaperFile,
    PaperReview,
    Passage,
    Question,
    Requirement,
    ReviewProtocol,
    Screening,
    ScreeningDecision,
    StageResult,
    SubRequirement,
    claim_id,
)
from literature_review.ports import StoredResult
from literature_review.storage import schema
from literature_review.storage.database import Database

pytestmark = pytest.mark.unit

PROTOCOL = ReviewProtocol(
    "Falls",
    (
        Question(
            "Q1",
            "Does it fall?",
            (
                Requirement(
                    "R1", "A fall", (SubRequirement("S1", "how far", ("metres",)), SubRequirement("S2", "when"))
                ),
            ),
        ),
        Question("Q2", "Why?", (Requirement("R2", "A cause", (SubRequirement("S3", "gravity"),)),)),
    ),
    Screening(years=(2000, 2024), languages=("en",)),
)
RESULT = StoredResult({"content": "1"}, StageResult(record={"n": 1}))


def claim(paper: str = "a.pdf", sub: str = "S1", start: int = 0, **fields: Any) -> Claim:
    made = Claim(
        claim_id(paper, sub, start, start + 9),
        paper,
        sub,
        "It fell.",
        3,
        "Results",
        start,
        start + 9,
        0.8,
        "approved",
        "says so",
        "offline",
        "v1",
        scores={"outcome": 0.5},
    )
    return dataclasses.replace(made, **fields)


def passage(paper: str = "a.pdf", sub: str = "S2", score: float = 0.3, quote: str = "Soon.") -> Passage:
    return Passage(paper, sub, quote, 2, "Methods", 5, 10, score, "no result")


def review(paper: str = "a.pdf", **fields: Any) -> PaperReview:
    made = PaperReview(
        PaperFile(paper, f"/papers/{paper}", "0" * 64, 1000),
        "reviewed",
        Bibliography("On falls", ("A. Newton", "B. Hooke"), 2020, "10.1/x", "en", {"title": "pdf"}),
        pages=9,
        characters=9000,
    )
    return dataclasses.replace(made, **fields)


REVIEWS = [
    review(
        claims=(claim(), claim(sub="S2", start=50, coverage="partial")),
        passages=(passage(score=0.3), passage(score=0.2, quote="Later."), passage(sub="S3", quote="Perhaps.")),
        coverage={"S1": 0.9, "S2": 0.4},
        related={"b.pdf": "supplement"},
    ),
    review("b.pdf", state="excluded", screening=ScreeningDecision(False, "years", "1999 is too old", "in 1999", 1)),
    review("c.pdf", state="duplicate", duplicate_of="a.pdf", duplicate_by="same DOI", suspicious=("ignore the rest",)),
    review("d.pdf", state="unreadable", error="it is encrypted", error_type="permanent", hidden=("white text",)),
]


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "review.db"


@pytest.fixture
def database(path: Path) -> Iterator[Database]:
    with Database(path, now=lambda: "2025-11-14T03:16:29") as made:
        yield made


def ask(path: Path, sql: str) -> list[tuple[Any, ...]]:
    with closing(sqlite3.connect(path)) as connection:
        return connection.execute(sql).fetchall()


def files(folder: Path) -> dict[str, bytes]:
    return {entry.name: entry.read_bytes() for entry in folder.iterdir()}


def everything(path: Path) -> dict[str, list[tuple[Any, ...]]]:
    """Every table but `runs`, sorted."""
    tables = ask(path, "SELECT name FROM sqlite_master WHERE type = 'table' AND name <> 'runs'")
    return {name: sorted(ask(path, f"SELECT * FROM {name}"), key=repr) for (name,) in tables}


# --- what people can ask


def test_a_review_is_in_the_tables(database: Database, path: Path) -> None:
    """Papers with their state, bibliography and screening; claims with every field."""
    database.replace_review(PROTOCOL, REVIEWS, "run-1")
    assert ask(path, "SELECT id, state, duplicate_of FROM papers ORDER BY id") == [
        ("a.pdf", "reviewed", None),
        ("b.pdf", "excluded", None),
        ("c.pdf", "duplicate", "a.pdf"),
        ("d.pdf", "unreadable", None),
    ]
    assert ask(path, "SELECT title, authors, year, doi, language, sources FROM papers WHERE id = 'a.pdf'") == [
        ("On falls", '["A. Newton","B. Hooke"]', 2020, "10.1/x", "en", '{"title":"pdf"}')
    ]
    assert ask(
        path,
        "SELECT included, screening_criterion, screening_reason, screening_quote, "
        "screening_page "
        "FROM papers WHERE id = 'b.pdf'",
    ) == [(0, "years", "1999 is too old", "in 1999", 1)]
    assert ask(path, "SELECT duplicate_by, suspicious FROM papers WHERE id IN ('a.pdf', 'c.pdf') ORDER BY id") == [
        ("", "[]"), ("same DOI", '["ignore the rest"]')
    ]  # fmt: skip
    assert ask(path, "SELECT error, error_type, hidden FROM papers WHERE id = 'd.pdf'") == [
        ("it is encrypted", "permanent", '["white text"]')
    ]
    found = ask(
        path,
        "SELECT id, paper, sub_requirement, quote, page, section, start, end, score, status, "
        "reason, backend, model, last_page, coverage, scores, direction, appeal_of, match FROM claims "
        "WHERE sub_requirement = 'S1'",
    )[0]
    wanted = {**claim().__dict__, "scores": '{"outcome":0.5}'}
    assert found == tuple(wanted[field.name] for field in dataclasses.fields(Claim))
    assert ask(path, "SELECT * FROM related_papers") == [("a.pdf", "b.pdf", "supplement")]
    assert ask(path, "SELECT * FROM coverage") == [("a.pdf", "S1", 0.9), ("a.pdf", "S2", 0.4)]


def test_the_protocol_is_in_the_tables_in_its_order(database: Database, path: Path) -> None:
    database.replace_review(PROTOCOL, [], "run-1")
    rows = ask(
        path,
        "SELECT q.id, q.position, r.id, r.position, s.id, s.position, s.keywords FROM questions q "
        "JOIN requirements r ON r.question = q.id JOIN sub_requirements s ON s.requirement = r.id "
        "ORDER BY q.position, r.position, s.position",
    )
    assert rows == [
        ("Q1", 1, "R1", 1, "S1", 1, '["metres"]'),
        ("Q1", 1, "R1", 1, "S2", 2, "[]"),
        ("Q2", 2, "R2", 1, "S3", 1, "[]"),
    ]


def test_the_views_answer_what_people_ask(database: Database, path: Path) -> None:
    """Approved claims with their texts; status by the claims; a gap with its nearest passage."""
    database.replace_review(PROTOCOL, REVIEWS, "run-1")
    assert ask(path, "SELECT question, requirement, sub_requirement, title, page, quote FROM approved_claims") == [
        ("Does it fall?", "A fall", "S1", "On falls", 3, "It fell."),
        ("Does it fall?", "A fall", "S2", "On falls", 3, "It fell."),
    ]
    assert ask(path, "SELECT sub_requirement, status, papers, approved, rejected FROM sub_requirement_status") == [
        ("S1", "covered", 1, 1, 0),
        ("S2", "partial", 1, 1, 0),
        ("S3", "gap", 0, 0, 0),
    ]
    assert ask(
        path, "SELECT sub_requirement, nearest_paper, nearest_quote, papers_reviewed, papers_not_assessed FROM gaps"
    ) == [("S3", "a.pdf", "Perhaps.", 1, 1)]
    assert ask(path, "SELECT id, error FROM papers_not_assessed") == [("d.pdf", "it is encrypted")]


def test_a_gap_names_the_nearest_passage_of_all_papers(database: Database, path: Path) -> None:
    near = [
        review(name, passages=(passage(name, "S3", score),)) for name, score in (("a", 0.1), ("b", 0.7), ("c", 0.2))
    ]
    database.replace_review(PROTOCOL, near, "run-1")
    assert ask(path, "SELECT nearest_paper, nearest_score FROM gaps WHERE sub_requirement = 'S3'") == [("b", 0.7)]


def test_what_a_failed_paper_left_answers_nothing(database: Database, path: Path) -> None:
    """As in the report: only reviewed papers cover; a claim without a verdict is shown with the gap."""
    reviews = [
        review("a.pdf", state="failed", claims=(claim(),)),
        review("b.pdf", claims=(claim("b.pdf", status="pending"), claim("b.pdf", "S2", status="rejected"))),
    ]
    database.replace_review(PROTOCOL, reviews, "run-1")
    assert ask(path, "SELECT * FROM approved_claims") == []
    assert ask(path, "SELECT sub_requirement, rejected, pending FROM gaps") == [
        ("S1", 0, 1),
        ("S2", 1, 0),
        ("S3", 0, 0),
    ]


def test_passages_keep_their_order(database: Database, path: Path) -> None:
    """Nearest first, numbered within paper and sub-requirement; the same place may come twice."""
    database.replace_review(PROTOCOL, REVIEWS, "run-1")
    assert ask(path, "SELECT sub_requirement, position, quote FROM passages ORDER BY 1, 2") == [
        ("S2", 1, "Soon."),
        ("S2", 2, "Later."),
        ("S3", 1, "Perhaps."),
    ]


def test_runs_are_kept(database: Database, path: Path) -> None:
    """Each run that wrote, and how much it changed; a run that is resumed adds up."""
    database.replace_review(PROTOCOL, REVIEWS, "run-1")
    database.replace_review(PROTOCOL, REVIEWS, "run-2")
    database.replace_review(PROTOCOL, REVIEWS[:-1], "run-2")
    first, second = ask(path, "SELECT * FROM runs")
    assert first[:3] == ("run-1", "2025-11-14T03:16:29", "Falls")
    assert first[3] == '{"exclude":[],"include":[],"languages":["en"],"years":[2000,2024]}'
    assert first[4:] == (4, 2, 2 + 2 + 3 + 4 + 1 + 2 + 3 + 2)
    assert second[4:] == (3, 2, 1)


# --- replacing


def test_the_same_review_again_touches_no_row(database: Database, path: Path) -> None:
    """A trigger on every table counts what is written: nothing is."""
    database.replace_review(PROTOCOL, REVIEWS, "run-1")
    database.close()
    with closing(sqlite3.connect(path)) as connection:
        connection.execute("CREATE TABLE touched (name TEXT)")
        tables = [name for (name,) in connection.execute("SELECT name FROM sqlite_master WHERE type = 'table'")]
        for name in set(tables) - {"touched", "runs"}:
            for event in ("INSERT", "UPDATE", "DELETE"):
                connection.execute(
                    f"CREATE TRIGGER t_{name}_{event} AFTER {event} ON {name} "
                    f"BEGIN INSERT INTO touched VALUES ('{event} {name}'); END"
                )
        connection.commit()
    database.replace_review(PROTOCOL, REVIEWS, "run-2")
    assert ask(path, "SELECT * FROM touched") == []
    changed = [dataclasses.replace(REVIEWS[0], claims=(claim(reason="says it twice"), *REVIEWS[0].claims[1:]))]
    database.replace_review(PROTOCOL, changed + REVIEWS[1:], "run-3")
    assert ask(path, "SELECT * FROM touched") == [("UPDATE claims",)]


@pytest.mark.parametrize(
    "reviews",
    [
        [],
        [review("new.pdf")],
        [review(claims=(claim(start=7), claim(sub="S3", status="rejected")), coverage={"S3": 0.1})],
        [review("c.pdf", passages=(passage("c.pdf"),)), review(duplicate_of="c.pdf", state="duplicate")],
    ],
)
def test_the_tables_say_exactly_the_last_review(
    database: Database, path: Path, tmp_path: Path, reviews: Sequence[PaperReview]
) -> None:
    """After another review the tables are those of a database that never knew the first."""
    database.replace_review(PROTOCOL, REVIEWS, "run-1")
    database.replace_review(PROTOCOL, reviews, "run-2")
    with Database(tmp_path / "fresh.db") as fresh:
        fresh.replace_review(PROTOCOL, reviews, "run-2")
    assert everything(path) == everything(tmp_path / "fresh.db")


def test_another_protocol_replaces_the_first(database: Database, path: Path) -> None:
    """Ids that moved between levels and places, and ids that are gone."""
    database.replace_review(PROTOCOL, REVIEWS, "run-1")
    other = ReviewProtocol("Other", (Question("R1", "new", (Requirement("Q1", "new", (SubRequirement("S2", "x"),)),)),))
    database.replace_review(other, [review(claims=(claim(sub="S2"),))], "run-2")
    assert ask(path, "SELECT id FROM questions") == [("R1",)]
    assert ask(path, "SELECT requirement, id FROM sub_requirements") == [("Q1", "S2")]
    assert ask(path, "SELECT sub_requirement FROM claims") == [("S2",)]
    assert ask(path, "PRAGMA foreign_key_check") == []


def test_results_and_texts_outlive_a_review(database: Database) -> None:
    """A paper that left the folder and comes back is not worked on again."""
    database.put_result("gone.pdf", "judge", RESULT)
    database.put_document("0" * 64, "text", Document("x"))
    database.replace_review(PROTOCOL, [], "run-1")
    assert database.get_result("gone.pdf", "judge") == RESULT
    assert database.get_document("0" * 64, "text") == Document("x")


@pytest.mark.parametrize(
    ("reviews", "named"),
    [
        ([review(claims=(claim(sub="S99"),))], "in claims, sub_requirement is 'S99'"),
        ([review(claims=(claim(paper="z.pdf"),))], "in claims, paper is 'z.pdf'"),
        ([review(coverage={"S99": 0.1})], "in coverage, sub_requirement is 'S99'"),
        ([review(duplicate_of="z\udcff.pdf")], r"in papers, duplicate_of is 'z\\udcff.pdf'"),
    ],
)
def test_a_row_that_points_nowhere_is_named_and_nothing_changes(
    database: Database, path: Path, reviews: Sequence[PaperReview], named: str
) -> None:
    database.replace_review(PROTOCOL, REVIEWS, "run-1")
    before = everything(path)
    with pytest.raises(StoreError, match=named):
        database.replace_review(PROTOCOL, reviews, "run-2")
    assert everything(path) == before
    database.replace_review(PROTOCOL, [], "run-3")


@pytest.mark.parametrize(
    ("reviews", "named"),
    [
        ([review(), review()], "papers: a.pdf stands twice"),
        ([review(claims=(claim(), claim(reason="other")))], "claims: [0-9a-f]{16} stands twice"),
    ],
)
def test_an_id_that_stands_twice_is_named_and_nothing_changes(
    database: Database, path: Path, reviews: Sequence[PaperReview], named: str
) -> None:
    """One of the two would be lost in silence."""
    database.replace_review(PROTOCOL, REVIEWS, "run-1")
    before = everything(path)
    with pytest.raises(ValueError, match=named):
        database.replace_review(PROTOCOL, reviews, "run-2")
    assert everything(path) == before


@pytest.mark.parametrize(
    "bad",
    [
        review(state="lost"),
        review(claims=(claim(status="perhaps"),)),
        review(claims=(claim(score=float("nan")),)),
        review(bibliography=Bibliography(year=10**30)),
    ],
)
def test_a_value_that_is_none_is_refused_and_nothing_changes(database: Database, path: Path, bad: PaperReview) -> None:
    """An unknown state, a score that is no number, a year of thirty digits."""
    database.replace_review(PROTOCOL, REVIEWS, "run-1")
    before = everything(path)
    with pytest.raises(StoreError, match=r"review\.db: the database (refused|takes no number)"):
        database.replace_review(PROTOCOL, [bad], "run-2")
    assert everything(path) == before


def test_odd_text_is_kept_and_found(database: Database, path: Path) -> None:
    """An id from an undecodable file name and a quote with NUL come back the same, and joins work."""
    odd = "caf\udce9.pdf"
    quote = "It\0fell"
    database.replace_review(PROTOCOL, [review(odd, claims=(claim(odd, quote=quote),))], "run\udcff")
    rows = ask(path, "SELECT paper, quote FROM approved_claims")
    assert [value.decode("utf-8", "surrogatepass") for value in rows[0]] == [odd, quote]
    assert ask(path, "SELECT typeof(paper), typeof(quote), typeof(reason) FROM claims") == [("blob", "blob", "text")]
    database.replace_review(PROTOCOL, [review(odd)], "run-2")
    assert ask(path, "SELECT COUNT(*) FROM claims") == [(0,)]


def test_a_large_review_is_written_in_seconds(database: Database, path: Path) -> None:
    """195 papers x 60 sub-requirements x 3 passages; the bound is loose, to catch what is quadratic."""
    subs = [f"S{number}" for number in range(60)]
    protocol = ReviewProtocol(
        "Large", (Question("Q", "q", (Requirement("R", "r", tuple(SubRequirement(sub, "text") for sub in subs)),)),)
    )
    reviews = [
        review(f"{n}.pdf", passages=tuple(passage(f"{n}.pdf", sub) for sub in subs for _ in range(3)))
        for n in range(195)
    ]
    started = time.process_time()
    database.replace_review(protocol, reviews, "run-1")
    assert time.process_time() - started < 10
    assert ask(path, "SELECT COUNT(*) FROM passages") == [(35_100,)]


# --- the file


def test_nothing_is_made_before_the_first_write(tmp_path: Path) -> None:
    """A dry run constructs, asks and closes: no file, no folder."""
    with Database(tmp_path / "out" / "review.db") as database:
        assert database.get_result("a", "judge") is None
        assert database.get_document("0" * 64, "text") is None
    assert list(tmp_path.iterdir()) == []


def test_the_folder_is_made_at_the_first_write(tmp_path: Path) -> None:
    with Database(tmp_path / "a" / "b" / "review.db") as database:
        database.put_result("a", "judge", RESULT)
    assert sorted(files(tmp_path / "a" / "b")) == ["review.db"]


def test_after_close_only_the_database_remains(path: Path, tmp_path: Path) -> None:
    """The log is folded in, also when the file was read before it was written and read again after."""
    with Database(path) as database:
        database.put_result("a", "judge", RESULT)
        assert len(list(tmp_path.iterdir())) == 3
        assert database.get_result("a", "judge") == RESULT
    assert list(files(tmp_path)) == ["review.db"]
    with Database(path) as database:
        assert database.get_result("a", "judge") == RESULT
        database.put_result("b", "judge", RESULT)
    assert list(files(tmp_path)) == ["review.db"]


def test_reading_changes_nothing(path: Path, tmp_path: Path) -> None:
    """Neither content nor time of the file, and no file beside it stays."""
    with Database(path) as database:
        database.put_result("a", "judge", RESULT)
    before, changed_at = files(tmp_path), path.stat().st_mtime_ns
    with Database(path) as database:
        assert database.get_result("a", "judge") == RESULT
    assert files(tmp_path) == before
    assert path.stat().st_mtime_ns == changed_at


def test_closing_is_not_final_and_may_be_repeated(path: Path) -> None:
    database = Database(path)
    database.close()
    database.put_result("a", "judge", RESULT)
    database.close()
    assert database.get_result("a", "judge") == RESULT
    database.close()
    database.close()


def test_the_current_folder_may_change_meanwhile(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A relative path is from the folder in which it was given."""
    (tmp_path / "below").mkdir()
    monkeypatch.chdir(tmp_path)
    with Database("review.db") as database:
        monkeypatch.chdir(tmp_path / "below")
        database.put_result("a", "judge", RESULT)
    assert list(files(tmp_path / "below")) == []


@pytest.mark.parametrize("name", ["re view?mode=ro#x&vfs=none%41.db", "é.db", os.fsdecode(b"caf\xe9.db")])
def test_any_file_name_is_a_file_name(tmp_path: Path, name: str) -> None:
    """Nothing in a path is taken for an option of SQLite's addresses."""
    with Database(tmp_path / name) as database:
        database.put_result("a", "judge", RESULT)
    with Database(tmp_path / name) as database:
        assert database.get_result("a", "judge") == RESULT
    assert [entry.name for entry in tmp_path.iterdir()] == [name]


def test_an_empty_file_is_an_empty_database(path: Path) -> None:
    """What `touch` made: nothing is lost by using it."""
    path.touch()
    with Database(path) as database:
        assert database.get_result("a", "judge") is None
        assert path.read_bytes() == b""
        database.put_result("a", "judge", RESULT)
        assert database.get_result("a", "judge") == RESULT


def test_commits_are_flushed_and_references_hold(database: Database) -> None:
    """The settings that the promises rest on, as the connection has them."""
    database.put_result("a", "judge", RESULT)
    connection = database._file._connection
    assert connection is not None
    settings = {
        name: connection.execute(f"PRAGMA {name}").fetchone()[0]
        for name in ("journal_mode", "synchronous", "foreign_keys", "fullfsync", "application_id")
    }
    assert settings == {
        "journal_mode": "wal",
        "synchronous": 2,
        "foreign_keys": 1,
        "fullfsync": 1,
        "application_id": schema.APPLICATION_ID,
    }


def make(path: Path, sql: str) -> None:
    with closing(sqlite3.connect(path)) as connection:
        connection.executescript(sql)


@pytest.mark.parametrize(
    ("sql", "named"),
    [
        ("CREATE TABLE theirs (x)", "another program"),
        ("PRAGMA application_id = 7; CREATE TABLE theirs (x)", r"another program \(application id 7\)"),
        ("PRAGMA user_version = 3", "another program"),
        (f"PRAGMA application_id = {schema.APPLICATION_ID}; PRAGMA user_version = 99", "version 99"),
    ],
)
def test_a_foreign_or_newer_database_is_named_and_left_alone(path: Path, tmp_path: Path, sql: str, named: str) -> None:
    make(path, sql)
    before, changed_at = files(tmp_path), path.stat().st_mtime_ns
    attempts: list[Callable[[], object]] = [
        lambda: Database(path).get_result("a", "judge"),
        lambda: Database(path).put_result("a", "judge", RESULT),
        lambda: Database(path).replace_review(PROTOCOL, REVIEWS, "run-1"),
    ]
    for attempt in attempts:
        with pytest.raises(StoreError, match=rf"review\.db is a database of .*{named}"):
            attempt()
    assert files(tmp_path) == before
    assert path.stat().st_mtime_ns == changed_at


@pytest.mark.parametrize(
    "data", [b"%PDF-1.7 no database" * 100, b"x", b"\0" * 511, b"\0" * 600, b"SQLite format 3\0" + b"\xff" * 5000]
)
def test_a_file_that_is_no_database_is_named_and_left_alone(path: Path, tmp_path: Path, data: bytes) -> None:
    path.write_bytes(data)
    attempts: list[Callable[[], object]] = [
        lambda: Database(path).get_result("a", "judge"),
        lambda: Database(path).put_result("a", "judge", RESULT),
    ]
    for attempt in attempts:
        with pytest.raises(StoreError, match=r"review\.db is damaged .*move it away"):
            attempt()
    assert files(tmp_path) == {"review.db": data}


def test_a_database_cut_short_is_named(path: Path) -> None:
    """Half a file: the pages that are gone are told as damage, not as results that never were."""
    with Database(path) as database:
        for number in range(200):
            database.put_result(f"{number}", "judge", StoredResult({}, StageResult(record={"x": "y" * 3000})))
    data = path.read_bytes()
    path.write_bytes(data[: len(data) // 2])
    with Database(path) as database:
        read = partial(database.get_result, stage="judge")
        with pytest.raises(StoreError, match=r"damaged .*review\.db-wal and -shm"):
            [read(f"{number}") for number in range(200)]


def test_a_folder_in_its_place_is_an_os_error(path: Path) -> None:
    path.mkdir()
    with pytest.raises(IsADirectoryError, match="a folder stands where the database belongs"):
        Database(path).get_result("a", "judge")
    with pytest.raises(IsADirectoryError):
        Database(path).put_result("a", "judge", RESULT)


def test_a_file_in_the_place_of_its_folder_is_an_os_error(tmp_path: Path) -> None:
    (tmp_path / "out").write_text("a file")
    with pytest.raises(OSError):
        Database(tmp_path / "out" / "review.db").put_result("a", "judge", RESULT)


@pytest.mark.parametrize("odd", ["it's.pdf", "caf\udce9.pdf", "a\0b.pdf"])
@pytest.mark.parametrize(
    "edit",
    [
        "UPDATE stage_results SET result = '{' ",
        "UPDATE stage_results SET result = '{}' ",
        "UPDATE stage_results SET result = '[1]' ",
        "UPDATE stage_results SET result = x'ff00' ",
        "UPDATE stage_results SET made_from = '[]' ",
        "UPDATE stage_results SET result = replace(hex(zeroblob(100000)), '00', '[') ",
    ],
)
def test_a_row_that_cannot_be_read_is_named_with_its_remedy(path: Path, edit: str, odd: str) -> None:
    """Never taken as absent: the statement in the error removes the row, and then it is absent."""
    with Database(path) as database:
        database.put_result(odd, "judge", RESULT)
        database.put_result("good.pdf", "judge", RESULT)
    make(path, edit + "WHERE paper <> 'good.pdf'")
    with Database(path) as database:
        with pytest.raises(StoreError) as raised:
            database.get_result(odd, "judge")
        assert database.get_result("good.pdf", "judge") == RESULT
    remedy = str(raised.value).split("made again: ")[1]
    make(path, remedy)
    with Database(path) as database:
        assert database.get_result(odd, "judge") is None
        assert database.get_result("good.pdf", "judge") == RESULT


def test_a_text_that_cannot_be_read_is_named_with_its_remedy(path: Path) -> None:
    with Database(path) as database:
        database.put_document("0" * 64, "it's", Document("x"))
    make(path, "UPDATE documents SET text = x'1234'")
    with Database(path) as database, pytest.raises(StoreError) as raised:
        database.get_document("0" * 64, "it's")
    make(path, str(raised.value).split("made again: ")[1])
    with Database(path) as database:
        assert database.get_document("0" * 64, "it's") is None


def test_a_database_moved_away_in_use_takes_no_more_writes(database: Database, path: Path) -> None:
    """They would be acknowledged and never found again."""
    database.put_result("a", "judge", RESULT)
    path.rename(path.with_name("moved.db"))
    with pytest.raises(StoreError, match="moved away or replaced"):
        database.put_result("b", "judge", RESULT)
    path.with_name("moved.db").rename(path)
    database.put_result("c", "judge", RESULT)
    assert database.get_result("c", "judge") == RESULT


def test_a_log_without_its_database_is_not_taken_for_one(path: Path, tmp_path: Path) -> None:
    """The database was moved away after a crash, its log was not: a new one begins, and nothing old creeps in."""
    with Database(path) as database:
        database.put_result("old", "judge", RESULT)
        log = subprocess.run(["cat", f"{path}-wal"], capture_output=True, check=True).stdout
    path.unlink()
    path.with_name("review.db-wal").write_bytes(log)
    with Database(path) as database:
        assert database.get_result("old", "judge") is None
        database.put_result("new", "judge", RESULT)
        assert database.get_result("old", "judge") is None
        assert database.get_result("new", "judge") == RESULT
    assert list(files(tmp_path)) == ["review.db"]


# --- versions


def test_a_database_of_an_older_version_is_brought_up_to_date(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Reading leaves it as it is; the first write runs what it lacks, and every row is still there."""
    with Database(path) as database:
        database.put_result("a", "judge", RESULT)
    now = len(schema.migrations())
    newer = [*schema.migrations(), "CREATE TABLE more (x);\nINSERT INTO more VALUES (';'); -- done;\n"]
    monkeypatch.setattr(schema, "migrations", lambda: newer)
    with Database(path) as database:
        assert database.get_result("a", "judge") == RESULT
        assert ask(path, "PRAGMA user_version") == [(now,)]
        database.put_result("b", "judge", RESULT)
        assert database.get_result("a", "judge") == RESULT
    assert ask(path, "PRAGMA user_version") == [(now + 1,)]
    assert ask(path, "SELECT * FROM more") == [(";",)]


def test_a_migration_that_fails_leaves_the_version_before_it(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Each step is whole or not at all, its number with it."""
    first = schema.migrations()[0]
    broken = [first, "CREATE TABLE kept (x);", "CREATE TABLE dropped (x);\nINSERT INTO nowhere VALUES (1);"]
    monkeypatch.setattr(schema, "migrations", lambda: broken)
    with pytest.raises(StoreError, match="nowhere"):
        Database(path).put_result("a", "judge", RESULT)
    assert ask(path, "PRAGMA user_version") == [(2,)]
    assert ask(path, "SELECT name FROM sqlite_master WHERE name IN ('kept', 'dropped')") == [("kept",)]


def test_a_migration_that_ends_in_a_statement_is_a_mistake(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(schema, "migrations", lambda: ["CREATE TABLE a (x);\nCREATE TABLE b"])
    with pytest.raises(ValueError, match="CREATE TABLE b"):
        Database(path).put_result("a", "judge", RESULT)


# --- others who use it


def test_a_second_writer_waits_then_is_told(path: Path) -> None:
    with Database(path) as database:
        database.put_result("a", "judge", RESULT)
        with closing(sqlite3.connect(path, isolation_level=None)) as other, Database(path, busy_seconds=0) as second:
            other.execute("BEGIN IMMEDIATE")
            with pytest.raises(StoreError, match=r"review\.db is being written by another process"):
                second.put_result("b", "judge", RESULT)
            assert second.get_result("a", "judge") == RESULT
            other.execute("ROLLBACK")
            second.put_result("b", "judge", RESULT)
        assert database.get_result("b", "judge") == RESULT


def test_a_second_writer_that_waits_is_served(path: Path) -> None:
    """The first lets go while the second waits: both writes are there."""
    with Database(path) as first, Database(path) as second:
        first.put_result("a", "judge", RESULT)
        with first._file.transaction():
            waiting = threading.Thread(target=second.put_result, args=("b", "judge", RESULT))
            waiting.start()
        waiting.join()
        assert first.get_result("b", "judge") == RESULT


def test_a_reader_sees_the_last_whole_review_while_one_is_written(database: Database, path: Path) -> None:
    database.replace_review(PROTOCOL, REVIEWS, "run-1")
    with database._file.transaction() as writing:
        writing.execute("PRAGMA defer_foreign_keys = ON")
        writing.execute("DELETE FROM claims")
        assert ask(path, "SELECT COUNT(*) FROM claims") == [(2,)]
    assert ask(path, "SELECT COUNT(*) FROM claims") == [(0,)]


def test_an_interrupt_in_a_write_changes_nothing_and_blocks_nobody(database: Database) -> None:
    database.put_result("a", "judge", RESULT)

    def interrupted() -> None:
        with database._file.transaction() as writing:
            writing.execute("DELETE FROM stage_results")
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        interrupted()
    assert database.get_result("a", "judge") == RESULT
    database.put_result("b", "judge", RESULT)


def test_without_shared_memory_a_rollback_journal_serves(
    path: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """SQLite's own file layer for network folders (`unix-dotfile`) has none: told once, and all works."""
    connect = sqlite3.connect

    def on_network(address: str, **options: Any) -> sqlite3.Connection:
        made: sqlite3.Connection = connect(address + "&vfs=unix-dotfile", **options)
        return made

    monkeypatch.setattr(sqlite3, "connect", on_network)
    told: list[str] = []
    with Database(path, warn=told.append) as database:
        for number in range(3):
            database.put_result(f"{number}", "judge", RESULT)
        assert database._file._connection is not None
        assert database._file._connection.execute("PRAGMA synchronous").fetchone() == (3,)
        database.replace_review(PROTOCOL, REVIEWS, "run-1")
        assert database.get_result("2", "judge") == RESULT
    assert len(told) == 1
    assert "no shared memory" in told[0]
    assert list(files(tmp_path)) == ["review.db"]


class Stubborn:
    """A connection that does not switch its journal at first."""

    def __init__(self, *answers: str) -> None:
        self.answers = list(answers)

    def execute(self, sql: str) -> NoReturn:
        raise sqlite3.OperationalError(self.answers.pop(0))


def test_the_switch_of_the_journal_is_asked_for_until_it_is_free(monkeypatch: pytest.MonkeyPatch) -> None:
    """Two processes that make the file at once: SQLite refuses one of them without waiting."""
    slept: list[float] = []
    monkeypatch.setattr(time, "sleep", slept.append)

    def switch(*answers: str, seconds: float = 30.0) -> bool:
        return sqlite_file._in_wal(cast(sqlite3.Connection, Stubborn(*answers)), seconds)

    assert switch("database is locked", "database is locked", "locking protocol") is False
    assert slept == [0.01, 0.01]
    with pytest.raises(sqlite3.OperationalError, match="locked"):
        switch("database is locked", seconds=0.0)
    with pytest.raises(sqlite3.OperationalError, match="disk"):
        switch("disk I/O error")


# --- what it costs


def test_sqlite_is_imported_only_where_a_database_is_opened(tmp_path: Path) -> None:
    """A dry run over a new folder does not pay for it."""
    code = (
        "import sys; from literature_review.storage.database import Database; "
        "from literature_review.storage.memory import MemoryStore; "
        "from literature_review.storage.version_history import HistoryFile; "
        f"assert Database({str(tmp_path / 'none.db')!r}).get_result('a', 'b') is None; "
        "heavy = {'sqlite3', 'multiprocessing', 'concurrent.futures', 'importlib.resources', 'urllib'}; "
        "assert not heavy & set(sys.modules), heavy & set(sys.modules)"
    )
    root = Path(__file__).resolve().parents[2]
    subprocess.run([sys.executable, "-S", "-c", code], check=True, timeout=60, cwd=root)


def test_a_python_without_sqlite_is_told_what_to_do(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    real = builtins.__import__

    def without(name: str, *rest: Any, **options: Any) -> Any:
        if name == "sqlite3":
            raise ImportError("No module named '_sqlite3'")
        return real(name, *rest, **options)

    monkeypatch.setattr(builtins, "__import__", without)
    with pytest.raises(MissingExtraError, match="built without SQLite"):
        Database(path).put_result("a", "judge", RESULT)
    assert not path.exists()


def test_results_that_threads_keep_at_the_same_time_share_a_flush(
    database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Seven papers' results and texts come while the first one's is being committed: two transactions for all."""
    begun, gathered, commits = threading.Event(), threading.Event(), []
    alone = sqlite_file.SqliteFile.transaction

    @contextmanager
    def slow(file: sqlite_file.SqliteFile) -> Iterator[sqlite3.Connection]:
        with alone(file) as connection:
            commits.append(file.path)
            begun.set()
            assert gathered.wait(10.0)
            yield connection

    monkeypatch.setattr(sqlite_file.SqliteFile, "transaction", slow)
    text = Document("Tea.", (Page(1, 0, 4),), (), {})

    def keep(number: int) -> None:
        if number % 2:
            database.put_document(f"{number:064}", "reader", text)
        else:
            database.put_result(f"{number}.pdf", "judge", RESULT)

    threads = [threading.Thread(target=keep, args=(number,), daemon=True) for number in range(8)]
    threads[0].start()
    assert begun.wait(10.0)
    for count, thread in enumerate(threads[1:], 1):
        thread.start()
        while len(database._commits._line) < count:
            threading.Event().wait(0.001)
    gathered.set()
    for thread in threads:
        thread.join(10.0)
    assert len(commits) == 2
    assert all(database.get_result(f"{number}.pdf", "judge") == RESULT for number in range(0, 8, 2))
    assert all(database.get_document(f"{number:064}", "reader") == text for number in range(1, 8, 2))
