"""Headings and sections of a text."""

from __future__ import annotations

import json
import time
from itertools import pairwise
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from literature_review.text.sections import find_headings, find_sections, kind_of

SHARED = Path(__file__).resolve().parents[2].parent / "shared"


def outline(text: str) -> list[tuple[str, str]]:
    return [(section.title, section.kind) for section in find_sections(text)]


def test_markdown_headings_with_subsections_that_take_the_kind_above() -> None:
    text = "# A trial of apples\nx\n## Methods\nx\n### Blinding\nx\n## Results ##\nx\n\nFunding\n-------\nx\n"
    assert outline(text) == [
        ("A trial of apples", "other"),
        ("Methods", "methods"),
        ("Blinding", "methods"),
        ("Results", "results"),
        ("Funding", "funding"),
    ]


def test_numbered_headings_follow_their_numbering() -> None:
    """Affiliations before and references behind are numbered as well, and are no headings."""
    text = (
        "1 School of Medicine\n2 Institute of Apples\n1 Introduction\nx\n1.1 Aims of this work\nx\n"
        "2 Materials and methods\nx\n2.1 Participants\nx\n7 Days later\n3 Results\nx\n4 Conclusions\nx\n"
        "References\n5 Smith J A title of note\n6 Jones K Another title\n"
    )
    assert outline(text) == [
        ("1 Introduction", "introduction"),
        ("1.1 Aims of this work", "introduction"),
        ("2 Materials and methods", "methods"),
        ("2.1 Participants", "methods"),
        ("3 Results", "results"),
        ("4 Conclusions", "conclusion"),
        ("References", "references"),
    ]


def test_known_words_and_capitals_are_headings() -> None:
    text = (
        "Abstract\nx\nINTRODUCTION\nx\nMaterials & Methods:\nx\nSTATISTICAL "
        "ANALYSIS\nx\nIII. RESULTS\nx\nAcknowledgments\n"
    )
    assert outline(text) == [
        ("Abstract", "abstract"),
        ("INTRODUCTION", "introduction"),
        ("Materials & Methods", "methods"),
        ("STATISTICAL ANALYSIS", "methods"),
        ("III. RESULTS", "results"),
        ("Acknowledgments", "acknowledgements"),
    ]


def test_running_heads_are_no_headings() -> None:
    page = "JOURNAL OF APPLES\nSome text about apples goes here.\n"
    assert outline(page * 4 + "Results\nx\n") == [("Results", "results")]


@pytest.mark.parametrize(
    "line",
    [
        "Results of the trial show that apples help,",
        "12. Smith J, Jones K. A title. J Apples 2001;3:1-9.",
        "2 tablets were given daily.",
        "Table 1",
        "p < 0.001",
        "the results",
        "NASA, ESA, IEEE,",
        "",
        "1",
        "#",
        "3.14159",
    ],
)
def test_ordinary_lines_are_no_headings(line: str) -> None:
    assert outline(f"Some text.\n{line}\nmore text.\n") == []


def test_an_abstract_that_runs_into_its_text_is_found() -> None:
    text = (
        "A title\nAbstract—We show that apples help a great deal in most of the patients "
        "that were seen at our clinic.\n"
    )
    assert outline(text) == [("Abstract", "abstract")]


@pytest.mark.parametrize(
    ("title", "kind"),
    [
        ("4. Results and Discussion", "results"),
        ("METHODS:", "methods"),
        ("BODY.MATERIALS AND METHODS", "methods"),
        ("ABSTRACT.RESULTS", "abstract"),
        ("BODY.D:ISCUSSION", "discussion"),
        ("Appendix B Proofs", "appendix"),
        ("Authors’ contributions", "declarations"),
        ("**Conclusion**", "conclusion"),
        ("Apples", ""),
        ("", ""),
    ],
)
def test_kinds_of_titles(title: str, kind: str) -> None:
    assert kind_of(title) == kind


@given(
    st.lists(
        st.sampled_from(
            [
                "# A b",
                "## Methods",
                "Results",
                "1 Introduction",
                "2.1 On apples",
                "ALL CAPS HERE",
                "text",
                "",
                "References",
                "Abstract: x",
                "===",
                "\f",
                "\u2028",
            ]
        )
    ).map("\n".join)
)
def test_sections_cover_the_text_from_the_first_heading_without_overlap(text: str) -> None:
    sections = find_sections(text)
    for before, after in pairwise(sections):
        assert before.start < before.end == after.start
    if sections:
        assert sections[-1].end == len(text)
        assert all(section.kind and section.title and section.level >= 1 for section in sections)


@given(st.text(max_size=200))
def test_any_text_has_sections_or_none(text: str) -> None:
    assert all(text[heading.start :] for heading in find_headings(text))


