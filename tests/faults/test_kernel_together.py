"""Threads, the fold thread and other processes at once, while the power goes or the lock changes hands."""

from __future__ import annotations

import random
import subprocess
import sys
import threading
from pathlib import Path

import pytest

from literature_review.pipeline.orchestrator_v2 import CheckpointManagerV2, ParallelPipelineCoordinator

from .kernel_store import ForgetfulDisk

pytestmark = pytest.mark.fault
ROOT = Path(__file__).resolve().parents[2]


class PowerCuts:
    """Takes, after some calls of the kernel, one of the folders that a loss of power may leave there and then."""

    def __init__(self, disk: ForgetfulDisk, acknowledged: list[str], share: float) -> None:
        self.disk, self.acknowledged, self.share = disk, acknowledged, share
        self.taken: list[tuple[dict[str, bytes], list[str]]] = []
        self.chance = random.Random()
        disk.on_call = self._perhaps

    def _perhaps(self) -> None:
        """Called by the disk, which lets one call through at a time."""
        if self.chance.random() < self.share:
            before = list(self.acknowledged)
            states = list(self.disk.crash_states())
            self.taken.append((self.chance.choice(states), before))

    def check(self, place: Path) -> None:
        place.mkdir()
        for state, acknowledged in self.taken:
            for path in place.iterdir():
                path.unlink()
            for name, content in state.items():
                (place / name).write_bytes(content)
            checkpoint = CheckpointManagerV2(place / "c.json")
            papers = checkpoint.data["papers"] if checkpoint.load() else {}
            missing = [update for update in acknowledged if update.split()[1] not in stages_of(papers, update)]
            assert missing == [], sorted(state)


def stages_of(papers: dict[str, dict[str, dict[str, str]]], update: str) -> dict[str, str]:
    return papers.get(update.split()[0], {"stages": {}})["stages"]


def test_the_power_goes_while_four_threads_share_flushes_and_folds_run_beside(in_memory: Path, long: bool) -> None:
    acknowledged: list[str] = []

    def work(thread: int) -> None:
        for step in range(2_000 if long else 60):
            paper = f"{thread}-{step % 9}"
            checkpoint.update_paper_status(paper, "in_progress", [f"s{step}"])
            acknowledged.append(f"{paper} s{step}")

    (in_memory / "run").mkdir()
    with pytest.MonkeyPatch.context() as patch:
        cuts = PowerCuts(ForgetfulDisk(patch, in_memory / "run"), acknowledged, 0.3)
        with CheckpointManagerV2(in_memory / "run" / "c.json", fold_after=0.001) as checkpoint:
            threads = [threading.Thread(target=work, args=(number,)) for number in range(4)]
            for thread in threads:
                thread.start()
            for thread in threads:
                thread.join(120)
                assert not thread.is_alive()
    assert len(cuts.taken) > 10
    cuts.check(in_memory / "crashed")


def test_the_power_goes_while_a_batch_runs_and_what_was_yielded_is_there(in_memory: Path) -> None:
    yielded: list[str] = []
    (in_memory / "run").mkdir()
    with pytest.MonkeyPatch.context() as patch:
        cuts = PowerCuts(ForgetfulDisk(patch, in_memory / "run"), yielded, 1.0)
        with CheckpointManagerV2(in_memory / "run" / "c.json", fold_after=0.001) as checkpoint:
            coordinator = ParallelPipelineCoordinator(4, checkpoint_manager=checkpoint)
            for result in coordinator.iter_papers_parallel(
                map(str, range(300)), lambda paper: {"stages_completed": ["worked"]}
            ):
                yielded.append(f"{result['paper']} worked")
    assert len(yielded) == 300
    cuts.check(in_memory / "crashed")


RACE = """
import sys, time
from literature_review.pipeline.orchestrator_v2 import *
done = 0
until = time.monotonic() + 900
while done < int(sys.argv[3]) and time.monotonic() < until:
    try:
        with CheckpointManagerV2(sys.argv[1]) as checkpoint:
            checkpoint.load()
            checkpoint.update_paper_status(f"{sys.argv[2]}-{done}", "completed")
        print(f"{sys.argv[2]}-{done}", flush=True)
        done += 1
    except (CheckpointLockedError, CheckpointConflictError):
        time.sleep(0.002)
"""


def test_processes_that_race_for_one_checkpoint_never_write_over_each_other(tmp_path: Path, long: bool) -> None:
    """The lock changes hands dozens of times; every update of every process is there in the end."""
    file, each = tmp_path / "c.json", 500 if long else 12
    with CheckpointManagerV2(file) as checkpoint:
        checkpoint.update_paper_status("first", "completed")
    racers = [
        subprocess.Popen(
            [sys.executable, "-c", RACE, str(file), f"racer{number}", str(each)],
            cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
        )
        for number in range(4)
    ]  # fmt: skip
    written = {"first"}
    for racer in racers:
        output, errors = racer.communicate(timeout=1_000)
        assert errors == ""
        written |= set(output.split())
    assert len(written) == 1 + 4 * each
    checkpoint = CheckpointManagerV2(file)
    assert checkpoint.load()
    assert set(checkpoint.data["papers"]) == written
    assert [path.name for path in tmp_path.iterdir()] == ["c.json"]
