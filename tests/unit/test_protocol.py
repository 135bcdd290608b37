"""The review protocol: what the file asks is what is looked for; every mistake is told at once, with its place."""

from __future__ import annotations

import copy
import json
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from literature_review.errors import ProtocolError
from literature_review.models import Criterion, ReviewProtocol, Screening, SubRequirement
from literature_review.protocol import LANGUAGES, load_protocol, parse_protocol

pytestmark = pytest.mark.unit

WHOLE: dict[str, Any] = {
    "title": "Sleep and memory",
    "questions": [
        {
            "id": "Q1",
            "text": "Does sleep help?",
            "requirements": [
                {
                    "id": "R1",
                    "text": "Adults",
                    "sub_requirements": [
                        {"id": "S1", "text": "Recall after a night", "keywords": ["recall", "night"]},
                        {"id": "S2", "text": "Recall after a nap"},
                    ],
                },
                {"id": "R2", "text": "Children", "sub_requirements": [{"id": "S3", "text": "Naps"}]},
            ],
        }
    ],
    "screening": {
        "include": [{"id": "I1", "text": "Human participants", "keywords": ["participants"]}],
        "exclude": [{"id": "E1", "text": "Animals"}],
        "years": [1990, 2025],
        "languages": ["en", "DE"],
    },
}
SUB = "questions[0].requirements[0].sub_requirements"


def changed(path: str, value: Any) -> dict[str, Any]:
    """The protocol with one value replaced, or taken out where `value` is Ellipsis."""
    data = copy.deepcopy(WHOLE)
    at: Any = data
    *way, last = [int(key) if key.isdigit() else key for key in path.replace("[", ".").replace("]", "").split(".")]
    for key in way:
        at = at[key]
    if value is ...:
        del at[last]
    else:
        at[last] = value
    return data


def problems(data: Any) -> list[str]:
    with pytest.raises(ProtocolError) as caught:
        parse_protocol(data)
    return list(caught.value.problems)


def test_every_part_reaches_its_place() -> None:
    protocol = parse_protocol(WHOLE)
    assert protocol.title == "Sleep and memory"
    assert list(protocol.sub_requirements()) == [
        SubRequirement("S1", "Recall after a night", ("recall", "night"), "Adults", "Does sleep help?"),
        SubRequirement("S2", "Recall after a nap", (), "Adults", "Does sleep help?"),
        SubRequirement("S3", "Naps", (), "Children", "Does sleep help?"),
    ]
    assert [(q.id, [r.id for r in q.requirements]) for q in protocol.questions] == [("Q1", ["R1", "R2"])]
    include = (Criterion("I1", "Human participants", ("participants",)),)
    exclude = (Criterion("E1", "Animals"),)
    assert protocol.screening == Screening(include, exclude, (1990, 2025), ("en", "de"))


def test_screening_and_keywords_may_be_missing() -> None:
    data = changed("screening", ...)
    assert parse_protocol(data).screening == Screening()
    assert parse_protocol({**data, "screening": {}}).screening == Screening()
    assert parse_protocol({**data, "screening": {"years": None}}).screening == Screening()


def test_plain_data_makes_the_same_protocol_again() -> None:
    protocol = parse_protocol(WHOLE)
    assert parse_protocol(protocol.to_json()) == protocol
    assert parse_protocol(json.loads(json.dumps(protocol.to_json()))) == protocol


def test_keys_that_begin_with_an_underscore_are_comments() -> None:
    data = changed(f"{SUB}[0].keywords", ["recall", "night"])
    data["_note"] = [1]
    data["questions"][0]["_todo"] = {}
    assert parse_protocol(data) == parse_protocol(WHOLE)


def test_a_text_is_kept_character_for_character() -> None:
    text = "  <b>café</b>\n\"; DROP TABLE claims; --  "
    assert next(parse_protocol(changed(f"{SUB}[0].text", text)).sub_requirements()).text == text


