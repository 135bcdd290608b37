"""The one file that sees everything: a configuration in, a ready pipeline out.

Everything that would stop a run is found here, all of it at once, before anything is run or written.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Collection
from errno import ENAMETOOLONG
from typing import TYPE_CHECKING, Any, TypeVar

from literature_review.config import Config
from literature_review.errors import (
    ConfigError,
    ProtocolError,
    StoreError,
    UnreadablePaperError,
    UsageError,
)
from literature_review.pipeline.parts import PapersFound, Parts, RunOptions
from literature_review.pipeline.policy import CircuitBreaker
from literature_review.pipeline.run import PipelineOrchestrator
from literature_review.pipeline.runlog import RunLog
from literature_review.pipeline.stages import load_stages, look_at_stages
from literature_review.plugins import PLUGINS, load, require_packages
from literature_review.protocol import load_protocol
from literature_review.records import ReviewProtocol

if TYPE_CHECKING:
    from literature_review.models import Claim, Document
    from literature_review.pipeline.calls import CallGate

T = TypeVar("T")


def build(config: Config, options: RunOptions | None = None, log: RunLog | None = None) -> PipelineOrchestrator:
    """A pipeline with the standard parts. Raises ConfigError with everything that stands in its way."""
    log = log or RunLog(level=config.log_level)
    return PipelineOrchestrator(config, options, log, build_parts(config, log))


def build_parts(config: Config, log: RunLog) -> Parts:
    """The standard parts. Nothing is written to the output folder but the folder itself, and in a dry run not even
    that. Raises ConfigError with all that is missing or wrong."""
    problems: list[str] = []
    protocol = _try(problems, lambda: _protocol(config, log))
    stages = _try(problems, lambda: (look_at_stages if config.dry_run else load_stages)(config.stages))
    _try(problems, lambda: _check_papers(config, log))
    _try(problems, lambda: _check_backend(config))
    _try(problems, lambda: _check_output(config))
    problems += _unusable(config)
    if problems or protocol is None or stages is None:
        raise ConfigError(problems)
    log.hide_secrets(_secrets(config))
    breaker = _breaker(config)
    backend = _backend(config, log, breaker)
    reader = load("reader", "standard")(timeout=config.document_timeout)
    later = Later if config.dry_run else _now
    database = later(lambda: load("database", "sqlite")(_output(config, "review.db"), warn=log.warning))
    history = later(lambda: load("history", "file")(_output(config, config.version_history_path), warn=log.warning))
    reports = {name: later(_report(name)) for name in PLUGINS["report"]}

    def close() -> None:
        for part in (reader, backend, database):
            part.close()

    return Parts(
        protocol=protocol,
        stages=stages,
        find_papers=lambda: _find_papers(config),
        reader=reader,
        backend=backend,
        store=database,
        database=database,
        history=history,
        reports=reports,
        close=close,
        breaker=breaker,
        fault_of=_fault_of,
    )


class Later:
    """A part that is made when it is first asked for something: a dry run asks for some of them in vain."""

    def __init__(self, make: Callable[[], Any]) -> None:
        self._make = make
        self._made: Any = None

    def __getattr__(self, name: str) -> Any:
        if self._made is None:
            self._made = self._make()
        return getattr(self._made, name)

    def close(self) -> None:
        if self._made is not None:
            self._made.close()


def _fault_of(claim: Claim, document: Document, wanted: Collection[str]) -> str:
    from literature_review.reviewers.claims import fault_of

    return fault_of(claim, document, wanted)


def _now(make: Callable[[], Any]) -> Any:
    return make()


def _report(name: str) -> Callable[[], Any]:
    return lambda: load("report", name)()


def _output(config: Config, name: str) -> str:
    return os.path.join(config.output_dir, name)


def _try(problems: list[str], step: Callable[[], T]) -> T | None:
    try:
        return step()
    except (ConfigError, ProtocolError) as error:
        problems.extend(error.problems)
    except UsageError as error:
        problems.append(str(error))
    return None


def _protocol(config: Config, log: RunLog) -> ReviewProtocol:
    if not os.path.exists(config.protocol) and "protocol" in config.defaulted:
        remedy = "write it, or name another with --protocol"
        if not config.dry_run:
            raise UsageError(f"protocol: there is no file {config.protocol!r}; {remedy}")
        log.warning(f"there is no protocol {config.protocol!r} yet; a run needs one: {remedy}")
        return ReviewProtocol("")
    try:
        return load_protocol(config.protocol)
    except ProtocolError as error:
        from literature_review.strict_json import printable

        place = f"{printable(config.protocol)}: "  # a file that cannot be read is named already
        told = [line if line.startswith(place) else place + line for line in error.problems]
        raise ProtocolError(told) from error


def _check_papers(config: Config, log: RunLog) -> None:
    if os.path.isdir(config.papers):
        return
    if os.path.exists(config.papers):
        raise UsageError(f"papers: {config.papers!r} is not a folder; name the folder that holds the papers")
    remedy = "make it and put papers there, or name another with --papers"
    if config.dry_run and "papers" in config.defaulted:
        log.warning(f"there is no folder {config.papers!r} yet; a run needs one: {remedy}")
        return
    raise UsageError(f"papers: there is no folder {config.papers!r}; {remedy}")


def _check_backend(config: Config) -> None:
    """A paid back end needs its key and its extra; the key is looked for first, and both are told."""
    name = config.llm.backend
    problems: list[str] = []
    if config.llm.key_needed and not _secrets(config):
        problems.append(
            f"llm.backend {name!r} needs its key in the environment variable {config.llm.api_key_env}: set it, or name "
            "another variable in llm.api_key_env"
        )
    _try(problems, lambda: require_packages("backend", name))
    if problems:
        raise ConfigError(problems)


def _check_output(config: Config) -> None:
    """The output folder, and the checkpoint's, can be written; a real run makes them here."""
    _check_checkpoint(config.checkpoint_file)
    for key, path in (
        ("output_dir", os.path.abspath(config.output_dir)),
        ("checkpoint_file", os.path.dirname(os.path.abspath(config.checkpoint_file))),
    ):
        if not config.dry_run:
            try:
                os.makedirs(path, exist_ok=True)
            except OSError as error:
                raise UsageError(f"{key}: {path!r} cannot be made ({error.strerror}); name another") from error
        while not os.path.lexists(path):
            path = os.path.dirname(path)
        if not os.path.isdir(path) or not os.access(path, os.W_OK | os.X_OK) or _is_read_only(path):
            raise UsageError(f"{key}: {path!r} cannot be written to; name a folder of your own")


