"""The budget: no call begins that might take the bill past it."""

from __future__ import annotations

import threading

import pytest
from hypothesis import given
from hypothesis import strategies as st

from literature_review.errors import BudgetSpentError, StageTimeoutError
from literature_review.llm.budget import Budget, Reservation
from literature_review.ports import Deadline

pytestmark = pytest.mark.unit

CENTS = st.integers(1, 50)
STEPS = st.lists(st.tuples(CENTS, st.floats(0, 1), st.booleans()), max_size=40)
NOW = Deadline(0.0)  # waits for nothing


@given(st.integers(0, 300), STEPS)
def test_what_is_spent_never_passes_the_limit(limit: int, steps: list[tuple[int, float, bool]]) -> None:
    """Whatever is reserved, settled at no more than was reserved, and in which order."""
    budget, spent, held = Budget(limit / 100, 0.0, "answers.db"), 0.0, list[tuple[Reservation, float, float]]()
    for cents, share, settles in steps:
        usd = cents / 100
        try:
            held.append((budget.reserve(usd, NOW), usd, usd * share))
        except (BudgetSpentError, StageTimeoutError):
            assert spent + sum(most for _, most, _ in held) + usd > limit / 100
        if settles and held:
            reservation, _, cost = held.pop(0)
            reservation.settle(cost)
            spent += cost
    spent += sum(most for _, most, _ in held)
    assert spent <= limit / 100 * (1 + 1e-9)


def test_sums_of_floats_do_not_decide() -> None:
    """0.1 + 0.2 is 0.30000000000000004, and fits into 0.3."""
    budget = Budget(0.3, 0.1, "answers.db")
    budget.reserve(0.2, NOW).settle(0.2)
    with pytest.raises(BudgetSpentError):
        budget.reserve(1e-9, NOW)


def test_without_a_limit_everything_fits() -> None:
    budget = Budget(None, 1e9, "answers.db")
    budget.check(1e9)
    budget.reserve(1e9, NOW)


def test_a_refusal_says_what_is_spent_what_the_call_would_cost_and_what_to_do() -> None:
    with pytest.raises(BudgetSpentError) as raised:
        Budget(5.0, 4.9921, "/out/answers.db").check(0.0123)
    assert str(raised.value) == (
        "the budget is spent: 4.99 USD of llm.budget_usd (5.00 USD) are used, as /out/answers.db counts all runs, and "
        "the next call may cost up to 0.0123 USD; raise llm.budget_usd, then go on with --resume"
    )


def test_a_call_waits_while_others_may_leave_room() -> None:
    """What others hold at their estimates is no reason to stop: it may come back."""
    budget = Budget(1.0, 0.0, "answers.db")
    first = budget.reserve(0.9, NOW)
    got = threading.Event()

    def wait() -> None:
        budget.reserve(0.5, Deadline(30.0))
        got.set()

    waiting = threading.Thread(target=wait)
    waiting.start()
    assert not got.wait(0.05)
    first.settle(0.1)
    assert got.wait(10)
    waiting.join(10)


def test_a_call_that_waited_in_vain_is_refused() -> None:
    budget = Budget(1.0, 0.0, "answers.db")
    first = budget.reserve(0.9, NOW)
    outcome: list[BaseException] = []

    def wait() -> None:
        try:
            budget.reserve(0.5, Deadline(30.0))
        except BudgetSpentError as error:
            outcome.append(error)

    waiting = threading.Thread(target=wait)
    waiting.start()
    first.settle(0.9)
    waiting.join(10)
    assert len(outcome) == 1


def test_a_wait_heeds_the_deadline_and_the_wish_to_stop() -> None:
    budget = Budget(1.0, 0.0, "answers.db")
    budget.reserve(0.9, NOW)
    cancelled = threading.Event()
    cancelled.set()
    for deadline in (Deadline(0.01), Deadline(None, cancelled)):
        with pytest.raises(StageTimeoutError):
            budget.reserve(0.5, deadline)


def test_settling_twice_spends_once() -> None:
    budget = Budget(1.0, 0.0, "answers.db")
    reservation = budget.reserve(0.5, NOW)
    reservation.settle(0.4)
    reservation.settle(0.4)
    budget.check(0.6)
    with pytest.raises(BudgetSpentError):
        budget.check(0.61)
