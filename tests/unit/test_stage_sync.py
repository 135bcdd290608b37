"""Stage 4: the same work counts once, wherever it is written."""

from __future__ import annotations

import itertools
import time
from collections.abc import Mapping, Sequence

import pytest

from literature_review.models import Bibliography, PaperReview, ReviewProtocol
from literature_review.synthesis import sync
from literature_review.synthesis.author_names import same_authors, surname
from literature_review.synthesis.duplicates import find_same_works, mark
from literature_review.synthesis.same_work import compare
from tests.stage_samples import QuietLog, claim, context, review

TITLE = "Text message reminders in an eye clinic"
AUTHORS = ("Amara Diallo", "Robert Finch")


def known(name: str, state: str = "reviewed", title: str = TITLE, **fields: object) -> PaperReview:
    made: dict[str, object] = {"title": title, "authors": AUTHORS, "year": 2019, **fields}
    return review(name, state, bibliography=Bibliography(**made))  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("second", "by"),
    [
        ({"doi": "https://doi.org/10.5555/ABC.1", "title": "Another title of it"}, "same DOI"),
        ({"title": "TEXT MESSAGE REMINDERS: in an eye-clinic.", "authors": ("A. Diallo", "Finch, R.")},
         "same title, authors and year"),
    ],
)  # fmt: skip
def test_the_same_doi_or_title_authors_and_year_is_the_same_work(second: dict[str, object], by: str) -> None:
    assert compare(known("a.pdf", doi="10.5555/abc.1"), known("b.pdf", **second)) == (True, by)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    "second",
    [
        {"title": "Telephone reminders in an eye clinic"},
        {"authors": ("Amara Diallo", "Somebody Else")},
        {"authors": ()},
        {"authors": ("Robert Finch",)},
        {"authors": ("Amara Diallo", "Robert Finch", "Third Author")},
        {"year": 2020},
        {"year": None},
    ],
)
def test_one_difference_is_enough_to_be_another_work(second: dict[str, object]) -> None:
    assert not compare(known("a.pdf"), known("b.pdf", **second))[0]  # type: ignore[arg-type]


def test_a_supplement_a_preprint_and_a_correction_are_related_and_no_duplicates() -> None:
    reviews = [
        known("a.pdf", doi="10.5555/x.1"),
        known("a-supplement.pdf", doi="10.5555/x.1"),
        known("early.pdf", doi="10.1101/2019.01.01.123"),
        known("fixed.pdf", title=f"Correction: {TITLE}", doi="10.5555/x.1"),
    ]
    found = find_same_works(reviews)
    assert found.first == {}
    assert found.related["a-supplement.pdf"]["a.pdf"] == "supplement"
    assert found.related["a.pdf"]["a-supplement.pdf"] == "main article"
    assert found.related["early.pdf"]["a.pdf"] == "preprint"
    assert "correction" in found.related["fixed.pdf"]["a.pdf"]


def test_two_different_dois_are_two_works_whatever_else_is_the_same() -> None:
    found = find_same_works([known("a.pdf", doi="10.5555/x.1"), known("b.pdf", doi="10.5555/y.2")])
    assert found.first == {}
    assert found.related["b.pdf"] == {"a.pdf": "same title, authors and year, another DOI"}
    assert found.related["a.pdf"] == {"b.pdf": "same title, authors and year, another DOI"}


@pytest.mark.parametrize("order", list(itertools.permutations(range(3))))
def test_a_copy_without_a_doi_does_not_make_one_work_of_two(order: tuple[int, ...]) -> None:
    """It is counted with one of them; the other stays."""
    dois = ("10.5555/x.1", "", "10.5555/y.2")
    found = find_same_works([known(f"{at}.pdf", doi=dois[which]) for at, which in enumerate(order)])
    bare = f"{order.index(1)}.pdf"
    assert len(found.first) == 1
    assert bare in found.first or bare in found.first.values()


@pytest.mark.parametrize("order", list(itertools.permutations(range(3))))
def test_what_is_the_same_as_a_copy_is_the_same_work(order: tuple[int, ...]) -> None:
    """A and B by their title, B and C by their DOI: one work, whichever comes first."""
    kinds: list[dict[str, str]] = [{}, {"doi": "10.5555/x.1"}, {"doi": "10.5555/x.1", "title": "Another title of it"}]
    found = find_same_works([known(f"{at}.pdf", **kinds[which]) for at, which in enumerate(order)])
    assert found.first == {"1.pdf": "0.pdf", "2.pdf": "0.pdf"}
    assert set(found.why) == {"1.pdf", "2.pdf"}
    assert found.related == {}


