"""CheckpointManagerV2: what it records, how it is read back, and who may write."""

from __future__ import annotations

import json
import logging
import os
import threading
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule

from literature_review.pipeline.orchestrator_v2 import (
    CheckpointConflictError,
    CheckpointDamagedError,
    CheckpointError,
    CheckpointManagerV2,
    CheckpointSupersededError,
    CheckpointVersionError,
)


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "checkpoint.json"


def strictly(file: Path) -> Any:
    """The file as strict JSON: NaN and the like, or a key twice, fail the test."""

    def once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
        assert len(dict(pairs)) == len(pairs)
        return dict(pairs)

    return json.loads(file.read_bytes(), parse_constant=pytest.fail, object_pairs_hook=once)


def loaded(file: Path) -> CheckpointManagerV2:
    checkpoint = CheckpointManagerV2(file)
    assert checkpoint.load() is True
    return checkpoint


# What an update records


def test_constructing_touches_nothing(tmp_path: Path) -> None:
    checkpoint = CheckpointManagerV2(tmp_path / "a" / "b" / "c.json")
    assert checkpoint.load() is False
    checkpoint.close()
    assert os.listdir(tmp_path) == []
    assert checkpoint.checkpoint_file == tmp_path / "a" / "b" / "c.json"


def test_missing_folders_are_made_by_the_first_write(tmp_path: Path) -> None:
    with CheckpointManagerV2(tmp_path / "a" / "b" / "c.json") as checkpoint:
        checkpoint.update_paper_status("p", "in_progress")
    assert os.listdir(tmp_path / "a" / "b") == ["c.json"]


def test_an_unknown_stage_is_refused_and_changes_nothing(file: Path) -> None:
    checkpoint = CheckpointManagerV2(file)
    for stage in ("done", "", "Completed", None):
        with pytest.raises(ValueError, match="stage must be one of"):
            checkpoint.update_paper_status("p", stage)  # type: ignore[arg-type]
    with pytest.raises(TypeError, match="list of names"):
        checkpoint.update_paper_status("p", "completed", stages_completed="judge")
    assert checkpoint.get_paper_status("p") is None
    assert not file.exists()


def test_a_stage_that_is_done_keeps_its_time(file: Path) -> None:
    now = [1_700_000_000.0]
    with CheckpointManagerV2(file, wall_clock=lambda: now[0]) as checkpoint:
        checkpoint.update_paper_status("p", "in_progress", ["a"])
        first = (checkpoint.get_paper_status("p") or {})["stages"]["a"]
        now[0] += 60
        checkpoint.update_paper_status("p", "in_progress", ["a", "b"])
        record = checkpoint.get_paper_status("p") or {}
        assert record["stages"]["a"] == first
        assert record["stages"]["b"] > first
        assert record["started_at"] == first


def test_not_started_begins_the_paper_anew(file: Path) -> None:
    """Stages are cut to those named, with the times that they had; its times and last error go; retries stay."""
    now = [1_700_000_000.0]
    with CheckpointManagerV2(file, wall_clock=lambda: now[0]) as checkpoint:
        checkpoint.update_paper_status("p", "in_progress", ["a", "b"])
        checkpoint.increment_retries("p")
        checkpoint.update_paper_status("p", "failed", ["c"], error="no")
        before = checkpoint.get_paper_status("p") or {}
        now[0] += 60
        checkpoint.update_paper_status("p", "not_started", stages_completed=["a", "z"])
        record = checkpoint.get_paper_status("p") or {}
        assert record["stages"]["a"] == before["stages"]["a"]
        assert list(record["stages"]) == ["a", "z"]
        assert record["retries"] == 1
        assert not {"started_at", "completed_at", "last_error"} & set(record)
        checkpoint.update_paper_status("p", "not_started")
        assert (checkpoint.get_paper_status("p") or {})["stages"] == {}


def test_times_are_absent_until_known(file: Path) -> None:
    with CheckpointManagerV2(file) as checkpoint:
        checkpoint.update_paper_status("a", "not_started")
        checkpoint.update_paper_status("b", "completed")
        checkpoint.update_paper_status("b", "in_progress")
        assert checkpoint.get_paper_status("a") == {"stage": "not_started", "stages": {}, "retries": 0}
        assert "completed_at" not in (checkpoint.get_paper_status("b") or {})


