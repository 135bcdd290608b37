"""One segment of per-paper stages over all papers: what stands is kept and said, the rest goes to the coordinator."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any

from literature_review.errors import BackendError, ReviewError
from literature_review.models import PaperFile
from literature_review.pipeline.orchestrator_v2 import ErrorClassifier, ParallelPipelineCoordinator
from literature_review.pipeline.progress import Progress
from literature_review.pipeline.run_state import RunState
from literature_review.pipeline.stages import LoadedStage, Segment, StageEnd
from literature_review.pipeline.work import Outcome, PaperWork
from literature_review.pipeline.work_places import AHEAD

_MARKED_TOGETHER = 8  # papers
_MARKED_BEFORE_A_LOOK = 1000  # papers between two looks for Ctrl-C
GRACE = 5.0  # seconds that papers under way get to end when the run is told to stop


class BatchStoppedError(ReviewError):
    """A fault that every paper would meet: the rest was not started, and the run can be resumed."""


class _Faults(ErrorClassifier):
    """The kernel's classifier, and what our own errors know of themselves."""

    @staticmethod
    def is_shared_fault(error: object, http_status: int | str | None = None) -> bool:
        own = isinstance(error, BackendError) and error.is_shared
        return own or ErrorClassifier.is_shared_fault(error, http_status)


