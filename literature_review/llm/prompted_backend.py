"""A paid model as a back end: prompts, splitting, schemas, votes. Who the model is and how it is paid are others' work.

    find_claims   excerpts x batches of sub-requirements -> one question each -> merged, best first
    judge         batches of claims with their context -> verdicts; borderline ones are voted on
    reconsider    batches of rejected claims with more of their context -> better quotes
    each question -> calls.ask: answer store, budget, ledger, quota, retry, validation

Questions that do not depend on each other are asked together where papers run concurrently (asked_together.py). All
follow from the paper's text, the protocol and the settings alone, in one order, so that a run that was
cut off finds every answer that it has paid for.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import Any, Protocol

from literature_review.llm.answers import PaperFindings, QuoteFinder, one_each, verdict_of, weighted
from literature_review.llm.asked_together import ask_together
from literature_review.llm.chat import ChatModel, ModelQuestion
from literature_review.llm.excerpts import Excerpt, excerpts_of, visible_text
from literature_review.llm.forecast import Price, forecast
from literature_review.llm.prompts import VERSIONS, load_prompt
from literature_review.llm.question_limits import Limits, batches
from literature_review.llm.questions import (
    appeals_question,
    asked_lines,
    claim_to_appeal,
    claim_to_judge,
    claims_data,
    claims_question,
    used,
    verdicts_question,
)
from literature_review.models import Claim, Document, Findings, Proposal, SubRequirement, Verdict
from literature_review.ports import Deadline
from literature_review.text.token_estimate import tokens_of

QUESTIONS_VERSION = 1
"""Raised when excerpts, batches, schemas or the use of answers change: results are made anew."""

Row = Mapping[str, Any]


class Calls(Protocol):
    """What questions are asked through; `llm.paid_calls.PaidCalls` keeps it. Thread-safe."""

    def ask(
        self,
        question: ModelQuestion,
        stage: str,
        paper: str,
        deadline: Deadline,
        check: Callable[[Any], str] | None = None,
    ) -> Any:
        """The answer's data, valid against the question's schema and free of what `check` finds."""
        ...

    def usage(self) -> Mapping[str, float]: ...

    def costs(self) -> Mapping[str, Mapping[str, Mapping[str, float]]]: ...

    def close(self) -> None: ...


class PromptedBackend:
    """Keeps `ports.Backend`. `settings`: the configuration's plain data; `price`: of the model, None where unknown.

    Thread-safe: it holds nothing that changes. What a crash leaves is what `calls` has on disk."""

    paid = True

    def __init__(
        self,
        calls: Calls,
        model: ChatModel,
        settings: Mapping[str, Any],
        price: Price | None = None,
        paper: str = "",
    ) -> None:
        self._calls, self._chat, self._settings, self._price, self._paper = calls, model, settings, price, paper
        self._limits = Limits.from_settings(settings)
        self._at_once = questions_at_once(settings)
        self.name, self.model = model.name, model.model

    def fingerprint(self) -> str:
        """Model, parameters, prompts with their versions and words, limits, in 16 hexadecimal digits."""
        prompts = {name: [version, load_prompt(name).__dict__] for name, version in VERSIONS.items()}
        limits = {**self._limits.__dict__, "weights": dict(self._limits.weights)}
        made_of = [self.name, self.model, dict(self._chat.parameters), QUESTIONS_VERSION, prompts, limits]
        return hashlib.sha256(json.dumps(made_of, sort_keys=True).encode("ascii")).hexdigest()[:16]

    def for_paper(self, paper: str) -> PromptedBackend:
        return type(self)(self._calls, self._chat, self._settings, self._price, paper)

    def find_claims(self, document: Document, wanted: Sequence[SubRequirement], deadline: Deadline) -> Findings:
        """Ask about every excerpt; nothing is asked of a paper that shows no text. Raises what `calls.ask` raises."""
        deadline.check("finding claims")
        together = list(self._batches(wanted, self._limits.asked_at_once))
        excerpts = excerpts_of(document, self._limits.input_tokens) if together else []
        asked = [(excerpt, batch) for excerpt in excerpts for batch in together]

        def ask(excerpt: Excerpt, batch: Sequence[SubRequirement]) -> Any:
            return self._ask(claims_question(excerpt, batch, self._limits), "journal_reviewer", deadline)

        answers = self._each(ask, asked, deadline)
        found = PaperFindings(QuoteFinder(document), self._limits)
        for (excerpt, batch), answer in zip(asked, answers, strict=True):
            found.add(excerpt, batch, answer)
        return found.findings(wanted)

    def judge(
        self,
        document: Document,
        claims: Sequence[Claim],
        wanted: Mapping[str, SubRequirement],
        deadline: Deadline,
    ) -> list[Verdict]:
        """Ask for verdicts, and for further votes on those that are borderline. Raises what `calls.ask` raises."""
        deadline.check("judging")
        votes = {claim.id: [row] for claim, row in self._vote(document, claims, wanted, deadline, 1)}
        borderline = [claim for claim in claims if self._is_borderline(votes[claim.id][0])]
        for number in range(2, self._limits.votes + 1):
            for claim, row in self._vote(document, borderline, wanted, deadline, number):
                votes[claim.id].append(row)
        return [verdict_of(claim.id, votes[claim.id], self._limits.weights) for claim in claims]

    def reconsider(
        self,
        document: Document,
        rejected: Sequence[Claim],
        wanted: Mapping[str, SubRequirement],
        deadline: Deadline,
    ) -> Findings:
        """Ask for better quotes than the rejected ones, from up to 3,000 characters around each."""
        deadline.check("reconsidering")
        finder = QuoteFinder(document)
        entries = [(claim, claim_to_appeal(document, claim, finder.text)) for claim in rejected]
        proposals = []

        def ask(batch: Sequence[tuple[Claim, Row]]) -> Any:
            data, asked = self._data(document, batch, wanted, finder.text)
            question = appeals_question(data, len(batch), asked, self._limits)
            return self._ask(question, "dra", deadline, one_each("appeals", len(batch)))

        together = self._claim_batches(entries, self._limits.appealed_at_once)
        for batch, answer in zip(together, self._each(ask, [(batch,) for batch in together], deadline), strict=True):
            for (claim, _), row in zip(batch, in_order(answer["appeals"]), strict=True):
                if row["outcome"] == "better_quote" and row["quote"].strip():
                    proposals.append(_appeal(claim, row, finder))
        return Findings(tuple(proposals))

    def estimate(self, stage: str, characters: int, sub_requirements: int) -> Mapping[str, float]:
        return forecast(stage, characters, sub_requirements, self._limits, self._price)

    def usage(self) -> Mapping[str, float]:
        return self._calls.usage()

    def costs(self) -> Mapping[str, Mapping[str, Mapping[str, float]]]:
        """Calls, tokens and US dollars by stage and by paper, as `PaidCalls.costs`."""
        return self._calls.costs()

    def close(self) -> None:
        """Close the book of calls and, with it, the model's connections."""
        self._calls.close()

    def _ask(
        self, question: ModelQuestion, stage: str, deadline: Deadline, check: Callable[[Any], str] | None = None
    ) -> Any:
        deadline.check(stage)
        return self._calls.ask(question, stage, self._paper, deadline, check)

    def _each(self, ask: Callable[..., Any], asked: Sequence[tuple[Any, ...]], deadline: Deadline) -> list[Any]:
        """The answers to questions that do not depend on each other, in their order."""
        return ask_together([partial(ask, *each) for each in asked], self._at_once, deadline)

    def _batches(self, wanted: Sequence[SubRequirement], most: int) -> list[list[SubRequirement]]:
        room = self._limits.input_tokens // 2  # beside the excerpt
        return list(batches(wanted, most, lambda sub: tokens_of(asked_lines([sub])), room))

    def _claim_batches(self, entries: Sequence[tuple[Claim, Row]], most: int) -> list[list[tuple[Claim, Row]]]:
        def tokens(entry: tuple[Claim, Row]) -> int:
            return tokens_of(json.dumps(entry[1], ensure_ascii=False))

        return list(batches(entries, most, tokens, self._limits.input_tokens))

    def _data(
        self, document: Document, batch: Sequence[tuple[Claim, Row]], wanted: Mapping[str, SubRequirement], text: str
    ) -> tuple[str, list[SubRequirement]]:
        """A batch of claims as JSON, and what its short names s1, s2 ... stand for."""
        asked = used(wanted[claim.sub_requirement] for claim, _ in batch)
        short = {sub.id: f"s{number}" for number, sub in enumerate(asked, 1)}
        rows = [{"asked": short[claim.sub_requirement], **entry} for claim, entry in batch]
        return claims_data(document, rows, text), asked

    def _vote(
        self,
        document: Document,
        claims: Sequence[Claim],
        wanted: Mapping[str, SubRequirement],
        deadline: Deadline,
        number: int,
    ) -> list[tuple[Claim, Row]]:
        """One vote on each claim, in their order."""
        text = visible_text(document)
        entries = [(claim, claim_to_judge(document, claim, text)) for claim in claims]
        votes: list[tuple[Claim, Row]] = []

        def ask(batch: Sequence[tuple[Claim, Row]]) -> Any:
            data, asked = self._data(document, batch, wanted, text)
            question = verdicts_question(data, len(batch), asked, number, self._limits)
            return self._ask(question, "judge", deadline, one_each("verdicts", len(batch)))

        together = self._claim_batches(entries, self._limits.judged_at_once)
        for batch, answer in zip(together, self._each(ask, [(batch,) for batch in together], deadline), strict=True):
            judged = [claim for claim, _ in batch]
            votes += zip(judged, in_order(answer["verdicts"]), strict=True)
        return votes

    def _is_borderline(self, vote: Row) -> bool:
        return abs(weighted(vote, self._limits.weights) - 0.5) <= self._limits.borderline + 1e-9


def questions_at_once(settings: Mapping[str, Any]) -> int:
    """As many as calls may be under way: `max_workers` where papers run concurrently, else one after the other."""
    features = settings.get("v2_features", {})
    return int(features["max_workers"]) if features.get("enable_parallel") else 1


def in_order(rows: Sequence[Row]) -> list[Row]:
    """Entries by their names c1, c2 ..., whatever order a model gave them in."""
    return sorted(rows, key=lambda row: int(row["claim"][1:]))


def _appeal(claim: Claim, row: Row, finder: QuoteFinder) -> Proposal:
    found = finder.find(row["quote"], claim.start)
    reason = " ".join(row["reason"].split()) or "found on a second look"
    start = found.place.start if found.place is not None else None
    return Proposal(claim.sub_requirement, found.quote, float(row["score"]), reason, start, appeal_of=claim.id)
