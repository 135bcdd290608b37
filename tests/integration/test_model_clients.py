"""What only one of the two clients does: the dialect of each provider, and of the servers that speak like it."""

from __future__ import annotations

import gc
import json
import subprocess
import sys
from collections.abc import Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from itertools import accumulate
from typing import Any

import pytest

pytest.importorskip("openai", reason="needs the extra openai")
pytest.importorskip("google.genai", reason="needs the extra gemini")

from model_faults import wrapped_error
from model_server import ModelServer
from model_wire import Reply

from literature_review.errors import MissingExtraError
from literature_review.llm import client_settings, gemini, openai_compatible
from literature_review.llm.chat import ModelQuestion
from literature_review.llm.gemini import GeminiModel
from literature_review.llm.openai_compatible import OpenAICompatibleModel
from literature_review.llm.provider_errors import ProviderError
from literature_review.pipeline.orchestrator_v2 import ErrorClassifier, ErrorType

pytestmark = pytest.mark.integration

LOOSE: Mapping[str, Any] = {"type": "object", "properties": {"quote": {"type": "string"}}}
STRICT = {**LOOSE, "required": ["quote"], "additionalProperties": False}
QUESTION = ModelQuestion("dra/1", "Look again.", "The paper", STRICT, 99)


@pytest.fixture(scope="module")
def running() -> Iterator[ModelServer]:
    with ModelServer() as server:
        yield server


@pytest.fixture
def server(running: ModelServer) -> ModelServer:
    running.answer = lambda request: "{}"
    running.requests.clear()
    return running


@pytest.fixture
def openai(server: ModelServer) -> Iterator[OpenAICompatibleModel]:
    model = OpenAICompatibleModel("local", None, f"{server.base_url}/v1/")
    yield model
    model.close()


@pytest.fixture
def google(server: ModelServer) -> Iterator[GeminiModel]:
    model = GeminiModel("gemini-3.8-flash", "a-key-for-tests", server.base_url)
    yield model
    model.close()


def test_paths_are_those_of_the_providers(
    openai: OpenAICompatibleModel, google: GeminiModel, server: ModelServer
) -> None:
    openai.ask(QUESTION, 5.0)
    google.ask(QUESTION, 5.0)
    assert [asked.path for asked in server.requests] == [
        "/v1/chat/completions",
        "/v1beta/models/gemini-3.8-flash:generateContent",
    ]


def test_a_server_without_a_key_gets_no_authorization(openai: OpenAICompatibleModel, server: ModelServer) -> None:
    openai.ask(QUESTION, 5.0)
    assert server.requests[0].key == ""


@pytest.mark.parametrize(
    ("schema", "strict"), [(STRICT, True), (LOOSE, False), ({"type": "array", "items": LOOSE}, False)]
)
def test_a_schema_is_strict_where_it_can_be(
    openai: OpenAICompatibleModel, server: ModelServer, schema: Mapping[str, Any], strict: bool
) -> None:
    """OpenAI refuses a strict schema whose objects leave fields open or optional."""
    openai.ask(replace(QUESTION, schema=schema), 5.0)
    sent = server.requests[0].body["response_format"]
    assert sent == {"type": "json_schema", "json_schema": {"name": "dra_1", "strict": strict, "schema": schema}}


def test_what_the_strict_mode_refuses_is_left_out(openai: OpenAICompatibleModel, server: ModelServer) -> None:
    """But a field that bears such a name stays."""
    field = {"type": "string", "maxLength": 9, "title": "A"}
    schema = {**STRICT, "properties": {"title": field}, "required": ["title"], "$schema": "x"}
    openai.ask(replace(QUESTION, schema=schema), 5.0)
    assert server.requests[0].schema == {
        "type": "object",
        "properties": {"title": {"type": "string"}},
        "required": ["title"],
        "additionalProperties": False,
    }


def test_local_servers_get_the_older_name_of_the_limit(openai: OpenAICompatibleModel, server: ModelServer) -> None:
    openai.ask(QUESTION, 5.0)
    assert server.requests[0].body["max_tokens"] == 99
    assert "max_completion_tokens" not in server.requests[0].body


