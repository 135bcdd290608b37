"""Stages as modules: found by name, checked, and cut into segments that run together."""

from __future__ import annotations

import hashlib
import os
import sys
from collections.abc import Callable, Sequence
from importlib import import_module
from types import ModuleType
from typing import TYPE_CHECKING

from literature_review.errors import ConfigError, UsageError
from literature_review.light_record import record
from literature_review.stage_order import STANDARD_STAGES

if TYPE_CHECKING:
    from literature_review.config import StageSpec
    from literature_review.models import StageResult
    from literature_review.pipeline.parts import RunOptions
    from literature_review.ports import StageContext


_OURS = frozenset(stage["module"] for stage in STANDARD_STAGES)


@record
class LoadedStage:
    """A stage that is ready to run. `source`: digest of its module's file, so that changed code is run again."""

    spec: StageSpec
    run: Callable[[StageContext], StageResult]
    source: str

    @property
    def name(self) -> str:
        return self.spec.name

    @property
    def is_ours(self) -> bool:
        return self.spec.module in _OURS


@record
class Segment:
    """Stages that run together: one corpus stage, or per-paper stages that a paper walks in one go."""

    stages: tuple[LoadedStage, ...]
    per_paper: bool
    closes_papers: bool = False  # its last stage is the last per-paper stage: papers are completed by it


@record
class StageEnd:
    """How a stage ended that did not complete: `status` is skipped or failed."""

    status: str
    reason: str


def load_stages(specs: Sequence[StageSpec]) -> tuple[LoadedStage, ...]:
    """Import every stage's module, from the current folder too. Raises ConfigError with all that failed."""
    return _each(specs, _loaded)


def look_at_stages(specs: Sequence[StageSpec]) -> tuple[LoadedStage, ...]:
    """The same for a run that is only tried: a module of the user's own is imported; of the program's own it is seen
    that it is there and has its function, and it is imported when that is called."""
    return _each(specs, lambda spec, problems: _seen(spec) or _loaded(spec, problems))


def _each(
    specs: Sequence[StageSpec], load: Callable[[StageSpec, list[str]], LoadedStage | None]
) -> tuple[LoadedStage, ...]:
    if os.getcwd() not in sys.path:  # a user's own stage lies beside the papers, not in the package
        sys.path.append(os.getcwd())
    problems: list[str] = []
    loaded = [stage for spec in specs if (stage := load(spec, problems)) is not None]
    if problems:
        raise ConfigError(problems)
    return tuple(loaded)


def _loaded(spec: StageSpec, problems: list[str]) -> LoadedStage | None:
    module = _import(spec, problems)
    if module is None:
        return None
    run = getattr(module, "run", None)
    if not callable(run):
        problems.append(f"stages.{spec.name}: the module {spec.module!r} has no function run(context); add one")
        return None
    return LoadedStage(spec, run, _digest_of_source(getattr(module, "__file__", None) or "") or module.__name__)


def _seen(spec: StageSpec) -> LoadedStage | None:
    """None where the module is not the program's own, or no file that can be looked at: it has to be imported."""
    if spec.module not in _OURS:
        return None
    path = os.path.join(os.path.dirname(__file__), "..", *spec.module.split(".")[1:]) + ".py"
    if not os.path.isfile(path):
        return None
    with open(path, "rb") as file:
        if b"\ndef run(" not in file.read():
            return None
    return LoadedStage(spec, lambda context: import_module(spec.module).run(context), "")


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


def _digest_of_source(path: str) -> str:
    if not os.path.isfile(path):
        return ""
    with open(path, "rb") as file:
        return hashlib.sha256(file.read()).hexdigest()[:16]


def check_stage_names(options: RunOptions, stages: Sequence[LoadedStage]) -> None:
    """Raises UsageError that lists the known stages where one is asked for that is not there."""
    names = [stage.name for stage in stages]
    for option, name in (("--resume-from", options.resume_from), ("stage", options.only)):
        if name is not None and name not in names:
            raise UsageError(f"{option}: there is no stage {name!r}; the stages are: {', '.join(names)}")


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
