"""Asking a paid model: never twice for the same, never past the budget, never an answer that is not on disk."""

from __future__ import annotations

import sqlite3
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import ExitStack, closing, contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from literature_review.errors import (
    BackendError,
    BudgetSpentError,
    MissingExtraError,
    StageTimeoutError,
    StoreError,
    UsageError,
)
from literature_review.llm.chat import ModelAnswer, ModelQuestion
from literature_review.llm.paid_book import PaidBook
from literature_review.llm.paid_calls import PaidCalls
from literature_review.llm.prices import Price, PriceTable
from literature_review.ports import Deadline
from tests.paid_samples import GOOD, PRICE, KeptLog, OpenGate, ScriptedModel, in_turn, paid_calls, question

pytestmark = pytest.mark.unit

Paid = Callable[..., PaidCalls]

BAD = ModelAnswer('{"score": 7}', 10, 10)


@pytest.fixture
def paid(tmp_path: Path) -> Iterator[Paid]:
    """Makes PaidCalls over answers.db in the test's folder, with the options of paid_samples.paid_calls."""
    with ExitStack() as opened:

        def make(model: ScriptedModel, *options: Any, folder: Path = tmp_path, **named: Any) -> PaidCalls:
            made = paid_calls(folder, model, *options, **named)
            opened.callback(made.close)
            return made

        yield make


def kept(folder: Path) -> list[dict[str, Any]]:
    with PaidBook(folder / "answers.db") as book:
        return list(book.answers())


def ledger(folder: Path, columns: str) -> list[tuple[Any, ...]]:
    with closing(sqlite3.connect(folder / "answers.db")) as connection:
        return connection.execute(f"SELECT {columns} FROM calls ORDER BY id").fetchall()


def in_threads(*works: Callable[[], object]) -> list[object]:
    """What each returned, or the exception it raised, in their order."""
    outcomes: list[object] = [None] * len(works)

    def run(index: int) -> None:
        try:
            outcomes[index] = works[index]()
        except BaseException as error:
            outcomes[index] = error

    threads = [threading.Thread(target=run, args=(index,)) for index in range(len(works))]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(30)
    return outcomes


# --- never twice for the same


def test_an_answer_is_data_that_follows_the_schema(paid: Paid) -> None:
    calls = paid(ScriptedModel())
    assert calls.ask(question(), "judge", "a.pdf", Deadline()) == {"score": 0.5}


def test_the_same_question_is_paid_for_once_also_in_a_later_run(paid: Paid) -> None:
    """Whoever asks and for which paper: the answer comes from the store."""
    model = ScriptedModel()
    for paper in ("a.pdf", "b.pdf"):
        calls = paid(model)
        assert calls.ask(question(), "judge", paper, Deadline()) == {"score": 0.5}
        assert calls.ask(question(), "dra", paper, Deadline()) == {"score": 0.5}
        calls.close()
    assert len(model.asked) == 1


@pytest.mark.parametrize(
    "changed",
    [
        {"prompt": "judge/2"},
        {"system": "You are strict."},
        {"user": "How weak is it?"},
        {"schema": {"type": "object"}},
        {"max_output_tokens": 999},
    ],
)
def test_whatever_changes_the_answer_makes_another_question(paid: Paid, changed: dict[str, Any]) -> None:
    model = ScriptedModel()
    calls = paid(model)
    calls.ask(question(), "judge", "a.pdf", Deadline())
    calls.ask(question(**changed), "judge", "a.pdf", Deadline())
    assert len(model.asked) == 2


def test_another_model_or_other_parameters_are_asked_anew(paid: Paid) -> None:
    asked = 0
    for name, parameters in (("a", {}), ("b", {}), ("b", {"temperature": 1})):
        model = ScriptedModel()
        model.model, model.parameters = name, parameters
        paid(model).ask(question(), "judge", "a.pdf", Deadline())
        asked += len(model.asked)
    assert asked == 3


