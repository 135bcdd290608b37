"""A small review in a folder: a few text papers, a protocol, a configuration. And stages and back ends for tests."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[1]
SHARED = ROOT.parent / "shared"

PROTOCOL: dict[str, Any] = {
    "title": "Tea and sleep",
    "questions": [
        {
            "id": "Q1",
            "text": "Does tea in the evening change sleep?",
            "requirements": [
                {
                    "id": "R1",
                    "text": "Effect of evening tea",
                    "sub_requirements": [
                        {"id": "S1", "text": "Effect of evening tea on sleep duration", "keywords": ["sleep duration"]},
                        {"id": "S2", "text": "Effect of evening tea on blood glucose", "keywords": ["blood glucose"]},
                    ],
                }
            ],
        }
    ],
}

PAPER = """Evening tea and sleep: trial {number}

Abstract
We studied whether tea in the evening changes sleep in {people} adults.

Methods
Participants drank tea or warm water at eight in the evening for {number} weeks. Sleep was measured with a wrist sensor.

Results
Sleep duration was significantly shorter with evening tea than with water (mean difference {number} minutes, p = 0.01).
The number of awakenings did not differ between the groups (p = 0.40).

Discussion
Evening tea shortens sleep. Future work should measure mood.
"""


def paper(number: int) -> str:
    return PAPER.format(number=number, people=100 + number)


def make_review(folder: Path, papers: int = 3, **settings: Any) -> Path:
    """Write `papers/`, `protocol.json` and `pipeline_config.json` into the folder; returns the last one's path."""
    (folder / "papers").mkdir(parents=True, exist_ok=True)
    for number in range(1, papers + 1):
        (folder / "papers" / f"trial_{number:03}.txt").write_text(paper(number), encoding="utf-8")
    (folder / "protocol.json").write_text(json.dumps(PROTOCOL), encoding="utf-8")
    return write_config(folder, **settings)


def config_of(folder: Path, **settings: Any) -> dict[str, Any]:
    features = {"checkpoint_file": str(folder / "checkpoint.json"), **settings.pop("v2_features", {})}
    return {
        "papers": str(folder / "papers"),
        "protocol": str(folder / "protocol.json"),
        "output_dir": str(folder / "out"),
        "v2_features": features,
        **settings,
    }


def write_config(folder: Path, **settings: Any) -> Path:
    path = folder / "pipeline_config.json"
    path.write_text(json.dumps(config_of(folder, **settings)), encoding="utf-8")
    return path


def report_of(folder: Path, without_run: bool = True) -> dict[str, Any]:
    report: dict[str, Any] = json.loads((folder / "out" / "gap_analysis_report.json").read_text(encoding="utf-8"))
    if without_run:
        report.pop("run")
    return report


def checkpoint_of(folder: Path) -> dict[str, Any]:
    data: dict[str, Any] = json.loads((folder / "checkpoint.json").read_text(encoding="utf-8"))
    return data


def command(
    *arguments: str, cwd: Path, python: str = sys.executable, environment: Mapping[str, str] | None = None
) -> subprocess.CompletedProcess[str]:
    """Run the command as a user would, in a process of its own."""
    return subprocess.run(
        [python, str(ROOT / "pipeline_orchestrator.py"), *arguments],
        cwd=cwd,
        env={**os.environ, "PYTHONIOENCODING": "utf-8", **(environment or {})},
        capture_output=True,
        text=True,
        encoding="utf-8",
        timeout=120,
        check=False,
    )


def tree(folder: Path) -> dict[str, bytes]:
    """Every file below a folder with its bytes."""
    return {str(path.relative_to(folder)): path.read_bytes() for path in sorted(folder.rglob("*")) if path.is_file()}
