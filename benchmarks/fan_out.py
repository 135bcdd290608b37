"""The coordinator beside other ways to run a function over many papers, 8 at a time.

    python benchmarks/fan_out.py [--quick]

The papers do nothing, so that what is measured is the engine. Ways take turns; a ratio is the median of the rounds'
own. Engines that manage a hundred papers a second get a few hundred papers, once: their figures are low because they
record each paper (Luigi: a file; DBOS: a workflow in SQLite), so they are to be compared with the checkpoint.
"""

from __future__ import annotations

import argparse
import logging
import os
import statistics
import tempfile
import time
import warnings
from collections.abc import Callable, Iterator
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, as_completed, wait
from functools import partial
from itertools import islice
from pathlib import Path
from typing import Any

from side_by_side import Table, alternating, peer, ratio

from literature_review.pipeline.orchestrator_v2 import CheckpointManagerV2, ParallelPipelineCoordinator

WORKERS = 8


def no_op(paper: int) -> dict[str, Any]:
    return {"status": "success"}


def per_second(run: Callable[[int], object], count: int) -> float:
    began = time.perf_counter()
    run(count)
    return count / (time.perf_counter() - began)


def coordinator(count: int) -> None:
    ParallelPipelineCoordinator(WORKERS).process_papers_parallel(range(count), no_op)


def coordinator_iterating(count: int) -> None:
    for _ in ParallelPipelineCoordinator(WORKERS).iter_papers_parallel(range(count), no_op):
        pass


def coordinator_with_checkpoint(folder: str, count: int) -> None:
    with CheckpointManagerV2(Path(tempfile.mkdtemp(dir=folder), "c.json")) as checkpoint:
        made = ParallelPipelineCoordinator(WORKERS, checkpoint_manager=checkpoint)
        made.process_papers_parallel(range(count), no_op)


def executor_map(count: int) -> None:
    with ThreadPoolExecutor(WORKERS) as pool:
        list(pool.map(no_op, range(count)))


def submit_all(count: int) -> None:
    with ThreadPoolExecutor(WORKERS) as pool:
        for future in as_completed([pool.submit(no_op, paper) for paper in range(count)]):
            future.result()


def window_of_32(count: int) -> None:
    papers: Iterator[int] = iter(range(count))
    with ThreadPoolExecutor(WORKERS) as pool:
        flying: set[Future[Any]] = {pool.submit(no_op, paper) for paper in islice(papers, 32)}
        while flying:
            done, flying = wait(flying, return_when=FIRST_COMPLETED)
            flying |= {pool.submit(no_op, paper) for paper in islice(papers, len(done))}


def with_joblib(module: Any, count: int) -> None:
    module.Parallel(n_jobs=WORKERS, prefer="threads")(module.delayed(no_op)(paper) for paper in range(count))


def with_dask(module: Any, count: int) -> float:
    """Papers a second; a cluster of threads in this process, whose start is not counted."""
    logging.getLogger("distributed").setLevel(logging.CRITICAL)
    with module.Client(processes=False, n_workers=1, threads_per_worker=WORKERS, dashboard_address=None) as client:
        return per_second(lambda papers: client.gather(client.map(no_op, list(range(papers)), pure=False)), count)


def with_ray(module: Any, count: int) -> float:
    module.init(num_cpus=WORKERS, log_to_driver=False)
    task = module.remote(no_op)
    try:
        return per_second(lambda papers: module.get([task.remote(paper) for paper in range(papers)]), count)
    finally:
        module.shutdown()


def with_luigi(luigi: Any, folder: str, count: int) -> float:
    place = tempfile.mkdtemp(dir=folder)

    class Paper(luigi.Task):  # type: ignore[misc]
        number = luigi.IntParameter()

        def output(self) -> Any:
            return luigi.LocalTarget(os.path.join(place, f"{self.number}.done"))

        def run(self) -> None:
            with self.output().open("w") as file:
                file.write("done")

    papers = [Paper(number) for number in range(count)]
    return per_second(
        lambda _: luigi.build(papers, local_scheduler=True, workers=WORKERS, log_level="CRITICAL"), count
    )


