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

ORDERS = re.compile(r"ignore (?:all |your |the )*(?:previous |earlier )?instructions", re.IGNORECASE)
MADE_UP = "This treatment cured every patient without exception, and no side effect was ever seen (p < 0.001)."
_FENCES = re.compile(r"<(?P<tag>[A-Za-z_-]*(?:paper|document|text)[\w-]*)[^>]*>\n?(?P<text>.*?)</(?P=tag)>", re.DOTALL)


def fenced_text(prompt: str) -> str:
    """The paper's text in a prompt; the whole prompt where nothing is fenced."""
    parts = [match["text"] for match in _FENCES.finditer(prompt)]
    return "\n".join(parts) if parts else prompt


def sentences_of(text: str) -> list[str]:
    """Whole sentences of 40 characters or more that stand in the text; those with figures first."""
    found = [match.group().strip() for match in re.finditer(r"[A-Z][^.!?\n]{38,400}[.!?]", text)]
    return sorted(found, key=lambda sentence: not any(letter.isdigit() for letter in sentence))


class Answer:
    """Builds data for a schema. `quote(key)` gives the text of a verbatim field; `generous` says yes to everything."""

    def __init__(self, schema: Mapping[str, Any], quote: Callable[[str], str], generous: bool = False) -> None:
        self._root, self._quote, self._generous = schema, quote, generous

    def data(self, schema: Mapping[str, Any], name: str = "", key: str = "", chosen: str | None = None) -> Any:
        """`name`: of the field; `key`: what tells this place from others; `chosen`: the id that stands for it."""
        if "$ref" in schema:
            schema = self._root["$defs"][schema["$ref"].rpartition("/")[2]]
        options = [schema["const"]] if "const" in schema else schema.get("enum")
        if options:
            if chosen is not None:
                return chosen
            return options[0] if self._generous else options[crc32(key.encode()) % len(options)]
        kind = schema.get("type")
        kind = next((each for each in kind if each != "null"), "null") if isinstance(kind, list) else kind
        if kind == "object" or "properties" in schema:
            return self._object(schema, key, chosen)
        if kind == "array":
            return self._array(schema, name, key)
        return self._scalar(kind, schema, name, key)

    def _object(self, schema: Mapping[str, Any], key: str, chosen: str | None) -> dict[str, Any]:
        fields = schema.get("properties", {})
        ids = _id_field(fields)
        return {
            name: self.data(part, name, f"{key}/{name}" if name != ids else key, chosen if name == ids else None)
            for name, part in fields.items()
        }

    def _array(self, schema: Mapping[str, Any], name: str, key: str) -> list[Any]:
        items = schema.get("items", {})
        fields = items.get("properties", {})
        ids = _id_field(fields)
        low, high = schema.get("minItems", 1), schema.get("maxItems", 1000)
        if ids is None:
            return [self.data(items, name, f"{key}/{at}") for at in range(min(max(low, 1), high))]
        names = list(fields[ids]["enum"])[:high]
        return [self.data(items, name, f"{key}/{each}", each) for each in names]

    def _scalar(self, kind: str | None, schema: Mapping[str, Any], name: str, key: str) -> Any:
        if kind == "boolean":
            return self._generous or crc32(key.encode()) % 4 > 0
        if kind in ("number", "integer"):
            low, high = schema.get("minimum", 0), schema.get("maximum", 1)
            share = 1.0 if self._generous else 0.6 + (crc32(key.encode()) % 40) / 100
            value = low + (high - low) * share
            return int(value) if kind == "integer" else round(value, 3)
        if kind == "string":
            return self._quote(key) if name == "quote" else f"as the paper says ({key.rpartition('/')[0]})"
        return None


def _id_field(fields: Mapping[str, Any]) -> str | None:
    """The field whose enum names what each item is about: the first."""
    return next((name for name, part in fields.items() if "enum" in part and part.get("type") == "string"), None)


def honest(request: Request) -> str:
    found = sentences_of(fenced_text(request.user)) or [fenced_text(request.user)[:200]]

    def quote(key: str) -> str:
        return found[crc32(key.encode()) % len(found)]

    return json.dumps(Answer(request.schema, quote).data(request.schema))


def inventive(request: Request) -> str:
    return json.dumps(Answer(request.schema, lambda key: MADE_UP, generous=True).data(request.schema))


def obedient(request: Request) -> str:
    return inventive(request) if ORDERS.search(fenced_text(request.user)) else honest(request)


REVIEWERS: Mapping[str, Callable[[Request], str]] = {
    "honest": honest,
    "obedient": obedient,
    "inventive": inventive,
}
