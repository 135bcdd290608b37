"""A RIS or BibTeX file beside the papers stands above what the papers say of themselves."""

from __future__ import annotations

import sys
import time
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from literature_review.documents.reference_files import MAX_BYTES, ReferenceEntry, read_references
from literature_review.documents.references import ReferenceLibrary
from literature_review.documents.tex import plain_from_tex, tex_names
from literature_review.models import Bibliography, Document, Page, PaperFile

pytest.importorskip("rispy")
pytest.importorskip("bibtexparser")

NOTHING = Bibliography()
RIS = """TY  - JOUR
AU  - Byron, Ada
AU  - Curie, Marie
TI  - Reminders and attendance in eye clinics
PY  - 2021/03/01
DO  - https://doi.org/10.5555/EYE.1
L1  - internal-pdf://123/eye%20clinic.pdf
ER  -
"""
BIBTEX = r"""
@string{jan = "January"}
@article{muller2019,
  title = {Messages for {Young} Adults: a na{\"\i}ve trial},
  author = {M{\"u}ller, Karl and Garc{\'i}a-L{\'o}pez, Jos{\'e} and {World Health Organization}},
  date = {2019-05-02}, month = jan,
  doi = {10.5555/young.2},
  file = {Full Text:files/12/young.pdf:application/pdf;Notes:files/12/notes.txt:text/plain}
}
"""


def paper(name: str) -> PaperFile:
    return PaperFile(name, f"/papers/{name}", "0" * 64, 10)


def document(text: str = "Nothing of note stands here.") -> Document:
    return Document(text, (Page(1, 0, len(text)),))


def library(folder: Path, papers: list[str], **files: str | bytes) -> ReferenceLibrary:
    """`files`: content by name, `_` for the dot before the ending."""
    listed = []
    for key, content in files.items():
        name = ".".join(key.rsplit("_", 1))
        (folder / name).write_bytes(content if isinstance(content, bytes) else content.encode())
        listed.append((name, str(folder / name)))
    return ReferenceLibrary(listed, [paper(name) for name in papers])


def said(references: ReferenceLibrary, name: str, own: Bibliography = NOTHING, text: str = "-") -> Bibliography:
    return references.completed(paper(name), document(text), own)


def entries(folder: Path, name: str, content: str | bytes) -> tuple[list[ReferenceEntry], list[str]]:
    path = folder / name
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    return read_references(str(path), name)


def test_a_ris_entry_wins_over_the_paper_and_names_its_file(tmp_path: Path) -> None:
    own = Bibliography("Eye clinic proof", ("A. Nobody",), 2020, "10.1/wrong", "en", {"year": "file metadata"})
    found = said(library(tmp_path, ["in/eye clinic.pdf"], refs_ris=RIS), "in/eye clinic.pdf", own)
    assert found.title == "Reminders and attendance in eye clinics"
    assert found.authors == ("Ada Byron", "Marie Curie")
    assert (found.year, found.doi, found.language) == (2021, "10.5555/eye.1", "en")
    assert {found.sources[name] for name in ("title", "authors", "year", "doi")} == {"RIS (refs.ris)"}


def test_a_bibtex_entry_wins_with_its_tex_undone(tmp_path: Path) -> None:
    found = said(library(tmp_path, ["files/12/young.pdf"], my_bib=BIBTEX), "files/12/young.pdf")
    assert found.title == "Messages for Young Adults: a naïve trial"
    assert found.authors == ("Karl Müller", "José García-López", "World Health Organization")
    assert (found.year, found.doi) == (2019, "10.5555/young.2")
    assert found.sources["doi"] == "BibTeX (my.bib)"


ALONE = "TY  - JOUR\nTI  - The title of its one record\nPY  - 2020\nER  - \n"


