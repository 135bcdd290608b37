"""The promises of ports.References, held by the library that ships and by a small one that a test would use."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path

import pytest

from literature_review.documents.references import ReferenceLibrary
from literature_review.models import Bibliography, Document, PaperFile
from literature_review.ports import References

pytestmark = pytest.mark.contract
PAPERS = {name: PaperFile(name, name, "0" * 64, 1) for name in ("a.txt", "b.txt")}
TEXT = Document("Nothing of note.")


class OneTitle:
    """Gives a.txt a title, and has one entry too many."""

    used: Mapping[str, int] = {"refs.ris": 2}
    problems: Sequence[str] = ()

    def digest(self, paper: PaperFile, known: Callable[[], Document | None]) -> str:
        return "0123456789abcdef" if paper.id == "a.txt" else ""

    def completed(self, paper: PaperFile, document: Document, own: Bibliography) -> Bibliography:
        if paper.id != "a.txt":
            return own
        return replace(own, title="A title of note", sources={**own.sources, "title": "RIS (refs.ris)"})

    def without_paper(self) -> Sequence[str]:
        return ["refs.ris line 4: no paper is the one that it names"]

    def doubled(self) -> Sequence[str]:
        return ()


@pytest.fixture(params=["ReferenceLibrary", "OneTitle"])
def references(request: pytest.FixtureRequest, tmp_path: Path) -> References:
    if request.param == "OneTitle":
        return OneTitle()
    pytest.importorskip("rispy")
    path = tmp_path / "refs.ris"
    path.write_text(
        "TY  - JOUR\nTI  - A title of note\nL1  - a.txt\nTY  - JOUR\nTI  - Of nobody at all\n", encoding="utf-8"
    )
    return ReferenceLibrary([("refs.ris", str(path))], PAPERS.values())


def test_only_the_entrys_own_paper_is_completed(references: References) -> None:
    own = Bibliography("Own", ("A. Byron",), sources={"authors": "first page"})
    found = references.completed(PAPERS["a.txt"], TEXT, own)
    assert (found.title, found.authors) == ("A title of note", ("A. Byron",))
    assert found.sources == {"authors": "first page", "title": "RIS (refs.ris)"}
    assert references.completed(PAPERS["b.txt"], TEXT, own) == own


def test_a_digest_stands_for_what_is_said(references: References) -> None:
    assert references.digest(PAPERS["a.txt"], lambda: TEXT) == references.digest(PAPERS["a.txt"], lambda: None) != ""
    assert references.digest(PAPERS["b.txt"], lambda: TEXT) == ""


def test_files_are_counted_and_what_is_left_over_is_a_line_each(references: References) -> None:
    assert (dict(references.used), list(references.problems)) == ({"refs.ris": 2}, [])
    for paper in PAPERS.values():
        references.digest(paper, lambda: TEXT)
    assert len(references.without_paper()) == 1
    assert len(references.doubled()) == 0
