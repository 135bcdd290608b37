"""The quota manager beside a naive bucket and the rate limiters that people install.

    python benchmarks/quota.py [--quick]

First what a grant costs that nobody has to wait for; limiters take turns, a ratio is the median of the rounds' own.
Then 16 threads that ask together for 400 tokens at 100 a second, burst 100: at best 3.00 s, with at most 200 grants
in any second; served in the order of asking, nobody waits longer than 0.16 s. The peers' grants come last: some peers
start threads that go on for ever, and would be counted with the others.
"""

from __future__ import annotations

import argparse
import statistics
import threading
import time
from collections.abc import Callable
from functools import partial
from typing import Any

from side_by_side import Table, alternating, peer, per_second, ratio

from literature_review.pipeline.orchestrator_v2 import SimpleQuotaManager

RATE, BURST, THREADS, TOKENS = 100, 100, 16, 400
PLENTY = 10**9
OURS, NAIVE = "this quota manager", "naive lock-and-poll bucket"
Take = Callable[[], object]  # waits until a token is there


class NaiveBucket:
    """A lock, and looking again every so often: what one writes in ten minutes."""

    def __init__(self, rate: float, burst: float) -> None:
        self.rate, self.burst, self.tokens = rate, burst, burst
        self.at, self.lock = time.monotonic(), threading.Lock()

    def take(self) -> None:
        while True:
            with self.lock:
                now = time.monotonic()
                self.tokens = min(self.burst, self.tokens + (now - self.at) * self.rate)
                self.at = now
                if self.tokens >= 1:
                    self.tokens -= 1
                    return
            time.sleep(0.005)


def polling(take: Callable[[], bool]) -> Take:
    def wait() -> None:
        while not take():
            time.sleep(0.005)

    return wait


def pyrate_bucket(module: Any, rate: int, burst: int, bucket: str) -> Take:
    """The default log of grants knows no burst: it allows `rate` a second."""
    made = module.Rate(rate, module.Duration.SECOND)
    if bucket == "TokenBucket":
        limiter = module.Limiter(module.StateBucket([made], module.TokenBucket()))
    else:
        limiter = module.Limiter(module.InMemoryBucket([made]))
    return lambda: limiter.try_acquire("papers")


def throttled_bucket(module: Any, rate: int, burst: int) -> Take:
    quota = module.rate_limiter.per_sec(rate, burst=burst)
    limiter = module.Throttled(key="papers", using="token_bucket", quota=quota, timeout=60)
    return lambda: limiter.limit()


def token_bucket_polled(module: Any, rate: int, burst: int) -> Take:
    limiter = module.Limiter(rate, burst, module.MemoryStorage())
    return polling(lambda: bool(limiter.consume("papers")))


def limiters() -> dict[str, Callable[[int, int], Take]]:
    """Each limiter by name: (tokens a second, burst) -> a call that takes one token."""
    found: dict[str, Callable[[int, int], Take]] = {
        OURS: lambda rate, burst: SimpleQuotaManager(rate, 1, burst=burst).consume,
        NAIVE: lambda rate, burst: NaiveBucket(rate, burst).take,
    }
    pyrate, throttled, token_bucket = peer("pyrate_limiter"), peer("throttled"), peer("token_bucket")
    if pyrate is not None:
        found["pyrate-limiter"] = lambda rate, burst: pyrate_bucket(pyrate, rate, burst, "log")
        found["pyrate-limiter, TokenBucket"] = lambda rate, burst: pyrate_bucket(pyrate, rate, burst, "TokenBucket")
    if throttled is not None:
        found["throttled-py, token bucket"] = lambda rate, burst: throttled_bucket(throttled, rate, burst)
    if token_bucket is not None:
        found["token-bucket + poll"] = lambda rate, burst: token_bucket_polled(token_bucket, rate, burst)
    return found


def compare_cost(table: Table, names: list[str], count: int, rounds: int) -> None:
    """ns a grant in one thread, grants a second with many; nobody waits."""
    found = limiters()
    for threads in (1, 8, 64):
        ways = {name: partial(grants_a_second, found[name], threads, count) for name in names}
        figures = alternating(ways, rounds)
        for name, speeds in figures.items():
            if name == OURS and NAIVE not in names:
                continue
            if threads > 1:
                what = f"{threads} threads: {name}"
                table.row(what, statistics.median(speeds), "grants/s", ratio(figures[OURS], speeds))
                continue
            cost = 1e9 / statistics.median(speeds)
            if name == NAIVE:
                table.goal(f"a grant: {name}", cost, "ns", ratio(speeds, figures[OURS]), most=1.2)
            else:
                table.row(f"a grant: {name}", cost, "ns", ratio(speeds, figures[OURS]))


def grants_a_second(make: Callable[[int, int], Take], threads: int, count: int) -> float:
    take = make(PLENTY, PLENTY)
    return per_second(count, threads, lambda *_: take())


def crowd(take: Take, tokens: int) -> tuple[float, int, float, float]:
    """Elapsed seconds, most grants in any second, longest wait and processor seconds of 16 threads."""
    grants: list[float] = []
    waits: list[float] = []

    def work() -> None:
        for _ in range(tokens // THREADS):
            asked = time.monotonic()
            take()
            now = time.monotonic()
            grants.append(now)
            waits.append(now - asked)

    threads = [threading.Thread(target=work) for _ in range(THREADS)]
    busy, began = time.process_time(), time.monotonic()
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    grants.sort()
    worst = max(sum(1 for grant in grants if 0 <= grant - first < 1) for first in grants)
    return max(grants) - began, worst, max(waits), time.process_time() - busy


def compare_crowds(table: Table, tokens: int) -> None:
    ideal = (tokens - BURST) / RATE
    for name, make in limiters().items():
        elapsed, worst, longest, busy = crowd(make(RATE, BURST), tokens)
        if name == OURS:
            table.goal(f"{name}: elapsed", elapsed, "s", elapsed / ideal, most=1.02)
            table.goal(f"{name}: most grants in a second", worst, "grants", worst, most=BURST + RATE)
            table.goal(f"{name}: longest wait", longest, "s", longest, most=0.2)
            table.goal(f"{name}: processor", busy, "s", busy, most=0.03)
        else:
            table.row(f"{name}: elapsed", elapsed, "s", elapsed / ideal)
            table.row(f"{name}: most grants in a second", worst, "grants")
            table.row(f"{name}: longest wait", longest, "s")
            table.row(f"{name}: processor", busy, "s")


def main() -> None:
    options = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    options.add_argument("--quick", action="store_true", help="a short run, whose figures say little")
    quick = options.parse_args().quick
    table = Table("Grants; ratio: this quota manager's cost or speed through the row's; elapsed through the ideal")
    count, rounds = (3_200, 1) if quick else (19_200, 15)
    compare_cost(table, [OURS, NAIVE], count, rounds)
    compare_crowds(table, 112 if quick else TOKENS)
    compare_cost(table, [name for name in limiters() if name != NAIVE], count, rounds)


if __name__ == "__main__":
    main()
