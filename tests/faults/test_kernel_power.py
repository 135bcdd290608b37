"""The power goes at any instant, on a disk that forgets what was not flushed: what was acknowledged is there.

Every state that a crash may leave is made (kernel_store.py says which) and loaded.
"""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from literature_review.pipeline.orchestrator_v2 import CheckpointManagerV2

from .kernel_store import ForgetfulDisk

pytestmark = [pytest.mark.fault, pytest.mark.usefixtures("unfolded")]
Acknowledged = dict[str, set[str]]  # the stages of each paper that an update has returned for
State = dict[str, bytes]  # a folder


class Run:
    """Updates of a checkpoint of which the acknowledged ones are kept."""

    def __init__(self, file: Path) -> None:
        self.file = file
        self.checkpoint = CheckpointManagerV2(file)
        self.acknowledged: Acknowledged = {}
        self.tried: Acknowledged = {}
        self.errors = 0
        self.step = 0

    def load(self) -> None:
        self.checkpoint = CheckpointManagerV2(self.file)
        assert self.checkpoint.load()
        self.acknowledged = {paper: set(r["stages"]) for paper, r in self.checkpoint.data["papers"].items()}
        self.tried = {paper: set(stages) for paper, stages in self.acknowledged.items()}

    def update(self, paper: str, error: str | None = None) -> None:
        self.step += 1
        stage = f"s{self.step}"
        self.tried.setdefault(paper, set()).add(stage)
        try:
            self.checkpoint.update_paper_status(paper, "in_progress", [stage], error)
        except OSError:
            self.errors += 1
        else:  # what failed before and shows in memory is on disk with it
            shown = {paper: set(record["stages"]) for paper, record in self.checkpoint.data["papers"].items()}
            assert stage in shown[paper]
            self.acknowledged = shown

    def save(self) -> None:
        try:
            self.checkpoint.save()
        except OSError:
            self.errors += 1

    def close(self) -> None:
        try:
            self.checkpoint.close()
        except OSError:
            self.errors += 1


def crash_states(run: Run, acts: Callable[[Run], None], fail_flush: int = 0) -> list[tuple[State, Acknowledged]]:
    """Every folder that a loss of power may leave while `acts` run, and what was acknowledged before it."""
    found: dict[frozenset[tuple[str, bytes]], Acknowledged] = {}
    with pytest.MonkeyPatch.context() as patch:
        disk = ForgetfulDisk(patch, run.file.parent)
        if fail_flush:
            disk.fail_flush(fail_flush)

        def remember() -> None:
            for state in disk.crash_states():
                found[frozenset(state.items())] = run.acknowledged

        disk.on_call = remember
        acts(run)
        remember()
        real = {path.name: path.read_bytes() for path in run.file.parent.iterdir() if path.suffix != ".lock"}
        assert fail_flush or disk.content() == real, "a call that the disk does not know"
    return [(dict(state), acknowledged) for state, acknowledged in found.items()]


def lay_out(folder: Path, state: State) -> Path:
    """A folder as the crash left it; its checkpoint file."""
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir()
    for name, content in state.items():
        (folder / name).write_bytes(content)
    return folder / "c.json"


def papers_in(file: Path) -> dict[str, set[str]]:
    checkpoint = CheckpointManagerV2(file)
    return {
        paper: set(record["stages"]) for paper, record in checkpoint.data["papers"].items()
    } if checkpoint.load() else {}  # fmt: skip


def check(states: list[tuple[State, Acknowledged]], run: Run, place: Path, go_on: int = 9) -> None:
    """Each state loads, with what was acknowledged and nothing made up; to go on from every ninth loses nothing."""
    for number, (state, acknowledged) in enumerate(states):
        file = lay_out(place, state)
        papers = papers_in(file)
        assert all(stages <= papers.get(paper, set()) for paper, stages in acknowledged.items()), sorted(state)
        assert all(stages <= run.tried.get(paper, set()) for paper, stages in papers.items())
        if number % go_on == 0:
            with CheckpointManagerV2(file) as later:
                assert later.load() == bool(papers)
                later.update_paper_status("later", "completed", ["s"])
            assert papers_in(file) == papers | {"later": {"s"}}
            assert [path.name for path in place.glob("c.json*")] == ["c.json"]