def test_equal_questions_at_the_same_time_cost_one_call(paid: Paid) -> None:
    """Sixteen threads ask the same: one asks the model, the others wait and get its answer."""
    started = threading.Event()

    def slow(asked: ModelQuestion) -> ModelAnswer:
        started.wait(10)
        return GOOD

    model = ScriptedModel(slow)
    calls = paid(model)

    def ask() -> object:
        return calls.ask(question(), "judge", "a.pdf", Deadline())

    def last() -> object:
        started.set()
        return ask()

    assert in_threads(*[ask] * 15, last) == [{"score": 0.5}] * 16
    assert len(model.asked) == 1


def test_who_waits_for_an_equal_question_takes_over_when_it_fails(paid: Paid) -> None:
    """The first is cancelled or refused; one of the others asks in its place, the rest share its answer."""
    first_asks, may_fail = threading.Event(), threading.Event()

    def answer(asked: ModelQuestion) -> ModelAnswer:
        if not first_asks.is_set():
            first_asks.set()
            may_fail.wait(10)
            raise KeyboardInterrupt
        return GOOD

    model = ScriptedModel(answer)
    calls = paid(model)

    def ask() -> object:
        return calls.ask(question(), "judge", "a.pdf", Deadline())

    def later() -> object:
        first_asks.wait(10)
        may_fail.set()
        return ask()

    outcomes = in_threads(ask, later, later)
    assert isinstance(outcomes[0], KeyboardInterrupt)
    assert outcomes[1:] == [{"score": 0.5}] * 2
    assert len(model.asked) == 2


def test_a_wait_for_an_equal_question_heeds_the_deadline_and_the_wish_to_stop(paid: Paid) -> None:
    asking, done = threading.Event(), threading.Event()

    def slow(asked: ModelQuestion) -> ModelAnswer:
        asking.set()
        done.wait(10)
        return GOOD

    calls = paid(ScriptedModel(slow))
    cancelled = threading.Event()
    cancelled.set()

    def impatient() -> None:
        asking.wait(10)
        for deadline in (Deadline(0.01), Deadline(None, cancelled)):
            with pytest.raises(StageTimeoutError):
                calls.ask(question(), "judge", "a.pdf", deadline)
        done.set()

    assert in_threads(lambda: calls.ask(question(), "judge", "a.pdf", Deadline()), impatient) == [{"score": 0.5}, None]


def test_two_processes_that_ask_the_same_at_once_use_the_same_answer(paid: Paid, tmp_path: Path) -> None:
    """Both pay, since neither can see the other's call; both use what was stored first."""
    other = paid(ScriptedModel(lambda asked: ModelAnswer('{"score": 0.1}', 1, 1)))

    def meanwhile(asked: ModelQuestion) -> ModelAnswer:
        other.ask(question(), "judge", "a.pdf", Deadline())
        return GOOD

    calls = paid(ScriptedModel(meanwhile))
    assert calls.ask(question(), "judge", "a.pdf", Deadline()) == {"score": 0.1}
    assert ledger(tmp_path, "outcome") == [("answered",)] * 2


# --- answers that cannot be used


def test_a_malformed_answer_is_asked_again_with_its_fault(paid: Paid) -> None:
    model = ScriptedModel(in_turn(BAD, ModelAnswer("no JSON", 10, 10), GOOD))
    calls = paid(model)
    assert calls.ask(question(), "judge", "a.pdf", Deadline()) == {"score": 0.5}
    first, second, third = (asked.user for asked in model.asked)
    assert first == question().user
    assert second.startswith(first)
    assert "score: 7 is greater than the maximum of 1" in second
    assert "request 3 of 3" in third
    assert "is not JSON" in third


def test_three_malformed_answers_fail_and_say_where_they_are_kept(paid: Paid, tmp_path: Path) -> None:
    model = ScriptedModel(lambda asked: BAD)
    with pytest.raises(BackendError, match=r"judge/1 for a\.pdf .*score: 7 is greater.*answers\.db.*answers export"):
        paid(model).ask(question(), "judge", "a.pdf", Deadline())
    assert len(model.asked) == 3
    assert [row["text"] for row in kept(tmp_path)] == [BAD.text] * 3


