"""Records are frozen dataclasses to everybody who looks, and cost less to define."""

from __future__ import annotations

import copy
import dataclasses
import io
import pickle
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from literature_review.config import Config, LlmSettings, parse_config
from literature_review.light_record import as_plain, made, record
from literature_review.pipeline.run import PipelineOrchestrator
from literature_review.pipeline.runlog import RunLog
from literature_review.records import PaperFile, Question, Requirement, ReviewProtocol, SubRequirement
from tests.review_samples import ROOT, make_review

pytestmark = pytest.mark.unit


@record
class Light:
    a: int
    b: str = "b"
    c: Mapping[str, Any] = made(default_factory=dict)


@dataclasses.dataclass(frozen=True)
class Heavy:
    a: int
    b: str = "b"
    c: Mapping[str, Any] = dataclasses.field(default_factory=dict)


values = st.integers() | st.text(max_size=3)
arguments = st.tuples(st.lists(values, max_size=4), st.dictionaries(st.sampled_from(["a", "b", "c", "d"]), values))


def outcome(kind: Any, given: tuple[list[Any], dict[str, Any]]) -> Any:
    try:
        made = kind(*given[0], **given[1])
    except TypeError:
        return TypeError
    return (made.a, made.b, made.c, repr(made).replace("Heavy", "Light"), dataclasses.asdict(made), vars(made))


@given(arguments)
def test_a_record_is_made_refused_and_shown_as_a_dataclass_is(given: tuple[list[Any], dict[str, Any]]) -> None:
    assert outcome(Light, given) == outcome(Heavy, given)


@given(arguments, arguments)
def test_records_are_equal_and_hash_as_dataclasses_do(one: Any, other: Any) -> None:
    if TypeError in (outcome(Light, one), outcome(Light, other)):
        return
    (first, second), (third, fourth) = (
        (kind(*given[0], **given[1]) for given in (one, other)) for kind in (Light, Heavy)
    )
    assert (first == second) is (third == fourth)
    try:
        expected = hash(third) == hash(fourth)
    except TypeError:
        with pytest.raises(TypeError):
            hash((first, second))
    else:
        assert (hash(first) == hash(second)) is expected


def test_records_of_different_kinds_are_not_equal() -> None:
    others: list[object] = [Heavy(1), (1, "b", {}), Light(2), None]
    assert Light(1) not in others


def test_each_record_has_a_default_of_its_own() -> None:
    assert Light(1).c == {}
    assert Light(1).c is not Light(1).c


def test_a_record_cannot_be_changed() -> None:
    light = Light(1)
    with pytest.raises(dataclasses.FrozenInstanceError):
        light.a = 2  # type: ignore[misc]
    with pytest.raises(dataclasses.FrozenInstanceError):
        del light.a
    with pytest.raises(dataclasses.FrozenInstanceError):
        light.new = 1  # type: ignore[attr-defined]


def test_dataclasses_own_functions_take_records() -> None:
    assert [field.name for field in dataclasses.fields(Config)] == list(Config.__annotations__)
    assert dataclasses.replace(Light(1), b="x") == Light(1, "x")
    config = parse_config({"llm": {"prices": {"m": {"input_usd_per_million": 1, "output_usd_per_million": 2}}}})
    trees: list[Any] = [config, ReviewProtocol("t", (Question("q", "", (Requirement("r", ""),)),))]
    for value in trees:
        assert dataclasses.asdict(value) == as_plain(value)
    assert Light.__match_args__ == Heavy.__match_args__
    assert dataclasses.is_dataclass(Light)


def test_what_is_done_after_the_making_is_done_by_replace_too() -> None:
    assert LlmSettings("gemini").api_key_env == "GEMINI_API_KEY"
    assert dataclasses.replace(LlmSettings(), backend="gemini", api_key_env="").api_key_env == "GEMINI_API_KEY"


@pytest.mark.parametrize("value", [Light(1, "x", {"y": (2,)}), PaperFile("a", "b", "c", 4), SubRequirement("s", "t")])
def test_records_survive_pickle_and_copies(value: Any) -> None:
    for again in (pickle.loads(pickle.dumps(value)), copy.copy(value), copy.deepcopy(value)):
        assert again == value
        assert type(again) is type(value)


HEAVY = (
    "dataclasses", "inspect", "pathlib", "csv", "html", "subprocess", "shutil", "concurrent.futures", "zipfile",
    "literature_review.models", "literature_review.ports", "literature_review.storage.database",
    "literature_review.pipeline.review_run", "literature_review.reviewers.judge",
)  # fmt: skip


def modules_of_a_dry_run(folder: Path) -> set[str]:
    """What it imports beyond what the interpreter had at its start: an installed package may have a finder there."""
    code = (
        "import sys; had = set(sys.modules); import pipeline_orchestrator; "
        "assert pipeline_orchestrator.main() == 0; print(*(set(sys.modules) - had))"
    )
    command = [sys.executable, "-c", code, "--dry-run", "--config", str(folder / "pipeline_config.json")]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True)
    return set(done.stdout.splitlines()[-1].split())


def test_a_dry_run_imports_neither_dataclasses_nor_what_only_a_run_needs(tmp_path: Path) -> None:
    make_review(tmp_path)
    assert not modules_of_a_dry_run(tmp_path) & {*HEAVY, "sqlite3"}


def test_a_dry_run_over_what_a_run_left_imports_sqlite3_and_no_more(tmp_path: Path) -> None:
    """review.db and the version history are looked at without the records that are kept in them."""
    make_review(tmp_path)
    PipelineOrchestrator(str(tmp_path / "pipeline_config.json"), log=RunLog(io.StringIO())).run()
    loaded = modules_of_a_dry_run(tmp_path)
    assert "sqlite3" in loaded
    assert not loaded & set(HEAVY)
