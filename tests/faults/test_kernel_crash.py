"""The checkpoint after kill -9, loss of power, and damage: what was acknowledged is there, or the damage is named."""

from __future__ import annotations

import contextlib
import logging
import os
import random
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from literature_review.pipeline.orchestrator_v2 import (
    CheckpointDamagedError,
    CheckpointManagerV2,
)

pytestmark = pytest.mark.fault
ROOT = Path(__file__).resolve().parents[2]


def python(script: str, *arguments: str) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-c", script, *arguments],
        cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
    )  # fmt: skip


UPDATES = """
import os, sys, threading
from literature_review.pipeline.orchestrator_v2 import CheckpointManagerV2
checkpoint = CheckpointManagerV2(sys.argv[1], fold_after=0.01)
checkpoint.load()
def work(name):
    for step in range(100_000):
        checkpoint.update_paper_status(f"{name}-{step % 50}", "in_progress", [f"s{step}"])
        os.write(1, f"{name} {step}\\n".encode())
threads = [threading.Thread(target=work, args=(f"{sys.argv[2]}{n}",)) for n in range(3)]
for thread in threads: thread.start()
work(sys.argv[2] + "main")
"""


def killed_once(file: Path, name: str, before: float, chance: random.Random) -> dict[str, int]:
    """Let a process update until it is killed; the last step that it acknowledged, for each of its threads."""
    with python(UPDATES, str(file), name) as process:
        assert process.stdout is not None
        first = "" if before else process.stdout.readline()
        time.sleep(before or chance.uniform(0, 0.03))
        process.kill()
        output = first + process.stdout.read()  # communicate() would pass over what readline() has read ahead
    assert process.returncode == -signal.SIGKILL
    acknowledged = {}
    for line in output.splitlines(keepends=True):
        if line.endswith("\n"):  # the last line may be cut
            thread, step = line.split()
            acknowledged[thread] = int(step)
    return acknowledged


def lost_updates(file: Path, acknowledged: dict[str, int]) -> list[str]:
    """The acknowledged steps that are not in the checkpoint."""
    checkpoint = CheckpointManagerV2(file)
    assert checkpoint.load() is True or not acknowledged
    papers = checkpoint.data["papers"]
    return [
        f"{thread} {step}"
        for thread, last in acknowledged.items()
        for step in range(last + 1)
        if f"s{step}" not in papers.get(f"{thread}-{step % 50}", {"stages": ()})["stages"]
    ]


def test_what_was_acknowledged_survives_kill_9_at_any_moment(tmp_path: Path, long: bool) -> None:
    """Twenty rounds over one file: each loads what the one before left, and goes on.

    Every third process is killed while it starts, loads or takes up what was left.  `--long`: 125 such files.
    """
    chance = random.Random()
    checked = 0
    for number in range(125 if long else 1):
        file = tmp_path / str(number) / "c.json"
        acknowledged: dict[str, int] = {}
        for round_number in range(20):
            before = chance.uniform(0.02, 0.15) if round_number % 3 == 2 else 0.0
            acknowledged |= killed_once(file, f"r{round_number}", before, chance)
            assert lost_updates(file, acknowledged) == []
        checked += sum(last + 1 for last in acknowledged.values())
        logging.info("%d rounds, %d acknowledged updates, none lost", 20 * (number + 1), checked)
        with CheckpointManagerV2(file) as checkpoint:
            assert checkpoint.load()
            checkpoint.update_paper_status("last", "completed")
        assert os.listdir(file.parent) == ["c.json"]


def test_a_journal_without_its_json_file_is_enough(tmp_path: Path) -> None:
    """Killed before the first fold: what was acknowledged lies in the journal alone, and load() is True."""
    script = UPDATES.replace("checkpoint.load()", "os.replace = lambda *_: os.kill(os.getpid(), 9)")
    process = python(script, str(tmp_path / "c.json"), "x")
    output = process.communicate(timeout=60)[0]
    assert process.returncode == -signal.SIGKILL
    assert not (tmp_path / "c.json").exists()
    checkpoint = CheckpointManagerV2(tmp_path / "c.json")
    assert checkpoint.load() is True
    papers = checkpoint.data["papers"]
    for name, step in (line.split() for line in output.splitlines()):
        assert f"s{step}" in papers[f"{name}-{int(step) % 50}"]["stages"]


