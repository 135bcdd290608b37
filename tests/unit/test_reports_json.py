"""The JSON report: strict, stable, complete."""

from __future__ import annotations

import json
from collections.abc import Mapping
from types import MappingProxyType
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from literature_review.reports.json_report import encode
from tests.report_samples import hostile_report, sample_report

pytestmark = pytest.mark.unit

# Two halves that happen to stand side by side come back as the one character that they make.
TEXTS = st.text(st.one_of(st.characters(exclude_categories=["Cs"]), st.just("\ud800")), max_size=8)
VALUES = st.recursive(
    st.none() | st.booleans() | st.integers(-(10**18), 10**18) | st.floats(allow_nan=False, allow_infinity=False)
    | TEXTS,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(TEXTS, inner, max_size=4),
    max_leaves=20,
)  # fmt: skip


@given(st.dictionaries(TEXTS, VALUES, max_size=5))
def test_what_is_written_reads_back_the_same(report: dict[str, Any]) -> None:
    assert json.loads(encode(report).decode("utf-8")) == report


def test_the_whole_report_reads_back_with_hostile_texts_and_all() -> None:
    report = hostile_report()
    assert json.loads(encode(report)) == report


def test_a_cell_of_the_map_is_a_line() -> None:
    """There may be very many: the indent alone would be a quarter of the report."""
    report = sample_report()
    lines = encode(report).decode().split("\n")
    subs = [sub for q in report["questions"] for r in q["requirements"] for sub in r["sub_requirements"]]
    cells = [json.loads(line.strip().rstrip(",")) for line in lines if line.lstrip().startswith('{"paper": ')]
    assert cells == [cell for sub in subs for cell in sub["cells"]]


def test_a_lone_surrogate_is_an_escape_in_valid_utf8() -> None:
    assert encode({"quote": "a\ud800b"}) == b'{\n "quote": "a\\ud800b"\n}\n'


def test_a_number_that_is_not_finite_becomes_null() -> None:
    data = {"a": float("nan"), "b": [float("inf"), -float("inf")], "c": 1.5}
    assert json.loads(encode(data)) == {"a": None, "b": [None, None], "c": 1.5}


def test_the_order_of_keys_does_not_depend_on_how_the_report_was_built() -> None:
    def reversed_order(value: Any) -> Any:
        if isinstance(value, dict):
            return {key: reversed_order(value[key]) for key in reversed(list(value))}
        return [reversed_order(item) for item in value] if isinstance(value, list) else value

    report = sample_report()
    assert encode(report) == encode(reversed_order(report))


def test_the_parts_come_in_the_order_of_the_contract() -> None:
    written = json.loads(encode(sample_report()))
    assert list(written) == ["schema_version", "run", "protocol", "papers", "questions", "totals"]
    assert list(written["questions"][0])[:3] == ["id", "text", "requirements"]


def test_only_the_run_differs_between_two_runs() -> None:
    first, second = sample_report(), sample_report()
    second["run"] = {**second["run"], "run_id": "other", "duration_seconds": 1.0}
    one, two = json.loads(encode(first)), json.loads(encode(second))
    assert one.pop("run") != two.pop("run")
    assert one == two


def test_read_only_records_and_tuples_are_written_as_plain_data() -> None:
    frozen: Mapping[str, Any] = MappingProxyType({"a": (1, MappingProxyType({"b": 2}))})
    assert json.loads(encode(frozen)) == {"a": [1, {"b": 2}]}


@pytest.mark.parametrize("value", [{1, 2}, object(), b"bytes"])
def test_what_is_no_json_data_is_refused_by_its_place(value: object) -> None:
    with pytest.raises(TypeError, match=r"report\.papers\[1\]\.title: "):
        encode({"papers": [{}, {"title": value}]})


def test_a_key_that_is_no_text_is_refused() -> None:
    with pytest.raises(TypeError, match="the key 1 is no text"):
        encode({"run": {1: "a", "1": "b"}})
