"""Replies in the words of the providers: a good answer, and everything that goes wrong with one.

The shapes of errors are those that the providers send: google.rpc.Status with RetryInfo, QuotaFailure and ErrorInfo
(github.com/googleapis/googleapis, google/rpc/error_details.proto), and OpenAI's `{"error": {message, type, param,
code}}`. FAULTS names them all, so that a test can go through them.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import Any

from model_wire import Reply, Request

RPC = "type.googleapis.com/google.rpc."
PLAN = "You exceeded your current quota, please check your plan and billing details."
STATUSES = {400: "INVALID_ARGUMENT", 401: "UNAUTHENTICATED", 403: "PERMISSION_DENIED", 404: "NOT_FOUND",
            429: "RESOURCE_EXHAUSTED", 500: "INTERNAL", 503: "UNAVAILABLE", 529: "UNAVAILABLE"}  # fmt: skip
PER_DAY = "GenerateRequestsPerDayPerProjectPerModel-FreeTier"
PER_MINUTE = "GenerateRequestsPerMinutePerProjectPerModel-FreeTier"
FINISHED = {"complete": ("STOP", "stop"), "cut": ("MAX_TOKENS", "length"), "blocked": ("SAFETY", "content_filter")}


def success(request: Request, text: str, finish: str = "complete", thoughts: int = 0) -> Reply:
    """An answer. `finish`: complete, cut or blocked; `thoughts`: tokens spent on thinking."""
    output = len(text) // 4 + thoughts
    gemini, openai = FINISHED[finish]
    if request.wire == "gemini":
        candidate = {"content": {"role": "model", "parts": [{"text": text}]}, "finishReason": gemini, "index": 0}
        return _gemini(request, [candidate], output, thoughts)
    message = {"role": "assistant", "content": text, "refusal": None}
    return _openai(request, message, openai, output, thoughts)


def _gemini(request: Request, candidates: Sequence[Any], output: int, thoughts: int = 0, **more: Any) -> Reply:
    total = request.input_tokens + output
    usage = {"promptTokenCount": request.input_tokens, "totalTokenCount": total}
    # as in the protocol's JSON form, a count of 0 is left out
    counts = {"candidatesTokenCount": output - thoughts, "thoughtsTokenCount": thoughts}
    usage.update({name: count for name, count in counts.items() if count})
    body = {"candidates": candidates, "usageMetadata": usage, "modelVersion": request.model,
            "responseId": f"answer-{request.number}", **more}  # fmt: skip
    return Reply(body=json.dumps(body), output_tokens=output)


def _openai(request: Request, message: Mapping[str, Any], reason: str, output: int, thoughts: int = 0) -> Reply:
    choice = {"index": 0, "message": message, "logprobs": None, "finish_reason": reason}
    usage = {"prompt_tokens": request.input_tokens, "completion_tokens": output,
             "total_tokens": request.input_tokens + output,
             "completion_tokens_details": {"reasoning_tokens": thoughts}}  # fmt: skip
    body = {"id": f"chatcmpl-{request.number}", "object": "chat.completion", "created": 1_700_000_000,
            "model": request.model, "choices": [choice], "usage": usage}  # fmt: skip
    headers = {"x-request-id": f"answer-{request.number}"}
    return Reply(body=json.dumps(body), headers=headers, output_tokens=output)


def failure(request: Request, status: int, message: str, code: str | None = None, details: Sequence[Any] = ()) -> Reply:
    """An error status in the provider's form. `code`: OpenAI's word for it; `details`: Gemini's list."""
    if request.wire == "gemini":
        error: dict[str, Any] = {"code": status, "message": message, "status": STATUSES.get(status, "UNKNOWN")}
        if details:
            error["details"] = list(details)
    else:
        kind = "server_error" if status >= 500 else "invalid_request_error"
        error = {"message": message, "type": code if status == 429 else kind, "param": None, "code": code}
    return Reply(status, json.dumps({"error": error}))


def throttled(request: Request, retry_after: float | None = None, quota_id: str = "", info: bool = True) -> Reply:
    """A 429. `retry_after`: seconds that the server asks to wait: as RetryInfo with Gemini (if `info`), as the header
    Retry-After else. `quota_id`: Gemini's name of the quota that is spent."""
    details: list[Any] = []
    if quota_id:
        details.append({"@type": RPC + "QuotaFailure", "violations": [{"quotaId": quota_id, "quotaValue": "10"}]})
    if retry_after is not None and info:
        details.append({"@type": RPC + "RetryInfo", "retryDelay": f"{retry_after:g}s"})
    reply = failure(request, 429, PLAN if request.wire == "gemini" else "Rate limit reached for requests",
                    "rate_limit_exceeded", details)  # fmt: skip
    if retry_after is not None and (request.wire != "gemini" or not info):
        return replace(reply, headers={"Retry-After": f"{retry_after:g}"})
    return reply


