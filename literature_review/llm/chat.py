"""What is said to a model and heard from it, whoever the provider is.

    ModelQuestion --ChatModel.ask, one HTTP request--> ModelAnswer

A ChatModel translates and nothing else: quota, retry, storage, price and validation are its callers'.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Protocol

FINISHES = ("complete", "cut", "blocked")


@dataclass(frozen=True)
class ModelQuestion:
    """One request. `prompt`: name and version of the prompt, such as "judge/1"; `schema`: JSON schema that the answer
    is to follow; `max_output_tokens`: tokens after which the answer is cut."""

    prompt: str
    system: str
    user: str
    schema: Mapping[str, Any]
    max_output_tokens: int


@dataclass(frozen=True)
class ModelAnswer:
    """What came back. `finish`: complete, cut (at the limit of tokens) or blocked (by the provider's filters).

    Tokens are the provider's own count, thinking included in `output_tokens`; None where it told none.
    """

    text: str
    input_tokens: int | None = None
    output_tokens: int | None = None
    request_id: str = ""
    finish: str = "complete"


class ChatModel(Protocol):
    """A provider's model. Thread-safe.

    `name`: of the back end; `model`: as the provider knows it; `parameters`: what else changes its answers
    (temperature and the like), plain JSON data.
    """

    name: str
    model: str
    parameters: Mapping[str, Any]

    def ask(self, question: ModelQuestion, timeout: float | None) -> ModelAnswer:
        """One request, never repeated here; `timeout`: seconds until it is given up.

        Raises what the provider's client raises, status and cause kept, its text without the key; TimeoutError where
        the time is over."""
        ...

    def close(self) -> None:
        """Give connections back."""
        ...
