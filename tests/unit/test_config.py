"""The configuration: what a file says is what the run gets, and every mistake is told at once, with its place."""

from __future__ import annotations

import io
import json
import os
import pickle
import re
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import FrozenInstanceError, replace
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from literature_review.config import (
    STANDARD_STAGES,
    CallRetry,
    Config,
    LlmSettings,
    ModelPrice,
    Quota,
    ReviewSettings,
    StageRetry,
    StageSpec,
    load_config,
    parse_config,
)
from literature_review.config_shape import OVERRIDES, SHAPE
from literature_review.errors import ConfigError
from literature_review.json_shape import REQUIRED, Number
from literature_review.pipeline.runlog import RunLog
from literature_review.plugins import PLUGINS
from literature_review.wiring import build_parts

pytestmark = pytest.mark.unit
ROOT = Path(__file__).resolve().parents[2]

GUIDE: dict[str, Any] = {
    "version": "2.0.0",
    "version_history_path": "review_version_history.json",
    "stage_timeout": 7200,
    "log_level": "INFO",
    "retry_policy": {
        "enabled": True,
        "default_max_attempts": 3,
        "default_backoff_base": 2,
        "default_backoff_max": 60,
        "circuit_breaker_threshold": 3,
        "per_stage": {"journal_reviewer": {"max_attempts": 5, "backoff_base": 2, "backoff_max": 120}},
    },
    "v2_features": {
        "max_workers": 4,
        "enable_parallel": False,
        "checkpoint_file": "pipeline_checkpoint.json",
        "retry": {"attempts": 3, "base": 0.5, "factor": 2.0, "max_delay": 60.0, "enable_jitter": True},
        "quota": {"gemini_api": {"rate": 60, "per_seconds": 60}},
        "feature_flags": {
            "enable_parallel_processing": False,
            "enable_quota_management": True,
            "enable_smart_retry": True,
        },
    },
}


def problems(data: Any, overrides: dict[str, Any] | None = None) -> list[str]:
    with pytest.raises(ConfigError) as caught:
        parse_config(data, overrides)
    assert str(caught.value) == "\n".join(caught.value.problems)
    return list(caught.value.problems)


def only(data: Any, overrides: dict[str, Any] | None = None) -> str:
    found = problems(data, overrides)
    assert len(found) == 1, found
    return found[0]


def nested(path: str, value: Any) -> dict[str, Any]:
    for key in reversed(path.split(".")):
        value = {key: value}
    return value  # type: ignore[no-any-return]


def file_problems(path: Path, content: bytes) -> list[str]:
    path.write_bytes(content)
    with pytest.raises(ConfigError) as caught:
        load_config(str(path))
    return list(caught.value.problems)


# What a file says is what the run gets


def test_the_guides_complete_schema_is_valid_as_it_stands() -> None:
    config = parse_config(GUIDE)
    assert config.retry_policy.for_stage("journal_reviewer") == StageRetry(5, 2.0, 120.0)
    assert config.retry_policy.for_stage("judge") == StageRetry(3, 2.0, 60.0)
    assert config.call_retry == CallRetry(3, 0.5, 2.0, 60.0, True)
    assert config.quota == {"gemini_api": Quota(60.0, 60.0)}
    assert config.stages == STANDARD_STAGES
    assert config.defaulted == {"papers", "protocol"}


def test_an_empty_object_gives_the_records_own_defaults() -> None:
    assert parse_config({}) == Config(defaulted=frozenset({"papers", "protocol"}))


def test_a_file_of_version_1_is_accepted() -> None:
    config = parse_config({"version": "1.2.0", "stage_timeout": 60, "retry_policy": {"enabled": False}})
    assert (config.version, config.stage_timeout, config.retry_policy.enabled) == ("1.2.0", 60.0, False)
    assert config.max_workers == 4


EVERYTHING: dict[str, Any] = {
    "version": "2.1",
    "version_history_path": "h.json",
    "stage_timeout": 1.5,
    "log_level": "debug",
    "papers": "a",
    "protocol": "b.json",
    "output_dir": "c",
    "dry_run": True,
    "document_timeout": 2.5,
    "retry_policy": {
        "enabled": False,
        "default_max_attempts": 7,
        "default_backoff_base": 1.5,
        "default_backoff_max": 9,
        "circuit_breaker_threshold": 8,
        "per_stage": {"judge": {"max_attempts": 2}, "extra": {"backoff_base": 0, "backoff_max": 1}},
    },
    "v2_features": {
        "max_workers": 2,
        "enable_parallel": True,
        "checkpoint_file": "d.json",
        "retry": {"attempts": 1, "base": 0, "factor": 1, "max_delay": 3, "enable_jitter": False},
        "quota": {"openai_api": {"rate": 9, "burst": 3, "tokens_per_minute": 900, "requests_per_day": 7}},
        "feature_flags": {
            "enable_parallel_processing": True,
            "enable_quota_management": False,
            "enable_smart_retry": False,
        },
    },
    "llm": {
        "backend": "openai_compatible",
        "model": "m",
        "base_url": "https://models.example.org/v1",
        "api_key_env": "MY_KEY",
        "request_timeout": 4,
        "max_input_tokens": 700,
        "max_output_tokens": 100,
        "budget_usd": 0,
        "prices": {"m": {"input_usd_per_million": 0.5, "output_usd_per_million": 2}},
    },
    "review": {
        "claims_per_sub_requirement": 5,
        "nearest_passages": 0,
        "covered_at": 0.6,
        "partial_at": 0.3,
        "approved_at": 0.4,
        "whole_at": 0.7,
        "proposed_at": 0.8,
        "votes": 5,
        "borderline": 0.2,
        "score_weights": {
            "relevance": 1, "directness": 1, "strength": 1, "rigour": 1, "recency": 1, "reproducibility": 0,
        },
    },
    "stages": [{"name": "extra", "module": "extra", "title": "Extra", "per_paper": True, "after": "judge"}],
}