def update_fold_update(run: Run) -> None:
    run.update("a")
    run.update("b", "x" * 900)
    run.save()
    run.update("a")
    run.update("c")
    run.save()
    run.update("b")
    run.close()


def test_update_fold_update_close_and_the_power_goes_anywhere(in_memory: Path) -> None:
    (in_memory / "run").mkdir()
    run = Run(in_memory / "run" / "c.json")
    states = crash_states(run, update_fold_update)
    assert run.errors == 0
    assert len(states) > 50
    check(states, run, in_memory / "crashed")


def test_the_power_goes_again_while_a_crashed_run_is_taken_up(in_memory: Path) -> None:
    """Each sort of folder that the first crash leaves: with and without journal, with and without a file beside."""
    (in_memory / "run").mkdir()
    first = Run(in_memory / "run" / "c.json")
    states = crash_states(first, update_fold_update)
    by_kind = {tuple(sorted(state)): state for state, acknowledged in states if acknowledged}
    assert len(by_kind) > 2
    for state in by_kind.values():
        run = Run(lay_out(in_memory / "second", state))
        run.load()

        def go_on(run: Run) -> None:
            run.update("a")
            run.update("d")
            run.close()

        again = crash_states(run, go_on)
        check(again, run, in_memory / "crashed")


def begin_anew(run: Run) -> None:
    run.update("new")
    run.update("new")
    run.close()


@pytest.mark.parametrize("crashed", [False, True], ids=["closed", "crashed"])
def test_the_power_goes_while_an_old_run_is_set_aside(in_memory: Path, crashed: bool) -> None:
    """At every instant the old run's papers are in the file or in that set aside, and the new run's are not lost."""
    file = lay_out(in_memory / "run", {})
    with CheckpointManagerV2(file) as old:
        old.update_paper_status("old", "in_progress", ["s"])
        old.save()
        old.update_paper_status("in the journal", "in_progress", ["s"])
        left = {path.name: path.read_bytes() for path in file.parent.iterdir() if path.suffix != ".lock"}
    if crashed:
        lay_out(in_memory / "run", left)
    run = Run(file)
    for state, acknowledged in crash_states(run, begin_anew):
        left_over = lay_out(in_memory / "crashed", state)
        current, previous = papers_in(left_over), papers_in(left_over.with_name("c.previous.json"))
        assert {"old": {"s"}, "in the journal": {"s"}} in (current, previous), sorted(state)
        assert acknowledged.get("new", set()) <= current.get("new", set())


def test_the_power_goes_while_a_file_of_format_1_is_kept(in_memory: Path) -> None:
    document = b'{"run_id": "r", "stages": {"judge": {"status": "completed"}}}'
    file = lay_out(in_memory / "run", {"c.json": document})
    run = Run(file)
    for state, acknowledged in crash_states(run, begin_anew):
        assert document in state.values(), sorted(state)
        papers = papers_in(lay_out(in_memory / "crashed", state))
        assert acknowledged.get("new", set()) <= papers.get("new", set())


@pytest.mark.parametrize("number", range(1, 13))
def test_a_flush_fails_and_its_pages_are_lost_before_the_power_goes(in_memory: Path, number: int) -> None:
    """The disk drops what the flush was to write and later flushes succeed: nothing built on it is acknowledged."""
    (in_memory / "run").mkdir()
    run = Run(in_memory / "run" / "c.json")
    states = crash_states(run, update_fold_update, fail_flush=number)
    check(states, run, in_memory / "crashed", go_on=50)
