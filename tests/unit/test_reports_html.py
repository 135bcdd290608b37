"""The HTML report: one file that needs nothing, runs nothing of anyone's, and says everything that matters."""

from __future__ import annotations

import hashlib
import re
from base64 import b64encode
from collections.abc import Callable, Iterator
from html.parser import HTMLParser
from itertools import pairwise
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from literature_review.reports.html_map import COLUMNS_SHOWN
from literature_review.reports.html_page import page
from literature_review.reports.html_papers import what_to_do
from literature_review.reports.html_text import attribute, duration, shown
from literature_review.text.visible import visible
from tests.report_samples import build, empty_report, hostile_report, huge_report, sample_report

pytestmark = pytest.mark.unit

VOID = {"meta", "input", "br", "rect"}
OF_THE_PAGE = {
    "a", "article", "b", "bdi", "blockquote", "body", "br", "code", "dd", "details", "div", "dl", "dt", "h1", "h2",
    "h3", "h4", "h5", "head", "header", "html", "i", "input", "label", "li", "main", "mark", "meta", "nav", "ol",
    "output", "p", "rect", "script", "section", "span", "style", "summary", "svg", "table", "tbody", "td", "th",
    "thead", "title", "tr", "ul",
}  # fmt: skip


class Tree(HTMLParser):
    """Tags with their attributes, headings, ids, links and the text; checks that every tag is closed in order."""

    def __init__(self, text: str) -> None:
        super().__init__(convert_charrefs=True)
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.open: list[str] = []
        self.texts: list[str] = []
        self.feed(text)
        self.close()
        assert self.open == []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))
        assert len(dict(attrs)) == len(attrs), f"an attribute stands twice in {tag}"
        if tag not in VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        if not self.open or self.open[-1] not in ("script", "style"):
            self.texts.append(data)

    def named(self, attribute: str) -> list[str]:
        return [attrs[attribute] or "" for _, attrs in self.tags if attribute in attrs]

    @property
    def text(self) -> str:
        return re.sub(r"\s+", " ", "".join(self.texts))


def subs(report: dict[str, Any]) -> Iterator[dict[str, Any]]:
    for question in report["questions"]:
        for requirement in question["requirements"]:
            yield from requirement["sub_requirements"]


REPORTS: dict[str, Callable[[], dict[str, Any]]] = {
    "empty": empty_report,
    "nothing at all": lambda: {"schema_version": 1},
    "sample": sample_report,
    "hostile": hostile_report,
    "huge": huge_report,
    "no papers": lambda: build(0, (("Q", "Why?", (("R", "Because", (("S", "Proof", (), "gap"),)),)),), 3),
}


@pytest.fixture(params=REPORTS, scope="module")
def tree(request: pytest.FixtureRequest) -> Tree:
    return Tree(page(REPORTS[request.param]()))


def test_the_page_is_well_formed_and_of_known_elements_alone(tree: Tree) -> None:
    assert {tag for tag, _ in tree.tags} <= OF_THE_PAGE


def test_nothing_is_fetched_and_no_attribute_runs_anything(tree: Tree) -> None:
    for tag, attrs in tree.tags:
        assert not {"src", "srcset", "action", "formaction", "style", "data", "poster"} & attrs.keys(), tag
        assert not [name for name in attrs if name.startswith("on")], tag
        assert tag not in ("link", "img", "iframe", "object", "embed", "base", "form")


def test_links_lead_to_generated_places_of_the_page_and_nowhere_else(tree: Tree) -> None:
    ids = tree.named("id")
    assert len(ids) == len(set(ids))
    assert all(re.fullmatch(r"[a-z]+|[prs]\d+|s\d+c\d+", name) for name in ids)
    assert {link[1:] for link in tree.named("href")} <= set(ids)
    assert all(link.startswith("#") for link in tree.named("href"))


def test_headings_go_down_one_level_at_a_time(tree: Tree) -> None:
    levels = [int(tag[1]) for tag, _ in tree.tags if re.fullmatch(r"h[1-6]", tag)]
    assert levels[0] == 1
    assert levels.count(1) == 1
    assert all(after <= before + 1 for before, after in pairwise(levels))


