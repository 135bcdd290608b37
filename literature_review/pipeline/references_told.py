"""What a run and a dry run say of the reference files beside the papers."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from literature_review.pipeline.parts import PapersFound
    from literature_review.ports import Log


LINES_TOLD = 50


def tell_references(log: Log, found: PapersFound) -> None:
    """Which reference files are used, and a line for each file or entry that cannot be."""
    if found.references is None:
        return
    for line in found.references.problems:
        log.warning(line)
    for name, count in found.references.used.items():
        if count:
            log.info(f"{name} is used: {count} {'entry' if count == 1 else 'entries'}")


def tell_entries(log: Log, found: PapersFound) -> None:
    """At the end: a line for each paper with several entries that differ, and for each entry without a paper."""
    references = found.references
    lines = [] if references is None else [*references.doubled(), *references.without_paper()]
    for line in lines[:LINES_TOLD]:
        log.warning(line)
    if len(lines) > LINES_TOLD:
        log.warning(f"{len(lines) - LINES_TOLD} more such lines are in the JSON report")