def test_errors_are_kept_bounded_in_number_and_length(file: Path) -> None:
    with CheckpointManagerV2(file) as checkpoint:
        for number in range(25):
            checkpoint.update_paper_status("p", "failed", error=ValueError(f"{number} " + "x" * 100_000))
        record = checkpoint.get_paper_status("p") or {}
        assert [error["message"].split()[0] for error in record["errors"]] == [str(n) for n in range(15, 25)]
        assert set(record["errors"][0]) == {"message", "at"}
        assert record["last_error"].startswith("24 x")
    assert file.stat().st_size < 50_000


def test_statistics_are_derived_and_cannot_drift(file: Path) -> None:
    with CheckpointManagerV2(file) as checkpoint:
        for stage in ("completed", "completed", "failed", "completed"):
            checkpoint.update_paper_status("a", stage)
        checkpoint.update_paper_status("b", "failed")
        for _ in range(3):
            assert checkpoint.increment_retries("c")
        expected = {"total_papers": 3, "completed_papers": 1, "failed_papers": 1, "retries": 3}
        assert checkpoint.data["stats"] == expected
        assert checkpoint.retries == 3
    assert strictly(file)["stats"] == expected
    assert loaded(file).data["stats"] == expected


def test_increment_retries_makes_an_unknown_paper_known(file: Path) -> None:
    with CheckpointManagerV2(file) as checkpoint:
        assert checkpoint.increment_retries("p") == 1
        assert checkpoint.get_paper_status("p") == {"stage": "not_started", "stages": {}, "retries": 1}
        assert checkpoint.get_incomplete_papers() == ["p"]


def test_incomplete_papers_come_in_the_order_first_seen(file: Path) -> None:
    with CheckpointManagerV2(file) as checkpoint:
        for paper, stage in [("c", "in_progress"), ("a", "completed"), ("b", "not_started"), ("d", "failed")]:
            checkpoint.update_paper_status(paper, stage)
        checkpoint.update_paper_status("c", "in_progress")
        assert checkpoint.get_incomplete_papers() == ["c", "b"]
        assert [checkpoint.stage_of(paper) for paper in "abx"] == ["completed", "not_started", None]
    assert loaded(file).get_incomplete_papers() == ["c", "b"]


def test_what_is_read_is_the_readers_own(file: Path) -> None:
    with CheckpointManagerV2(file) as checkpoint:
        checkpoint.update_paper_status("p", "failed", ["a"], error="e")
        checkpoint.update_run(stages={"judge": {"status": "running"}})
        snapshot, record = checkpoint.data, checkpoint.get_paper_status("p") or {}
        snapshot["papers"]["p"]["stages"]["x"] = snapshot["stages"]["judge"]["status"] = "changed"
        record["errors"].append("changed")
        record["stage"] = "changed"
        assert "changed" not in json.dumps(checkpoint.data)
        assert type(snapshot) is dict


def test_data_has_the_files_keys_in_their_order(file: Path) -> None:
    with CheckpointManagerV2(file) as checkpoint:
        checkpoint.update_run(status="running", dry_run=False)
        checkpoint.update_paper_status("p", "completed")
        data = checkpoint.data
    assert list(data) == [
        "run_id", "version", "created_at", "last_updated", "papers", "stats", "status", "dry_run"
    ]  # fmt: skip
    assert strictly(file) == data
    assert list(strictly(file)) == list(data)


# Further keys of the run


def test_further_keys_of_the_run_survive_loading_and_later_updates(file: Path) -> None:
    stages = {"journal_reviewer": {"status": "completed", "attempts": 1, "duration_seconds": 1.5}}
    with CheckpointManagerV2(file) as checkpoint:
        checkpoint.update_run(status="running", stages=stages)
        checkpoint.update_run(status="completed")
    again = loaded(file)
    assert (again.data["status"], again.data["stages"]) == ("completed", stages)
    again.update_run(extra=None)
    again.close()
    assert strictly(file)["status"] == "completed"


@pytest.mark.parametrize("key", ["papers", "stats", "version", "run_id", "created_at", "last_updated"])
def test_the_formats_own_keys_are_refused(file: Path, key: str) -> None:
    with pytest.raises(ValueError, match=key):
        CheckpointManagerV2(file).update_run(**{key: 1})


