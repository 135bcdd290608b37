"""What may stand in the configuration: keys, types, ranges, defaults, and what has to fit together.

    data -> SHAPE (each key alone) -> overrides above it -> read_settings' checks (keys together) -> plain dicts

`literature_review.config` makes its records of the result. docs/config.md describes every key; a test holds the
two together.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterator, Mapping
from typing import Any

from literature_review.json_shape import REQUIRED, Block, Each, Flag, ListOf, Number, Text, key_text
from literature_review.plugins import PLUGINS
from literature_review.stage_order import order_stages
from literature_review.strict_json import Problems, join, looks_secret, shown

DEFAULT_FILE = "pipeline_config.json"
OUTPUTS = ("review.db", "answers.db", *(f"gap_analysis_report.{ending}" for ending in ("json", "csv", "html")))
"""What a run writes to `output_dir` under names of its own."""

BACKENDS = PLUGINS["backend"]
SCORE_WEIGHTS = {
    "relevance": 0.36,
    "directness": 0.225,
    "strength": 0.18,
    "rigour": 0.1,
    "recency": 0.045,
    "reproducibility": 0.09,
}

_DAY, _YEAR = 86_400, 31_536_000
_MOST = 1e12


def on_this_machine(url: str | None) -> bool:
    """True where the URL's host is the loopback: localhost, 127.0.0.0/8 or ::1. Asks no name server."""
    if url is None:
        return False
    from ipaddress import ip_address
    from urllib.parse import urlsplit

    try:
        host = urlsplit(url).hostname or ""
        return host == "localhost" or ip_address(host).is_loopback
    except ValueError:
        return False


def _check_version(text: str) -> str:
    if not re.fullmatch(r"\d{1,9}(\.\d{1,9}){0,2}", text, re.ASCII):
        return f'is {shown(text)}, which is no version; write "2.0.0"'
    if text.partition(".")[0] not in ("1", "2"):
        return f'{text} is a version that this program does not know; write "2.0.0", or use a newer program'
    return ""


def _check_key_name(text: str) -> str:
    if re.fullmatch(r"[A-Za-z_][A-Za-z0-9_]*", text) and not looks_secret(text):
        return ""
    return "is no name of an environment variable; write its name here, such as GEMINI_API_KEY, and never the key"


def _check_url(text: str) -> str:
    from urllib.parse import urlsplit

    try:
        url = urlsplit(text)
        host, _ = url.hostname, url.port
    except ValueError:
        return "is no URL; write one such as http://localhost:8000/v1"
    if "@" in url.netloc or "@" in text.partition("://")[2].partition("/")[0]:
        return "holds a user or a password, and no secret belongs in a file; take out what stands before the @"
    if url.scheme not in ("http", "https"):
        return "has no scheme that can be used; write a URL that begins with http:// or https://"
    if not host or any(c.isspace() or c == "\\" for c in text):
        return "names no server; write one such as http://localhost:8000/v1"
    return "has a query or a fragment; write the URL up to the ?" if url.query or url.fragment else ""


def _check_module(text: str) -> str:
    from keyword import iskeyword

    if all(part.isidentifier() and not iskeyword(part) for part in text.split(".")) and len(text) <= 200:
        return ""
    return f"is {shown(text)}, which is no module; write a dotted path such as my_package.my_stage"


def _check_stage_name(text: str) -> str:
    if re.fullmatch(r"[A-Za-z_][A-Za-z0-9_-]{0,63}", text):
        return ""
    return f"is {shown(text)}; write letters, digits, _ and -, at most 64, and no digit or - first"


def _stage_retry(default: tuple[float | None, float | None, float | None], prefix: str = "") -> dict[str, Any]:
    return {
        f"{prefix}max_attempts": Number(default[0], 1, 100, whole=True),
        f"{prefix}backoff_base": Number(default[1], 0, 1000),
        f"{prefix}backoff_max": Number(default[2], 0, _DAY),
    }


_QUOTA = Block(
    {
        "rate": Number(REQUIRED, 0, _MOST, above=True),
        "per_seconds": Number(60.0, 0, _YEAR, above=True),
        "burst": Number(None, 1, _MOST, nullable=True),
        "tokens_per_minute": Number(None, 0, _MOST, above=True, nullable=True),
        "requests_per_day": Number(None, 1, _MOST, whole=True, nullable=True),
    }
)
_PRICE = Block(
    {
        "input_usd_per_million": Number(REQUIRED, 0, 1_000_000),
        "output_usd_per_million": Number(REQUIRED, 0, 1_000_000),
    }
)
_STAGE = Block(
    {
        "name": Text(check=_check_stage_name),
        "module": Text(None, check=_check_module),
        "title": Text(None),
        "per_paper": Flag(None),
        "after": Text(None, nullable=True),
    }
)

