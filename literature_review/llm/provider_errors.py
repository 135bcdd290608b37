"""What goes wrong at a provider, told in one line that says what to do, and without the key.

    the client's exception --KeyScrubber: text and causes without the key--> ProviderError, raised from it

The machine-readable parts stay within reach, so that whoever retries can tell a throttle from a spent quota: the
status, the header Retry-After, Gemini's RetryInfo and QuotaFailure, OpenAI's `insufficient_quota`.
"""

from __future__ import annotations

import json
import os
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Any, NoReturn

from literature_review.errors import BackendError
from literature_review.llm.chat import ModelAnswer

HIDDEN = "[key]"
_SURELY = 16  # characters in a row that are no chance
_PART = 8  # characters in a row that give a part of a key away
_SHORTEST_KEY = 4  # a shorter one, such as "x", is no secret, and a part of common words
_MASKED = re.compile(r"[\w-]*(?:\*{3,}|\.{3}(?=\w{4}\b))[\w-]*")  # what providers show of a key: sk-abc***wxyz
_SHOWN = 400  # characters of a provider's own words
_TEXT_LIMIT = 16_000
_HEADERS = ("retry-after", "content-type", "x-request-id", "location")
_SENT_ON = (301, 302, 303, 307, 308)
_BAD_KEY = re.compile(r"api[ _]key[ _](?:not valid|invalid|expired)|api_key_invalid", re.IGNORECASE)
_TOO_LONG = re.compile(r"context[ _](?:length|size|window)|maximum context|n_ctx|input token count", re.IGNORECASE)
_NO_SCHEMA = re.compile(r"response_format|json_schema|guided_json|structured output", re.IGNORECASE)
_QUOTA = re.compile(r'"quotaId":\s*"([\w-]+)"')
_UNREACHED = ("ConnectError", "ConnectTimeout")  # of httpx, by name: it is not imported here
_ATTRIBUTES = ("message", "body", "details", "doc", "object", "code", "status", "type")


@dataclass(frozen=True)
class ServerAnswer:
    """What is kept of an HTTP answer: names of `headers` in small letters, `text` of at most 16,000 characters."""

    status_code: int
    headers: Mapping[str, str]
    text: str


class ProviderError(BackendError):
    """The provider gave no answer. `status_code`: of HTTP, None where there was none; `response`: what it sent;
    `request_id`: its name for the request, where it told one; `is_shared`: as BackendError has it.

    The cause is what the provider's client raised; nothing in the chain holds the key.
    """

    def __init__(self, message: str, response: ServerAnswer | None = None, is_shared: bool = False) -> None:
        super().__init__(message)
        self.response, self.is_shared = response, is_shared
        self.status_code = response.status_code if response is not None else None
        self.request_id = response.headers.get("x-request-id", "") if response is not None else ""


class ConnectionLostError(ProviderError, ConnectionError):
    """The server could not be reached, or its answer broke off. Transient (a ConnectionError too)."""


class KeyScrubber:
    """Takes a key, whole, in part or masked as providers show it, out of texts and exceptions. Thread-safe."""

    def __init__(self, key: str | None) -> None:
        self._key = key if key and len(key) >= _SHORTEST_KEY else ""
        self._parts = _parts_of(self._key, _PART)
        self._sure = _parts_of(self._key, min(max(len(self._key), _PART), _SURELY))

    def text(self, text: str) -> str:
        if not self._key:
            return text
        text = _MASKED.sub(HIDDEN, text.replace(self._key, HIDDEN))
        return _without(text, self._parts)

    def known(self, text: str) -> str:
        """Takes out only what cannot be anything else, 16 characters of the key in a row: for texts whose every word
        counts."""
        return _without(text, self._sure) if any(part in text for part in self._sure) else text

    def data(self, value: Any) -> Any:
        """The same as `text` of JSON data, tuples and bytes; anything else is returned as it is."""
        if isinstance(value, str):
            return self.text(value)
        if isinstance(value, bytes):
            return self.text(value.decode("utf-8", "replace")).encode()
        if isinstance(value, (list, tuple)):
            return type(value)([self.data(each) for each in value])
        if isinstance(value, dict):
            return {self.data(name): self.data(each) for name, each in value.items()}
        return value

    def error(self, error: BaseException) -> None:
        """The same, in place, of an exception, its causes and what they carry."""
        seen: set[int] = set()
        rest: list[BaseException | None] = [error]
        while rest:
            link = rest.pop()
            if link is None or id(link) in seen:
                continue
            seen.add(id(link))
            rest += [link.__cause__, link.__context__]
            link.args = self.data(link.args)
            for name in _ATTRIBUTES:
                _replace(link, name, self.data)
            _replace(link, "response", self.heard)
            _replace(link, "request", lambda _: None)  # it carries the key in a header

    def heard(self, response: Any) -> ServerAnswer | None:
        """What is kept of a client library's response; None for none."""
        if response is None or isinstance(response, ServerAnswer):
            return response
        kept = {name: self.text(response.headers[name]) for name in _HEADERS if name in response.headers}
        return ServerAnswer(response.status_code, kept, self.text(_body_of(response)[:_TEXT_LIMIT]))


