"""Whole runs with the true back ends over their providers' clients, against a server on this machine; and what is said
where the key or the extra is missing."""

from __future__ import annotations

import io
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("openai", reason="needs the extra openai")
pytest.importorskip("google.genai", reason="needs the extra gemini")

from model_faults import failure, quota_spent, refused_key, throttled
from model_reviewers import honest
from model_server import ModelServer
from model_wire import Reply

from literature_review import plugins
from literature_review.errors import ConfigError
from literature_review.llm.chat import ModelQuestion
from literature_review.llm.gemini import GeminiModel
from literature_review.llm.openai_compatible import OpenAICompatibleModel
from literature_review.models import RunResult
from literature_review.pipeline.parts import RunOptions
from literature_review.pipeline.run import PipelineOrchestrator
from literature_review.pipeline.runlog import RunLog
from literature_review.pipeline.server_word import is_throttled, quota_is_spent, seconds_to_wait
from tests.review_samples import command, config_of, make_review, report_of, tree

pytestmark = pytest.mark.integration
KEY = "AIzaSyTestKeyOfTheTests0123456789abcdef"
BACKENDS = ("gemini", "openai_compatible")
PRICES = {"m": {"input_usd_per_million": 1, "output_usd_per_million": 4}}


@pytest.fixture(scope="module")
def running() -> Iterator[ModelServer]:
    with ModelServer() as server:
        yield server


@pytest.fixture
def server(running: ModelServer) -> ModelServer:
    running.answer = honest
    running.requests.clear()
    return running


def llm(backend: str, server: ModelServer, **keys: Any) -> dict[str, Any]:
    return {"llm": {"backend": backend, "model": "m", "base_url": server.base_url, "prices": PRICES, **keys}}


def run(folder: Path, options: RunOptions | None = None, **settings: Any) -> tuple[RunResult, str]:
    stream = io.StringIO()
    result = PipelineOrchestrator(config_of(folder, **settings), options, RunLog(stream)).run()
    assert not any(KEY.encode() in content for content in tree(folder).values())
    assert KEY not in stream.getvalue()
    return result, stream.getvalue()


