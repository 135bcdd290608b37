"""The version history: a version where something was found that differs, and never a version lost."""

from __future__ import annotations

import dataclasses
import errno
import json
import os
import sys
import threading
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from literature_review.errors import StoreError
from literature_review.models import Bibliography, ScreeningDecision
from literature_review.storage.version_history import HistoryFile
from tests.unit.test_storage_database import claim, review

pytestmark = pytest.mark.unit

NOW = "2025-11-14T03:16:29"


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "review_version_history.json"


@pytest.fixture
def history(path: Path) -> HistoryFile:
    return HistoryFile(path, now=lambda: NOW)


def data(path: Path) -> dict[str, Any]:
    return dict(json.loads(path.read_text(encoding="utf-8")))


def test_the_first_version_says_what_was_found(history: HistoryFile, path: Path) -> None:
    """Run, time, state, what it was made from, every claim with its verdict, and the changes."""
    found = claim()
    assert history.record([review(claims=(found,))], "run-1", {"a.pdf": {"content": "1"}}) == 1
    assert data(path) == {
        "version": "2.0.0",
        "papers": {
            "a.pdf": [
                {
                    "version": 1,
                    "run_id": "run-1",
                    "recorded_at": NOW,
                    "state": "reviewed",
                    "error": "",
                    "error_type": "",
                    "made_from": {"content": "1"},
                    "review": {
                        "title": "On falls",
                        "authors": ["A. Newton", "B. Hooke"],
                        "year": 2020,
                        "doi": "10.1/x",
                        "language": "en",
                        "duplicate_of": "",
                        "screening": {"included": True, "criterion": "", "reason": ""},
                        "claims": {
                            found.id: {
                                "sub_requirement": "S1",
                                "quote": "It fell.",
                                "page": 3,
                                "status": "approved",
                                "score": 0.8,
                                "coverage": "covered",
                                "reason": "says so",
                            }
                        },
                    },
                    "changes": {"added": [found.id], "removed": [], "changed": []},
                }
            ]
        },
    }


def test_the_same_review_again_adds_nothing_and_rewrites_nothing(history: HistoryFile, path: Path) -> None:
    """Another run, another time, other digests, other words of the same error: the file is the same file."""
    reviews = [review(claims=(claim(),)), review("b.pdf", state="failed", error="after 3 s", error_type="transient")]
    assert history.record(reviews, "run-1", {}) == 2
    before, inode = path.read_bytes(), path.stat().st_ino
    again = [reviews[0], dataclasses.replace(reviews[1], error="after 4 s")]
    later = HistoryFile(path, now=lambda: "2026-01-01T00:00:00")
    assert later.record(again, "run-2", {"a.pdf": {"content": "2"}}) == 0
    assert later.record([], "run-3", {}) == 0
    assert (path.read_bytes(), path.stat().st_ino) == (before, inode)


def test_a_change_adds_a_version_with_what_came_went_and_changed(history: HistoryFile) -> None:
    kept, gone, new = claim(start=0), claim(start=20), claim(start=40)
    history.record([review(claims=(kept, gone)), review("b.pdf")], "run-1", {})
    changed = dataclasses.replace(kept, status="rejected", reason="does not say so")
    assert history.record([review(claims=(new, changed)), review("b.pdf")], "run-2", {}) == 1
    first, second = history.versions("a.pdf")
    assert (first["version"], second["version"], second["run_id"]) == (1, 2, "run-2")
    assert second["changes"] == {"added": [new.id], "removed": [gone.id], "changed": [kept.id]}
    assert second["review"]["claims"][kept.id]["reason"] == "does not say so"
    assert len(history.versions("b.pdf")) == 1


@pytest.mark.parametrize(
    "fields",
    [
        {"state": "excluded", "screening": ScreeningDecision(False, "years", "too old")},
        {"state": "failed", "error": "it crashed", "error_type": "unknown"},
        {"state": "duplicate", "duplicate_of": "b.pdf"},
        {"bibliography": Bibliography("Another title")},
    ],
)
def test_whatever_was_found_otherwise_is_a_version(history: HistoryFile, fields: dict[str, Any]) -> None:
    """Screening, failure, duplicates and bibliography count as claims do; and so does the way back."""
    history.record([review()], "run-1", {})
    assert history.record([review(**fields)], "run-2", {}) == 1
    assert history.record([review()], "run-3", {}) == 1
    assert [version["version"] for version in history.versions("a.pdf")] == [1, 2, 3]


