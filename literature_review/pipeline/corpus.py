"""Stages that see all papers: what the per-paper stages left is gathered, and they run one after the other."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import datetime
from typing import Any

from literature_review.errors import ReviewError
from literature_review.models import (
    PaperFile,
    PaperReview,
    ScreeningDecision,
    StageResult,
)
from literature_review.pipeline.attempts import StageRunner, explain, tell_where
from literature_review.pipeline.parts import PapersFound
from literature_review.pipeline.results import StageFailedError, facts_of
from literature_review.pipeline.run_state import RunState
from literature_review.pipeline.stages import LoadedStage, StageEnd
from literature_review.pipeline.work import Outcome, PaperWork
from literature_review.ports import StoredResult

ALL_PAPERS = ""  # the store keeps the results of these stages under this name; no paper has it


class CorpusStages:
    """Runs corpus stages. Their results are kept, so that a later run can begin behind them. One thread."""

    def __init__(self, state: RunState, work: PaperWork, found: PapersFound) -> None:
        self._state, self._work, self._found = state, work, found
        self._runner = StageRunner(state)
        self.results: dict[str, StageResult] = {}

    def take_what_stands(self, stages: Iterable[LoadedStage]) -> None:
        """Results of corpus stages that this run does not run."""
        for stage in stages:
            stored = None if stage.spec.per_paper else self._state.parts.store.get_result(ALL_PAPERS, stage.name)
            if stored is not None:
                self.results[stage.name] = stored.result

    def run(self, stage: LoadedStage, facts: Mapping[str, Any]) -> dict[str, StageEnd]:
        """Run one; returns {its name: how it ended} where it had nothing to do. Raises what it raised."""
        parts = self._state.parts
        reviews = self._reviews(parts.stages[: parts.stages.index(stage)])
        with self._naming(stage):
            result = self._runner.run(
                stage,
                None,
                reviews=reviews,
                earlier=dict(self.results),
                run=facts,
                made_from={review.paper.id: self._work.made_from_of(review.paper) for review in reviews},
                database=parts.database,
                history=parts.history,
                reports=parts.reports,
                ignored=tuple(self._found.ignored),
            )
            now = datetime.now().isoformat(timespec="microseconds")
            parts.store.put_result(ALL_PAPERS, stage.name, StoredResult({}, result, finished_at=now))
        self.results[stage.name] = result
        is_skipped = result.status == "skipped"
        return {stage.name: StageEnd("skipped", result.reason or "nothing to do")} if is_skipped else {}

    @contextmanager
    def _naming(self, stage: LoadedStage) -> Iterator[None]:
        """Says which stage it was that raised what nobody foresaw; where, stands in the log file."""
        try:
            yield
        except ReviewError:
            raise
        except Exception as error:
            tell_where(self._state.log, stage.name, error)
            what = f"the stage {stage.name} ({stage.spec.module}) failed: {explain(error)}"
            raise StageFailedError(f"{what}; --log-file FILE tells where it happened") from error

    def reviews(self) -> tuple[PaperReview, ...]:
        """Every paper as it stands now, sorted by id."""
        return self._reviews(self._state.parts.stages)

    def _reviews(self, stages: Sequence[LoadedStage]) -> tuple[PaperReview, ...]:
        """Every paper as it stands for who runs behind `stages`: what comes later holds no paper back."""
        behind = tuple(stage.name for stage in stages if stage.spec.per_paper)
        return gather(self._found.papers, self._found.problems, self._work, behind)

    def problems(self) -> Mapping[str, str]:
        """Files that could not even be taken: paper id -> why."""
        return self._found.problems

    def totals(self) -> dict[str, int]:
        """What the gap analysis counted where it ran, else what the reviews alone tell."""
        for result in self.results.values():
            if "totals" in result.record:
                return dict(result.record["totals"])
        totals: dict[str, int] = {"papers": 0, "claims": 0}
        for review in self.reviews():
            totals["papers"] += 1
            totals[review.state] = totals.get(review.state, 0) + 1
            for claim in review.claims:
                totals["claims"] += 1
                totals[claim.status] = totals.get(claim.status, 0) + 1
        return totals


def gather(
    papers: Iterable[PaperFile], problems: Mapping[str, str], work: PaperWork, stages: tuple[str, ...]
) -> tuple[PaperReview, ...]:
    """One PaperReview per paper, sorted by id. `stages`: names of the per-paper stages that a paper must have
    behind it to count as reviewed; `problems`: files that could not even be taken (paper id -> why)."""
    reviews = [_review(paper, work, stages) for paper in papers]
    reviews += [
        PaperReview(PaperFile(name, name, "", 0), "unreadable", error=why, error_type="permanent")
        for name, why in problems.items()
    ]
    return tuple(sorted(reviews, key=lambda review: review.paper.id))


def _review(paper: PaperFile, work: PaperWork, stages: tuple[str, ...]) -> PaperReview:
    if paper.duplicate_of is not None:
        return PaperReview(paper, "duplicate", duplicate_of=paper.duplicate_of)
    outcome = work.outcomes.get(paper.id, Outcome())
    results = {name: stored.result for name in outcome.done if (stored := work.result_of(paper, name)) is not None}
    facts = facts_of(results)
    claims = [result.claims for result in results.values() if result.claims is not None]
    return PaperReview(
        paper=paper,
        state=_state(outcome, facts["screening"], stages),
        claims=claims[-1] if claims else (),
        passages=tuple(passage for result in results.values() for passage in result.passages),
        error=outcome.error,
        error_type=outcome.error_type,
        **facts,
    )


def _state(outcome: Outcome, screening: ScreeningDecision, stages: tuple[str, ...]) -> str:
    if outcome.kind:
        return outcome.kind
    if any(stage not in outcome.done for stage in stages):
        return "not_assessed"
    return "reviewed" if screening.included else "excluded"
