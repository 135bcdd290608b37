"""The command: `python pipeline_orchestrator.py`, and `literature-review` once installed.

A parser, a main, one error boundary. All work is done by the package.
"""

import os
import sys

if __name__ == "__main__" or os.path.basename(sys.argv[0]).startswith("literature-review"):
    from literature_review.early_signals import end_quietly

    end_quietly()

import argparse
from collections.abc import Sequence
from typing import Any

from literature_review import __version__
from literature_review.config import Config, load_config
from literature_review.errors import ConfigError, ProtocolError, StoreError, UsageError
from literature_review.pipeline.orchestrator_v2 import CheckpointError
from literature_review.pipeline.parts import RunOptions
from literature_review.pipeline.run import PipelineOrchestrator
from literature_review.pipeline.runlog import RunLog, one_line
from literature_review.pipeline.signals import StopSignals

EXIT_FAILED, EXIT_USAGE, EXIT_INTERRUPTED = 1, 2, 130


class _HelpFormatter(argparse.HelpFormatter):
    """As wide as the terminal. argparse makes one for every option; asking by itself it would import shutil for it."""

    def __init__(self, prog: str) -> None:
        super().__init__(prog, width=_width())


def _width() -> int:
    try:
        return int(os.environ.get("COLUMNS") or os.get_terminal_size().columns) - 2
    except (OSError, ValueError):
        return 78


def parser() -> argparse.ArgumentParser:
    """The command's options."""
    made = argparse.ArgumentParser(
        prog="pipeline_orchestrator.py",
        description="Pipeline Orchestrator v2.0: review a folder of papers against a protocol. "
        "Exit codes: 0 all well, 1 a stage or papers failed, 2 wrong usage or configuration, 130 interrupted.",
        allow_abbrev=False,
        formatter_class=_HelpFormatter,
    )
    add = made.add_argument
    add("--config", metavar="FILE", help="configuration (default: pipeline_config.json here, if it is there)")
    add("--papers", metavar="DIR", help="folder of papers: PDF, text and Markdown, searched recursively")
    add("--protocol", metavar="FILE", help="review protocol: questions, requirements, screening")
    add("--output-dir", metavar="DIR", help="where report, database and version history go")
    add("--checkpoint-file", metavar="FILE", help="where the run keeps its progress")
    add("--log-file", metavar="FILE", help="write the log, debug detail included, to this file as well")
    add("--resume", action="store_true", help="go on with the run in the checkpoint")
    add("--resume-from", metavar="STAGE", help="run this stage and all after it again, none before it")
    add("--force", action="store_true", help="review everything again, whatever is stored")
    add("--dry-run", action="store_true", help="validate and forecast; no stage is executed, no API is called")
    add("--enable-experimental", action="store_true", help="process papers concurrently (experimental)")
    add("--max-workers", type=int, metavar="N", help="papers at a time when papers run concurrently")
    add("--version", action="version", version=f"literature-review-pipeline {__version__}")
    return made


def main(argv: Sequence[str] | None = None, *, only: str | None = None) -> int:
    """Run the command; returns its exit code. `only`: run this one stage (`python -m` of a stage's module)."""
    log = RunLog()
    try:
        with StopSignals():
            arguments = _parse(argv, only)
            _check_current_folder()
            config = load_config(arguments.config, _overrides(arguments))
            log = _open_log(config, arguments.log_file)
            _tell_options(log, config, arguments)
            options = RunOptions(arguments.resume, arguments.resume_from, arguments.force, only)
            return PipelineOrchestrator(config, options, log).run().exit_code
    except SystemExit as ended:
        return ended.code if isinstance(ended.code, int) else EXIT_USAGE
    except (ConfigError, ProtocolError) as error:
        return _refuse(log, error.problems)
    except (UsageError, CheckpointError, StoreError) as error:
        return _refuse(log, [str(error)])
    except KeyboardInterrupt:
        log.warning("Interrupted; what was done is kept")
        return EXIT_INTERRUPTED
    except Exception as error:  # noqa: BLE001, the one boundary: a user gets a line, the log file the rest
        return _unexpected(log, error)
    finally:
        log.close()


