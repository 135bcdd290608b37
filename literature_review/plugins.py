"""One table: what a part is called -> where it stands, and what it needs.

A part is imported when it is chosen, so a package that is not installed hurts only who chose it. A new back end,
report, store or reader is one file and one line here; a new stage needs none (`stages` in the configuration).
docs/extending.md shows one of each.
"""

from __future__ import annotations

import sys
from importlib import import_module
from typing import Any

from literature_review.errors import MissingExtraError, UsageError
from literature_review.light_record import record


@record
class Plugin:
    """`target`: "module:attribute". `packages`: what it imports beyond the standard library; `extra`: the name
    under which `pip install` brings them.

    Of a back end that asks a server: `api`, the name of its limits in `v2_features.quota`; `key_env`, the usual
    variable of its key; `keyless`, whether a server of one's own may need none; `counts_calls`, whether it keeps to
    `max_workers` requests under way itself, so that the next ones may be made ready meanwhile.
    """

    target: str
    packages: tuple[str, ...] = ()
    extra: str = ""
    api: str = ""
    key_env: str | None = None
    keyless: bool = False
    counts_calls: bool = False


_ANSWERS = ("jsonschema", "rapidfuzz")  # what checks a model's answers and its quotes
PLUGINS: dict[str, dict[str, Plugin]] = {
    "assembly": {"standard": Plugin("literature_review.wiring:build_parts")},
    "backend": {
        "offline": Plugin("literature_review.llm.offline_backend:OfflineBackend"),
        "gemini": Plugin(
            "literature_review.llm.paid:build_gemini", ("google.genai", *_ANSWERS), "gemini",
            api="gemini_api", key_env="GEMINI_API_KEY", counts_calls=True,
        ),
        "openai_compatible": Plugin(
            "literature_review.llm.paid:build_openai_compatible", ("openai", *_ANSWERS), "openai",
            api="openai_api", key_env="OPENAI_API_KEY", keyless=True, counts_calls=True,
        ),
    },
    "reader": {"standard": Plugin("literature_review.documents:PaperReader")},
    "finder": {"standard": Plugin("literature_review.documents.find:find_papers")},
    "references": {"standard": Plugin("literature_review.documents.references:ReferenceLibrary")},
    "database": {"sqlite": Plugin("literature_review.storage.database:Database")},
    "history": {"file": Plugin("literature_review.storage.version_history:HistoryFile")},
    "report": {
        "json": Plugin("literature_review.reports.json_report:JsonReport"),
        "csv": Plugin("literature_review.reports.csv_report:CsvReport"),
        "html": Plugin("literature_review.reports.html_report:HtmlReport"),
    },
}  # fmt: skip


def load(kind: str, name: str) -> Any:
    """The attribute that `PLUGINS[kind][name]` names. Raises UsageError for an unknown name, and
    MissingExtraError with the pip command where a package is not installed."""
    known = PLUGINS[kind]
    if name not in known:
        raise UsageError(f"there is no {kind} {name!r}; known: {', '.join(sorted(known))}")
    plugin = known[name]
    require_packages(kind, name)
    module, _, attribute = plugin.target.partition(":")
    return getattr(import_module(module), attribute)


def require_packages(kind: str, name: str) -> None:
    """Raise MissingExtraError where a package that the part needs is not installed. Imports none of them."""
    plugin = PLUGINS[kind][name]
    if not plugin.packages:
        return
    from importlib.util import find_spec

    for package in plugin.packages:
        try:
            found = find_spec(package) is not None
        except ModuleNotFoundError:
            found = False
        if not found:
            command = f"pip install 'literature-review-pipeline[{plugin.extra}]'"
            raise MissingExtraError(f"the {kind} {name!r} needs the package {package!r}: {command}")


def stage_command(stage: str) -> int:
    """What `python -m literature_review.reviewers.judge` and its like do: run one stage with the options of the
    command; returns the exit code."""
    return int(import_module("pipeline_orchestrator").main(sys.argv[1:], only=stage))
