"""What a paper is, from its file's fields and its first page."""

from __future__ import annotations

import time
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from literature_review.documents import read_document
from literature_review.documents.identify import (
    find_doi,
    good_title,
    identify_document,
    title_in,
    year_in,
    year_on,
)
from literature_review.documents.names import authors_in, split_authors
from literature_review.models import Document, Page
from literature_review.text.language import language_of

SHARED = Path(__file__).resolve().parents[2].parent / "shared"


def document(text: str, **metadata: str) -> Document:
    return Document(text, (Page(1, 0, len(text)),), metadata=metadata)


ARTICLE = """Journal of Apples | Volume 9 | 2019 | 12-19
Research article https://doi.org/10.1234/Apples.2019(5).
Apples against headache: a randomised trial of
daily fruit in adults
Ada Byron1,2*, Bo Li3 and Cato van Dam4
1 School of Fruit, London
Received: 3 May 2018 / Accepted: 1 March 2019 / Published: 4 April 2019
Abstract
The patients that were in the trial had less headache with apples than with the placebo, and this was so in all
of the groups for which it has been tried.
"""
WHOLE_TITLE = "Apples against headache: a randomised trial of daily fruit in adults"


def test_an_article_s_first_page_tells_all() -> None:
    found = identify_document(document(ARTICLE))
    assert found.title == WHOLE_TITLE
    assert found.authors == ("Ada Byron", "Bo Li", "Cato van Dam")
    assert (found.year, found.doi, found.language) == (2019, "10.1234/apples.2019(5)", "en")
    assert set(found.sources) == {"title", "authors", "year", "doi", "language"}
    assert found.sources["title"] == "first page"


def test_the_file_s_own_fields_go_before_the_page() -> None:
    found = identify_document(document(ARTICLE, title="A better title", author="Someone Else", doi="10.5555/own"))
    assert (found.title, found.authors, found.doi) == ("A better title", ("Someone Else",), "10.5555/own")
    assert found.sources["title"] == "file metadata"


@pytest.mark.parametrize(
    ("title", "source"),
    [
        ("Apples against headache", "file metadata"),
        ("APPLES AGAINST HEADACHE: A RANDOMISED TRIAL OF DAILY FRUIT IN ADULTS", "file metadata"),
        ("Apples Against Head\u00adache \u2013 A Randomized Trial of Daily Fruit in Adults", "file metadata"),
        ("Pears and the common cold: a cohort study", "first page"),
        ("Template for submissions to the society", "first page"),
        ("Journal of Apples", "first page"),
        ("", "first page"),
    ],
)
def test_the_title_field_of_a_pdf_counts_where_the_page_has_its_words(title: str, source: str) -> None:
    """The field may be left over from a template or another paper; front matter is written by hand and stands."""
    found = identify_document(document(ARTICLE, title=title, reader="pypdfium2 5.0"))
    assert found.sources["title"] == source
    assert found.title == (title if source == "file metadata" else WHOLE_TITLE)
    assert identify_document(document(ARTICLE, title=title, reader="text")).title == (title or WHOLE_TITLE)


@pytest.mark.parametrize(
    ("author", "source"),
    [
        ("Ada Byron; Bo Li; Cato van Dam", "file metadata"),
        ("Typist Name; Other Clerk", "first page"),
        ("Ada M. Byron", "first page"),
    ],
)
def test_the_author_field_of_a_pdf_counts_where_the_page_knows_them(author: str, source: str) -> None:
    """Who typed it, or whose template it was, is not the author; of a first author alone the page has the others."""
    assert identify_document(document(ARTICLE, author=author, reader="pypdfium2 5.0")).sources["authors"] == source
    assert identify_document(document("12 34\n", author=author, reader="pypdfium2 5.0")).sources["authors"] == (
        "file metadata"
    )


def test_the_title_field_of_a_pdf_stands_where_the_page_names_none() -> None:
    found = identify_document(document("12 34 56\n", title="Pears and the common cold", reader="pypdfium2 5.0"))
    assert found.title == "Pears and the common cold"