def test_a_resumed_run_replays_malformed_answers_without_a_call(paid: Paid) -> None:
    """The chain of question, fault and question again has the same keys every time."""
    paid(ScriptedModel(in_turn(BAD, BAD, GOOD))).ask(question(), "judge", "a.pdf", Deadline())
    silent = ScriptedModel(in_turn())
    assert paid(silent).ask(question(), "judge", "a.pdf", Deadline()) == {"score": 0.5}
    assert silent.asked == []


def test_the_callers_check_counts_as_invalid(paid: Paid) -> None:
    model = ScriptedModel(in_turn(GOOD, ModelAnswer('{"score": 0.6}', 1, 1)))

    def check(data: Any) -> str:
        return "S9 was not asked for" if data["score"] == 0.5 else ""

    assert paid(model).ask(question(), "judge", "a.pdf", Deadline(), check) == {"score": 0.6}
    assert "S9 was not asked for" in model.asked[1].user


def test_a_cut_answer_is_asked_for_once_with_twice_the_room(paid: Paid) -> None:
    cut = ModelAnswer('{"sco', 10, 1000, finish="cut")
    model = ScriptedModel(in_turn(cut, GOOD))
    assert paid(model).ask(question(), "judge", "a.pdf", Deadline()) == {"score": 0.5}
    assert [asked.max_output_tokens for asked in model.asked] == [1000, 2000]
    model = ScriptedModel(lambda asked: cut)
    with pytest.raises(BackendError, match=r"cut at 2,000 tokens; raise llm\.max_output_tokens"):
        paid(model).ask(question("Another?"), "judge", "a.pdf", Deadline())
    assert len(model.asked) == 2


def test_an_answer_that_is_whole_in_spite_of_the_cut_is_used(paid: Paid) -> None:
    model = ScriptedModel(lambda asked: replace(GOOD, finish="cut"))
    assert paid(model).ask(question(), "judge", "a.pdf", Deadline()) == {"score": 0.5}
    assert len(model.asked) == 1


def test_a_blocked_answer_is_kept_and_named_and_not_bought_again(paid: Paid, tmp_path: Path) -> None:
    model = ScriptedModel(lambda asked: ModelAnswer("", 500, 0, finish="blocked"))
    for _ in range(2):
        with pytest.raises(BackendError, match=r"some-model .* for a\.pdf was blocked by the provider's filters"):
            paid(model).ask(question(), "judge", "a.pdf", Deadline())
    assert len(model.asked) == 1
    assert ledger(tmp_path, "outcome, usd") == [("answered", 0.0005)]


@pytest.mark.parametrize(("price", "usd"), [(Price(0, 0), 0.0), (Price(0, 1), None), (Price(0, 0, 9, 1, 0), None)])
def test_a_free_model_costs_nothing_also_where_its_server_counts_no_tokens(
    paid: Paid, price: Price, usd: float | None
) -> None:
    uncounted = replace(GOOD, input_tokens=None, output_tokens=None)
    calls = paid(ScriptedModel(lambda asked: uncounted), price=price)
    calls.ask(question(), "judge", "a.pdf", Deadline())
    assert calls.usage().get("usd") == usd
    assert calls.costs()["stages"]["judge"].get("usd") == usd


def test_a_question_that_the_filters_refused_unread_costs_nothing(paid: Paid) -> None:
    """The provider counts no tokens of it, and the cost of the rest stays known."""
    calls = paid(ScriptedModel(lambda asked: ModelAnswer("", finish="blocked")))
    with pytest.raises(BackendError, match="blocked"):
        calls.ask(question(), "judge", "a.pdf", Deadline())
    assert calls.usage()["usd"] == 0
    assert calls.costs()["papers"]["a.pdf"]["usd"] == 0


