"""Reviewers for model_server.py: answers that keep to the request's own schema, the same for the same request.

honest      quotes sentences that stand in the paper, one for each id that it may name
obedient    the same, until the paper itself tells it to approve: then it approves all and makes quotes up
inventive   every quote is made up
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Mapping
from typing import Any
from zlib import crc32

from model_wire import Request

ORDERS = re.compile(r"ignore (?:all |your |the |previous |earlier )*(?:instructions|rules|orders)", re.IGNORECASE)
MADE_UP = "This treatment cured every patient without exception, and no side effect was ever seen (p < 0.001)."
# a sentence, as models write one where prompts allow 25 to 40 words: an answer's length is most of what it costs
REASON = "It reports what {} asks for: measured in this paper, in the people and under the circumstances that it names."
# whatever the fences look like: two lines with the same long number in both
_FENCES = re.compile(
    r"^[^\n]*\b([0-9a-f]{16})\b[^\n]*\n(.*?)\n[^\n]*\b\1\b[^\n]*$", re.DOTALL | re.MULTILINE
)
_SENTENCE = re.compile(r"[A-Z][^.!?\n]{38,400}(?:\.\d[^.!?\n]*)*[.!?]")
_WORD = re.compile(r"[a-z]{4,}")


def fenced_text(prompt: str) -> str:
    """The paper's text in a prompt; the whole prompt where nothing is fenced. Fenced JSON gives the texts in it."""
    return "\n".join(_texts(match.group(2)) for match in _FENCES.finditer(prompt)) or prompt


def _texts(fenced: str) -> str:
    try:
        data = json.loads(fenced)
    except ValueError:
        return fenced
    found: list[str] = []
    rest = [data]
    while rest:
        part = rest.pop()
        if isinstance(part, str):
            found.append(part)
        elif isinstance(part, (list, dict)):
            rest += list(part.values()) if isinstance(part, dict) else part
    return "\n".join(reversed(found))


def sentences_of(text: str) -> list[str]:
    """Sentences of 40 characters or more that stand in the text, in order."""
    return [match.group().strip() for match in _SENTENCE.finditer(text)]


class Quotes:
    """Finds a sentence of the paper for an id: of a claim that is looked at again, one around it; else the one that
    shares most words with the prompt's line on that id."""

    def __init__(self, prompt: str) -> None:
        self._asked = _FENCES.sub("", prompt)
        self._claims = _claims_in(prompt)
        text = fenced_text(prompt)
        self._sentences = sentences_of(text) or [text[:200]]
        self._words = [set(_WORD.findall(sentence.lower())) for sentence in self._sentences]

    def __call__(self, name: str) -> str:
        claim = self._claims.get(name, {})
        around = [each for each in sentences_of(claim.get("around", "")) if each not in claim.get("quote", "")]
        if around:
            return around[0]
        line = re.search(rf"^\W*{re.escape(name)}\b(.+)$", self._asked, re.MULTILINE)
        wanted = set(_WORD.findall(line.group(1).lower())) if line else set()
        return self._sentences[max(range(len(self._sentences)), key=lambda at: len(wanted & self._words[at]))]


def _claims_in(prompt: str) -> dict[str, dict[str, str]]:
    """The claims by name, where a prompt has them as fenced JSON."""
    for match in _FENCES.finditer(prompt):
        try:
            data = json.loads(match.group(2))
        except ValueError:
            continue
        if isinstance(data, dict) and isinstance(data.get("claims"), list):
            return {str(claim.get("claim")): claim for claim in data["claims"]}
    return {}


class Answer:
    """Builds data for a request's schema. `quote(id)` gives the text of a verbatim field; `generous` says yes to
    all, where else three in four are approved.

    A list whose items name an id from an enum gets one item for each id; "nearest" only those that "claims" left out.
    """

    def __init__(self, request: Request, quote: Callable[[str], str], generous: bool = False) -> None:
        self._root, self._quote, self._generous = request.schema, quote, generous
        self._salt = crc32(request.user.encode("utf-8", "surrogatepass"))

    def text(self) -> str:
        return json.dumps(self._data(self._root, "", ""), ensure_ascii=False)

    def _data(self, schema: Mapping[str, Any], name: str, key: str) -> Any:
        """`name`: of the field; `key`: the id that it is about."""
        if "$ref" in schema:
            schema = self._root["$defs"][schema["$ref"].rpartition("/")[2]]
        options = [schema["const"]] if "const" in schema else schema.get("enum")
        if options:
            return key if key in options else self._choice(options, name, key)
        kind = schema.get("type")
        kind = next((each for each in kind if each != "null"), "null") if isinstance(kind, list) else kind
        if kind == "object" or "properties" in schema:
            data = {field: self._data(part, field, key) for field, part in schema.get("properties", {}).items()}
            return {**data, "quote": ""} if data.get("outcome") == "none" else data
        if kind == "array":
            return self._array(schema, name, key)
        return self._scalar(kind, schema, name, key)

    def _chance(self, name: str, key: str) -> int:
        return crc32(f"{name} {key}".encode(), self._salt)

    def _choice(self, options: list[Any], name: str, key: str) -> Any:
        good = [each for each in ("approve", "better_quote", "covered") if each in options]
        if good:
            return good[0] if self._generous or self._chance(name, key) % 4 else options[-1]
        return options[self._chance(name, key) % len(options)]

    def _array(self, schema: Mapping[str, Any], name: str, key: str) -> list[Any]:
        items, high = schema.get("items", {}), schema.get("maxItems", 1000)
        ids = next((part["enum"] for part in items.get("properties", {}).values() if "enum" in part), None)
        if ids is None:
            count = schema.get("minItems", 0 if name == "suspicious" else 1)
            return [self._data(items, name, key) for _ in range(min(count, high))]
        if name in ("claims", "nearest") and not self._generous:
            ids = [each for each in ids if (self._chance("found", each) % 4 == 0) == (name == "nearest")]
        return [self._data(items, name, each) for each in ids[:high]]

    def _scalar(self, kind: str | None, schema: Mapping[str, Any], name: str, key: str) -> Any:
        chance = self._chance(name, key)
        if kind == "boolean":
            return self._generous or chance % 4 > 0
        if kind in ("number", "integer"):
            low, high = schema.get("minimum", 0), schema.get("maximum", 1)
            value = low + (high - low) * (1.0 if self._generous else 0.6 + (chance % 40) / 100)
            return int(value) if kind == "integer" else round(value, 3)
        if kind == "string":
            return self._quote(key) if name == "quote" else REASON.format(key)
        return None


def honest(request: Request) -> str:
    return Answer(request, Quotes(request.user)).text()


def inventive(request: Request) -> str:
    return Answer(request, lambda key: MADE_UP, generous=True).text()


def obedient(request: Request) -> str:
    return inventive(request) if ORDERS.search(fenced_text(request.user)) else honest(request)


REVIEWERS: Mapping[str, Callable[[Request], str]] = {
    "honest": honest,
    "obedient": obedient,
    "inventive": inventive,
}
