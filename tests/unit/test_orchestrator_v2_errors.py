"""ErrorClassifier: what is worth another try, and on what evidence."""

from __future__ import annotations

import errno
import json
import multiprocessing
import socket
import time
import urllib.error
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from literature_review.pipeline.orchestrator_v2 import ErrorClassifier, ErrorType

TRANSIENT, PERMANENT, UNKNOWN = ErrorType.TRANSIENT, ErrorType.PERMANENT, ErrorType.UNKNOWN
classify = ErrorClassifier.classify_error


class ApiError(Exception):
    """As client libraries raise: attributes beside the text."""

    def __init__(self, text: str = "failed", **attributes: Any) -> None:
        super().__init__(text)
        self.__dict__.update(attributes)


class ClientOSError(OSError):
    """As aiohttp's: its number does not make it a ConnectionRefusedError."""


class Response:
    def __init__(self, status_code: int, text: str = "") -> None:
        self.status_code = status_code
        self.text = text


def gemini_429(quota_id: str) -> str:
    return "429 RESOURCE_EXHAUSTED. " + json.dumps({
        "error": {
            "code": 429,
            "message": "You exceeded your current quota, please check your plan and billing details.",
            "details": [{
                "@type": "type.googleapis.com/google.rpc.QuotaFailure",
                "violations": [{"quotaMetric": "generate_content_requests", "quotaId": quota_id}],
            }],
        }
    })  # fmt: skip


@pytest.mark.parametrize("status", [408, 425, 429, 500, 502, 503, 504, 529])
def test_statuses_that_may_pass(status: int) -> None:
    assert classify("no such file", http_status=status) is TRANSIENT
    assert ErrorClassifier.should_retry("x", http_status=status)


@pytest.mark.parametrize("status", [400, 401, 403, 404, 405, 413, 422])
def test_statuses_that_will_not_pass(status: int) -> None:
    assert classify("connection timed out", http_status=status) is PERMANENT
    assert classify(TimeoutError(), http_status=str(status)) is PERMANENT


@pytest.mark.parametrize("status", [None, 0, 200, 302, 418, 999, "abc", "4291", True])
def test_a_status_that_says_nothing_leaves_it_to_the_rest(status: Any) -> None:
    assert classify("connection timed out", http_status=status) is TRANSIENT
    assert classify("odd", http_status=status) is UNKNOWN


@pytest.mark.parametrize(
    ("error", "expected"),
    [
        (ApiError(status_code=503), TRANSIENT),
        (ApiError(code=404), PERMANENT),
        (ApiError(status="429"), TRANSIENT),
        (ApiError(status="pending"), UNKNOWN),
        (ApiError(code="timeout"), TRANSIENT),
        (ApiError(response=Response(502)), TRANSIENT),
        (ApiError("HTTP 503", response=Response(401)), PERMANENT),
        (ApiError("connection refused", code=0, response=None), TRANSIENT),
        (ApiError(code=7, status_code=500), TRANSIENT),
        (urllib.error.HTTPError("http://x", 504, "Gateway Timeout", None, None), TRANSIENT),  # type: ignore[arg-type]
    ],
)
def test_a_status_that_the_exception_carries_stands_above_its_text(error: Exception, expected: ErrorType) -> None:
    assert classify(error) is expected
    if isinstance(error, urllib.error.HTTPError):
        error.close()


@pytest.mark.parametrize(
    ("error", "expected"),
    [
        (TimeoutError(), TRANSIENT),
        (ConnectionResetError("HTTP 404"), TRANSIENT),
        (BrokenPipeError(), TRANSIENT),
        (OSError(errno.EHOSTUNREACH, "No route"), TRANSIENT),
        (OSError(errno.ENOSPC, "No space left on device"), UNKNOWN),
        (OSError(errno.EDQUOT, "Disk quota exceeded"), UNKNOWN),
        (ClientOSError(errno.ECONNREFUSED, "cannot connect"), TRANSIENT),
        (socket.gaierror(socket.EAI_AGAIN, "zeitweiliger Fehler"), TRANSIENT),
        (socket.gaierror(socket.EAI_NONAME, "Name or service not known"), UNKNOWN),
        (multiprocessing.TimeoutError(), TRANSIENT),
        (FileNotFoundError("connection timed out"), PERMANENT),
        (PermissionError(), PERMANENT),
        (SyntaxError("x"), PERMANENT),
        (TypeError("x"), PERMANENT),
        (UnboundLocalError("x"), PERMANENT),
        (AttributeError("x"), PERMANENT),
        (ModuleNotFoundError("x"), PERMANENT),
        (ValueError("x"), UNKNOWN),
        (KeyError("x"), UNKNOWN),
        (MemoryError(), UNKNOWN),
        (RuntimeError("HTTP 503"), TRANSIENT),
        (urllib.error.URLError(ConnectionRefusedError(111, "refused")), TRANSIENT),
        (urllib.error.URLError("no host given"), UNKNOWN),
    ],
)
def test_the_type_stands_above_the_text(error: Exception, expected: ErrorType) -> None:
    assert classify(error) is expected


