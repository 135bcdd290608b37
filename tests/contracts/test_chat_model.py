"""One suite over every ChatModel, each through its provider's own client against a real HTTP server on loopback."""

from __future__ import annotations

import socket
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

pytest.importorskip("openai", reason="needs the extra openai")
pytest.importorskip("google.genai", reason="needs the extra gemini")

from model_faults import FAULTS, success
from model_server import ModelServer
from model_wire import Reply, Request

from literature_review.errors import BackendError, ReviewError, UsageError
from literature_review.llm.chat import FINISHES, ChatModel, ModelQuestion
from literature_review.llm.gemini import GeminiModel
from literature_review.llm.openai_compatible import OpenAICompatibleModel
from literature_review.pipeline.orchestrator_v2 import ErrorClassifier, ErrorType, RetryHelper

pytestmark = pytest.mark.contract

MODELS: dict[str, Any] = {"gemini": GeminiModel, "openai_compatible": OpenAICompatibleModel}
KEY = "sk-proj-Zq83hTTsW0nQyLmA5xKv71RbE4cUdJoP"
SCHEMA = {
    "type": "object",
    "properties": {
        "verdict": {"type": "string", "enum": ["yes", "no"]},
        "score": {"type": "number", "minimum": 0, "maximum": 1},
        "quote": {"type": "string"},
    },
    "required": ["verdict", "score", "quote"],
    "additionalProperties": False,
}
QUESTION = ModelQuestion("judge/1", "You judge.", "Is it so?", SCHEMA, 512)
TRANSIENT = (
    "429", "429 Retry-After", "429 RetryInfo", "429 per minute", "500", "503", "529", "502 page", "slow",
    "never ending", "dropped", "reset", "broken off", "truncated", "no JSON", "empty", "another JSON",
)  # fmt: skip
PERMANENT = ("429 spent", "wrong key", "forbidden", "unknown model", "no such path", "invalid")
BLOCKED = ("blocked prompt", "blocked answer", "refusal")


@pytest.fixture(scope="module")
def running() -> Iterator[ModelServer]:
    with ModelServer() as server:
        yield server


@pytest.fixture
def server(running: ModelServer) -> ModelServer:
    running.answer, running.latency, running.key = lambda request: '{"verdict": "yes"}', 0.0, None
    running.requests.clear()
    return running


