"""The dry run: everything is looked at as a real run would need it, nothing is run.

It calls no API, reads no paper through a parser (unless a paid back end's forecast needs the texts), touches no
database, and writes one file: a checkpoint for review, marked `"dry_run": true`.
"""

from __future__ import annotations

import os
from typing import Any

from literature_review.config import Config
from literature_review.errors import PaperError, StageTimeoutError, UsageError
from literature_review.models import PaperFile, RunResult
from literature_review.pipeline.begin import check_stage_names
from literature_review.pipeline.orchestrator_v2 import CheckpointError, CheckpointManagerV2
from literature_review.pipeline.parts import PapersFound, Parts, RunOptions
from literature_review.pipeline.progress import spoken_seconds
from literature_review.pipeline.runlog import RunLog
from literature_review.pipeline.stages import LoadedStage
from literature_review.pipeline.summary import tell_references
from literature_review.plugins import load
from literature_review.ports import Deadline

FORECAST = ("calls", "tokens", "usd", "seconds")


class DryRun:
    """Validates a configuration and forecasts the run. See PipelineOrchestrator for the arguments."""

    def __init__(self, config: Config, options: RunOptions, log: RunLog, parts: Parts | None = None) -> None:
        self._config, self._options, self._log, self._given = config, options, log, parts

    def run(self) -> RunResult:
        """Raises UsageError with all that would stop a run."""
        self._log.warning("DRY-RUN MODE ENABLED")
        self._log.info("No stages will be executed")
        parts = self._given or load("assembly", "standard")(self._config, self._log)
        try:
            check_stage_names(self._options, parts.stages)
            path = self._checkpoint_path()
            found = parts.find_papers()
            papers = self._look_at(parts, found)
            stages = self._show_path(parts, papers)
            run_id = self._write_checkpoint(path, papers, stages)
        finally:
            if self._given is None:
                parts.close()
        self._log.info(f"Checkpoint for review: {path}")
        self._log.success("🎉 Pipeline Complete!")
        return RunResult(0, "completed", run_id, papers={"total": len(papers)}, outputs={"Checkpoint": path})

    def _look_at(self, parts: Parts, found: PapersFound) -> list[PaperFile]:
        """The papers that a run would review; what it would turn down is a warning."""
        if not found.papers and not found.problems:
            self._log.warning(f"no papers in {self._config.papers!r} yet: put PDF, text or Markdown files there")
        for name, why in found.problems.items():
            self._log.warning(f"would fail alone: {name}: {why}")
        tell_references(self._log, found)
        readable = []
        for paper in found.papers:
            why = parts.reader.check(paper.path)
            if paper.duplicate_of is not None:
                self._log.info(f"{paper.id}: the same file as {paper.duplicate_of}; counted once")
            elif why:
                self._log.warning(f"would fail alone: {paper.id}: {why}")
            else:
                readable.append(paper)
        return readable

    def _show_path(self, parts: Parts, papers: list[PaperFile]) -> dict[str, Any]:
        lengths = self._lengths(parts, papers)
        wanted = sum(1 for _ in parts.protocol.sub_requirements())
        shown: dict[str, Any] = {}
        for stage in self._chosen(parts.stages):
            self._log.info(f"[DRY-RUN] Would execute: {stage.spec.module}")
            forecast = _forecast(parts, stage, lengths, wanted)
            self._log.info(f"[DRY-RUN]   {_spoken(stage, len(papers), forecast)}")
            self._log.success(f"✅ Stage validated: {stage.spec.title}")
            shown[stage.name] = {"status": "validated", "attempts": 0, "forecast": forecast}
        return shown

    def _chosen(self, stages: tuple[LoadedStage, ...]) -> tuple[LoadedStage, ...]:
        first = self._options.only or self._options.resume_from
        if first is None:
            return stages
        at = [stage.name for stage in stages].index(first)
        return stages[at : at + 1] if self._options.only else stages[at:]

    def _lengths(self, parts: Parts, papers: list[PaperFile]) -> list[int]:
        """Characters per paper: their size where nothing is paid for, the true text where it costs money."""
        if not parts.backend.paid:
            return [paper.size for paper in papers]
        lengths = []
        for paper in papers:
            try:
                lengths.append(len(parts.reader.read(paper.path, Deadline(self._config.document_timeout)).text))
            except (PaperError, StageTimeoutError) as error:
                self._log.warning(f"would fail alone: {paper.id}: {error}")
        return lengths

    def _checkpoint_path(self) -> str:
        """Where to write: the checkpoint's own place, unless a real run is in it."""
        path = self._config.checkpoint_file
        name, ending = os.path.splitext(path)
        beside = f"{name}.dry-run{ending or '.json'}"
        if not os.path.exists(path):
            return path
        try:
            manager = CheckpointManagerV2(path)
            if manager.load() and not manager.data.get("dry_run"):
                self._log.info(f"{path} holds the run {manager.data.get('run_id')}: it is left alone")
                return beside
        except CheckpointError as error:
            raise UsageError(str(error)) from error
        return path

    def _write_checkpoint(self, path: str, papers: list[PaperFile], stages: dict[str, Any]) -> str:
        if os.path.isfile(path):
            os.unlink(path)  # an earlier dry run's
        with CheckpointManagerV2(path) as checkpoint:
            checkpoint.update_run(dry_run=True, status="completed", papers_found=len(papers), stages=stages)
            for paper in papers:
                checkpoint.update_paper_status(paper.id, "not_started")
            return str(checkpoint.data["run_id"])


def _forecast(parts: Parts, stage: LoadedStage, lengths: list[int], wanted: int) -> dict[str, float | None]:
    """Sums over all papers; `usd` is None where a price is not known."""
    totals: dict[str, float | None] = dict.fromkeys(FORECAST, 0.0)
    if not stage.spec.per_paper:
        return totals
    for length in lengths:
        one = parts.backend.estimate(stage.name, length, wanted)
        for name in FORECAST:
            before = totals[name]
            totals[name] = None if before is None or name not in one else before + one[name]
    return totals


def _spoken(stage: LoadedStage, papers: int, forecast: dict[str, float | None]) -> str:
    cost = forecast["usd"]
    return ", ".join(
        (
            f"{papers} papers" + ("" if stage.spec.per_paper else " together"),
            f"{forecast['calls'] or 0:.0f} model calls",
            f"{forecast['tokens'] or 0:.0f} tokens",
            "cost unknown" if cost is None else f"{cost:.2f} USD",
            f"about {spoken_seconds(forecast['seconds'] or 0.0)}",
        )
    )
