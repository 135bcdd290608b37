"""What model_server.py hears and says: a request of either wire format, and a reply."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

SECRET_HEADERS = ("authorization", "x-goog-api-key")


@dataclass
class Request:
    """One request. `at`, `ended`: monotonic seconds of its arrival (read whole) and of its reply.

    `wire`: gemini, openai, or empty for a path that neither has. `headers`: names in small letters, without the key;
    `key_right` says whether it was the right one. `status`: what was sent, 0 for nothing. Tokens are the server's
    count: characters / 4.
    """

    number: int
    at: float
    path: str
    wire: str = ""
    model: str = ""
    system: str = ""
    user: str = ""
    schema: Mapping[str, Any] = field(default_factory=dict)
    max_output_tokens: int | None = None
    body: Mapping[str, Any] = field(default_factory=dict)
    headers: Mapping[str, str] = field(default_factory=dict)
    key: str = field(default="", repr=False)  # only so that a refusal can quote part of it, as providers do
    key_right: bool = True
    input_tokens: int = 0
    output_tokens: int = 0
    status: int = 0
    ended: float = 0.0

    @property
    def prompt(self) -> str:
        return f"{self.system}\n{self.user}"


@dataclass(frozen=True)
class Reply:
    """What to send. `delay`: seconds beside the server's latency. `drop`: close (the connection, without a word) or
    reset. `cut_at`: bytes of the body after which the connection ends. `drip`: seconds between blanks that follow the
    body for ever."""

    status: int = 200
    body: str | bytes = ""
    headers: Mapping[str, str] = field(default_factory=dict)
    content_type: str = "application/json"
    delay: float = 0.0
    drop: str = ""
    cut_at: int | None = None
    drip: float = 0.0
    output_tokens: int = 0


def read_request(number: int, at: float, head: bytes, body: bytes, key: str | None) -> Request:
    """A request from its bytes. `key`: the one that is right, None for any."""
    first, *lines = head.decode("latin-1").strip().split("\r\n")
    headers = {name.strip().lower(): value.strip() for name, _, value in (line.partition(":") for line in lines)}
    sent = headers.get("x-goog-api-key") or headers.get("authorization", "").removeprefix("Bearer ")
    request = Request(number, at, first.split(" ")[1].partition("?")[0])
    request.headers = {name: value for name, value in headers.items() if name not in SECRET_HEADERS}
    request.key, request.key_right = sent, key is None or sent == key
    if request.path.endswith("/chat/completions"):
        _read_openai(request, json.loads(body))
    elif request.path.endswith(":generateContent"):
        _read_gemini(request, json.loads(body))
    request.input_tokens = len(request.prompt) // 4
    return request


def _read_gemini(request: Request, body: Mapping[str, Any]) -> None:
    settings = body.get("generationConfig", {})
    request.wire, request.body = "gemini", body
    request.model = request.path.rpartition("/")[2].partition(":")[0]
    request.system = _parts(body.get("systemInstruction", {}))
    request.user = "".join(_parts(content) for content in body["contents"])
    request.schema = settings.get("responseJsonSchema", {})
    request.max_output_tokens = settings.get("maxOutputTokens")


def _parts(content: Mapping[str, Any]) -> str:
    return "".join(part.get("text", "") for part in content.get("parts", []))


def _read_openai(request: Request, body: Mapping[str, Any]) -> None:
    said = {message["role"]: message["content"] for message in body["messages"]}
    request.wire, request.body, request.model = "openai", body, body["model"]
    request.system, request.user = said.get("system", ""), said.get("user", "")
    request.schema = body.get("response_format", {}).get("json_schema", {}).get("schema", {})
    request.max_output_tokens = body.get("max_completion_tokens") or body.get("max_tokens")
