"""What the offline engine promises to the stages that use it."""

from __future__ import annotations

import subprocess
import sys
import time

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from literature_review.llm.offline import EvidenceIndex, coverage, rank_evidence
from literature_review.llm.offline.tokens import StemmedText, stems

PAPER = """A trial of green tea against mild hypertension

Abstract
Background: Hypertension is common, and tea might lower blood pressure.
Methods: We randomised 120 adults to green tea or hot water for 12 weeks. Blood pressure was measured at home.
Results: Systolic blood pressure was significantly lower with green tea than with water (128 vs 135 mmHg, p = 0.003).
Sleep quality (PSQI) did not differ between the groups (p = 0.61).

1. Introduction
Previous studies have reported that blood pressure falls with tea [1, 2]. Sleep quality has not been studied.
2. Methods
Participants drank green tea or hot water twice a day. Blood pressure was measured with a validated device.
The Pittsburgh Sleep Quality Index (PSQI) was used to assess sleep. Body weight was not recorded.
3. Results
Of 131 adults screened, 120 were randomised. Systolic blood pressure fell by 7 mmHg in the tea group and by 1 mmHg
in the water group (p = 0.002). The PSQI was similar in both groups (5.1 vs 5.3, p = 0.58). Three people had headache.
4. Discussion
Green tea lowered blood pressure in our trial. Sleep may improve with longer use.
Acknowledgements
We thank the nurses who measured blood pressure and green tea.
References
1. Smith J, Jones K. Green tea and blood pressure in adults. J Tea Res. 2005;12(3):33-40.
2. Wu L. Blood pressure and green tea: a randomised trial. Hypertension. 2011;57:101-9.
"""
QUESTION = "What is the effect of green tea compared with hot water on systolic blood pressure?"


def shown(text: str, question: str, *keywords: str, k: int = 3) -> list[str]:
    return [text[span.start : span.end] for span in rank_evidence(text, question, keywords, k)]


def test_the_sentence_that_reports_the_outcome_comes_first() -> None:
    first = shown(PAPER, QUESTION, "systolic blood pressure")[0]
    assert "p = 0.00" in first
    assert "blood pressure" in first


def test_an_abbreviation_of_the_paper_speaks_for_its_long_form() -> None:
    best = shown(
        PAPER, "Does green tea change the Pittsburgh Sleep Quality Index?", "Pittsburgh Sleep Quality Index", k=3
    )
    assert any("similar in both groups" in sentence for sentence in best)


def test_references_thanks_and_headings_are_never_evidence() -> None:
    found = " ".join(shown(PAPER, "green tea blood pressure", "green tea", "blood pressure", k=100))
    assert "J Tea Res" not in found
    assert "nurses" not in found
    assert "A randomised trial. Hypertension" not in found


def test_excluded_ranges_are_never_ranked() -> None:
    start = PAPER.index("Systolic blood pressure was significantly")
    index = EvidenceIndex(PAPER, excluded=((start, start + 5),))
    assert all(span.end <= start or span.start > start for span in index.rank(QUESTION, k=100))


def test_spans_are_sentences_of_the_text_best_first_and_scored_as_shares() -> None:
    spans = rank_evidence(PAPER, QUESTION, ("blood pressure",), 100)
    scores = [span.score for span in spans]
    assert scores == sorted(scores, reverse=True)
    assert all(0.0 <= score <= 1.0 for score in scores)
    assert all(0 <= span.start < span.end <= len(PAPER) and span.end - span.start < 400 for span in spans)


def test_the_order_of_the_parts_of_a_question_does_not_matter() -> None:
    parts = ["green tea", "hot water", "systolic blood pressure"]
    there, back = (shown(PAPER, "; ".join(order), k=5) for order in (parts, parts[::-1]))
    assert there == back


def test_an_index_gives_what_single_calls_give() -> None:
    index = EvidenceIndex(PAPER)
    assert index.rank(QUESTION, ("sleep",), 4) == rank_evidence(PAPER, QUESTION, ("sleep",), 4)
    assert index.coverage(QUESTION, ("sleep",)) == coverage(PAPER, QUESTION, ("sleep",))


def test_what_is_answered_is_surer_than_what_is_not() -> None:
    answered = coverage(PAPER, QUESTION, ("systolic blood pressure",))
    phantom = coverage(PAPER, "What is the effect of green tea on hip fracture?", ("hip fracture",))
    assert answered > 0.5 > phantom


def test_keywords_that_occur_nowhere_leave_the_question_to_decide() -> None:
    assert "p = 0.00" in shown(PAPER, QUESTION, "zebrafish")[0]