def _check_checkpoint(path: str) -> None:
    """It is a file that can be read, or will be one. A pipe would be waited for without end."""
    if os.path.isdir(path) or not os.path.basename(path):
        raise UsageError(f"checkpoint_file: {path!r} is a folder; name a file")
    try:
        os.lstat(f"{path}.journal-1000")  # the longest name of what a run keeps beside it
    except OSError as error:
        if error.errno == ENAMETOOLONG:
            raise UsageError(f"checkpoint_file: {path!r} is too long a name; give a shorter one") from error
    if not os.path.exists(path):
        return
    if not os.path.isfile(path):
        raise UsageError(f"checkpoint_file: {path!r} is no file; name one, or a name that is not taken")
    if not os.access(path, os.R_OK):
        raise UsageError(f"checkpoint_file: {path!r} may not be read; allow this user to read it, or name another")


def _unusable(config: Config) -> list[str]:
    """Why what earlier runs left in the output folder could not be used; a dry run looks at all of it, a run at the
    heads of the databases."""
    from literature_review.storage import schema

    thorough = config.dry_run
    looks: dict[str, Callable[[str], None]] = {
        "review.db": lambda path: schema.check(path, thorough),
        config.version_history_path: lambda path: load("history", "file")(path).check(),
    }
    if PLUGINS["backend"][config.llm.backend].api:
        from literature_review.llm.paid_book import FILE_NAME, PaidBook

        looks[FILE_NAME] = lambda path: PaidBook(path).check(thorough)
    problems = []
    for name, look in looks.items():
        path = _output(config, name)
        try:
            if os.path.lexists(path):
                look(path)
        except (StoreError, UsageError) as error:
            problems.append(str(error))
        except OSError as error:
            remedy = "allow this user to read and write it" if isinstance(error, PermissionError) else "move it away"
            problems.append(f"{path}: {error.strerror or error}; {remedy}, or name another output_dir")
    return problems


def _is_read_only(path: str) -> bool:
    statvfs = getattr(os, "statvfs", None)
    return statvfs is not None and bool(statvfs(path).f_flag & os.ST_RDONLY)


def _secrets(config: Config) -> list[str]:
    value = os.environ.get(config.llm.api_key_env or "", "").strip()
    return [value] if value else []


def _breaker(config: Config) -> CircuitBreaker:
    """It pauses as the stages' own retries do: from their base up to their longest wait."""
    policy = config.retry_policy
    return CircuitBreaker(
        policy.circuit_breaker_threshold, policy.default.backoff_max, first_pause=policy.default.backoff_base or None
    )


def _backend(config: Config, log: RunLog, breaker: CircuitBreaker) -> Any:
    """The back end; one that asks a server gets the gate that its calls pass."""
    make = load("backend", config.llm.backend)
    if not PLUGINS["backend"][config.llm.backend].api:
        return make(config.to_json())
    return make(config.to_json(), _gate(config, log, breaker), os.path.abspath(config.output_dir), log)


def _gate(config: Config, log: RunLog, breaker: CircuitBreaker) -> CallGate:
    from literature_review.pipeline.calls import CallGate
    from literature_review.pipeline.daily_quota import DailyQuota

    plugin, quota = PLUGINS["backend"][config.llm.backend], config.quota_of_backend
    per_day = None if quota is None else quota.requests_per_day
    at_once = config.max_workers if config.parallel else 1
    return CallGate(
        config.call_retry,
        log,
        quota=quota,
        breaker=breaker,
        smart=config.enable_smart_retry,
        request_timeout=config.llm.request_timeout,
        max_in_flight=at_once,
        spare=at_once // 4 if plugin.counts_calls else 0,
        daily=DailyQuota(plugin.api, per_day, os.path.abspath(config.output_dir)),
    )


def _find_papers(config: Config) -> PapersFound:
    if not os.path.isdir(config.papers):
        return PapersFound(())
    try:
        found = load("finder", "standard")(config.papers, skip=(config.output_dir, config.checkpoint_file))
    except UnreadablePaperError as error:  # of the folder itself
        raise UsageError(f"papers: {config.papers!r}: {error}") from error
    papers, ignored = tuple(found.papers), tuple(found.ignored)
    problems = {name: str(error) for name, error in found.problems.items()}
    if not found.references:
        return PapersFound(papers, ignored, problems)
    references = load("references", "standard")(found.references, papers)
    return PapersFound(papers, tuple(sorted((*ignored, *references.unused))), problems, references)