def test_every_key_reaches_its_place() -> None:
    """Every value differs from its default, so a key that were dropped would show."""
    config = parse_config(EVERYTHING)
    assert (config.papers, config.protocol, config.output_dir) == ("a", "b.json", "c")
    assert (config.version, config.version_history_path, config.checkpoint_file) == ("2.1", "h.json", "d.json")
    assert (config.stage_timeout, config.document_timeout, config.log_level) == (1.5, 2.5, "DEBUG")
    assert (config.dry_run, config.parallel, config.max_workers) == (True, True, 2)
    assert (config.enable_quota_management, config.enable_smart_retry) == (False, False)
    policy = config.retry_policy
    assert (policy.enabled, policy.circuit_breaker_threshold) == (False, 8)
    assert policy.for_stage("judge") == StageRetry(2, 1.5, 9.0)
    assert policy.for_stage("extra") == StageRetry(7, 0.0, 1.0)
    assert policy.for_stage("dra") == policy.default == StageRetry(7, 1.5, 9.0)
    assert config.call_retry == CallRetry(1, 0.0, 1.0, 3.0, False)
    assert config.quota == {"openai_api": Quota(9.0, 60.0, 3.0, 900.0, 7)}
    url = "https://models.example.org/v1"
    assert config.llm == LlmSettings(
        "openai_compatible", "m", url, "MY_KEY", 4.0, 700, 100, 0.0, {"m": ModelPrice(0.5, 2.0)}
    )
    names = ("relevance", "directness", "strength", "rigour", "recency")
    weights = {**dict.fromkeys(names, 0.2), "reproducibility": 0.0}
    assert config.review == ReviewSettings(5, 0, 0.6, 0.3, 0.4, 0.7, 0.8, 5, 0.2, weights)
    assert config.stages[2] == StageSpec("extra", "extra", "Extra", True, "judge")


def test_plain_data_makes_the_same_settings_again() -> None:
    for data in ({}, GUIDE, EVERYTHING):
        config = parse_config(data)
        plain = json.loads(json.dumps(config.to_json()))
        assert parse_config(plain) == replace(config, defaulted=frozenset())
        assert pickle.loads(pickle.dumps(config)) == config


def test_settings_cannot_be_changed() -> None:
    with pytest.raises(FrozenInstanceError):
        parse_config({}).dry_run = True  # type: ignore[misc]


def test_keys_that_begin_with_an_underscore_are_comments() -> None:
    data = {"_note": {"x": 1}, "llm": {"_why": None}, "v2_features": {"quota": {"_later": 3}}}
    assert parse_config(data) == parse_config({})


@pytest.mark.parametrize("where", ["enable_parallel", "feature_flags.enable_parallel_processing"])
def test_either_switch_makes_papers_run_concurrently(where: str) -> None:
    assert parse_config(nested(f"v2_features.{where}", True)).parallel


def test_weights_are_divided_by_their_sum() -> None:
    weights = parse_config(nested("review.score_weights.relevance", 1)).review.score_weights
    assert sum(weights.values()) == pytest.approx(1)
    assert weights["relevance"] == pytest.approx(1 / 1.64)
    none = nested("review.score_weights", dict.fromkeys(weights, 0))
    assert only(none).startswith("review.score_weights: are all 0")


# The file


