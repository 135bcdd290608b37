"""How long the dry run and the import of the kernel take beside a bare `python -c pass`, in alternating rounds.

    python benchmarks/startup.py [--quick] [--pairs 15]

The dry run validates all: configuration, stages, protocol, papers, folders. To reach: 6 times the bare interpreter.
"""

from __future__ import annotations

import argparse
import os
import statistics
import subprocess
import sys
import tempfile
import time
from functools import partial
from pathlib import Path

from side_by_side import ROOT, Table, alternating, ratio


def milliseconds(command: list[str]) -> float:
    """Wall time of one process that must succeed."""
    environment = {**os.environ, "PYTHONDONTWRITEBYTECODE": ""}
    began = time.perf_counter()
    subprocess.run(command, cwd=ROOT, env=environment, check=True, stdout=subprocess.DEVNULL)
    return 1000 * (time.perf_counter() - began)


def main() -> None:
    options = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    options.add_argument("--quick", action="store_true", help="a short run, whose figures say little")
    options.add_argument("--pairs", type=int, default=15)
    given = options.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        script, checkpoint = str(ROOT / "pipeline_orchestrator.py"), str(Path(folder) / "checkpoint.json")
        commands = {
            "python -c pass": ["-c", "pass"],
            "import of the kernel": ["-c", "import literature_review.pipeline.orchestrator_v2"],
            "--dry-run on examples": [script, "--dry-run", "--checkpoint-file", checkpoint],
        }
        ways = {name: partial(milliseconds, [sys.executable, *words]) for name, words in commands.items()}
        for warm_up in ways.values():
            warm_up()
        figures = alternating(ways, 2 if given.quick else given.pairs)
    table = Table("Start-up; ratio: the row's time through the bare interpreter's")
    bare = figures.pop("python -c pass")
    table.row("python -c pass", statistics.median(bare), "ms")
    for name, times in figures.items():
        if name.startswith("--dry-run"):
            table.goal(name, statistics.median(times), "ms", ratio(times, bare), most=6)
        else:
            table.row(name, statistics.median(times), "ms", ratio(times, bare))


if __name__ == "__main__":
    main()
