"""Worker processes: one that dies fails the paper that killed it, errors come back as plain data, the rest go on."""

from __future__ import annotations

import concurrent.futures
import multiprocessing
import multiprocessing.process
import os
import signal
import subprocess
import sys
import threading
import time
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from literature_review.pipeline.orchestrator_v2 import (
    CheckpointManagerV2,
    ParallelPipelineCoordinator,
    SimpleQuotaManager,
)

from .kernel_tasks import Deadly, Explosive, Unloadable, process

pytestmark = pytest.mark.fault
ROOT = Path(__file__).resolve().parents[2]


def run(papers: list[Any], **options: Any) -> list[dict[str, Any]]:
    return ParallelPipelineCoordinator(2, **options).process_papers_parallel(papers, process, use_threads=False)


def test_papers_run_in_processes_of_their_own_and_quota_and_checkpoint_stay_with_the_parent(tmp_path: Path) -> None:
    quota = SimpleQuotaManager(100)
    with CheckpointManagerV2(tmp_path / "c.json") as checkpoint:
        results = run(["a", "b", "c"], quota_manager=quota, checkpoint_manager=checkpoint)
        assert [result["paper"] for result in results] == ["a", "b", "c"]
        assert {result["parent"] for result in results} == {os.getpid()}
        assert os.getpid() not in {result["pid"] for result in results}
        assert list((checkpoint.get_paper_status("b") or {})["stages"]) == ["worked"]
    assert quota.consumed_count == 3
    for result in results:
        with pytest.raises(ProcessLookupError):
            os.kill(result["pid"], 0)


def test_every_kind_of_trouble_in_a_worker_touches_no_other_paper(tmp_path: Path) -> None:
    """Death, kill -9, errors and results that cannot be pickled or unpickled, SystemExit, Ctrl-C, all in one batch."""
    papers: list[Any] = [
        "ok 1", "die", "kill", "unpicklable", "lambda", "explosive", "exit", "signals",
        f"die once:{tmp_path / 'mark'}", threading.Lock(), Explosive(), "ok 2",
    ]  # fmt: skip
    results = run(papers)
    by_name = {str(paper): result for paper, result in zip(papers, results, strict=True)}
    failed = {str(paper) for paper, result in zip(papers, results, strict=True) if result["status"] != "success"}
    expected = {"die", "kill", "unpicklable", "lambda", "explosive", "exit", str(papers[9]), str(papers[10])}
    assert failed == expected
    assert "exit code 7" in by_name["die"]["error"]
    assert "exit code -9" in by_name["kill"]["error"]
    assert by_name["die"]["error_type"] == "unknown"
    assert by_name["unpicklable"]["error"] == "cannot come back"
    assert "unpickled" in by_name["explosive"]["error"]
    for paper, result in zip(papers, results, strict=True):
        assert result["paper"] is paper or result["paper"] == paper


def test_an_interrupt_that_a_paper_raises_in_a_worker_fails_it_alone_and_prints_nothing(
    capfd: pytest.CaptureFixture[str],
) -> None:
    results = run(["ok 1", "interrupt", "ok 2"])
    assert [result["status"] for result in results] == ["success", "error", "success"]
    assert results[1]["error"] == "KeyboardInterrupt"
    assert capfd.readouterr().err == ""


def test_a_paper_in_a_worker_may_start_processes_of_its_own() -> None:
    (result,) = run(["child"])
    assert result["status"] == "success", result["error"]


def test_a_result_that_does_not_unpickle_fails_its_paper_alone_in_a_pool_of_ones_own_too() -> None:
    with concurrent.futures.ProcessPoolExecutor(1, mp_context=multiprocessing.get_context("spawn")) as pool:
        coordinator = ParallelPipelineCoordinator(2, executor=pool)
        results = coordinator.process_papers_parallel(["ok 1", "explosive", "unpicklable", "lambda", "ok 2"], process)
    assert [result["status"] for result in results] == ["success", "error", "error", "error", "success"]
    assert "unpickled" in results[1]["error"]


def test_how_a_worker_died_is_told_whichever_thread_reaps_it(monkeypatch: pytest.MonkeyPatch) -> None:
    """multiprocessing gives a process no exit code while another thread is about to note it."""
    exit_code = multiprocessing.process.BaseProcess.exitcode
    looks: Counter[Any] = Counter()

    def noted_late(worker: Any) -> Any:
        looks[worker] += 1
        return None if looks[worker] < 3 else exit_code.fget(worker)  # type: ignore[attr-defined]

    monkeypatch.setattr(multiprocessing.process.BaseProcess, "exitcode", property(noted_late))
    (result,) = run(["die"])
    assert "exit code 7" in result["error"]


def test_a_fault_that_every_paper_would_meet_stops_a_batch_in_processes_too() -> None:
    results = ParallelPipelineCoordinator(1).process_papers_parallel(
        [f"auth:{number}" for number in range(8)], process, use_threads=False
    )
    assert [result["status"] for result in results] == ["error"] * 3 + ["not_started"] * 5