def test_table_headings_have_a_scope_and_scrolling_boxes_take_the_keyboard(tree: Tree) -> None:
    assert all("scope" in attrs for tag, attrs in tree.tags if tag == "th")
    boxes = [attrs for _, attrs in tree.tags if attrs.get("class") == "scroll"]
    assert all(box["tabindex"] == "0" and box["aria-label"] for box in boxes)
    assert all(attrs["aria-label"] for tag, attrs in tree.tags if tag == "svg")


def test_the_policy_lets_through_this_style_and_script_alone() -> None:
    text = page(hostile_report())
    policy = re.search(r'http-equiv="Content-Security-Policy" content="([^"]*)"', text)
    assert policy
    rules = dict(rule.strip().split(" ", 1) for rule in policy[1].split(";"))

    def digest(tag: str) -> str:
        found = re.search(f"<{tag}>(.*?)</{tag}>", text, re.DOTALL)
        assert found
        return f"'sha256-{b64encode(hashlib.sha256(found[1].encode()).digest()).decode()}'"

    assert rules == {
        "default-src": "'none'", "style-src": digest("style"), "script-src": digest("script"),
        "base-uri": "'none'", "form-action": "'none'",
    }  # fmt: skip
    assert text.index("Content-Security-Policy") < text.index("<title>")


def test_no_unseen_character_is_left_on_the_page() -> None:
    text = page(hostile_report())
    assert not re.search("[\x00-\x08\x0b-\x1f\x7f-\x9f\u200f\u2028-\u202e\u2066-\u2069\ufeff\ud800-\udfff]", text)
    for shown_as in ("[U+202E]", "[U+0000]", "[U+D800]", "[U+E0041]"):
        assert shown_as in text


@given(st.text(alphabet=st.characters(exclude_categories=()), max_size=40))
def test_any_text_is_read_by_a_browser_as_that_text_made_visible(text: str) -> None:
    tree = Tree(f'<p title="{attribute(text)}">{shown(text)}</p>')
    assert "".join(tree.texts) == visible(text)
    assert tree.tags[0] == ("p", {"title": visible(text)})
    assert all(tag == ("span", {"class": "esc"}) for tag in tree.tags[1:])


def test_the_summary_says_the_result_in_one_sentence() -> None:
    text = Tree(page(sample_report())).text
    assert (
        "Of 11 sub-requirements, 5 are covered, 3 are covered in part and 3 are gaps, with 23 approved claims "
        "from 17 reviewed papers." in text
    )
    assert "2 papers could not be read or assessed" in text


@pytest.mark.parametrize(
    ("totals", "said"),
    [
        ({"sub_requirements": 4, "covered": 4, "papers": 3, "reviewed": 3, "approved": 9},
         "All 4 sub-requirements are covered, with 9 approved claims from 3 reviewed papers."),
        ({"sub_requirements": 1, "gaps": 1, "papers": 1, "reviewed": 1},
         "The one sub-requirement is a gap, with no approved claim from 1 reviewed paper."),
        ({"sub_requirements": 3, "covered": 1, "gaps": 2, "papers": 2, "reviewed": 1, "approved": 1},
         "Of 3 sub-requirements, <b>1</b> is covered and <b>2</b> are gaps, with 1 approved claim from 1 reviewed"),
        ({"sub_requirements": 3, "gaps": 3}, "No papers were found, so none of the 3 sub-requirements could be"),
        ({"sub_requirements": 1, "gaps": 1, "papers": 2},
         "None of the 2 papers found was reviewed, so the one sub-requirement could not be assessed."),
        ({"sub_requirements": 2, "gaps": 2, "papers": 3, "excluded": 2, "unreadable": 1},
         "None of the 3 papers found was reviewed (2 excluded, 1 unreadable), so none of the 2 sub-requirements"),
        ({"sub_requirements": 2, "gaps": 2, "papers": 1, "excluded": 1},
         "The one paper found was not reviewed (1 excluded), so none of the 2 sub-requirements could be assessed."),
        ({}, "The protocol asks for nothing"),
    ],
)  # fmt: skip
def test_the_summary_is_right_in_the_corners(totals: dict[str, int], said: str) -> None:
    assert said in page({"totals": totals})


