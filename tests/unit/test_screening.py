"""Screening: which papers are taken in, and by which criterion and passage one is not."""

from __future__ import annotations

from pathlib import Path

import pytest

from literature_review.documents import read_document
from literature_review.errors import ProtocolError
from literature_review.models import Bibliography, Criterion, Document, HiddenText, Screening, Section
from literature_review.protocol import parse_protocol
from literature_review.reviewers.screening import screen
from tests.stage_samples import TEXT, document

KNOWN = Bibliography(year=2019, language="en")


def criterion(*keywords: str, text: str = "what is asked for") -> Criterion:
    return Criterion("c1", text, keywords)


def excluding(text: str, *keywords: str, words: str = "what is not wanted") -> bool:
    return not screen(Document(text), KNOWN, Screening(exclude=(criterion(*keywords, text=words),))).included


def test_without_criteria_every_paper_is_taken_in() -> None:
    assert screen(document(), Bibliography(), Screening()).included
    assert screen(Document(""), Bibliography(), Screening()).included


def test_an_inclusion_criterion_is_met_by_any_of_its_keywords_in_any_spelling() -> None:
    for keyword in ("outpatient", "OUTPATIENTS", "eye-clinic", "missed appointment"):
        assert screen(document(), KNOWN, Screening(include=(criterion("absent", keyword),))).included


@pytest.mark.parametrize(
    ("keyword", "text"),
    [
        ("randomised controlled trial", "We did a randomized controlled trial."),
        ("randomized trials", "A randomised trial."),
        ("tumor", "Tumours were small."),
        ("behaviour", "Their behavior changed."),
        ("pediatric", "Paediatric patients came."),
        ("anaemia", "Anemia was rare."),
        ("cohort study", "Two cohort studies."),
        ("case-studies", "A case study."),
        ("virus", "Both viruses."),
        ("oedema", "Edema was rare."),
        ("women", "Of each woman we know the age."),
        ("woman", "All were women."),
        ("children", "Each child was weighed."),
        ("child", "Schoolchildren, that is children, were weighed."),
        ("mice", "A mouse was weighed."),
        ("meta-analyses", "This is a meta-analysis."),
        ("systematic analysis", "Two systematic analyses."),
        ("viruses", "One virus."),
        ("diagnosis", "The diagnoses were made early."),
        ("headaches", "One headache."),
        ("approaches", "An approach."),
        ("person", "Older people came."),
        ("index", "Two indexes."),
        ("randomi*", "They were randomised."),
        ("random* trial*", "A random trial."),
        ('"eye clinic"', "An eye clinic."),
    ],
)
def test_british_and_american_spelling_and_both_numbers_are_one_keyword(keyword: str, text: str) -> None:
    assert excluding(text, keyword)
    assert screen(Document(text), KNOWN, Screening(include=(criterion(keyword),))).included


@pytest.mark.parametrize(
    ("keyword", "text"),
    [
        ("AIDS", "A hearing aid."), ("study", "A stud farm."), ("color", "The colon."), ("trial", "Triage."),
        ("randomi*", "At random."), ("CYP2C19*2", "CYP2C1922"),
        ("rats", "Response rates were high."), ("rat", "The rate rose."), ("cat", "Both cates."),
        ("men", "Many humans."), ("child", "A chill."), ("mice", "Pumice."),
    ],
)
def test_words_that_only_look_alike_are_other_words(keyword: str, text: str) -> None:
    assert not excluding(text, keyword)


def test_the_words_of_a_criterion_are_found_in_the_other_spelling() -> None:
    wanted = Criterion("c1", "Randomised trials of tumour behaviour")
    assert screen(Document("Randomized trial: tumor behavior."), KNOWN, Screening(include=(wanted,))).included


@pytest.mark.parametrize(
    "text",
    [
        "We enrolled people with no diabetes.",
        "Exclusion criteria were pregnancy, a recent stroke, an age under 18 years, and diabetes.",
        "People with diabetes, heart failure, a stroke in the last year, or a pregnancy were excluded.",
        "Those with diabetes were ineligible.",
    ],
)
def test_whom_a_paper_left_out_does_not_exclude_it(text: str) -> None:
    assert not excluding(text, "diabetes")
    assert not excluding(text, words="People with diabetes")