@pytest.mark.parametrize("question", ["", "   ", "the of and", "?!", "\x00", '"NEAR(a b)" OR col:* NOT -^(', "☃"])
def test_questions_without_words_find_nothing_and_harm_nothing(question: str) -> None:
    index = EvidenceIndex(PAPER)
    assert isinstance(index.rank(question), list)
    assert 0.0 <= index.coverage(question) <= 1.0


def test_a_question_of_two_thousand_words_is_read() -> None:
    question = QUESTION + " " + " ".join(f"filler{i}" for i in range(2_000))
    assert "blood pressure" in shown(PAPER, question)[0]


@pytest.mark.parametrize("text", ["", " \n ", "\x00", "....", "\u2028\u2029", "12 34 56"])
def test_texts_without_sentences_give_no_evidence(text: str) -> None:
    assert rank_evidence(text, "blood pressure") == []
    assert coverage(text, "blood pressure") == 0.0


def test_a_text_of_one_sentence_answers() -> None:
    assert shown("Pain fell in the drug group", "pain with the drug") == ["Pain fell in the drug group"]


def test_k_bounds_the_number_of_spans() -> None:
    assert rank_evidence(PAPER, QUESTION, k=0) == []
    assert rank_evidence(PAPER, QUESTION, k=-3) == []
    assert len(rank_evidence(PAPER, QUESTION, k=2)) == 2


def test_chinese_and_arabic_texts_are_split_and_searched() -> None:
    chinese = "我们招募了一百名患者。治疗组的血压显著降低。对照组没有变化！睡眠质量相似。"
    assert shown(chinese, "血压降低了吗？", k=1) == ["治疗组的血压显著降低。"]
    arabic = "شارك مئة مريض في الدراسة؟ انخفض ضغط الدم في مجموعة العلاج۔ لم يتغير النوم۔"
    assert shown(arabic, "ضغط الدم", k=1) == ["انخفض ضغط الدم في مجموعة العلاج۔"]


def test_capitals_only_and_broken_words_are_read() -> None:
    assert "P = 0.00" in shown(PAPER.upper(), QUESTION, "systolic blood pressure")[0]
    broken = PAPER.replace("Systolic blood", "Systo-\nlic blood")
    assert "lic blood pressure" in shown(broken, QUESTION, "systolic blood pressure")[0]


@pytest.mark.parametrize(
    "unit",
    ["word ", ".", "a1", "A. B. ", "\n", "\n \n", " \t", "(AB) ", "p = ", "[1] ", "1. ", "[", "x@", "中",
    "et al. A", "if ", "no ",
     "1;1 ", "2001;1", "; (a) ", "- ", "University of "],
)  # fmt: skip
def test_time_is_linear_in_hostile_texts(unit: str) -> None:
    text = (unit * 300_000)[:300_000]
    begun = time.process_time()
    index = EvidenceIndex(text)
    index.rank("word of the University, AB", ("if",))
    index.coverage("word AB 中")
    assert time.process_time() - begun < 10  # a quadratic pattern takes minutes


def test_importing_the_package_loads_nothing_of_the_engine() -> None:
    code = (
        "import sys, literature_review.llm.offline as o; assert 'literature_review.llm.offline.index'"
        " not in sys.modules;"
        "assert 'sqlite3' not in sys.modules; o.rank_evidence('', ''); assert"
        " 'literature_review.llm.offline.index' in sys.modules"
    )
    subprocess.run([sys.executable, "-c", code], check=True)


def test_an_unknown_name_is_an_attribute_error() -> None:
    import literature_review.llm.offline as package

    with pytest.raises(AttributeError, match="nothing_like_it"):
        package.nothing_like_it  # noqa: B018


@settings(max_examples=60, deadline=None)
@given(text=st.text(max_size=600), question=st.text(max_size=80), keywords=st.lists(st.text(max_size=10), max_size=3))
def test_any_text_and_question_give_spans_inside_the_text_twice_the_same(
    text: str, question: str, keywords: list[str]
) -> None:
    first = rank_evidence(text, question, keywords)
    assert first == rank_evidence(text, question, keywords)
    assert all(0 <= span.start < span.end <= len(text) and 0.0 <= span.score <= 1.0 for span in first)
    assert 0.0 <= coverage(text, question, keywords) <= 1.0


POLICY = """House rules of the library
1. Members shall treat the books with care and give them back within four weeks.
2. Rules may be communicated orally or in writing by any of the officers at the desk.
3. The reading room closes at eight in the evening, and lamps are put out then.
4. A member who loses a book pays what a new one costs, as the desk tells.
"""