def test_the_only_entry_of_a_file_called_as_the_paper_speaks_of_it(tmp_path: Path) -> None:
    """`smith2020.ris` lies beside `smith2020.pdf`, as reference managers export one record."""
    references = library(tmp_path, ["smith2020.pdf", "other.pdf", "in/smith2020.txt"], smith2020_ris=ALONE)
    assert said(references, "smith2020.pdf").title == "The title of its one record"
    assert said(references, "other.pdf") == NOTHING
    assert said(references, "in/smith2020.txt") == NOTHING
    assert references.without_paper() == []


def test_one_of_several_entries_is_not_matched_by_its_file_s_name(tmp_path: Path) -> None:
    assert said(library(tmp_path, ["refs.pdf"], refs_ris=RIS + ALONE), "refs.pdf") == NOTHING


def test_a_paper_is_found_by_the_key_that_bibtex_cites_it_by(tmp_path: Path) -> None:
    many = "@article{jones2019, title={A trial of messages}}\n@article{li2018, title={Another}}"
    references = library(tmp_path, ["in/Jones2019.pdf", "li2018-extra.pdf"], my_bib=many)
    assert said(references, "in/Jones2019.pdf").title == "A trial of messages"
    assert said(references, "li2018-extra.pdf") == NOTHING


def test_the_file_that_an_entry_names_goes_before_its_key(tmp_path: Path) -> None:
    references = library(tmp_path, ["a.pdf", "b.pdf"], my_bib="@article{b, title={A trial}, file={a.pdf}}")
    assert said(references, "a.pdf").title == "A trial"
    assert said(references, "b.pdf") == NOTHING


def test_a_key_that_two_papers_bear_decides_nothing(tmp_path: Path) -> None:
    references = library(tmp_path, ["x/b.pdf", "y/b.txt"], my_bib="@article{b, title={A trial}}\n@misc{c, title={Z}}")
    assert said(references, "x/b.pdf") == NOTHING == said(references, "y/b.txt")


def test_a_work_that_two_files_name_is_missed_once_also_where_one_gives_no_doi(tmp_path: Path) -> None:
    """A library exported in two formats, of which one lost the DOI; two works of one title are two."""
    title = "Reminders and attendance in eye clinics"
    ris = f"TY  - JOUR\nTI  - {title}\nER  - \nTY  - JOUR\nTI  - Editorial\nDO  - 10.5555/e.1\nER  - \n"
    bib = f"@misc{{a, title={{{title}}}, doi={{10.5555/a}}}}\n@misc{{e, title={{Editorial}}, doi={{10.5555/e.2}}}}"
    references = library(tmp_path, ["x.pdf"], refs_ris=ris, refs_bib=bib)
    said(references, "x.pdf")
    assert len(references.without_paper()) == 3
    two = f"@misc{{a, title={{{title}}}, doi={{10.5555/a}}}}\n@misc{{b, title={{{title}}}, doi={{10.5555/b}}}}"
    assert len(library(tmp_path, ["x.pdf"], two_bib=two).without_paper()) == 2


def test_what_the_entry_lacks_stays_as_the_paper_says(tmp_path: Path) -> None:
    own = Bibliography("A title of its own", ("Ada Byron",), 2018, "10.5555/eye.1", "en", {"title": "first page"})
    found = said(
        library(tmp_path, ["a.pdf"], refs_ris="TY  - JOUR\nDO  - 10.5555/eye.1\nPY  - 2019\nER  - \n"), "a.pdf", own
    )
    assert (found.title, found.year) == ("A title of its own", 2019)
    assert found.sources == {"title": "first page", "year": "RIS (refs.ris)", "doi": "RIS (refs.ris)"}


@pytest.mark.parametrize(
    "own",
    [
        Bibliography(doi="10.5555/eye.1"),
        Bibliography(title="Reminders and Attendance in Eye Clinics.", year=2021),
        Bibliography(title="Reminders and attendance in eye-clinics"),
        Bibliography(title="Reminders and attendance in eye clinics", year=2020),
        Bibliography(title="Reminders and attendance in eye clinics", year=2009, sources={"year": "file metadata"}),
    ],
)
def test_an_entry_is_found_by_doi_or_by_title_with_a_year_that_fits(tmp_path: Path, own: Bibliography) -> None:
    assert said(library(tmp_path, ["x.pdf"], refs_ris=RIS), "x.pdf", own).year == 2021


