"""The dry run: everything is looked at as a real run would need it, nothing is run.

It calls no API, reads no paper through a parser (unless a paid back end's forecast needs the texts), touches no
database, and writes one file: a checkpoint for review, marked `"dry_run": true`.
"""

from __future__ import annotations

import json
import os
from typing import Any

from literature_review.config import Config
from literature_review.errors import PaperError, StageTimeoutError, UsageError
from literature_review.files import write_atomically
from literature_review.pipeline.forecast import Forecast, add, lengths_of, nothing, of_stage, spoken, spoken_usd
from literature_review.pipeline.orchestrator_v2 import CheckpointError, CheckpointManagerV2
from literature_review.pipeline.parts import PapersFound, Parts, RunOptions
from literature_review.pipeline.references_told import tell_references
from literature_review.pipeline.runlog import RunLog
from literature_review.pipeline.stages import LoadedStage, check_stage_names
from literature_review.plugins import load
from literature_review.records import PaperFile, RunResult

READ_AT_MOST = 200  # papers whose text is read for the forecast; the others are taken to be like them


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
                self._log.debug(f"{paper.id}: {paper.size:,} bytes, can be read")
                readable.append(paper)
        return readable

    def _show_path(self, parts: Parts, papers: list[PaperFile]) -> dict[str, Any]:
        lengths = self._lengths(parts, papers)
        wanted = sum(1 for _ in parts.protocol.sub_requirements())
        shown: dict[str, Any] = {}
        total = nothing()
        for stage in self._chosen(parts.stages):
            self._log.info(f"[DRY-RUN] Would execute: {stage.spec.module}")
            workers = self._config.max_workers if self._config.parallel else 1
            forecast = of_stage(parts.backend, stage, lengths, wanted, workers)
            together = "" if stage.spec.per_paper else " together"
            self._log.info(f"[DRY-RUN]   {len(papers)} papers{together}, {spoken(forecast)}")
            self._log.success(f"✅ Stage validated: {stage.spec.title}")
            shown[stage.name] = {"status": "validated", "attempts": 0, "forecast": forecast}
            add(total, forecast)
        if parts.backend.paid:
            self._tell_total(total)
        return shown

    def _tell_total(self, total: Forecast) -> None:
        """All stages together, beside the limits that are set."""
        self._log.info(f"[DRY-RUN] Expected in all: {spoken(total)}")
        budget, most = self._config.llm.budget_usd, total["usd_high"]
        if budget is not None and most is not None and most > budget:
            self._log.warning(
                f"llm.budget_usd ({spoken_usd(budget)}) may not be enough: the run would stop before it, resumably"
            )
        quota, calls = self._config.quota_of_backend, total["calls"] or 0.0
        a_day = quota.requests_per_day if quota is not None else None
        if a_day is not None and calls > a_day:
            days = -(-calls // a_day)
            self._log.warning(f"at {a_day:,} calls a day it takes about {days:.0f} days, gone on with by --resume")

    def _chosen(self, stages: tuple[LoadedStage, ...]) -> tuple[LoadedStage, ...]:
        first = self._options.only or self._options.resume_from
        if first is None:
            return stages
        at = [stage.name for stage in stages].index(first)
        folder = self._config.output_dir
        if at and not os.path.exists(os.path.join(folder, "review.db")):
            self._log.warning(
                f"{first} works on what the stages before it found, and nothing is in {folder!r} yet: every paper "
                "would be left as not assessed; run all stages first"
            )
        return stages[at : at + 1] if self._options.only else stages[at:]

    def _lengths(self, parts: Parts, papers: list[PaperFile]) -> list[int]:
        """Characters per paper: their size where nothing is paid for, the true text where it costs money, with
        characters of other scripts than Latin by their tokens."""
        if not parts.backend.paid:
            return [paper.size for paper in papers]
        from literature_review.ports import Deadline
        from literature_review.text.token_estimate import quarters_of

        def read(paper: PaperFile) -> int | None:
            try:
                return quarters_of(parts.reader.read(paper.path, Deadline(self._config.document_timeout)).text)
            except (PaperError, StageTimeoutError) as error:
                self._log.warning(f"would fail alone: {paper.id}: {error}")
                return None

        return list(lengths_of(papers, read, READ_AT_MOST).values())

    def _checkpoint_path(self) -> str:
        """Where to write: the checkpoint's own place, unless a real run is in it, be it in the journal alone."""
        path = self._config.checkpoint_file
        name, ending = os.path.splitext(path)
        beside = f"{name}.dry-run{ending or '.json'}"
        try:
            manager = CheckpointManagerV2(path)
            if manager.load() and not manager.data.get("dry_run"):
                self._log.info(f"{path} holds the run {manager.data.get('run_id')}: it is left alone")
                return beside
        except CheckpointError as error:
            raise UsageError(str(error)) from error
        return path

    def _write_checkpoint(self, path: str, papers: list[PaperFile], stages: dict[str, Any]) -> str:
        """In one piece: nothing in it has to survive a crash half done, as a run's marks have."""
        checkpoint = CheckpointManagerV2(path, dry_run=True)  # keeps it in memory
        checkpoint.update_run(dry_run=True, status="completed", papers_found=len(papers), stages=stages)
        for paper in papers:
            checkpoint.update_paper_status(paper.id, "not_started")
        data = checkpoint.data
        try:
            write_atomically(path, _one_paper_a_line(data).encode("ascii"))
        except OSError as error:
            why = error.strerror or str(error)
            what = f"checkpoint_file: {path!r} cannot be written ({why}); make room, or name another"
            raise UsageError(what) from error
        return str(data["run_id"])


def _one_paper_a_line(data: dict[str, Any]) -> str:
    """The checkpoint as JSON, in the form that a run's has."""
    head = {name: value for name, value in data.items() if name != "papers"}
    papers = ",\n".join(f"  {json.dumps(name)}: {json.dumps(entry)}" for name, entry in data["papers"].items())
    return f'{json.dumps(head, indent=1)[:-2]},\n "papers": {{\n{papers}\n }}\n}}\n'