def with_results(more: str) -> str:
    """The paper with more sentences at the end of its results."""
    return PAPER.replace("4. Discussion", f"{more}4. Discussion")


def test_a_synonym_speaks_for_a_word_in_a_text_that_reports_no_results() -> None:
    question = "Rules may be conveyed verbally by staff"
    assert "orally" in shown(POLICY, question, k=1)[0]
    without = POLICY.replace("orally", "loudly").replace("officers", "visitors").replace("communicated", "sung")
    assert coverage(POLICY, question) > coverage(without, question)


def test_a_synonym_of_an_outcome_leaves_the_coverage_of_a_trial_as_it_is() -> None:
    trial = with_results("Spoken fluency was significantly better with tea (p = 0.01, CI 1 to 2).\n")
    assert EvidenceIndex(trial).exact
    unrelated = coverage(trial, "What is the effect of green tea on zebra fluency?", ("zebra fluency",))
    assert coverage(trial, "What is the effect of green tea on verbal fluency?", ("verbal fluency",)) == unrelated


@pytest.mark.parametrize("turned", [False, True])
def test_of_sentences_with_the_same_words_the_one_that_tells_of_the_outcome_comes_first(turned: bool) -> None:
    one, other = (
        f"{first} was asked for at each visit to the clinic, and {last} of the adults differed (p = 0.04).\n"
        for first, last in (("Bone mass", "hair length"), ("Hair length", "bone mass"))
    )
    text = with_results(other + one if turned else one + other)
    assert shown(text, "Does tea change hair length?", "hair length")[0] == one.strip()


@given(st.text(st.one_of(st.characters(), st.sampled_from("aZ-\n \u00e9\u2013\u4e2d\ud800p9")), max_size=60), st.data())
def test_a_text_that_is_folded_as_a_whole_has_the_stems_of_its_parts(text: str, data: st.DataObject) -> None:
    start = data.draw(st.integers(0, len(text)))
    end = data.draw(st.integers(start, len(text)))
    assert StemmedText(text).of(start, end) == stems(text[start:end])


def test_a_clause_and_what_leads_to_it_cover_what_neither_says_alone() -> None:
    """Three sentences on end that share out the words speak to a question more surely than three far apart."""
    said = ("The tenant shall do as follows.\n", "Keep dogs on a leash.\n", "Within the garden, always.\n")
    other = "Each party bears its taxes in full.\n" * 3
    question = "Tenant keeps dogs on a leash in the garden"
    together = other + "".join(said) + other * 2
    apart = other.join(said) + other
    assert sorted(together.split("\n")) == sorted(apart.split("\n"))
    assert coverage(together, question) > coverage(apart, question)


def test_words_that_all_questions_share_do_not_tell_which_study_is_meant() -> None:
    trial = with_results("Verbal fluency was significantly better with tea (p = 0.01, CI 1 to 2).\n")
    keywords = ("verbal fluency",)
    alone = coverage(trial, "verbal fluency", keywords)
    assert coverage(trial, "Frequency and number of changes in verbal fluency scores", keywords) == alone
    assert coverage(trial, "verbal fluency with zebra milk", keywords) < alone


_BINDING = (
    "The parties enter into this agreement to protect what they disclose to each other. "
    "{} "
    "The recipient shall not disclose any of it to third parties. "
    "The recipient shall be entitled to keep one copy. "
    "Either party may end this agreement by notice in writing. "
    "The obligations of the recipient survive for three years. "
)


@pytest.mark.parametrize(
    "clause",
    [
        'Confidential information ("CI") means all that is disclosed. CI remains the property of the discloser. CI is '
        "used for the purpose alone. No CI may be copied. CI is returned on request. CI is marked as such.",
        "The company has invested significant means, in significant amounts and for a significant time.",
    ],
)
def test_a_contract_reports_no_results_whatever_it_calls_significant_or_a_ci(clause: str) -> None:
    """Its coverage and its ranking are those of a text without results, with nothing of a trial's weights."""
    assert EvidenceIndex(_BINDING.format(clause)).reporting == 0.0


def test_a_trial_reports_results_though_a_sentence_of_its_ethics_binds_somebody() -> None:
    """One sentence that binds takes one from those that tell a result, and not all of them."""
    told = "Pain fell from 5.1 to 3.2 with the drug (95% CI 1.2 to 2.6, p < 0.001). "
    text = "The investigators shall report adverse events at once. " + told * 8
    assert EvidenceIndex(text).reporting == 1.0