@pytest.mark.parametrize(
    "own",
    [
        Bibliography(title="Reminders and attendance in eye clinics", year=2009, sources={"year": "first page"}),
        Bibliography(title="Reminders and attendance in eye clinics", doi="10.5555/preprint.7"),
        Bibliography(title="Reminders and attendance"),
        Bibliography(),
    ],
)
def test_another_work_of_the_same_title_is_left_alone(tmp_path: Path, own: Bibliography) -> None:
    assert said(library(tmp_path, ["x.pdf"], refs_ris=RIS), "x.pdf", own) == own


@pytest.mark.parametrize("mark", ["Supplementary Information for: ", "Correction: ", "Reply to "])
def test_what_belongs_to_an_article_does_not_become_it(tmp_path: Path, mark: str) -> None:
    """A supplement shows its article's title and DOI; with these for its own it would be counted as a copy."""
    own = Bibliography(f"{mark}Reminders and attendance in eye clinics", doi="10.5555/eye.1")
    references = library(tmp_path, ["x.pdf"], refs_ris=RIS)
    assert said(references, "x.pdf", own, text=own.title) == own
    assert said(references, "x.pdf", Bibliography(doi="10.5555/eye.1"), text=own.title).title == ""
    of_its_own = library(tmp_path, ["x.pdf"], refs_ris=RIS.replace("TI  - ", f"TI  - {mark}"))
    assert said(of_its_own, "x.pdf", own).year == 2021


def test_a_title_is_found_at_the_head_of_a_page_that_named_none(tmp_path: Path) -> None:
    head = "Journal of Clinics\n12 (2021)\nREMINDERS AND ATTENDANCE\nIN EYE CLINICS 1\nA. Byron"
    assert said(library(tmp_path, ["x.pdf"], refs_ris=RIS), "x.pdf", text=head).year == 2021


@pytest.mark.parametrize(
    ("field", "papers", "found"),
    [
        (r"C\:\\Users\\ada\\lib\\young.pdf", ["a/young.pdf", "b/old.pdf"], "a/young.pdf"),
        ("young.pdf", ["a/young.pdf", "b/young.pdf"], ""),
        ("b/young.pdf", ["a/young.pdf", "b/young.pdf"], "b/young.pdf"),
        (":home/ada/b/young.pdf:pdf", ["a/young.pdf", "b/young.pdf"], "b/young.pdf"),
        ("file:///home/b/YOUNG.pdf", ["a/young.pdf", "b/young.pdf"], "b/young.pdf"),
        ("young.pdf", ["young.pdf", "b/young.pdf"], "young.pdf"),
        ("../../../etc/passwd", ["etc/passwd.txt"], ""),
        ("ba\u0308r.pdf", ["b\u00e4r.pdf"], "b\u00e4r.pdf"),
        ("supplement.docx;young.pdf", ["x/young.pdf"], "x/young.pdf"),
    ],
)
def test_the_file_that_an_entry_names_decides(tmp_path: Path, field: str, papers: list[str], found: str) -> None:
    references = library(tmp_path, papers, my_bib="@article{k, title={A title to be found}, file={" + field + "}}")
    assert [name for name in papers if said(references, name).title] == [found] * bool(found)


def test_only_the_first_paper_of_an_entry_is_its_paper(tmp_path: Path) -> None:
    """A supplement that a reference manager lists beside the article does not become the article."""
    bib = "@article{k, title={A title to be found}, file={a.pdf;a-supplement.pdf}}"
    references = library(tmp_path, ["a-supplement.pdf", "a.pdf"], my_bib=bib)
    assert [bool(said(references, name).title) for name in ("a.pdf", "a-supplement.pdf")] == [True, False]


