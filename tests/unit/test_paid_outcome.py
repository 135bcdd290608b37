"""What a failed call means for the ledger."""

from __future__ import annotations

import socket

import pytest

from literature_review.llm.outcome import error_name, outcome_of, request_id_of

pytestmark = pytest.mark.unit


class Response:
    def __init__(self, status: object) -> None:
        self.status_code = status


class ClientError(Exception):
    def __init__(self, text: str = "", **fields: object) -> None:
        super().__init__(text)
        self.__dict__.update(fields)


class ConnectError(Exception):
    """As httpx calls it."""


def caused(error: BaseException, cause: BaseException) -> BaseException:
    error.__cause__ = cause
    return error


@pytest.mark.parametrize(
    ("error", "outcome", "name"),
    [
        (ClientError(status_code=429), "refused", "ClientError 429"),
        (ClientError(code=503), "refused", "ClientError 503"),
        (ClientError(response=Response(401)), "refused", "ClientError 401"),
        (caused(ClientError(), ClientError(status=500)), "refused", "ClientError 500"),
        (ClientError(code="429", status_code=True), "broken", "ClientError"),
        (ClientError(code=7), "broken", "ClientError"),
        (TimeoutError("HTTP 429"), "broken", "TimeoutError"),
        (ConnectionResetError(), "broken", "ConnectionResetError"),
        (KeyboardInterrupt(), "broken", "KeyboardInterrupt"),
        (ConnectionRefusedError(), "unreached", "ConnectionRefusedError"),
        (caused(ClientError(), caused(ConnectError(), ConnectionRefusedError())), "unreached", "ClientError"),
        (caused(ClientError(), ConnectError()), "unreached", "ClientError"),
        (socket.gaierror(-2, "Name or service not known"), "unreached", "gaierror"),
    ],
    ids=range(13),
)
def test_an_error_says_whether_the_provider_counted_the_call(error: BaseException, outcome: str, name: str) -> None:
    assert (outcome_of(error), error_name(error)) == (outcome, name)


def test_a_chain_that_bites_its_tail_ends() -> None:
    first, second = ClientError(), ClientError()
    first.__cause__, second.__cause__ = second, first
    assert outcome_of(first) == "broken"


def test_the_request_id_is_a_text_or_nothing() -> None:
    assert request_id_of(ClientError(request_id="req-1")) == "req-1"
    assert request_id_of(caused(ClientError(request_id=None), ClientError(request_id="req-2"))) == "req-2"
    assert request_id_of(ClientError(request_id=None)) == ""
    assert request_id_of(ClientError()) == ""