SHAPE = Block(
    {
        "version": Text("2.0.0", check=_check_version),
        "version_history_path": Text("review_version_history.json"),
        "stage_timeout": Number(7200.0, 0, _YEAR, above=True),
        "log_level": Text("INFO", fold=str.upper, choices=("DEBUG", "INFO", "WARNING", "ERROR")),
        "papers": Text("papers"),
        "protocol": Text("protocol.json"),
        "output_dir": Text("review_output"),
        "dry_run": Flag(False),
        "document_timeout": Number(120.0, 0, _DAY, above=True),
        "retry_policy": Block(
            {
                "enabled": Flag(True),
                **_stage_retry((3, 2.0, 60.0), "default_"),
                "circuit_breaker_threshold": Number(3, 1, 1_000_000, whole=True),
                "per_stage": Each(Block(_stage_retry((None, None, None))), "stage"),
            }
        ),
        "v2_features": Block(
            {
                "max_workers": Number(4, 1, 256, whole=True),
                "enable_parallel": Flag(False),
                "checkpoint_file": Text("pipeline_checkpoint.json"),
                "retry": Block(
                    {
                        "attempts": Number(3, 1, 100, whole=True),
                        "base": Number(0.5, 0, _DAY),
                        "factor": Number(2.0, 0, 1000),
                        "max_delay": Number(60.0, 0, _DAY),
                        "enable_jitter": Flag(True),
                    }
                ),
                "quota": Each(_QUOTA, "api", tuple(backend.api for backend in BACKENDS.values() if backend.api)),
                "feature_flags": Block(
                    {
                        "enable_parallel_processing": Flag(False),
                        "enable_quota_management": Flag(True),
                        "enable_smart_retry": Flag(True),
                    }
                ),
            }
        ),
        "llm": Block(
            {
                "backend": Text("offline", choices=tuple(BACKENDS)),
                "model": Text("", empty=True),
                "base_url": Text(None, check=_check_url, nullable=True),
                "api_key_env": Text("", check=_check_key_name, nullable=True),
                "request_timeout": Number(120.0, 0, _DAY, above=True),
                "max_input_tokens": Number(8_000, 500, 10_000_000, whole=True),
                "max_output_tokens": Number(4_096, 64, 1_000_000, whole=True),
                "budget_usd": Number(None, 0, 1e9, nullable=True),
                "prices": Each(_PRICE, "model"),
            }
        ),
        "review": Block(
            {
                "claims_per_sub_requirement": Number(3, 1, 100, whole=True),
                "nearest_passages": Number(3, 0, 100, whole=True),
                "covered_at": Number(None, 0, 1, nullable=True),
                "partial_at": Number(None, 0, 1, nullable=True),
                "approved_at": Number(None, 0, 1, nullable=True),
                "whole_at": Number(None, 0, 1, nullable=True),
                "proposed_at": Number(None, 0, 1, nullable=True),
                "votes": Number(1, 1, 99, whole=True),
                "borderline": Number(0.1, 0, 0.5),
                "score_weights": Block({name: Number(weight, 0, 1000) for name, weight in SCORE_WEIGHTS.items()}),
            }
        ),
        "stages": ListOf(_STAGE),
    }
)

OVERRIDES = {
    "papers": ("--papers", SHAPE["papers"]),
    "protocol": ("--protocol", SHAPE["protocol"]),
    "output_dir": ("--output-dir", SHAPE["output_dir"]),
    "checkpoint_file": ("--checkpoint-file", SHAPE["v2_features"]["checkpoint_file"]),
    "dry_run": ("--dry-run", SHAPE["dry_run"]),
    "max_workers": ("--max-workers", SHAPE["v2_features"]["max_workers"]),
    "parallel": ("--enable-experimental", SHAPE["v2_features"]["enable_parallel"]),
}
"""The options of the command line that stand above the file: name -> (as it is typed, shape)."""


def read_settings(
    data: object, overrides: Mapping[str, Any], source: str | None, problems: Problems
) -> dict[str, Any]:
    """Everything in `data`, with `overrides` above it, as nested dicts in the form of the file.

    `stages` is the final, ordered list; `parallel` joins its two switches; `defaulted` names the own paths that
    nobody gave. Mistakes go to `problems`; where there are some, the result is not to be used.
    """
    settings = SHAPE.read(data, "", problems)
    features = settings["v2_features"]
    features["parallel"] = features["enable_parallel"] or features["feature_flags"]["enable_parallel_processing"]
    given = settings["given"] | _override(settings, overrides, problems)
    settings["defaulted"] = frozenset({"papers", "protocol"} - given)
    settings["stages"] = order_stages(settings["stages"], problems)
    _check_stage_names(settings, problems)
    _check_quotas(features["quota"], problems)
    _check_question_size(settings["llm"], features["quota"], problems)
    _check_votes(settings["review"], problems)
    _check_thresholds(settings["review"], problems)
    _check_weights(settings["review"], problems)
    _check_key(settings["llm"], problems)
    _check_files(settings, source, problems)
    return settings