def test_why_a_copy_is_one_names_the_paper_that_shows_it() -> None:
    papers = [known("a.pdf"), known("b.pdf", doi="10.5555/x"), known("c.pdf", doi="10.5555/x", title="Another title")]
    assert find_same_works(papers).why == {"b.pdf": "same title, authors and year", "c.pdf": "same DOI as b.pdf"}


def test_a_relation_of_a_copy_is_that_of_its_first_paper() -> None:
    papers = [
        known("a.pdf"),
        known("b.pdf", doi="10.5555/x.1"),
        known("c-supplement.pdf", doi="10.5555/x.1", title="Tables and further figures"),
    ]
    found = find_same_works(papers)
    assert found.first == {"b.pdf": "a.pdf"}
    assert found.related == {"c-supplement.pdf": {"a.pdf": "supplement"}, "a.pdf": {"c-supplement.pdf": "main article"}}


@pytest.mark.parametrize("order", list(itertools.permutations(range(3))))
def test_a_copy_that_names_no_doi_goes_with_the_published_version(order: tuple[int, ...]) -> None:
    dois = ("10.1101/2019.01.01.123", "10.5555/x.1", "")
    found = find_same_works([known(f"{at}.pdf", doi=dois[which]) for at, which in enumerate(order)])
    preprint = f"{order.index(0)}.pdf"
    assert len(found.first) == 1
    assert preprint not in {*found.first, *found.first.values()}


@pytest.mark.parametrize("order", list(itertools.permutations(range(3))))
def test_a_broken_off_list_of_authors_makes_no_one_work_of_two_in_any_order(order: tuple[int, ...]) -> None:
    authors = (("Ann Byron", "Bo Li"), ("Ann Byron",), ("Ann Byron", "Cy Twombly"))
    found = find_same_works([known(f"{at}.pdf", authors=authors[which]) for at, which in enumerate(order)])
    assert len(found.first) == 1


def test_a_correction_is_related_to_its_article_by_title_alone() -> None:
    correction = known("b.pdf", title=f"Author Correction: {TITLE}", doi="10.5555/x.9")
    papers = [known("a.pdf", doi="10.5555/x.1"), correction]
    found = find_same_works(papers)
    assert found.first == {}
    assert found.related["b.pdf"] == {"a.pdf": "correction or comment"}


@pytest.mark.parametrize(
    ("name", "doi"),
    [("b.pdf", "10.1101/2019.01.01.123"), ("b_preprint.pdf", ""), ("2001.01234v2.pdf", ""), ("medRxiv-b.pdf", "")],
)
def test_a_preprint_is_one_beside_an_article_that_names_no_doi(name: str, doi: str) -> None:
    """It is named and not merged."""
    found = find_same_works([known("article.pdf"), known(name, doi=doi)])
    assert found.first == {}
    assert found.related[name] == {"article.pdf": "preprint"}
    assert found.related["article.pdf"] == {name: "published version"}


def test_a_supplement_belongs_to_the_article_and_not_to_its_correction() -> None:
    titles = (TITLE, f"Correction: {TITLE}", f"Supplement: {TITLE}")
    papers = [known(f"{name}.pdf", title=title) for name, title in zip("abc", titles, strict=True)]
    assert find_same_works(papers).related["c.pdf"] == {"a.pdf": "supplement"}


def test_a_broken_off_list_of_authors_does_not_make_one_work_of_two() -> None:
    papers = [
        known("a.pdf", authors=("Ann Byron", "Bo Li")),
        known("b.pdf", authors=("Ann Byron",)),
        known("c.pdf", authors=("Ann Byron", "Cy Twombly")),
    ]
    assert find_same_works(papers).first == {"b.pdf": "a.pdf"}


def test_a_name_that_only_looks_like_a_supplement_s_is_a_paper() -> None:
    assert compare(known("si-chen-2020.pdf"), known("copy.pdf")) == (True, "same title, authors and year")
    assert compare(known("copy.pdf"), known("chen-2020-SI.pdf")) == (False, "supplement")
    title = "Supplementation with vitamin D in an eye clinic"
    assert not compare(known("a.pdf", title=title), known("b.pdf", title=title.removeprefix("Supplementation ")))[0]


def test_what_a_paper_is_to_another_is_told() -> None:
    log = QuietLog()
    reviews = (known("a.pdf", doi="10.5555/x.1"), known("a-supplement.pdf", doi="10.5555/x.1"))
    sync.run(context(reviews=reviews, log=log))
    assert any("a-supplement.pdf: supplement (of a.pdf); both stay" in line for line in log.lines)


@pytest.mark.parametrize("same", [{}, {"authors": ("Ann Byron",)}, {"authors": ()}])
def test_many_papers_of_one_title_take_no_time(same: dict[str, object]) -> None:
    papers = [known(f"{at:05}.pdf", doi=f"10.5555/{at}", **same) for at in range(1_000)]  # type: ignore[arg-type]
    start = time.process_time()
    assert find_same_works(papers).first == {}
    assert time.process_time() - start < 2.5