def test_an_entry_that_names_a_copy_speaks_of_the_paper_that_is_kept(tmp_path: Path) -> None:
    (tmp_path / "refs.ris").write_text(RIS.replace("eye%20clinic", "copy"), encoding="utf-8")
    papers = [paper("a.pdf"), replace(paper("copy.pdf"), duplicate_of="a.pdf")]
    references = ReferenceLibrary([("refs.ris", str(tmp_path / "refs.ris"))], papers)
    assert said(references, "a.pdf").year == 2021


def test_an_entry_without_a_paper_and_a_paper_with_two_are_a_line_each(tmp_path: Path) -> None:
    second = RIS.replace("2021", "2019")
    other = "@article{lone, title={Nobody has this paper}}"
    references = library(tmp_path, ["eye clinic.pdf"], a_ris=RIS + second, my_bib=other)
    assert said(references, "eye clinic.pdf").year == 2021
    assert references.doubled() == ["eye clinic.pdf: 2 entries differ, the first is used: a.ris line 1; a.ris line 9"]
    assert references.without_paper() == [
        'my.bib line 1 (lone): no paper is the one that it names: "Nobody has this paper"',
    ]


def test_a_work_that_two_files_name_and_nobody_has_is_one_line(tmp_path: Path) -> None:
    """A library exported as RIS and as BibTeX does not count twice among the records."""
    lone = RIS.replace("eye%20clinic.pdf", "gone.pdf")
    same = "@article{b, title={Reminders and attendance in eye clinics}, doi={10.5555/eye.1}}"
    untitled = "TY  - JOUR\nER  - \n" * 2
    lines = library(tmp_path, ["x.pdf"], a_ris=lone + untitled, b_bib=same).without_paper()
    assert [line.split(":")[0] for line in lines] == ["a.ris line 1", "a.ris line 9", "a.ris line 11"]


def test_two_entries_that_say_the_same_are_no_matter(tmp_path: Path) -> None:
    same = "@article{b, title={Reminders and Attendance in Eye Clinics}, author={Ada Byron and Marie Curie}, year=2021,"
    references = library(tmp_path, ["eye clinic.pdf"], a_ris=RIS, b_bib=same + "doi={10.5555/eye.1}}")
    assert said(references, "eye clinic.pdf").sources["title"] == "RIS (a.ris)"
    assert references.doubled() == references.without_paper() == []


def test_the_digest_follows_what_is_said_and_nothing_else(tmp_path: Path) -> None:
    """What changes for a paper changes its digest; another paper's entry does not."""
    known = document("Reminders and attendance in eye clinics\nAda Byron\n\nText.")
    other = "TY  - JOUR\nTI  - Something else altogether\nER  - \n"

    def digests(content: str, text: Document | None) -> str:
        return library(tmp_path, ["x.pdf"], refs_ris=content).digest(paper("x.pdf"), lambda: text)

    assert digests(other, known) == ""
    assert digests(RIS, None) == ""  # never read: which entry is its own cannot be known
    first = digests(RIS, known)
    assert len(first) == 16
    assert digests(other + RIS, known) == first
    assert digests(RIS.replace("2021", "2022"), known) != first


def test_the_digest_is_the_same_before_and_after_reading(tmp_path: Path) -> None:
    """Else a paper would be done twice."""
    references = library(tmp_path, ["eye clinic.pdf"], refs_ris=RIS + RIS.replace("Byron", "Baron"))
    before = references.digest(paper("eye clinic.pdf"), lambda: None)
    said(references, "eye clinic.pdf", Bibliography(doi="10.5555/eye.1"))
    assert references.digest(paper("eye clinic.pdf"), lambda: document()) == before != ""


