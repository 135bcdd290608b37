"""A model and its paid calls that answer what they are told to: what the tests of the prompted back end share."""

from __future__ import annotations

import json
import re
import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

import jsonschema

from literature_review.errors import BackendError
from literature_review.llm.chat import ModelAnswer, ModelQuestion
from literature_review.llm.prompted_backend import PromptedBackend
from literature_review.models import Document, Section
from literature_review.ports import Deadline
from literature_review.text.sections import find_sections
from tests.review_samples import SHARED

Teller = Callable[[ModelQuestion], Any]


def trials(most: int) -> list[Document]:
    """Real papers with their sections, where they are on this machine."""
    found = []
    for path in sorted((SHARED / "data" / "evidence_inference").glob("*.txt"))[:most]:
        text = path.read_text(encoding="utf-8")
        sections = tuple(Section(part.title, part.kind, part.start, part.end) for part in find_sections(text))
        found.append(Document(text, (), sections))
    return found


class NoModel:
    """Names a model and is never asked."""

    name, model = "gemini", "told-1"

    def __init__(self, **parameters: Any) -> None:
        self.parameters: Mapping[str, Any] = parameters or {"temperature": 0}

    def ask(self, question: ModelQuestion, timeout: float | None) -> ModelAnswer:
        raise AssertionError("the calls answer, not the model")

    def close(self) -> None:
        pass


@dataclass
class ToldCalls:
    """Answers by `tell`; what it tells must keep to the schema, and a question must be one that can be sent.

    `asked`: (question, stage, paper) in order."""

    tell: Teller
    asked: list[tuple[ModelQuestion, str, str]] = field(default_factory=list)
    lock: Any = field(default_factory=threading.Lock)
    closed: bool = False

    def ask(
        self,
        question: ModelQuestion,
        stage: str,
        paper: str,
        deadline: Deadline,
        check: Callable[[Any], str] | None = None,
    ) -> Any:
        for text in (question.system, question.user, json.dumps(question.schema)):
            text.encode("utf-8")
        with self.lock:
            self.asked.append((question, stage, paper))
        data = json.loads(json.dumps(self.tell(question)))
        jsonschema.validate(data, question.schema)
        if check is not None and (fault := check(data)):
            raise BackendError(fault)
        return data

    def usage(self) -> Mapping[str, float]:
        names = ("retries", "tokens", "usd", "quota_consumed", "quota_throttled")
        return {"calls": float(len(self.asked)), **dict.fromkeys(names, 0.0)}

    def costs(self) -> Mapping[str, Mapping[str, Mapping[str, float]]]:
        return {"stages": {}, "papers": {}}

    def close(self) -> None:
        self.closed = True

    def of_stage(self, stage: str) -> list[ModelQuestion]:
        return [question for question, its_stage, _ in self.asked if its_stage == stage]


def fenced(question: ModelQuestion) -> str:
    """What stands between the fences."""
    found = re.search(r"^<<<BEGIN (\w+ \w+)>>>\n(.*)\n<<<END \1>>>$", question.user, re.DOTALL | re.MULTILINE)
    assert found is not None
    return found.group(2)


def asked_of(question: ModelQuestion) -> dict[str, str]:
    """Short name -> what is asked under it, from outside the fences."""
    outside = question.user.replace(fenced(question), "")
    return dict(re.findall(r"^- (s\d+): (.*)$", outside, re.MULTILINE))


def claims_of(question: ModelQuestion) -> list[dict[str, Any]]:
    data: dict[str, list[dict[str, Any]]] = json.loads(fenced(question))
    return data["claims"]


def row(sub: str, quote: str, score: float = 0.8, reason: str = "it says so") -> dict[str, Any]:
    return {"sub_requirement": sub, "quote": quote, "reason": reason, "score": score}


def claims_answer(*claims: Mapping[str, Any], **more: Any) -> dict[str, Any]:
    return {"suspicious": [], "claims": list(claims), "nearest": [], "coverage": [], **more}


def verdict(claim: str, approve: bool = True, score: float = 0.8, **more: Any) -> dict[str, Any]:
    scores = dict.fromkeys(("relevance", "directness", "strength", "rigour", "recency", "reproducibility"), score)
    return {
        "claim": claim,
        "reason": "reports what is asked",
        **scores,
        "coverage": "covered",
        "direction": "decrease",
        "verdict": "approve" if approve else "reject",
        **more,
    }


def honest(question: ModelQuestion) -> Any:
    """A reader that quotes sentences that name a word of what is asked, and approves them."""
    if question.prompt.startswith("judge"):
        return {"verdicts": [verdict(claim["claim"]) for claim in claims_of(question)]}
    if question.prompt.startswith("dra"):
        none = {"outcome": "none", "quote": "", "reason": "nothing better", "score": 0.1}
        return {"appeals": [{"claim": claim["claim"], **none} for claim in claims_of(question)]}
    sentences = re.findall(r"[A-Z][^.!?\n]{20,300}\.", fenced(question))
    found = []
    for name, asked in asked_of(question).items():
        words = set(re.findall(r"[a-z]{5,}", asked.split("|")[0].lower()))
        matching = [sentence for sentence in sentences if words & set(re.findall(r"[a-z]+", sentence.lower()))]
        found += [row(name, sentence) for sentence in matching[:2]]
    coverage = [{"sub_requirement": each["sub_requirement"], "coverage": 0.9} for each in found]
    return claims_answer(*found, coverage=coverage)


def backend(tell: Teller = honest, **settings: Any) -> tuple[PromptedBackend, ToldCalls]:
    """A back end for paper "a.pdf" and the calls behind it; `settings`: as in the blocks `llm` and `review`."""
    calls = ToldCalls(tell)
    llm = {name: value for name, value in settings.items() if name.startswith("max_")}
    review = {name: value for name, value in settings.items() if name not in llm}
    made = PromptedBackend(calls, NoModel(), {"llm": llm, "review": review})
    return made.for_paper("a.pdf"), calls