def _parts_of(key: str, size: int) -> set[str]:
    return {key[at : at + size] for at in range(len(key) - size + 1)}


def _without(text: str, parts: set[str]) -> str:
    """The text with HIDDEN for each run of characters that is made of these parts, all of one length."""
    size = len(next(iter(parts), ""))
    found = [at for at in range(len(text) - size + 1) if text[at : at + size] in parts]
    for at in reversed(found):  # from the end, so that what stands before keeps its place
        text = text[:at] + "\0" * size + text[at + size :]
    return re.sub("\0+", HIDDEN, text) if found else text


def _replace(error: BaseException, name: str, change: Any) -> None:
    """Change an exception's own attribute; one that is computed, or cannot be set, is left."""
    for kept_as in (name, "_" + name):  # httpx keeps `_request` behind a property
        if kept_as in error.__dict__ and error.__dict__[kept_as] is not None:
            error.__dict__[kept_as] = change(error.__dict__[kept_as])


def _body_of(response: Any) -> str:
    try:
        return str(response.text)
    except Exception:  # noqa: BLE001, a body that was never read raises the client library's own error
        return ""


class ErrorTeller:
    """Says what went wrong at a provider. `name`: of the back end; `model`; `base_url`: where it was asked."""

    def __init__(self, name: str, model: str, base_url: str, key: str | None) -> None:
        self._name, self._model, self._base_url = name, model, base_url
        self._scrubber = KeyScrubber(key)

    def tell(self, error: BaseException, network_failed: bool) -> NoReturn:
        """Raise a ProviderError from what the client raised. `network_failed`: no answer, or only part of one."""
        self._scrubber.error(error)
        if isinstance(error, (ProviderError, TimeoutError)):
            raise error
        status = next((value for value in (getattr(error, "status_code", None), getattr(error, "code", None))
                       if isinstance(value, int)), None)  # fmt: skip
        heard = getattr(error, "response", None)
        if isinstance(heard, ServerAnswer) and status is not None:
            raise ProviderError(self._refusal(status, heard), heard, _is_shared(status, heard.text)) from error
        if network_failed:
            reached = not any(type(link).__name__ in _UNREACHED for link in _links(error))
            what = "broke the connection off" if reached else "cannot be reached"
            raise ConnectionLostError(
                f"{self._name}: {self._base_url} {what} ({_first_words(error)}); where this goes on, look at "
                "llm.base_url and at whether the server runs"
            ) from error
        raise ProviderError(f"{self._name}: the answer of {self._base_url} could not be read: "
                            f"{_first_words(error)}") from error  # fmt: skip

    def tell_unreadable(self, body: str, error: BaseException | None = None) -> NoReturn:
        """Raise for an answer of status 200 that is not of this API: a web page, or JSON that broke off."""
        if error is not None:
            self._scrubber.error(error)
        shown = _in_one_line(self._scrubber.text(body[:_SHOWN]), 80)
        if body.lstrip()[:1] == "<":
            raise ProviderError(f"{self._name}: {self._base_url} answered with a web page, not with JSON: set "
                                f"llm.base_url to the address of the API itself{self._hint()}",
                                is_shared=True) from error  # fmt: skip
        raise ConnectionLostError(f"{self._name}: what {self._base_url} sent is no whole answer of this API: "
                                  f"{shown or 'it is empty'}") from error  # fmt: skip

    def tell_status(self, status: int, body: str) -> NoReturn:
        """Raise for an error that came inside an answer of status 200."""
        heard = ServerAnswer(status, {}, self._scrubber.text(body[:_TEXT_LIMIT]))
        raise ProviderError(self._refusal(status, heard), heard, _is_shared(status, heard.text))

    def without_key(self, answer: ModelAnswer) -> ModelAnswer:
        """The answer as it is, but for the key, should the server have put it there; what is written of it is kept."""
        text, request_id = map(self._scrubber.known, (answer.text, answer.request_id))
        return replace(answer, text=text, request_id=request_id)

    def _refusal(self, status: int, heard: ServerAnswer) -> str:
        """The line for an error status."""
        said = _in_one_line(_said(heard.text), _SHOWN)
        if status in (401, 403) or (status == 400 and _BAD_KEY.search(heard.text)):
            return (f"{self._name} refused the API key ({status}): set the right one in the environment variable "
                    f"that llm.api_key_env names; the provider says: {said}")  # fmt: skip
        if status in _SENT_ON:
            where = _in_one_line(heard.headers.get("location", "another address"), 160)
            return (f"{self._name}: {self._base_url} sends on to {where} ({status}), which is not followed: set "
                    f"llm.base_url to the address of the API itself{self._hint()}")  # fmt: skip
        if status == 404 and self._model.lower() in said.lower():
            return f"{self._name} knows no model {self._model!r} (404): set llm.model; the provider says: {said}"
        if status == 404:
            return (f"{self._name}: there is no such API at {self._base_url} (404): look at llm.base_url{self._hint()}"
                    f"{'; the server says: ' + said if said else ''}")  # fmt: skip
        quotas = ", ".join(dict.fromkeys(_QUOTA.findall(heard.text)))
        remedy = _remedy(status, heard.text)
        return (f"{self._name} answered {status}: {said or 'no word of why'}{f' (quota: {quotas})' if quotas else ''}"
                f"{'; ' + remedy if remedy else ''}")  # fmt: skip

    def _hint(self) -> str:
        hint = ", which for servers of this kind usually ends in /v1"
        return hint if self._name == "openai_compatible" and not self._base_url.endswith("/v1") else ""