def test_short_or_missing_titles_make_no_duplicates() -> None:
    assert find_same_works([known("a.pdf", title="Editorial"), known("b.pdf", title="Editorial")]).first == {}
    assert find_same_works([known("a.pdf", title=""), known("b.pdf", title="")]).first == {}


def test_of_the_same_work_the_reviewed_paper_counts_and_all_others_lead_to_it() -> None:
    reviews = [
        known("a.pdf", "failed", doi="10.5555/x"),
        known("b.pdf", doi="10.5555/x"),
        known("c.pdf"),
        review("d.pdf", "duplicate", duplicate_of="c.pdf"),
    ]
    found = find_same_works(reviews)
    assert found.first == {"a.pdf": "b.pdf", "c.pdf": "b.pdf"}
    marked = mark(reviews, found.to_json())
    assert [each.duplicate_of for each in marked] == ["b.pdf", "", "b.pdf", "b.pdf"]
    assert [each.duplicate_by for each in marked] == [
        "same DOI", "", "same title, authors and year", "same content",
    ]  # fmt: skip


@pytest.mark.parametrize(
    "name", ["Smith, John", "John Smith", "J. Smith", "Smith JA", "J.A. Smith", "SMITH, J", "Smith et al."]
)
def test_a_surname_is_found_however_the_name_is_written(name: str) -> None:
    assert surname(name) == "smith"


@pytest.mark.parametrize(
    ("one", "other"),
    [
        (("MÜLLER J", "LI B"), ("Jürgen Müller", "Bo Li")),
        (("van der Berg, Anna",), ("Anna van der Berg",)),
        (("García-López, José",), ("José García López",)),
        (("Li Bo", "Wang Fang"), ("Bo Li", "Fang Wang")),
        (("Smith, John, Jr.",), ("John Smith",)),
    ],
)
def test_names_written_in_other_ways_are_the_same_people(one: Sequence[str], other: Sequence[str]) -> None:
    assert same_authors(one, other)
    assert same_authors(other, one)


def test_a_list_that_breaks_off_is_the_same_people() -> None:
    three = ("Anna Muller", "Ben Okafor", "Cy Twombly")
    assert same_authors(("Müller A", "Okafor B et al."), three)
    assert same_authors(("Müller A",), three)
    assert not same_authors(("Okafor B",), three)
    assert not same_authors(("Müller A", "Okafor B"), three)


class Kept:
    """A history and a database that keep what they are given."""

    def __init__(self) -> None:
        self.reviews: dict[str, Sequence[PaperReview]] = {}

    def record(
        self, reviews: Sequence[PaperReview], run_id: str, made_from: Mapping[str, Mapping[str, str]]
    ) -> int:
        self.reviews[f"history {run_id}"] = reviews
        return len(reviews)

    def replace_review(self, protocol: ReviewProtocol, reviews: Sequence[PaperReview], run_id: str) -> None:
        self.reviews[f"database {run_id}"] = reviews


def test_history_and_database_get_every_paper_with_duplicates_marked() -> None:
    kept, log = Kept(), QuietLog()
    first, second = known("a.pdf", doi="10.5555/x"), known("b.pdf", doi="10.5555/x")
    reviews = (first, PaperReview(**{**second.__dict__, "claims": (claim(name="b.pdf"),)}))
    result = sync.run(context(reviews=reviews, history=kept, database=kept, run={"run_id": "r1"}, log=log))
    assert result.record["duplicates"] == {"b.pdf": "a.pdf"}
    assert result.record["versions"] == 2
    for where in ("history r1", "database r1"):
        states = [(each.paper.id, each.state, each.duplicate_of, len(each.claims)) for each in kept.reviews[where]]
        assert states == [("a.pdf", "reviewed", "", 0), ("b.pdf", "duplicate", "a.pdf", 0)]
    assert any("b.pdf: the same work as a.pdf (same DOI)" in line for line in log.lines)


def test_database_and_history_hold_a_claim_to_the_coverage_that_the_report_does() -> None:
    """A paper that speaks to it too weakly covers in part, wherever one looks."""
    kept = Kept()
    weak = PaperReview(**{**known("a.pdf").__dict__, "claims": (claim(status="approved"),), "coverage": {"S1": 0.3}})
    settings = {"review": {"covered_at": 0.5}}
    sync.run(context(reviews=(weak,), history=kept, database=kept, run={"run_id": "r1"}, settings=settings))
    for reviews in kept.reviews.values():
        assert [one.coverage for one in reviews[0].claims] == ["partial"]


def test_no_papers_at_all_is_no_error() -> None:
    assert sync.run(context(reviews=())).record["duplicates"] == {}