def test_what_is_written_is_strict_json(file: Path) -> None:
    with CheckpointManagerV2(file) as checkpoint:
        checkpoint.update_run(a=float("nan"), b=[float("inf"), {"c": -float("inf")}], d=(1, 2), e="\ud800", f=1e308)
    document = strictly(file)
    assert [document[key] for key in "abdef"] == [None, [None, {"c": None}], [1, 2], "\ud800", 1e308]


def nested(depth: int) -> Any:
    value: Any = 1
    for _ in range(depth):
        value = [value]
    return value


@pytest.mark.parametrize(
    ("value", "error"),
    [
        (nested(100_000), ValueError),
        ({1: "a", "1": "b"}, ValueError),
        ({"a": {None: 1}}, ValueError),
        (Path("x"), TypeError),
        ({"a": {1, 2}}, TypeError),
        (b"x", TypeError),
    ],
    ids=["nested", "keys 1 and '1'", "key None", "Path", "set", "bytes"],
)
def test_what_could_not_be_read_back_is_refused_and_changes_nothing(
    file: Path, value: Any, error: type[Exception]
) -> None:
    with CheckpointManagerV2(file) as checkpoint:
        checkpoint.update_run(kept=1)
        with pytest.raises(error):
            checkpoint.update_run(bad=value)
    assert "bad" not in strictly(file)
    assert strictly(file)["kept"] == 1


def test_numbers_with_thousands_of_digits_are_refused_or_come_back(file: Path) -> None:
    number = int("9" * 4_000) * 10**1_000
    with CheckpointManagerV2(file) as checkpoint:
        checkpoint.save()
        try:
            checkpoint.update_run(number=number)
        except ValueError:
            number = 0
    assert loaded(file).data.get("number", 0) == number


# Ids


ODD_IDS = [
    "", " ", "a/b/c.pdf", "..", "line\nbreak", "\r\n", "\u2028\u2029\x85", "nul\0", "tab\t", '": {', '"a": {"stage"',
    "a\": {x", "\\", "\\u0041", "{}", "é", "e\u0301", "😀", "\ud800", "\udfff x", "\ud83d\ude00", "x" * 10_000,
    "},\n    ", "NaN", "null", "\ufeff", "journal-1",
]  # fmt: skip


def test_odd_ids_come_back_through_the_json_file(file: Path) -> None:
    with CheckpointManagerV2(file) as checkpoint:
        for paper_id in ODD_IDS:
            checkpoint.update_paper_status(paper_id, "completed", ["stage " + paper_id[:50]], error=None)
        expected = checkpoint.data
    again = loaded(file)
    assert again.data == expected
    assert all(again.stage_of(paper_id) == "completed" for paper_id in ODD_IDS)
    again.update_paper_status("new", "failed")
    again.close()
    assert list(strictly(file)["papers"]) == [*expected["papers"], "new"]


def test_odd_ids_come_back_through_the_journal(file: Path) -> None:
    checkpoint = CheckpointManagerV2(file, fold_after=1e9)
    for paper_id in ODD_IDS:
        checkpoint.update_paper_status(paper_id, "failed", error=paper_id)
    assert loaded(file).data == checkpoint.data
    checkpoint.close()


# Model: any sequence of updates, with reloads through the JSON file and through the journal


