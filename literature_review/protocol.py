"""The review protocol: a JSON file to `models.ReviewProtocol`, every mistake told at once with its place.

    {"title", "questions": [{"id", "text", "requirements": [{"id", "text", "sub_requirements":
        [{"id", "text", "keywords": []}]}]}],
     "screening": {"include": [{"id", "text", "keywords": []}], "exclude": [...], "years": [from, to],
        "languages": []}}

`keywords` and `screening` may be missing. Ids are unique over all levels and criteria. Keys that begin with `_`
are comments. The protocol is data: nothing in it is run, or used as a path.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from literature_review.errors import ProtocolError
from literature_review.json_shape import REQUIRED, Block, ListOf, Number, Shape, Text
from literature_review.records import Criterion, Question, Requirement, ReviewProtocol, Screening, SubRequirement
from literature_review.strict_json import Problems, join, read_json, shown

_CODES = (
    "aa ab ae af ak am an ar as av ay az ba be bg bi bm bn bo br bs ca ce ch co cr cs cu cv cy da de dv dz ee "
    "el en eo es et eu fa ff fi fj fo fr fy ga gd gl gn gu gv ha he hi ho hr ht hu hy hz ia id ie ig ii ik io "
    "is it iu ja jv ka kg ki kj kk kl km kn ko kr ks ku kv kw ky la lb lg li ln lo lt lu lv mg mh mi mk ml mn "
    "mr ms mt my na nb nd ne ng nl nn no nr nv ny oc oj om or os pa pi pl ps pt qu rm rn ro ru rw sa sc sd se "
    "sg si sk sl sm sn so sq sr ss st su sv sw ta te tg th ti tk tl tn to tr ts tt tw ty ug uk ur uz ve vi vo "
    "wa wo xh yi yo za zh zu "
)
LANGUAGES = frozenset(_CODES.split())
"""The two-letter codes of ISO 639-1."""

_MAX_ID, _MAX_TEXT = 100, 20_000
_OWN_CRITERIA = ("years", "languages")


def _check_id(text: str) -> str:
    if len(text) > _MAX_ID:
        return f"is longer than {_MAX_ID} characters; write a short one such as Q1.2"
    if text != text.strip() or not text.isprintable():
        return f"is {shown(text)}; write it without white space at its ends, line breaks and unseen characters"
    return ""


def _check_language(text: str) -> str:
    return "" if text in LANGUAGES else f"is {shown(text)}; write a code of ISO 639-1, such as en"


class _Years(Shape):
    """[from, to], both included; null is any year."""

    word = "a list of two years, [from, to]"
    default = None

    def __init__(self) -> None:
        self.year = Number(None, 1000, 2999, whole=True)

    def read(self, value: object, place: str, problems: Problems) -> tuple[int, int] | None:
        """The two years; None for null, or where `problems` got what is wrong."""
        if value is None:
            return None
        if not isinstance(value, (list, tuple)):
            self.refuse(value, place, problems)
            return None
        if len(value) != 2:
            problems.add(place, f"has {len(value)} entries; write two years, [from, to]")
            return None
        first, last = (self.year.read(year, join(place, at), problems) for at, year in enumerate(value))
        if first is None or last is None:
            return None
        if first > last:
            problems.add(place, f"begins in {first} and ends in {last}; write the earlier year first")
        return first, last


def _named(**more: Shape) -> Block:
    return Block({"id": Text(check=_check_id), "text": Text(longest=_MAX_TEXT), **more})


_TERM = _named(keywords=ListOf(Text()))
_REQUIREMENT = _named(sub_requirements=ListOf(_TERM, default=REQUIRED, nothing="there is nothing to look for"))
_QUESTION = _named(requirements=ListOf(_REQUIREMENT, default=REQUIRED, nothing="there is nothing to look for"))

SHAPE = Block(
    {
        "title": Text(),
        "questions": ListOf(_QUESTION, default=REQUIRED, nothing="there is nothing to look for"),
        "screening": Block(
            {
                "include": ListOf(_TERM),
                "exclude": ListOf(_TERM),
                "years": _Years(),
                "languages": ListOf(Text(fold=str.lower, check=_check_language)),
            }
        ),
    }
)


def load_protocol(path: str) -> ReviewProtocol:
    """The protocol in a JSON file. Raises ProtocolError with every mistake; a missing file is one."""
    problems = Problems()
    return _build(read_json(os.fspath(path), problems), problems)


def parse_protocol(data: Mapping[str, Any]) -> ReviewProtocol:
    """The protocol in plain data. Raises ProtocolError with every mistake, whatever the data is."""
    return _build(data, Problems())


def _build(data: object, problems: Problems) -> ReviewProtocol:
    if not problems or data:  # a file that could not be read at all misses no keys
        read = SHAPE.read(data, "", problems)
        _check_ids(read, problems)
    if problems:
        raise ProtocolError(problems.lines())
    return ReviewProtocol(
        title=read["title"],
        questions=tuple(_question(row) for row in read["questions"]),
        screening=_screening(read["screening"]),
    )


def _question(row: Mapping[str, Any]) -> Question:
    return Question(row["id"], row["text"], tuple(_requirement(inner, row) for inner in row["requirements"]))


def _requirement(row: Mapping[str, Any], question: Mapping[str, Any]) -> Requirement:
    subs = tuple(
        SubRequirement(sub["id"], sub["text"], sub["keywords"], requirement=row["text"], question=question["text"])
        for sub in row["sub_requirements"]
    )
    return Requirement(row["id"], row["text"], subs)


def _screening(row: Mapping[str, Any]) -> Screening:
    include, exclude = (
        tuple(Criterion(term["id"], term["text"], term["keywords"]) for term in row[name])
        for name in ("include", "exclude")
    )
    return Screening(include, exclude, row["years"], row["languages"])


def _check_ids(read: Mapping[str, Any], problems: Problems) -> None:
    """Claims, answers and the database name a row by its id alone: no two may share one."""
    taken: dict[str, str] = {}
    for place, row in _rows(read):
        name = row["id"]
        if place.startswith("screening.") and name in _OWN_CRITERIA:
            problems.add(f"{place}.id", f"is {shown(name)}, as what screening.{name} excludes is called; write another")
        elif name in taken:
            problems.add(f"{place}.id", f"is {shown(name)}, as {taken[name]}.id is; give each an id of its own")
        elif name is not None:
            taken[name] = place


def _rows(read: Mapping[str, Any]) -> Iterator[tuple[str, Mapping[str, Any]]]:
    """Everything that has an id, with its place."""
    yield from _nested(read, "", ("questions", "requirements", "sub_requirements"))
    for name in ("include", "exclude"):
        yield from _nested(read["screening"], "screening", (name,))


def _nested(row: Mapping[str, Any], place: str, levels: Sequence[str]) -> Iterator[tuple[str, Mapping[str, Any]]]:
    for at, inner in enumerate(row[levels[0]] or () if levels else ()):
        where = join(join(place, levels[0]), at)
        yield where, inner
        yield from _nested(inner, where, levels[1:])