@pytest.mark.parametrize(
    ("model", "parameters"),
    [
        (openai_compatible.DEFAULT_MODEL, {"temperature": 0, "reasoning_effort": "none"}),
        ("gpt-5.4-mini-2026-03-17", {"temperature": 0, "reasoning_effort": "none"}),
        ("gpt-4.1-mini", {"temperature": 0}),
        ("gpt-5", {"reasoning_effort": "low"}),
        ("gpt-6-luna", {"reasoning_effort": "low"}),
        ("o3", {"reasoning_effort": "low"}),
    ],
)
def test_a_model_that_takes_no_temperature_is_sent_none(model: str, parameters: Mapping[str, Any]) -> None:
    """OpenAI refuses it with 400 for models that always think; a server of one's own gets 0 whatever its name."""
    made = OpenAICompatibleModel(model, "a-key-for-tests")
    assert made.parameters == parameters
    made.close()
    own = OpenAICompatibleModel(model, None, "http://127.0.0.1:1")
    assert own.parameters == {"temperature": 0}
    own.close()


ANSWER = '{"quote": "tea"}'
MESSAGE: Mapping[str, Any] = {"role": "assistant", "content": ANSWER}
COUNTED = {"prompt_tokens": 5, "completion_tokens": 6}


def completion(message: Any = MESSAGE, usage: Any = COUNTED, **more: Any) -> Reply:
    """A completion as servers of one's own send it. `more`: fields of the choice."""
    choices = [{"index": 0, "message": message, "finish_reason": "stop", **more}]
    return Reply(body=json.dumps({"object": "chat.completion", "choices": choices, "usage": usage}))


@pytest.mark.parametrize(
    ("reply", "counted"),
    [
        (completion(usage=None), (None, None)),
        (completion(usage={}), (None, None)),
        (completion(usage={"total_tokens": 11}), (None, None)),
        (completion(usage={"prompt_tokens": 5}), (5, None)),
        (completion(usage=[]), (None, None)),
        (completion(usage="not told"), (None, None)),
        (completion(finish_reason=None), (5, 6)),
        (completion(finish_reason="eos"), (5, 6)),
        (completion({**MESSAGE, "tool_calls": None, "reasoning_content": "Hm."}, timings={"n": 1}), (5, 6)),
        (completion({"role": "assistant", "content": None, "reasoning_content": ANSWER}), (5, 6)),
        (completion({"role": "assistant", "content": "", "reasoning": ANSWER}), (5, 6)),
        (completion({**MESSAGE, "content": [{"type": "text", "text": ANSWER}]}), (5, 6)),
        (completion({**MESSAGE, "content": json.loads(ANSWER)}), (5, 6)),
        (Reply(body=json.dumps({"choices": [{"message": MESSAGE}]})), (None, None)),
        (Reply(body=json.dumps({"id": 17, "choices": [{"message": MESSAGE}], "usage": COUNTED})), (5, 6)),
    ],
)
def test_answers_of_servers_of_ones_own_are_taken_as_they_are(
    openai: OpenAICompatibleModel, server: ModelServer, reply: Reply, counted: tuple[int | None, int | None]
) -> None:
    """llama.cpp, vLLM, Ollama and their like leave fields out and add others; what they do not count is not known."""
    server.answer = lambda request: reply
    answer = openai.ask(QUESTION, 5.0)
    assert (answer.text, answer.finish) == (ANSWER, "complete")
    assert (answer.input_tokens, answer.output_tokens) == counted
    assert isinstance(answer.request_id, str)


@pytest.mark.parametrize("choice", [{"message": None}, {"message": {"content": None}}, {}, None, []])
def test_a_choice_without_words_is_an_empty_answer(
    openai: OpenAICompatibleModel, server: ModelServer, choice: Any
) -> None:
    """It was an answer, and may have been paid for: whoever asked decides whether to ask again."""
    server.answer = lambda request: Reply(body=json.dumps({"choices": [choice]}))
    answer = openai.ask(QUESTION, 5.0)
    assert (answer.text, answer.finish) == ("", "complete")