def test_without_a_path_the_file_of_the_current_folder_is_taken(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    assert load_config().source is None
    (tmp_path / "pipeline_config.json").write_text('{"papers": "here"}')
    config = load_config()
    assert (config.papers, config.source) == ("here", "pipeline_config.json")
    assert config.defaulted == {"protocol"}
    (tmp_path / "pipeline_config.json").write_text("{")
    with pytest.raises(ConfigError):
        load_config()


def test_a_named_file_that_is_missing_is_a_mistake_and_the_nearest_is_named(tmp_path: Path) -> None:
    (tmp_path / "pipeline_config.json").write_text("{}")
    with pytest.raises(ConfigError) as caught:
        load_config(str(tmp_path / "pipline_config.json"))
    assert "there is no such file; did you mean" in str(caught.value)
    assert "pipeline_config.json?" in str(caught.value)


def test_a_byte_order_mark_does_no_harm(tmp_path: Path) -> None:
    (tmp_path / "c.json").write_bytes(b"\xef\xbb\xbf" + b'{"papers": "p"}')
    assert load_config(str(tmp_path / "c.json")).papers == "p"


@pytest.mark.parametrize(
    ("content", "told"),
    [
        (b"", "is empty"),
        (b" \n", "is empty"),
        (b'{"papers": "a",\n  "protocol": }', "is not JSON at line 2, column 15"),
        (b'{"papers": "a",}', "take out the comma after the last entry"),
        (b"{'papers': 1}", "texts stand in double quotation marks"),
        (b'{"papers": "a" // mine\n}', "JSON has no comments: use a key that begins with _"),
        (b'{"papers": "a"', "the file ends too soon"),
        (b'{"a": 1} {}', "is not JSON at line 1, column 10: Extra data"),
        ('{"papers": "a"}'.encode("utf-16"), "is UTF-16 or UTF-32; save it as UTF-8"),
        ('{"papers": "a"}'.encode("utf-16-le"), "is UTF-16 or UTF-32; save it as UTF-8"),
        (b'{\n"papers": "caf\xe9"}', "is not UTF-8 in line 2"),
        pytest.param(b"[" * 100_000, "is nested too deeply", id="100,000 levels"),
        (b'{"_":' * 60 + b"1" + b"}" * 60, "is nested too deeply"),
        pytest.param(b" " * (16 * 1024**2 + 1), "is larger than 16 MB", id="17 MB"),
        (b'{"papers": "a\nb"}', "is not JSON at line 1, column 14"),
        (b"[]", "the whole file: must be an object, not a list"),
        (b"null", "the whole file: must be an object, not null"),
        (b"NaN", "is nan, which is no JSON number"),
        (b'{"papers": "a", "papers": "b"}', "papers: stands more than once in its object; keep one"),
        (b'{"llm": {"model": "a", "model": "a"}}', "llm.model: stands more than once"),
        (b'{"stage_timeout": NaN}', "stage_timeout: is nan"),
        (b'{"stage_timeout": 1e999}', "stage_timeout: is inf"),
        (b'{"_x": [1, -Infinity]}', "_x[1]: is -inf"),
        (b'{"stage_timeout": ' + b"9" * 5000 + b"}", "stage_timeout: is a number of more than 1,000 digits"),
        (b'{"papers": "\\ud800"}', "papers: holds half a character"),
        (b'{"papers": "a\\u0000b"}', "papers: holds a control character"),
    ],
)
def test_what_is_no_strict_json_is_told_with_its_place(tmp_path: Path, content: bytes, told: str) -> None:
    found = file_problems(tmp_path / "c.json", content)
    assert any(told in line for line in found), found
    assert all("\n" not in line for line in found)


def test_the_same_mistake_is_told_once(tmp_path: Path) -> None:
    assert len(file_problems(tmp_path / "c.json", b'{"stage_timeout": Infinity}')) == 1


def test_comments_may_stand_twice(tmp_path: Path) -> None:
    (tmp_path / "c.json").write_text('{"_": "one", "_": "two"}')
    assert load_config(str(tmp_path / "c.json")).papers == "papers"


def test_mistakes_in_the_form_and_in_the_meaning_are_told_together(tmp_path: Path) -> None:
    found = file_problems(tmp_path / "c.json", b'{"zzzz": NaN, "papers": 1, "papers": 2, "log_level": "x"}')
    assert [line.partition(":")[0] for line in found] == ["papers", "zzzz", "zzzz", "log_level", "papers"]


def test_a_folder_an_impossible_path_and_a_forbidden_file_are_mistakes(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    wrong = [(str(tmp_path), "is a folder; name a file"), ("a\0b", "cannot be read"), ("", "no such file")]
    for path, told in wrong:
        with pytest.raises(ConfigError, match=told):
            load_config(path)

    def forbidden(*args: object) -> None:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr("builtins.open", forbidden)
    with pytest.raises(ConfigError, match="may not be read"):
        load_config("c.json")


@pytest.mark.skipif(not os.path.exists("/dev/zero"), reason="needs /dev/zero")
def test_an_endless_file_is_read_no_further_than_the_limit() -> None:
    with pytest.raises(ConfigError, match="is larger than 16 MB"):
        load_config("/dev/zero")


# Keys that are not known


@pytest.mark.parametrize(
    ("data", "told"),
    [
        ({"paper": "x"}, "paper: is not a known key; the nearest known key is papers"),
        ({"max_workers": 3}, "max_workers: is not a known key; the nearest known key is v2_features.max_workers"),
        ({"v2_features": {"maxWorkers": 3}}, "the nearest known key is v2_features.max_workers"),
        ({"v2_features": {"retry": {"atempts": 3}}}, "the nearest known key is v2_features.retry.attempts"),
        ({"llm": {"request_timeouts": 3}}, "the nearest known key is llm.request_timeout"),
        ({"zzzz": 1}, "zzzz: is not a known key; known here: version"),
        ({"a b\n": 1}, '["a b\\n"]: is not a known key'),
        ({"v2_features": {"quota": {"gemini": {"rate": 2}}}}, "is no known api; the nearest is gemini_api"),
        ({"retry_policy": {"per_stage": {"judg": {}}}}, "per_stage.judg: is no stage; the nearest is judge"),
        ({"stages": [{"name": "judge", "titel": "x"}]}, "the nearest known key is stages[0].title"),
    ],
)
def test_an_unknown_key_is_told_with_the_nearest_known_one(data: Any, told: str) -> None:
    assert told in only(data)


@pytest.mark.parametrize(
    "path",
    ["llm.votes", "llm.temperature", "llm.budget", "review.budget_usd", "v2_features.quota.gemini_api.tokens_per_day"],
)
def test_a_key_without_effect_is_refused_and_not_ignored(path: str) -> None:
    assert any(line.startswith(f"{path}: is not a known key") for line in problems(nested(path, 1)))


@pytest.mark.parametrize("key", ["api_key", "apikey", "API-KEY", "token", "access_token", "password", "my_secret"])
@pytest.mark.parametrize("block", ["", "llm"])
def test_a_secret_in_the_file_is_refused_with_the_remedy_and_never_shown(key: str, block: str) -> None:
    secret = "sk-live-0123456789"
    line = only({block: {key: secret}} if block else {key: secret})
    assert "name that in llm.api_key_env" in line
    assert secret not in line


def test_what_looks_like_a_secret_is_never_shown_wherever_it_stands() -> None:
    secret = "AIzaSyA1234567890abcdefghijklmnopqrstuv"
    data = {
        "version": secret,
        "log_level": secret,
        "llm": {"backend": secret, "api_key_env": secret, "base_url": f"https://me:{secret}@example.org/?k={secret}"},
        "stages": [{"name": secret + "!", "module": secret + "!", "after": secret}],
        "papers": [secret],
    }
    assert secret not in "\n".join(problems(data)).replace("\\", "")
    assert "SECRET" not in repr(parse_config({"llm": {"api_key_env": "NAME"}}).to_json())


# Values


@pytest.mark.parametrize(
    ("path", "value", "told"),
    [
        ("stage_timeout", 0, "must be a number more than 0 and at most 31536000, not 0"),
        ("stage_timeout", True, "must be a number, not true"),
        ("stage_timeout", "60", "must be a number, not a text; write it without quotation marks"),
        pytest.param("stage_timeout", 10**5000, "is a number of more than 1,000 digits", id="endless"),
        ("stage_timeout", 10**100, "not a number too large"),
        ("stage_timeout", None, "must be a number, not null"),
        ("v2_features.max_workers", 0, "must be a whole number from 1 to 256, not 0"),
        ("v2_features.max_workers", 257, "must be a whole number from 1 to 256, not 257"),
        ("v2_features.max_workers", 4.0, "must be a whole number, not 4.0"),
        ("v2_features.retry.attempts", 0, "from 1 to 100"),
        ("v2_features.retry.base", -0.1, "from 0 to"),
        ("v2_features.retry.enable_jitter", 1, "must be true or false, not 1"),
        ("v2_features.quota.gemini_api", {}, "rate: is missing; write a number"),
        ("v2_features.quota.gemini_api.rate", 0, "more than 0"),
        ("retry_policy.per_stage.judge.max_attempts", 0, "from 1 to 100"),
        ("retry_policy", [], "must be an object, not a list"),
        ("papers", "", "is empty"),
        ("papers", "  ", "is empty"),
        ("papers", 3, "must be a text, not 3"),
        pytest.param("papers", "x" * 4097, "is longer than 4,096 characters", id="long"),
        ("papers", ["a"], "must be a text, not a list"),
        ("log_level", "verbose", "write one of DEBUG, INFO, WARNING, ERROR"),
        ("log_level", "warn", "(the nearest is WARNING)"),
        ("version", "3.0.0", "3.0.0 is a version that this program does not know"),
        ("version", "two", "which is no version"),
        ("version", "²", "which is no version"),
        ("version", 2.0, "must be a text, not 2.0"),
        ("llm.backend", "gemni", "(the nearest is gemini)"),
        ("llm.api_key_env", "my key", "is no name of an environment variable"),
        ("llm.api_key_env", "", "is empty"),
        ("llm.base_url", "ftp://example.org", "begins with http:// or https://"),
        ("llm.base_url", "localhost:8000", "begins with http:// or https://"),
        ("llm.base_url", "http://", "names no server"),
        ("llm.base_url", "http://[::1", "is no URL"),
        ("llm.base_url", "http://h:99999/", "is no URL"),
        ("llm.base_url", "https://user:pw@example.org", "holds a user or a password"),
        ("llm.base_url", "https://key@example.org", "holds a user or a password"),
        ("llm.base_url", "http://localhost\\@example.org", "holds a user or a password"),
        ("llm.base_url", "https://example.org/?key=1", "has a query"),
        ("llm.request_timeout", 0, "more than 0"),
        ("llm.max_input_tokens", 499, "must be a whole number from 500 to 10000000, not 499"),
        ("llm.max_output_tokens", 4096.0, "must be a whole number, not 4096.0"),
        ("llm.budget_usd", -0.01, "from 0 to"),
        ("llm.budget_usd", float("nan"), "is nan, which is no JSON number"),
        ("llm.prices", [], "must be an object, not a list"),
        ("llm.prices.m", {"input_usd_per_million": 1}, "output_usd_per_million: is missing; write a number"),
        ("llm.prices.m", {"input_usd_per_million": -1, "output_usd_per_million": 1}, "from 0 to 1000000, not -1"),
        ("llm.prices.m.input_usd_per_million", float("nan"), "is nan"),
        ("llm.prices.m.input_usd_per_million", float("inf"), "is inf"),
        ("llm.prices", {"": {}}, "is no name for model"),
        ("review.votes", 2, "must be an odd number, so that votes decide, not 2"),
        ("review.votes", 0, "from 1 to 99"),
        ("review.borderline", 0.6, "from 0 to 0.5"),
        ("v2_features.quota.gemini_api.requests_per_day", 0, "from 1 to"),
        ("v2_features.quota.gemini_api.requests_per_day", 1.5, "must be a whole number"),
        ("v2_features.quota.gemini_api.tokens_per_minute", 0, "more than 0"),
        ("retry_policy.per_stage", {"": {}}, "is no name for stage"),
        ("review.covered_at", 1.1, "from 0 to 1"),
        ("review.approved_at", -0.1, "from 0 to 1"),
        ("review.whole_at", 1.5, "from 0 to 1"),
        ("review.proposed_at", 2, "from 0 to 1"),
        ("review.score_weights.relevance", -1, "from 0"),
        ("stages", {}, "must be a list, not an object"),
        ("stages", ["judge"], "stages[0]: must be an object, not a text"),
    ],
)
def test_a_wrong_value_is_told_with_what_would_be_right(path: str, value: Any, told: str) -> None:
    found = problems(nested(path, value))
    assert any(path.split(".")[0] in line.partition(": ")[0] and told in line for line in found), found


def test_thresholds_have_to_be_in_order() -> None:
    assert "partial_at: must be at most" in only({"review": {"covered_at": 0.2, "partial_at": 0.3}})
    assert parse_config({"review": {"covered_at": 0.3, "partial_at": 0.3}}).review.partial_at == 0.3


@pytest.mark.parametrize(
    ("quota", "told"),
    [
        ({"rate": 5, "burst": 5}, "burst: must be less than the rate (5), not 5"),
        ({"rate": 5, "burst": 9}, "burst: must be less than"),
        ({"rate": 5, "burst": 0.5}, "burst: must be a number from 1"),
        ({"rate": 1, "burst": 1}, "burst: must be less than the rate (1), not 1"),
    ],
)
def test_a_bucket_that_never_refills_is_refused(quota: dict[str, Any], told: str) -> None:
    assert told in only({"v2_features": {"quota": {"gemini_api": quota}}})


def test_a_rate_of_one_needs_no_burst() -> None:
    assert parse_config({"v2_features": {"quota": {"gemini_api": {"rate": 1}}}}).quota["gemini_api"].rate == 1


def test_the_largest_question_fits_into_a_minute() -> None:
    """Else no question could ever be asked; of an API that is not used nothing is said."""
    quota = {"quota": {"gemini_api": {"rate": 60, "tokens_per_minute": 7999}}}
    told = only({"llm": {"backend": "gemini"}, "v2_features": quota})
    assert "tokens_per_minute: must be at least llm.max_input_tokens (8,000), not 7,999" in told
    assert parse_config({"v2_features": quota}).llm.max_input_tokens == 8000
    small = {"backend": "gemini", "max_input_tokens": 7999}
    assert parse_config({"llm": small, "v2_features": quota}).quota["gemini_api"].tokens_per_minute == 7999


def test_two_files_of_the_run_may_not_be_the_same(tmp_path: Path) -> None:
    same = {"protocol": "./x.json", "v2_features": {"checkpoint_file": str(Path.cwd() / "x.json")}}
    assert only(same) == "v2_features.checkpoint_file: is the same file as protocol; name another"
    path = tmp_path / "c.json"
    path.write_text(json.dumps({"protocol": str(path)}))
    with pytest.raises(ConfigError, match="protocol: is the same file as the configuration"):
        load_config(str(path))


@pytest.mark.parametrize("name", ["review.db", "answers.db", "gap_analysis_report.html"])
def test_no_file_may_take_the_place_of_what_a_run_writes(name: str) -> None:
    """One would be written over the other."""
    said = f"is the same file as the output {name}; name another"
    assert only({"version_history_path": name}) == f"version_history_path: {said}"
    told = only({"output_dir": "o", "v2_features": {"checkpoint_file": f"o/{name}"}})
    assert told == f"v2_features.checkpoint_file: {said}"
    assert only({"output_dir": "o", "protocol": f"./o/{name}"}) == f"protocol: {said}"


def test_a_checkpoint_may_not_take_the_place_of_a_configuration_that_is_yet_to_come() -> None:
    """The next run would read it as its configuration."""
    told = only({"v2_features": {"checkpoint_file": "pipeline_config.json"}})
    assert told == "v2_features.checkpoint_file: is the same file as the configuration; name another"


# Keys of paid back ends


@pytest.mark.parametrize(
    ("llm", "variable", "needed"),
    [
        ({}, None, False),
        ({"backend": "gemini"}, "GEMINI_API_KEY", True),
        ({"backend": "gemini", "base_url": "http://localhost:1"}, "GEMINI_API_KEY", True),
        ({"backend": "openai_compatible"}, "OPENAI_API_KEY", True),
        ({"backend": "openai_compatible", "api_key_env": None}, None, False),
        ({"backend": "openai_compatible", "api_key_env": "MY_KEY"}, "MY_KEY", True),
        ({"backend": "openai_compatible", "base_url": "https://example.org/v1"}, "OPENAI_API_KEY", True),
        ({"backend": "openai_compatible", "base_url": "http://localhost:8000/v1"}, "OPENAI_API_KEY", False),
        ({"backend": "openai_compatible", "base_url": "http://127.0.0.9:8000/v1"}, "OPENAI_API_KEY", False),
        ({"backend": "openai_compatible", "base_url": "http://[::1]:8000/v1"}, "OPENAI_API_KEY", False),
        ({"backend": "openai_compatible", "base_url": "http://localhost.example.org/"}, "OPENAI_API_KEY", True),
        ({"backend": "openai_compatible", "base_url": "http://127.0.0.1.example.org/"}, "OPENAI_API_KEY", True),
        ({"backend": "openai_compatible", "base_url": "http://10.0.0.1/"}, "OPENAI_API_KEY", True),
    ],
)
def test_who_needs_a_key_and_where_it_is_looked_for(
    llm: dict[str, Any], variable: str | None, needed: bool
) -> None:
    made = parse_config({"llm": llm}).llm
    assert (made.api_key_env, made.key_needed) == (variable, needed)
    assert LlmSettings(**llm) == made


def test_gemini_without_a_key_is_refused() -> None:
    assert "gemini needs a key" in only({"llm": {"backend": "gemini", "api_key_env": None}})


@pytest.mark.parametrize("name", PLUGINS["backend"])
def test_every_back_end_of_the_table_can_be_named_and_limited(name: str) -> None:
    api = PLUGINS["backend"][name].api
    quota = {api: {"rate": 10, "per_seconds": 60}} if api else {}
    made = parse_config({"llm": {"backend": name}, "v2_features": {"quota": quota}})
    assert made.llm.backend == name
    assert (made.quota_of_backend is not None) is bool(api)


# The protocol that it names


def test_every_mistake_in_the_protocol_is_told_with_the_name_of_its_file(tmp_path: Path) -> None:
    path = tmp_path / "my.json"
    path.write_text('{"titel": "x", "questions": 3}')
    found = wiring_problems(tmp_path, str(path))
    assert len(found) > 1
    assert all(line.startswith(f"{path}: ") for line in found)
    assert any(line.startswith(f"{path}: titel: is not a known key") for line in found)


@pytest.mark.parametrize("content", [None, "{"])
def test_a_protocol_that_cannot_be_read_is_named_once(tmp_path: Path, content: str | None) -> None:
    path = tmp_path / "my.json"
    if content is not None:
        path.write_text(content)
    assert [line.count(str(path)) for line in wiring_problems(tmp_path, str(path))] == [1]


def wiring_problems(tmp_path: Path, protocol: str) -> list[str]:
    (tmp_path / "papers").mkdir()
    paths = {"papers": "papers", "output_dir": "out", "checkpoint_file": "c.json"}
    config = parse_config({}, {**{key: str(tmp_path / name) for key, name in paths.items()}, "protocol": protocol})
    with pytest.raises(ConfigError) as caught:
        build_parts(config, RunLog(io.StringIO()))
    return list(caught.value.problems)


# Stages


def names(stages: list[dict[str, Any]]) -> list[str]:
    return [stage.name for stage in parse_config({"stages": stages}).stages]


def stage(name: str, after: str | None = None) -> dict[str, Any]:
    return {"name": name, "module": f"own.{name}", **({"after": after} if after else {})}


def test_a_known_name_replaces_and_keeps_place_title_and_kind() -> None:
    config = parse_config({"stages": [{"name": "judge", "module": "own.judge"}]})
    assert [s.name for s in config.stages] == [s.name for s in STANDARD_STAGES]
    assert config.stages[1] == replace(STANDARD_STAGES[1], module="own.judge")


@pytest.mark.parametrize(
    ("entries", "order"),
    [
        ([], "journal_reviewer judge dra sync orchestrator"),
        ([stage("x")], "journal_reviewer judge dra sync orchestrator x"),
        ([stage("x", "judge")], "journal_reviewer judge x dra sync orchestrator"),
        ([stage("x", "judge"), stage("y", "judge")], "journal_reviewer judge x y dra sync orchestrator"),
        ([stage("y", "x"), stage("x", "dra")], "journal_reviewer judge dra x y sync orchestrator"),
        ([stage("judge", "dra")], "journal_reviewer dra judge sync orchestrator"),
        ([stage("judge", "dra"), stage("x", "judge")], "journal_reviewer dra judge x sync orchestrator"),
    ],
)
def test_stages_stand_where_they_are_put(entries: list[dict[str, Any]], order: str) -> None:
    assert names(entries) == order.split()


def test_a_stage_is_per_paper_as_the_one_before_it_unless_it_says_so() -> None:
    entries = [stage("a", "judge"), stage("b"), {**stage("c", "sync"), "per_paper": True}]
    kinds = {s.name: s.per_paper for s in parse_config({"stages": entries}).stages}
    assert (kinds["a"], kinds["b"], kinds["c"], kinds["orchestrator"]) == (True, False, True, False)


NO_MODULES = ("a b", ".a", "a.", "1a", "a-b", "a.class", "os;x", "../x", "a" * 201)


@pytest.mark.parametrize(
    ("entries", "told"),
    [
        ([stage("x", "judg")], 'stages[0].after: is "judg", which is no stage; the nearest is judge'),
        ([stage("x"), stage("x")], "stages[1].name: is x, as stages[0] is; give each stage one entry"),
        ([stage("x", "x")], "stages[0].after: leads round in a circle"),
        ([stage("judge", "x"), stage("x", "judge")], "stages[1].after: leads round in a circle"),
        ([{"name": "x"}], "stages[0].module: is missing"),
        ([{"module": "x"}], "stages[0].name: is missing"),
        ([{"name": "x/y", "module": "x"}], "stages[0].name: is"),
        *[([{"name": "x", "module": bad}], "which is no module") for bad in NO_MODULES],
    ],
)
def test_a_stage_that_cannot_be_placed_or_found_is_refused(entries: list[dict[str, Any]], told: str) -> None:
    assert any(told in line for line in problems({"stages": entries}))


def test_thousands_of_stages_are_put_in_order_at_once() -> None:
    entries = [stage(f"s{n}", f"s{n + 1}") for n in range(3000)] + [stage("s3000", "sync")]
    order = names(entries)
    assert order[4:7] == ["s3000", "s2999", "s2998"]
    assert order[-1] == "orchestrator"


# The command line above the file


def test_options_stand_above_the_file_and_are_no_longer_defaults() -> None:
    over = {"papers": "p", "protocol": "q", "output_dir": "o", "checkpoint_file": "c", "max_workers": 9}
    config = parse_config(EVERYTHING, {**over, "dry_run": False, "parallel": False})
    assert {name: getattr(config, name) for name in over} == over
    assert (config.dry_run, config.parallel, config.defaulted) == (False, False, frozenset())
    assert parse_config({}, {"papers": "p"}).defaulted == {"protocol"}


def test_an_option_that_was_not_given_changes_nothing() -> None:
    assert parse_config(EVERYTHING, dict.fromkeys(OVERRIDES)) == parse_config(EVERYTHING)


def test_a_wrong_option_is_told_as_it_was_typed_beside_the_mistakes_of_the_file() -> None:
    found = problems({"papers": 1}, {"max_workers": 0, "papers": "", "paper": "x"})
    assert [line.partition(":")[0] for line in found] == ["papers", "--max-workers", "--papers", "paper"]


# Whatever the data is


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4),
    max_leaves=12,
)