# --- on disk before it is used


class TornBook(PaidBook):
    """A book whose disk is full while `full`; with `only_answers` it has room for intents."""

    full = only_answers = False

    def answered(self, *arguments: Any) -> ModelAnswer:
        if self.full:
            raise OSError(28, "No space left on device")
        return super().answered(*arguments)

    def begin(self, *arguments: Any) -> int:
        if self.full and not self.only_answers:
            raise OSError(28, "No space left on device")
        return super().begin(*arguments)


def torn(paid: Paid, model: ScriptedModel, **named: Any) -> tuple[Any, TornBook]:
    calls = paid(model, **named)
    book = TornBook(calls._book.path)
    calls._book = book
    return calls, book


def test_without_room_for_the_intent_no_call_is_made(paid: Paid) -> None:
    model = ScriptedModel()
    calls, book = torn(paid, model)
    book.full = True
    with pytest.raises(StoreError, match=r"answers\.db cannot be written \(No space left on device\)"):
        calls.ask(question(), "judge", "a.pdf", Deadline())
    assert model.asked == []


def test_an_answer_that_cannot_be_kept_is_not_used_and_not_paid_for_again(paid: Paid, tmp_path: Path) -> None:
    """The next attempt keeps what was paid for, once there is room."""
    def fill(asked: ModelQuestion) -> ModelAnswer:
        book.full = True
        return GOOD

    model = ScriptedModel(fill)
    calls, book = torn(paid, model)
    for _ in range(2):
        with pytest.raises(StoreError, match=r"answers\.db cannot be written \(No space left on device\)"):
            calls.ask(question(), "judge", "a.pdf", Deadline())
    assert ledger(tmp_path, "ended_at, outcome") == [(None, None)]
    book.full = False
    assert calls.ask(question(), "judge", "a.pdf", Deadline()) == {"score": 0.5}
    assert len(model.asked) == 1
    assert ledger(tmp_path, "outcome") == [("answered",)]


def test_while_an_answer_cannot_be_kept_nothing_more_is_paid_for(paid: Paid, tmp_path: Path) -> None:
    """A disk with room for intents but not for answers: one call is made, not one for each question."""
    model = ScriptedModel()
    calls, book = torn(paid, model)
    book.only_answers = book.full = True
    for number in range(5):
        with pytest.raises(StoreError, match="cannot be written"):
            calls.ask(question(f"{number}?"), "judge", "a.pdf", Deadline())
    assert len(model.asked) == 1
    book.full = False
    for number in range(5):
        calls.ask(question(f"{number}?"), "judge", "a.pdf", Deadline())
    assert len(model.asked) == 5
    assert len(kept(tmp_path)) == 5


def test_closing_keeps_what_was_paid_for_and_could_not_be_kept_before(paid: Paid, tmp_path: Path) -> None:
    calls, book = torn(paid, model := ScriptedModel())
    book.only_answers = book.full = True
    with pytest.raises(StoreError, match="cannot be written"):
        calls.ask(question(), "judge", "a.pdf", Deadline())
    book.full = False
    calls.close()
    assert model.closed
    assert [row["text"] for row in kept(tmp_path)] == [GOOD.text]


def test_closing_says_what_is_lost(paid: Paid) -> None:
    log = KeptLog()
    calls, book = torn(paid, ScriptedModel(), log=log)
    book.only_answers = book.full = True
    with pytest.raises(StoreError, match="cannot be written"):
        calls.ask(question(), "judge", "a.pdf", Deadline())
    calls.close()
    (line,) = [text for level, text in log.lines if level == "error"]
    assert line.startswith("1 answers that were paid for are lost: ")


def test_a_book_that_cannot_be_used_is_told_before_anything_is_paid(paid: Paid, tmp_path: Path) -> None:
    (tmp_path / "answers.db").write_bytes(b"no database" * 100)
    with pytest.raises(StoreError, match=r"answers\.db is damaged"):
        paid(ScriptedModel())


# --- the ledger