def test_every_approved_claim_stands_there_with_quote_context_place_score_and_reason() -> None:
    report = sample_report()
    tree = Tree(page(report))
    for sub in subs(report):
        for claim in sub["claims"]:
            assert claim["quote"] in tree.text
            assert claim["context"]["before"].strip() in tree.text
            assert f"score {claim['score']:.2f}" in tree.text
            assert claim["reason"] in tree.text
    assert "pp. 5–6" in tree.text
    assert "direction: no difference" in tree.text
    assert "outcome words 0.90" in tree.text


def test_the_best_claims_are_shown_whatever_their_order_in_the_report() -> None:
    report = huge_report(60, 3, claims_per_row=30)
    covered = next(sub for sub in subs(report) if sub["status"] == "covered")
    for number, claim in enumerate(covered["claims"]):
        claim["quote"], claim["score"] = f"Finding {number}.", number / 100
    approved = [claim for claim in covered["claims"] if claim["status"] == "approved"]
    shown_quotes = re.findall(r"<mark>(Finding \d+\.)</mark>", page(report))
    best = sorted(approved, key=lambda claim: -claim["score"])[:10]
    assert shown_quotes[:10] == [claim["quote"] for claim in best]


def test_each_gap_says_why_what_was_looked_at_and_what_is_not_known() -> None:
    report = sample_report()
    articles = re.findall(r'<article class="sub gap" id="s\d+">.*?</article>', page(report), re.DOTALL)
    gaps = [sub for sub in subs(report) if sub["status"] == "gap"]
    assert len(articles) == len(gaps) == 3
    for sub, article in zip(gaps, articles, strict=True):
        text = Tree(article).text
        assert f"Why it is a gap. {sub['reason']}" in text
        assert "17 papers: 1 with claims that were rejected and 16 with no passage that answers it." in text
        assert "2 papers not assessed, so not counted as having no evidence" in text
        for passage in sub["nearest"]:
            assert passage["paper"] in text
            assert passage["reason"] in text
        for paper in sub["not_assessed"]:
            assert paper in text


def test_claims_of_a_paper_that_failed_later_are_shown_and_not_counted() -> None:
    """They are known, and no gap is closed by a paper that was not assessed to the end."""
    report = sample_report()
    gap = next(sub for sub in subs(report) if sub["status"] == "gap")
    failed = next(paper for paper in report["papers"] if paper["state"] == "failed")
    known = next(claim for sub in subs(report) for claim in sub["claims"] if claim["status"] == "approved")
    gap["claims"].append({**known, "paper": failed["id"], "quote": "Known before it failed."})
    failed["claims"] = {"approved": 1, "rejected": 0, "pending": 0}
    report["totals"]["approved"] += 1
    text = Tree(page(report)).text
    assert "with 23 approved claims" in text
    assert "Claims of papers that are not assessed to the end (1)" in text
    assert "Known before it failed." in text


def test_every_paper_without_an_answer_shows_what_came_nearest_in_it() -> None:
    """On demand, best first, also where another paper covers the sub-requirement; the rest is counted."""
    report = sample_report()
    covered = next(sub for sub in subs(report) if sub["status"] == "covered")
    without = [cell for cell in covered["cells"] if cell["state"] == "not_found"]
    for at, cell in enumerate(without):
        cell["nearest"][0].update(score=at / 100, quote=f"Near miss {at}.")
    found = re.search(rf"Nearest passage in each paper without an answer \({len(without)}\)(.*?)</details>",
                      page(report), re.DOTALL)  # fmt: skip
    assert found
    best = range(len(without) - 1, len(without) - 6, -1)
    assert re.findall(r"<mark>(Near miss \d+\.)</mark>", found[1]) == [f"Near miss {at}." for at in best]
    assert found[1].count("names the subject, but reports no result for it") == 5
    assert f"{len(without) - 5} more papers in the JSON report" in found[1]