def _like_a_configuration(values: st.SearchStrategy[Any]) -> st.SearchStrategy[Any]:
    keys = sorted({part for path, _ in SHAPE.leaves("") for part in re.split(r"[.\[\]<>]+", path) if part})
    named = st.sampled_from([*keys, "judge", "gemini_api", "api_key", "judg", "_x"]) | st.text(max_size=5)
    return st.dictionaries(named, values, max_size=6)


configurations = st.recursive(
    json_values, lambda inner: _like_a_configuration(inner) | st.lists(inner, max_size=3), max_leaves=25
)


def mistakes(load: Callable[[], Config]) -> tuple[str, ...]:
    """The lines of the ConfigError, if any; anything else that is raised goes through and fails the test."""
    try:
        config = load()
    except ConfigError as error:
        return error.problems or ("none",)
    json.dumps(config.to_json(), allow_nan=False).encode()
    return ()


@settings(max_examples=50)
@given(_like_a_configuration(configurations), st.none() | _like_a_configuration(json_values))
def test_no_data_raises_anything_but_a_configuration_error(data: Any, overrides: Any) -> None:
    """And each line is one line, of characters that any stream can take."""
    for line in mistakes(lambda: parse_config(data, overrides)):
        assert ": " in line
        assert line.isprintable()
        line.encode()


