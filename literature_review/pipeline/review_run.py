"""One run from its beginning to its end.

    begin     parts ready, papers found, checkpoint: a new run or the one to go on with       begin.py
    segments  per-paper stages: what stands is kept, the coordinator walks the rest           batch.py, work.py
              corpus stages: all papers gathered, one stage after the other                   corpus.py
    finish    checkpoint, summary, RunResult                                                  summary.py

Sequential and concurrent runs take the same way; they differ in how the stages are cut into segments and in the
number of workers.
"""

from __future__ import annotations

import time
from datetime import datetime

from literature_review.config import Config
from literature_review.errors import ReviewError, UsageError
from literature_review.models import PaperFile, RunResult
from literature_review.pipeline.attempts import explain
from literature_review.pipeline.batch import GRACE, PaperBatch, some
from literature_review.pipeline.begin import begin_run, redo_of
from literature_review.pipeline.corpus import CorpusStages
from literature_review.pipeline.orchestrator_v2 import CheckpointError
from literature_review.pipeline.parts import PapersFound, Parts, RunOptions
from literature_review.pipeline.references_told import tell_references
from literature_review.pipeline.run_forecast import keep_forecast
from literature_review.pipeline.run_state import RunState
from literature_review.pipeline.runlog import RunLog
from literature_review.pipeline.signals import StopSignals
from literature_review.pipeline.stage_record import StageRecord
from literature_review.pipeline.stages import LoadedStage, Segment, StageEnd, segments
from literature_review.pipeline.summary import run_facts, run_result, tell_summary
from literature_review.pipeline.work import PaperWork


