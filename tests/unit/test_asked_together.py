"""Questions of one paper asked at the same time: in order, never too many, and no further after a failure."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial

import pytest

from literature_review.errors import BackendError, BudgetSpentError
from literature_review.llm.asked_together import ask_together
from literature_review.llm.prompted_backend import PromptedBackend
from literature_review.ports import Deadline
from tests.prompt_samples import NoModel, ToldCalls, claims_answer, row
from tests.stage_samples import COST, MISSED
from tests.unit.test_prompted_backend import long_paper

LONG = 10.0  # seconds that no test waits, unless it fails


@pytest.mark.parametrize(("count", "most"), [(0, 4), (1, 4), (9, 1), (9, 3), (9, 16)])
def test_answers_come_in_the_order_of_the_questions_and_never_too_many_are_asked_at_once(count: int, most: int) -> None:
    lock, under_way, seen = threading.Lock(), [0], [0]

    def ask(number: int) -> int:
        with lock:
            under_way[0] += 1
            seen[0] = max(seen[0], under_way[0])
        with lock:
            under_way[0] -= 1
        return number

    assert ask_together([partial(ask, number) for number in range(count)], most, Deadline()) == list(range(count))
    assert seen[0] <= most


def test_the_earliest_failure_is_raised_once_those_under_way_have_ended_and_none_is_begun_after_it() -> None:
    both = threading.Barrier(2)
    ended: list[Exception | None] = []

    def fail(error: Exception) -> None:
        both.wait(LONG)
        ended.append(error)
        raise error

    first, second = BackendError("the first"), BudgetSpentError("the second")
    asks: list[Callable[[], None]] = [partial(fail, first), partial(fail, second), lambda: ended.append(None)]
    with pytest.raises(BackendError, match="the first"):
        ask_together(asks, 2, Deadline())
    assert set(ended) == {first, second}


def test_one_at_a_time_is_this_thread_alone_and_stops_at_the_first_failure() -> None:
    asked: list[str] = []

    def ask(fails: bool) -> None:
        asked.append(threading.current_thread().name)
        if fails:
            raise BackendError("no")

    with pytest.raises(BackendError):
        ask_together([partial(ask, False), partial(ask, True), partial(ask, False)], 1, Deadline())
    assert asked == [threading.current_thread().name] * 2


def test_a_paper_waits_while_its_questions_are_asked() -> None:
    waits = [False]

    @contextmanager
    def waiting() -> Iterator[None]:
        waits[0] = True
        yield
        waits[0] = False

    assert ask_together([lambda: waits[0]] * 2, 2, Deadline(waiting=waiting)) == [True, True]
    assert waits == [False]


def test_a_long_papers_parts_are_asked_together_only_where_papers_run_concurrently_with_the_same_findings() -> None:
    """Two questions wait for each other; the findings are those of one after the other."""
    both = threading.Barrier(2)
    quote = "In part 3 appointments were missed less often."
    answer = claims_answer(row("s1", quote, 0.8), row("s2", quote, 0.4))
    found = []
    for parallel in (True, False):
        features = {"max_workers": 2, "enable_parallel": parallel}
        settings = {"llm": {"max_input_tokens": 500}, "v2_features": features}
        calls = ToldCalls(lambda question, meets=parallel: (meets and both.wait(LONG), answer)[1])  # type: ignore[misc]
        made = PromptedBackend(calls, NoModel(), settings).for_paper("a.pdf")
        found.append(made.find_claims(long_paper(), [MISSED, COST], Deadline()))
        assert len(calls.asked) == 6
    assert found[0] == found[1]
    assert len(found[0].proposals) == 2