def test_a_function_that_cannot_be_sent_is_refused_before_anything_starts() -> None:
    with pytest.raises(TypeError, match="top level of a module"):
        ParallelPipelineCoordinator().process_papers_parallel(["a"], lambda paper: {}, use_threads=False)


def test_a_function_that_no_worker_can_load_ends_the_batch_and_says_so() -> None:
    with pytest.raises(RuntimeError, match="cannot load the function"):
        ParallelPipelineCoordinator(2).process_papers_parallel(["a", "b"], Unloadable(), use_threads=False)


def test_a_worker_that_dies_while_it_starts_ends_the_batch() -> None:
    with pytest.raises(RuntimeError, match="ended while starting"):
        ParallelPipelineCoordinator(2).process_papers_parallel(["a", "b"], Deadly(), use_threads=False)


def script(tmp_path: Path, body: str) -> subprocess.Popen[str]:
    path = tmp_path / "script.py"
    path.write_text(body)
    return subprocess.Popen(
        [sys.executable, str(path)], cwd=tmp_path, env={**os.environ, "PYTHONPATH": str(ROOT)},
        stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
    )  # fmt: skip


BODY = """
import os
from literature_review.pipeline.orchestrator_v2 import ParallelPipelineCoordinator
print("top", flush=True)
def work(paper):
    return {{"status": "success", "value": paper * 2}}
{call}
"""
CALL = "print([r['value'] for r in ParallelPipelineCoordinator(2).process_papers_parallel([1, 2], work, {})])"


def test_a_script_without_its_guard_is_told_so_and_not_run_again(tmp_path: Path) -> None:
    process_ = script(tmp_path, BODY.format(call=CALL.format("use_threads=False")))
    output, errors = process_.communicate(timeout=60)
    assert output.split() == ["top"]
    assert process_.returncode == 1
    assert "script.py" in errors.splitlines()[-1]
    assert '`if __name__ == "__main__":`' in errors.splitlines()[-1]


def test_a_guard_that_only_a_comment_names_is_none(tmp_path: Path) -> None:
    process_ = script(tmp_path, "# no __main__ guard" + BODY.format(call=CALL.format("use_threads=False")))
    output, errors = process_.communicate(timeout=60)
    assert output.split() == ["top"]
    assert "put the call under that guard" in errors.splitlines()[-1]


LEFT_OPEN = """
from literature_review.pipeline.orchestrator_v2 import ParallelPipelineCoordinator
from tests.faults.kernel_tasks import process
if __name__ == "__main__":
    coordinator = ParallelPipelineCoordinator(2)
    results = coordinator.iter_papers_parallel(iter(["ok", "sleep:mark"]), process, use_threads=False)
    print(next(results)["status"], flush=True)
"""


def test_an_iterator_left_open_does_not_keep_the_program_from_ending(tmp_path: Path) -> None:
    """Its worker processes, idle or in the middle of a paper, are ended with the interpreter."""
    process_ = script(tmp_path, LEFT_OPEN)
    try:
        output, errors = process_.communicate(timeout=30)
    finally:
        process_.kill()
    assert output == "success\n", errors


@pytest.mark.parametrize(
    "call",
    [
        "if __name__ == '__main__':\n    " + CALL.format("use_threads=False"),
        "def main():\n    " + CALL.format("use_threads=False") + "\nif __name__ == '__main__':\n    main()",
        CALL.format("use_threads=True"),
    ],
    ids=["guarded", "guarded main()", "threads"],
)
def test_a_script_with_its_guard_or_with_threads_works(tmp_path: Path, call: str) -> None:
    process_ = script(tmp_path, BODY.format(call=call))
    output, errors = process_.communicate(timeout=60)
    assert "[2, 4]" in output, errors


def wait_for(condition: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 30
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.01)


def is_alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"


SLEEPING = """
import sys
from literature_review.pipeline.orchestrator_v2 import ParallelPipelineCoordinator
from tests.faults.kernel_tasks import process
if __name__ == "__main__":
    ParallelPipelineCoordinator(1, grace=0.1).process_papers_parallel(["sleep:mark"], process, use_threads=False)
"""


@pytest.mark.parametrize("how", [signal.SIGKILL, signal.SIGINT, signal.SIGTERM])
def test_workers_end_with_their_parent_even_in_the_middle_of_a_paper(tmp_path: Path, how: int) -> None:
    process_ = script(tmp_path, SLEEPING)
    mark = tmp_path / "mark"
    wait_for(lambda: mark.exists() and mark.read_text() != "")
    worker = int(mark.read_text())
    assert is_alive(worker)
    process_.send_signal(how)
    _, errors = process_.communicate(timeout=30)
    if how != signal.SIGKILL:
        assert errors.splitlines()[-1].startswith("KeyboardInterrupt")
    wait_for(lambda: not is_alive(worker))
