"""Asking a paid model: never twice for the same, never past the budget, and never an answer that is not on disk.

    ask -> in the store? -> being asked already? -> gate (breaker, quota, retry), and for each attempt:
           room in the budget -> intent in the ledger, flushed -> the model -> end and answer, flushed
        -> JSON, schema, check: a fault is told to the model, which is asked again, twice at most
"""

from __future__ import annotations

import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, replace
from typing import Any

from literature_review.errors import BackendError, StoreError, UsageError
from literature_review.llm.budget import Budget
from literature_review.llm.chat import ChatModel, ModelAnswer, ModelQuestion
from literature_review.llm.outcome import error_name, outcome_of, request_id_of
from literature_review.llm.paid_book import PaidBook, PaidQuestion
from literature_review.llm.prices import PriceTable
from literature_review.llm.question_locks import QuestionLocks
from literature_review.llm.validation import Check, asked_again, load_jsonschema, read_answer, require_jsonschema
from literature_review.ports import CallGate, Deadline, Log
from literature_review.text.token_estimate import tokens_of

MOST_REQUESTS = 3  # a malformed answer is asked for again, twice at most
_EXTRAS = {"gemini": "gemini", "openai_compatible": "openai"}
_SHORTEN = "raise llm.max_output_tokens, or lower llm.max_input_tokens"
_LONGEST_WAIT = 0.2  # seconds until a wait looks whether the run was told to stop


@dataclass(frozen=True)
class _Estimate:
    """What a call takes at most: tokens of question and answer, and US dollars (None where there is no price)."""

    tokens: float
    usd: float | None


@dataclass(frozen=True)
class _Paid:
    """An answer that was paid for, on its way to the disk. `call`: its number in the ledger."""

    asked: PaidQuestion
    call: int
    answer: ModelAnswer
    usd: float | None


