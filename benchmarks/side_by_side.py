"""What the kernel's benchmarks share: peers that may be missing, alternating rounds, and one plain table."""

from __future__ import annotations

import importlib
import statistics
import sys
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT))


def peer(name: str) -> Any:
    """A peer's module, or None after saying that it is left out."""
    try:
        return importlib.import_module(name)
    except ImportError:
        print(f"left out: {name} is not installed (pip install .[bench])")
        return None


def alternating(ways: Mapping[str, Callable[[], float]], rounds: int) -> dict[str, list[float]]:
    """The figure of each way in each round; within a round they take turns, so that a slow minute hits all."""
    figures: dict[str, list[float]] = {name: [] for name in ways}
    for turn in range(rounds):
        for name in list(ways) if turn % 2 == 0 else reversed(list(ways)):
            figures[name].append(ways[name]())
    return figures


def ratio(ours: Sequence[float], theirs: Sequence[float]) -> float:
    """The median of the rounds' own ratios."""
    return statistics.median(mine / other for mine, other in zip(ours, theirs, strict=True))


def per_second(count: int, threads: int, work: Callable[[int, int], object]) -> float:
    """Calls a second of `work(thread, number)` when so many threads share `count` calls between them."""

    def share(thread: int) -> None:
        for number in range(count // threads):
            work(thread, number)

    if threads == 1:
        began = time.perf_counter()
        share(0)
        return count / (time.perf_counter() - began)
    workers = [threading.Thread(target=share, args=(thread,)) for thread in range(threads)]
    began = time.perf_counter()
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()
    return count // threads * threads / (time.perf_counter() - began)


class Table:
    """One row a figure: what was measured, and, where there is something to reach, the ratio and whether it is."""

    def __init__(self, title: str) -> None:
        heads = f"{'measured':52} {'figure':>12} {'unit':10} {'ratio':>8} {'to reach':>10}  reached"
        print(f"\n{title}\n\n{heads}", flush=True)

    def row(self, what: str, figure: float, unit: str, value: float | None = None) -> None:
        """A figure, perhaps with a ratio for information."""
        print(f"{what:52} {figure:12,.2f} {unit:10} {'' if value is None else f'{value:8.2f}'}".rstrip(), flush=True)

    def goal(self, what: str, figure: float, unit: str, value: float, *, least: float = 0, most: float = 0) -> None:
        """A figure whose `value` is to be at least or at most so much."""
        reached = value <= most if most else value >= least
        bound = f"<= {most:g}" if most else f">= {least:g}"
        mark = "yes" if reached else "NO"
        print(f"{what:52} {figure:12,.2f} {unit:10} {value:8.2f} {bound:>10}  {mark}", flush=True)