class AnySequence(RuleBasedStateMachine):
    """The manager against a plain dictionary."""

    ids = st.sampled_from([*ODD_IDS[:12], "p1", "p2"]) | st.text(max_size=5)

    def __init__(self) -> None:
        super().__init__()
        import tempfile

        self.folder = tempfile.TemporaryDirectory()
        self.file = Path(self.folder.name) / "c.json"
        self.checkpoint = CheckpointManagerV2(self.file)
        self.stages: dict[str, str] = {}
        self.done: dict[str, set[str]] = {}
        self.retries: dict[str, int] = {}

    @rule(
        paper=ids, stage=st.sampled_from(["not_started", "in_progress", "completed", "failed"]),
        names=st.lists(st.sampled_from("abc"), max_size=3), error=st.none() | st.text(max_size=5),
        wait=st.booleans(),
    )  # fmt: skip
    def update(self, paper: str, stage: str, names: list[str], error: str | None, wait: bool) -> None:
        record = self.checkpoint.update_paper_status if wait else self.checkpoint.note_paper_status
        record(paper, stage, names, error)
        self.stages[paper] = stage
        done = set() if stage == "not_started" else self.done.get(paper, set())
        self.done[paper] = done | set(names)

    @rule(paper=ids)
    def retry(self, paper: str) -> None:
        self.checkpoint.increment_retries(paper)
        self.stages.setdefault(paper, "not_started")
        self.done.setdefault(paper, set())
        self.retries[paper] = self.retries.get(paper, 0) + 1

    @rule()
    def save(self) -> None:
        self.checkpoint.save()

    @rule()
    def close_and_go_on(self) -> None:
        self.checkpoint.close()

    @rule()
    def reload(self) -> None:
        self.checkpoint.close()
        if self.stages:
            self.checkpoint = loaded(self.file)

    @rule()
    def read_beside(self) -> None:
        """Another manager sees everything that was flushed, before any fold."""
        if self.stages:
            self.checkpoint.flush()
            assert loaded(self.file).data == self.checkpoint.data

    @invariant()
    def agrees(self) -> None:
        papers = self.checkpoint.data["papers"]
        assert list(papers) == list(self.stages)
        assert {paper: record["stage"] for paper, record in papers.items()} == self.stages
        assert {paper: set(record["stages"]) for paper, record in papers.items()} == self.done
        stats = self.checkpoint.data["stats"]
        stages = list(self.stages.values())
        assert stats["completed_papers"] == stages.count("completed")
        assert stats["failed_papers"] == stages.count("failed")
        assert stats["retries"] == sum(self.retries.values())

    def teardown(self) -> None:
        self.checkpoint.close()
        if self.stages:
            assert list(strictly(self.file)["papers"]) == list(self.stages)
            assert os.listdir(self.folder.name) == ["c.json"]
        self.folder.cleanup()


TestAnySequence = AnySequence.TestCase
TestAnySequence.settings = settings(max_examples=25, stateful_step_count=20, deadline=None)


@given(order=st.permutations(range(8)), cut=st.integers(0, 8))
@settings(max_examples=20, deadline=None)
def test_two_managers_with_the_same_updates_agree(order: list[int], cut: int) -> None:
    """Memory only (dry run) and disk, the latter closed and reloaded somewhere in between."""
    import tempfile

    with tempfile.TemporaryDirectory() as folder:
        memory = CheckpointManagerV2(Path(folder) / "m.json", dry_run=True, wall_clock=lambda: 0.0)
        disk = CheckpointManagerV2(Path(folder) / "d.json", wall_clock=lambda: 0.0)
        for step, number in enumerate(order):
            if step == cut and step:
                disk.close()
                disk = CheckpointManagerV2(Path(folder) / "d.json", wall_clock=lambda: 0.0)
                assert disk.load()
            for manager in (memory, disk):
                manager.update_paper_status(f"p{number % 3}", ["in_progress", "failed"][number % 2], [f"s{number}"])
        assert memory.data["papers"] == disk.data["papers"]
        disk.close()
        assert os.listdir(folder) == ["d.json"]


# Files


def test_after_close_only_the_json_file_remains_and_an_update_opens_it_again(file: Path) -> None:
    checkpoint = CheckpointManagerV2(file)
    checkpoint.update_paper_status("a", "completed")
    assert {path.name for path in file.parent.iterdir()} >= {"checkpoint.json.lock", "checkpoint.json.journal-1"}
    checkpoint.close()
    checkpoint.close()
    assert os.listdir(file.parent) == ["checkpoint.json"]
    checkpoint.update_paper_status("b", "completed")
    checkpoint.close()
    assert list(strictly(file)["papers"]) == ["a", "b"]
    assert os.listdir(file.parent) == ["checkpoint.json"]


def test_save_brings_the_json_file_up_to_date_at_once(file: Path) -> None:
    checkpoint = CheckpointManagerV2(file, fold_after=1e9)
    checkpoint.save()
    assert strictly(file)["papers"] == {}
    for number in range(3):
        checkpoint.update_paper_status(f"p{number}", "completed")
        checkpoint.save()
        assert len(strictly(file)["papers"]) == number + 1
    assert not (file.parent / "checkpoint.json.tmp").exists()
    checkpoint.close()