@pytest.mark.parametrize(
    "unit",
    [
        "#\n",
        "1 A b\n",
        "1.1.1.1.1 A\n",
        "Abstract",
        " ",
        "A" * 99 + "\n",
        "# " + " " * 90 + "\n",
        "**A B**\n",
        "I. A\n",
        "1 " * 40 + "\n",
        "A.B." * 20 + "\n",
    ],
)
def test_time_grows_with_the_length_alone(unit: str) -> None:
    """A hostile text of half a megabyte is done in a moment: ten times the text, at most thirty times the time."""

    def seconds(size: int) -> float:
        text = unit * (size // len(unit))
        start = time.process_time()
        find_sections(text)
        return time.process_time() - start

    small = min(seconds(50_000) for _ in range(2))
    assert seconds(500_000) < max(30 * small, 0.5)


def test_one_line_of_marks_takes_no_time() -> None:
    start = time.process_time()
    assert [len(section.title) for section in find_sections("# " + "# " * 60_000 + "x\n")] == [120_001]
    assert time.process_time() - start < 3.0


def test_marks_alone_head_nothing_and_marks_behind_a_title_are_not_of_it() -> None:
    text = "# ##\n\n# Methods ##\n\n## Tea # two\n"
    assert [section.title for section in find_sections(text)] == ["Methods", "Tea # two"]


@pytest.mark.skipif(not SHARED.is_dir(), reason="the shared papers are not here")
def test_real_trials_have_their_methods_and_results_found() -> None:
    """At least nine in ten of the trials whose text has such headings."""
    wanted = found = 0
    for path in sorted((SHARED / "data" / "evidence_inference").glob("*.txt")):
        text = path.read_text(encoding="utf-8")
        kinds = {section.kind for section in find_sections(text)}
        for heading, kind in (
            ("BODY.METHODS:", "methods"),
            ("BODY.RESULTS:", "results"),
            ("BODY.DISCUSSION:", "discussion"),
        ):
            wanted += heading in text
            found += heading in text and kind in kinds
    assert wanted > 200
    assert found >= 0.9 * wanted


@pytest.mark.skipif(not SHARED.is_dir(), reason="the shared contracts are not here")
def test_a_contract_s_clauses_are_sections() -> None:
    first = json.loads(
        (SHARED / "data" / "contract_nli" / "documents.jsonl").read_text(encoding="utf-8").split("\n")[0]
    )
    titles = [title for title, _ in outline(first["text"])]
    assert "3. Obligations of confidentiality and non-use" in titles
    assert len(titles) >= 16


def test_the_paragraphs_of_a_structured_abstract_are_no_headings() -> None:
    """A label at the start of a paragraph, and a few words more on its first line."""
    text = (
        "A title\nAbstract\nBackground. One in five appointments at our\neye clinic is missed.\n"
        "Methods. Adults with an appointment between\nJanuary and June were asked.\n"
        "Results. Of 1,204 patients, 602 were sent a\n"
        "message.\nConclusion. A text message two days ahead\nhelps.\nIntroduction\nPatients miss appointments.\n"
    )
    assert [(s.title, s.kind) for s in find_sections(text)] == [
        ("Abstract", "abstract"),
        ("Introduction", "introduction"),
    ]


@pytest.mark.parametrize(
    "label", ["**Background:** ", "**Background.** ", "__Objective__: ", "***Purpose*** — ", "**Abstract:** "]
)
def test_bold_labels_below_a_title_are_the_abstract(label: str) -> None:
    text = (
        f"# A title\n\nAda Byron\n\n{label}Messages are cheap.\n\n**Methods:** We sent some.\n\n"
        "**Results:** They helped.\n\n"
        "## Introduction\n\nText.\n\n## Methods\n\nText.\n"
    )
    found = find_sections(text)
    assert [(s.title, s.kind) for s in found] == [
        ("A title", "other"),
        ("Abstract", "abstract"),
        ("Introduction", "introduction"),
        ("Methods", "methods"),
    ]
    assert text[found[1].start :].startswith(label)


def test_bold_labels_within_an_abstract_that_has_its_heading_change_nothing() -> None:
    text = "# A title\n\n## Abstract\n\n**Background:** Cheap.\n\n## Introduction\n\n**Aims.** Two.\n"
    assert [s.kind for s in find_sections(text)] == ["other", "abstract", "introduction"]


def test_a_text_of_bold_labels_alone_has_an_abstract() -> None:
    text = "A title\n\n**Background:** Cheap.\n\n**Methods:** We sent some.\n\n**Results:** They helped.\n"
    assert [(s.title, s.kind) for s in find_sections(text)] == [("Abstract", "abstract")]


def test_a_numbered_heading_behind_a_sentence_is_one_where_it_follows_the_numbering() -> None:
    """PDF libraries join it to the last line of the section before; a caption on such a line is none."""
    text = (
        "1  Introduction\nWords of it.\n2  Methods\nWe did it. See Fig. 3  Overview of parts\nThey face many obstacles "
        "despite their strengths. 3  Challenges and benefits\nMore words.\n"
    )
    found = find_sections(text)
    assert [section.title for section in found] == ["1  Introduction", "2  Methods", "3  Challenges and benefits"]
    assert text[found[2].start :].startswith("3  Challenges")