def test_client_libraries_network_errors_are_known_by_module_and_name() -> None:
    known = type("ReadTimeout", (Exception,), {"__module__": "httpx._exceptions"})
    heir = type("Mine", (known,), {"__module__": "my.module"})
    successor = type("RemoteProtocolError", (Exception,), {"__module__": "httpx2._exceptions"})
    other = type("ReadError", (Exception,), {"__module__": "tarfile"})
    assert [classify(kind("x")) for kind in (known, heir, successor)] == [TRANSIENT] * 3
    assert classify(other("x")) is UNKNOWN


def test_the_cause_decides_where_the_error_itself_says_nothing() -> None:
    with pytest.raises(RuntimeError) as caught:
        raise RuntimeError("reading failed: no such file") from TimeoutError()
    assert classify(caught.value) is TRANSIENT


def test_what_was_being_handled_counts_least_and_not_if_suppressed() -> None:
    outer = RuntimeError("failed")
    outer.__context__ = TimeoutError()
    assert classify(outer) is TRANSIENT
    outer.__suppress_context__ = True
    assert classify(outer) is UNKNOWN
    says = RuntimeError("permission denied")
    says.__context__ = TimeoutError()
    assert classify(says) is PERMANENT


def test_a_ring_of_causes_ends() -> None:
    first, second = RuntimeError("a"), RuntimeError("b")
    first.__cause__, second.__cause__ = second, first
    assert classify(first) is UNKNOWN


