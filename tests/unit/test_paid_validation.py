"""Whether an answer is what was asked for."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from literature_review.llm.validation import MAX_CHARACTERS, asked_again, read_answer
from tests.paid_samples import SCHEMA, question

pytestmark = pytest.mark.unit

WORDS = st.text(st.characters(exclude_categories=["Cs"]))
VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | WORDS,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(WORDS, inner, max_size=4),
    max_leaves=20,
)


@given(VALUES)
def test_every_json_value_comes_back_bare_or_fenced(value: Any) -> None:
    text = json.dumps(value)
    for written in (text, f"```json\n{text}\n```", f" ```\r\n{text}\r\n ```\n", f"\ufeff{text}"):
        assert read_answer(written, {}) == (value, "")


@pytest.mark.parametrize("before", ["<think>\nIs it {so}?\n</think>\n\n", "It is so.\n</think>", "<think></think>"])
def test_thoughts_that_a_server_leaves_in_are_no_part_of_the_answer(before: str) -> None:
    """And what only looks like their end, inside the answer, stays."""
    for value in ({"quote": "a </think> b"}, ["<think>"], "</think>"):
        assert read_answer(before + json.dumps(value), {}) == (value, "")
        assert read_answer(f"{before}```json\n{json.dumps(value)}\n```", {}) == (value, "")
        assert read_answer(json.dumps(value), {}) == (value, "")


@given(st.text() | st.text(st.sampled_from('{}[]",:01eE.-nutrfals\\ `\n')))
def test_no_text_makes_it_raise(text: str) -> None:
    """What is no answer is a fault: one line, short enough for a log and a prompt."""
    data, fault = read_answer(text, SCHEMA)
    if fault:
        assert data is None
        assert fault.isprintable()
        assert len(fault) <= 3000  # of 300 characters, each may be escaped
    else:
        assert 0 <= data["score"] <= 1


@pytest.mark.parametrize(
    ("text", "named"),
    [
        ("", "is empty"),
        (" \n\ufeff ", "is empty"),
        ("Sorry, I cannot help with that.", "is not JSON at line 1, column 1"),
        ('{"score": 0.5} Hope that helps!', "Extra data"),
        ('{"score": 0.5', "is not JSON"),
        ('{"score": NaN}', "is nan"),
        ('{"score": -Infinity}', "is -inf"),
        ('{"score": 1e999}', "is inf"),
        ('{"score": ' + "9" * 5000 + "}", "more than 1,000 digits"),
        ('{"score": 0.5, "score": 0.6}', "more than once"),
        ("[" * 100_000, "nested too deeply"),
        ("[" * 60 + "]" * 60, "nested too deeply"),
        ('{"a":' * 100_000, "nested too deeply"),
        ('"' + "x" * 10_000_000 + '"', "longer than 2,000,000 characters"),
        ("[" + "1," * 200_000 + "1]", "is not of type 'object'"),
        ("```json\n" * 200_000, "is not JSON"),
        ("<think>" * 200_000, "is not JSON"),
        ("It is <think>so", "is not JSON"),
        (r'{"score": 0.5, "why": "\ud800"}', "half a character"),
        ("{}", "'score' is a required property"),
        ("null", "is not of type 'object'"),
        ('{"score": 0.5, "more": 1}', "'more' was unexpected"),
        ('{"score": "0.5"}', "score: '0.5' is not of type 'number'"),
        ('{"score": true}', "score: True is not of type 'number'"),
        ('{"score": 1.01}', "score: 1.01 is greater than the maximum of 1"),
    ],
    ids=range(25),
)
def test_what_is_wrong_is_said(text: str, named: str) -> None:
    data, fault = read_answer(text, SCHEMA)
    assert data is None
    assert named in fault
    assert len(fault) <= 310


def test_the_longest_answer_that_is_read() -> None:
    text = json.dumps({"score": 0.5})
    assert read_answer(text + " " * (MAX_CHARACTERS - len(text)), SCHEMA) == ({"score": 0.5}, "")


def test_an_id_that_was_not_offered_is_named_with_its_place() -> None:
    schema = {"type": "array", "items": {"type": "object", "properties": {"id": {"enum": ["S1", "S2"]}}}}
    assert read_answer('[{"id": "S1"}, {"id": "S9"}]', schema)[1] == "[1].id: 'S9' is not one of ['S1', 'S2']"


def test_the_callers_check_sees_only_what_the_schema_lets_through() -> None:
    seen: list[Any] = []

    def check(data: Any) -> str:
        seen.append(data)
        return "no such\nclaim"

    assert read_answer('{"score": 2}', SCHEMA, check)[0] is None
    assert read_answer('{"score": 1}', SCHEMA, check) == (None, r"no such\nclaim")
    assert seen == [{"score": 1}]


def test_a_question_asked_again_is_another_question_each_time() -> None:
    """So that an equal fault does not bring the same malformed answer out of the store."""
    again = [asked_again(question(), "is empty {not a field}", number, 3) for number in (2, 3)]
    assert len({question().user, *(asked.user for asked in again)}) == 3
    assert all("is empty {not a field}" in asked.user for asked in again)
    assert {asked.prompt for asked in again} == {"judge/1"}