@pytest.mark.parametrize(
    ("name", "content", "kept", "problem"),
    [
        ("a.bib", "@article{a, title={Whole}}\n@article{b, title={Broken\n@article{c, title={Also}}\n", 2, "line 2"),
        ("a.bib", "@article{a, title={Cut off in the mid", 0, "line 1"),
        ("a.bib", "", 0, "not used"),
        ("a.bib", "Dear colleague, find the papers attached.", 0, "not used"),
        ("a.bib", b"\x00\x01\x02\x03" * 400, 0, "binary"),
        ("a.ris", "", 0, "not used"),
        ("a.ris", "<html>Log in</html>", 0, "not used"),
        ("a.ris", "TY  - JOUR\n   a continuation of nothing\nTI  - One\n", 1, ""),
        ("a.ris", "TY  - JOUR\nTI  - Broken off", 1, ""),
        ("a.ris", b"\x89PNG\r\n\x1a\n" + bytes(800), 0, "binary"),
    ],
)
def test_what_is_damaged_is_told_and_the_rest_is_kept(
    tmp_path: Path, name: str, content: str | bytes, kept: int, problem: str
) -> None:
    found, problems = entries(tmp_path, name, content)
    assert len(found) == kept
    assert len(problems) == bool(problem)
    assert all(name in line and problem in line and "\n" not in line for line in problems)


def test_a_huge_file_is_refused_in_a_line(tmp_path: Path) -> None:
    path = tmp_path / "huge.bib"
    with open(path, "wb") as file:
        file.truncate(MAX_BYTES + 5)
    assert read_references(str(path), "huge.bib") == (
        [],
        ["huge.bib is not used: it has more than 32 MiB; split it"],
    )


def test_a_file_that_is_gone_is_a_line(tmp_path: Path) -> None:
    found, problems = read_references(str(tmp_path / "gone.ris"), "gone.ris")
    assert (found, len(problems)) == ([], 1)


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "cp1252"])
@pytest.mark.parametrize("newline", ["\n", "\r\n", "\r"])
def test_encodings_and_line_ends_of_every_kind_are_read(tmp_path: Path, encoding: str, newline: str) -> None:
    ris = "TY  - JOUR\nAU  - Müller, Zoë\nTI  - Grüße aus der Klinik für Augen\nER  - \n"
    found, problems = entries(tmp_path, "a.ris", ris.replace("\n", newline).encode(encoding))
    assert [(entry.title, entry.authors) for entry in found] == [("Grüße aus der Klinik für Augen", ("Zoë Müller",))]
    assert problems == []


def test_tags_with_one_blank_and_older_names_are_read(tmp_path: Path) -> None:
    found, _ = entries(
        tmp_path, "a.ris", "TY - CHAP\nA1 - Byron, A.\nT1 - Engines\nY1 - 1843///\nUR - https://doi.org/10.5/x1234\n"
    )
    assert [(one.title, one.authors, one.year) for one in found] == [("Engines", ("A. Byron",), 1843)]


HOSTILE = [
    "@article{" * 20_000,
    "@article{a, title={" + "{" * 100_000,
    "@article{a, title={" + "\\'" * 100_000 + "}}",
    "@article{a, author={" + "and " * 50_000 + "}}",
    "@article{a, author={" + " and x" * 50_000 + "}}",
    "@article{a, file={" + ";:\\" * 50_000 + "}}",
    "@string{a = a}\n@article{k, title = a # a # a}",
    "@article{a, doi={10.1234/" + "(" * 100_000 + "}}",
    "TY  - JOUR\n" * 20_000,
    "TY  - JOUR\n" + "AU  - A, B\n" * 50_000,
    "TY  - JOUR\nTI  - " + "x " * 100_000,
    "ER  - \n" * 50_000,
    "TY  -" * 50_000,
]


@pytest.mark.parametrize("content", HOSTILE)
@pytest.mark.parametrize("name", ["a.bib", "a.ris"])
def test_a_hostile_file_takes_no_time_and_no_room(tmp_path: Path, name: str, content: str) -> None:
    start = time.process_time()
    found, _ = entries(tmp_path, name, content)
    assert time.process_time() - start < 5.0
    assert all(len(one.title) <= 1_000 and len(one.authors) <= 200 for one in found)


