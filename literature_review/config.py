"""The configuration: a JSON file to frozen records, every mistake told at once.

    pipeline_config.json -> strict_json (is it JSON?) -> config_shape (keys, types, ranges) -> the records below
    the command line's options -----------------------------------------------^ stand above the file

Keys, types, units, defaults and effects: docs/config.md. The records are plain data, safe to share between threads
and processes. None of them holds a secret: a key is named by its environment variable (`LlmSettings.api_key_env`).
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from typing import Any

from literature_review import config_shape, stage_order
from literature_review.config_shape import BACKENDS, DEFAULT_FILE, SCORE_WEIGHTS, on_this_machine
from literature_review.errors import ConfigError
from literature_review.light_record import as_plain, made, record
from literature_review.strict_json import Problems, read_json


@record
class StageRetry:
    """How often a stage is tried; `backoff_base ** (attempt - 1)` seconds between, at most `backoff_max`."""

    max_attempts: int = 3
    backoff_base: float = 2.0
    backoff_max: float = 60.0


@record
class RetryPolicy:
    """Retries of stages. `circuit_breaker_threshold`: transient call failures in a row that open the breaker."""

    enabled: bool = True
    default: StageRetry = StageRetry()
    circuit_breaker_threshold: int = 3
    per_stage: Mapping[str, StageRetry] = made(default_factory=dict)

    def for_stage(self, name: str) -> StageRetry:
        """The stage's own policy, completed from the default, or the default."""
        return self.per_stage.get(name, self.default)


@record
class CallRetry:
    """Retries of one call: before attempt n+1, `base * factor ** (n - 1)` seconds, at most `max_delay`."""

    attempts: int = 3
    base: float = 0.5
    factor: float = 2.0
    max_delay: float = 60.0
    enable_jitter: bool = True


@record
class Quota:
    """At most `rate` calls in any window of `per_seconds`, as the provider sees them.

    `burst`: calls that may go out at once, less than `rate`; None is a tenth of it, at least 1. None for
    `tokens_per_minute` and `requests_per_day` is no limit.
    """

    rate: float
    per_seconds: float = 60.0
    burst: float | None = None
    tokens_per_minute: float | None = None
    requests_per_day: int | None = None


@record
class ModelPrice:
    """US dollars for a million tokens, each 0 or more."""

    input_usd_per_million: float
    output_usd_per_million: float


@record
class LlmSettings:
    """Which back end reads the papers, and how. Times in seconds.

    `api_key_env` left out is the back end's usual variable; None says that the server needs no key.
    `max_input_tokens`: of a paper's text in one question; `max_output_tokens`: of one answer; `budget_usd`: what
    the answers in the output folder may cost, None for no limit; `prices`: model -> its price, above the
    program's own table.
    """

    backend: str = "offline"
    model: str = ""
    base_url: str | None = None
    api_key_env: str | None = ""
    request_timeout: float = 120.0
    max_input_tokens: int = 8_000
    max_output_tokens: int = 4_096
    budget_usd: float | None = None
    prices: Mapping[str, ModelPrice] = made(default_factory=dict)

    def __post_init__(self) -> None:
        if self.api_key_env == "":
            object.__setattr__(self, "api_key_env", BACKENDS[self.backend].key_env)

    @property
    def key_needed(self) -> bool:
        """False for offline, for a server on this machine, and for one that is said to need no key."""
        backend = BACKENDS[self.backend]
        if self.api_key_env is None or not backend.api:
            return False
        return not (backend.keyless and on_this_machine(self.base_url))


@record
class ReviewSettings:
    """How the review decides. `covered_at`, `partial_at`: coverage in 0..1; None is the back end's fitted one.

    The offline judge's own, each in 0..1, None for the fitted one: `approved_at`, the least score of an approved claim;
    `whole_at`, the least share of the keywords that a passage names which answers in whole; `proposed_at`, the least
    chance of a passage that is proposed where none is likely.
    `votes`: how many votes decide a verdict whose score is at most `borderline` from 0.5; an odd number.
    `score_weights` sum to 1.
    """

    claims_per_sub_requirement: int = 3
    nearest_passages: int = 3
    covered_at: float | None = None
    partial_at: float | None = None
    approved_at: float | None = None
    whole_at: float | None = None
    proposed_at: float | None = None
    votes: int = 1
    borderline: float = 0.1
    score_weights: Mapping[str, float] = made(default_factory=lambda: dict(SCORE_WEIGHTS))


@record
class StageSpec:
    """A stage: `module` has `run(context) -> StageResult`; `after`: the stage behind which it was put."""

    name: str
    module: str
    title: str
    per_paper: bool
    after: str | None = None


STANDARD_STAGES: tuple[StageSpec, ...] = tuple(StageSpec(**row) for row in stage_order.STANDARD_STAGES)