def _override(settings: dict[str, Any], overrides: Mapping[str, Any], problems: Problems) -> set[str]:
    """Put the options above the file; gives the names that were given."""
    given = {name for name, value in overrides.items() if value is not None}
    for name in [name for name in overrides if name in given]:
        if name not in OVERRIDES:
            hint = problems.hint(key_text(name), tuple(OVERRIDES))
            problems.add(join("", key_text(name)), f"is no option; {hint}")
            continue
        option, shape = OVERRIDES[name]
        target = settings if name in settings else settings["v2_features"]
        target[name] = shape.read(overrides[name], option, problems)
    return given


def _check_stage_names(settings: Mapping[str, Any], problems: Problems) -> None:
    known = {stage["name"]: None for stage in settings["stages"]}
    for name in settings["retry_policy"]["per_stage"]:
        if name not in known:
            hint = problems.hint(name, tuple(known))
            problems.add(join("retry_policy.per_stage", name), f"is no stage; {hint}")


def _check_quotas(quotas: Mapping[str, Mapping[str, Any]], problems: Problems) -> None:
    """The bucket holds the burst and refills at rate - burst, which has to be more than nothing."""
    for api, quota in quotas.items():
        rate, burst = quota["rate"], quota["burst"]
        if None not in (rate, burst) and burst >= rate:
            wrong = f"must be less than the rate ({rate:g}), not {burst:g}, or the bucket never refills; take it out"
            problems.add(f"v2_features.quota.{api}.burst", wrong)


def _check_question_size(
    llm: Mapping[str, Any], quotas: Mapping[str, Mapping[str, Any]], problems: Problems
) -> None:
    """A question larger than the tokens of a minute could never be asked."""
    api = BACKENDS[llm["backend"]].api
    limit = quotas.get(api, {}).get("tokens_per_minute")
    if limit is not None and limit < llm["max_input_tokens"]:
        most = llm["max_input_tokens"]
        wrong = f"must be at least llm.max_input_tokens ({most:,}), not {limit:,.15g}; raise the one or lower the other"
        problems.add(f"v2_features.quota.{api}.tokens_per_minute", wrong)


def _check_votes(review: Mapping[str, Any], problems: Problems) -> None:
    if review["votes"] % 2 == 0:
        problems.add("review.votes", f"must be an odd number, so that votes decide, not {review['votes']}")


def _check_thresholds(review: Mapping[str, Any], problems: Problems) -> None:
    covered, partial = review["covered_at"], review["partial_at"]
    if covered is not None and partial is not None and partial > covered:
        problems.add("review.partial_at", f"must be at most covered_at ({covered:g}), not {partial:g}")


def _check_weights(review: dict[str, Any], problems: Problems) -> None:
    """Make the weights sum to 1, so that a score stays in 0..1."""
    weights = {name: review["score_weights"][name] for name in SCORE_WEIGHTS}
    total = sum(weights.values())
    if total <= 0:
        problems.add("review.score_weights", "are all 0; give one of them a weight")
    elif abs(total - 1) > 1e-9:
        weights = {name: weight / total for name, weight in weights.items()}
    review["score_weights"] = weights


def _check_key(llm: Mapping[str, Any], problems: Problems) -> None:
    name = llm["backend"]
    if BACKENDS[name].key_env and not BACKENDS[name].keyless and llm["api_key_env"] is None:
        problems.add("llm.api_key_env", f"is null, but {name} needs a key; name the variable that holds it")


def _check_files(settings: Mapping[str, Any], source: str | None, problems: Problems) -> None:
    """No two of the files that are read or written may be the same one."""
    taken: dict[str, str] = {}
    for name, path in _files(settings, source):
        whole = _absolute(path)
        if whole in taken:
            problems.add(name, f"is the same file as {taken[whole]}; name another")
        taken.setdefault(whole, name)


def _absolute(path: str) -> str:
    try:
        return os.path.abspath(path)
    except OSError:  # the current folder was removed
        return os.path.normpath(path)


def _files(settings: Mapping[str, Any], source: str | None) -> Iterator[tuple[str, str]]:
    yield "the configuration", source or DEFAULT_FILE
    yield from ((f"the output {name}", os.path.join(settings["output_dir"], name)) for name in OUTPUTS)
    yield "protocol", settings["protocol"]
    yield "version_history_path", os.path.join(settings["output_dir"], settings["version_history_path"])
    yield "v2_features.checkpoint_file", settings["v2_features"]["checkpoint_file"]