def test_the_map_has_a_lettered_cell_per_paper_and_sub_requirement() -> None:
    report = sample_report()
    drawn = r'<td class="(\w+)" title="([^"]*)" aria-label="\2">(?:<a href="#\w+" aria-label="\2">)?(.)(?:</a>)?</td>'
    cells = [(state, letter) for state, words, letter in re.findall(drawn, page(report)) if words]
    expected = {"covered": "C", "partial": "P", "rejected": "R", "not_found": "–", "not_assessed": "?",
                "unreadable": "U", "excluded": "X"}  # fmt: skip
    assert all(expected[state] == letter for state, letter in cells)
    wanted = [cell["state"] for sub in subs(report) for cell in sub["cells"]]
    assert sorted(state for state, _ in cells) == sorted(wanted)


def test_with_very_many_papers_the_map_counts_them_per_state() -> None:
    text = page(huge_report(papers=COLUMNS_SHOWN + 30, rows=3))
    assert 'class="map counts"' in text
    report = huge_report(papers=COLUMNS_SHOWN + 30, rows=3)
    first = next(subs(report))
    found = sum(cell["state"] == "not_found" for cell in first["cells"])
    assert f'<td class="not_found">{found}</td>' in text


def test_papers_that_fell_out_say_why_and_what_to_do() -> None:
    text = Tree(page(sample_report())).text
    assert "save a copy without one and run again" in text
    assert "Run again with --resume" in text or "Put a readable file in its place" in text
    assert "Study of children or adolescents" in text
    assert "We enrolled children aged 8 to 15 years" in text
    assert "page 3: white text, 120 characters" in text
    assert "same DOI" in text
    assert "22 identified" in text


def test_the_flow_is_that_of_a_prisma_diagram_with_the_reasons_counted() -> None:
    """Records identified, duplicates, not retrieved or not readable, excluded by criterion, included."""
    report = sample_report()
    totals = report["totals"]
    totals.update(papers=30, duplicate=4, unreadable=2, failed=1, not_assessed=0, excluded=11, reviewed=12)
    totals.update(entries_without_paper=3, excluded_by={"E1": 2, "years": 9})
    report["protocol"]["screening"]["years"] = [2010, 2020]
    text = " ".join(Tree(page(report)).text.split())
    for words in (
        "33 identified3 of them entries without a file",
        "29 uniquewithout 4 duplicates",
        "23 assessed for eligibilitywithout 3 not retrieved, 2 unreadable and 1 failed",
        "12 includedwithout 11 excluded, with reasons",
        "yearsPublished from 2010 to 20209 E1Study of children or adolescents2",
    ):
        assert words in text


def test_the_foot_gives_the_runs_facts() -> None:
    text = Tree(page(sample_report())).text
    for fact in ("2025-11-14T03:16:29_abc123", "4 min 16 s", "judge 2", "throttled 2", "0 US dollars"):
        assert fact in text
    assert "notes.docx" in text


def test_what_was_paid_is_shown_by_stage_and_paper_whatever_the_papers_are_called() -> None:
    report = sample_report()
    row = {"calls": 3, "tokens_in": 1200, "tokens_out": 40, "usd": 0.25}
    unknown = {"calls": 1, "tokens_in": 10, "tokens_out": 2}
    papers = {"cheap.pdf": {**row, "usd": 0.01}, "<script>alert(1)</script>.pdf": row, "odd.pdf": unknown}
    report["run"]["costs"] = {"run": {}, "total": {}, "stages": {"judge": row}, "papers": papers}
    drawn = page(report)
    assert "<script>alert(1)" not in drawn
    text = Tree(drawn).text
    assert "Costs by stage and by paper" in text
    assert text.index("<script>alert(1)</script>.pdf") < text.index("cheap.pdf", text.index("Costs by stage"))
    assert "unknown" in text[text.index("Costs by stage") :]
    report["run"]["costs"] = {"papers": {f"p{n}": row for n in range(500)}}
    assert "300 more papers in the JSON report" in Tree(page(report)).text


def test_an_unknown_cost_is_not_called_nothing() -> None:
    report = sample_report()
    report["run"]["cost_usd"] = None
    assert "<dt>Cost</dt><dd>unknown</dd>" in page(report)


