"""How much memory the coordinator's iterator form takes at most, for ever more papers.

    python benchmarks/memory.py [--quick]

Each count runs in a process of its own, whose highest resident size is read at the end. Papers do nothing and come
from a generator. To reach: under 30 MB, and flat from 100,000 papers to 1,000,000 (at most a tenth more).
"""

from __future__ import annotations

import argparse
import resource
import subprocess
import sys
from pathlib import Path

from side_by_side import ROOT, Table

from literature_review.pipeline.orchestrator_v2 import ParallelPipelineCoordinator


def run(count: int) -> None:
    papers = (f"paper_{number}.pdf" for number in range(count))
    results = ParallelPipelineCoordinator(8).iter_papers_parallel(papers, lambda paper: {"status": "success"})
    for _ in results:
        pass


def peak_kilobytes() -> int:
    """Of this process alone: what getrusage says may be that of the process that started it."""
    status = Path("/proc/self/status")
    if status.exists():
        return int(status.read_text().partition("VmHWM:")[2].split()[0])
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss


def megabytes(count: int) -> float:
    command = [sys.executable, __file__, "--count", str(count)]
    return int(subprocess.run(command, cwd=ROOT, check=True, capture_output=True, text=True).stdout) / 1024


def main() -> None:
    options = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    options.add_argument("--quick", action="store_true", help="a short run, whose figures say little")
    options.add_argument("--count", type=int, help=argparse.SUPPRESS)
    given = options.parse_args()
    if given.count is not None:
        run(given.count)
        print(peak_kilobytes())
        return
    few, many = (1_000, 10_000) if given.quick else (100_000, 1_000_000)
    table = Table("Peak resident memory of the iterator form, 8 workers")
    table.row("nothing but the import", megabytes(0), "MB")
    first = megabytes(few)
    table.goal(f"{few:,} papers", first, "MB", first, most=30)
    second = megabytes(many)
    table.goal(f"{many:,} papers", second, "MB", second, most=30)
    table.goal(f"{many:,} papers beside {few:,}", second - first, "MB more", second / first, most=1.1)


if __name__ == "__main__":
    main()
