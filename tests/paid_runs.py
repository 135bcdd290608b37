"""A paid back end for whole runs: a model that does as it is told, behind the true gate and the true wiring, in time
that is not real."""

from __future__ import annotations

import io
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest

from literature_review import wiring
from literature_review.llm.chat import ModelAnswer, ModelQuestion
from literature_review.models import Claim, Document, Findings, Proposal, RunResult, SubRequirement, Verdict
from literature_review.pipeline import calls
from literature_review.pipeline.parts import RunOptions
from literature_review.pipeline.policy import CircuitBreaker
from literature_review.pipeline.run import PipelineOrchestrator
from literature_review.pipeline.runlog import RunLog
from literature_review.plugins import PLUGINS, Plugin
from literature_review.ports import CallGate, Deadline, Log
from tests.review_samples import config_of
from tests.virtual_time import VirtualTime

KEY = "key-of-the-tests-0123456789"


class ServerError(Exception):
    """A server's answer that is none, as client libraries raise it."""

    def __init__(self, status: int, text: str = "", **headers: str) -> None:
        super().__init__(text or f"HTTP {status}")
        self.status_code = status
        self.headers = {name.replace("_", "-"): value for name, value in headers.items()}


@dataclass(frozen=True)
class Request:
    """What the server saw. `at`: seconds since the beginning; `timeout`: seconds that the call may take."""

    at: float
    timeout: float | None
    question: str


@dataclass
class ScriptedModel:
    """Keeps chat.ChatModel. `script(n)`, n from 1, gives the n-th request's answer: an exception is raised."""

    time: VirtualTime
    script: Callable[[int], str | Exception]
    name: str = "gemini"
    model: str = "scripted-1"
    parameters: Mapping[str, Any] = field(default_factory=dict)
    requests: list[Request] = field(default_factory=list)

    def ask(self, question: ModelQuestion, timeout: float | None) -> ModelAnswer:
        self.requests.append(Request(self.time.clock(), timeout, question.prompt))
        answer = self.script(len(self.requests))
        if isinstance(answer, Exception):
            raise answer
        return ModelAnswer(answer, 600, 300)

    def close(self) -> None:
        pass


class ScriptedBackend:
    """Asks its model once per paper for claims and once for verdicts, through the gate alone: nothing is kept."""

    name, paid = "gemini", True
    estimated_tokens = 1000.0

    def __init__(self, model: ScriptedModel, gate: CallGate) -> None:
        self._model, self._gate, self.model = model, gate, model.model

    def fingerprint(self) -> str:
        return self.model

    def for_paper(self, paper: str) -> ScriptedBackend:
        return self

    def ask(self, stage: str, deadline: Deadline) -> None:
        question = ModelQuestion(f"{stage}/1", "", "", {}, 400)
        self._gate.call(
            lambda timeout: self._model.ask(question, timeout),
            deadline,
            tokens=self.estimated_tokens,
            used=lambda answer: float((answer.input_tokens or 0) + (answer.output_tokens or 0)),
        )

    def find_claims(self, document: Document, wanted: Sequence[SubRequirement], deadline: Deadline) -> Findings:
        self.ask("journal_reviewer", deadline)
        quote = next(line for line in document.text.splitlines() if "significantly shorter" in line)
        return Findings((Proposal("S1", quote, 0.9, "it says so"),), (), {"S1": 0.9})

    def judge(
        self,
        document: Document,
        claims: Sequence[Claim],
        wanted: Mapping[str, SubRequirement],
        deadline: Deadline,
    ) -> list[Verdict]:
        if claims:
            self.ask("judge", deadline)
        return [Verdict(claim.id, True, "convinced", 0.9, "covered", {"relevance": 0.9}) for claim in claims]

    def reconsider(
        self,
        document: Document,
        rejected: Sequence[Claim],
        wanted: Mapping[str, SubRequirement],
        deadline: Deadline,
    ) -> Findings:
        return Findings()

    def estimate(self, stage: str, characters: int, sub_requirements: int) -> Mapping[str, float]:
        calls = 1.0 if stage in ("journal_reviewer", "judge") else 0.0
        return {"calls": calls, "tokens": 1000 * calls, "seconds": calls}

    def usage(self) -> Mapping[str, float]:
        return self._gate.usage()

    def close(self) -> None:
        pass


@dataclass(frozen=True)
class PaidRun:
    """`result` and `said` of the run, and what the server saw."""

    result: RunResult
    said: str
    requests: list[Request]

    def gaps(self) -> list[float]:
        """Seconds between the requests."""
        times = [request.at for request in self.requests]
        return [after - before for before, after in pairwise(times)]


Build = Callable[[ScriptedModel, Mapping[str, Any], CallGate, str, Log], Any]


def simple(model: ScriptedModel, settings: Mapping[str, Any], gate: CallGate, output_dir: str, log: Log) -> Any:
    return ScriptedBackend(model, gate)


def paid_run(
    folder: Path,
    monkeypatch: pytest.MonkeyPatch,
    script: Callable[[int], str | Exception] = lambda n: "{}",
    options: RunOptions | None = None,
    build: Build = simple,
    time: VirtualTime | None = None,
    **settings: Any,
) -> PaidRun:
    """One run over the folder (see make_review), with the back end in gemini's place. Stages are tried once."""
    time = time or VirtualTime()
    model = ScriptedModel(time, script)
    globals()["made"] = lambda *arguments: build(model, *arguments)
    plugin = Plugin("tests.paid_runs:made", api="gemini_api", key_env="GEMINI_API_KEY")
    monkeypatch.setitem(PLUGINS["backend"], "gemini", plugin)
    monkeypatch.setenv("GEMINI_API_KEY", KEY)
    gate = partial(calls_gate, clock=time.clock, sleep=time.sleep, pause=time.pause)
    monkeypatch.setattr(calls, "CallGate", gate)
    monkeypatch.setattr(wiring, "CircuitBreaker", partial(CircuitBreaker, clock=time.clock))
    settings = {"llm": {"backend": "gemini"}, "retry_policy": {"enabled": False}, **settings}
    settings["llm"] = {"backend": "gemini", **settings["llm"]}
    stream = io.StringIO()
    result = PipelineOrchestrator(config_of(folder, **settings), options, RunLog(stream)).run()
    assert KEY not in stream.getvalue()
    return PaidRun(result, stream.getvalue(), model.requests)


calls_gate = calls.CallGate  # the true one, whatever a test has put in its place