@pytest.mark.parametrize(
    ("text", "excluded"),
    [
        ("Ada Byron 1 Asian University for Women, Chattogram 4000, Bangladesh\nWe trained networks.", False),
        ("Networks\nA. Byron, Brigham and Women's Hospital, Boston\nWe trained networks.", False),
        ("We worked at the Hospital for Sick Children. Networks were trained.", False),
        ("Women at a university hospital: a trial. We asked them.", True),
        ("Journal of Women's Health 2020. Women were asked.", True),
        ("A TRIAL IN WOMEN\nBoston", True),
    ],
)
def test_the_name_of_a_body_excludes_nobody(text: str, excluded: bool) -> None:
    """An affiliation or a journal says where a paper comes from, not of whom it tells."""
    assert excluding(text, "women", "children") is excluded
    assert excluding(text, words="women") is excluded


@pytest.mark.parametrize(
    ("keyword", "text"),
    [
        ("study protocol", "The study protocol was reviewed and approved by the board."),
        ("study protocol", "The board approved the study protocol."),
        ("study protocol", "The study protocol has been published."),
        ("case report", "It was noted in the case report form."),
        ("meta-analysis", "In a meta-analysis of 12 trials, Bridge et al. found less."),
        ("meta-analysis", "A meta-analysis showed that this helps [12]."),
        ("meta-analysis", "One meta-analysis (Auriel, 2011) showed it."),
        ("in vitro", "Some in vitro studies have examined it."),
    ],
)
def test_what_was_approved_published_or_cited_is_not_what_the_paper_is(keyword: str, text: str) -> None:
    assert not excluding(text, keyword)
    assert excluding(f"{text} This is a {keyword} of ours.", keyword)


def test_an_inclusion_s_words_may_stand_in_several_sentences_of_the_front() -> None:
    text = "A randomized pilot study\nAbstract\nTea was given. The others had water as a control.\n"
    asked = Screening(include=(criterion(text="Randomised controlled trials"),))
    assert screen(Document(text), KNOWN, asked).included
    assert not screen(Document(text.replace("randomized ", "")), KNOWN, asked).included
    hidden = Document(text, hidden=(HiddenText(0, len("A randomized"), "white"),))
    assert not screen(hidden, KNOWN, asked).included


def test_a_criterion_may_name_bodies_itself() -> None:
    assert excluding("We worked at the Leeds University Hospital. Networks were trained.", "university hospital")


def test_a_criterion_may_itself_say_what_is_lacking() -> None:
    assert excluding("The trial had no control group.", words="No control group")
    assert excluding("Exclusive breastfeeding was the aim.", "breastfeeding")


def test_an_inclusion_criterion_that_is_not_met_names_itself_and_the_nearest_passage() -> None:
    wanted = Criterion("adults", "Reminders sent to nurses of a hospital", ("nurses", "hospital"))
    decision = screen(document(), KNOWN, Screening(include=(criterion("outpatient"), wanted)))
    assert not decision.included
    assert decision.criterion == "adults"
    assert "nurses, hospital" in decision.reason
    assert "sent reminders" in decision.quote
    assert decision.page == 1


def test_the_references_speak_for_nobody() -> None:
    assert not screen(document(), KNOWN, Screening(include=(criterion("mice"),))).included
    assert screen(document(), KNOWN, Screening(exclude=(criterion("mice", "meta-analysis"),))).included


def test_an_exclusion_carries_the_sentence_that_decided_and_its_page() -> None:
    decision = screen(document(), KNOWN, Screening(exclude=(criterion("Wexford", text="Studies in Wexford"),)))
    assert (decision.included, decision.criterion, decision.page) == (False, "c1", 1)
    assert decision.quote == "We sent reminders to outpatients of an eye clinic in Wexford in 2019."
    assert "Studies in Wexford" in decision.reason


