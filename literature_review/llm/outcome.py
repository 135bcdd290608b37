"""What a failed call means for the ledger: did the provider count it, and what kind of error was it?

Nothing of an error's text is taken: it could quote a key.
"""

from __future__ import annotations

import socket
from collections.abc import Iterator

_NO_CONNECTION = {"ConnectError", "ConnectTimeout"}  # httpx's names, without importing it
_LONGEST_CHAIN = 10


def outcome_of(error: BaseException) -> str:
    """One of paid_book.OUTCOMES: refused where the provider answered with an HTTP status, unreached where there was
    no connection, else broken."""
    if status_of(error) is not None:
        return "refused"
    for link in _chain(error):
        if isinstance(link, (ConnectionRefusedError, socket.gaierror)) or type(link).__name__ in _NO_CONNECTION:
            return "unreached"
    return "broken"


def error_name(error: BaseException) -> str:
    """The kind of error with its HTTP status, such as "RateLimitError 429"."""
    status = status_of(error)
    return type(error).__name__ if status is None else f"{type(error).__name__} {status}"


def request_id_of(error: BaseException) -> str:
    """The provider's name for the request that failed, or ""."""
    found = (getattr(link, "request_id", None) for link in _chain(error))
    return next((name for name in found if isinstance(name, str)), "")


def status_of(error: BaseException) -> int | None:
    """The HTTP status that the error, or what caused it, carries."""
    for link in _chain(error):
        response = getattr(link, "response", None)
        for holder, name in ((link, "status_code"), (link, "code"), (link, "status"), (response, "status_code")):
            value = getattr(holder, name, None)
            if isinstance(value, int) and not isinstance(value, bool) and 100 <= value <= 599:
                return value
    return None


def _chain(error: BaseException) -> Iterator[BaseException]:
    link: BaseException | None = error
    for _ in range(_LONGEST_CHAIN):
        if link is None:
            return
        yield link
        link = link.__cause__ or link.__context__