@record
class Config:
    """All settings of a run. Times in seconds; relative paths are from the current folder, but
    `version_history_path` from `output_dir`.

    `stages`: the final list in its order. `source`: the file it came from. `defaulted`: which of "papers" and
    "protocol" nobody gave, so that a missing default can be told from a wrong name.
    """

    papers: str = "papers"
    protocol: str = "protocol.json"
    output_dir: str = "review_output"
    version: str = "2.0.0"
    version_history_path: str = "review_version_history.json"
    stage_timeout: float = 7200.0
    log_level: str = "INFO"
    document_timeout: float = 120.0
    dry_run: bool = False
    retry_policy: RetryPolicy = made(default_factory=RetryPolicy)
    llm: LlmSettings = made(default_factory=LlmSettings)
    review: ReviewSettings = made(default_factory=ReviewSettings)
    stages: tuple[StageSpec, ...] = STANDARD_STAGES
    max_workers: int = 4
    parallel: bool = False
    checkpoint_file: str = "pipeline_checkpoint.json"
    call_retry: CallRetry = made(default_factory=CallRetry)
    quota: Mapping[str, Quota] = made(default_factory=dict)
    enable_quota_management: bool = True
    enable_smart_retry: bool = True
    source: str | None = None
    defaulted: frozenset[str] = frozenset()

    @property
    def quota_of_backend(self) -> Quota | None:
        """What limits the calls of `llm.backend`; None where nothing does."""
        return self.quota.get(BACKENDS[self.llm.backend].api) if self.enable_quota_management else None

    def to_json(self) -> dict[str, Any]:
        """Plain data in the form of the file, every key written out; `parse_config` makes the same settings of it
        (but for `source` and `defaulted`). Holds no secret."""
        own = ("papers", "protocol", "output_dir", "dry_run", "document_timeout")
        guide = ("version", "version_history_path", "stage_timeout", "log_level")
        return {
            **{name: getattr(self, name) for name in guide + own},
            "retry_policy": self._retry_json(),
            "v2_features": self._features_json(),
            "llm": as_plain(self.llm),
            "review": as_plain(self.review),
            "stages": [as_plain(stage) for stage in self.stages],
        }

    def _retry_json(self) -> dict[str, Any]:
        policy = self.retry_policy
        return {
            "enabled": policy.enabled,
            **{f"default_{name}": value for name, value in as_plain(policy.default).items()},
            "circuit_breaker_threshold": policy.circuit_breaker_threshold,
            "per_stage": {name: as_plain(retry) for name, retry in policy.per_stage.items()},
        }

    def _features_json(self) -> dict[str, Any]:
        return {
            "max_workers": self.max_workers,
            "enable_parallel": self.parallel,
            "checkpoint_file": self.checkpoint_file,
            "retry": as_plain(self.call_retry),
            "quota": {name: as_plain(quota) for name, quota in self.quota.items()},
            "feature_flags": {
                "enable_parallel_processing": self.parallel,
                "enable_quota_management": self.enable_quota_management,
                "enable_smart_retry": self.enable_smart_retry,
            },
        }


def load_config(path: str | None = None, overrides: Mapping[str, Any] | None = None) -> Config:
    """The configuration in a file, with the command line's options above it.

    Without `path`: pipeline_config.json in the current folder, or built-in defaults where there is none.
    `overrides` has flat names (papers, protocol, output_dir, checkpoint_file, dry_run, max_workers, parallel);
    None is an option that was not given. Raises ConfigError with every mistake; a named file that is missing is
    one.
    """
    if path is None:
        if not os.path.lexists(DEFAULT_FILE):
            return parse_config({}, overrides)
        path = DEFAULT_FILE
    path = os.fspath(path)
    problems = Problems()
    return _build(read_json(path, problems), overrides, path, problems)


def parse_config(
    data: Mapping[str, Any], overrides: Mapping[str, Any] | None = None, source: str | None = None
) -> Config:
    """The configuration in plain data. Raises ConfigError with every mistake, whatever the data is."""
    return _build(data, overrides, source, Problems())


def _build(data: Any, overrides: Mapping[str, Any] | None, source: str | None, problems: Problems) -> Config:
    settings = config_shape.read_settings(data, overrides or {}, source, problems)
    if problems:
        raise ConfigError(problems.lines())
    features = settings["v2_features"]
    plain = {**_own(Config, settings), **_own(Config, features), **_own(Config, features["feature_flags"])}
    built = {
        "retry_policy": _retry_policy(settings["retry_policy"]),
        "call_retry": CallRetry(**_own(CallRetry, features["retry"])),
        "quota": {api: Quota(**_own(Quota, quota)) for api, quota in features["quota"].items()},
        "llm": _llm(settings["llm"]),
        "review": ReviewSettings(**_own(ReviewSettings, settings["review"])),
        "stages": tuple(StageSpec(**row) for row in settings["stages"]),
        "source": source,
    }
    return Config(**{**plain, **built})


def _llm(values: Mapping[str, Any]) -> LlmSettings:
    prices = {model: ModelPrice(**_own(ModelPrice, price)) for model, price in values["prices"].items()}
    return LlmSettings(**{**_own(LlmSettings, values), "prices": prices})


def _own(kind: type, values: Mapping[str, Any]) -> dict[str, Any]:
    """Those of the values that are fields of the record."""
    return {name: value for name, value in values.items() if name in kind.__annotations__}


def _retry_policy(values: Mapping[str, Any]) -> RetryPolicy:
    names = ("max_attempts", "backoff_base", "backoff_max")
    default = {name: values[f"default_{name}"] for name in names}
    per_stage = {
        stage: StageRetry(**{name: default[name] if entry[name] is None else entry[name] for name in names})
        for stage, entry in values["per_stage"].items()
    }
    return RetryPolicy(values["enabled"], StageRetry(**default), values["circuit_breaker_threshold"], per_stage)
