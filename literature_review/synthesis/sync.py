"""Stage 4: bring all reviews together, and write them to the version history and the database.

    reviews --same DOI, or same title, authors and year--> duplicates marked --> version history, review.db

`record`: `duplicates` (paper -> the one it repeats), `why`, `related` (paper -> other -> relation), `versions`
(how many papers got a new one). The gap analysis and the run read it, so that a work counts once everywhere.
"""

from __future__ import annotations

from literature_review.models import StageResult
from literature_review.ports import StageContext
from literature_review.synthesis.cells import held_to
from literature_review.synthesis.duplicates import find_same_works, mark


def run(context: StageContext) -> StageResult:
    """Raises StoreError for a history or database that cannot be used, OSError for a full disk."""
    found = find_same_works(context.reviews).to_json()
    reviews = held_to(mark(context.reviews, found), context.settings.get("review", {}).get("covered_at"))
    for paper, first in found["duplicates"].items():
        context.log.info(f"{paper}: the same work as {first} ({found['why'][paper]}); counted once")
    for paper, others in sorted(found["related"].items()):
        for other, relation in sorted(others.items()):
            if relation in ("supplement", "preprint", "correction or comment"):
                context.log.info(f"{paper}: {relation} (of {other}); both stay")
    run_id = str(context.run.get("run_id", ""))
    context.deadline.check(context.stage)
    versions = 0
    if context.history is not None:
        versions = context.history.record(reviews, run_id, context.made_from)
    context.deadline.check(context.stage)
    if context.database is not None:
        context.database.replace_review(context.protocol, reviews, run_id)
    return StageResult(record={**found, "versions": versions})


if __name__ == "__main__":
    from literature_review.plugins import stage_command as command

    raise SystemExit(command("sync"))
