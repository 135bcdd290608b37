"""What every ports.ResultStore promises, run over each implementation."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from literature_review.models import Claim, Document, HiddenText, Page, Passage, Section, StageResult
from literature_review.ports import ResultStore, StoredResult
from literature_review.storage.database import Database
from literature_review.storage.memory import MemoryStore

pytestmark = pytest.mark.contract

CLAIM = Claim("c1", "a.pdf", "S1", "It fell.", 3, "Results", 10, 18, 0.8, "approved", "says so", "offline", "v1",
              scores={"outcome": 0.9})  # fmt: skip
PASSAGE = Passage("a.pdf", "S1", "It may fall.", 2, "Methods", 1, 12, 0.2, "reports no result")
DOCUMENT = Document(
    "It fell.\nSo it did.",
    (Page(1, 0, 9), Page(2, 9, 19)),
    (Section("Results", "results", 0, 19),),
    {"reader": "text 1", "title": "Falling"},
    (HiddenText(0, 2, "tiny"),),
)


@pytest.fixture(params=["database", "memory"])
def store(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[ResultStore]:
    if request.param == "memory":
        yield MemoryStore()
    else:
        with Database(tmp_path / "review.db") as database:
            yield database


def stored(record: dict[str, Any] | None = None, **fields: Any) -> StoredResult:
    result = StageResult("completed", (CLAIM,), (PASSAGE,), record or {}, "")
    return StoredResult(**{"made_from": {"content": "abc"}, "result": result, **fields})


def test_an_empty_store_knows_nothing(store: ResultStore) -> None:
    assert store.get_result("a.pdf", "judge") is None
    assert store.get_document("0" * 64, "text 1") is None


@pytest.mark.parametrize(
    "result",
    [
        StageResult(),
        StageResult("skipped", None, (), {}, "excluded"),
        StageResult("failed", (), (), {}, "the model was overloaded"),
        StageResult("completed", (CLAIM,), (PASSAGE,), {"n": [1, 2.5, None, True, {"é": "\u2028"}]}),
    ],
)
def test_a_result_comes_back_as_it_was(store: ResultStore, result: StageResult) -> None:
    """Claims that a stage did not touch (None) stay apart from claims that it emptied."""
    kept = StoredResult({"content": "abc", "prompt": "1"}, result, "transient", "2025-11-14T03:17:00")
    store.put_result("a.pdf", "judge", kept)
    assert store.get_result("a.pdf", "judge") == kept


def test_results_are_kept_apart_by_paper_and_stage(store: ResultStore) -> None:
    for paper in ("a", "b"):
        for stage in ("a", "b"):
            store.put_result(paper, stage, stored({"is": paper + stage}))
    found = store.get_result("b", "a")
    assert found is not None
    assert found.result.record == {"is": "ba"}
    assert store.get_result("A", "a") is None


def test_a_later_result_takes_the_place_of_an_earlier(store: ResultStore) -> None:
    store.put_result("a", "judge", stored({"n": 1}, error_type="transient"))
    store.put_result("a", "judge", stored({"n": 2}))
    assert store.get_result("a", "judge") == stored({"n": 2})


def test_a_document_comes_back_as_it_was_for_its_reader_alone(store: ResultStore) -> None:
    store.put_document("0" * 64, "text 1", DOCUMENT)
    store.put_document("0" * 64, "text 1", DOCUMENT)
    assert store.get_document("0" * 64, "text 1") == DOCUMENT
    assert store.get_document("0" * 64, "text 2") is None


def test_a_huge_document_comes_back_as_it_was(store: ResultStore) -> None:
    document = Document("A line of a long book.\n" * 200_000)
    store.put_document("1" * 64, "text 1", document)
    assert store.get_document("1" * 64, "text 1") == document


# any text at all: lone surrogates (undecodable file names, odd PDFs), pairs of them, NUL, quotes
ANY_TEXT = st.text(st.characters() | st.sampled_from(["\0", "\ud83d", "\ude00", "\udcff", "'", '"', "\\"]))
PLAIN = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | ANY_TEXT,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(ANY_TEXT, inner, max_size=3),
    max_leaves=8,
)


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(ANY_TEXT, ANY_TEXT, st.dictionaries(ANY_TEXT, PLAIN, max_size=3))
@example("caf\udce9.pdf", "\ud83d\ude00", {"\ud83d\ude00": "\ud83d\ude00"})  # two lone ones, never one character
@example("a\0b", "\0", {})
def test_any_text_comes_back_character_for_character(
    store: ResultStore, paper: str, text: str, record: dict[str, Any]
) -> None:
    """Offsets count characters, and a paper's id finds its file: neither survives a character changed."""
    kept = StoredResult({text: text}, StageResult("completed", None, (), record, text), text, text)
    store.put_result(paper, text, kept)
    assert store.get_result(paper, text) == kept
    store.put_document(paper.encode("utf-8", "surrogatepass").hex(), text, Document(text))
    assert store.get_document(paper.encode("utf-8", "surrogatepass").hex(), text) == Document(text)


def nested(depth: int) -> list[Any]:
    inner: list[Any] = []
    for _ in range(depth):
        inner = [inner]
    return inner


@pytest.mark.parametrize("value", [object(), {1, 2}, b"x", nested(100_000)])
def test_a_record_that_is_no_plain_data_is_refused_by_name(store: ResultStore, value: object) -> None:
    """A stage of the user's own may leave anything: told at once, with its name, and nothing is kept."""
    with pytest.raises(TypeError, match="stage 'mine'"):
        store.put_result("a", "mine", stored({"value": value}))
    assert store.get_result("a", "mine") is None


def test_a_status_that_is_none_is_refused_by_name(store: ResultStore) -> None:
    with pytest.raises(ValueError, match=r"'mine'.*'done'.*completed"):
        store.put_result("a", "mine", StoredResult({}, StageResult("done")))
    assert store.get_result("a", "mine") is None


def test_what_is_handed_out_is_the_callers_own(store: ResultStore) -> None:
    """Changing a record after it was put, or after it was got, changes nothing in the store."""
    record: dict[str, Any] = {"list": [1]}
    store.put_result("a", "judge", stored(record))
    record["list"].append(2)
    first = store.get_result("a", "judge")
    assert first is not None
    first.result.record["list"].append(3)
    again = store.get_result("a", "judge")
    assert again is not None
    assert again.result.record == {"list": [1]}


def together(work: Callable[[int], None], number: int) -> None:
    """Run `work(0..number-1)` in threads; the first error is raised here."""
    errors: list[BaseException] = []

    def run(index: int) -> None:
        try:
            work(index)
        except BaseException as error:  # handed to the test's own thread
            errors.append(error)

    threads = [threading.Thread(target=run, args=(index,)) for index in range(number)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    if errors:
        raise errors[0]


def test_sixteen_threads_lose_nothing(store: ResultStore) -> None:
    """Every thread finds what it put at once, and in the end all is there."""

    def work(index: int) -> None:
        for number in range(10):
            store.put_result(f"{index}", f"{number}", stored({"n": [index, number]}))
            assert store.get_result(f"{index}", f"{number}") == stored({"n": [index, number]})
            store.put_document(f"{number}", "shared", DOCUMENT)
            assert store.get_document(f"{number}", "shared") == DOCUMENT

    together(work, 16)
    for index in range(16):
        for number in range(10):
            assert store.get_result(f"{index}", f"{number}") == stored({"n": [index, number]})