@pytest.mark.parametrize(
    "page",
    [
        "Contents lists available at X\nJournal of Cleaner Apples\njournal homepage: www.example.org\n{title}\n"
        "Ada Byron a,*, Bo Li b, Cato van Dam a,b\na Department of Apples, Leeds\nAccepted: 5 July 2019",
        "IEEE TRANSACTIONS ON APPLES, VOL. 12, NO. 3, MARCH 2019 1234\n{title}\n"
        "Ada Byron, Member, IEEE, Bo Li, and Cato van Dam, Senior Member, IEEE\n",
        "RESEARCH ARTICLE\n{title}\nAda Byron1☯, Bo Li2☯*, Cato van Dam1,2\n1 Leeds\nCopyright: © 2019 Byron et al.\n",
        "arXiv:1903.01234v2 [cs.CL] 5 Mar 2019\n{title}\nAda Byron∗ Bo Li† Cato van Dam\nUniversity of Leeds\n",
        "The new engl and jour nal o f medicine\nn engl j med 371;1 nejm.org july 3, 2019\noriginal article\n{title}\n"
        "Ada Byron, M.D., Ph.D., Bo Li, M.D., and Cato van Dam, Ph.D.\nABSTR ACT\nBACKGROUND\n",
        "Articles\nwww.example.org Vol 390, 2019 231\n{title}\nAda Byron, Bo Li, Cato van Dam, for the X group*\n",
        "ORIGINAL RESEARCH\npublished: 12 March 2019\nEdited by:\nJane Roe,\nUniversity of Xyz, Italy\nReviewed by:\n"
        "John Doe,\n{title}\nAda Byron 1*, Bo Li 2 and Cato van Dam 1\n",
        "Accepted: 2 July 2019\nORIGINAL ARTICLE\n{title}\n"
        "Ada Byron PhD, RN, Professor1 | Bo Li MSc2 | Cato van Dam PhD3\n",
        "Article\n{title}\nJournal of Apples\n2019, Vol. 12(3) 123-134\n© The Author(s) 2019\nReprints and permissions:"
        "\nDOI: 10.1177/1234567816654321\nAda Byron1, Bo Li2 and\nCato van Dam1\n",
        "Full Terms & Conditions of access and use can be found at\nhttps://www.example.org/x\n{title}\n"
        "Ada Byron, Bo Li & Cato van Dam\nTo cite this article: Ada Byron, Bo Li & Cato van Dam (2019) A new, X, 3:4\n",
        "UNIVERSITY OF LEEDS\n{title}\nAda Byron\nBo Li\nCato van Dam\n3 May 2019\n",
    ],
)
def test_a_first_page_is_read_in_the_forms_of_the_large_publishers(page: str) -> None:
    title = "A new approach to apples: evidence from\nthree trials"
    found = identify_document(document(page.format(title=title) + "\nAbstract\nWe gave apples to adults.\n"))
    assert found.title == "A new approach to apples: evidence from three trials"
    assert (found.authors, found.year) == (("Ada Byron", "Bo Li", "Cato van Dam"), 2019)


def test_a_first_author_in_the_file_gives_way_to_the_page_s_whole_list() -> None:
    found = identify_document(document(ARTICLE, author="Ada Byron"))
    assert found.authors == ("Ada Byron", "Bo Li", "Cato van Dam")


@pytest.mark.parametrize(
    "said",
    [
        "Ada Byron, Bea Curie\n2020",
        "Ada Byron and Bea Curie\n\nJournal of Walking 2020; 12: 1-9",
        "Ada Byron, Bea Curie\n\nJournal of Walking, 2020",
        "Ada Byron, Bea Curie\n\n2020-05-01",
        "Ada Byron, Bea Curie, 2020",
    ],
)
def test_a_year_that_stands_alone_above_the_abstract_is_the_paper_s(said: str) -> None:
    text = f"Deaths from asthma, 2011\n\n{said}\n\nAbstract\n\nIt was measured on 2015-03-01; 2014; 3 times in 2016.\n"
    found = identify_document(document(text))
    assert (found.authors, found.year) == (("Ada Byron", "Bea Curie"), 2020)
    assert identify_document(document(text.replace(said, "Ada Byron"))).year is None


@pytest.mark.parametrize("head", ["# Tea and sleep", "Title: Tea and sleep", "**Title:** Tea and sleep"])
def test_what_is_named_as_the_title_may_be_short(head: str) -> None:
    found = identify_document(document(f"{head}\n\nAda Byron, Bo Li\n\n# Results\n\nWe slept.\n"))
    assert (found.title, found.authors) == ("Tea and sleep", ("Ada Byron", "Bo Li"))
    assert identify_document(document("# Study design\n\nWe slept in two groups.\n")).title == ""


