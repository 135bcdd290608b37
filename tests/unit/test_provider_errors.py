"""A key never stays in an error, and what decides on a retry always does."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from literature_review.errors import BackendError
from literature_review.llm.provider_errors import (
    HIDDEN,
    ConnectionLostError,
    ErrorTeller,
    KeyScrubber,
    ProviderError,
    ServerAnswer,
)
from literature_review.pipeline.orchestrator_v2 import ErrorClassifier, ErrorType

KEY = "sk-proj-Zq83hTTsW0nQyLmA5xKv71RbE4cUdJoP"
ALPHABET = st.characters(codec="utf-8")


@given(st.text(ALPHABET), st.integers(0, len(KEY)), st.integers(0, len(KEY)), st.text(ALPHABET))
def test_no_eight_characters_of_the_key_stay(before: str, start: int, length: int, after: str) -> None:
    """Whatever part of it stands wherever in a text."""
    cleaned = KeyScrubber(KEY).text(before + KEY[start : start + length] + after)
    assert not any(KEY[at : at + 8] in cleaned for at in range(len(KEY) - 7))


@given(st.text(st.characters(codec="utf-8", exclude_characters="*."), max_size=60))
def test_what_holds_nothing_of_the_key_stays_as_it_is(text: str) -> None:
    shares = any(KEY[at : at + 8] in text for at in range(len(KEY) - 7))
    assert shares or KeyScrubber(KEY).text(text) == text


@pytest.mark.parametrize(
    "shown", ["sk-proj-" + "*" * 30 + KEY[-4:], KEY[:8] + "***" + KEY[-4:], "sk-..." + KEY[-4:], "*" * 12 + KEY[-4:]]
)
def test_a_masked_key_goes_whole(shown: str) -> None:
    """Providers show the last four characters; they are no use to the reader, who may not be the key's owner."""
    cleaned = KeyScrubber(KEY).text(f"Incorrect API key provided: {shown}. You can find it")
    assert KEY[-4:] not in cleaned
    assert cleaned == f"Incorrect API key provided: {HIDDEN}. You can find it"


@pytest.mark.parametrize("key", [None, "", "x", "abc"])
def test_no_key_or_a_placeholder_changes_no_text(key: str | None) -> None:
    assert KeyScrubber(key).text("x abc *** nothing") == "x abc *** nothing"


@given(st.recursive(st.text() | st.integers(), lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner)))
def test_data_keeps_its_form(data: object) -> None:
    wrapped = {"key": KEY, KEY: [data, (KEY.encode(), KEY)]}
    cleaned = KeyScrubber(KEY).data(wrapped)
    assert KEY not in repr(cleaned)
    assert list(cleaned) == ["key", HIDDEN]
    assert isinstance(cleaned[HIDDEN][1], tuple)


def test_causes_contexts_and_attributes_are_cleaned() -> None:
    """Also a chain that closes upon itself."""
    error = RuntimeError("outer", {"sent": KEY})
    error.body = {"message": KEY}  # type: ignore[attr-defined]
    error.__cause__, error.__context__ = ValueError(f"deep {KEY}"), KeyError(KEY)
    error.__cause__.__cause__ = error
    KeyScrubber(KEY).error(error)
    assert KEY not in f"{error!r} {error.__cause__!r} {error.__context__!r} {vars(error)}"


def test_an_os_error_keeps_its_number() -> None:
    """Its text comes from number and words, which hold no key; its type decides on a retry."""
    error = ConnectionRefusedError(111, "Connection refused")
    KeyScrubber(KEY).error(error)
    assert (error.errno, str(error)) == (111, "[Errno 111] Connection refused")


def _told(error: BaseException, network_failed: bool = False, name: str = "gemini") -> BackendError:
    with pytest.raises(BackendError) as raised:
        ErrorTeller(name, "the-model", "http://host", KEY).tell(error, network_failed)
    return raised.value


class _Refused(Exception):
    """Like the error of a client library."""

    def __init__(self, status: int, body: str) -> None:
        super().__init__(body)
        self.status_code, self.response = status, ServerAnswer(status, {"retry-after": "3"}, body)


@given(st.sampled_from([400, 401, 403, 404, 408, 418, 429, 500, 503, 529]), st.text())
def test_any_body_gives_one_line(status: int, body: str) -> None:
    """Hostile, empty, huge or no JSON at all: the line is one, of bounded length, and the status stays."""
    error = _told(_Refused(status, body * 50))
    assert len(str(error).splitlines()) == 1
    assert len(str(error)) < 800
    assert isinstance(error, ProviderError)
    assert error.status_code == status
    assert ErrorClassifier.classify_error(error) is ErrorClassifier.classify_error("", status)


@pytest.mark.parametrize(
    "body",
    [
        {"error": {"message": "Slow down", "code": None}},
        [{"error": {"message": "Slow down"}}],
        {"message": "Slow down"},
        {"error": "Slow down"},
        {"detail": "Slow down"},
    ],
)
def test_the_providers_words_are_found_in_each_of_their_forms(body: object) -> None:
    assert str(_told(_Refused(429, json.dumps(body)))) == "gemini answered 429: Slow down"


def test_the_quota_that_is_spent_is_named() -> None:
    body = json.dumps({"error": {"message": "Spent", "details": [{"violations": [{"quotaId": "RequestsPerDay"}]}]}})
    error = _told(_Refused(429, body))
    assert str(error) == "gemini answered 429: Spent (quota: RequestsPerDay)"
    assert ErrorClassifier.classify_error(error) is ErrorType.PERMANENT


def test_a_lost_connection_names_its_innermost_cause() -> None:
    outer = OSError("Connection error.")
    outer.__cause__ = ConnectionRefusedError(111, "Connection refused")
    error = _told(outer, network_failed=True)
    assert isinstance(error, ConnectionLostError)
    assert "Connection refused" in str(error)
    assert isinstance(error, ConnectionError)


def test_an_error_survives_pickling() -> None:
    """Worker processes send errors to their parent."""
    import pickle

    error = pickle.loads(pickle.dumps(ProviderError("line", ServerAnswer(429, {"x-request-id": "r1"}, "{}"))))
    assert (str(error), error.status_code, error.request_id) == ("line", 429, "r1")


def test_a_time_out_and_an_error_told_already_pass_as_they_are() -> None:
    for error in (TimeoutError("no whole answer within 3 s"), ProviderError("told")):
        with pytest.raises(type(error), match=str(error)):
            ErrorTeller("gemini", "m", "http://host", KEY).tell(error, False)
