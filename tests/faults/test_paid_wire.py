"""Real clients, the real gate and a server that throttles, fails and hangs up: ledger and server count the same."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("openai", reason="needs the extra openai")
pytest.importorskip("google.genai", reason="needs the extra gemini")

from model_faults import FAULTS, blocked_prompt, refused_key, success
from model_server import ModelServer
from model_wire import Reply, Request

from literature_review.config import CallRetry
from literature_review.errors import BackendError
from literature_review.llm.gemini import GeminiModel
from literature_review.llm.openai_compatible import OpenAICompatibleModel
from literature_review.llm.paid_book import PaidBook
from literature_review.llm.paid_calls import PaidCalls
from literature_review.llm.prices import PriceTable
from literature_review.pipeline.calls import CallGate
from literature_review.ports import Deadline
from tests.paid_samples import PRICE, KeptLog, question

pytestmark = pytest.mark.fault

MODELS: dict[str, Any] = {"gemini": GeminiModel, "openai_compatible": OpenAICompatibleModel}
KEY = "sk-proj-Zq83hTTsW0nQyLmA5xKv71RbE4cUdJoP"
QUESTIONS, THREADS = 64, 8


@contextmanager
def opened(folder: Path, backend: str, server: ModelServer) -> Iterator[PaidCalls]:
    """PaidCalls as a run builds it, but for its waits, which are milliseconds."""
    retry = CallRetry(attempts=6, base=0.001, max_delay=0.002)
    gate = CallGate(retry, KeptLog(), max_in_flight=THREADS)
    model = MODELS[backend]("some-model", KEY, server.base_url)
    calls = PaidCalls(model, gate, PaidBook(folder / "answers.db"), PriceTable({"some-model": PRICE}), None, KeptLog())
    try:
        yield calls
    finally:
        calls.close()


def ask_all(calls: PaidCalls) -> list[object]:
    """Every question once, by several threads; the answers, or what was raised, in the order of the questions."""
    outcomes: list[object] = [None] * QUESTIONS

    def work(first: int) -> None:
        for number in range(first, QUESTIONS, THREADS):
            try:
                outcomes[number] = calls.ask(question(f"Is it {number}?"), "judge", f"{number % 5}.pdf", Deadline(60.0))
            except BackendError as error:
                outcomes[number] = error

    threads = [threading.Thread(target=work, args=(first,)) for first in range(THREADS)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    return outcomes


def failing_now_and_then() -> Callable[[Request], Reply | str]:
    """A good answer, but for every ninth request: throttled, failed, hung up on, reset, in turn. (Eight threads in step
    would have every eighth come from the same one, until its attempts are used up.)"""
    faults = [FAULTS[name] for name in ("429", "503", "dropped", "reset")]
    arrived = iter(range(10**6))

    def answer(request: Request) -> Reply | str:
        number = next(arrived)
        return faults[number // 9 % 4](request) if number % 9 == 8 else '{"score": 0.5}'

    return answer


@pytest.mark.parametrize("backend", sorted(MODELS))
def test_the_ledger_and_the_server_count_the_same_and_the_bill_is_right(tmp_path: Path, backend: str) -> None:
    """Whatever fails on the way, every question is answered, no answer is paid for twice, and ledger, server and a sum
    by hand agree; the key is in no file."""
    with ModelServer(failing_now_and_then(), latency=0.002) as server:
        with opened(tmp_path, backend, server) as calls:
            assert ask_all(calls) == [{"score": 0.5}] * QUESTIONS
            costs, usage = calls.costs(), calls.usage()
        good = [request for request in server.requests if request.status == 200]
        assert len(good) == QUESTIONS
        assert len(server.requests) > QUESTIONS
        bill = sum(PRICE.usd(request.input_tokens, request.output_tokens) for request in good)
        with PaidBook(tmp_path / "answers.db") as book:
            counts = book.counts()
        assert counts.begun == counts.ended == len(server.requests)
        assert counts.answers == QUESTIONS
        assert counts.usd == pytest.approx(bill)
        assert sum(row["usd"] for row in costs["papers"].values()) == pytest.approx(bill)
        assert usage["usd"] == pytest.approx(bill)
        assert usage["tokens"] == sum(request.input_tokens + request.output_tokens for request in good)
        before = len(server.requests)
        with opened(tmp_path, backend, server) as calls:
            assert ask_all(calls) == [{"score": 0.5}] * QUESTIONS
        assert len(server.requests) == before
    for file in tmp_path.iterdir():
        assert KEY.encode() not in file.read_bytes()


@pytest.mark.parametrize("backend", sorted(MODELS))
def test_a_server_that_nobody_can_reach_counts_nothing(tmp_path: Path, backend: str) -> None:
    """Attempts that made no connection are no calls; when the server is back, all goes on."""
    with ModelServer(lambda request: '{"score": 0.5}') as server, opened(tmp_path, backend, server) as calls:
        server.go_away()
        with pytest.raises(BackendError, match="cannot be reached"):
            calls.ask(question(), "judge", "a.pdf", Deadline(60.0))
        server.listen()
        assert calls.ask(question(), "judge", "a.pdf", Deadline(60.0)) == {"score": 0.5}
        with PaidBook(tmp_path / "answers.db") as book:
            counts = book.counts()
        assert (counts.begun, counts.ended, counts.unreached) == (1, 1, 6)
        assert len(server.requests) == 1


@pytest.mark.parametrize("backend", sorted(MODELS))
def test_what_the_filters_block_is_kept_and_the_key_is_not(tmp_path: Path, backend: str) -> None:
    """A refused key is quoted by the providers: it is not on the ledger, in no error and in no file."""
    with ModelServer(blocked_prompt) as server, opened(tmp_path, backend, server) as calls:
        for _ in range(2):
            with pytest.raises(BackendError, match=r"for a\.pdf was blocked"):
                calls.ask(question(), "judge", "a.pdf", Deadline(60.0))
        assert len(server.requests) == 1
        server.answer = refused_key
        with pytest.raises(BackendError, match="refused the API key") as raised:
            calls.ask(question("another?"), "judge", "a.pdf", Deadline(60.0))
        assert KEY not in str(raised.value)
        server.answer = lambda request: success(request, '{"score": 0.5}')
        assert calls.ask(question("another?"), "judge", "a.pdf", Deadline(60.0)) == {"score": 0.5}
        assert "usd" in calls.usage()
    for file in tmp_path.iterdir():
        assert KEY.encode() not in file.read_bytes()