def test_authors_with_their_surnames_first_are_told() -> None:
    text = "Walking and health in old age\n\nByron, Ada; van Dam, Cato M.; Li, Bo\n\nAbstract\n\nWe walked.\n"
    assert identify_document(document(text)).authors == ("Byron, Ada", "van Dam, Cato M", "Li, Bo")


@pytest.mark.parametrize(
    "head",
    [
        "Title: Walking and health in old age\nAuthors: Ada Byron; Bea Curie\nYear: 2019\nDOI: 10.1234/abc\n",
        "# Walking and health in old age\n\n**Authors:** Ada Byron, Bea Curie\n\n**Year:** 2019\n\nDOI: 10.1234/abc",
        "**Title:** Walking and health in old age\n\n**Authors:** Ada Byron and Bea Curie\n\nDate: 2019 10.1234/abc",
        "Walking and health in old age\n\nAda Byron, Bea Curie (2019).\n\ndoi: 10.1234/abc\n",
        "Walking and health in old age\nby Ada Byron, Bea Curie\nPublication year: 2019\nhttps://doi.org/10.1234/abc\n",
    ],
)
def test_a_head_with_labels_tells_all(head: str) -> None:
    found = identify_document(document(f"{head}\nAbstract\n\nWe walked in 1999. Year: 1998.\n"))
    assert found.title == "Walking and health in old age"
    assert found.authors == ("Ada Byron", "Bea Curie")
    assert (found.year, found.doi) == (2019, "10.1234/abc")


@pytest.mark.parametrize(
    "author",
    [
        "Administrator", "Windows User", "Preferred Customer", "Adobe InDesign CS5", "PScript5.dll Version 5.2",
        "pdfTeX", "LaTeX with hyperref package", "Acrobat PDFMaker 10.1 for Word", "Elsevier", "IEEE", "Lenovo",
        "jsmith", "ABC", "user1",
    ],
)  # fmt: skip
def test_a_program_a_firm_or_an_account_is_no_author(author: str) -> None:
    found = identify_document(document(ARTICLE, author=author))
    assert found.authors == ("Ada Byron", "Bo Li", "Cato van Dam")
    assert found.sources["authors"] == "first page"


def test_the_year_of_a_pdf_s_creation_counts_last() -> None:
    assert identify_document(document(ARTICLE, year="2023")).year == 2019
    assert identify_document(document("No year here.", year="2023")).year == 2023


@pytest.mark.parametrize(
    "title",
    [
        "untitled",
        "Microsoft Word - paper3.doc",
        "paper_final.pdf",
        "",
        "12345",
        "s10489-025-06259",
        "Title",
        "   ",
        "Document1",
        "PII: S0140-6736(05)12345-6",
        "LaTeX with hyperref package",
        "10.4321/walk.7 1..9",
        "OP-CBRE150012 1..10",
        "Full page photo",
        "No Job Name",
        "Layout 1",
        "Original research article",
        "Journal of Apples, 12(3)",
        "Acrobat Distiller 9.0",
    ],
)
def test_titles_that_programs_make_up_are_not_taken(title: str) -> None:
    assert good_title(title) == ""


@pytest.mark.parametrize(
    ("text", "doi"),
    [
        ("https://doi.org/10.1000/xyz123.", "10.1000/xyz123"),
        ("(doi:10.1002/(SICI)1097-0258(19980815)17:15<1>)", "10.1002/(sici)1097-0258(19980815)17:15"),
        ("DOI 10.1016/S0140-6736(20)30183-5,", "10.1016/s0140-6736(20)30183-5"),
        ("cites 10.1/x and 10.9999/unmarked but its own is doi.org/10.1234/own", "10.1234/own"),
        ("https://doi.org/10.1234/a%285%29b", "10.1234/a(5)b"),
        ("https://doi.org/10.1234/abc.5?utm_source=x#sec1", "10.1234/abc.5"),
        ("https://www.frontiersin.org/articles/10.3389/fx.2020.01/full", "10.3389/fx.2020.01"),
        ("“doi:10.1234/abc.5” and more", "10.1234/abc.5"),
        ("doi:10.1234/abc.5\u200b", "10.1234/abc.5"),
        ("doi:10.1371/journal.pone.0012345.g001Figure 1", "10.1371/journal.pone.0012345"),
        ("https://doi.org/10.1371/journal.pcbi.1012345.t002", "10.1371/journal.pcbi.1012345"),
        ("https://doi.org/10.7717/peerj-cs.99/fig-1", "10.7717/peerj-cs.99"),
        ("doi:10.7554/eLife.12345.003", "10.7554/elife.12345"),
        ("https://doi.org/10.1371/journal.pone.0012345", "10.1371/journal.pone.0012345"),
        ("version 10.15 of the program", ""),
        ("arXiv:2101.12345v2  [cs.LG]  3 Jan 2021", "10.48550/arxiv.2101.12345"),
        ("as shown in arXiv:2101.12345", ""),
        ("", ""),
    ],
)
def test_dois(text: str, doi: str) -> None:
    assert find_doi(text) == doi


