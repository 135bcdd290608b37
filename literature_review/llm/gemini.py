"""Gemini, through Google's own client (google-genai): one request per question."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from typing import Any

from literature_review.config_shape import on_this_machine
from literature_review.errors import UsageError
from literature_review.llm.chat import ModelAnswer, ModelQuestion
from literature_review.llm.client_settings import (
    MOST_CONNECTIONS,
    checked_key,
    checked_url,
    client_library,
    http_library,
    sendable,
)
from literature_review.llm.connections import client_options
from literature_review.llm.provider_errors import ErrorTeller
from literature_review.llm.timed_calls import TimedCalls

DEFAULT_MODEL = "gemini-3.8-flash"
BASE_URL = "https://generativelanguage.googleapis.com"
API_VERSION = "v1beta"
SHORTEST_SERVER_TIMEOUT = 10.0  # seconds; the API refuses a request that names less
_COMPLETE = ("STOP", "FINISH_REASON_UNSPECIFIED")
_CUT = ("MAX_TOKENS", "CONTINUATION")
# The model's own faults, no filter's: what it wrote is looked at, and asked for again where it cannot be used.
_FAULTY = ("OTHER", "MALFORMED_RESPONSE", "MALFORMED_FUNCTION_CALL", "UNEXPECTED_TOOL_CALL", "TOO_MANY_TOOL_CALLS")


class GeminiModel:
    """Keeps ChatModel. Nothing is read from the environment: neither the client's key variables nor its base URL,
    its version or its switch to Vertex AI.

    `api_key` None is for a server of one's own at `base_url`; `connections`: requests under way at most. Raises
    UsageError for a key or URL that cannot be one.
    """

    name = "gemini"

    def __init__(
        self, model: str, api_key: str | None, base_url: str | None = None, connections: int = MOST_CONNECTIONS
    ) -> None:
        key, url = checked_key(api_key), checked_url(base_url or BASE_URL)
        if key is None and base_url is None:
            raise UsageError("gemini needs an API key")
        self.model = model
        # What a question of extraction needs; the thinking of these models is paid for like any other output.
        self.parameters: Mapping[str, Any] = (
            {"temperature": 0, "thinking_level": "low"} if model.startswith("gemini-3") else {"temperature": 0}
        )
        self._errors = ErrorTeller(self.name, model, url, key)
        self._calls = TimedCalls(f"{self.name} requests")
        self._connect(key or "none", url, connections)

    def _connect(self, key: str, url: str, connections: int) -> None:
        import logging
        import warnings

        genai = client_library("google.genai")
        # The client warns of what an API newer than itself answers, which is looked at here.
        warnings.filterwarnings("ignore", r".* is not a valid ", UserWarning, r"google\.genai")
        # It warns of key variables that it finds, though it is given its key.
        logging.getLogger("google_genai").addHandler(logging.NullHandler())
        http = http_library()
        self._types, self._network_error = genai.types, http.TransportError
        options = client_options(http, connections, trust_env=not on_this_machine(url))
        self._http = http.AsyncClient(**options)
        self._client = genai.Client(
            vertexai=False,
            api_key=key,
            http_options=genai.types.HttpOptions(
                base_url=url,
                api_version=API_VERSION,
                client_args={"verify": options["verify"]},
                httpx_async_client=self._http,
            ),
        )

    def ask(self, question: ModelQuestion, timeout: float | None) -> ModelAnswer:
        """Keeps ChatModel.ask. Raises ProviderError (ConnectionLostError where no whole answer came) from what the
        client raised, and TimeoutError."""
        try:
            return self._errors.without_key(self._calls.run(lambda: self._request(question, timeout), timeout))
        except json.JSONDecodeError as error:
            self._errors.tell_unreadable(error.doc, error)
        except Exception as error:  # noqa: BLE001, whatever the client raises is told without the key
            self._errors.tell(error, isinstance(error, self._network_error))

    def close(self) -> None:
        self._calls.close(self._http.aclose)

    async def _request(self, question: ModelQuestion, timeout: float | None) -> ModelAnswer:
        self._types.GenerateContentResponse.model_rebuild()  # takes long once, else while the first answers wait for it
        heard = await self._client.aio.models.generate_content(
            model=self.model, contents=sendable(question.user), config=self._config(question, timeout)
        )
        if heard.candidates is None and heard.prompt_feedback is None:
            self._errors.tell_unreadable(heard.model_dump_json(exclude_none=True, exclude={"sdk_http_response"}))
        return _answer(heard)

    def _config(self, question: ModelQuestion, timeout: float | None) -> Any:
        settings = dict(self.parameters)
        thinking = settings.pop("thinking_level", None)
        if thinking is not None:
            settings["thinking_config"] = {"thinking_level": thinking}
        if timeout is not None and timeout >= SHORTEST_SERVER_TIMEOUT:
            # an answer that nobody waits for any more need not be made, and is not paid for
            settings["http_options"] = {"headers": {"X-Server-Timeout": str(math.ceil(timeout))}}
        if "automatic_continuation" in self._types.GenerateContentConfig.model_fields:
            settings["automatic_continuation"] = False  # newer clients else ask again by themselves
        return self._types.GenerateContentConfig(
            system_instruction=sendable(question.system) or None,
            max_output_tokens=question.max_output_tokens,
            response_mime_type="application/json",
            response_json_schema=dict(question.schema) or None,
            automatic_function_calling=self._types.AutomaticFunctionCallingConfig(disable=True),
            **settings,
        )


def _answer(heard: Any) -> ModelAnswer:
    """The client's response as a ModelAnswer. A prompt or an answer that the filters stopped is `blocked`."""
    candidate = next(iter(heard.candidates or ()), None)
    parts = (candidate.content.parts if candidate is not None and candidate.content is not None else None) or ()
    usage = heard.usage_metadata
    return ModelAnswer(
        text="".join(part.text for part in parts if part.text and not part.thought),
        input_tokens=(usage.prompt_token_count or 0) if usage is not None else None,
        output_tokens=_output_tokens(usage) if usage is not None else None,
        request_id=heard.response_id or "",
        finish=_finish(candidate),
    )


def _output_tokens(usage: Any) -> int:
    """Thinking is paid for as output. The API leaves a count of 0 out."""
    return (usage.candidates_token_count or 0) + (usage.thoughts_token_count or 0)


def _finish(candidate: Any) -> str:
    if candidate is None:
        return "blocked"
    reason = str(getattr(candidate.finish_reason, "value", candidate.finish_reason) or "STOP")
    return "complete" if reason in _COMPLETE + _FAULTY else "cut" if reason in _CUT else "blocked"