class HTTPStatusError(Exception):
    def __init__(self, status: int) -> None:
        super().__init__("key sk-secret-123 was refused")
        self.status_code = status
        self.request_id = "req-7"


def test_every_attempt_is_on_the_ledger_with_its_end(paid: Paid, tmp_path: Path) -> None:
    """Refused by the provider, broken off, never reached, answered; and no text of an error, which could hold a key."""
    errors = (HTTPStatusError(429), ConnectionResetError("reset"), ConnectionRefusedError("refused"))
    calls = paid(ScriptedModel(in_turn(*errors, GOOD)), gate=OpenGate(attempts=4))
    calls.ask(question(), "judge", "a.pdf", Deadline())
    assert ledger(tmp_path, "outcome, error, request_id, input_tokens, output_tokens, usd") == [
        ("refused", "HTTPStatusError 429", "req-7", None, None, 0.0),
        ("broken", "ConnectionResetError", "", None, None, None),
        ("unreached", "ConnectionRefusedError", "", None, None, 0.0),
        ("answered", "", "req-1", 1000, 100, 0.002),
    ]
    with PaidBook(tmp_path / "answers.db") as book:
        counts = book.counts()
    assert (counts.begun, counts.ended, counts.unreached) == (3, 3, 1)
    assert b"secret" not in (tmp_path / "answers.db").read_bytes()


def test_the_intent_is_on_disk_while_the_model_is_asked(paid: Paid, tmp_path: Path) -> None:
    seen: list[list[tuple[Any, ...]]] = []

    def look(asked: ModelQuestion) -> ModelAnswer:
        seen.append(ledger(tmp_path, "paper, stage, prompt, ended_at"))
        return GOOD

    paid(ScriptedModel(look)).ask(question(), "judge", "a\udc80.pdf", Deadline())
    assert seen == [[(b"a\xed\xb2\x80.pdf", "judge", "judge/1", None)]]


def test_the_bill_can_be_computed_by_hand(paid: Paid) -> None:
    """Costs per stage and paper are sums over the calls, prices times the provider's own tokens."""
    tokens = [(1000, 100), (2000, 50), (300, 7), (1, 0)]
    model = ScriptedModel(in_turn(*[ModelAnswer('{"score": 1}', *pair) for pair in tokens]))
    calls = paid(model, price=Price(1.25, 10.0))
    for number, (stage, paper) in enumerate(
        [("judge", "a"), ("judge", "b"), ("dra", "a"), ("dra", "b")]
    ):
        calls.ask(question(f"{number}?"), stage, paper, Deadline())
    bill = [(into * 1.25 + out * 10.0) / 1e6 for into, out in tokens]
    assert calls.costs() == {
        "stages": {
            "judge": {"calls": 2, "tokens_in": 3000, "tokens_out": 150, "usd": pytest.approx(bill[0] + bill[1])},
            "dra": {"calls": 2, "tokens_in": 301, "tokens_out": 7, "usd": pytest.approx(bill[2] + bill[3])},
        },
        "papers": {
            "a": {"calls": 2, "tokens_in": 1300, "tokens_out": 107, "usd": pytest.approx(bill[0] + bill[2])},
            "b": {"calls": 2, "tokens_in": 2001, "tokens_out": 50, "usd": pytest.approx(bill[1] + bill[3])},
        },
    }
    usage = calls.usage()
    assert (usage["calls"], usage["tokens"]) == (4, 3458)
    assert usage["usd"] == pytest.approx(sum(bill))
    later = paid(ScriptedModel(), price=Price(1.25, 10.0))
    assert later.costs() == calls.costs()
    assert later.usage()["usd"] == 0


def test_the_gate_is_told_the_estimate_and_what_was_used(paid: Paid) -> None:
    gate = OpenGate()
    calls = paid(ScriptedModel(), gate=gate)
    calls.ask(question("x" * 400_000), "judge", "a.pdf", Deadline())
    (estimate, used), = gate.tokens
    assert 101_000 <= estimate <= 101_200
    assert used == 1100


