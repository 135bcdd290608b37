"""The example review that a fresh clone runs: its protocol, its papers, and what its README promises of them."""

from __future__ import annotations

import hashlib
import json
import re
from pathlib import Path

import pypdfium2
import pytest

from examples.make_pdfs import make_all
from literature_review.pipeline.run import PipelineOrchestrator
from literature_review.protocol import load_protocol

EXAMPLES = Path(__file__).resolve().parents[2] / "examples"
PAPERS = EXAMPLES / "papers"
KINDS = (".pdf", ".txt", ".md")
INVENTED = "This paper was written as an example; its study did not take place."
WINDOWS_1252 = "attendance/text-messages-dermatology.txt"
COPIES = ("adherence/young-adults-with-epilepsy.md", "inbox/riha-2020-from-a-colleague.md")
ROW = re.compile(r"^\| ([ABC]\d\.\d)?[^|]*\| (covered|partial|gap|against|and)? ?\|.*`(.+?)`: \"(.+)\" \|$", re.M)


def papers() -> list[str]:
    return sorted(p.relative_to(PAPERS).as_posix() for p in PAPERS.rglob("*") if p.suffix in KINDS)


def text_of(paper: str) -> str:
    """The paper's text, white space folded, read without any part of the project."""
    path = PAPERS / paper
    if path.suffix == ".pdf":
        with pypdfium2.PdfDocument(path) as pdf:
            pages = [page.get_textpage().get_text_range() for page in pdf]
        return " ".join(" ".join(pages).split())
    encoding = "cp1252" if paper == WINDOWS_1252 else "utf-8"
    return " ".join(path.read_bytes().decode(encoding).split())


def promises() -> list[tuple[str, str, str, str]]:
    """The README's rows: sub-requirement (empty where a row continues), status, paper, sentence."""
    return ROW.findall((EXAMPLES / "README.md").read_text(encoding="utf-8"))


def test_the_protocol_parses_and_asks_twelve_things_under_five_requirements() -> None:
    protocol = load_protocol(str(EXAMPLES / "protocol.json"))
    assert len(protocol.questions) == 3
    assert sum(len(question.requirements) for question in protocol.questions) == 5
    assert len(list(protocol.sub_requirements())) == 12
    assert all(sub.keywords for sub in protocol.sub_requirements())


def test_the_screening_block_uses_every_kind_of_criterion() -> None:
    screening = load_protocol(str(EXAMPLES / "protocol.json")).screening
    assert len(screening.include) == 1
    assert len(screening.exclude) == 1
    assert screening.years == (2015, 2025)
    assert screening.languages == ("en",)


def test_there_are_nine_files_of_three_kinds_and_nothing_else() -> None:
    kinds = [Path(paper).suffix for paper in papers()]
    assert [kinds.count(kind) for kind in KINDS] == [3, 3, 3]
    assert len([path for path in PAPERS.rglob("*") if path.is_file()]) == 9


@pytest.mark.parametrize("paper", papers())
def test_every_paper_is_short_and_says_that_it_was_invented(paper: str) -> None:
    text = text_of(paper)
    assert INVENTED in text
    assert 500 <= len(text.split()) <= 1400


@pytest.mark.parametrize("paper", papers())
def test_every_paper_has_the_parts_of_a_paper(paper: str) -> None:
    text = text_of(paper).lower()
    for part in ("abstract", "methods", "discussion", "limitations", "references"):
        assert part in text
    assert ("results" in text) or paper == "adherence/after-the-messages-end.txt"


def test_the_duplicate_is_one_and_no_other_file_is() -> None:
    digests = {paper: hashlib.sha256((PAPERS / paper).read_bytes()).hexdigest() for paper in papers()}
    assert digests[COPIES[0]] == digests[COPIES[1]]
    assert len(set(digests.values())) == 8


def test_one_paper_is_windows_1252_and_no_utf_8() -> None:
    raw = (PAPERS / WINDOWS_1252).read_bytes()
    with pytest.raises(UnicodeDecodeError):
        raw.decode("utf-8")
    assert {"“", "’", "–", "é", "£"} <= set(raw.decode("cp1252"))


