"""The benchmarks of the kernel run and print their table; what the figures are is no test."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]


@pytest.mark.parametrize("name", ["retry", "memory", "startup"])
def test_a_quick_run_prints_each_figure_and_whether_it_is_reached(name: str) -> None:
    done = subprocess.run(
        [sys.executable, "-W", "ignore", str(ROOT / "benchmarks" / f"{name}.py"), "--quick"],
        cwd=ROOT, capture_output=True, text=True, timeout=60,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert "to reach  reached" in done.stdout
    assert any(line.endswith(("yes", "NO")) for line in done.stdout.splitlines())