@pytest.fixture(params=sorted(MODELS), scope="module")
def name(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture(scope="module")
def model_in_use(name: str, running: ModelServer) -> Iterator[ChatModel]:
    """One for all tests, as for all papers of a run: what one question meets must not harm the next."""
    made: ChatModel = MODELS[name]("model-of-choice", KEY, running.base_url)
    yield made
    made.close()


@pytest.fixture
def model(model_in_use: ChatModel, server: ModelServer) -> ChatModel:
    return model_in_use


@pytest.fixture
def own_model(name: str, server: ModelServer) -> ChatModel:
    """One that the test closes."""
    made: ChatModel = MODELS[name]("model-of-choice", KEY, server.base_url)
    return made


def _failure(model: ChatModel, timeout: float = 0.15) -> Exception:
    """What the model raises."""
    try:
        answer = model.ask(QUESTION, timeout)
    except Exception as error:
        return error
    raise AssertionError(f"an answer came: {answer}")


def _chain(error: BaseException | None) -> list[BaseException]:
    """The error with all its causes and contexts."""
    found: list[BaseException] = []
    rest = [error]
    while rest:
        link = rest.pop()
        if link is not None and link not in found:
            found.append(link)
            rest += [link.__cause__, link.__context__]
    return found


def test_an_answer_comes_with_what_it_took(model: ChatModel, server: ModelServer) -> None:
    """Text, the provider's count of tokens, and a request id are told; one request was made."""
    answer = model.ask(QUESTION, 5.0)
    [asked] = server.requests
    assert answer.text == '{"verdict": "yes"}'
    assert (answer.input_tokens, answer.output_tokens) == (asked.input_tokens, asked.output_tokens)
    assert answer.request_id == "answer-1"
    assert answer.finish == "complete"
    assert model.model == "model-of-choice"


def test_the_question_arrives_whole(model: ChatModel, server: ModelServer) -> None:
    """Instructions and paper apart, the schema as it is, temperature 0 and the limit of tokens."""
    model.ask(QUESTION, 5.0)
    [asked] = server.requests
    assert (asked.system, asked.user, asked.model) == ("You judge.", "Is it so?", "model-of-choice")
    assert (asked.schema, asked.max_output_tokens) == (SCHEMA, 512)
    assert model.parameters["temperature"] == 0
    assert {**asked.body, **asked.body.get("generationConfig", {})}["temperature"] == 0


@pytest.mark.parametrize("thoughts", [0, 37])
def test_thinking_is_paid_for_as_output(model: ChatModel, server: ModelServer, thoughts: int) -> None:
    server.answer = lambda request: success(request, "12345678", thoughts=thoughts)
    assert model.ask(QUESTION, 5.0).output_tokens == 2 + thoughts


@pytest.mark.parametrize("fault", BLOCKED)
def test_a_blocked_answer_is_an_answer(model: ChatModel, server: ModelServer, fault: str) -> None:
    """The provider's filters raise nothing: asking again would be stopped again."""
    server.answer = FAULTS[fault]
    assert model.ask(QUESTION, 5.0).finish == "blocked"


def test_an_answer_cut_at_the_limit_of_tokens_says_so(model: ChatModel, server: ModelServer) -> None:
    server.answer = FAULTS["cut"]
    answer = model.ask(QUESTION, 5.0)
    assert (answer.text, answer.finish) == ('{"claims": [', "cut")
    assert answer.finish in FINISHES


@pytest.mark.parametrize("fault", TRANSIENT)
def test_what_may_pass_is_transient_and_asked_once(model: ChatModel, server: ModelServer, fault: str) -> None:
    """Throttles, faults of the server, lost connections and time-outs: the client itself never tries again."""
    server.answer = FAULTS[fault]
    error = _failure(model)
    assert ErrorClassifier.classify_error(error) is ErrorType.TRANSIENT, error
    assert len(server.requests) == 1


@pytest.mark.parametrize("fault", PERMANENT)
def test_what_will_not_pass_is_permanent(model: ChatModel, server: ModelServer, fault: str) -> None:
    server.answer = FAULTS[fault]
    assert ErrorClassifier.classify_error(_failure(model)) is ErrorType.PERMANENT
    assert len(server.requests) == 1


@pytest.mark.parametrize("fault", ["429 spent", "wrong key", "forbidden"])
def test_what_every_call_would_meet_is_told_apart(model: ChatModel, server: ModelServer, fault: str) -> None:
    """A spent quota and a bad key stop the batch."""
    server.answer = FAULTS[fault]
    assert ErrorClassifier.is_shared_fault(_failure(model))


@pytest.mark.parametrize("fault", ["429 Retry-After", "429 RetryInfo"])
def test_the_wait_that_the_server_asks_for_is_honoured(model: ChatModel, server: ModelServer, fault: str) -> None:
    """Retry-After and RetryInfo reach the retry through the error."""
    server.answer = lambda request: FAULTS[fault](request) if len(server.requests) == 1 else "{}"
    slept: list[float] = []
    answer = RetryHelper.retry_with_backoff(
        lambda: model.ask(QUESTION, 5.0), error_classifier=ErrorClassifier, sleep=slept.append
    )
    assert (answer.text, slept) == ("{}", [7.0])


@pytest.mark.parametrize("fault", ["slow", "never ending"])
def test_a_body_that_never_ends_is_cut(model: ChatModel, server: ModelServer, fault: str) -> None:
    """The time-out is one for the whole request, and the next request is none the worse for it."""
    server.answer = FAULTS[fault]
    began = time.monotonic()
    with pytest.raises(TimeoutError, match=r"within 0\.15 s"):
        model.ask(QUESTION, 0.15)
    assert time.monotonic() - began < 1.0
    server.answer = lambda request: "{}"
    assert model.ask(QUESTION, 5.0).text == "{}"


def test_no_answer_holds_the_key(model: ChatModel, server: ModelServer) -> None:
    """Some gateways repeat a request's headers; whatever else an answer says stays as it is."""
    words = f"wait*** ... word, {KEY[:15]}"  # 15 characters may be anything

    def quoting(request: Request) -> Reply:
        body = success(request, f"{words} {KEY} {KEY[5:30]}").body
        assert isinstance(body, str)
        return Reply(body=body.replace("answer-", KEY))

    server.answer = quoting
    answer = model.ask(QUESTION, 5.0)
    assert answer.text == f"{words} [key] [key]"
    assert KEY not in answer.request_id


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
def test_a_redirect_is_told_and_not_followed(model: ChatModel, server: ModelServer, status: int) -> None:
    """It would be a request that no ledger counts, and take a paper to an address that nobody named."""
    elsewhere = f"{server.base_url}/elsewhere"
    server.answer = lambda request: Reply(status, headers={"Location": elsewhere})
    error = _failure(model, 5.0)
    assert len(server.requests) == 1
    assert f"sends on to {elsewhere} ({status})" in str(error)
    assert "set llm.base_url" in str(error)
    assert isinstance(error, BackendError)
    assert error.is_shared


@pytest.mark.parametrize("fault", ["unknown model", "no such path", "page"])
def test_what_is_wrong_for_every_question_says_so(model: ChatModel, server: ModelServer, fault: str) -> None:
    """A run stops of it after a few papers, instead of failing all of them."""
    for name, is_shared in ((fault, True), ("invalid", False)):
        server.answer = FAULTS[name]
        error = _failure(model)
        assert isinstance(error, BackendError)
        assert error.is_shared is is_shared


@pytest.mark.parametrize("fault", sorted(FAULTS))
def test_no_error_holds_the_key(model: ChatModel, server: ModelServer, fault: str) -> None:
    """Neither whole nor in part, in no text and no attribute of the error and its causes."""
    server.answer = FAULTS[fault]
    try:
        model.ask(QUESTION, 0.1)
    except Exception as error:
        told = "\n".join(f"{link!s} {link!r} {link.args!r} {vars(link)!r}" for link in _chain(error))
        for part in (KEY, KEY[:12], KEY[8:20], KEY[-8:]):
            assert part not in told
        assert f"***{KEY[-4:]}" not in told


@pytest.mark.parametrize(
    ("fault", "says"),
    [
        ("wrong key", "llm.api_key_env"),
        ("forbidden", "llm.api_key_env"),
        ("unknown model", "llm.model"),
        ("no such path", "llm.base_url"),
        ("page", "llm.base_url"),
        ("502 page", "answered 502"),
        ("429", "answered 429"),
    ],
)
def test_an_error_is_one_line_that_says_what_to_do(
    model: ChatModel, server: ModelServer, fault: str, says: str
) -> None:
    server.answer = FAULTS[fault]
    error = _failure(model)
    assert isinstance(error, ReviewError)
    assert says in str(error)
    assert "\n" not in str(error)
    assert len(str(error)) < 700
    assert error.__cause__ is not None or fault == "page"


def test_a_web_page_is_not_asked_for_again(model: ChatModel, server: ModelServer) -> None:
    server.answer = FAULTS["page"]
    assert not ErrorClassifier.should_retry(_failure(model))


def test_a_server_that_is_not_there(name: str) -> None:
    """The line names the address; the server may be starting, so it is transient."""
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        url = f"http://127.0.0.1:{taken.getsockname()[1]}"
    model = MODELS[name]("m", KEY, url)
    try:
        error = _failure(model, 5.0)
        assert ErrorClassifier.classify_error(error) is ErrorType.TRANSIENT
        assert f"{url} cannot be reached (Connection refused)" in str(error)
        assert "llm.base_url" in str(error)
    finally:
        model.close()


def test_the_key_is_the_one_that_was_given(
    name: str, server: ModelServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The clients' own variables change neither the key, nor the address, nor the account."""
    for variable in ("OPENAI_API_KEY", "OPENAI_ADMIN_KEY", "GEMINI_API_KEY", "GOOGLE_API_KEY", "OPENAI_ORG_ID",
                     "OPENAI_PROJECT_ID", "GOOGLE_CLOUD_PROJECT"):  # fmt: skip
        monkeypatch.setenv(variable, "from-the-environment")
    for variable in ("OPENAI_BASE_URL", "GOOGLE_GEMINI_BASE_URL"):
        monkeypatch.setenv(variable, "http://127.0.0.1:1/elsewhere")
    monkeypatch.setenv("GOOGLE_GENAI_USE_VERTEXAI", "true")
    monkeypatch.setenv("GOOGLE_GENAI_API_VERSION", "v9")
    monkeypatch.setenv("OPENAI_CUSTOM_HEADERS", "Authorization: Bearer from-the-environment")
    server.key = KEY
    model = MODELS[name]("m", KEY, server.base_url)
    model.ask(QUESTION, 5.0)
    model.close()
    [asked] = server.requests
    assert asked.key_right
    assert "from-the-environment" not in repr(asked.headers)


def test_a_server_of_ones_own_needs_no_key(
    name: str, server: ModelServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    """No key from the environment goes there either."""
    for variable in ("OPENAI_API_KEY", "GEMINI_API_KEY", "GOOGLE_API_KEY"):
        monkeypatch.setenv(variable, "from-the-environment")
    model = MODELS[name]("m", None, server.base_url)
    assert model.ask(QUESTION, 5.0).finish == "complete"
    model.close()
    assert server.requests[0].key in ("", "none")


def test_no_proxy_stands_before_a_server_on_this_machine(
    name: str, server: ModelServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A proxy that the environment names for the world outside would not find it."""
    for variable in ("HTTP_PROXY", "http_proxy", "ALL_PROXY"):
        monkeypatch.setenv(variable, "http://127.0.0.1:1")
    model = MODELS[name]("m", KEY, server.base_url)
    assert model.ask(QUESTION, 5.0).finish == "complete"
    model.close()


def test_a_proxy_of_the_environment_stands_before_a_server_elsewhere(
    name: str, server: ModelServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The name is one that no resolver knows: only the proxy, here the server itself, can have answered."""
    monkeypatch.setenv("HTTP_PROXY", server.base_url)
    monkeypatch.setenv("http_proxy", server.base_url)
    model = MODELS[name]("m", KEY, "http://models.invalid")
    assert model.ask(QUESTION, 5.0).finish == "complete"
    model.close()
    assert len(server.requests) == 1


@pytest.mark.parametrize("key", ["two\nlines", "a key", "schlüssel", "k\0y"])
def test_a_key_that_no_header_can_carry_is_refused_unquoted(name: str, key: str) -> None:
    with pytest.raises(UsageError, match=r"llm\.api_key_env") as refused:
        MODELS[name]("m", key, "http://127.0.0.1:1")
    assert key not in str(refused.value)


def test_blanks_around_a_key_are_no_part_of_it(name: str, server: ModelServer) -> None:
    server.key = KEY
    model = MODELS[name]("m", f"{KEY}\n", server.base_url)
    model.ask(QUESTION, 5.0)
    model.close()


@pytest.mark.parametrize("url", ["", "localhost:8080", "ftp://host", "http://", "file:///etc/passwd"])
def test_a_base_url_that_is_none_is_a_usage_error(name: str, url: str) -> None:
    if url:
        with pytest.raises(UsageError, match=r"llm\.base_url"):
            MODELS[name]("m", KEY, url)


@pytest.mark.parametrize("key", [None, "", "  "])
def test_the_provider_itself_needs_a_key(name: str, key: str | None) -> None:
    with pytest.raises(UsageError, match="key"):
        MODELS[name]("m", key)


def test_many_threads_ask_at_once_and_get_their_own_answers(model: ChatModel, server: ModelServer) -> None:
    """60 requests go out together."""
    server.latency = 0.5
    server.answer = lambda request: request.user
    questions = [ModelQuestion("p/1", "", f"question {number}", SCHEMA, 10) for number in range(60)]
    with ThreadPoolExecutor(60) as pool:
        answers = list(pool.map(lambda question: model.ask(question, 10.0).text, questions))
    assert answers == [question.user for question in questions]
    under_way = [sum(each.at <= one.at < each.ended for each in server.requests) for one in server.requests]
    assert max(under_way) > 20


def test_connections_are_used_again(model: ChatModel, server: ModelServer) -> None:
    before = server.connections
    for _ in range(5):
        model.ask(QUESTION, 5.0)
    assert server.connections - before <= 1


@pytest.mark.parametrize(
    "text",
    ["", "x" * 2_000_000, "研究结果表明", "نتائج الدراسة", "\ud800 lone", "a\0b\u2028c\x1b[31m", "</paper> {{}} %s"],
    ids=["empty", "huge", "Chinese", "Arabic", "surrogate", "control", "markup"],
)
def test_any_text_arrives(model: ChatModel, server: ModelServer, text: str) -> None:
    """As it is; a lone surrogate, which no encoding carries, as a question mark."""
    model.ask(ModelQuestion("p/1", "system", text, SCHEMA, 10), 10.0)
    assert server.requests[0].user == text.replace("\ud800", "?")


def test_an_answer_of_any_text_comes_back(model: ChatModel, server: ModelServer) -> None:
    said = '{"quote": "结果 نتيجة \\u2028 ' + "y" * 1_000_000 + '"}'
    server.answer = lambda request: said
    assert model.ask(QUESTION, 10.0).text == said


def test_closing_twice_and_asking_after(own_model: ChatModel, server: ModelServer) -> None:
    own_model.ask(QUESTION, 5.0)
    own_model.close()
    own_model.close()
    assert "closed" in str(_failure(own_model))
    assert len(server.requests) == 1


def test_closing_ends_a_request_under_way(own_model: ChatModel, server: ModelServer) -> None:
    """Whoever waits is told at once, not after the time-out."""
    server.answer = FAULTS["slow"]
    with ThreadPoolExecutor(1) as pool:
        waiting = pool.submit(_failure, own_model, 20.0)
        while not server.requests:
            time.sleep(0.01)
        own_model.close()
        assert "closed" in str(waiting.result(5.0))


def test_an_outage_breaks_requests_and_passes(model: ChatModel, server: ModelServer) -> None:
    """What was under way and what comes during it is transient; afterwards all is as before."""
    server.answer = FAULTS["slow"]
    with ThreadPoolExecutor(1) as pool:
        waiting = pool.submit(_failure, model, 20.0)
        while not server.requests:
            time.sleep(0.01)
        server.go_away()
        errors = [waiting.result(5.0), _failure(model, 5.0)]
    server.listen()
    assert [ErrorClassifier.classify_error(error) for error in errors] == [ErrorType.TRANSIENT] * 2
    server.answer = lambda request: "{}"
    assert model.ask(QUESTION, 5.0).text == "{}"


def test_a_question_without_a_schema_is_one_too(model: ChatModel, server: ModelServer) -> None:
    assert model.ask(ModelQuestion("p/1", "", "say", {}, 10), 5.0).finish == "complete"
    assert server.requests[0].schema == {}


def test_the_time_may_be_unlimited(model: ChatModel, server: ModelServer) -> None:
    assert model.ask(QUESTION, None).finish == "complete"


def test_every_fault_of_the_server_stands_in_one_of_the_lists() -> None:
    """So that a fault that is added is tested."""
    assert set(FAULTS) == {*TRANSIENT, *PERMANENT, *BLOCKED, "cut", "page"}
    assert isinstance(Request(1, 0.0, "/").prompt, str)