@pytest.mark.usefixtures("unfolded")
def test_a_journal_in_which_nothing_was_acknowledged_is_no_run(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The power goes in the first update: whatever is on disk then either holds it or is no run at all."""
    file = tmp_path / "c.json"
    moments: list[dict[str, bytes]] = []
    real = os.fdatasync

    def watched(descriptor: int) -> None:
        moments.append({path.name: path.read_bytes() for path in tmp_path.iterdir()})
        real(descriptor)

    with monkeypatch.context() as patch:
        patch.setattr(os, "fdatasync", watched)
        checkpoint = CheckpointManagerV2(file)
        checkpoint.update_paper_status("first", "in_progress")
        checkpoint.close()
    loaded = []
    for moment in moments:
        for path in tmp_path.iterdir():
            path.unlink()
        for name, content in moment.items():
            (tmp_path / name).write_bytes(content)
        again = CheckpointManagerV2(file)
        loaded.append(again.load())
        assert again.get_incomplete_papers() == ["first"] * loaded[-1]
        again.update_paper_status("p", "completed")
        again.close()
        assert os.listdir(tmp_path) == ["c.json"]
    assert False in loaded


# A journal as a crash leaves it, cut and changed at every byte


@pytest.fixture
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    """Look again at once, where a reader would give a writer a moment before it calls a file damaged."""
    monkeypatch.setattr(time, "sleep", lambda _: None)


@pytest.fixture
def crashed(in_memory: Path, unfolded: None) -> tuple[Path, Path, bytes, list[int]]:
    """A checkpoint with a JSON file of one paper and a journal of four batches, as kill -9 leaves them.

    The file, the journal, the journal's bytes up to its last record, and where each batch ends.
    """
    file = in_memory / "c.json"
    checkpoint = CheckpointManagerV2(file)
    checkpoint.update_paper_status("folded", "completed")
    checkpoint.save()
    (journal,) = in_memory.glob("c.json.journal-*")
    ends = [len(journal.read_bytes().rstrip(b"\0"))]
    for number in range(4):
        if number == 2:
            checkpoint.note_paper_status("with 2", "failed", error="x" * 700)
        checkpoint.update_paper_status(f"p{number}", "in_progress", ["a"])
        ends.append(len(journal.read_bytes().rstrip(b"\0")))
    saved = {path: path.read_bytes() for path in in_memory.iterdir() if path.suffix != ".lock"}
    checkpoint.close()
    for path in in_memory.iterdir():
        path.unlink()
    for path, content in saved.items():
        path.write_bytes(content)
    return file, journal, saved[journal][: ends[-1]], ends


def seen(file: Path) -> int:
    """How many of the four batches a manager loads."""
    checkpoint = CheckpointManagerV2(file)
    assert checkpoint.load() is True
    papers = checkpoint.data["papers"]
    assert "folded" in papers
    count = sum(f"p{number}" in papers for number in range(4))
    assert all(f"p{number}" in papers for number in range(count))
    return count


def whole_batches(ends: list[int], length: int) -> int:
    return sum(end <= length for end in ends[1:])


def test_cut_at_every_byte_the_last_batch_is_dropped_and_those_before_are_there(
    crashed: tuple[Path, Path, bytes, list[int]],
) -> None:
    file, journal, data, ends = crashed
    for length in range(len(data) + 1):
        journal.write_bytes(data[:length])
        assert seen(file) == whole_batches(ends, length)


def test_zeroed_from_every_byte_on_the_last_batch_is_dropped(crashed: tuple[Path, Path, bytes, list[int]]) -> None:
    """A file that was filled with zeros ahead is not shorter after a crash: its last record ends in zeros."""
    file, journal, data, ends = crashed
    for length in range(ends[-2], len(data)):
        journal.write_bytes(data[:length] + bytes(len(data) - length + 4_096))
        assert seen(file) == 3
    journal.write_bytes(data + bytes(4_096))
    assert seen(file) == 4


@pytest.mark.parametrize("sector", [0, 1])
def test_a_last_batch_of_which_a_sector_did_not_get_to_the_disk_is_dropped(
    crashed: tuple[Path, Path, bytes, list[int]], sector: int
) -> None:
    """Sectors are written in any order: the first of the batch may be missing, and the rest be there."""
    file, journal, data, ends = crashed
    at = ends[2]  # the third batch spans more than two sectors; let it be the last
    edges = [at, *range((at // 512 + 1) * 512, ends[3], 512), ends[3]]
    start, stop = edges[sector], edges[sector + 1]
    journal.write_bytes(data[:start] + bytes(stop - start) + data[stop : ends[3]] + bytes(4_096))
    assert seen(file) == 2


@pytest.mark.usefixtures("quick")
@pytest.mark.parametrize("change", [0xFF, 0x01, 0x80])
def test_a_byte_changed_anywhere_is_named_and_nothing_is_destroyed(
    crashed: tuple[Path, Path, bytes, list[int]], change: int
) -> None:
    """The last record too, its length, its checksum and its end mark."""
    file, journal, data, _ = crashed
    rest = bytes(2_000)
    for position in range(len(data)):
        changed = bytearray(data)
        changed[position] ^= change
        journal.write_bytes(bytes(changed) + rest)
        with pytest.raises(CheckpointDamagedError) as caught:
            CheckpointManagerV2(file).load()
        assert caught.value.path == str(journal)
        assert str(journal) in str(caught.value)
        assert 0 <= caught.value.offset <= position
        assert "Put back a copy" in str(caught.value)
    assert journal.read_bytes() == bytes(changed) + rest


def test_a_byte_changed_in_the_zeros_behind_loses_nothing(crashed: tuple[Path, Path, bytes, list[int]]) -> None:
    file, journal, data, _ = crashed
    for distance in (0, 1, 15, 16, 17, 600):
        journal.write_bytes(data + bytes(distance) + b"\x01" + bytes(600))
        with contextlib.suppress(CheckpointDamagedError):
            assert seen(file) == 4


def test_an_acknowledged_record_that_was_zeroed_before_others_is_damage(
    crashed: tuple[Path, Path, bytes, list[int]],
) -> None:
    file, journal, data, ends = crashed
    for start, stop in [(ends[1], ends[2]), (ends[1], ends[1] + 16), (ends[2], ends[3]), (0, ends[0])]:
        journal.write_bytes(data[:start] + bytes(stop - start) + data[stop:] + bytes(4_096))
        with pytest.raises(CheckpointDamagedError):
            CheckpointManagerV2(file).load()


def test_an_unfinished_record_is_cut_off_before_anything_is_appended(
    crashed: tuple[Path, Path, bytes, list[int]],
) -> None:
    file, journal, data, ends = crashed
    journal.write_bytes(data[: ends[3] + 30] + bytes(4_096))
    checkpoint = CheckpointManagerV2(file)
    assert checkpoint.load()
    checkpoint.update_paper_status("new", "completed")
    beside = CheckpointManagerV2(file)
    assert beside.load()
    assert list(beside.data["papers"]) == ["folded", "p0", "p1", "with 2", "p2", "new"]
    checkpoint.close()
    assert os.listdir(file.parent) == ["c.json"]


def test_a_crash_between_the_new_json_file_and_the_end_of_the_old_journal_changes_nothing(
    crashed: tuple[Path, Path, bytes, list[int]],
) -> None:
    """Replaying a journal over the file that already holds it is harmless; a later journal comes after it."""
    file, journal, data, _ = crashed
    first = CheckpointManagerV2(file)
    assert first.load()
    expected = first.data
    first.update_run(status="x")
    first.close()
    journal.write_bytes(data)
    again = CheckpointManagerV2(file)
    assert again.load()
    assert again.data["papers"] == expected["papers"]
    assert again.data["status"] == "x"


def test_a_record_cut_in_the_middle_of_a_series_of_journals_is_damage(
    crashed: tuple[Path, Path, bytes, list[int]],
) -> None:
    file, journal, data, ends = crashed
    later = journal.with_name("c.json.journal-9")
    journal.write_bytes(data[:-3])
    later.write_bytes(data[: ends[0]])
    assert seen(file) == 3
    later.write_bytes(data)
    with pytest.raises(CheckpointDamagedError):
        CheckpointManagerV2(file).load()


@pytest.mark.usefixtures("quick")
def test_a_json_file_cut_at_any_byte_is_named(crashed: tuple[Path, Path, bytes, list[int]]) -> None:
    file, journal, _, _ = crashed
    whole = file.read_bytes()
    for length in range(1, len(whole) - 1):
        file.write_bytes(whole[:length])
        with pytest.raises(CheckpointDamagedError, match=r"c\.json is damaged"):
            CheckpointManagerV2(file).load()
    assert journal.exists()