@pytest.fixture
def key(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GEMINI_API_KEY", KEY)
    monkeypatch.setenv("OPENAI_API_KEY", KEY)


@pytest.mark.usefixtures("key")
@pytest.mark.parametrize("backend", BACKENDS)
def test_a_review_by_a_paid_model_and_again_for_nothing(backend: str, server: ModelServer, tmp_path: Path) -> None:
    make_review(tmp_path)
    result, said = run(tmp_path, **llm(backend, server))
    assert (result.exit_code, result.status) == (0, "completed"), said
    assert result.claims["approved"] > 0
    report = report_of(tmp_path, without_run=False)
    counted = {path: sum(getattr(request, path) for request in server.requests) for path in
               ("input_tokens", "output_tokens")}  # fmt: skip
    stages = report["run"]["costs"]["stages"].values()
    assert sum(row["calls"] for row in stages) == len(server.requests)
    assert sum(row["tokens_in"] for row in stages) == counted["input_tokens"]
    bill = (counted["input_tokens"] + 4 * counted["output_tokens"]) / 1e6
    assert report["run"]["cost_usd"] == pytest.approx(bill)
    asked = len(server.requests)
    again, _ = run(tmp_path, RunOptions(force=True), **llm(backend, server))
    assert (again.exit_code, again.cost_usd, len(server.requests)) == (0, 0, asked)


@pytest.mark.usefixtures("key")
@pytest.mark.parametrize("backend", BACKENDS)
def test_a_spent_quota_of_the_providers_stops_the_run_and_resuming_goes_on(
    backend: str, server: ModelServer, tmp_path: Path
) -> None:
    make_review(tmp_path)
    server.answer = lambda request: honest(request) if len(server.requests) <= 2 else (
        throttled(request, quota_id="GenerateRequestsPerDayPerProjectPerModel-FreeTier")
        if backend == "gemini" else quota_spent(request)
    )  # fmt: skip
    result, said = run(tmp_path, **llm(backend, server))
    assert (result.exit_code, result.failures) == (1, {}), said
    assert ("midnight Pacific time" if backend == "gemini" else "once there is credit") in said
    assert len(server.requests) == 3
    server.answer = honest
    result, said = run(tmp_path, RunOptions(resume=True), **llm(backend, server))
    assert (result.exit_code, result.status) == (0, "completed"), said


@pytest.mark.parametrize(
    ("backend", "variable"), [("gemini", "GEMINI_API_KEY"), ("openai_compatible", "OPENAI_API_KEY")]
)
def test_the_key_is_asked_for_first_and_then_the_package_with_its_command(
    backend: str, variable: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Both at once: who has neither need not start the program twice to learn it."""
    make_review(tmp_path)
    monkeypatch.delenv(variable, raising=False)
    there = plugins.PLUGINS["backend"][backend]
    extra = there.extra
    lacking = plugins.Plugin("nowhere:build", ("no_such_package_here",), extra, there.api, there.key_env)
    monkeypatch.setitem(plugins.PLUGINS["backend"], backend, lacking)
    for dry in (True, False):
        settings: dict[str, Any] = {"llm": {"backend": backend}, "dry_run": dry}
        monkeypatch.delenv(variable, raising=False)
        with pytest.raises(ConfigError) as caught:
            run(tmp_path, **settings)
        key, package = caught.value.problems
        assert variable in key
        assert f"pip install 'literature-review-pipeline[{extra}]'" in package
        monkeypatch.setenv(variable, KEY)
        with pytest.raises(ConfigError) as caught:
            run(tmp_path, **settings)
        assert f"pip install 'literature-review-pipeline[{extra}]'" in str(caught.value)


@pytest.mark.usefixtures("key")
def test_the_dry_run_of_a_paid_back_end_calls_nothing_and_writes_only_its_checkpoint(
    server: ModelServer, tmp_path: Path
) -> None:
    make_review(tmp_path, **llm("openai_compatible", server))
    before = set(tree(tmp_path))
    done = command("--dry-run", cwd=tmp_path)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "[DRY-RUN] Expected in all: " in done.stdout
    assert " USD" in done.stdout
    assert server.requests == []
    assert set(tree(tmp_path)) == before | {"checkpoint.json"}


@pytest.mark.usefixtures("key")
@pytest.mark.parametrize("budget", [0, 1])
def test_a_budget_for_a_model_without_a_price_is_refused_before_anything_is_bought(
    server: ModelServer, tmp_path: Path, budget: float
) -> None:
    make_review(tmp_path, **llm("openai_compatible", server, prices={}, budget_usd=budget))
    done = command(cwd=tmp_path)
    assert done.returncode == 2, done.stdout + done.stderr
    assert "llm.budget_usd: the price of 'm' is not known" in done.stdout
    assert server.requests == []


def error_of(backend: str, server: ModelServer, answer: Any) -> Exception:
    """What the true client's model raises for this answer."""
    server.answer = answer
    make: Any = GeminiModel if backend == "gemini" else OpenAICompatibleModel
    model = make("m", KEY, server.base_url)
    try:
        with pytest.raises(Exception) as caught:
            model.ask(ModelQuestion("judge/1", "", "a question", {"type": "object"}, 100), 10)
    finally:
        model.close()
    assert isinstance(caught.value, Exception)
    return caught.value


@pytest.mark.parametrize("backend", BACKENDS)
def test_the_gate_understands_what_the_clients_raise(backend: str, server: ModelServer) -> None:
    """Throttled, how long, spent: told from the true clients' errors, whichever way the provider says it."""
    told = error_of(backend, server, lambda request: throttled(request, retry_after=7))
    assert (is_throttled(told), seconds_to_wait(told), quota_is_spent(told)) == (True, 7, False)
    per_minute = error_of(backend, server, lambda request: throttled(request, quota_id="RequestsPerMinute"))
    assert (is_throttled(per_minute), quota_is_spent(per_minute)) == (True, False)
    busy = error_of(backend, server, lambda request: failure(request, 503, "The model is overloaded."))
    assert (is_throttled(busy), seconds_to_wait(busy), quota_is_spent(busy)) == (True, 0, False)
    spent = error_of(backend, server, lambda request: (
        throttled(request, quota_id="GenerateRequestsPerDayPerProjectPerModel-FreeTier")
        if backend == "gemini" else quota_spent(request)
    ))  # fmt: skip
    assert quota_is_spent(spent)
    refused = error_of(backend, server, refused_key)
    assert (is_throttled(refused), seconds_to_wait(refused), quota_is_spent(refused)) == (False, 0, False)
    dropped = error_of(backend, server, lambda request: Reply(drop="close"))
    assert (is_throttled(dropped), seconds_to_wait(dropped), quota_is_spent(dropped)) == (False, 0, False)
