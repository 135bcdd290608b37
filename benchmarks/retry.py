"""The retry helper and the error classifier beside a bare loop and the retry libraries.

    python benchmarks/retry.py [--quick]

All waits are taken out: what is left is what the helper itself costs. The ways take turns; a ratio is the median of
the rounds' own. Failures are once what sockets raise, judged by its type, and once an error of which the text alone
says what it is.
"""

from __future__ import annotations

import argparse
import statistics
import time
from collections.abc import Callable
from functools import partial
from typing import Any

from side_by_side import Table, alternating, peer, per_second, ratio

from literature_review.pipeline.orchestrator_v2 import ErrorClassifier, ErrorType, RetryHelper

Call = Callable[[], object]


class Flaky:
    """Fails so many times, then succeeds, and so on."""

    def __init__(self, failures: int, kind: type[Exception]) -> None:
        self.failures, self.left, self.kind = failures, failures, kind

    def __call__(self) -> int:
        if self.left:
            self.left -= 1
            raise self.kind("Connection reset by peer")
        self.left = self.failures
        return 1


def no_wait(seconds: float) -> None:
    pass


def bare_loop(func: Call) -> object:
    delay = 0.5
    for attempt in range(1, 4):
        try:
            return func()
        except Exception:
            if attempt == 3:
                raise
            no_wait(min(delay, 60.0))
            delay *= 2
    return None


def ours(func: Call) -> object:
    return RetryHelper.retry_with_backoff(func, 3, error_classifier=ErrorClassifier, sleep=no_wait)


def with_tenacity(module: Any) -> Callable[[Call], object]:
    wait = module.wait_exponential_jitter(initial=0.5, max=60)
    return lambda func: module.Retrying(
        stop=module.stop_after_attempt(3), wait=wait, sleep=no_wait, reraise=True
    )(func)  # fmt: skip


def with_stamina(module: Any) -> Callable[[Call], object]:
    module.instrumentation.set_on_retry_hooks([])
    caller = module.RetryingCaller(attempts=3, wait_initial=0, wait_max=0, wait_jitter=0)
    return lambda func: caller(Exception, func)


def with_backoff(module: Any) -> Callable[[Call], object]:
    return lambda func: module.on_exception(
        module.constant, Exception, max_tries=3, interval=0, jitter=None, logger=None
    )(func)()  # fmt: skip


def helpers() -> dict[str, Callable[[Call], object]]:
    found: dict[str, Callable[[Call], object]] = {"bare loop": bare_loop, "this helper, classifying": ours}
    for name, adapt in (("tenacity", with_tenacity), ("stamina", with_stamina), ("backoff", with_backoff)):
        module = peer(name)
        if module is not None:
            found[name] = adapt(module)
    return found


def compare(table: Table, count: int, rounds: int) -> None:
    found = helpers()
    for label, failures, kind, most in (
        ("success", 0, ConnectionResetError, 3.0),
        ("twice failed, by type", 2, ConnectionResetError, 6.0),
        ("twice failed, by text", 2, RuntimeError, 6.0),
    ):

        def nanoseconds(
            helper: Callable[[Call], object], failures: int = failures, kind: type[Exception] = kind
        ) -> float:
            func = Flaky(failures, kind)
            return 1e9 / per_second(count, 1, lambda *_: helper(func))

        figures = alternating({name: partial(nanoseconds, helper) for name, helper in found.items()}, rounds)
        for name, times in figures.items():
            value = ratio(times, figures["bare loop"])
            if name.startswith("this"):
                table.goal(f"{label}: {name}", statistics.median(times), "ns", value, most=most)
            else:
                table.row(f"{label}: {name}", statistics.median(times), "ns", value)


def classification(table: Table, count: int, rounds: int) -> None:
    """A text that nothing is known of is looked at by every rule; each text is another, so none is remembered.

    An absolute figure, so the best of the rounds: what others do on the machine is no part of it.
    """
    best = float("inf")
    for turn in range(rounds):
        texts = [f"paper_{turn}_{n:04}.pdf: Figure 429 of part {n} could not be parsed" for n in range(count)]
        began = time.perf_counter()
        verdicts = set(map(ErrorClassifier.classify_error, texts))
        best = min(best, (time.perf_counter() - began) / count * 1e6)
        if verdicts != {ErrorType.UNKNOWN}:
            raise SystemExit(f"these texts say nothing, and were judged {verdicts}")
    table.goal("an unknown text classified", best, "us", best, most=25)


def main() -> None:
    options = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    options.add_argument("--quick", action="store_true", help="a short run, whose figures say little")
    quick = options.parse_args().quick
    table = Table("Retry, waits taken out; ratio: the row's cost through the bare loop's")
    compare(table, 200 if quick else 500, 1 if quick else 41)
    classification(table, 200 if quick else 2_000, 1 if quick else 9)


if __name__ == "__main__":
    main()