@pytest.mark.parametrize(
    ("text", "excluded"),
    [
        ("This meta-analysis pools nine trials.", True),
        ("This meta\u2010analysis pools nine trials.", True),
        ("We did meta-\nanalyses of nine trials.", True),
        ("A previous meta-analysis had pooled nine trials.", False),
        ("Unlike earlier meta-analyses we count patients.", False),
        ("Meta-analyses were excluded.", False),
        ("The metaanalysts agreed.", False),
        ("", False),
    ],
)
def test_only_what_a_paper_says_of_itself_excludes_it(text: str, excluded: bool) -> None:
    assert excluding(text, "meta-analysis", "meta-analyses") is excluded


@pytest.mark.parametrize("title", ["# A trial in children\n", "TITLE:\nA trial in children\n", "A trial in children\n"])
def test_the_title_counts_also_where_it_is_a_heading(tmp_path: Path, title: str) -> None:
    path = tmp_path / "a.md"
    path.write_text(f"{title}\n## Abstract\n\nWe asked many.\n\n## Methods\n\nA form.\n\n## Results\n\nIt was so.\n")
    decision = screen(read_document(str(path)), KNOWN, Screening(exclude=(criterion("children"),)))
    assert not decision.included
    assert "A trial in children" in decision.quote


def test_an_abstract_under_the_title_s_heading_counts_beside_named_methods() -> None:
    text = "A trial\nWe asked children.\nMethods\nA form.\nDiscussion\nMice were mentioned.\n"
    starts = [0, text.index("Methods"), text.index("Discussion"), len(text)]
    kinds = ("other", "methods", "discussion")
    sections = tuple(Section(k, k, a, b) for k, a, b in zip(kinds, starts, starts[1:], strict=False))
    found = Document(text, sections=sections)
    assert not screen(found, KNOWN, Screening(exclude=(criterion("children"),))).included
    assert screen(found, KNOWN, Screening(exclude=(criterion("mice"),))).included


def test_a_word_deep_in_the_discussion_excludes_nobody() -> None:
    text = "Abstract\nA trial in adults.\n\nDiscussion\nA study of mice would be the next step."
    sections = (Section("Abstract", "abstract", 0, 28), Section("Discussion", "discussion", 28, len(text)))
    mice = Screening(exclude=(criterion("mice"),))
    assert screen(Document(text, sections=sections), KNOWN, mice).included
    moved = (Section("Abstract", "abstract", 0, len(text)),)
    assert not screen(Document(text, sections=moved), KNOWN, mice).included


def test_a_criterion_without_keywords_is_met_by_a_sentence_with_most_of_its_words() -> None:
    patients = Criterion("c1", "The reminders were sent to patients of an outpatient eye clinic")
    assert screen(document(), KNOWN, Screening(include=(patients,))).included
    engines = Criterion("c1", "Combustion of hydrogen in turbine engines")
    assert not screen(document(), KNOWN, Screening(include=(engines,))).included
    assert screen(document(), KNOWN, Screening(exclude=(engines,))).included


@pytest.mark.parametrize(("year", "included"), [(2014, False), (2015, True), (2025, True), (2026, False), (None, True)])
def test_years_are_from_the_first_to_the_last_and_an_unknown_year_excludes_nobody(
    year: int | None, included: bool
) -> None:
    decision = screen(document(), Bibliography(year=year), Screening(years=(2015, 2025)))
    assert decision.included is included
    assert included or decision.criterion == "years"
    assert year is not None or "year is not known" in decision.reason


def test_the_year_that_decided_is_quoted_where_it_stands() -> None:
    decision = screen(document(), KNOWN, Screening(years=(2020, 2021)))
    assert "2019" in decision.quote
    assert decision.page == 1


@pytest.mark.parametrize(
    ("language", "included"), [("en", True), ("en-GB", True), ("EN", True), ("de", False), ("", True)]
)
def test_languages_are_compared_by_their_first_part(language: str, included: bool) -> None:
    decision = screen(document(), Bibliography(language=language), Screening(languages=("en", "fr")))
    assert decision.included is included
    assert included or (decision.criterion == "languages" and decision.quote)


def test_text_that_cannot_be_seen_decides_nothing_and_is_not_quoted() -> None:
    start = TEXT.index("outpatients")
    hidden = document(hidden=[HiddenText(start, start + 11, "white")])
    assert not screen(hidden, KNOWN, Screening(include=(criterion("outpatients"),))).included
    assert screen(hidden, KNOWN, Screening(exclude=(criterion("outpatients"),))).included