def quota_spent(request: Request) -> Reply:
    """The quota of the day, or the money, is spent."""
    if request.wire == "gemini":
        return throttled(request, 3600.0, PER_DAY)
    return failure(request, 429, PLAN, "insufficient_quota")


def refused_key(request: Request) -> Reply:
    """A wrong key; the providers quote it, whole or in part."""
    key = request.key
    if request.wire == "gemini":
        info = {"@type": RPC + "ErrorInfo", "reason": "API_KEY_INVALID", "domain": "googleapis.com",
                "metadata": {"service": "generativelanguage.googleapis.com", "consumer": f"api_key:{key}"}}  # fmt: skip
        return failure(request, 400, "API key not valid. Please pass a valid API key.", details=[info])
    shown = f"{key[:8]}{'*' * 20}{key[-4:]}"
    return failure(request, 401, f"Incorrect API key provided: {shown}. You can find your API key at "
                   "https://platform.openai.com/account/api-keys.", "invalid_api_key")  # fmt: skip


def forbidden(request: Request) -> Reply:
    """A key without the permission; some gateways repeat the key whole."""
    return failure(request, 403, f"Permission denied: the key {request.key} cannot use this model.", "forbidden")


def unknown_model(request: Request) -> Reply:
    if request.wire == "gemini":
        return failure(request, 404, f"models/{request.model} is not found for API version v1beta, or is not "
                       "supported for generateContent. Call ListModels to see the available models.")  # fmt: skip
    return failure(request, 404, f"The model `{request.model}` does not exist or you do not have access to it.",
                   "model_not_found")  # fmt: skip


def web_page(_: Request, status: int = 200) -> Reply:
    """What a proxy, or a base URL that is none, answers."""
    return Reply(status, "<!DOCTYPE html><html><head><title>Sign in</title></head></html>", content_type="text/html")


def blocked_prompt(request: Request) -> Reply:
    """The provider's filters would not look at the prompt."""
    if request.wire == "gemini":
        return _gemini(request, [], 0, promptFeedback={"blockReason": "PROHIBITED_CONTENT"})
    return failure(request, 400, "The response was filtered due to the prompt triggering a content management policy.",
                   "content_filter")  # fmt: skip


def refusal(request: Request) -> Reply:
    """The model will not answer; Gemini has no such field and stops for SAFETY without content."""
    if request.wire == "gemini":
        return _gemini(request, [{"finishReason": "SAFETY", "index": 0}], 0)
    return _openai(request, {"role": "assistant", "content": None, "refusal": "I cannot help with that."}, "stop", 8)


def wrapped_error(request: Request) -> Reply:
    """An error under the status 200, as some gateways of the OpenAI format send it."""
    return replace(failure(request, 429, "Provider is busy", "rate_limit_exceeded"), status=200)


FAULTS: Mapping[str, Callable[[Request], Reply]] = {
    "429": throttled,
    "429 Retry-After": lambda request: throttled(request, 7.0, info=False),
    "429 RetryInfo": lambda request: throttled(request, 7.0, PER_MINUTE),
    "429 per minute": lambda request: throttled(request, None, PER_MINUTE),
    "429 spent": quota_spent,
    "500": lambda request: failure(request, 500, "An internal error has occurred."),
    "503": lambda request: failure(request, 503, "The model is overloaded. Please try again later."),
    "529": lambda request: failure(request, 529, "Overloaded"),
    "502 page": lambda request: web_page(request, 502),
    "slow": lambda request: Reply(delay=30.0),
    "never ending": lambda request: Reply(body='{"candidates": [', drip=0.01),
    "dropped": lambda request: Reply(drop="close"),
    "reset": lambda request: Reply(drop="reset"),
    "broken off": lambda request: replace(success(request, "{}"), cut_at=20),
    "truncated": lambda request: Reply(body=success(request, "{}").body[:40]),
    "no JSON": lambda request: Reply(body="{'answer': nearly}"),
    "empty": lambda request: Reply(body=""),
    "another JSON": lambda request: Reply(body='["hello"]'),
    "page": web_page,
    "wrong key": refused_key,
    "forbidden": forbidden,
    "unknown model": unknown_model,
    "no such path": lambda request: Reply(404, '{"detail":"Not Found"}'),
    "invalid": lambda request: failure(request, 400, "Invalid JSON payload received."),
    "blocked prompt": blocked_prompt,
    "blocked answer": lambda request: success(request, "I cannot", "blocked"),
    "refusal": refusal,
    "cut": lambda request: success(request, '{"claims": [', "cut"),
}