def _parse(argv: Sequence[str] | None, only: str | None) -> argparse.Namespace:
    made = parser()
    arguments = made.parse_args(argv)
    if arguments.force and (arguments.resume or arguments.resume_from):
        made.error("--force begins a new run: it does not go with --resume or --resume-from")
    if only and arguments.resume_from:
        made.error(f"--resume-from does not go with {only} alone: use pipeline_orchestrator.py")
    for option, value in (("--config", arguments.config), ("--log-file", arguments.log_file)):
        if value == "":
            made.error(f"{option}: is empty; name a file")
    return arguments


def _check_current_folder() -> None:
    try:
        os.getcwd()
    except OSError as error:
        raise UsageError("the current folder is not there any more: change to one that is, and run again") from error


def _overrides(arguments: argparse.Namespace) -> dict[str, Any]:
    """The options that stand above the configuration."""
    names = ("papers", "protocol", "output_dir", "checkpoint_file", "max_workers")
    given = {name: getattr(arguments, name) for name in names if getattr(arguments, name) is not None}
    if arguments.dry_run:
        given["dry_run"] = True
    if arguments.enable_experimental:
        given["parallel"] = True
    return given


def _tell_options(log: RunLog, config: Config, arguments: argparse.Namespace) -> None:
    """What the options mean for the run; to the log file also with what program and settings it is run."""
    if arguments.enable_experimental:
        log.warning("Experimental: papers are processed concurrently")
    if arguments.max_workers is not None and not config.parallel:
        log.warning("--max-workers changes nothing: papers run one after the other without --enable-experimental")
    if log.is_detailed:
        import json
        import platform

        python = f"Python {platform.python_version()} on {platform.system()}"
        log.debug(f"literature-review-pipeline {__version__}, {python}, in {os.getcwd()}")
        log.debug(f"Settings from {config.source or 'the defaults'} and the options: {json.dumps(config.to_json())}")


def _open_log(config: Config, file: str | None) -> RunLog:
    if file is not None and _belongs_to_the_review(config, os.path.realpath(file)):
        raise UsageError(f"--log-file: {file} is a file of the review, or lies among the papers; name another file")
    try:
        if file is not None:
            os.makedirs(os.path.dirname(file) or ".", exist_ok=True)
        return RunLog(level=config.log_level, file=file)
    except OSError as error:
        raise UsageError(f"--log-file: {file} cannot be written ({error.strerror}); name another file") from error


def _belongs_to_the_review(config: Config, file: str) -> bool:
    """True where log lines would be appended to a file of the review, or be read as a paper."""
    from literature_review.config_shape import OUTPUTS
    from literature_review.documents.find import PAPER_ENDINGS

    files = [config.source, config.protocol, config.checkpoint_file]
    files += [os.path.join(config.output_dir, name) for name in (config.version_history_path, *OUTPUTS)]
    if any(name and os.path.realpath(name) == file for name in files):
        return True
    papers = os.path.join(os.path.realpath(config.papers), "")
    return file.startswith(papers) and file.lower().endswith(PAPER_ENDINGS)


def _refuse(log: RunLog, problems: Sequence[str]) -> int:
    for problem in problems:
        log.error(problem)
    return EXIT_USAGE


def _unexpected(log: RunLog, error: Exception) -> int:
    import traceback

    log.debug("".join(traceback.format_exception(type(error), error, error.__traceback__)))
    log.error(
        f"{type(error).__name__}: {one_line(str(error))} (unexpected; what was done is kept. With --log-file FILE the "
        "file tells where it happened)"
    )
    return EXIT_FAILED


if __name__ == "__main__":
    sys.exit(main())
