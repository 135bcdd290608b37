"""Every key that acts on paid calls, through whole runs: each test fails where its key is ignored."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from literature_review.pipeline.parts import RunOptions
from tests.paid_runs import PaidRun, ServerError, paid_run
from tests.review_samples import checkpoint_of, make_review
from tests.virtual_time import VirtualTime

pytestmark = pytest.mark.integration
Run = Callable[..., PaidRun]


@pytest.fixture
def run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Run:
    """Runs over the same folder of one paper, or as many as `papers` says."""

    def once(*script: Any, papers: int = 1, **settings: Any) -> PaidRun:
        make_review(tmp_path, papers=papers)
        return paid_run(tmp_path, monkeypatch, *script, **settings)

    return once


def down(status: int = 503) -> Callable[[int], Exception]:
    return lambda _: ServerError(status)


def features(**keys: Any) -> dict[str, Any]:
    return {"v2_features": keys}


def retry(**keys: Any) -> dict[str, Any]:
    return features(retry={"enable_jitter": False, **keys})


def quota(**keys: Any) -> dict[str, Any]:
    return features(quota={"gemini_api": {"rate": 1000, **keys}})


@pytest.mark.parametrize("attempts", [1, 2, 5])
def test_retry_attempts(run: Run, attempts: int) -> None:
    done = run(down(), **retry(attempts=attempts), retry_policy={"enabled": False, "circuit_breaker_threshold": 99})
    assert len(done.requests) == attempts
    assert done.result.exit_code == 1
    assert done.result.retries == attempts - 1


@pytest.mark.parametrize(
    ("keys", "waits"),
    [
        ({"base": 0.5}, [0.5, 1, 2]),
        ({"base": 3}, [3, 6, 12]),
        ({"base": 1, "factor": 5}, [1, 5, 25]),
        ({"base": 3, "max_delay": 5}, [3, 5, 5]),
    ],
)
def test_retry_base_factor_and_max_delay(run: Run, keys: dict[str, float], waits: list[float]) -> None:
    calm = {"enabled": False, "circuit_breaker_threshold": 99}
    assert run(down(), **retry(attempts=4, **keys), retry_policy=calm).gaps() == pytest.approx(waits)


@pytest.mark.parametrize("jitter", [True, False])
def test_retry_enable_jitter(run: Run, jitter: bool) -> None:
    keys = features(retry={"attempts": 12, "base": 1, "factor": 1, "enable_jitter": jitter})
    gaps = run(down(), **keys, retry_policy={"enabled": False, "circuit_breaker_threshold": 99}).gaps()
    assert all(0.8 - 1e-9 <= gap <= 1.2 + 1e-9 for gap in gaps)
    assert (len({round(gap, 6) for gap in gaps}) > 1) is jitter


def most_in(done: PaidRun, seconds: float) -> int:
    times = [request.at for request in done.requests]
    return max(sum(start <= at < start + seconds - 1e-6 for at in times) for start in times)


@pytest.mark.parametrize(("rate", "seconds"), [(4, 60), (8, 60), (4, 10)])
def test_quota_rate_and_per_seconds(run: Run, rate: int, seconds: float) -> None:
    done = run(papers=8, **quota(rate=rate, per_seconds=seconds))
    assert len(done.requests) == 16
    assert rate - 1 <= most_in(done, seconds) <= rate
    assert done.result.quota["consumed"] == 16
    assert done.result.quota["throttled"] > 0


@pytest.mark.parametrize("burst", [1, 3])
def test_quota_burst(run: Run, burst: int) -> None:
    done = run(papers=3, **quota(rate=5, per_seconds=60, burst=burst))
    assert sum(request.at == 0 for request in done.requests) == burst


def test_quota_tokens_per_minute(run: Run) -> None:
    """Estimated at 1,000 tokens, counted at 900: at 8,000 a minute eight calls fit, the ninth waits for the minute."""
    done = run(papers=5, **quota(tokens_per_minute=8000))
    assert [request.at for request in done.requests] == pytest.approx([0] * 8 + [60] * 2)


def test_quota_requests_per_day(run: Run) -> None:
    """Counted over runs; the run stops resumably and says when it can go on, and resuming repeats nothing."""
    first = run(papers=4, **quota(requests_per_day=5))
    assert len(first.requests) == 5
    assert (first.result.exit_code, first.result.status) == (1, "failed")
    assert "requests_per_day are made; go on after 20" in first.said
    again = run(papers=4, options=RunOptions(resume=True), **quota(requests_per_day=5))
    assert len(again.requests) == 0
    last = run(papers=4, options=RunOptions(resume=True), **quota(requests_per_day=50))
    assert len(last.requests) == 3
    assert (last.result.exit_code, last.result.status) == (0, "completed")


@pytest.mark.parametrize("parallel", [True, False])
def test_a_spent_quota_fails_no_paper_and_no_stage_tries_again(run: Run, tmp_path: Path, parallel: bool) -> None:
    keys = {"quota": {"gemini_api": {"rate": 1000, "requests_per_day": 3}}, "enable_parallel": parallel}
    done = run(papers=3, **features(**keys), retry_policy={"enabled": True})
    assert done.result.exit_code == 1
    assert done.result.failures == {}
    assert done.result.quota["consumed"] == 3
    assert "attempt 1 failed" not in done.said
    data = checkpoint_of(tmp_path)
    assert data["stats"]["failed_papers"] == 0
    assert data["stats"]["completed_papers"] < 3


def test_enable_quota_management_false_takes_none(run: Run) -> None:
    keys = quota(rate=1, requests_per_day=1, tokens_per_minute=8000)
    keys["v2_features"]["feature_flags"] = {"enable_quota_management": False}
    done = run(papers=5, **keys)
    assert [request.at for request in done.requests] == [0] * 10
    assert done.result.quota == {"consumed": 0, "throttled": 0}


@pytest.mark.parametrize("smart", [True, False])
def test_enable_smart_retry_false_retries_every_error(run: Run, smart: bool) -> None:
    done = run(down(404), **features(feature_flags={"enable_smart_retry": smart}))
    assert len(done.requests) == (1 if smart else 3)


@pytest.mark.parametrize("seconds", [120, 7])
def test_request_timeout(run: Run, seconds: float) -> None:
    done = run(llm={"request_timeout": seconds})
    assert [request.timeout for request in done.requests] == [seconds] * 2


@pytest.mark.parametrize(("threshold", "state"), [(3, "open"), (4, None)])
def test_circuit_breaker_threshold(run: Run, tmp_path: Path, threshold: int, state: str | None) -> None:
    policy = {"enabled": False, "circuit_breaker_threshold": threshold}
    run(down(), **retry(attempts=3), retry_policy=policy)
    assert checkpoint_of(tmp_path).get("circuit_breaker") == state


def test_a_server_that_is_down_from_the_beginning_stops_the_run_and_fails_no_later_paper(
    run: Run, tmp_path: Path
) -> None:
    """It can be gone on with: what failed before the run knew better is tried again."""
    stopped = run(lambda n: ConnectionError("nobody there"), papers=40, **retry(attempts=3))
    assert (stopped.result.exit_code, stopped.result.status) == (1, "failed")
    assert "the model's server has not answered for" in stopped.said
    assert "because the model's server is down; nothing is lost. Go on with: --resume" in stopped.said
    assert len(stopped.requests) < 20
    assert len(stopped.result.failures) < 5
    again = run(papers=40, options=RunOptions(resume=True))
    assert (again.result.exit_code, len(again.requests)) == (0, 80)


def test_the_breakers_pauses_follow_the_stages_back_off(run: Run, tmp_path: Path) -> None:
    """After three failures: 4 s, 8 s, and never more than 10 s, one probe each; then it is closed again."""
    policy = {
        "enabled": False, "circuit_breaker_threshold": 3, "default_backoff_base": 4, "default_backoff_max": 10,
    }  # fmt: skip
    done = run(lambda n: ServerError(503) if n <= 6 else "{}", **retry(attempts=7, base=0), retry_policy=policy)
    assert done.gaps()[:6] == pytest.approx([0, 0, 4, 8, 10, 10], abs=1e-3)
    assert done.result.exit_code == 0
    assert checkpoint_of(tmp_path)["circuit_breaker"] == "closed"


@pytest.mark.parametrize("parallel", [True, False])
def test_max_workers_is_the_most_calls_under_way(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, parallel: bool
) -> None:
    """Concurrent papers wait in one line for their places; one after the other there is one place."""
    import threading

    from tests import paid_runs

    make_review(tmp_path, papers=6)
    limits: list[int] = []
    true_gate: Any = paid_runs.calls_gate

    def noting(*arguments: Any, max_in_flight: int, **keys: Any) -> Any:
        limits.append(max_in_flight)
        keys["pause"] = threading.Event.wait
        return true_gate(*arguments, max_in_flight=max_in_flight, **keys)

    monkeypatch.setattr(paid_runs, "calls_gate", noting)
    done = paid_run(tmp_path, monkeypatch, **features(max_workers=3, enable_parallel=parallel))
    assert limits == [3 if parallel else 1]
    assert len(done.requests) == 12


def test_a_servers_word_to_wait_is_heeded(run: Run) -> None:
    done = run(lambda n: ServerError(429, Retry_After="30") if n == 1 else "{}", time=VirtualTime())
    assert done.gaps()[0] == pytest.approx(30)


def test_a_count_of_the_day_that_cannot_be_written_stops_the_run_and_fails_no_paper(run: Run, tmp_path: Path) -> None:
    import time

    (tmp_path / "out").mkdir()
    for day in (0, 86_400):  # a run that begins just before midnight too
        (tmp_path / "out" / f"gemini_api_calls_{_pacific_day(time.time() + day)}.count").mkdir()
    done = run(papers=3, **quota(requests_per_day=5))
    assert (done.result.exit_code, done.result.failures, done.requests) == (1, {}, [])
    assert "the calls of the day cannot be counted" in done.said
    assert checkpoint_of(tmp_path)["stats"]["failed_papers"] == 0


def _pacific_day(now: float) -> str:
    from datetime import datetime
    from zoneinfo import ZoneInfo

    return f"{datetime.fromtimestamp(now, ZoneInfo('America/Los_Angeles')):%Y-%m-%d}"