class PaperBatch:
    """Runs segments of per-paper stages. `stages`: all per-paper stages, in order."""

    def __init__(self, state: RunState, work: PaperWork, stages: Sequence[LoadedStage]) -> None:
        self._state, self._work, self._stages = state, work, tuple(stages)

    def run(self, segment: Segment, papers: Iterable[PaperFile]) -> dict[str, StageEnd]:
        """Bring all papers through the segment. Returns the stages that did not complete, with how they ended. Raises
        BatchStoppedError, or what made going on pointless (a full disk, a spent budget)."""
        last = self._stages.index(segment.stages[-1])
        candidates = [paper for paper in papers if not self._outcome(paper).kind]
        todo = self._plan(segment, candidates, last)
        if todo:
            self._walk(segment, {paper.id: paper for paper in todo}, last)
        if self._state.fatal is not None:
            raise self._state.fatal
        return self._ends(segment, candidates)

    def take_what_stands(self, papers: Iterable[PaperFile], count: int) -> None:
        """Learn of the results of the first `count` stages that earlier runs left, without running anything; a new
        checkpoint gets the marks of papers that have all stages behind them."""
        stand: list[PaperFile] = []
        for paper in papers:
            self._state.signals.check()
            self._work.plan(paper, count - 1)
            outcome = self._outcome(paper)
            if not outcome.kind and len(outcome.done) == len(self._stages):
                stand.append(paper)
        self._mark_completed(stand)

    def _outcome(self, paper: PaperFile) -> Outcome:
        return self._work.outcomes.get(paper.id, Outcome())

    def _plan(self, segment: Segment, papers: Sequence[PaperFile], last: int) -> list[PaperFile]:
        """The papers that need work; the others are marked as done."""
        todo: list[PaperFile] = []
        reasons: dict[str, list[str]] = {}
        kept: list[PaperFile] = []
        for paper in papers:
            self._state.signals.check()
            reason = self._work.plan(paper, last)
            if reason is not None:
                todo.append(paper)
                reasons.setdefault(reason, []).append(paper.id)
            elif self._outcome(paper).kind:
                self._mark_failed(paper)
            else:
                kept.append(paper)
        if segment.closes_papers:
            self._mark_completed(kept)
        self._tell(segment, len(kept), reasons)
        return todo

    def _tell(self, segment: Segment, kept: int, reasons: dict[str, list[str]]) -> None:
        title = " + ".join(stage.name for stage in segment.stages)
        if kept:
            self._state.log.info(f"{title}: {_stand(kept)}: nothing to redo")
        for reason, names in reasons.items():
            if reason == "new":
                self._state.log.info(f"{title}: {_papers(len(names))} to do")
            elif reason != "earlier stages":
                what = {"asked for": "done again as asked", "failed before": "tried again after a failure"}
                why = what.get(reason, f"{reason} changed: done again")
                self._state.log.info(f"{title}: {_papers(len(names))}: {why}: {some(names)}")

    def _mark_completed(self, papers: Sequence[PaperFile]) -> None:
        """Several at a time: updates of threads that come together share one flush to disk."""
        unmarked = [paper for paper in papers if self._lacks_marks(paper)]
        with ThreadPoolExecutor(_MARKED_TOGETHER) as pool:
            for at in range(0, len(unmarked), _MARKED_BEFORE_A_LOOK):
                self._state.signals.check()
                list(pool.map(self._mark_one, unmarked[at : at + _MARKED_BEFORE_A_LOOK]))

    def _lacks_marks(self, paper: PaperFile) -> bool:
        entry = self._state.checkpoint.get_paper_status(paper.id) or {}
        return entry.get("stage") != "completed" or bool(set(self._outcome(paper).done) - set(entry.get("stages", {})))

    def _mark_one(self, paper: PaperFile) -> None:
        done = list(self._outcome(paper).done)
        self._state.checkpoint.update_paper_status(paper.id, "completed", stages_completed=done)

    def _mark_failed(self, paper: PaperFile) -> None:
        outcome = self._outcome(paper)
        self._state.log.warning(f"{paper.id}: {outcome.error}")
        if outcome.kind != "not_assessed":
            self._state.checkpoint.update_paper_status(paper.id, "failed", error=outcome.error)
        elif self._state.checkpoint.get_paper_status(paper.id) is None:
            self._state.checkpoint.update_paper_status(paper.id, "not_started")

    def _walk(self, segment: Segment, papers: dict[str, PaperFile], last: int) -> None:
        progress = Progress("+".join(stage.name for stage in segment.stages), len(papers), self._state.log)
        coordinator = ParallelPipelineCoordinator(
            max_workers=self._papers_under_way(),
            checkpoint_manager=self._state.checkpoint if segment.closes_papers else None,
            classifier=_Faults,
            cancel=self._state.cancelled,
            grace=GRACE,
        )
        for name in papers:
            self._begin_anew(name)
        self._state.log.status_line = progress
        try:
            results = coordinator.iter_papers_parallel(
                list(papers), lambda name: self._work.process(papers[name], last)
            )
            for result in results:
                self._state.signals.check()  # a worker may have cancelled the batch because of it
                self._note(segment, papers[str(result["paper"])], result)
                progress.step(failed=result["status"] == "error")
        finally:
            progress.finish()
            self._state.log.status_line = None

    def _papers_under_way(self) -> int:
        """Those that wait for a paid model's answer do not count among `max_workers`."""
        waits = self._state.config.parallel and self._state.parts.backend.paid
        return self._state.places.most * (AHEAD if waits else 1)

    def _begin_anew(self, name: str) -> None:
        """A paper that the checkpoint holds as finished is to be worked on again: it keeps the stages that stand."""
        entry = self._state.checkpoint.get_paper_status(name)
        if entry is not None and entry.get("stage") in ("completed", "failed"):
            done = list(self._work.outcomes.get(name, Outcome()).done)
            self._state.checkpoint.update_paper_status(name, "not_started", stages_completed=done)

    def _note(self, segment: Segment, paper: PaperFile, result: dict[str, Any]) -> None:
        if result["status"] == "not_started" and self._state.fatal is None:
            self._state.stop_for(BatchStoppedError(str(result.get("error") or result.get("reason"))))
        if result["status"] != "error":
            return
        outcome = self._outcome(paper)
        error = outcome.error or self._state.log.redact(str(result.get("error")))
        if not outcome.kind:  # it failed on its way in or out of the work
            outcome.error, outcome.kind = error, "failed"
        if outcome.kind == "not_assessed" and self._state.fatal is not None:
            self._state.checkpoint.update_paper_status(paper.id, "in_progress")  # the run stopped, not the paper failed
            return
        self._state.log.warning(f"{paper.id}: {error}")
        if not segment.closes_papers:
            self._state.checkpoint.update_paper_status(paper.id, "failed", error=error)

    def _ends(self, segment: Segment, papers: Sequence[PaperFile]) -> dict[str, StageEnd]:
        ends: dict[str, StageEnd] = {}
        for stage in segment.stages:
            through = [paper for paper in papers if stage.name in self._outcome(paper).done]
            if not papers:
                ends[stage.name] = StageEnd("skipped", "no paper came this far")
            elif not through:
                ends[stage.name] = StageEnd("failed", f"no paper came through it, of {_papers(len(papers))}")
            elif all(self._outcome(paper).done[stage.name] == "skipped" for paper in through):
                ends[stage.name] = StageEnd("skipped", self._reason(through[0], stage.name) or "nothing to do")
            papers = through
        return ends

    def _reason(self, paper: PaperFile, stage: str) -> str:
        stored = self._work.result_of(paper, stage)
        return stored.result.reason if stored is not None else ""


def _papers(count: int) -> str:
    return "1 paper" if count == 1 else f"{count} papers"


def _stand(count: int) -> str:
    return "1 paper stands as it is" if count == 1 else f"{count} papers stand as they are"


def some(names: Sequence[str], most: int = 5) -> str:
    """The first few names, and how many more there are."""
    shown = ", ".join(names[:most])
    return shown if len(names) <= most else f"{shown} and {len(names) - most} more"