@pytest.mark.parametrize(
    ("path", "value", "told"),
    [
        ("title", ..., "title: is missing; write a text"),
        ("title", " ", "title: is empty"),
        ("questions", ..., "questions: is missing; write a list"),
        ("questions", [], "questions: is empty; there is nothing to look for"),
        ("questions", {}, "questions: must be a list, not an object"),
        ("questions[0]", "Q", "questions[0]: must be an object, not a text"),
        ("questions[0].requirements", [], "questions[0].requirements: is empty; there is nothing to look for"),
        (SUB, ..., f"{SUB}: is missing"),
        (SUB, [], f"{SUB}: is empty; there is nothing to look for"),
        (f"{SUB}[0].id", "", f"{SUB}[0].id: is empty"),
        (f"{SUB}[0].id", 1, f"{SUB}[0].id: must be a text, not 1"),
        (f"{SUB}[0].id", "S 1 ", f"{SUB}[0].id: is \"S 1 \"; write it without white space at its ends"),
        (f"{SUB}[0].id", "S\n1", f"{SUB}[0].id: is"),
        (f"{SUB}[0].id", "S" * 101, f"{SUB}[0].id: is longer than 100 characters"),
        (f"{SUB}[0].text", None, f"{SUB}[0].text: must be a text, not null"),
        (f"{SUB}[0].text", "a\0b", f"{SUB}[0].text: holds a control character"),
        (f"{SUB}[0].text", "\ud800", f"{SUB}[0].text: holds half a character"),
        (f"{SUB}[0].keywords", "recall", f"{SUB}[0].keywords: must be a list, not a text"),
        (f"{SUB}[0].keywords", ["a", ""], f"{SUB}[0].keywords[1]: is empty"),
        (f"{SUB}[0].keywords", [1], f"{SUB}[0].keywords[0]: must be a text, not 1"),
        (f"{SUB}[0].keyword", [], f"is not a known key; the nearest known key is {SUB}[0].keywords"),
        ("question", [], "question: is not a known key; the nearest known key is questions"),
        ("screening", [], "screening: must be an object, not a list"),
        ("screening.includes", [], "the nearest known key is screening.include"),
        ("screening.include[0].text", ..., "screening.include[0].text: is missing"),
        ("screening.years", [2025, 1990], "screening.years: begins in 2025 and ends in 1990"),
        ("screening.years", [1990], "screening.years: has 1 entries; write two years"),
        ("screening.years", [1990, 20205], "screening.years[1]: must be a whole number from 1000 to 2999"),
        ("screening.years", ["1990", 2025], "screening.years[0]: must be a whole number, not a text"),
        ("screening.years", 1990, "screening.years: must be a list of two years, [from, to], not 1990"),
        ("screening.years", [True, 2025], "screening.years[0]: must be a whole number, not true"),
        ("screening.languages", ["en", "english"], 'screening.languages[1]: is "english"; write a code'),
        ("screening.languages", ["xx"], 'screening.languages[0]: is "xx"'),
        ("screening.languages", "en", "screening.languages: must be a list"),
        (f"{SUB}[1].id", "S1", f"{SUB}[1].id: is \"S1\", as {SUB}[0].id is; give each an id of its own"),
        (f"{SUB}[1].id", "Q1", f"{SUB}[1].id: is \"Q1\", as questions[0].id is"),
        ("screening.exclude[0].id", "S1", "screening.exclude[0].id: is \"S1\", as "),
        ("screening.exclude[0].id", "years", "screening.exclude[0].id: is \"years\", as what screening.years excludes"),
        ("screening.exclude[0].id", "I1", "screening.exclude[0].id: is \"I1\", as screening.include[0].id is"),
    ],
)
def test_a_mistake_is_told_with_its_place_and_what_to_do(path: str, value: Any, told: str) -> None:
    found = problems(changed(path, value))
    assert len(found) == 1
    assert told in found[0]


def test_all_mistakes_are_told_at_once_in_the_order_of_the_file() -> None:
    data = changed(f"{SUB}[0].keywords", 1)
    data["questions"][0]["requirements"][1]["sub_requirements"][0]["id"] = "S1"
    del data["title"]
    data["screening"]["languages"] = ["zz"]
    assert [line.partition(":")[0] for line in problems(data)] == [
        "title",
        f"{SUB}[0].keywords",
        "screening.languages[0]",
        "questions[0].requirements[1].sub_requirements[0].id",
    ]


@pytest.mark.parametrize("data", [None, [], "x", 3, True])
def test_what_is_no_object_is_told_so(data: Any) -> None:
    assert any(line.startswith("the whole file: must be an object") for line in problems(data))


def test_a_file_is_read_and_a_mistake_in_its_form_is_told_alone(tmp_path: Path) -> None:
    path = tmp_path / "protocol.json"
    path.write_text(json.dumps(WHOLE), encoding="utf-8-sig")
    assert load_protocol(str(path)) == parse_protocol(WHOLE)
    path.write_text('{"title": "x",\n "questions": [,]}')
    for wrong, told in [(path, "is not JSON at line 2, column 16"), (tmp_path / "protocl.json", "did you mean")]:
        with pytest.raises(ProtocolError, match=told) as caught:
            load_protocol(str(wrong))
        assert len(caught.value.problems) == 1


