"""What the tests of paid calls share: a model that answers by a script, a gate that lets calls through, a log."""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, TypeVar

from literature_review.llm.chat import ModelAnswer, ModelQuestion
from literature_review.llm.paid_book import PaidBook
from literature_review.llm.paid_calls import PaidCalls
from literature_review.llm.prices import Price, PriceTable
from literature_review.ports import Deadline

T = TypeVar("T")

SCHEMA: dict[str, Any] = {
    "type": "object",
    "properties": {"score": {"type": "number", "minimum": 0, "maximum": 1}},
    "required": ["score"],
    "additionalProperties": False,
}
GOOD = ModelAnswer('{"score": 0.5}', 1000, 100, "req-1")
PRICE = Price(1.0, 10.0)  # GOOD costs 0.002 US dollars


def question(user: str = "How strong is it?", **fields: Any) -> ModelQuestion:
    return ModelQuestion(**{"prompt": "judge/1", "system": "You judge.", "user": user, "schema": SCHEMA,
                            "max_output_tokens": 1000, **fields})  # fmt: skip


class ScriptedModel:
    """Keeps ChatModel. `answer(question)` says, or raises, what comes back; `asked` is what was asked for."""

    name = "gemini"
    model = "some-model"
    parameters: Mapping[str, Any] = {"temperature": 0}

    def __init__(self, answer: Callable[[ModelQuestion], ModelAnswer] = lambda asked: GOOD) -> None:
        self._answer = answer
        self._lock = threading.Lock()
        self.asked: list[ModelQuestion] = []
        self.closed = False

    def ask(self, question: ModelQuestion, timeout: float | None) -> ModelAnswer:
        with self._lock:
            self.asked.append(question)
        return self._answer(question)

    def close(self) -> None:
        self.closed = True


def in_turn(*answers: ModelAnswer | BaseException) -> Callable[[ModelQuestion], ModelAnswer]:
    """The answers one after the other; an exception among them is raised."""
    left = list(answers)

    def answer(asked: ModelQuestion) -> ModelAnswer:
        given = left.pop(0)
        if isinstance(given, BaseException):
            raise given
        return given

    return answer


class OpenGate:
    """Keeps CallGate without quota or waits; tries a call `attempts` times in all."""

    def __init__(self, attempts: int = 1) -> None:
        self._attempts = attempts
        self.tokens: list[tuple[float, float]] = []
        self.calls = 0

    def call(
        self,
        ask: Callable[[float | None], T],
        deadline: Deadline,
        tokens: float = 0.0,
        used: Callable[[T], float] | None = None,
    ) -> T:
        for attempt in range(1, self._attempts + 1):
            self.calls += 1
            try:
                answer = ask(deadline.remaining(at_most=60.0))
            except Exception:
                if attempt == self._attempts:
                    raise
            else:
                self.tokens.append((tokens, used(answer) if used is not None else tokens))
                return answer
        raise AssertionError("not reached")

    def usage(self) -> Mapping[str, float]:
        return {"calls": self.calls, "retries": 0, "quota_consumed": 0, "quota_throttled": 0}


class KeptLog:
    """Keeps Log; `lines` are (level, text)."""

    def __init__(self) -> None:
        self.lines: list[tuple[str, str]] = []

    def debug(self, text: str) -> None:
        self.lines.append(("debug", text))

    def info(self, text: str) -> None:
        self.lines.append(("info", text))

    def success(self, text: str) -> None:
        self.lines.append(("success", text))

    def warning(self, text: str) -> None:
        self.lines.append(("warning", text))

    def error(self, text: str) -> None:
        self.lines.append(("error", text))


def paid_calls(
    folder: Path,
    model: ScriptedModel,
    budget_usd: float | None = None,
    price: Price | None = PRICE,
    gate: OpenGate | None = None,
    log: KeptLog | None = None,
) -> PaidCalls:
    """PaidCalls over folder/answers.db."""
    prices = PriceTable({} if price is None else {model.model: price})
    book = PaidBook(folder / "answers.db")
    return PaidCalls(model, gate or OpenGate(), book, prices, budget_usd, log or KeptLog())