def test_a_paper_that_left_keeps_its_versions(history: HistoryFile) -> None:
    """And goes on with them when it comes back."""
    history.record([review()], "run-1", {})
    history.record([review("b.pdf")], "run-2", {})
    assert history.record([review()], "run-3", {}) == 0
    assert len(history.versions("a.pdf")) == 1


def test_nothing_is_made_before_a_version_is_added(tmp_path: Path) -> None:
    history = HistoryFile(tmp_path / "out" / "history.json")
    assert history.versions("a.pdf") == []
    assert history.record([], "run-1", {}) == 0
    assert list(tmp_path.iterdir()) == []
    history.record([review()], "run-1", {})
    assert [entry.name for entry in (tmp_path / "out").iterdir()] == ["history.json"]


def test_a_version_stands_on_a_line_and_reads_as_it_was_written(history: HistoryFile, path: Path) -> None:
    """People compare two states of the file line by line; é is é."""
    history.record([review(claims=(claim(quote="es fiel\nschön\u2028"),)), review("é.pdf")], "run-1", {})
    lines = path.read_text(encoding="utf-8").split("\n")
    assert len([line for line in lines if '"run_id": "run-1"' in line]) == 2
    assert any("schön" in line for line in lines)
    assert any(line.startswith('  "é.pdf": [') for line in lines)


ODD = st.text(st.characters() | st.sampled_from(["\0", "\ud83d", "\ude00", "\udcff", '"', "\\", "\u2028"]))


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(ODD, ODD)
def test_any_text_is_kept_and_is_no_change_the_next_time(tmp_path: Path, quote: str, name: str) -> None:
    """Lone surrogates, NUL and quotes: valid JSON in UTF-8, and equal to itself when it comes back."""
    path = tmp_path / "history.json"
    path.unlink(missing_ok=True)
    paper = "caf\udce9" + name.encode("utf-8", "surrogatepass").hex()
    reviews = [review(paper, claims=(claim(quote=quote),), bibliography=Bibliography(name, (quote,)))]
    assert HistoryFile(path).record(reviews, name, {paper: {name: quote}}) == 1
    assert list(data(path)["papers"]) == [paper]
    assert HistoryFile(path).record(reviews, "run-2", {}) == 0
    assert len(HistoryFile(path).versions(paper)) == 1


def test_keys_that_we_do_not_know_are_kept(history: HistoryFile, path: Path) -> None:
    """A note that a person wrote into the file outlives the next run."""
    history.record([review()], "run-1", {})
    edited = data(path)
    edited["note"] = {"by": "a person"}
    edited["papers"]["a.pdf"][0]["note"] = "checked"
    path.write_text(json.dumps(edited))
    history.record([review("b.pdf")], "run-2", {})
    assert data(path)["note"] == {"by": "a person"}
    assert history.versions("a.pdf")[0]["note"] == "checked"


def test_a_score_that_is_no_number_is_refused_by_name(history: HistoryFile, path: Path) -> None:
    """NaN is no JSON: told before anything is written."""
    with pytest.raises(ValueError, match=r"a\.pdf"):
        history.record([review(claims=(claim(score=float("nan")),))], "run-1", {})
    assert not path.exists()


# --- files that are not ours to overwrite

VERSION = {"version": 1, "state": "reviewed", "review": {"claims": {}}}


@pytest.mark.parametrize(
    ("text", "named"),
    [
        ("", "not one whole JSON document"),
        ('{"version": "2.0.0", "papers": {"a.pdf": [{"vers', "not one whole JSON document"),
        ("\0" * 4096, "not one whole JSON document"),
        ("[" * 100_000, "not one whole JSON document"),
        ("9" * 5000, ""),
        ("7", "not a version history"),
        ('"text"', "not a version history"),
        ('{"my": "settings"}', "not a version history"),
        ('{"version": "2.0.0"}', "not a version history"),
        ('{"papers": {}}', "does not name its format"),
        ('{"version": 2, "papers": {}}', "does not name its format"),
        ('{"version": "two", "papers": {}}', "does not name its format"),
        (f'{{"version": "{"2" * 5000}", "papers": {{}}}}', "does not name its format"),
        ('{"version": "2.0.0", "papers": []}', "not a version history"),
        ('{"version": "2.0.0", "papers": {"a.pdf": {}}}', "paper 'a.pdf'"),
        ('{"version": "2.0.0", "papers": {"a.pdf": [1]}}', "paper 'a.pdf'"),
        ('{"version": "2.0.0", "papers": {"a.pdf": [{"review": {"claims": {"c": 1}}}]}}', "paper 'a.pdf'"),
        ('{"version": "2.1.0", "papers": {}}', r"format 2\.1\.0"),
        ('{"version": "3", "papers": {}, "more": 1}', "format 3"),
    ],
)
def test_a_torn_foreign_or_newer_file_is_named_and_kept(
    history: HistoryFile, path: Path, text: str, named: str
) -> None:
    """Never read as empty, never overwritten."""
    path.write_text(text)
    for attempt in (lambda: history.versions("a.pdf"), lambda: history.record([review()], "run-1", {})):
        with pytest.raises(StoreError, match=rf"review_version_history\.json .*{named}.* left as it is"):
            attempt()
    assert path.read_text() == text
    assert [entry.name for entry in path.parent.iterdir()] == [path.name]