@pytest.mark.parametrize(
    ("members", "expected"),
    [
        ([TimeoutError(), ConnectionError()], TRANSIENT),
        ([TimeoutError(), FileNotFoundError()], PERMANENT),
        ([TimeoutError(), ValueError("x")], UNKNOWN),
        ([ValueError("x")], UNKNOWN),
        ([], UNKNOWN),
    ],
)
def test_the_members_of_an_exception_group(members: list[Exception], expected: ErrorType) -> None:
    assert classify(ApiError("several", exceptions=members)) is expected


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("HTTP 404", PERMANENT),
        ("HTTP/1.1 503 Service Unavailable", TRANSIENT),
        ("HTTP Error 429: Too Many Requests", TRANSIENT),
        ("429 Too Many Requests", TRANSIENT),
        ("Error code: 503", TRANSIENT),
        ("Error code: 401 - {'error': 'x'}", PERMANENT),
        ("401 Unauthorized", PERMANENT),
        ("Server returned 404 Not Found", PERMANENT),
        ("503 UNAVAILABLE. {'error': 1}", TRANSIENT),
        ("400 INVALID_ARGUMENT", PERMANENT),
        ("404 Client Error: Not Found for url: http://x", PERMANENT),
        ("status code 422", PERMANENT),
        ("status=500", TRANSIENT),
        ('{"error": {"code": 503, "message": "try later"}}', TRANSIENT),
        (" 429 ", TRANSIENT),
        ("error 502.", TRANSIENT),
        ("Figure 429 could not be parsed", UNKNOWN),
        ("paper_0429.pdf", UNKNOWN),
        ("Page 404 not found in the document", UNKNOWN),
        ("404 papers were read", UNKNOWN),
        ("status code 4290", UNKNOWN),
        ("error: 404 lines could not be decoded", UNKNOWN),
        ("returned 503 papers", UNKNOWN),
        ("doi:10.1000/503", UNKNOWN),
        ("200", UNKNOWN),
    ],
)
def test_digits_are_a_status_only_where_they_stand_as_one(text: str, expected: ErrorType) -> None:
    assert classify(text) is expected
    assert classify(RuntimeError(text)) is expected


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("Connection timeout", TRANSIENT),
        ("TimeOut Occurred", TRANSIENT),
        ("The read operation timed out", TRANSIENT),
        ("ReadTimeout", TRANSIENT),
        ("request time-out", TRANSIENT),
        ("[Errno 111] Connection refused", TRANSIENT),
        ("Connection reset by peer", TRANSIENT),
        ("Remote end closed connection without response", TRANSIENT),
        ("ConnectionError: x", TRANSIENT),
        ("Connection dropped", TRANSIENT),
        ("Temporary failure in name resolution", TRANSIENT),
        ("The model is overloaded", TRANSIENT),
        ("status: UNAVAILABLE", TRANSIENT),
        ("DEADLINE_EXCEEDED", TRANSIENT),
        ("RESOURCE_EXHAUSTED", TRANSIENT),
        ("Rate limit exceeded", TRANSIENT),
        ("rate_limit_exceeded", TRANSIENT),
        ("Too Many Requests", TRANSIENT),
        ("Invalid API key provided", PERMANENT),
        ("API key not valid. Please pass a valid API key.", PERMANENT),
        ("No API key found", PERMANENT),
        ("API_KEY_INVALID", PERMANENT),
        ("Permission denied", PERMANENT),
        ("PERMISSION_DENIED", PERMANENT),
        ("File not found", PERMANENT),
        ("[Errno 2] No such file or directory: 'x'", PERMANENT),
        ("SyntaxError: invalid syntax on line 42", PERMANENT),
        ("TypeError: x", PERMANENT),
        ("NameError: name 'x' is not defined", PERMANENT),
        ("'x' object has no attribute 'y'", PERMANENT),
        ("No module named 'x'", PERMANENT),
        ("the figures are unavailable", UNKNOWN),
        ("the rate-limiting step was not found", UNKNOWN),
        ("Some unknown error occurred", UNKNOWN),
        ("", UNKNOWN),
    ],
)
def test_texts(text: str, expected: ErrorType) -> None:
    assert classify(text) is expected


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("429 Resource exhausted. Please try again later. Please refer to https://x/error-code-429", TRANSIENT),
        ("Resource has been exhausted (e.g. check quota).", TRANSIENT),
        ("429 Quota exceeded for aiplatform.googleapis.com/requests_per_minute with base model: x", TRANSIENT),
        ("google.api_core.exceptions.ResourceExhausted: 429 Quota exceeded for quota metric", TRANSIENT),
        ("429 You exceeded your current quota, please check your plan and billing details.", TRANSIENT),
        ("500 An internal error has occurred. Please retry or report it", TRANSIENT),
        ("504 Deadline expired before operation could complete.", TRANSIENT),
        ("503 The service is currently unavailable.", TRANSIENT),
        ("503 The model is overloaded. Please try again later.", TRANSIENT),
        ("503 upstream connect error or disconnect/reset before headers. reset reason: overflow", TRANSIENT),
        ("The server had an error while processing your request. Sorry about that!", TRANSIENT),
        ('Error: 429 {"type":"error","error":{"type":"x"}}', TRANSIENT),
        ("{'type': 'error', 'error': {'type': 'overloaded_error', 'message': 'Overloaded'}}", TRANSIENT),
        ("Error code: 400 - {'error': {'message': 'context length exceeded'}}", PERMANENT),
        ("Error code: 400 - {'error': {'message': 'Your credit balance is too low'}}", PERMANENT),
        ("invalid x-api-key", PERMANENT),
        ("authentication_error", PERMANENT),
        ("You didn't provide an API key.", PERMANENT),
        ("The api_key client option must be set either by passing api_key to the client or by X_API_KEY", PERMANENT),
        ("GEMINI_API_KEY is not set", PERMANENT),
        ("403 Your API key was reported as leaked. Please use another API key.", PERMANENT),
        ("403 Method doesn't allow unregistered callers", PERMANENT),
        ("404 models/x is not found for API version v1beta", PERMANENT),
        ("400 User location is not supported for the API use.", PERMANENT),
        ("peer closed connection without sending complete message body (incomplete chunked read)", TRANSIENT),
        ("Connection to 10.0.0.1 was refused", TRANSIENT),
        ("Response ended prematurely", TRANSIENT),
        ("EOF occurred in violation of protocol (_ssl.c:1007)", TRANSIENT),
        ("HTTPStatusError: 429", TRANSIENT),
        ("The server returned 503", TRANSIENT),
        ("TooManyRequests", TRANSIENT),
        ("File 'a.txt' does not exist", PERMANENT),
        ("the server returned 404 papers", UNKNOWN),
        ("Disk quota exceeded", UNKNOWN),
        ("KeyError: 429", UNKNOWN),
        ("the name error-prone", UNKNOWN),
        ("The type-error rate was 5 %", UNKNOWN),
        ("500 patients were randomised", UNKNOWN),
    ],
)
def test_what_providers_and_their_clients_really_say(text: str, expected: ErrorType) -> None:
    assert classify(text) is expected
    assert classify(RuntimeError(text)) is expected