def _is_shared(status: int, body: str) -> bool:
    """No such model, no such API, another address, or a server that takes no schema. (A wrong key is known by its
    status.)"""
    return status in (404, *_SENT_ON) or (status in (400, 422) and _NO_SCHEMA.search(body) is not None)


def _remedy(status: int, body: str) -> str:
    """What to do about a request that a server would not take, where its words say why."""
    if status not in (400, 413, 422):
        return ""
    if _TOO_LONG.search(body):
        return "lower llm.max_input_tokens or llm.max_output_tokens, or give the server a longer context"
    if _NO_SCHEMA.search(body):
        return "the server has to take a JSON schema as response_format: use a newer version of it, or another"
    return ""


def _said(body: str) -> str:
    """The message in an error's body, whichever of the usual forms it has; empty for a web page."""
    try:
        data = json.loads(body)
    except ValueError:
        return "a web page" if body.lstrip()[:1] == "<" else body
    data = data[0] if isinstance(data, list) and data else data
    for name in ("error", "message", "detail"):
        data = data.get(name, data) if isinstance(data, dict) else data
    return data if isinstance(data, str) else body


def _links(error: BaseException) -> Iterator[BaseException]:
    """The error and what it came from, outermost first; of several reasons together the first. httpcore says `from
    None` on its way out, so that only the context knows of the socket's own error."""
    link: BaseException | None = error
    for _ in range(10):
        if link is None:
            return
        yield link
        members = getattr(link, "exceptions", None)
        within = link.__context__ if type(link).__module__.startswith("httpcore") else None
        link = members[0] if members else link.__cause__ or within


def _first_words(error: BaseException) -> str:
    """The innermost cause in a line: it says "Connection refused" where the outermost says "Connection error"."""
    words = type(error).__name__
    for link in _links(error):
        if isinstance(link, OSError) and link.errno is not None:
            words = os.strerror(link.errno) if link.errno > 0 else link.strerror or words  # below 0: a name's look-up
        else:
            words = str(link) or words
    return _in_one_line(words, 160)


def _in_one_line(text: str, length: int) -> str:
    line = " ".join(text.split())
    return line if len(line) <= length else line[: length - 3] + "..."