def test_one_paper_is_utf_8_beyond_latin_1() -> None:
    assert {"Ř", "ễ", "≥", "µ", "α"} <= set((PAPERS / COPIES[0]).read_text(encoding="utf-8"))


@pytest.mark.parametrize("path", make_all(), ids=lambda path: path.name)
def test_the_pdfs_are_those_that_their_sources_make(path: Path) -> None:
    assert path.read_bytes() == make_all()[path]


def test_the_pdfs_have_two_or_three_pages_with_their_numbers() -> None:
    counts = {}
    for paper in (paper for paper in papers() if paper.endswith(".pdf")):
        with pypdfium2.PdfDocument(PAPERS / paper) as pdf:
            heads = [page.get_textpage().get_text_range().splitlines()[0] for page in pdf]
        assert all(re.fullmatch(r"Examples in Outpatient Care \d \(\d{4}\), page \d+", head) for head in heads)
        counts[paper] = len(heads)
    assert sorted(counts.values()) == [2, 2, 3]


def test_the_unreadable_pdf_cannot_be_opened() -> None:
    (path,) = (EXAMPLES / "unreadable").iterdir()
    with pytest.raises(pypdfium2.PdfiumError):
        pypdfium2.PdfDocument(path)


def test_the_readme_has_a_row_for_every_sub_requirement_and_names_every_paper() -> None:
    asked = {sub.id for sub in load_protocol(str(EXAMPLES / "protocol.json")).sub_requirements()}
    assert {row[0] for row in promises() if row[0]} == asked
    readme = (EXAMPLES / "README.md").read_text(encoding="utf-8")
    assert all(f"| `{paper}` |" in readme for paper in papers())


def test_the_readme_promises_covered_partial_and_gap() -> None:
    statuses = [status for _, status, _, _ in promises()]
    assert statuses.count("partial") == 1
    assert statuses.count("gap") == 4
    assert statuses.count("covered") == 7


def test_the_review_says_what_the_readme_promises(tmp_path: Path) -> None:
    """Every status, and every sentence promised for a covered or partial row is an approved claim."""
    config = {
        "papers": str(PAPERS),
        "protocol": str(EXAMPLES / "protocol.json"),
        "output_dir": str(tmp_path / "out"),
        "v2_features": {"checkpoint_file": str(tmp_path / "checkpoint.json")},
    }
    assert PipelineOrchestrator(config).run().exit_code == 0
    report = json.loads((tmp_path / "out" / "gap_analysis_report.json").read_text(encoding="utf-8"))
    subs = {
        sub["id"]: sub
        for question in report["questions"]
        for requirement in question["requirements"]
        for sub in requirement["sub_requirements"]
    }
    for asked, status, paper, sentence in promises():
        if not asked or status not in ("covered", "partial", "gap"):
            continue
        assert subs[asked]["status"] == status, asked
        approved = {
            (claim["paper"], " ".join(claim["quote"].split()))
            for claim in subs[asked]["claims"]
            if claim["status"] == "approved"
        }
        assert ((paper, sentence) in approved) == (status != "gap"), asked
    totals = report["totals"]
    shown = f"{totals['covered']} covered, {totals['partial']} partly covered, {totals['gaps']} gaps"
    readme = (EXAMPLES.parent / "README.md").read_text(encoding="utf-8")
    assert f"![The report: {shown};" in readme, "take the picture docs/report.png anew"


@pytest.mark.parametrize(("_asked", "_status", "paper", "sentence"), promises())
def test_each_sentence_of_the_readme_stands_in_its_paper(
    _asked: str, _status: str, paper: str, sentence: str
) -> None:
    assert sentence in text_of(paper)


def test_the_protocol_file_is_as_a_person_would_write_it() -> None:
    raw = (EXAMPLES / "protocol.json").read_text(encoding="utf-8")
    assert list(json.loads(raw)) == ["title", "questions", "screening"]
    assert raw.endswith("}\n")
