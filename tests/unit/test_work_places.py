"""How many papers are worked on at a time, and that those that wait hold up nobody."""

from __future__ import annotations

import threading
from collections.abc import Callable
from contextlib import AbstractContextManager

import pytest

from literature_review.errors import StageTimeoutError
from literature_review.pipeline.waiting import StopEvent
from literature_review.pipeline.work_places import WorkPlaces

LONG = 10.0  # seconds that no test waits, unless it fails


def in_threads(*works: Callable[[], object]) -> None:
    """Each in a thread of its own; all end."""
    threads = [threading.Thread(target=work, daemon=True) for work in works]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(LONG)
        assert not thread.is_alive(), "a paper waits for ever"


def at_work(places: WorkPlaces, work: Callable[[Callable[[], AbstractContextManager[None]]], object]) -> object:
    """What one paper does, from its thread."""
    with places.at_work(), places.attempt() as waiting:
        return work(waiting)


@pytest.mark.parametrize("most", [1, 3])
def test_no_more_papers_are_at_work_than_there_are_places(most: int) -> None:
    places = WorkPlaces(most, StopEvent())
    lock, counts = threading.Lock(), [0, 0]

    def turn(change: int) -> None:
        with lock:
            counts[0] += change
            counts[1] = max(counts)

    def work(waiting: Callable[[], AbstractContextManager[None]]) -> None:
        for _ in range(20):
            turn(1)
            turn(-1)
            with waiting():
                pass

    in_threads(*[lambda: at_work(places, work) for _ in range(9)])
    assert 1 <= counts[1] <= most


def test_the_place_of_a_paper_that_waits_is_anothers() -> None:
    """With one place: the first paper's answer comes only once the second has been at work."""
    places, asked, answer = WorkPlaces(1, StopEvent()), threading.Event(), threading.Event()

    def first(waiting: Callable[[], AbstractContextManager[None]]) -> None:
        with waiting():
            asked.set()
            assert answer.wait(LONG)

    def second() -> None:
        assert asked.wait(LONG)
        at_work(places, lambda waiting: answer.set())

    in_threads(lambda: at_work(places, first), second)


def test_a_paper_waits_as_long_as_any_of_its_threads_does() -> None:
    """Two questions of one paper: between them its place stays another's."""
    places = WorkPlaces(1, StopEvent())

    def work(waiting: Callable[[], AbstractContextManager[None]]) -> None:
        with waiting():
            with waiting():
                pass
            in_threads(lambda: at_work(places, lambda _: None))

    in_threads(lambda: at_work(places, work))


def test_who_has_a_place_does_not_stand_in_line_behind_those_who_wait_for_it() -> None:
    """Each stage of a paper ends, and the next begins, whoever else is waiting."""
    places, stages = WorkPlaces(1, StopEvent()), []

    def paper() -> None:
        with places.at_work():
            for stage in range(3):
                with places.attempt():
                    stages.append(stage)

    in_threads(paper, paper, paper)
    assert stages == [0, 1, 2] * 3


def test_a_stage_left_behind_while_it_waited_takes_no_place_afterwards() -> None:
    """Its paper went on, in a place again; its own late return changes nothing."""
    places, left, late = WorkPlaces(1, StopEvent()), threading.Event(), threading.Event()

    def stuck(waiting: Callable[[], AbstractContextManager[None]]) -> None:
        with waiting():
            left.set()
            assert late.wait(LONG)

    with places.at_work():
        with places.attempt() as waiting:
            thread = threading.Thread(target=stuck, args=(waiting,), daemon=True)
            thread.start()
            assert left.wait(LONG)
        late.set()
        thread.join(LONG)
        others: list[str] = []
        second = threading.Thread(target=lambda: at_work(places, lambda _: others.append("at work")), daemon=True)
        second.start()
        second.join(0.02)
        assert others == []  # the only place is taken
    second.join(LONG)
    assert others == ["at work"]


def test_a_run_that_is_told_to_stop_keeps_nobody_waiting_for_a_place() -> None:
    """A paper that has not begun does not; one under way goes on without a place, to end."""
    stop, ended = StopEvent(), []
    places = WorkPlaces(1, stop)

    def under_way(waiting: Callable[[], AbstractContextManager[None]]) -> None:
        with waiting():
            in_threads(blocker_and_latecomer)
        ended.append("under way")

    def blocker_and_latecomer() -> None:
        def latecomer() -> None:
            with pytest.raises(StageTimeoutError, match="told to stop"):
                at_work(places, lambda _: None)
            ended.append("late")

        def blocker(_: object) -> None:
            late = threading.Thread(target=latecomer, daemon=True)
            late.start()
            stop.set()
            late.join(LONG)

        at_work(places, blocker)

    in_threads(lambda: at_work(places, under_way))
    assert ended == ["late", "under way"]


def test_a_stage_of_no_paper_waits_without_a_place() -> None:
    places = WorkPlaces(1, StopEvent())
    with places.attempt() as waiting, waiting():
        in_threads(lambda: at_work(places, lambda _: None))