def test_a_huge_review_gives_a_page_that_opens_quickly_and_says_what_is_left_out() -> None:
    report = huge_report(195, 60, claims_per_row=40)
    for sub in subs(report):
        for claim in sub["claims"]:
            claim["quote"], claim["context"] = "q " * 400, {"before": "b " * 400, "after": "a " * 400}
    text = page(report)
    assert len(text.encode()) < 5_000_000
    assert "more claims in the JSON and CSV reports" in text


def test_a_monstrous_quote_does_not_make_a_monstrous_page() -> None:
    report = sample_report()
    claim = next(subs(report))["claims"][0]
    claim["quote"] = claim["context"]["before"] = report["protocol"]["title"] = "x" * 3_000_000
    assert len(page(report)) < 300_000


def test_states_and_papers_that_the_page_does_not_know_are_shown_and_do_no_harm() -> None:
    report = sample_report()
    sub = next(subs(report))
    sub["cells"].append({"paper": "gone.pdf", "state": "<b>odd</b>", "score": None})
    sub["claims"][0] = {**sub["claims"][0], "paper": "gone.pdf", "status": "approved", "direction": None}
    text = page(report)
    assert "gone" in text
    assert "<b>odd" not in text


def test_a_quote_in_another_language_says_so_and_an_odd_code_is_left_out() -> None:
    report = sample_report()
    claims = next(subs(report))["claims"]
    by_id = {paper["id"]: paper for paper in report["papers"]}
    by_id[claims[0]["paper"]]["language"] = "de"
    by_id[claims[1]["paper"]]["language"] = 'x" onclick="y'
    languages = [attrs.get("lang") for tag, attrs in Tree(page(report)).tags if tag == "blockquote"]
    assert set(languages) == {None, "de"}


def test_words_and_their_grounds_have_the_contrast_of_wcag_aa() -> None:
    """At least 4.5 to 1 for every pair of colours that meet, in the light and in the dark."""
    style = page(empty_report())
    for block in re.findall(r":root \{(.*?)\}", style, re.DOTALL)[:2]:
        colour = dict(re.findall(r"--([\w-]+): (#[0-9a-f]{6})", block))
        pairs = [(words, ground) for words in ("ink", "soft", "link") for ground in ("page", "sheet", "faint")]
        for state in ("covered", "partial", "gap"):
            pairs += [(f"{state}-ink", state), (f"{state}-text", f"{state}-tint"), (f"{state}-text", "sheet")]
        for words, ground in [*pairs, ("mark-ink", "mark")]:
            assert contrast(colour[words], colour[ground]) >= 4.5, (words, ground)


def contrast(one: str, other: str) -> float:
    """Contrast ratio of WCAG 2.2, from relative luminance."""

    def luminance(colour: str) -> float:
        parts = [int(colour[at : at + 2], 16) / 255 for at in (1, 3, 5)]
        red, green, blue = (c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in parts)
        return 0.2126 * red + 0.7152 * green + 0.0722 * blue

    dark, light = sorted((luminance(one), luminance(other)))
    return (light + 0.05) / (dark + 0.05)


@pytest.mark.parametrize(
    ("state", "error_type", "remedy"),
    [
        ("unreadable", "permanent", "Put a readable file in its place"),
        ("failed", "transient", "Run again with <code>--resume</code>: only what is missing"),
        ("failed", "permanent", "Mend what the reason names"),
        ("failed", "unknown", "which tries it once more"),
        ("not_assessed", "", "Run again with <code>--resume</code>: only what is missing"),
    ],
)
def test_every_kind_of_fault_has_its_remedy(state: str, error_type: str, remedy: str) -> None:
    assert remedy in what_to_do({"id": "a.pdf", "state": state, "error_type": error_type})


@pytest.mark.parametrize(
    ("seconds", "said"),
    [(0.04, "0.0 s"), (9.4, "9.4 s"), (59.4, "59 s"), (61, "1 min 1 s"), (7500, "2 h 5 min"), (None, "unknown"),
     (float("nan"), "unknown")],
)  # fmt: skip
def test_times_are_said_in_the_unit_that_fits(seconds: Any, said: str) -> None:
    assert duration(seconds) == said
