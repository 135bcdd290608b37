"""How many calls may be under way at once: fewer when the server says that it is too much, more when it answers."""

from __future__ import annotations

GROWTH = 0.5  # places that an answered call adds
SHRINKING = 0.875  # what a throttled call (429, 503, 529) leaves of the places


class CallsInFlight:
    """Places for calls, between 1 and `most`; all of them at the start.

    Additive increase, multiplicative decrease: D.-M. Chiu and R. Jain, Analysis of the increase and decrease
    algorithms for congestion avoidance in computer networks, Computer Networks and ISDN Systems 17 (1989), 1-14: of
    the linear rules this one alone comes to a fair and efficient sharing. Each answer counts for itself, so that
    the shrinking follows the share of throttled calls, as in DCTCP (RFC 8257, section 3.3): a server that turns down
    one call in twenty now and then costs hardly a place; 16 calls turned down together leave 2.

    Left to itself the rule settles where a share of 4 / (places + 4) is throttled, a third at eight places: more than
    there are retries for. So its user lets it grow only while retries are left (`RetryBudget.is_ample`), and the share
    settles at the tenth that they can pay for.

    `spare`: calls beyond those that may be made ready (booked, written out) or put away meanwhile, once a call has been
    answered and while no place is lost. They are for callers that see to it themselves that no more than `most` are
    under way at the server.

    Not thread-safe: who uses it holds a lock.
    """

    def __init__(self, most: int, spare: int = 0) -> None:
        if most < 1:
            raise ValueError(f"most must be at least 1, not {most!r}")
        self.most, self._spare = most, spare
        self._is_answered = False
        self.limit = float(most)
        self.under_way = 0

    def has_room(self) -> bool:
        spare = self._spare if self._is_answered and self.limit >= self.most else 0
        return self.under_way < int(self.limit + 0.5) + spare  # the nearest whole number: half a place is one

    def begin(self) -> None:
        self.under_way += 1

    def end(self) -> None:
        self.under_way -= 1

    def succeeded(self) -> None:
        self._is_answered = True
        self.limit = min(float(self.most), self.limit + GROWTH)

    def throttled(self) -> None:
        self.limit = max(1.0, self.limit * SHRINKING)