def test_the_figures_of_a_paper_are_no_other_works() -> None:
    """Six DOIs of figures and tables would be more than a paper names that is not a list of others."""
    parts = "\n".join(f"doi:10.1371/journal.pone.0012345.g00{at}Figure {at}" for at in range(1, 7))
    page = f"Apples against headache\n\nAda Byron\n\nAbstract\nThere was less headache.\n\n{parts}\n"
    assert identify_document(document(page)).doi == "10.1371/journal.pone.0012345"


def test_years() -> None:
    assert year_in("D:20210203") is None
    assert year_in("2021-02-03") == 2021
    assert year_in("3021") is None
    assert year_on("Founded 1850. Published online 4 May 2012. © 2012 The Authors") == 2012
    assert year_on("12 apples in 2011 boxes") is None


def test_authors_in_common_forms() -> None:
    assert split_authors("Byron, Ada; Li, Bo") == ("Byron, Ada", "Li, Bo")
    assert split_authors("Byron, Ada") == ("Byron, Ada",)
    assert split_authors("Ada Byron and Bo Li") == ("Ada Byron", "Bo Li")
    assert split_authors("admin") == ()
    assert authors_in("A title that is long\nAbstract\nText", "A title that is long") == ()


@pytest.mark.parametrize(
    ("text", "language"),
    [
        (
            "The patients were treated with the drug and it was found to be better than placebo in this trial. " * 2,
            "en",
        ),
        (
            "Die Patienten wurden mit dem Mittel behandelt, und es war nicht besser als die Kontrolle in der Studie.",
            "de",
        ),
        ("Les patients ont été traités avec le médicament et les résultats sont dans une revue pour la santé.", "fr"),
        ("Los pacientes fueron tratados con el medicamento y los resultados se publicaron en una revista.", "es"),
        ("Пациенты получали препарат, и это было не хуже, чем в группе контроля, как и при других болезнях.", "ru"),
        (
            "患者は薬で治療された。結果はこの雑誌に発表されたものであり、比較的良いと考えられる。次の研究が必要である。",
            "ja",
        ),
        (
            "患者接受药物治疗。结果发表在本杂志上，与对照组相比效果更好。需要进一步的研究来证实这些发现和结论的可靠性。",
            "zh",
        ),
        ("Lorem ipsum dolor sit amet consectetuer adipiscing elit ut purus vestibulum placerat vitae felis", ""),
        ("x1 y2 z3 0.05 p", ""),
        ("Group a 1.2 group b 3.4 o 5.6 a o e as no\n" * 50, ""),
        ("o ell kc a in eec e go dna m as jife no em kle a e o " * 50, ""),
        ("", ""),
    ],
)
def test_languages(text: str, language: str) -> None:
    assert language_of(text) == language


def test_a_page_without_a_title_has_none() -> None:
    assert title_in("12 34 56\n\nhttps://example.org\n© 2020 The Authors\n") == ""


@given(
    st.text(max_size=400),
    st.dictionaries(st.sampled_from(["title", "author", "doi", "year", "date"]), st.text(max_size=60)),
)
def test_odd_text_never_raises(text: str, metadata: dict[str, str]) -> None:
    found = identify_document(document(text, **metadata))
    assert found.year is None or 1800 <= found.year <= 2100
    assert set(found.sources) <= {"title", "authors", "year", "doi", "language"}


