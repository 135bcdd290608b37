"""Durable updates of the checkpoint beside other stores that survive as much, or less.

    python benchmarks/checkpoint.py [--quick] [--folder DIR]

One update records one paper, as one transaction, item or record. Stores take turns in each round; a ratio is the
median of the rounds' own ratios. sqlite3 with eight threads runs twice a round, with one connection for all and
with one for each thread, and the faster counts. DIR must lie on the disk that is meant: /tmp may be in memory.
"""

from __future__ import annotations

import argparse
import json
import os
import sqlite3
import statistics
import tempfile
import threading
import time
from collections.abc import Callable
from contextlib import closing
from functools import partial
from pathlib import Path
from typing import Any

from side_by_side import Table, alternating, peer, per_second, ratio

from literature_review.pipeline.orchestrator_v2 import CheckpointManagerV2

RECORD = {"stage": "in_progress", "stages": {"journal_reviewer": "2025-11-14T03:17:00"}, "retries": 0}
Store = Callable[[int, int], float]  # (updates, threads) -> updates a second


def this_checkpoint(folder: str, updates: int, threads: int) -> float:
    with CheckpointManagerV2(Path(new_folder(folder), "c.json")) as checkpoint:
        checkpoint.update_paper_status("first", "in_progress")
        return per_second(
            updates, threads,
            lambda t, n: checkpoint.update_paper_status(f"paper_{t}_{n}", "in_progress", ["journal_reviewer"]),
        )  # fmt: skip


def new_folder(folder: str) -> str:
    return tempfile.mkdtemp(dir=folder)


def connection(path: str, synchronous: str) -> sqlite3.Connection:
    opened = sqlite3.connect(path, timeout=60, isolation_level=None, check_same_thread=False)
    opened.execute("PRAGMA journal_mode=WAL")
    opened.execute(f"PRAGMA synchronous={synchronous}")
    opened.execute("CREATE TABLE IF NOT EXISTS papers (id TEXT PRIMARY KEY, record TEXT)")
    return opened


def sqlite_store(folder: str, synchronous: str, updates: int, threads: int) -> float:
    """The faster of one connection behind a lock and one connection a thread."""

    def run(shared: bool) -> float:
        path, lock = os.path.join(new_folder(folder), "c.db"), threading.Lock()
        opened = [connection(path, synchronous) for _ in range(1 if shared else threads)]

        def update(thread: int, number: int) -> None:
            values = (f"paper_{thread}_{number}", json.dumps(RECORD))
            if shared:
                with lock:
                    opened[0].execute("INSERT OR REPLACE INTO papers VALUES (?, ?)", values)
            else:
                opened[thread].execute("INSERT OR REPLACE INTO papers VALUES (?, ?)", values)

        try:
            return per_second(updates, threads, update)
        finally:
            for one in opened:
                one.close()

    return run(False) if threads == 1 else max(run(True), run(False))


def diskcache_store(module: Any, folder: str, updates: int, threads: int) -> float:
    with module.Cache(new_folder(folder)) as cache:
        return per_second(updates, threads, lambda t, n: cache.set(f"paper_{t}_{n}", json.dumps(RECORD)))


def lmdb_store(module: Any, folder: str, updates: int, threads: int) -> float:
    with closing(module.open(new_folder(folder), map_size=1 << 30, sync=True)) as environment:

        def update(thread: int, number: int) -> None:
            with environment.begin(write=True) as transaction:
                transaction.put(b"paper_%d_%d" % (thread, number), json.dumps(RECORD).encode())

        return per_second(updates, threads, update)


def appended(folder: str, updates: int, threads: int) -> float:
    lock = threading.Lock()
    with open(os.path.join(new_folder(folder), "c.log"), "ab", buffering=0) as file:

        def update(thread: int, number: int) -> None:
            line = json.dumps({f"paper_{thread}_{number}": RECORD}).encode() + b"\n"
            with lock:
                file.write(line)
                os.fdatasync(file.fileno())

        return per_second(updates, threads, update)