def test_tokens_that_are_none_are_taken_as_unknown(paid: Paid) -> None:
    """The cost is not known then, and is not made up."""
    odd: Any = -5
    calls = paid(ScriptedModel(lambda asked: ModelAnswer('{"score": 1}', None, odd)))
    calls.ask(question(), "judge", "a.pdf", Deadline())
    assert "usd" not in calls.usage()
    assert calls.costs()["papers"] == {"a.pdf": {"calls": 1, "tokens_in": 0, "tokens_out": 0}}


# --- money


def test_the_budget_stops_calls_before_it_would_be_passed(paid: Paid) -> None:
    """A call may cost 0.01 and a little; it does cost 0.002. What is stored stays free."""
    model = ScriptedModel()
    calls = paid(model, budget_usd=0.02)
    for number in range(5):
        calls.ask(question(f"{number}?"), "judge", "a.pdf", Deadline())
    with pytest.raises(BudgetSpentError, match=r"0\.01 USD of llm\.budget_usd \(0\.02 USD\) .*next call .*--resume"):
        calls.ask(question("more?"), "judge", "a.pdf", Deadline())
    assert len(model.asked) == 5
    assert calls.ask(question("0?"), "judge", "a.pdf", Deadline()) == {"score": 0.5}


def test_the_budget_is_that_of_the_folder_whatever_the_number_of_runs(paid: Paid) -> None:
    for number in range(5):
        paid(ScriptedModel(), 0.02).ask(question(f"{number}?"), "judge", "a.pdf", Deadline())
    with pytest.raises(BudgetSpentError):
        paid(ScriptedModel(), 0.02).ask(question("more?"), "judge", "a.pdf", Deadline())
    paid(ScriptedModel(), 0.03).ask(question("more?"), "judge", "a.pdf", Deadline())


def test_what_may_have_been_billed_counts_against_the_budget(paid: Paid) -> None:
    """A connection that broke off in mid-call, or a run that died in one, may have cost what the call costs at most."""
    model = ScriptedModel(in_turn(ConnectionResetError("reset"), GOOD))
    calls = paid(model, budget_usd=0.02, gate=OpenGate(attempts=2))
    with pytest.raises(BudgetSpentError):
        calls.ask(question(), "judge", "a.pdf", Deadline())
    with pytest.raises(BudgetSpentError):
        paid(model, 0.02).ask(question(), "judge", "a.pdf", Deadline())
    assert len(model.asked) == 1


def test_a_budget_of_nothing_buys_nothing(paid: Paid, tmp_path: Path) -> None:
    model = ScriptedModel()
    with pytest.raises(BudgetSpentError, match=r"llm\.budget_usd \(0\.00 USD\)"):
        paid(model, budget_usd=0.0).ask(question(), "judge", "a.pdf", Deadline())
    assert model.asked == []
    assert not (tmp_path / "answers.db").exists()


def test_a_free_model_needs_no_budget(paid: Paid) -> None:
    calls = paid(ScriptedModel(), budget_usd=0.0, price=Price(0.0, 0.0))
    assert calls.ask(question(), "judge", "a.pdf", Deadline()) == {"score": 0.5}
    assert calls.usage()["usd"] == 0


def test_many_threads_never_pass_the_budget(paid: Paid) -> None:
    """Calls under way count at their estimates, so the sum stays below; and nearly all of the budget is used."""
    calls = paid(ScriptedModel(), budget_usd=0.1)

    def work(start: int) -> None:
        for number in range(10):
            try:
                calls.ask(question(f"{start} {number}?"), "judge", "a.pdf", Deadline())
            except BudgetSpentError:
                return

    assert in_threads(*[lambda start=start: work(start) for start in range(8)]) == [None] * 8
    assert 0.085 < calls.usage()["usd"] <= 0.1