def test_the_json_file_follows_by_itself(file: Path) -> None:
    """Without save or close, a person who reads only the JSON file sees the updates."""
    checkpoint = CheckpointManagerV2(file, fold_after=0.01)
    for number in range(3):
        checkpoint.update_paper_status(f"p{number}", "completed")
        for _ in range(1_000):
            if file.exists() and len(strictly(file)["papers"]) == number + 1:
                break
            threading.Event().wait(0.005)
        else:
            pytest.fail("the file did not follow within 5 s")
    checkpoint.close()


def test_folding_takes_at_most_a_twentieth_of_the_time(file: Path) -> None:
    """A fold that took 2 s is followed by 38 s without one; a quick one by fold_after."""
    ticks = iter([0.0, 2.0, 100.0, 100.001])
    checkpoint = CheckpointManagerV2(file, fold_after=1.0)
    checkpoint.update_paper_status("p", "completed")
    checkpoint._closing.set()
    thread = checkpoint._fold_thread
    if thread is not None:
        thread.join()
    checkpoint._clock = lambda: next(ticks)
    checkpoint._fold()
    assert checkpoint._fold_due == pytest.approx(40.0)
    checkpoint._fold()
    assert checkpoint._fold_due == pytest.approx(101.0)
    checkpoint._clock = lambda: 0.0
    checkpoint.close()


def test_the_file_is_one_paper_a_line(file: Path) -> None:
    with CheckpointManagerV2(file) as checkpoint:
        for number in range(50):
            checkpoint.update_paper_status(f"p{number}\n", "completed")
    lines = file.read_text().splitlines()
    assert sum(line.startswith('    "p') for line in lines) == 50
    assert len(lines) < 70


def test_a_file_edited_by_hand_is_taken_with_what_was_added(file: Path) -> None:
    document = {
        "papers": {
            "a": {"stage": "completed", "note": {"mine": [1]}, "errors": []},
            "b": {"stage": "in_progress", "stages": {}, "retries": 2},
        },
        "run_id": "mine",
        "comment": "kept",
        "limit": float("nan"),
    }
    file.write_text("\ufeff" + json.dumps(document, indent=7).replace("\n", "\r\n"), encoding="utf-8")
    checkpoint = loaded(file)
    checkpoint.update_paper_status("a", "in_progress", ["x"])
    checkpoint.increment_retries("b")
    checkpoint.close()
    again = strictly(file)
    assert again["papers"]["a"]["note"] == {"mine": [1]}
    assert (again["comment"], again["limit"], again["run_id"]) == ("kept", None, "mine")
    assert again["stats"]["retries"] == 3


def test_a_line_that_ends_like_another_layout_is_not_mixed_up(file: Path) -> None:
    """Our layout, but with two papers on one line: read as JSON says, and written anew."""
    with CheckpointManagerV2(file) as checkpoint:
        for paper in "abc":
            checkpoint.update_paper_status(paper, "completed")
    text = file.read_text()
    file.write_text(text.replace('},\n    "b"', '}, "b"', 1))
    again = loaded(file)
    again.update_paper_status("b", "failed")
    again.close()
    assert [r["stage"] for r in strictly(file)["papers"].values()] == ["completed", "failed", "completed"]


def test_relative_names_hold_when_the_current_folder_changes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    checkpoint = CheckpointManagerV2("c.json")
    (tmp_path / "elsewhere").mkdir()
    monkeypatch.chdir(tmp_path / "elsewhere")
    checkpoint.update_paper_status("p", "completed")
    checkpoint.close()
    assert checkpoint.checkpoint_file == "c.json"
    assert (tmp_path / "c.json").exists()


def test_through_a_symbolic_link_the_file_itself_is_replaced(tmp_path: Path) -> None:
    (tmp_path / "real").mkdir()
    (tmp_path / "link.json").symlink_to(tmp_path / "real" / "c.json")
    with CheckpointManagerV2(tmp_path / "link.json") as checkpoint:
        checkpoint.update_paper_status("p", "completed")
    assert (tmp_path / "link.json").is_symlink()
    assert os.listdir(tmp_path / "real") == ["c.json"]