@pytest.mark.parametrize(
    ("error", "expected"),
    [
        (gemini_429("GenerateRequestsPerDayPerProjectPerModel-FreeTier"), PERMANENT),
        (gemini_429("GenerateRequestsPerMinutePerProjectPerModel-FreeTier"), TRANSIENT),
        (ApiError(code=429, details=json.loads(gemini_429("TokensPerDay").partition(". ")[2])), PERMANENT),
        (ApiError('violations { quota_id: "RequestsPerDay" }', code=429), PERMANENT),
        (ApiError(status_code=429, response=Response(429, '{"quotaId": "XPerDay"}')), PERMANENT),
        (ApiError("quota", status_code=429, code="insufficient_quota"), PERMANENT),
        ("Error code: 429 - {'error': {'code': 'insufficient_quota'}}", PERMANENT),
        (ApiError("check your plan and billing details", status_code=429), TRANSIENT),
        ("429 Too Many Requests: 10 requests per day", TRANSIENT),
        (ApiError(status_code=429), TRANSIENT),
    ],
)
def test_a_spent_quota_is_told_from_a_throttle_by_the_machine_readable_part(error: Any, expected: ErrorType) -> None:
    assert classify(error) is expected
    assert ErrorClassifier.is_shared_fault(error) is (expected is PERMANENT)
    assert classify(error, http_status=429) is expected


@pytest.mark.parametrize(
    ("error", "shared"),
    [
        ("HTTP 401", True),
        (ApiError(status_code=403), True),
        (ApiError("API key not valid. Please pass a valid API key.", code=400), True),
        (ApiError("bad schema", code=400), False),
        ("missing API key", True),
        (ApiError("Your credit balance is too low to access the API", status_code=400), True),
        ("permission_error", True),
        (PermissionError("paper.pdf"), False),
        ("Permission denied: 'paper.pdf'", False),
        (FileNotFoundError("paper.pdf"), False),
        ("the PDF is encrypted", False),
        (TimeoutError(), False),
        ("HTTP 404", False),
    ],
)
def test_faults_that_every_other_call_would_meet(error: Any, shared: bool) -> None:
    assert ErrorClassifier.is_shared_fault(error) is shared


def test_class_and_instance_do_the_same() -> None:
    assert ErrorClassifier().classify_error("HTTP 503") is TRANSIENT
    assert ErrorClassifier().should_retry("HTTP 404") is False


class Hostile(Exception):
    def __str__(self) -> str:
        raise ValueError("no text")

    @property
    def status_code(self) -> int:
        raise RuntimeError("no status")

    @property
    def details(self) -> dict[str, Any]:
        raise RuntimeError("no details")


def test_an_error_whose_own_parts_raise_is_unknown() -> None:
    assert classify(Hostile()) is UNKNOWN
    assert classify(None) is UNKNOWN
    assert classify(b"\xff") is UNKNOWN


def test_a_huge_text_is_classified_by_its_ends_in_bounded_time() -> None:
    began = time.process_time()
    assert classify("HTTP 503 " + "4 0 4 quota retry timeout-ish " * 200_000) is TRANSIENT
    assert classify("\n" * 1_000_000 + "Connection refused") is TRANSIENT
    assert time.process_time() - began < 5


@given(st.text())
def test_any_text_has_a_verdict(text: str) -> None:
    assert classify(text) in ErrorType
    assert classify(Exception(text)) is classify(text)