@settings(max_examples=50)
@given(st.binary(max_size=60) | configurations.map(lambda value: json.dumps(value).encode()))
def test_no_file_raises_anything_but_a_configuration_error(tmp_path_factory: Any, content: bytes) -> None:
    path = tmp_path_factory.getbasetemp() / "any.json"
    path.write_bytes(content)
    assert all(line.isprintable() for line in mistakes(lambda: load_config(str(path))))


@given(st.dictionaries(st.sampled_from(sorted(EVERYTHING)), st.just(None)))
def test_every_selection_of_keys_is_valid_and_survives_its_plain_data(chosen: dict[str, None]) -> None:
    data = {key: EVERYTHING[key] for key in chosen if key != "retry_policy"}
    config = parse_config(data)
    assert parse_config(config.to_json()) == replace(config, defaulted=frozenset())


@pytest.mark.parametrize(
    "data",
    [
        {f"max_worker_{n}": n for n in range(20_000)},
        {"stages": [stage(f"s{n}", f"z{n}") for n in range(20_000)]},
        {"retry_policy": {"per_stage": {f"judge_{n}": {} for n in range(20_000)}}},
    ],
    ids=["keys", "stages", "policies"],
)
def test_a_flood_of_mistakes_is_told_in_bounded_time_and_size(data: dict[str, Any]) -> None:
    """Without a bound on the search for near names the second takes minutes."""
    started = time.process_time()
    found = problems(data)
    assert time.process_time() - started < 20
    assert len(found) == 1001
    assert found[-1].startswith("and 19,000 mistakes more")
    assert max(map(len, found)) < 1000