def test_a_dry_run_keeps_all_in_memory_and_touches_no_file(file: Path) -> None:
    with CheckpointManagerV2(file) as checkpoint:
        checkpoint.update_paper_status("real", "completed")
    before = file.read_bytes(), file.stat().st_mtime_ns
    with CheckpointManagerV2(file, dry_run=True) as dry:
        dry.update_paper_status("a", "completed", ["s"])
        dry.increment_retries("a")
        dry.update_run(status="x")
        dry.save()
        assert dry.data["stats"]["total_papers"] == 1
        assert dry.load() is True
        dry.update_paper_status("b", "completed")
        assert list(dry.data["papers"]) == ["real", "b"]
    assert (file.read_bytes(), file.stat().st_mtime_ns) == before
    assert os.listdir(file.parent) == ["checkpoint.json"]


# Loading


def test_a_missing_or_an_empty_file_is_false(file: Path) -> None:
    assert CheckpointManagerV2(file).load() is False
    for nothing in (b"", b" \n"):
        file.write_bytes(nothing)
        assert CheckpointManagerV2(file).load() is False
    with CheckpointManagerV2(file) as checkpoint:
        checkpoint.update_paper_status("p", "completed")
    assert os.listdir(file.parent) == ["checkpoint.json"]
    assert loaded(file).get_incomplete_papers() == []


@pytest.mark.parametrize(
    "content",
    [
        b"{", b"[]", b"{}", b"null", b'{"papers": []}', b'{"papers": {"a": 1}}', b'{"papers": {"a": {"stage": "x"}}}',
        b'{"papers": {"a": {"stage": ["completed"]}}}', b'{"papers": {"a": {"stage": "failed", "stages": []}}}',
        b'{"papers": {"a": {"stage": "failed", "retries": "1"}}}', b'{"papers": {}, "version": "old"}',
        b'{"papers": {"a": {"stage": "failed", "errors": {}}}}', b"\xff\xfe\x00", b"[" * 200_000,
        b'{"papers": {"a": {"stage": "failed", "x": ' + b"[" * 150 + b"]" * 150 + b"}}}",
    ],
    ids=lambda content: repr(content[:40]),
)  # fmt: skip
def test_a_file_that_is_no_checkpoint_raises_names_the_file_and_destroys_nothing(file: Path, content: bytes) -> None:
    file.write_bytes(content)
    with pytest.raises(CheckpointDamagedError, match=r"checkpoint\.json is damaged at byte .* Nothing has been"):
        CheckpointManagerV2(file).load()
    assert file.read_bytes() == content
    assert os.listdir(file.parent) == ["checkpoint.json"]


@pytest.mark.parametrize("version", ["2.1.0", "3.0.0", "10.0"])
def test_a_newer_format_is_refused_by_name(file: Path, version: str) -> None:
    file.write_text(json.dumps({"version": version, "papers": {}}))
    with pytest.raises(CheckpointVersionError, match=version):
        CheckpointManagerV2(file).load()
    assert os.listdir(file.parent) == ["checkpoint.json"]


def test_a_file_of_the_v1_program_is_kept_beside_and_its_stages_told(
    file: Path, caplog: pytest.LogCaptureFixture
) -> None:
    old = {"run_id": "r", "pipeline_version": "1.2.0", "stages": {"judge": {"status": "completed"}, "dra": "failed"}}
    file.write_text(json.dumps(old))
    with caplog.at_level(logging.WARNING):
        checkpoint = CheckpointManagerV2(file)
        assert checkpoint.load() is False
        assert CheckpointManagerV2(file).load() is False
    assert "judge completed, dra failed" in caplog.text
    assert json.loads(file.read_text()) == old
    checkpoint.update_paper_status("p", "completed")
    checkpoint.close()
    assert sorted(os.listdir(file.parent)) == ["checkpoint.json", "checkpoint.v1.json"]
    assert json.loads((file.parent / "checkpoint.v1.json").read_text()) == old
    assert list(strictly(file)["papers"]) == ["p"]