@pytest.mark.parametrize("body", ["null", "5", '{"choices": {}}', '{"choices": "x"}', '[{"error": "x"}]'])
def test_json_that_is_no_completion_is_shown_as_it_was_sent(
    openai: OpenAICompatibleModel, server: ModelServer, body: str
) -> None:
    server.answer = lambda request: Reply(body=body)
    with pytest.raises(ProviderError, match="is no whole answer of this API: ") as raised:
        openai.ask(QUESTION, 5.0)
    assert "ChatCompletion" not in str(raised.value)


@pytest.mark.parametrize(
    ("status", "body", "remedy"),
    [
        (400, {"error": {"message": "response_format type json_schema is not supported"}}, "as response_format"),
        (422, {"detail": [{"loc": ["body", "response_format", "type"]}]}, "as response_format"),
        (400, {"error": {"message": "the request exceeds the available context size"}}, "lower llm.max_input_tokens"),
        (400, {"error": {"message": "Too long.", "code": "context_length_exceeded"}}, "lower llm.max_input_tokens"),
        (400, {"object": "error", "message": "maximum context length is 4096"}, "lower llm.max_input_tokens"),
        (404, {"error": {"message": 'model "local" not found, try pulling it first'}}, "set llm.model"),
    ],
)
def test_what_a_server_of_ones_own_refuses_is_told_with_the_remedy(
    openai: OpenAICompatibleModel, server: ModelServer, status: int, body: Mapping[str, Any], remedy: str
) -> None:
    server.answer = lambda request: Reply(status, json.dumps(body))
    with pytest.raises(ProviderError, match=remedy) as raised:
        openai.ask(QUESTION, 5.0)
    assert ErrorClassifier.classify_error(raised.value) is ErrorType.PERMANENT


def test_the_providers_own_address_written_out_is_the_provider() -> None:
    """Its thinking models refuse the older name of the limit, and a temperature."""
    written, left_out = (
        OpenAICompatibleModel("gpt-5", "a-key-for-tests", url) for url in (openai_compatible.BASE_URL + "/", None)
    )
    assert written.parameters == left_out.parameters
    assert written._limit == left_out._limit
    written.close()
    left_out.close()


@pytest.mark.parametrize("reason", ["OTHER", "MALFORMED_RESPONSE", "MALFORMED_FUNCTION_CALL"])
@pytest.mark.filterwarnings("ignore:.* is not a valid FinishReason")
def test_an_answer_that_gemini_itself_calls_faulty_is_not_blocked(
    google: GeminiModel, server: ModelServer, reason: str
) -> None:
    """No filter stopped it: it may be asked for again."""
    server.answer = lambda request: Reply(body=json.dumps({"candidates": [{"finishReason": reason}]}))
    answer = google.ask(QUESTION, 5.0)
    assert (answer.text, answer.finish) == ("", "complete")


def test_an_error_under_status_200_is_one(openai: OpenAICompatibleModel, server: ModelServer) -> None:
    """Some gateways send errors so; a throttle among them is transient."""
    server.answer = wrapped_error
    with pytest.raises(Exception, match="answered 429: Provider is busy") as raised:
        openai.ask(QUESTION, 5.0)
    assert ErrorClassifier.classify_error(raised.value) is ErrorType.TRANSIENT
    server.answer = lambda request: Reply(body='{"error": {"code": 401, "message": "No"}}')
    with pytest.raises(Exception, match="refused the API key") as raised:
        openai.ask(QUESTION, 5.0)
    assert ErrorClassifier.classify_error(raised.value) is ErrorType.PERMANENT


def test_a_server_that_counts_no_tokens(openai: OpenAICompatibleModel, server: ModelServer) -> None:
    """Then nothing is known of them, which is not the same as 0."""
    server.answer = lambda request: Reply(
        body='{"id": "", "choices": [{"message": {"content": "{}"}, "finish_reason": "stop"}]}'
    )
    answer = openai.ask(QUESTION, 5.0)
    assert (answer.text, answer.input_tokens, answer.output_tokens) == ("{}", None, None)


def test_thoughts_are_no_part_of_geminis_answer(google: GeminiModel, server: ModelServer) -> None:
    server.answer = lambda request: Reply(
        body='{"candidates": [{"content": {"parts": [{"text": "hm", "thought": true}, {"text": "{"}, {"text": "}"}]}}]}'
    )
    answer = google.ask(QUESTION, 5.0)
    assert (answer.text, answer.input_tokens, answer.finish) == ("{}", None, "complete")


