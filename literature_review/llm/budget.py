"""The budget: no call begins that might take the bill past it.

    reserve(what the call may cost at most) -> the call -> settle(what it did cost)

What is spent counts all that the ledger of the output folder holds, earlier runs included: so the budget survives
every crash and resume, and beginning anew does not get round it.
"""

from __future__ import annotations

import threading

from literature_review.errors import BudgetSpentError
from literature_review.ports import Deadline

_LONGEST_WAIT = 0.2  # seconds until a wait looks whether the run was told to stop


class Budget:
    """`limit_usd` None: no limit. `spent_usd`: spent before; `ledger`: the file that says so. Thread-safe."""

    def __init__(self, limit_usd: float | None, spent_usd: float, ledger: str) -> None:
        self._limit, self._ledger = limit_usd, ledger
        self._changed = threading.Condition()  # guards the two below
        self._spent = spent_usd
        self._held: dict[Reservation, float] = {}

    def check(self, usd: float) -> None:
        """Raise BudgetSpentError where a call that costs `usd` could not be made even if all others were free."""
        with self._changed:
            if not self._fits(usd):
                raise self._refusal(usd)

    def reserve(self, usd: float, deadline: Deadline) -> Reservation:
        """Room for a call that costs at most `usd`. Waits where calls under way, which count at their estimates, may
        yet leave room; raises BudgetSpentError where they do not, and StageTimeoutError when the deadline passes."""
        with self._changed:
            while not self._fits(usd + sum(self._held.values())):
                if not self._held:
                    raise self._refusal(usd)
                deadline.check("a call that waits for what others leave of the budget")
                self._changed.wait(deadline.remaining(at_most=_LONGEST_WAIT))
            reservation = Reservation(self)
            self._held[reservation] = usd
        return reservation

    def _fits(self, usd: float) -> bool:
        # the last digits of a sum of floats decide nothing; a budget of 0 stays 0
        return self._limit is None or self._spent + usd <= self._limit * (1 + 1e-12)

    def _settle(self, reservation: Reservation, usd: float) -> None:
        with self._changed:
            if self._held.pop(reservation, None) is not None:
                self._spent += usd
                self._changed.notify_all()

    def _refusal(self, usd: float) -> BudgetSpentError:
        return BudgetSpentError(
            f"the budget is spent: {_dollars(self._spent)} of llm.budget_usd ({_dollars(self._limit or 0.0)}) are "
            f"used, as {self._ledger} counts all runs, and the next call may cost up to {_dollars(usd)}; raise "
            f"llm.budget_usd, then go on with --resume"
        )


class Reservation:
    """Room in a budget until it is settled, once; further settlements do nothing."""

    def __init__(self, budget: Budget) -> None:
        self._budget = budget

    def settle(self, usd: float) -> None:
        """Spend `usd` instead of what was reserved."""
        self._budget._settle(self, usd)


def _dollars(usd: float) -> str:
    """An amount as people read it: cents, or as many digits as a small one needs."""
    return f"{usd:.2f} USD" if usd == 0 or usd >= 1 else f"{usd:.4g} USD"