def test_mistakes_in_the_form_and_in_the_meaning_are_told_together(tmp_path: Path) -> None:
    path = tmp_path / "protocol.json"
    path.write_text('{"title": "a", "title": "", "questions": [], "_n": [NaN]}')
    with pytest.raises(ProtocolError) as caught:
        load_protocol(str(path))
    assert [line.partition(":")[0] for line in caught.value.problems] == ["title", "_n[0]", "title", "questions"]


def test_an_empty_object_in_a_file_misses_its_keys(tmp_path: Path) -> None:
    (tmp_path / "p.json").write_text("{}")
    with pytest.raises(ProtocolError) as caught:
        load_protocol(str(tmp_path / "p.json"))
    assert len(caught.value.problems) == 2


def many(count: int) -> dict[str, Any]:
    subs = [{"id": f"S{n}", "text": f"Outcome {n}", "keywords": [f"word{n}", "outcome"]} for n in range(count)]
    blocks = [subs[at : at + 20] for at in range(0, count, 20)]
    requirements = [{"id": f"R{n}", "text": f"Need {n}", "sub_requirements": b} for n, b in enumerate(blocks)]
    return {"title": "Many", "questions": [{"id": "Q", "text": "All?", "requirements": requirements}]}


def test_two_thousand_sub_requirements_cost_no_more_each_than_a_few() -> None:
    """Processor time, so that other work on the machine does not count; with much room."""
    few, lots = many(100), many(2000)
    parse_protocol(few)
    started = time.process_time()
    parse_protocol(few)
    middle = time.process_time()
    assert sum(1 for _ in parse_protocol(lots).sub_requirements()) == 2000
    assert time.process_time() - middle < 20 * (middle - started) * 10 + 0.5


def test_thousands_of_mistakes_are_told_in_bounded_size() -> None:
    data = many(2000)
    for requirement in data["questions"][0]["requirements"]:
        for sub in requirement["sub_requirements"]:
            sub["id"] = "same"
    found = problems(data)
    assert len(found) == 1001
    assert found[-1] == "and 999 mistakes more; mend these first"


def test_the_languages_are_those_of_the_standard() -> None:
    assert len(LANGUAGES) == 183
    assert {"en", "de", "fr", "zh", "ar", "he", "ja", "uk"} <= LANGUAGES


# Whatever the data is


def mistakes(load: Callable[[], ReviewProtocol]) -> tuple[str, ...]:
    """The lines of the ProtocolError, if any; anything else that is raised goes through and fails the test."""
    try:
        protocol = load()
    except ProtocolError as error:
        return error.problems or ("none",)
    assert parse_protocol(json.loads(json.dumps(protocol.to_json()))) == protocol
    return ()


names = st.sampled_from(
    ["title", "questions", "id", "text", "requirements", "sub_requirements", "keywords", "screening", "include"]
    + ["exclude", "years", "languages", "_x"]
) | st.text(max_size=4)
plain = st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5)
values = st.recursive(
    plain, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(names, inner, max_size=5), max_leaves=30
)


@settings(max_examples=300)
@given(values)
def test_no_data_raises_anything_but_a_protocol_error(data: Any) -> None:
    for line in mistakes(lambda: parse_protocol(data)):
        assert ": " in line
        assert line.isprintable()
        line.encode()


places = st.sampled_from(
    ["title", "questions", "questions[0].id", "questions[0].requirements", "questions[0].requirements[1]", SUB]
    + [f"{SUB}[0].id", f"{SUB}[1].text", f"{SUB}[0].keywords", "screening", "screening.include[0]"]
    + ["screening.years", "screening.languages", "screening.exclude"]
)


@settings(max_examples=300)
@given(places, values)
def test_one_changed_place_is_either_right_or_the_place_that_is_told(path: str, value: Any) -> None:
    for line in mistakes(lambda: parse_protocol(changed(path, value))):
        assert line.startswith(path) or ".id: is" in line


texts = st.text(st.characters(exclude_categories=["C"]), min_size=1, max_size=20).filter(lambda text: text.strip())


@given(st.lists(st.tuples(texts, st.lists(texts, max_size=3)), min_size=1, max_size=6))
def test_what_the_file_asks_is_what_is_looked_for(subs: list[tuple[str, list[str]]]) -> None:
    rows = [{"id": f"S{n}", "text": text, "keywords": words} for n, (text, words) in enumerate(subs)]
    requirement = {"id": "R", "text": "r", "sub_requirements": rows}
    found = parse_protocol(changed("questions[0].requirements", [requirement]))
    assert [(sub.text, list(sub.keywords)) for sub in found.sub_requirements()] == subs