def test_a_model_without_a_price_is_warned_of_once_and_its_cost_is_not_known(paid: Paid) -> None:
    log = KeptLog()
    calls = paid(ScriptedModel(), price=None, log=log)
    for number in range(3):
        calls.ask(question(f"{number}?"), "judge", "a.pdf", Deadline())
    warnings = [text for level, text in log.lines if level == "warning"]
    assert len(warnings) == 1
    assert "'some-model'" in warnings[0]
    assert "llm.prices" in warnings[0]
    assert "usd" not in calls.usage()
    assert "usd" not in calls.costs()["stages"]["judge"]


@pytest.mark.parametrize("budget_usd", [None, 1.0])
def test_a_misspelt_model_is_told_the_nearest_that_has_a_price(
    tmp_path: Path, budget_usd: float | None
) -> None:
    log = KeptLog()
    model = ScriptedModel()
    model.model = "gemini-3.8-flahs"
    told = ""
    try:
        with PaidBook(tmp_path / "answers.db") as book:
            PaidCalls(model, OpenGate(), book, PriceTable.standard(), budget_usd, log)
    except UsageError as error:
        told = str(error)
    warnings = [text for level, text in log.lines if level == "warning"]
    assert (len(warnings), bool(told)) == ((1, False) if budget_usd is None else (0, True))
    assert "if 'gemini-3.8-flash' is meant, name it in llm.model" in (told or warnings[0])


def test_a_budget_without_a_price_is_a_mistake(paid: Paid) -> None:
    with pytest.raises(UsageError, match=r"llm\.budget_usd: the price of 'some-model' is not known.*llm\.prices"):
        paid(ScriptedModel(), budget_usd=1.0, price=None)


# --- what else can be wrong


@pytest.mark.parametrize(("name", "extra"), [("gemini", "gemini"), ("openai_compatible", "openai")])
def test_without_jsonschema_the_pip_command_is_named_before_anything_is_paid(
    paid: Paid, monkeypatch: pytest.MonkeyPatch, name: str, extra: str
) -> None:
    monkeypatch.setitem(sys.modules, "jsonschema", None)
    model = ScriptedModel()
    model.name = name
    with pytest.raises(MissingExtraError, match=rf"pip install 'literature-review-pipeline\[{extra}\]'"):
        paid(model)


def test_a_failed_call_whose_end_cannot_be_booked_still_fails_for_its_own_reason(
    paid: Paid, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def failed(*arguments: Any) -> None:
        raise StoreError("the disk is gone")

    monkeypatch.setattr(PaidBook, "failed", failed)
    log = KeptLog()
    calls = paid(ScriptedModel(in_turn(HTTPStatusError(500))), log=log)
    with pytest.raises(HTTPStatusError):
        calls.ask(question(), "judge", "a.pdf", Deadline())
    assert [level for level, _ in log.lines] == ["warning"]
    assert ledger(tmp_path, "ended_at") == [(None,)]


def test_nothing_is_written_before_the_first_call(paid: Paid, tmp_path: Path) -> None:
    """A dry run may build it all."""
    calls = paid(ScriptedModel(), budget_usd=1.0, folder=tmp_path / "out")
    assert calls.costs() == {"stages": {}, "papers": {}}
    calls.close()
    assert list(tmp_path.iterdir()) == []
    assert PRICE.usd(1000, 100) == 0.002


def test_a_paper_counts_as_waiting_while_its_question_is_asked_and_no_longer(paid: Paid) -> None:
    """From the look into the store to the booked answer; what comes of the answer is the paper's work again."""
    where: list[str] = []

    @contextmanager
    def waiting() -> Iterator[None]:
        where.append("waits")
        yield
        where.append("works")

    def answer(*_: Any) -> ModelAnswer:
        where.append("asked")
        return GOOD

    def check(_: Any) -> str:
        where.append("checked")
        return ""

    paid(ScriptedModel(answer)).ask(question(), "judge", "a.pdf", Deadline(waiting=waiting), check)
    assert where == ["waits", "asked", "works", "checked"]
