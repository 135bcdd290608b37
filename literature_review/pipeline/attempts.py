"""Running one stage once: against its deadline, again after a transient failure, as its retry policy says."""

from __future__ import annotations

import time
from collections.abc import Mapping
from contextlib import nullcontext
from typing import Any

from literature_review.errors import BudgetSpentError, OutageError, PaperError, ReviewError, StoreError
from literature_review.models import StageResult
from literature_review.pipeline.orchestrator_v2 import ErrorClassifier, RetryHelper
from literature_review.pipeline.policy import run_with_deadline
from literature_review.pipeline.results import StageFailedError, checked
from literature_review.pipeline.run_state import RunState
from literature_review.pipeline.runlog import RunLog
from literature_review.pipeline.stages import LoadedStage
from literature_review.ports import Deadline, StageContext

LONGEST_REASON = 2_000  # characters of an error's own words


class StageRunner:
    """Runs stages with the deadline (`stage_timeout`) and the retries (`retry_policy`) of the configuration.
    Thread-safe."""

    def __init__(self, state: RunState) -> None:
        self._state = state
        self._settings = state.config.to_json()

    def run(self, stage: LoadedStage, paper_id: str | None, **fields: Any) -> StageResult:
        """The stage's result. `fields` go into its StageContext; one that is a function of a Deadline is called
        with that of the attempt (`read`). Raises what the last attempt raised, or PaperError where the stage says
        itself that it failed."""
        policy = self._state.config.retry_policy
        limits = policy.for_stage(stage.name)
        what = f"{stage.name} of {paper_id}" if paper_id is not None else stage.name
        with self._state.noting(what) if paper_id is not None else nullcontext():
            return RetryHelper.retry_with_backoff(
                lambda: self._attempt(stage, paper_id, what, fields),
                attempts=limits.max_attempts if policy.enabled else 1,
                base=1.0,
                factor=limits.backoff_base,
                max_delay=limits.backoff_max,
                error_classifier=_WorthAnother,
                on_retry=lambda attempt, error, delay: self._on_retry(stage, paper_id, what, attempt, error, delay),
                cancel=self._state.cancelled,
            )

    def _attempt(
        self, stage: LoadedStage, paper_id: str | None, what: str, fields: Mapping[str, Any]
    ) -> StageResult:
        state = self._state
        with state.places.attempt() as waiting:
            deadline = Deadline(state.config.stage_timeout, cancelled=state.cancelled, waiting=waiting)
            context = self._context(stage, paper_id, deadline, fields)
            began = time.monotonic()
            try:
                result = run_with_deadline(lambda: _run(stage, context), deadline, what, state.signals.is_asked)
                kept = checked(stage, result, context, state.parts.fault_of)
            except Exception as error:  # only to tell where; it is raised again
                if paper_id is not None:  # of a stage over all papers, who runs it tells
                    tell_where(state.log, what, error)
                raise
        state.log.debug(f"{what}: {kept.status} in {time.monotonic() - began:.3f} s")
        return kept

    def _context(
        self, stage: LoadedStage, paper_id: str | None, deadline: Deadline, fields: Mapping[str, Any]
    ) -> StageContext:
        state = self._state
        backend = state.parts.backend
        given = dict(fields)
        if "read" in given:
            given["read"] = given["read"](deadline)
        return StageContext(
            stage=stage.name,
            protocol=state.parts.protocol,
            backend=backend if paper_id is None else backend.for_paper(paper_id),
            log=state.log,
            deadline=deadline,
            output_dir=state.absolute(state.config.output_dir),
            settings=self._settings,
            **given,
        )

    def _on_retry(
        self,
        stage: LoadedStage,
        paper_id: str | None,
        what: str,
        attempt: int,
        error: BaseException,
        delay: float,
    ) -> None:
        with self._state.lock:
            self._state.retries[stage.name] = self._state.retries.get(stage.name, 0) + 1
        if paper_id is not None:
            self._state.checkpoint.increment_retries(paper_id)
        self._state.log.warning(f"{what}: attempt {attempt} failed ({explain(error)}); again in {delay:.1f} s")


def _run(stage: LoadedStage, context: StageContext) -> object:
    """What the stage returns. One that exits ends itself alone: neither the program nor, unseen, its paper's way."""
    try:
        return stage.run(context)
    except (Exception, KeyboardInterrupt):
        raise
    except BaseException as error:  # SystemExit, asyncio.CancelledError ...
        what = f"the stage {stage.name} ({stage.spec.module}) ended with {error!r} and without a StageResult"
        raise StageFailedError(what) from error


class _WorthAnother:
    """What the kernel's classifier calls transient, but for what stops the whole run, whatever its text says."""

    @staticmethod
    def should_retry(error: object) -> bool:
        stops_the_run = isinstance(error, (BudgetSpentError, OutageError, StoreError))
        return not stops_the_run and ErrorClassifier.should_retry(error)


def tell_where(log: RunLog, what: str, error: Exception) -> None:
    """For the log file: the traceback of what nobody foresaw, and a line for an error that speaks for itself."""
    if isinstance(error, ReviewError) and not isinstance(error, StageFailedError):
        log.debug(f"{what}: {type(error).__name__}: {error}")
    elif log.is_detailed:
        import traceback

        told = "".join(traceback.format_exception(type(error), error, error.__traceback__))
        log.debug(f"{what}:\n{told}")


def error_type(error: BaseException) -> str:
    """An ErrorType's value: a paper's own fault is permanent, the rest is as the kernel's classifier sees it."""
    if isinstance(error, PaperError):
        return "permanent"
    return str(ErrorClassifier.classify_error(error).value)


def explain(error: BaseException) -> str:
    """One line for a person: our own errors speak for themselves, others are named by their type. A long text, such as
    a whole paper in an error's message, is cut."""
    text = str(error) or "no message"
    if len(text) > LONGEST_REASON:
        text = f"{text[:LONGEST_REASON]} ... (and {len(text) - LONGEST_REASON:,} characters more)"
    ours = type(error).__module__.startswith("literature_review.")
    return text if ours else f"{type(error).__name__}: {text}"
