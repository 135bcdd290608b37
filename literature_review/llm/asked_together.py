"""Questions of one paper that do not depend on each other, asked at the same time.

    asks, in order --> some threads, each taking the next --> what each returned, in order of the asks

A long paper is many questions about each of its parts; where there are fewer papers than calls that may be under way,
asking them one after the other would leave places empty. How many calls are under way, over all papers, is the gate's.
"""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable, Sequence
from typing import TypeVar

from literature_review.ports import Deadline

T = TypeVar("T")


def ask_together(asks: Sequence[Callable[[], T]], most: int, deadline: Deadline) -> list[T]:
    """What each of `asks` returns, in their order; at most `most` run at once, begun in their order.

    After one that raises none is begun. When those under way have ended, what the first of them in order raised is
    raised. With `most` 1 they are called one after the other in this thread.
    """
    if min(most, len(asks)) <= 1:
        return [ask() for ask in asks]
    lock = threading.Lock()  # guards all below
    left = deque(enumerate(asks))
    answers: dict[int, T] = {}
    errors: dict[int, BaseException] = {}

    def work() -> None:
        """One thread: asks until nothing is left, or one of them has raised."""
        while True:
            with lock:
                if errors or not left:
                    return
                at, ask = left.popleft()
            try:
                answer = ask()
            except BaseException as error:  # noqa: BLE001, it is raised again in the caller's thread
                with lock:
                    errors[at] = error
            else:
                with lock:
                    answers[at] = answer

    threads = [threading.Thread(target=work, name="questions", daemon=True) for _ in range(min(most, len(asks)))]
    with deadline.waiting():
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    if errors:
        raise errors[min(errors)]
    return [answers[at] for at in range(len(asks))]
