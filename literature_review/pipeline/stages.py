"""Stages as modules: found by name, checked, and cut into segments that run together."""

from __future__ import annotations

import hashlib
import os
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from importlib import import_module
from types import ModuleType

from literature_review.config import StageSpec
from literature_review.errors import ConfigError
from literature_review.models import StageResult
from literature_review.ports import StageContext


@dataclass(frozen=True)
class LoadedStage:
    """A stage that is ready to run. `source`: digest of its module's file, so that changed code is run again."""

    spec: StageSpec
    run: Callable[[StageContext], StageResult]
    source: str

    @property
    def name(self) -> str:
        return self.spec.name


@dataclass(frozen=True)
class Segment:
    """Stages that run together: one corpus stage, or per-paper stages that a paper walks in one go."""

    stages: tuple[LoadedStage, ...]
    per_paper: bool
    closes_papers: bool = False  # its last stage is the last per-paper stage: papers are completed by it


def load_stages(specs: Sequence[StageSpec]) -> tuple[LoadedStage, ...]:
    """Import every stage's module, from the current folder too. Raises ConfigError with all that failed."""
    if os.getcwd() not in sys.path:  # a user's own stage lies beside the papers, not in the package
        sys.path.append(os.getcwd())
    loaded: list[LoadedStage] = []
    problems: list[str] = []
    for spec in specs:
        module = _import(spec, problems)
        if module is None:
            continue
        run = getattr(module, "run", None)
        if callable(run):
            loaded.append(LoadedStage(spec, run, _digest_of_source(module)))
        else:
            problems.append(f"stages.{spec.name}: the module {spec.module!r} has no function run(context); add one")
    if problems:
        raise ConfigError(problems)
    return tuple(loaded)


def _import(spec: StageSpec, problems: list[str]) -> ModuleType | None:
    try:
        return import_module(spec.module)
    except ModuleNotFoundError as error:
        if error.name and spec.module.startswith(error.name):
            problems.append(
                f"stages.{spec.name}: there is no module {spec.module!r}; it is looked for on Python's path and in "
                f"the current folder {os.getcwd()}"
            )
        else:
            problems.append(f"stages.{spec.name}: {spec.module} needs the module {error.name!r}; install it")
    except (Exception, SystemExit) as error:  # noqa: BLE001, a user's module may fail with anything
        problems.append(
            f"stages.{spec.name}: the module {spec.module!r} fails to import ({type(error).__name__}: {error}); "
            f"try: python -c 'import {spec.module}'"
        )
    return None


def _digest_of_source(module: ModuleType) -> str:
    path = getattr(module, "__file__", None)
    if not path or not os.path.isfile(path):
        return module.__name__
    with open(path, "rb") as file:
        return hashlib.sha256(file.read()).hexdigest()[:16]


def segments(stages: Sequence[LoadedStage], parallel: bool) -> list[Segment]:
    """Cut the stages, in order: a corpus stage stands alone; per-paper stages in a row go together where papers
    run concurrently, and one by one (stage after stage over all papers) where they do not."""
    last_per_paper = max((at for at, stage in enumerate(stages) if stage.spec.per_paper), default=-1)
    cut: list[Segment] = []
    run: list[LoadedStage] = []
    for at, stage in enumerate(stages):
        if not stage.spec.per_paper:
            cut.append(Segment((stage,), per_paper=False))
            continue
        run.append(stage)
        goes_on = parallel and at + 1 < len(stages) and stages[at + 1].spec.per_paper
        if not goes_on:
            cut.append(Segment(tuple(run), per_paper=True, closes_papers=at == last_per_paper))
            run = []
    return cut