@pytest.mark.parametrize(
    "unit",
    ["A b, ", "10.1234/", "doi:10.1234/(((", "Published ", "(2000", "Ada-", "A" * 50, "Ada Byron ", "é;", "a.b@c "],
)
def test_a_hostile_first_page_takes_no_time(unit: str) -> None:
    start = time.process_time()
    identify_document(document("A title that looks like one\n" + unit * (50_000 // len(unit))))
    assert time.process_time() - start < 2.0


@pytest.mark.skipif(not SHARED.is_dir(), reason="the shared papers are not here")
def test_real_trials_are_english() -> None:
    paths = sorted((SHARED / "data" / "evidence_inference").glob("*.txt"))[::10]
    assert {language_of(path.read_text(encoding="utf-8")) for path in paths} == {"en"}


@pytest.mark.skipif(not SHARED.is_dir(), reason="the shared papers are not here")
def test_real_trials_have_the_title_that_their_text_names() -> None:
    for path in sorted((SHARED / "data" / "evidence_inference").glob("*.txt"))[:40]:
        text = path.read_text(encoding="utf-8")
        assert text.split("\n")[1].strip().startswith(identify_document(document(text)).title[:60])


EXAMPLES = Path(__file__).resolve().parents[2] / "examples" / "papers"


@pytest.mark.parametrize(
    ("name", "authors", "year"),
    [
        ("adherence/after-the-messages-end.txt", ("Ingrid Solberg", "Paul Mensah", "Beatriz Nogueira"), 2024),
        ("attendance/text-messages-dermatology.txt", ("Léa Baptiste", "François Moreau", "John Hale"), 2022),
        ("music-in-waiting-rooms.txt", ("Amara Diallo", "Robert Finch"), 2021),
        ("what-patients-dislike.md", ("Noor van Dijk", "Samuel Osei", "Clara Brandt"), 2024),
        (
            "adherence/young-adults-with-epilepsy.md",
            ("Zdeněk Říha", "Åsa Lindqvist", "Søren Ødegård", "Chloë Nguyễn"),
            2020,
        ),
        ("attendance/text-messages-eye-clinic.pdf", ("Hanna Okafor", "Peter Lindgren", "Maria Castell"), 2021),
        ("attendance/calls-or-text-messages.pdf", ("Kofi Ansah", "Dorothea Weiß"), 2019),
    ],
)
def test_the_example_papers_name_their_authors_and_years(name: str, authors: tuple[str, ...], year: int) -> None:
    found = identify_document(read_document(EXAMPLES / name))
    assert (found.authors, found.year) == (authors, year)
    assert found.title


def test_a_title_that_asks_and_answers_is_one() -> None:
    assert title_in("Do messages help? A pragmatic trial\n\nAda Byron\n") == "Do messages help? A pragmatic trial"


@pytest.mark.parametrize(
    "lines",
    [
        "By Ada Byron and Bo Li",
        "Authors: Ada Byron, Bo Li",
        "**Ada Byron**¹, **Bo Li**²",
        "Original Research Article\n\nAda Byron, Bo Li\n\nDepartment of Apples, London",
        "Ada Byron, Bo Li\nLondon School of Fruit, Leeds Medical School",
        "Ada Byron,\nBo Li",
        "Ada Byron1 ·\nBo Li2",
        "Ada Byron, MD, PhD, and Bo Li, M.Sc.",
        "Ada Byron, MBBS1; Bo Li, Ph.D.2",
    ],
)
def test_authors_stand_below_the_title_in_many_forms(lines: str) -> None:
    assert authors_in(f"# A title that is long\n\n{lines}\n\nAbstract\n", "A title that is long") == (
        "Ada Byron",
        "Bo Li",
    )


@pytest.mark.parametrize(
    "line",
    [
        "To find out whether music helps",
        "Plain Language Summary",
        "Materials and Methods",
        "Harvard Medical School, Boston Hospital",
        "Short Communication",
        "Conflict of Interest",
        "the quick brown fox",
    ],
)
def test_other_lines_below_a_title_are_no_authors(line: str) -> None:
    assert authors_in(f"A title that is long\n\n{line}\n\nText.", "A title that is long") == ()


@pytest.mark.parametrize(
    ("page", "year"),
    [
        (
            "Journal of X 3 (2021), page 14\nA title\nAbstract\nBetween January and June 2020, and in June 2020 again.",
            2021,
        ),
        ("A title\n12 March 2019\nAbstract\nAs Smith (2011) and Li (2011) showed, apples help.", 2019),
        (
            "A title\nAbstract\nPatients came in May 2015.\nReceived 2 May 2018; published online 3 June 2019",
            2019,
        ),
        ("A title\nAbstract\nText.\n© 2017 The Authors", 2017),
        ("A title\nAbstract\nPatients were seen from March 2014 to June 2015 (2015).", None),
    ],
)
def test_the_year_of_the_study_is_not_that_of_the_paper(page: str, year: int | None) -> None:
    assert year_on(page) == year