@pytest.mark.parametrize("text", ["\n \n" * 100_000, "mice. " * 60_000, "a" * 300_000, "mice " * 60_000, "(" * 9_000])
def test_odd_texts_and_keywords_end_in_a_decision(text: str) -> None:
    odd = (criterion("(.*)+$", "", "  ", "[", "mice"), Criterion("c2", "?!"))
    assert isinstance(screen(Document(text), KNOWN, Screening(include=odd, exclude=odd)).included, bool)


@pytest.mark.parametrize("keyword", ["-", " ", "\u2013 -", "\u2014"])
def test_a_keyword_without_a_word_excludes_nobody_and_is_met_by_nobody(keyword: str) -> None:
    assert not excluding("A trial of reminders.", keyword, words="of the")
    both = Screening(include=(criterion(keyword, "reminders"),))
    assert screen(Document("A trial of reminders."), KNOWN, both).included
    assert not screen(Document("A trial of letters."), KNOWN, both).included


def test_a_criterion_that_names_nothing_decides_nothing_and_the_record_says_so() -> None:
    empty = Criterion("c9", "what this study is", ())
    decision = screen(document(), KNOWN, Screening(include=(empty, criterion("outpatient"))))
    assert decision.included
    assert decision.reason == "meets c1; c9 names nothing to look for"
    assert screen(document(), KNOWN, Screening(exclude=(empty,))).reason == "c9 names nothing to look for"


def test_keywords_that_occur_nowhere_exclude_with_what_was_looked_for() -> None:
    decision = screen(document(), KNOWN, Screening(include=(criterion("zzyzx", "qwrtz", text="Zzyzx"),)))
    assert (decision.included, decision.page) == (False, 1)
    assert decision.quote.startswith("We sent reminders")
    assert "looked for: zzyzx, qwrtz" in decision.reason


def test_a_year_that_stands_nowhere_in_the_text_is_told_with_where_it_comes_from() -> None:
    known = Bibliography(year=1950, sources={"year": "BibTeX (all.bib)"})
    cited = "We slept. " * 700 + "As Byron (1950) said, they slept."
    for text in ("No year here.", cited):
        decision = screen(Document(text), known, Screening(years=(2000, 2030)))
        assert decision.reason == "published in 1950 according to BibTeX (all.bib), not in 2000 to 2030"
        assert (decision.quote, decision.page) == ("", 0)


@pytest.mark.parametrize(
    ("text", "quote"),
    [
        ("A study of tea\n\nAbstract\n\nWe gave tea to adults. They slept.\n", "We gave tea to adults."),
        ("We gave tea to adults. They slept.", "We gave tea to adults."),
        ("", ""),
    ],
)
def test_a_paper_with_none_of_the_words_shows_what_it_says_it_is(text: str, quote: str) -> None:
    sections = (Section("Abstract", "abstract", 16, len(text)),) if "Abstract" in text else ()
    decision = screen(Document(text, sections=sections), KNOWN, Screening(include=(criterion("zyzzyva"),)))
    assert not decision.included
    assert decision.quote == quote
    assert "none of these words stands in it" in decision.reason


def test_years_the_wrong_way_round_are_refused_with_the_protocol() -> None:
    """They would let no paper in."""
    sub = {"id": "s", "text": "what", "keywords": []}
    questions = [{"id": "q", "text": "what", "requirements": [{"id": "r", "text": "what", "sub_requirements": [sub]}]}]
    with pytest.raises(ProtocolError, match="write the earlier year first"):
        parse_protocol({"title": "t", "questions": questions, "screening": {"years": [2020, 2010]}})


def test_criteria_in_chinese_are_met_with_and_without_keywords() -> None:
    text = Document("本研究评估短信提醒对门诊患者就诊率的影响。结果显示短信提醒减少了失约。")
    assert screen(text, KNOWN, Screening(include=(Criterion("c1", "短信提醒", ("短信提醒",)),))).included
    assert screen(text, KNOWN, Screening(include=(Criterion("c1", "短信提醒与门诊患者", ()),))).included
    assert not screen(text, KNOWN, Screening(include=(Criterion("c1", "手术后的疼痛治疗", ()),))).included
