"""The first moments of a run: a new checkpoint, or the one to go on with; and what will be run again."""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from literature_review.config import Config
from literature_review.pipeline.orchestrator_v2 import CheckpointManagerV2
from literature_review.pipeline.parts import RunOptions
from literature_review.pipeline.runlog import RunLog
from literature_review.pipeline.stages import LoadedStage, check_stage_names
from literature_review.pipeline.work import Redo


def begin_run(
    config: Config, options: RunOptions, log: RunLog, stages: Sequence[LoadedStage]
) -> tuple[CheckpointManagerV2, RunOptions]:
    """The checkpoint of this run, and its options: a resumed run goes on as it was begun.

    Nothing is written yet. A damaged or foreign checkpoint raises the kernel's error and stays as it is.
    """
    check_stage_names(options, stages)
    checkpoint = CheckpointManagerV2(config.checkpoint_file)
    loaded = checkpoint.load()
    data = checkpoint.data if loaded else {}
    wants_earlier = options.resume or options.resume_from is not None or options.only is not None
    nothing = _nothing_to_resume(data, loaded, options)
    if wants_earlier and not nothing:
        log.info(f"Resuming run {data.get('run_id')}: {_standing(data)}")
        return checkpoint, _as_begun(options, data, log)
    if data.get("dry_run"):
        os.unlink(config.checkpoint_file)  # it was for review; nothing in it is worth setting aside
    if wants_earlier:
        log.info(f"Nothing to resume: {nothing}; starting a new run")
    elif loaded and not data.get("dry_run") and data.get("status") not in (None, "completed"):
        log.info(
            f"The run {data.get('run_id')} was not finished ({_standing(data)}); it is set aside, its results are "
            "used again. To go on with it: --resume"
        )
    checkpoint.close()
    return CheckpointManagerV2(config.checkpoint_file), replace(options, resume=False)


def redo_of(options: RunOptions, stages: Sequence[LoadedStage]) -> Redo:
    """Which stored results of per-paper stages do not count in this run."""
    first = options.only or options.resume_from
    if options.force and first is None:
        return Redo(start=0)
    if first is None:
        return Redo()
    names = [stage.name for stage in stages]
    before = stages[: names.index(first)]
    return Redo(start=sum(stage.spec.per_paper for stage in before), frozen=True)


def _nothing_to_resume(data: dict[str, Any], loaded: bool, options: RunOptions) -> str:
    if not loaded:
        return "there is no checkpoint yet"
    if data.get("dry_run"):
        return "the checkpoint is that of a dry run"
    if options.resume_from is not None or options.only is not None:
        return ""
    stats = data["stats"]
    if data.get("status") == "completed" and stats["completed_papers"] == stats["total_papers"]:
        return f"the run {data.get('run_id')} is complete"
    return ""


def _standing(data: dict[str, Any]) -> str:
    stats = data.get("stats", {})
    total = data.get("papers_found") or stats.get("total_papers", 0)
    return f"{stats.get('completed_papers', 0)} of {total} papers done, {stats.get('failed_papers', 0)} failed"


def _as_begun(options: RunOptions, data: dict[str, Any], log: RunLog) -> RunOptions:
    """With --resume, the run goes on with what it was begun with (--force, --resume-from), as the checkpoint says."""
    redo = data.get("redo")
    if not options.resume or options.resume_from is not None or not isinstance(redo, dict):
        return options
    stage, force = redo.get("stage"), bool(redo.get("force"))
    if data.get("status") == "completed":
        return options  # only failed papers are tried again: what was asked for then is done
    if stage is not None or force:
        log.info(f"The run was begun with {'--resume-from ' + str(stage) if stage else '--force'}: it goes on so")
    return replace(options, resume_from=stage if isinstance(stage, str) else None, force=force)