@pytest.mark.skipif(os.name == "nt", reason="a current folder cannot be removed there")
def test_a_current_folder_that_was_removed_is_no_reason_to_fail(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "gone").mkdir()
    monkeypatch.chdir(tmp_path / "gone")
    (tmp_path / "gone").rmdir()
    assert parse_config({}).papers == "papers"


# The documents


def documented() -> dict[str, list[str]]:
    """key -> type, default, unit and effect, of every table row in docs/config.md."""
    lines = (ROOT / "docs/config.md").read_text("utf-8").splitlines()
    rows = [[cell.strip() for cell in line.strip("|").split("|")] for line in lines if line.startswith("| `")]
    assert len({row[0] for row in rows}) == len(rows), "a key stands twice"
    return {row[0].strip("`"): row[1:] for row in rows}


def test_the_document_names_every_key_and_no_other() -> None:
    assert set(documented()) == {path for path, _ in SHAPE.leaves("")}


def test_the_document_has_types_and_defaults_right() -> None:
    for path, shape in SHAPE.leaves(""):
        kind, default, _, effect = documented()[path]
        assert kind == re.sub(r"^an? ", "", shape.word), path
        if default.startswith("`"):
            built_in = list(shape.default) if kind == "list" else shape.default
            assert json.loads(default.strip("`")) == built_in, path
        else:
            assert (default == "required") == (shape.default is REQUIRED), path
        in_words = re.match(r"([\d.]+) to ([\d.]+)", effect)
        if in_words:
            assert isinstance(shape, Number), path
            assert (shape.low, shape.high) == tuple(map(float, in_words.groups())), path


def test_the_projects_own_file_is_valid_and_shows_the_guides_schema() -> None:
    path = ROOT / "pipeline_config.json"
    data = json.loads(path.read_text("utf-8"))
    config = load_config(str(path))
    assert (config.papers, config.protocol) == ("examples/papers", "examples/protocol.json")
    assert {key: data[key] for key in GUIDE} == GUIDE
    assert set(SHAPE.fields) <= set(data)


def test_loading_imports_nothing_heavy() -> None:
    code = (
        "import sys; from literature_review.config import load_config; load_config();"
        "heavy = ('difflib', 'urllib', 'ipaddress', 'sqlite3', 'logging');"
        "print(*[m for m in heavy if m in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-S", "-c", code], cwd=ROOT, capture_output=True, text=True, check=True)
    assert done.stdout.strip() == ""
