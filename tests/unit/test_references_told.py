"""What is said of the reference files beside the papers."""

from __future__ import annotations

import io
from types import SimpleNamespace
from typing import Any

from literature_review.pipeline.parts import PapersFound
from literature_review.pipeline.references_told import LINES_TOLD, tell_entries, tell_references
from literature_review.pipeline.runlog import RunLog


def said(tell: Any, **references: Any) -> list[str]:
    """The lines that `tell` says of such references, without their times."""
    stream = io.StringIO()
    tell(RunLog(stream), PapersFound((), references=SimpleNamespace(**references)))
    return [line.split("] ", 1)[1] for line in stream.getvalue().splitlines()]


def test_a_file_that_gave_nothing_is_not_said_to_be_used() -> None:
    lines = said(tell_references, problems=["c.ris: empty"], used={"a.ris": 2, "b.bib": 1, "c.ris": 0})
    assert lines == ["[WARNING] c.ris: empty", "[INFO] a.ris is used: 2 entries", "[INFO] b.bib is used: 1 entry"]


def test_a_library_of_thousands_of_entries_floods_no_log() -> None:
    missing = [f"entry {number} has no paper" for number in range(1_000)]
    lines = said(tell_entries, doubled=lambda: ["a.pdf has two"], without_paper=lambda: missing)
    assert lines[:2] == ["[WARNING] a.pdf has two", "[WARNING] entry 0 has no paper"]
    assert lines[-1] == f"[WARNING] {1_001 - LINES_TOLD} more such lines are in the JSON report"
    assert len(lines) == LINES_TOLD + 1
