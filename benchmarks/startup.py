"""How long the dry run takes beside a bare `python -c pass`, in alternating pairs.

    python benchmarks/startup.py [--pairs 15]

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
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]


def seconds(command: list[str]) -> float:
    """Wall time of one process that must succeed."""
    environment = {**os.environ, "PYTHONDONTWRITEBYTECODE": ""}
    began = time.perf_counter()
    subprocess.run(command, cwd=ROOT, env=environment, check=True, stdout=subprocess.DEVNULL)
    return time.perf_counter() - began


def main() -> None:
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("--pairs", type=int, default=15)
    pairs = options.parse_args().pairs
    with tempfile.TemporaryDirectory() as folder:
        bare = [sys.executable, "-c", "pass"]
        script, checkpoint = str(ROOT / "pipeline_orchestrator.py"), str(Path(folder) / "checkpoint.json")
        dry = [sys.executable, script, "--dry-run", "--checkpoint-file", checkpoint]
        seconds(dry)
        measured = [(seconds(bare), seconds(dry)) for _ in range(pairs)]
    print(f"{'command':24} {'median ms':>9} {'fastest ms':>10}")
    for name, column in (("python -c pass", 0), ("--dry-run on examples", 1)):
        times = [1000 * pair[column] for pair in measured]
        print(f"{name:24} {statistics.median(times):9.1f} {min(times):10.1f}")
    print(f"ratio, median of {pairs} pairs: {statistics.median(dry / bare for bare, dry in measured):.1f}")


if __name__ == "__main__":
    main()