def with_dbos(dbos: Any, folder: str, count: int) -> float:
    url = f"sqlite:///{tempfile.mkdtemp(dir=folder)}/dbos.sqlite"
    made = dbos.DBOS
    made(config={"name": "papers", "system_database_url": url, "log_level": "CRITICAL", "run_admin_server": False})
    workflow = made.workflow()(no_op)
    made.launch()
    try:
        queue = made.register_queue("papers", concurrency=WORKERS, polling_interval_sec=0.02)
        return per_second(
            lambda papers: [one.get_result() for one in [queue.enqueue(workflow, n) for n in range(papers)]], count
        )
    finally:
        made.destroy()


def quick_ways(folder: str) -> dict[str, Callable[[int], object]]:
    """Engines that manage thousands of papers a second."""
    ways: dict[str, Callable[[int], object]] = {
        "this coordinator": coordinator,
        "this coordinator, as an iterator": coordinator_iterating,
        "this coordinator + checkpoint (power loss)": partial(coordinator_with_checkpoint, folder),
        "ThreadPoolExecutor.map": executor_map,
        "submit all + as_completed": submit_all,
        "a window of 32 in flight": window_of_32,
    }
    joblib = peer("joblib")
    if joblib is not None:
        ways["joblib, threads"] = partial(with_joblib, joblib)
    return ways


def compare_quick(table: Table, folder: str, count: int, rounds: int) -> float:
    """Each way's papers a second; the median of the coordinator with its checkpoint."""
    ways = {name: partial(per_second, run, count) for name, run in quick_ways(folder).items()}
    for run in quick_ways(folder).values():
        run(100)  # what is imported at the first use is no way's speed
    figures = alternating(ways, rounds)
    for name, speeds in figures.items():
        value = ratio(figures["this coordinator"], speeds)
        if name == "ThreadPoolExecutor.map":
            table.goal(name, statistics.median(speeds), "papers/s", value, least=4)
        else:
            table.row(name, statistics.median(speeds), "papers/s", value)
    return statistics.median(figures["this coordinator + checkpoint (power loss)"])


def compare_slow(table: Table, folder: str, durable: float, count: int) -> None:
    """The engines that start processes or keep a database; the figure to reach is with the checkpoint."""
    for name, label, run, least in (
        ("distributed", "dask.distributed, threads", with_dask, 0),
        ("ray", "ray tasks", with_ray, 0),
        ("luigi", "Luigi, local scheduler, a file a paper", lambda m, n: with_luigi(m, folder, n), 70),
        ("dbos", "DBOS queue on SQLite", lambda m, n: with_dbos(m, folder, n), 150),
    ):
        module = peer(name)
        if module is None:
            continue
        try:
            speed = run(module, count)
        except Exception as error:  # noqa: BLE001 - a peer that does not work on this machine is left out as well
            print(f"left out: {label} fails here ({str(error).splitlines()[0]})")
            continue
        if least:
            table.goal(label, speed, "papers/s", durable / speed, least=least)
        else:
            table.row(label, speed, "papers/s", durable / speed)


def main() -> None:
    options = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    options.add_argument("--quick", action="store_true", help="a short run, whose figures say little")
    quick = options.parse_args().quick
    warnings.simplefilter("ignore")  # the peers' own
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as folder:
        table = Table("Papers that do nothing, 8 workers; ratio: this coordinator through the row")
        durable = compare_quick(table, folder, 500 if quick else 20_000, 1 if quick else 5)
        print("from here on, ratio: this coordinator with its checkpoint through the row")
        compare_slow(table, folder, durable, 40 if quick else 500)


if __name__ == "__main__":
    main()