def test_fields_hold_no_control_characters(tmp_path: Path) -> None:
    found, _ = entries(
        tmp_path, "a.bib", "@article{a, title={A\x1b[31m title\n\n with\u2028 breaks}, author={Eve\x07 Doe}}"
    )
    assert (found[0].title, found[0].authors) == ("A [31m title with breaks", ("Eve Doe",))


def test_a_missing_package_is_one_line_and_the_files_go_unused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for package in ("rispy", "bibtexparser"):
        monkeypatch.setitem(sys.modules, package, None)
    references = library(tmp_path, ["eye clinic.pdf"], a_ris=RIS, b_bib=BIBTEX)
    assert references.problems == [
        "a.ris, b.bib: not used without the packages bibtexparser and rispy: "
        "pip install 'literature-review-pipeline[references]'"
    ]
    assert "without the package rispy:" in library(tmp_path, ["b.pdf"], a_ris=RIS).problems[0]
    assert references.unused == ("a.ris", "b.bib")
    assert said(references, "eye clinic.pdf") == Bibliography()


@pytest.mark.parametrize(
    ("tex", "plain"),
    [
        (r"M{\"u}ller", "Müller"),
        (r"M\"uller \& S{\o}n", "Müller & Søn"),
        (r"{\'E}cole, \c{c}a, \v{S}koda, \r{a}, \v s", "École, ça, Škoda, å, š"),
        (r"Stra{\ss}e \emph{in vivo} 5\% --- $\alpha$", "Straße in vivo 5% — α"),
        (r"100\,000 \unknown{x} \{y\}", "100\\,000 x {y}"),
        ("CO$_2$ and 10$^{-3}$ of {H$_{2}$O}", "CO2 and 10-3 of H2O"),
        (r"{T}ypeset in \LaTeX{} and \TeX", "Typeset in LaTeX and TeX"),
        ("plain", "plain"),
    ],
)
def test_tex_is_undone(tex: str, plain: str) -> None:
    assert plain_from_tex(tex).replace("\\,", "\\,") == plain


@pytest.mark.parametrize(
    ("given", "title"),
    [
        ("Effect of <i>Lactobacillus</i> on CO<sub>2</sub>", "Effect of Lactobacillus on CO2"),
        ('On <span style="font-variant:small-caps;">dna</span> in mice', "On dna in mice"),
        ("Calls &amp; texts &#x2013; &lt;i&gt;a trial&lt;/i&gt;", "Calls & texts \u2013 a trial"),
        ("Doses of AT&T with p<0.05 and a <b", "Doses of AT&T with p<0.05 and a <b"),
        ("A <script>alert(1)</script> title", "A <script>alert(1)</script> title"),
    ],
)
def test_the_marks_of_programs_are_no_part_of_a_title(tmp_path: Path, given: str, title: str) -> None:
    """Zotero, Scopus and Crossref write them; a paper is found by its title without them."""
    ris, bibtex = f"TY  - JOUR\nTI  - {given}\nER  - \n", f"@misc{{a, title={{{given}}}}}"
    for name, content in (("a.ris", ris), ("a.bib", bibtex)):
        assert [entry.title for entry in entries(tmp_path, name, content)[0]] == [title]


def test_names_are_parted_outside_of_braces() -> None:
    assert tex_names("Byron, Ada AND {Barnes and Noble, Inc.} and others") == [
        "Byron, Ada",
        "Barnes and Noble  Inc.",
        "others",
    ]


@settings(max_examples=60, deadline=None)
@given(st.text(alphabet=st.sampled_from("@{}\\\"',=#%\n TYER-abAB12"), max_size=300))
def test_any_text_is_read_without_an_error(tmp_path_factory: pytest.TempPathFactory, content: str) -> None:
    folder = tmp_path_factory.mktemp("any")
    for name in ("a.bib", "a.ris"):
        found, problems = entries(folder, name, content)
        assert found or problems
        plain_from_tex(content)