def rewritten(folder: str, updates: int, threads: int) -> float:
    """The whole JSON file written anew for each update; few of them, and still too many."""
    lock, papers, path = threading.Lock(), dict[str, Any](), os.path.join(new_folder(folder), "c.json")
    papers.update({f"paper_{number}": RECORD for number in range(updates)})

    def update(thread: int, number: int) -> None:
        with lock:
            papers[f"paper_{thread}_{number}"] = RECORD
            with open(path + ".tmp", "w", encoding="utf-8") as file:
                json.dump({"papers": papers}, file, indent=2)
                file.flush()
                os.fsync(file.fileno())
            os.replace(path + ".tmp", path)

    return per_second(max(updates // 50, threads), threads, update)


def stores(folder: str) -> dict[str, Store]:
    """Each store by its name and by what it survives, ours first."""
    found: dict[str, Store] = {
        "this checkpoint (power loss)": partial(this_checkpoint, folder),
        "sqlite3 WAL, synchronous=FULL (power loss)": partial(sqlite_store, folder, "FULL"),
        "sqlite3 WAL, synchronous=NORMAL (kill -9)": partial(sqlite_store, folder, "NORMAL"),
        "append + fdatasync (power loss)": partial(appended, folder),
        "whole JSON rewritten (power loss)": partial(rewritten, folder),
    }
    for name, module, store in (
        ("diskcache (kill -9)", peer("diskcache"), diskcache_store),
        ("lmdb, sync (power loss)", peer("lmdb"), lmdb_store),
    ):
        if module is not None:
            found[name] = partial(store, module, folder)
    return found


def compare_updates(table: Table, folder: str, updates: int, rounds: int) -> None:
    ours, full = "this checkpoint (power loss)", "sqlite3 WAL, synchronous=FULL (power loss)"
    found = stores(folder)
    for threads, least in ((1, 1.3), (8, 4.0)):
        ways = {name: partial(store, updates, threads) for name, store in found.items()}
        figures = alternating(ways, rounds)
        label = "1 thread: " if threads == 1 else f"{threads} threads: "
        for name, speeds in figures.items():
            value = ratio(figures[ours], speeds)
            if name == full:
                table.goal(label + name, statistics.median(speeds), "updates/s", value, least=least)
            else:
                table.row(label + name, statistics.median(speeds), "updates/s", value)


def with_papers(path: Path, count: int) -> CheckpointManagerV2:
    """A checkpoint that goes on with a run of so many papers."""
    papers = ",\n    ".join(f'"paper_{number}.pdf": {json.dumps(RECORD)}' for number in range(count))
    path.write_text(
        '{\n  "run_id": "r",\n  "version": "2.0.0",\n  "created_at": "2025-11-14T03:16:29",\n'
        f'  "last_updated": "2025-11-14T03:16:29",\n  "papers": {{\n    {papers}\n  }},\n  "stats": {{}}\n}}\n'
    )
    checkpoint = CheckpointManagerV2(path)
    checkpoint.load()
    return checkpoint


def compare_growth(table: Table, folder: str, seconds: float, rounds: int) -> None:
    """An update's cost over whole cycles of folding, at few papers and at many."""

    def microseconds(count: int) -> float:
        with with_papers(Path(new_folder(folder), "c.json"), count) as checkpoint:
            done, began = 0, time.perf_counter()
            while time.perf_counter() - began < seconds:
                checkpoint.update_paper_status(f"paper_{done * 7919 % count}.pdf", "in_progress", ["judge"])
                done += 1
            return (time.perf_counter() - began) / done * 1e6

    figures = alternating({"500": partial(microseconds, 500), "100,000": partial(microseconds, 100_000)}, rounds)
    table.row("an update at 500 papers, folds included", statistics.median(figures["500"]), "us")
    many = figures["100,000"]
    value = ratio(many, figures["500"])
    table.goal("an update at 100,000 papers, folds included", statistics.median(many), "us", value, most=1.1)


def compare_loading(table: Table, folder: str, rounds: int) -> None:
    path = Path(new_folder(folder), "c.json")
    checkpoint = with_papers(path, 100_000)
    checkpoint.save()
    checkpoint.close()

    def plain() -> float:
        began = time.perf_counter()
        with open(path, encoding="utf-8") as file:
            json.load(file)
        return time.perf_counter() - began

    def ours() -> float:
        loading = CheckpointManagerV2(path)
        began = time.perf_counter()
        loading.load()
        return time.perf_counter() - began

    figures = alternating({"plain": plain, "ours": ours}, rounds)
    table.row("json.load of 100,000 papers", statistics.median(figures["plain"]) * 1000, "ms")
    value = ratio(figures["ours"], figures["plain"])
    table.goal("load of 100,000 papers", statistics.median(figures["ours"]) * 1000, "ms", value, most=1.5)


def longest_stall(table: Table, folder: str, folds: int) -> None:
    """The longest that an update waited while 100,000 papers were folded."""
    with with_papers(Path(new_folder(folder), "c.json"), 100_000) as checkpoint:
        checkpoint.update_paper_status("first", "in_progress")
        checkpoint.save()
        stop, longest = threading.Event(), [0.0]

        def update() -> None:
            number = 0
            while not stop.is_set():
                began = time.perf_counter()
                checkpoint.update_paper_status(f"paper_{number % 1000}.pdf", "in_progress", ["judge"])
                longest[0] = max(longest[0], time.perf_counter() - began)
                number += 1

        thread = threading.Thread(target=update)
        thread.start()
        for _ in range(folds):
            checkpoint.save()
        stop.set()
        thread.join()
    figure = longest[0] * 1000
    table.goal(f"longest stall in {folds} folds of 100,000 papers", figure, "ms", figure, most=100)


def main() -> None:
    options = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    options.add_argument("--quick", action="store_true", help="a short run, whose figures say little")
    options.add_argument("--folder", help="where the files are written (default: the system's temporary folder)")
    given = options.parse_args()
    with tempfile.TemporaryDirectory(dir=given.folder) as folder:
        table = Table("Durable updates; ratio: this checkpoint's figure through the row's")
        compare_updates(table, folder, 160 if given.quick else 4_000, 1 if given.quick else 7)
        compare_growth(table, folder, 0.5 if given.quick else 12, 1 if given.quick else 3)
        compare_loading(table, folder, 1 if given.quick else 7)
        longest_stall(table, folder, 1 if given.quick else 6)


if __name__ == "__main__":
    main()
