"""`python -m literature_review VERB ...`: what is not a run. Runs are started by pipeline_orchestrator.py.

A table of verbs, one error boundary. A verb's module is imported when the verb is chosen; it has

    arguments(parser) -> None             add the verb's own arguments
    run(arguments, write) -> int          do it; `write(text)` puts a line on standard output; returns the exit code
"""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Sequence
from importlib import import_module
from typing import Any

from literature_review import __version__
from literature_review.errors import ConfigError, ProtocolError, ReviewError
from literature_review.pipeline.signals import StopSignals

EXIT_FAILED, EXIT_USAGE, EXIT_INTERRUPTED = 1, 2, 130

VERBS: dict[str, tuple[str, str]] = {
    "answers": ("literature_review.llm.answers_command", "the stored answers of paid models: size, clear, export"),
    "validate": ("literature_review.validation.command", "a person checks a sample of the gap map: sample, score"),
}
"""Verb -> its module, and what it is for."""


def parser() -> argparse.ArgumentParser:
    """The parser that chooses a verb; what follows the verb is the verb's own."""
    verbs = "\n".join(f"  {verb:<12}{what}" for verb, (_, what) in VERBS.items())
    made = argparse.ArgumentParser(
        prog="python -m literature_review",
        description="What is not a run. Exit codes: 0 all well, 1 failed, 2 wrong usage, 130 interrupted.",
        epilog=f"verbs (each has its own --help):\n{verbs}",
        formatter_class=argparse.RawDescriptionHelpFormatter,
        allow_abbrev=False,
    )
    made.add_argument("--version", action="version", version=f"literature-review-pipeline {__version__}")
    made.add_argument("verb", choices=VERBS, metavar="VERB")
    return made


def main(argv: Sequence[str] | None = None) -> int:
    """Do what a verb says; returns the exit code. A mistake is told in a line on standard error each."""
    words = list(sys.argv[1:] if argv is None else argv)
    try:
        with StopSignals():
            return _run(words)
    except SystemExit as ended:
        return ended.code if isinstance(ended.code, int) else EXIT_USAGE
    except (ConfigError, ProtocolError) as error:
        return _refuse(error.problems, EXIT_USAGE)
    except BrokenPipeError:  # whoever read has seen enough
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())  # so that the last flush fails nowhere
        return EXIT_FAILED
    except (ReviewError, OSError) as error:
        return _refuse([str(error)], EXIT_USAGE)
    except KeyboardInterrupt:
        return EXIT_INTERRUPTED
    except Exception as error:  # noqa: BLE001, the one boundary: a user gets a line
        return _refuse([f"{type(error).__name__}: {error} (unexpected)"], EXIT_FAILED)


def _run(words: Sequence[str]) -> int:
    chosen = parser().parse_args(words[:1]).verb
    module, what = VERBS[chosen]
    verb: Any = import_module(module)
    own = argparse.ArgumentParser(prog=f"python -m literature_review {chosen}", description=what, allow_abbrev=False)
    verb.arguments(own)
    code: int = verb.run(own.parse_args(words[1:]), _write)
    sys.stdout.flush()
    return code


def _write(text: str) -> None:
    """A line on standard output; characters that it cannot take are escaped."""
    encoding = sys.stdout.encoding or "utf-8"
    sys.stdout.write(text.encode(encoding, "backslashreplace").decode(encoding) + "\n")


def _refuse(problems: Sequence[str], code: int) -> int:
    from literature_review.strict_json import printable

    for problem in problems:
        sys.stderr.write(f"error: {printable(problem, 1000)}\n")
    return code


if __name__ == "__main__":
    raise SystemExit(main())