def test_a_v1_file_is_kept_as_well_if_nobody_loaded_it_and_never_over_another(file: Path) -> None:
    (file.parent / "checkpoint.v1.json").write_text('{"stages": "other"}')
    file.write_text('{"stages": []}')
    with CheckpointManagerV2(file) as checkpoint:
        checkpoint.update_paper_status("p", "completed")
    assert (file.parent / "checkpoint.v1.json").read_text() == '{"stages": "other"}'
    assert (file.parent / "checkpoint.v1.2.json").read_text() == '{"stages": []}'


def test_a_dry_run_does_not_copy_a_v1_file(file: Path, caplog: pytest.LogCaptureFixture) -> None:
    file.write_text('{"stages": {}}')
    assert CheckpointManagerV2(file, dry_run=True).load() is False
    assert os.listdir(file.parent) == ["checkpoint.json"]
    assert "format 1.x" in caplog.text


# A new run beside an old one


def run_once(file: Path, paper: str, stage: str = "in_progress") -> None:
    with CheckpointManagerV2(file) as checkpoint:
        checkpoint.update_paper_status(paper, stage)


def test_a_new_run_sets_the_old_one_aside_and_never_over_unfinished_papers(file: Path) -> None:
    run_once(file, "first")
    run_once(file, "second", "completed")
    run_once(file, "third")
    run_once(file, "fourth")
    aside = {path.name: list(strictly(path)["papers"]) for path in file.parent.iterdir()}
    assert aside == {
        "checkpoint.json": ["fourth"],
        "checkpoint.previous.json": ["first"],
        "checkpoint.previous.2.json": ["third"],  # over "second", whose papers were finished
    }


def test_what_only_the_old_runs_journal_held_is_set_aside_with_it(file: Path) -> None:
    old = CheckpointManagerV2(file, fold_after=1e9)
    old.update_paper_status("a", "in_progress")
    old.save()
    old.update_paper_status("b", "in_progress")
    new = CheckpointManagerV2(file)
    new.update_paper_status("c", "completed")
    assert list(strictly(file.parent / "checkpoint.previous.json")["papers"]) == ["a", "b"]
    new.close()
    assert sorted(os.listdir(file.parent)) == ["checkpoint.json", "checkpoint.previous.json"]


def test_an_old_run_that_cannot_be_read_is_set_aside_as_it_is(file: Path) -> None:
    file.write_bytes(b"{broken")
    (file.parent / "checkpoint.json.journal-3").write_bytes(b"broken too")
    run_once(file, "p", "completed")
    assert (file.parent / "checkpoint.previous.json").read_bytes() == b"{broken"
    assert (file.parent / "checkpoint.previous.json.journal-3").read_bytes() == b"broken too"
    with pytest.raises(CheckpointDamagedError):
        CheckpointManagerV2(file.parent / "checkpoint.previous.json").load()
    run_once(file, "q")
    assert (file.parent / "checkpoint.previous.json").read_bytes() == b"{broken"


def test_a_name_without_json_gets_its_neighbours_names_by_the_whole_name(tmp_path: Path) -> None:
    run_once(tmp_path / "state", "a")
    run_once(tmp_path / "state", "b")
    assert sorted(os.listdir(tmp_path)) == ["state", "state.previous.json"]


# One writer


def test_a_later_manager_of_the_process_takes_over_and_the_earlier_ones_write_raises(file: Path) -> None:
    first = CheckpointManagerV2(file)
    first.update_paper_status("a", "completed")
    second = loaded(file)
    second.update_paper_status("b", "completed")
    with pytest.raises(CheckpointSupersededError, match="later manager"):
        first.update_paper_status("c", "completed")
    with pytest.raises(CheckpointError):
        first.save()
    first.close()
    second.update_paper_status("d", "completed")
    second.close()
    assert list(strictly(file)["papers"]) == ["a", "b", "d"]
    assert first.load() is True
    first.update_paper_status("e", "completed")
    first.close()
    assert len(strictly(file)["papers"]) == 4


