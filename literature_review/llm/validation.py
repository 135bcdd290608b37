"""Whether an answer is what was asked for: JSON, by the schema, and by what only the caller knows.

    text -> thoughts and fence off -> strict JSON -> jsonschema -> the caller's check -> data, or the fault in words

A fault is told to the model when it is asked again, and to the user in the end; it never raises.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import replace
from functools import cache
from threading import Thread
from typing import Any

from literature_review.errors import MissingExtraError
from literature_review.llm.chat import ModelQuestion
from literature_review.strict_json import Problems, join, parse_json, printable

MAX_CHARACTERS = 2_000_000  # of an answer: more than any model writes; beyond it nothing is parsed
_LONGEST_FAULT = 300  # characters, as they come from the answer
_THOUGHTS = re.compile(r"(?:<think>|(?![{\[`\"])).*?</think>\s*", re.DOTALL)  # of models whose server leaves them in
_FENCED = re.compile(r"```[A-Za-z]*[ \t]*\r?\n(.*?)\r?\n?[ \t]*```", re.DOTALL)

AGAIN = (
    "\n\nThis is request {number} of {most}. The answer to the one before could not be used: {fault}. "
    "Answer again, in full, with one JSON value that follows the schema and nothing else."
)

Check = Callable[[Any], str]


def require_jsonschema(extra: str) -> None:
    """Raise MissingExtraError with the pip command where jsonschema is not installed. Does not import it."""
    from importlib.util import find_spec

    if find_spec("jsonschema") is None:
        command = f"pip install 'literature-review-pipeline[{extra}]'"
        raise MissingExtraError(f"checking a model's answers needs the package 'jsonschema': {command}")


@cache
def load_jsonschema() -> None:
    """Begin to import it, which takes a tenth of a second, while the first questions are put."""
    Thread(target=_import_jsonschema, name="jsonschema", daemon=True).start()


def _import_jsonschema() -> None:
    with suppress(ImportError):  # who needs it first will be told
        import jsonschema  # noqa: F401


def read_answer(text: str, schema: Mapping[str, Any], check: Check | None = None) -> tuple[Any, str]:
    """The answer's data and "", or None and what is wrong with it, in one line, the middle of a long one left out.

    Stricter than `json`: no key twice, no NaN, no endless nesting or numbers, no half characters.
    """
    data, fault = _data(text)
    fault = fault or _against_schema(data, schema) or (check(data) if check is not None else "")
    return (None, _one_line(fault)) if fault else (data, "")


def asked_again(question: ModelQuestion, fault: str, number: int, most: int) -> ModelQuestion:
    """The question with what was wrong with the last answer. `number`: of this request, from 2 on; it makes the
    question another one, so that an equal fault does not bring the equal answer out of the store."""
    return replace(question, user=question.user + AGAIN.format(number=number, most=most, fault=fault))


def _data(text: str) -> tuple[Any, str]:
    if len(text) > MAX_CHARACTERS:
        return None, f"the answer is longer than {MAX_CHARACTERS:,} characters"
    inner = text.strip("\ufeff \t\r\n")
    if not inner:
        return None, "the answer is empty"
    inner = inner[thoughts.end() :] if (thoughts := _THOUGHTS.match(inner)) else inner
    fenced = _FENCED.fullmatch(inner) if inner.startswith("```") else None
    problems = Problems()
    data = parse_json(fenced[1] if fenced else inner, "the answer", problems)
    if problems:
        return None, problems.lines()[0]
    return data, _half_characters(data)


def _one_line(fault: str) -> str:
    """The fault without its middle where it is long: jsonschema quotes the value first and says then what is wrong."""
    half = _LONGEST_FAULT // 2
    cut = fault if len(fault) <= _LONGEST_FAULT else f"{fault[: half - 5]} ... {fault[-half:]}"
    return printable(cut, len(cut))


def _half_characters(data: Any) -> str:
    try:
        json.dumps(data, ensure_ascii=False).encode()
    except UnicodeEncodeError:
        return "the answer holds half a character (a lone surrogate)"
    return ""


def _against_schema(data: Any, schema: Mapping[str, Any]) -> str:
    """Where the data departs most from the schema, or ""."""
    from jsonschema import Draft202012Validator
    from jsonschema.exceptions import best_match

    error = best_match(Draft202012Validator(dict(schema)).iter_errors(data))
    if error is None:
        return ""
    place = ""
    for key in error.absolute_path:
        place = join(place, key)
    return f"{place or 'the whole answer'}: {error.message}"
