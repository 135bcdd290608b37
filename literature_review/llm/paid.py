"""Puts a paid back end together: the model's client, the answer store and ledger, prices and budget, the prompts.

    settings -> ChatModel (key from its environment variable) -> PaidCalls (answers.db, gate, budget) -> PromptedBackend
"""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from typing import Any

from literature_review.llm.chat import ChatModel
from literature_review.llm.paid_book import FILE_NAME, PaidBook
from literature_review.llm.paid_calls import PaidCalls
from literature_review.llm.prices import PriceTable
from literature_review.llm.prompted_backend import PromptedBackend, questions_at_once
from literature_review.ports import CallGate, Log

MakeModel = Callable[[str, "str | None", "str | None", int], ChatModel]


def build_gemini(settings: Mapping[str, Any], gate: CallGate, output_dir: str, log: Log) -> PromptedBackend:
    """Gemini as a back end. `settings`: the configuration's plain data; the key comes from the environment variable
    that `llm.api_key_env` names, and goes to the client alone. Makes no file and no connection before the first call.

    Raises UsageError for a key or URL that cannot be one, or a budget for a model without a price; MissingExtraError
    where a package is not installed."""
    from literature_review.llm.gemini import DEFAULT_MODEL, GeminiModel

    return _build(GeminiModel, DEFAULT_MODEL, settings, gate, output_dir, log)


def build_openai_compatible(settings: Mapping[str, Any], gate: CallGate, output_dir: str, log: Log) -> PromptedBackend:
    """OpenAI, or any server that speaks its chat completions, as a back end; arguments and errors as above."""
    from literature_review.llm.openai_compatible import DEFAULT_MODEL, OpenAICompatibleModel

    return _build(OpenAICompatibleModel, DEFAULT_MODEL, settings, gate, output_dir, log)


def _build(
    make: MakeModel, default: str, settings: Mapping[str, Any], gate: CallGate, output_dir: str, log: Log
) -> PromptedBackend:
    llm = settings["llm"]
    key = os.environ.get(llm["api_key_env"] or "") or None
    model = make(llm["model"] or default, key, llm["base_url"], questions_at_once(settings))
    prices = PriceTable.standard(llm["prices"])
    book = PaidBook(os.path.join(output_dir, FILE_NAME), warn=log.warning)
    calls = PaidCalls(model, gate, book, prices, llm["budget_usd"], log)
    return PromptedBackend(calls, model, settings, prices.price(model.model))