def test_who_loaded_an_older_state_is_refused_and_the_writer_goes_on(file: Path) -> None:
    writer = CheckpointManagerV2(file)
    writer.update_paper_status("a", "completed")
    reader = loaded(file)
    writer.update_paper_status("b", "completed")
    with pytest.raises(CheckpointConflictError, match="load it again"):
        reader.update_paper_status("c", "completed")
    writer.update_paper_status("d", "completed")
    writer.close()
    with pytest.raises(CheckpointConflictError):
        reader.update_paper_status("c", "completed")
    assert os.listdir(file.parent) == ["checkpoint.json"]
    assert reader.load()
    reader.update_paper_status("c", "completed")
    reader.close()
    assert list(strictly(file)["papers"]) == ["a", "b", "d", "c"]


def test_who_was_refused_is_refused_again_until_it_has_loaded(file: Path) -> None:
    """A second try must not write over what the first was refused for."""
    run_once(file, "a")
    reader = loaded(file)
    other = loaded(file)
    other.update_paper_status("b", "completed")
    other.close()
    for _ in range(3):
        with pytest.raises(CheckpointConflictError, match="load it again"):
            reader.update_paper_status("c", "completed")
    assert list(strictly(file)["papers"]) == ["a", "b"]
    assert os.listdir(file.parent) == ["checkpoint.json"]


def test_a_fold_that_changes_nothing_does_not_refuse_who_loaded_before_it(file: Path) -> None:
    writer = CheckpointManagerV2(file)
    writer.update_paper_status("a", "completed")
    reader = loaded(file)
    writer.close()
    reader.update_paper_status("b", "completed")
    reader.close()
    assert list(strictly(file)["papers"]) == ["a", "b"]


def test_load_of_the_writer_itself_keeps_what_it_has(file: Path) -> None:
    with CheckpointManagerV2(file) as checkpoint:
        checkpoint.note_paper_status("a", "in_progress")
        assert checkpoint.load() is True
        assert checkpoint.get_incomplete_papers() == ["a"]


def test_a_journal_of_another_run_is_refused(file: Path) -> None:
    checkpoint = CheckpointManagerV2(file, fold_after=1e9)
    checkpoint.update_paper_status("a", "completed")
    journal = file.parent / "checkpoint.json.journal-1"
    kept = journal.read_bytes() if journal.exists() else (file.parent / "checkpoint.json.journal-2").read_bytes()
    checkpoint.close()
    document = strictly(file) | {"run_id": "another"}
    file.write_text(json.dumps(document))
    journal.write_bytes(kept)
    with pytest.raises(CheckpointDamagedError, match="not of that in"):
        CheckpointManagerV2(file).load()


# Threads


def test_updates_of_many_threads_are_all_there_and_share_flushes(file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    flushes = [0]
    fdatasync = os.fdatasync

    def counted(descriptor: int) -> None:
        flushes[0] += 1
        fdatasync(descriptor)

    monkeypatch.setattr(os, "fdatasync", counted)
    checkpoint = CheckpointManagerV2(file)
    barrier = threading.Barrier(8)

    def work(number: int) -> None:
        barrier.wait()
        for step in range(50):
            checkpoint.update_paper_status(f"{number}-{step}", "completed", ["s"])
            checkpoint.increment_retries(f"{number}")

    threads = [threading.Thread(target=work, args=(number,)) for number in range(8)]
    for thread in threads:
        thread.start()
    for _ in range(20):
        loaded(file) if file.exists() else None
        checkpoint.update_paper_status("main", "in_progress")
    for thread in threads:
        thread.join()
    assert flushes[0] < 8 * 100 * 0.75
    checkpoint.close()
    document = strictly(file)
    assert len(document["papers"]) == 8 * 50 + 8 + 1
    assert document["stats"]["retries"] == 8 * 50
    assert os.listdir(file.parent) == ["checkpoint.json"]


def test_closing_while_others_update_loses_nothing(file: Path) -> None:
    checkpoint = CheckpointManagerV2(file)

    def work(number: int) -> None:
        for step in range(30):
            checkpoint.update_paper_status(f"{number}-{step}", "completed")

    threads = [threading.Thread(target=work, args=(number,)) for number in range(4)]
    for thread in threads:
        thread.start()
    while any(thread.is_alive() for thread in threads):
        checkpoint.close()
    for thread in threads:
        thread.join()
    checkpoint.close()
    assert len(strictly(file)["papers"]) == 120
    assert os.listdir(file.parent) == ["checkpoint.json"]
