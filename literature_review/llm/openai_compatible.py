"""OpenAI and every server that speaks its chat completions (llama.cpp, vLLM, Ollama ...), through OpenAI's own client:
one request per question."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from importlib import import_module
from typing import Any

from literature_review.config_shape import on_this_machine
from literature_review.errors import UsageError
from literature_review.llm.chat import ModelAnswer, ModelQuestion
from literature_review.llm.client_settings import (
    MOST_CONNECTIONS,
    checked_key,
    checked_url,
    client_library,
    sendable,
)
from literature_review.llm.connections import client_options
from literature_review.llm.provider_errors import ErrorTeller
from literature_review.llm.timed_calls import TimedCalls

DEFAULT_MODEL = "gpt-5.4-mini"
BASE_URL = "https://api.openai.com/v1"
_FINISHES = {"stop": "complete", "length": "cut", "content_filter": "blocked"}
# Of the provider's own models: those that take a temperature only when told not to think, and those that take none.
_MAY_THINK = re.compile(r"gpt-5\.\d+(?:-mini|-nano)?(?:-\d{4}-\d\d-\d\d)?")
_ALWAYS_THINKS = re.compile(r"o\d|gpt-[5-9]")
# What the strict mode of structured output refuses; the answer is validated against the whole schema after.
_NOT_STRICT = ("minLength", "maxLength", "uniqueItems", "$schema", "title")


class OpenAICompatibleModel:
    """Keeps ChatModel. Nothing is read from the environment: neither the client's key variables nor its base URL, its
    organization or an Authorization among its custom headers.

    `api_key` None sends none, as a server on one's own machine needs none; with no `base_url` it is a UsageError,
    like a key or URL that cannot be one. `connections`: requests under way at most.
    """

    name = "openai_compatible"

    def __init__(
        self, model: str, api_key: str | None, base_url: str | None = None, connections: int = MOST_CONNECTIONS
    ) -> None:
        key, url = checked_key(api_key), checked_url(base_url or BASE_URL)
        if key is None and base_url is None:
            raise UsageError("openai_compatible needs an API key, or llm.base_url for a server that needs none")
        self.model = model
        # Local servers know the older name of the limit alone, the provider's thinking models the newer alone.
        is_provider = url == BASE_URL
        self._limit = "max_completion_tokens" if is_provider else "max_tokens"
        self.parameters: Mapping[str, Any] = _parameters(model) if is_provider else {"temperature": 0}
        self._errors = ErrorTeller(self.name, model, url, key)
        self._calls = TimedCalls(f"{self.name} requests")
        self._connect(key, url, connections)

    def _connect(self, key: str | None, url: str, connections: int) -> None:
        self._openai = openai = client_library("openai")
        # An Authorization that is set here stands above one in OPENAI_CUSTOM_HEADERS, also where it says: none.
        authorization: Any = f"Bearer {key}" if key else openai.Omit()
        self._headers = {"Authorization": authorization}
        client = openai.DefaultAsyncHttpxClient
        http = import_module(client.__mro__[-2].__module__.partition(".")[0])  # httpx or httpx2, as it is made of
        self._client = openai.AsyncOpenAI(
            api_key=key or "none",
            base_url=url,
            max_retries=0,
            timeout=None,  # TimedCalls has them
            # A proxy of the environment is not asked for a server on this machine. A redirect would be a second request
            # that no ledger knows of, and take the paper to an address that nobody named.
            http_client=client(
                follow_redirects=False, **client_options(http, connections, trust_env=not on_this_machine(url))
            ),
        )
        self._client.organization = self._client.project = None

    def ask(self, question: ModelQuestion, timeout: float | None) -> ModelAnswer:
        """Keeps ChatModel.ask. Raises ProviderError (ConnectionLostError where no whole answer came) from what the
        client raised, and TimeoutError."""
        try:
            return self._errors.without_key(self._calls.run(lambda: self._request(question), timeout))
        except json.JSONDecodeError as error:
            self._errors.tell_unreadable(error.doc, error)
        except Exception as error:  # noqa: BLE001, whatever the client raises is told without the key
            if getattr(error, "code", None) == "content_filter":
                return ModelAnswer("", finish="blocked")  # some servers refuse a prompt as an error of status 400
            self._errors.tell(error, isinstance(error, self._openai.APIConnectionError))

    def close(self) -> None:
        self._calls.close(self._client.close)

    async def _request(self, question: ModelQuestion) -> ModelAnswer:
        settings: dict[str, Any] = {self._limit: question.max_output_tokens, **self.parameters}
        if question.schema:
            settings["response_format"] = _response_format(question)
        heard = await self._client.chat.completions.create(
            model=self.model,
            messages=[
                {"role": "system", "content": sendable(question.system)},
                {"role": "user", "content": sendable(question.user)},
            ],
            extra_headers=self._headers,
            **settings,
        )
        choices = getattr(heard, "choices", None)
        if not isinstance(choices, list) or not choices:
            self._tell_no_answer(heard)
        return _answer(heard)

    def _tell_no_answer(self, heard: Any) -> None:
        """Raise for what came under the status 200 and is no completion: a page, other JSON, or an error."""
        error = getattr(heard, "error", None)
        if error and isinstance(error, str):
            error = {"message": error}
        if isinstance(error, dict):
            code = str(error.get("code"))
            status = int(code) if code.isdigit() else 429 if "rate_limit" in code or "quota" in code else 500
            self._errors.tell_status(status, json.dumps({"error": error}))
        self._errors.tell_unreadable(heard if isinstance(heard, str) else _json_of(heard))


def _parameters(model: str) -> dict[str, Any]:
    if _MAY_THINK.fullmatch(model):
        return {"temperature": 0, "reasoning_effort": "none"}
    return {"reasoning_effort": "low"} if _ALWAYS_THINKS.match(model) else {"temperature": 0}


def _response_format(question: ModelQuestion) -> dict[str, Any]:
    """The schema as `response_format`; strict where each object lists its fields and all of them are required."""
    name = re.sub(r"[^A-Za-z0-9_-]", "_", question.prompt)[:64] or "answer"
    strict = _can_be_strict(question.schema)
    schema = _without(question.schema, _NOT_STRICT) if strict else question.schema
    return {"type": "json_schema", "json_schema": {"name": name, "strict": strict, "schema": schema}}


def _can_be_strict(schema: Any) -> bool:
    if isinstance(schema, Mapping):
        fields = schema.get("properties")
        if isinstance(fields, Mapping) and (
            schema.get("additionalProperties") is not False or set(schema.get("required", ())) != set(fields)
        ):
            return False
        return all(_can_be_strict(part) for part in schema.values())
    return all(_can_be_strict(part) for part in schema) if isinstance(schema, (list, tuple)) else True


def _without(schema: Any, names: tuple[str, ...], are_fields: bool = False) -> Any:
    """The schema without those keywords; fields that bear such a name stay."""
    if isinstance(schema, Mapping):
        return {
            name: _without(part, names, are_fields=name in ("properties", "$defs") and not are_fields)
            for name, part in schema.items()
            if are_fields or name not in names
        }
    return [_without(part, names) for part in schema] if isinstance(schema, (list, tuple)) else schema


def _json_of(heard: Any) -> str:
    """What the client read, as it was sent."""
    sent = getattr(heard, "to_json", None)
    return str(sent(indent=None, warnings=False)) if sent is not None else json.dumps(heard, default=_json_of)


def _answer(heard: Any) -> ModelAnswer:
    """The client's completion as a ModelAnswer. A refusal is `blocked`, its words are the text.

    The client takes what comes as it is, so that any of it may be missing or of another kind: what a server of one's
    own leaves out is not known."""
    choice, usage = heard.choices[0], heard.usage
    message = getattr(choice, "message", None)
    refused = getattr(message, "refusal", None)
    return ModelAnswer(
        text=refused or _text_of(message),
        input_tokens=getattr(usage, "prompt_tokens", None),
        output_tokens=getattr(usage, "completion_tokens", None),
        request_id=str(getattr(heard, "_request_id", None) or heard.id or ""),
        finish="blocked" if refused else _FINISHES.get(str(getattr(choice, "finish_reason", "")), "complete"),
    )


def _text_of(message: Any) -> str:
    """The content, also where it comes in parts. Where it is empty, what stands under the model's thoughts: servers
    that part thoughts from answers by their marks put an answer without the marks there."""
    content = getattr(message, "content", None)
    if isinstance(content, list):
        content = "".join(str(part.get("text", "")) for part in content if isinstance(part, dict))
    elif content and not isinstance(content, str):
        content = json.dumps(content)
    if content and content.strip():
        return str(content)
    thoughts = (getattr(message, name, None) for name in ("reasoning_content", "reasoning"))
    return next((text for text in thoughts if isinstance(text, str) and text), "")
