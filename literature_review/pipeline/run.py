"""A review from a folder of papers to the report, resumable at any moment: run (review_run.py) or tried dry
(dry_run.py). Each is imported when it is chosen."""

from __future__ import annotations

import os
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from literature_review.config import Config, load_config, parse_config
from literature_review.pipeline.parts import Parts, RunOptions
from literature_review.pipeline.runlog import RunLog
from literature_review.plugins import load

if TYPE_CHECKING:
    from literature_review.models import RunResult


class PipelineOrchestrator:
    """Runs the review that a configuration describes.

    `config`: a Config, the plain data of one, or the path of its file (None: `pipeline_config.json` here, or the
    defaults). `parts`: what to work with, the standard parts where none are given. One object, one run at a time.
    """

    def __init__(
        self,
        config: Config | Mapping[str, Any] | str | os.PathLike[str] | None = None,
        options: RunOptions | None = None,
        log: RunLog | None = None,
        parts: Parts | None = None,
    ) -> None:
        self.config = _as_config(config)
        self.options = options or RunOptions()
        self.log = log or RunLog(level=self.config.log_level)
        self._parts = parts

    def run(self) -> RunResult:
        """Run it, or try it dry. Raises UsageError where it cannot start; what happens after that is in the
        RunResult. Ctrl-C and SIGTERM end it resumably (exit code 130)."""
        if self.config.dry_run:
            from literature_review.pipeline.dry_run import DryRun

            return DryRun(self.config, self.options, self.log, self._parts).run()
        from literature_review.pipeline.review_run import ReviewRun
        from literature_review.pipeline.signals import StopSignals

        parts = self._parts or load("assembly", "standard")(self.config, self.log)
        try:
            with StopSignals() as signals:
                return ReviewRun(self.config, self.options, self.log, parts, signals).run()
        finally:
            if self._parts is None:
                parts.close()


def _as_config(config: Config | Mapping[str, Any] | str | os.PathLike[str] | None) -> Config:
    if isinstance(config, Config):
        return config
    if isinstance(config, Mapping):
        return parse_config(config)
    return load_config(None if config is None else os.fspath(config))