class PaidCalls:
    """What a paid back end asks its model through. Thread-safe: one serves all papers of a run.

    An answer is used only once it is on disk with its cost; after `kill -9` or loss of power the same question is
    answered from there, without a call. Equal questions at the same time cost one call, also where several processes
    ask them. `budget_usd`: the most that
    the calls in `book` may cost in all, whatever the number of runs, of which one at a time has a budget; None is no
    limit.

    Where an answer cannot be kept, nothing more is paid for until it can: what is lost in the worst case, where the
    process ends before that, are the calls that were under way.

    A model without a price gets a warning, and its cost is not known. Raises UsageError where there is a budget then,
    MissingExtraError where jsonschema is not installed, and StoreError for a book that cannot be used: all before
    anything is paid.
    """

    def __init__(
        self,
        model: ChatModel,
        gate: CallGate,
        book: PaidBook,
        prices: PriceTable,
        budget_usd: float | None,
        log: Log,
    ) -> None:
        require_jsonschema(_EXTRAS.get(model.name, "openai"))
        self._model, self._gate, self._book, self._log = model, gate, book, log
        self._price = prices.price(model.model)
        if self._price is None:
            _say_without_price(model.model, prices.nearest(model.model), budget_usd, log)
        self._has_budget = budget_usd is not None
        self._elsewhere = QuestionLocks(f"{book.path}.lock")
        self._budget = Budget(budget_usd, book.spent_usd(), book.path)
        self._changed = threading.Condition()  # guards all below
        self._in_flight: set[str] = set()
        self._unsaved: dict[str, _Paid] = {}
        self._tokens = 0
        self._usd: float | None = 0.0 if self._price is not None else None

    def ask(
        self, question: ModelQuestion, stage: str, paper: str, deadline: Deadline, check: Check | None = None
    ) -> Any:
        """The answer's JSON data, valid against `question.schema` and, where given, `check` ("" or a fault in words).

        A malformed answer is asked for again with its fault, twice at most; one that was cut at the limit of tokens
        once, with twice the limit. All of them are kept, so a resumed run repeats none. Calls are booked on `stage`
        and `paper`.

        Raises BackendError for an answer that stays malformed or cut, or was blocked; BudgetSpentError where a call
        could pass the budget; StageTimeoutError when the deadline passes; StoreError where the book cannot be read
        or written; and what the gate raises for a call that fails.
        """
        load_jsonschema()
        asked, requests, was_cut = question, 1, False
        while True:
            with deadline.waiting():
                answer = self._answer(self._put(asked, stage, paper), deadline)
            if answer.finish == "blocked":
                raise self._unusable(asked, paper, "was blocked by the provider's filters", "ask another model")
            data, fault = read_answer(answer.text, question.schema, check)
            if not fault:
                return data
            if answer.finish == "cut":
                if was_cut:
                    raise self._unusable(asked, paper, f"was cut at {asked.max_output_tokens:,} tokens", _SHORTEN)
                asked, was_cut = replace(asked, max_output_tokens=2 * asked.max_output_tokens), True
                continue
            if requests == MOST_REQUESTS:
                what = f"could not be used, {requests} times over ({fault})"
                raise self._unusable(asked, paper, what, "use a model that follows a schema")
            requests += 1
            self._log.debug(f"{stage} of {paper}: {question.prompt} is asked again, since {fault}")
            again = asked_again(question, fault, requests, MOST_REQUESTS)
            asked = replace(again, max_output_tokens=asked.max_output_tokens)

    def usage(self) -> Mapping[str, float]:
        """Since the start of this process, as ports.Backend: the gate's counters, `tokens` as the provider counted
        them, and `usd` (absent where a cost is not known)."""
        with self._changed:
            counts = {**self._gate.usage(), "tokens": float(self._tokens)}
            return counts if self._usd is None else {**counts, "usd": self._usd}

    def costs(self) -> dict[str, dict[str, dict[str, float]]]:
        """Calls, tokens and US dollars by stage and paper, summed over the ledger, earlier runs into the folder
        included: {"stages": {stage: {"calls", "tokens_in", "tokens_out", "usd"}}, "papers": {...}}; "usd" is absent
        where a cost is not known."""
        return self._book.costs()

    def close(self) -> None:
        """Give connections and the file back. What was paid for is on disk already; what could not be kept is tried
        once more, and told where it is lost."""
        self._model.close()
        try:
            self._keep_unsaved()
        except StoreError as error:
            self._log.error(f"{len(self._unsaved)} answers that were paid for are lost: {error}")
        self._elsewhere.close()
        self._book.close()

    def _put(self, question: ModelQuestion, stage: str, paper: str) -> PaidQuestion:
        model = self._model
        return PaidQuestion(question, model.name, model.model, model.parameters, stage, paper)

    def _estimate(self, question: ModelQuestion) -> _Estimate:
        into = sum(map(tokens_of, (question.system, question.user, str(question.schema))))  # schemas are billed too
        usd = self._price.usd(into, question.max_output_tokens) if self._price is not None else None
        return _Estimate(float(into + question.max_output_tokens), usd)

    def _answer(self, asked: PaidQuestion, deadline: Deadline) -> ModelAnswer:
        """The stored answer, or a bought one. Who asks the same meanwhile waits, and takes over if this fails."""
        self._enter(asked.key, deadline)
        try:
            return self._book.find(asked.key) or self._buy_once(asked, deadline)
        finally:
            self._leave(asked.key)

    def _buy_once(self, asked: PaidQuestion, deadline: Deadline) -> ModelAnswer:
        """The same between processes: who has waited for another one finds its answer."""
        with self._elsewhere.held(asked.key, deadline):
            kept = self._book.find(asked.key)
            if kept is None and self._has_budget and not self._elsewhere.alone_with_budget():
                raise StoreError(
                    f"another run spends from {self._book.path} now, so that neither could keep to llm.budget_usd: "
                    "wait until it has ended, then go on with --resume"
                )
            return kept or self._buy(asked, deadline)

    def _enter(self, key: str, deadline: Deadline) -> None:
        with self._changed:
            while key in self._in_flight:
                deadline.check("a question that waits for the same one")
                self._changed.wait(deadline.remaining(at_most=_LONGEST_WAIT))
            self._in_flight.add(key)

    def _leave(self, key: str) -> None:
        with self._changed:
            self._in_flight.discard(key)
            self._changed.notify_all()

    def _buy(self, asked: PaidQuestion, deadline: Deadline) -> ModelAnswer:
        most = self._estimate(asked.question)
        if asked.key not in self._unsaved:
            self._budget.check(most.usd or 0.0)  # sooner than after a wait for quota

        def attempt(timeout: float | None) -> ModelAnswer:
            """One request; an answer that is paid for and could not be kept is kept first."""
            if self._unsaved:
                self._keep_unsaved()
                kept = self._book.find(asked.key)
                if kept is not None:
                    return kept
            return self._keep(self._request(asked, most, timeout, deadline))

        return self._gate.call(attempt, deadline, tokens=most.tokens, used=lambda answer: _used(answer, most.tokens))

    def _request(self, asked: PaidQuestion, most: _Estimate, timeout: float | None, deadline: Deadline) -> _Paid:
        """One request, on the ledger from before it begins."""
        room = self._budget.reserve(most.usd or 0.0, deadline)
        cost: float | None = 0.0
        try:
            with self._writing():
                call = self._book.begin(asked, self._price, most.usd)
            try:
                answer = _with_plain_tokens(self._model.ask(asked.question, deadline.remaining(at_most=timeout)))
            except BaseException as error:
                outcome = outcome_of(error)
                cost = None if outcome == "broken" else 0.0
                self._book_failure(call, outcome, error)
                raise
            cost = self._usd_of(answer)
            paid = _Paid(asked, call, answer, cost)
            self._count(paid)
            return paid
        finally:  # what may have been billed without our seeing it counts at its estimate
            room.settle((most.usd or 0.0) if cost is None else cost)

    def _keep(self, paid: _Paid) -> ModelAnswer:
        try:
            with self._writing():
                kept = self._book.answered(paid.call, paid.asked, paid.answer, paid.usd)
        except BaseException:
            self._unsaved[paid.asked.key] = paid
            raise
        self._unsaved.pop(paid.asked.key, None)
        return kept

    def _keep_unsaved(self) -> None:
        """Keep what could not be kept before. Raises StoreError where it still cannot."""
        for paid in list(self._unsaved.values()):
            self._keep(paid)

    @contextmanager
    def _writing(self) -> Iterator[None]:
        """Says of a disk that fails what it means here."""
        try:
            yield
        except OSError as error:
            raise StoreError(
                f"{self._book.path} cannot be written ({error.strerror or error}), so nothing more is paid for: make "
                f"room or mend the disk, then go on with --resume"
            ) from error

    def _book_failure(self, call: int, outcome: str, error: BaseException) -> None:
        try:
            self._book.failed(call, outcome, error_name(error), request_id_of(error))
        except (StoreError, OSError) as trouble:  # the call's own error says more; the ledger keeps it as begun
            self._log.warning(f"the end of a call could not be booked: {trouble}")

    def _usd_of(self, answer: ModelAnswer) -> float | None:
        if self._price is None:
            return None
        if answer.input_tokens is None or answer.output_tokens is None:
            # what never reached the model has no tokens, and a server of one's own that counts none costs nothing
            return 0.0 if answer.finish == "blocked" or self._price.is_free else None
        return self._price.usd(answer.input_tokens, answer.output_tokens)

    def _count(self, paid: _Paid) -> None:
        with self._changed:
            self._tokens += (paid.answer.input_tokens or 0) + (paid.answer.output_tokens or 0)
            self._usd = None if self._usd is None or paid.usd is None else self._usd + paid.usd

    def _unusable(self, question: ModelQuestion, paper: str, what: str, remedy: str) -> BackendError:
        return BackendError(
            f"the answer of {self._model.model} to {question.prompt} for {paper} {what}; {remedy}. It is kept in "
            f"{self._book.path}; python -m literature_review answers export shows it"
        )


def _say_without_price(model: str, like: str | None, budget_usd: float | None, log: Log) -> None:
    rates = '{"input_usd_per_million": ..., "output_usd_per_million": ...}'
    misspelt = f"if {like!r} is meant, name it in llm.model, else " if like is not None else ""
    remedy = f'{misspelt}write its price into llm.prices, as "{model}": {rates} (0 for a server of your own)'
    if budget_usd is not None:
        raise UsageError(f"llm.budget_usd: the price of {model!r} is not known, so a budget cannot be kept; {remedy}")
    log.warning(f"the price of {model!r} is not known, so the cost will not be known either; {remedy}")


def _used(answer: ModelAnswer, estimate: float) -> float:
    if answer.input_tokens is None or answer.output_tokens is None:
        return estimate
    return float(answer.input_tokens + answer.output_tokens)


def _with_plain_tokens(answer: ModelAnswer) -> ModelAnswer:
    """The answer with token counts that can be one, or None: some servers send 0.0, -1 or nothing."""
    counts = [
        int(count) if isinstance(count, (int, float)) and 0 <= count < 2**53 else None
        for count in (answer.input_tokens, answer.output_tokens)
    ]
    return replace(answer, input_tokens=counts[0], output_tokens=counts[1])