def test_bytes_that_are_no_text_are_named_and_kept(history: HistoryFile, path: Path) -> None:
    path.write_bytes(b"\xff\xfe\x00\xd8\x00")
    with pytest.raises(StoreError, match="not one whole JSON document"):
        history.record([review()], "run-1", {})
    assert path.read_bytes() == b"\xff\xfe\x00\xd8\x00"


def test_a_folder_in_its_place_is_an_os_error(history: HistoryFile, path: Path) -> None:
    path.mkdir()
    with pytest.raises(OSError):
        history.record([review()], "run-1", {})


@pytest.mark.parametrize(
    "text",
    [
        '{"a.pdf": [{"timestamp": "2024-01-01", "review": {}}], "b.pdf": []}',
        '[{"timestamp": "2024-01-01"}]',
        '{"version": "1.2.0", "papers": {"a.pdf": []}}',
        "{}",
        "[]",
    ],
)
def test_a_file_of_format_1_is_set_aside_and_told(path: Path, text: str) -> None:
    """Kept byte for byte beside the new history, over no earlier one; reading alone moves nothing."""
    path.write_text(text)
    path.with_name("review_version_history.v1.json").write_text("an earlier one")
    told: list[str] = []
    history = HistoryFile(path, warn=told.append)
    assert history.versions("a.pdf") == []
    assert path.read_text() == text
    assert history.record([review()], "run-1", {}) == 1
    assert history.record([review()], "run-2", {}) == 0
    assert path.with_name("review_version_history.v1.2.json").read_text() == text
    assert path.with_name("review_version_history.v1.json").read_text() == "an earlier one"
    assert list(data(path)["papers"]) == ["a.pdf"]
    assert len(told) == 1
    assert "review_version_history.v1.2.json" in told[0]


# --- others who write it


@pytest.mark.parametrize("locks", [True, False])
def test_threads_lose_no_version(path: Path, monkeypatch: pytest.MonkeyPatch, locks: bool) -> None:
    """Sixteen at once, each with a paper of its own, through one object; through several where there are locks."""
    if not locks:
        monkeypatch.setitem(sys.modules, "fcntl", None)
    shared = HistoryFile(path)
    threads = [
        threading.Thread(
            target=(HistoryFile(path) if locks and index % 2 else shared).record,
            args=([review(f"{index}.pdf")], "run", {}),
        )
        for index in range(16)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(data(path)["papers"]) == sorted(f"{index}.pdf" for index in range(16))
    assert [entry.name for entry in path.parent.iterdir()] == [path.name]


def test_another_process_that_does_not_finish_is_told(path: Path) -> None:
    """After `busy_seconds`, by name, with nothing changed."""
    fcntl = pytest.importorskip("fcntl")
    holder = os.open(path.parent, os.O_RDONLY)
    try:
        fcntl.flock(holder, fcntl.LOCK_EX)
        with pytest.raises(StoreError, match=r"review_version_history\.json is being written by another process"):
            HistoryFile(path, busy_seconds=0).record([review()], "run-1", {})
    finally:
        os.close(holder)
    assert not path.exists()
    assert HistoryFile(path, busy_seconds=0).record([review()], "run-1", {}) == 1


def no_locks(descriptor: int, operation: int) -> None:
    raise OSError(errno.ENOLCK, os.strerror(errno.ENOLCK))


def test_a_system_without_file_locks_records_all_the_same(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Windows has no fcntl; a network file system may have no locks."""
    monkeypatch.setitem(sys.modules, "fcntl", None)
    assert HistoryFile(path).record([review()], "run-1", {}) == 1
    fcntl = SimpleNamespace(LOCK_EX=1, LOCK_NB=2, flock=no_locks)
    monkeypatch.setitem(sys.modules, "fcntl", fcntl)
    assert HistoryFile(path).record([review("b.pdf")], "run-2", {}) == 1