class ReviewRun:
    """One run. Lives in the thread that calls it; papers are walked by the coordinator's threads."""

    def __init__(self, config: Config, options: RunOptions, log: RunLog, parts: Parts, signals: StopSignals) -> None:
        self._began, self._started_at = time.monotonic(), datetime.now().isoformat(timespec="seconds")
        self._log, self._parts = log, parts
        self._is_begun = False  # the checkpoint has taken a first word of this run
        self._found = papers_found(config, parts)
        self._anew_from = options.only or options.resume_from  # of this command, not of the run that it goes on with
        checkpoint, options = begin_run(config, options, log, parts.stages)
        self._state = RunState(config, options, parts, log, checkpoint, signals)
        per_paper = tuple(stage for stage in parts.stages if stage.spec.per_paper)
        self._work = PaperWork(self._state, per_paper, redo_of(options, parts.stages), self._found.references)
        self._batch = PaperBatch(self._state, self._work, per_paper)
        self._corpus = CorpusStages(self._state, self._work, self._found)
        names = [stage.name for stage in parts.stages]
        self._record = StageRecord(checkpoint, names, checkpoint.data.get("stages"))

    def run(self) -> RunResult:
        """Run it to its end, a failure or an interrupt; the RunResult says which. Raises CheckpointError where another
        run is writing the checkpoint."""
        status = "failed"
        self._state.signals.begin(self._tell_stopping)
        try:
            with self._state.checkpoint:
                try:
                    status = self._run_segments()
                finally:
                    self._state.cancelled.set()
                    self._state.checkpoint.update_run(status=status)
        except (OSError, CheckpointError) as error:  # the checkpoint's last good state stays readable
            if isinstance(error, CheckpointError) and not self._is_begun:
                raise  # another run is writing it: this one never began
            status = "failed"
            self._log.error(f"the checkpoint {self._state.config.checkpoint_file} cannot be written: {explain(error)}")
        result = run_result(self._state, self._corpus, self._work, status, time.monotonic() - self._began)
        tell_summary(self._state, self._found, result)
        return result

    def _run_segments(self) -> str:
        """Run them all; returns the run's status. A KeyboardInterrupt ends here, as `interrupted`."""
        try:
            self._prepare()
            for segment in segments(self._chosen_stages(), self._state.config.parallel):
                self._state.signals.check()
                self._run_segment(segment)
            return "completed"
        except KeyboardInterrupt:
            self._log.warning("Interrupted: everything finished is kept; go on with --resume")
            return "interrupted"
        except CheckpointError:
            raise
        except (ReviewError, OSError) as error:
            self._log.error(self._log.redact(explain(error)))
            return "failed"

    def _tell_stopping(self) -> None:
        """At once, when Ctrl-C or SIGTERM comes: what is under way may take its time to end."""
        with self._state.lock:
            names = sorted(self._state.under_way)
        waiting = f", and what is under way has {GRACE:.0f} s to end: {some(names)}" if names else ""
        self._log.warning(f"Stopping: nothing new is begun{waiting}. A second Ctrl-C ends at once")

    def _prepare(self) -> None:
        state = self._state
        state.checkpoint.update_run(
            status="running",
            dry_run=False,
            papers_found=len(self._unique()) + len(self._found.problems),
            redo={"stage": state.options.resume_from, "force": state.options.force},
        )
        self._is_begun = True
        if self._anew_from is not None:
            self._take_marks_off()
        if self._parts.backend.paid:
            keep_forecast(state, self._work, self._unique())
        if self._parts.breaker is not None:
            self._parts.breaker.on_change = lambda name: state.checkpoint.update_run(circuit_breaker=name)
        for name, why in self._found.problems.items():
            self._log.warning(f"{name}: {why}")
            state.checkpoint.update_paper_status(name, "failed", error=why)
        for paper in self._found.papers:
            if paper.duplicate_of is not None:
                self._log.info(f"{paper.id}: the same file as {paper.duplicate_of}; counted once")
        tell_references(self._log, self._found)
        if self._found.ignored:
            names = some(self._found.ignored)
            self._log.info(f"{len(self._found.ignored)} files are no papers and are ignored: {names}")

    def _take_marks_off(self) -> None:
        """What is to be run again is no longer marked as done: a kill from here on finds the rest of the work."""
        names = [stage.name for stage in self._parts.stages]
        before = set(names[: names.index(str(self._anew_from))])
        for name, entry in self._state.checkpoint.data["papers"].items():
            done = [stage for stage in entry.get("stages", {}) if stage in before]
            if len(done) < len(entry.get("stages", {})):
                self._state.checkpoint.update_paper_status(name, "not_started", stages_completed=done)

    def _unique(self) -> list[PaperFile]:
        return [paper for paper in self._found.papers if paper.duplicate_of is None]

    def _chosen_stages(self) -> tuple[LoadedStage, ...]:
        """The stages of this run. What comes before them is taken from the store."""
        stages, options = self._parts.stages, self._state.options
        names = [stage.name for stage in stages]
        if options.only is not None:
            chosen = stages[names.index(options.only) : names.index(options.only) + 1]
        elif options.resume_from is not None:
            chosen = stages[names.index(options.resume_from) :]
        else:
            return stages
        if not chosen[0].spec.per_paper:  # it sees what the stages before it left of all papers
            before = stages[: names.index(chosen[0].name)]
            self._batch.take_what_stands(self._unique(), sum(stage.spec.per_paper for stage in before))
        self._corpus.take_what_stands([stage for stage in stages if stage not in chosen])
        return chosen

    def _run_segment(self, segment: Segment) -> None:
        names = [stage.name for stage in segment.stages]
        for stage in segment.stages:
            self._log.info(f"Executing: {stage.spec.module}")
        self._record.begin(names)
        try:
            if segment.per_paper:
                ends = self._batch.run(segment, self._unique())
            else:
                facts = run_facts(self._state, self._found, self._work, self._started_at, self._began)
                ends = self._corpus.run(segment.stages[0], facts)
        except KeyboardInterrupt:
            self._record.end(names, "interrupted")
            raise
        except (ReviewError, OSError) as error:
            self._record.end(names, "failed", self._log.redact(explain(error)), self._retries(names))
            raise
        for stage in segment.stages:
            self._tell_end(stage, ends.get(stage.name))

    def _tell_end(self, stage: LoadedStage, end: StageEnd | None) -> None:
        retries = self._retries([stage.name])
        if end is None:
            self._record.end([stage.name], "completed", retries=retries)
            self._log.success(f"✅ Stage completed: {stage.spec.title}")
        elif end.status == "failed":
            self._record.end([stage.name], "failed", end.reason, retries)
            self._log.error(f"Stage failed: {stage.spec.title}: {end.reason}")
        else:
            self._record.skip(stage.name, end.reason)
            self._log.info(f"Skipped: {stage.spec.title}: {end.reason}")

    def _retries(self, names: list[str]) -> int:
        with self._state.lock:
            return sum(self._state.retries.get(name, 0) for name in names)


def papers_found(config: Config, parts: Parts) -> PapersFound:
    """The papers to review. Raises UsageError where there are none."""
    found = parts.find_papers()
    if not found.papers and not found.problems:
        raise UsageError(
            f"no papers in {config.papers!r}: put PDF, text or Markdown files there, or name another folder "
            "with --papers"
        )
    return found