def test_an_answer_that_wants_to_go_on_is_one_request(google: GeminiModel, server: ModelServer) -> None:
    """Newer clients ask for the rest by themselves, unbooked and unpriced, unless told not to."""
    server.answer = lambda request: Reply(
        body='{"candidates": [{"content": {"parts": [{"text": "{"}]}, "finishReason": "CONTINUATION", '
        '"continuationToken": "next"}]}'
    )
    assert google.ask(QUESTION, 5.0).finish == "cut"
    assert len(server.requests) == 1


def test_a_reason_that_the_client_does_not_know_yet_is_no_answer_and_no_warning(
    google: GeminiModel, server: ModelServer
) -> None:
    """The client warns of it on the user's screen."""
    server.answer = lambda request: Reply(
        body='{"candidates": [{"content": {"parts": [{"text": "{}"}]}, "finishReason": "SOMETHING_NEW"}]}'
    )
    assert google.ask(QUESTION, 5.0).finish == "blocked"


def test_gemini_thinks_little_where_it_thinks(google: GeminiModel, server: ModelServer) -> None:
    google.ask(QUESTION, 5.0)
    settings = server.requests[0].body["generationConfig"]
    assert list(settings["thinkingConfig"].values()) == ["LOW"]
    assert settings["responseMimeType"] == "application/json"
    assert google.parameters == {"temperature": 0, "thinking_level": "low"}


@pytest.mark.parametrize(("timeout", "sent"), [(5.0, None), (10.0, "10"), (12.3, "13"), (None, None)])
def test_gemini_gives_up_with_us(
    google: GeminiModel, server: ModelServer, timeout: float | None, sent: str | None
) -> None:
    """An answer that nobody waits for is not made; the API refuses a limit under ten seconds, so none is sent then."""
    google.ask(QUESTION, timeout)
    assert server.requests[0].headers.get("x-server-timeout") == sent


def test_no_client_is_imported_before_one_is_made() -> None:
    """A dry run, or another back end, pays nothing for them."""
    code = (
        "import sys; import literature_review.llm.gemini, literature_review.llm.openai_compatible; "
        "print([name for name in ('google.genai', 'openai', 'httpx', 'httpx2', 'pydantic') if name in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def test_neither_httpx_names_the_extra(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("httpx", "httpx2"):
        monkeypatch.setitem(sys.modules, name, None)
    with pytest.raises(MissingExtraError, match=r"pip install 'literature-review-pipeline\[gemini\]'"):
        client_settings.http_library()


@pytest.mark.parametrize("model", [GeminiModel, OpenAICompatibleModel])
def test_no_more_requests_are_under_way_than_there_are_connections(server: ModelServer, model: Any) -> None:
    """Further ones wait for the first that ends; all are answered."""
    server.latency = 0.02
    asking = model("gemini-3.8-flash", "a-key-for-tests", server.base_url, connections=2)
    try:
        with ThreadPoolExecutor(6) as threads:
            answers = list(threads.map(lambda _: asking.ask(QUESTION, 10.0).text, range(6)))
    finally:
        server.latency = 0.0
        asking.close()
    turns = sorted([(each.at, 1) for each in server.requests] + [(each.ended, -1) for each in server.requests])
    assert answers == ["{}"] * 6
    assert max(accumulate(change for _, change in turns)) <= 2


@pytest.mark.parametrize("enabled", [True, False])
def test_importing_a_client_leaves_the_garbage_collector_as_it_was(
    enabled: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delitem(sys.modules, "colorsys", raising=False)
    was_enabled = gc.isenabled()
    (gc.enable if enabled else gc.disable)()
    try:
        with pytest.raises(ModuleNotFoundError):
            client_settings.client_library("a_client_that_is_not_installed")
        assert client_settings.client_library("colorsys").rgb_to_hls(0, 0, 0) == (0, 0, 0)
        assert gc.isenabled() is enabled
    finally:
        (gc.enable if was_enabled else gc.disable)()
        gc.unfreeze()


def test_the_default_models_have_a_price_and_a_name() -> None:
    assert gemini.DEFAULT_MODEL.startswith("gemini-")
    assert openai_compatible.DEFAULT_MODEL.startswith("gpt-")
