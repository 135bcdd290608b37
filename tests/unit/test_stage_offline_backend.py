"""The offline back end: what it proposes, approves and turns down in a small trial, and why."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from literature_review.llm.offline_appeal import MOST_RESTATED
from literature_review.llm.offline_backend import KEPT_READINGS, OfflineBackend
from literature_review.llm.offline_question import Asked
from literature_review.llm.offline_reading import PaperReading
from literature_review.models import Claim, Document, Findings, HiddenText, Page, Section, SubRequirement, Verdict
from literature_review.ports import Deadline
from literature_review.reviewers.claims import QuoteDesk
from literature_review.text.quotes import quotes_equal

TRIAL = """Evening tea and sleep: a randomised trial

Abstract

Background: Tea is drunk in the evening all over the world. Methods: We randomised 240 adults to evening tea or warm
water for six weeks. Results: Sleep duration was significantly shorter with evening tea (mean difference 31 minutes,
95% CI 18 to 44; p < 0.001). Conclusions: Evening tea shortens sleep.

Introduction

Previous studies have reported that tea lowers blood glucose [3]. Little is known of tea and sleep.

Methods

Adults were randomised to evening tea or warm water. Mood will be measured in a later study of the same adults.
The primary outcome was sleep duration. Heart rate variability (HRV) was recorded with a belt.

Results

Sleep duration was significantly shorter with evening tea than with water: 6.4 against 6.9 hours (p < 0.001).
The number of awakenings did not differ between the groups (1.9 against 2.0; p = 0.64).
HRV was significantly lower with evening tea than with water (p = 0.02).
Adverse events were more frequent with evening tea (12 against 5 adults; p = 0.04).
Body weight was not measured.

Discussion

Evening tea shortened sleep duration in adults. Future research should ask whether it changes mood.

References

1. Okafor N. Tea and sleep duration in adults: p < 0.001. J Tea 2011;1:1-9.
"""

SLEEP = SubRequirement("S", "Effect of evening tea on sleep duration", ("sleep duration",))
ENGINES = SubRequirement("E", "Effect of fuel additives on engine wear", ("engine wear",))
WEIGHT = SubRequirement("W", "Effect of evening tea on body weight", ("body weight",))
MOOD = SubRequirement("M", "Effect of evening tea on mood", ("mood",))
GLUCOSE = SubRequirement("G", "Effect of evening tea on blood glucose", ("blood glucose",))
BOTH = SubRequirement("B", "Effect of evening tea on sleep duration and on school grades", ("sleep duration", "grades"))


def trial(text: str = TRIAL, hidden: tuple[HiddenText, ...] = ()) -> Document:
    kinds = ("Abstract", "Introduction", "Methods", "Results", "Discussion", "References")
    starts = [text.index(f"\n{kind}\n") + 1 for kind in kinds]
    ends = [*starts[1:], len(text)]
    sections = tuple(Section(k, k.lower(), s, e) for k, s, e in zip(kinds, starts, ends, strict=True))
    return Document(text, (Page(1, 0, len(text)),), sections, {}, hidden)


def backend(**review: Any) -> OfflineBackend:
    return OfflineBackend({"review": review})


def found(*subs: SubRequirement, text: Document | None = None, **review: Any) -> Findings:
    return backend(**review).find_claims(text or trial(), subs, Deadline())


def claims(findings: Findings, text: Document | None = None) -> tuple[Claim, ...]:
    wanted = {"S", "E", "W", "M", "G", "B"}
    return QuoteDesk("a.txt", text or trial(), wanted, "offline", "embedded").claims(findings.proposals)


def judged(sub: SubRequirement, quote: str, **review: Any) -> Verdict:
    start = TRIAL.index(quote)
    made = Claim(
        "c", "a.txt", sub.id, quote, 1, "", start, start + len(quote), 0.5, "pending", "", "offline", "embedded"
    )
    return backend(**review).judge(trial(), [made], {sub.id: sub}, Deadline())[0]


def test_the_result_is_proposed_and_approved_with_its_reason_and_its_direction() -> None:
    findings = found(SLEEP)
    made = claims(findings)
    verdicts = backend().judge(trial(), made, {"S": SLEEP}, Deadline())
    result = next(v for v, c in zip(verdicts, made, strict=True) if "6.4 against 6.9" in c.quote)
    assert result.approved
    assert result.coverage == "covered"
    assert "sleep, duration" in result.reason
    assert result.direction == "decrease"
    assert set(result.scores) == {"relevance", "directness", "strength", "recency", "reproducibility"}


def test_references_are_never_evidence() -> None:
    assert not any("Okafor" in proposal.quote for proposal in found(SLEEP, claims_per_sub_requirement=50).proposals)


def test_a_chinese_sentence_is_a_statement_though_it_has_no_blanks() -> None:
    asked = SubRequirement("S", "运动能降低血压吗？", ("血压",))
    text = "运动对成人血压的影响\n\n摘要\n\n运动可以降低血压。\n\n结果\n\n运动组的收缩压明显低于对照组。\n"
    paper = Document(text, (Page(1, 0, len(text)),))
    findings = found(asked, text=paper)
    made = claims(findings, paper)
    verdicts = backend().judge(paper, made, {"S": asked}, Deadline())
    assert [claim.quote for claim, verdict in zip(made, verdicts, strict=True) if verdict.approved] == [
        "运动可以降低血压。"
    ]


@pytest.mark.parametrize("text", ["of the and or is it", "?!.*", "a"])
def test_what_has_no_word_to_look_for_is_never_answered(text: str) -> None:
    """What it stands under is no answer to it: nothing is approved, and the passages shown say why."""
    empty = SubRequirement("S", text, (), "Effect of evening tea on sleep duration", "Tea and sleep")
    findings = found(empty)
    assert findings.proposals == ()
    assert findings.coverage["S"] == 0.0
    assert findings.turned_down
    assert all("has no word to look for" in passage.reason for passage in findings.turned_down)
    assert not judged(empty, "Sleep duration").approved


def test_what_the_paper_does_not_speak_of_is_turned_down_with_what_is_missing() -> None:
    findings = found(ENGINES)
    assert findings.proposals == ()
    assert findings.coverage["E"] < 0.25
    assert all("engine" in passage.reason or "wear" in passage.reason for passage in findings.turned_down)


@pytest.mark.parametrize(
    ("sub", "quote", "why"),
    [
        (WEIGHT, "Body weight was not measured.", "not looked at"),
        (MOOD, "Mood will be measured in a later study of the same adults.", "planned"),
        (GLUCOSE, "Previous studies have reported that tea lowers blood glucose [3].", "other work"),
        (SLEEP, "Body weight was not measured.", "does not speak of"),
    ],
)
def test_a_passage_that_reports_no_finding_is_rejected_for_what_it_does(
    sub: SubRequirement, quote: str, why: str
) -> None:
    verdict = judged(sub, quote, partial_at=0.0, covered_at=0.5)
    assert not verdict.approved
    assert why in verdict.reason


def test_a_passage_that_names_half_of_what_was_asked_for_answers_in_part() -> None:
    verdict = judged(BOTH, "Sleep duration was significantly shorter with evening tea than with water", partial_at=0.0)
    assert verdict.coverage == "partial"


def test_a_short_form_stands_for_what_the_paper_says_it_does() -> None:
    sub = SubRequirement("S", "Effect of evening tea on heart rate variability", ("heart rate variability",))
    verdict = judged(sub, "HRV was significantly lower with evening tea than with water (p = 0.02).", partial_at=0.0)
    assert verdict.approved
    assert verdict.scores["directness"] > 0.5


@pytest.mark.parametrize("most", [1, 2, 3])
def test_at_most_so_many_claims_are_proposed_for_a_sub_requirement(most: int) -> None:
    assert len(found(SLEEP, claims_per_sub_requirement=most).proposals) <= most


@pytest.mark.parametrize("nearest", [0, 1, 4])
def test_as_many_passages_are_turned_down_as_are_shown(nearest: int) -> None:
    assert len(found(ENGINES, SLEEP, nearest_passages=nearest).turned_down) <= 2 * nearest


def test_the_nearest_passage_is_the_one_that_names_what_was_asked_for() -> None:
    findings = found(WEIGHT, covered_at=1.0, partial_at=1.0, nearest_passages=1)
    assert findings.proposals == ()
    assert [passage.quote for passage in findings.turned_down] == ["Body weight was not measured."]


def test_thresholds_decide_and_so_do_weights() -> None:
    quote = (
        "Sleep duration was significantly shorter with evening tea than with water: 6.4 against 6.9 hours (p < 0.001)."
    )
    assert judged(SLEEP, quote).approved
    assert not judged(SLEEP, quote, covered_at=1.0, partial_at=1.0).approved
    alone = {"relevance": 0.0, "directness": 0.0, "strength": 0.0, "recency": 1.0, "reproducibility": 0.0}
    verdict = judged(SLEEP, quote, score_weights=alone)
    assert verdict.score == verdict.scores["recency"] == 0.5


@pytest.mark.parametrize("sub", [MOOD, WEIGHT, GLUCOSE])
def test_a_result_that_names_nothing_of_the_keywords_is_no_answer_however_much_a_result(sub: SubRequirement) -> None:
    start = TRIAL.index("Results: Sleep duration was")
    quote = TRIAL[start : TRIAL.index("Conclusions:", start)].strip()
    verdict = judged(sub, quote)
    assert not verdict.approved
    assert "does not speak of" in verdict.reason
    assert all(sub.keywords[0].split()[-1] in proposal.quote.lower() for proposal in found(sub).proposals)


def test_a_claim_whose_scores_together_stay_below_approved_at_is_rejected_for_that() -> None:
    quote = "HRV was significantly lower with evening tea than with water (p = 0.02)."
    sub = SubRequirement("S", "Effect of evening tea on heart rate variability", ("heart rate variability",))
    assert judged(sub, quote, approved_at=0.0).approved
    rejected = judged(sub, quote, approved_at=1.0)
    assert not rejected.approved
    assert "the scores are too low together" in rejected.reason
    assert "needed 1.00" in rejected.reason


def test_whole_at_is_the_share_of_the_keywords_that_makes_an_answer_whole() -> None:
    quote = "Sleep duration was significantly shorter with evening tea than with water"
    told = {share: judged(BOTH, quote, whole_at=share, covered_at=0.0).coverage for share in (0.4, 0.5, 0.6)}
    assert told == {0.4: "covered", 0.5: "covered", 0.6: "partial"}


def test_proposed_at_is_the_chance_from_which_an_unlikely_passage_is_put_to_the_judge() -> None:
    proposed = [len(found(MOOD, proposed_at=least).proposals) for least in (0.0, 1.0)]
    assert proposed[0] > proposed[1] == 0
    (claim, *_) = claims(found(MOOD, proposed_at=0.0))
    (verdict,) = backend(proposed_at=0.0).judge(trial(), [claim], {"M": MOOD}, Deadline())
    assert not verdict.approved


def test_everything_that_changes_answers_changes_the_fingerprint() -> None:
    settings: list[dict[str, Any]] = [
        {}, {"covered_at": 0.9}, {"partial_at": 0.01}, {"claims_per_sub_requirement": 1}, {"nearest_passages": 1},
        {"score_weights": {"relevance": 1.0}}, {"approved_at": 0.4}, {"whole_at": 0.7}, {"proposed_at": 0.2},
    ]  # fmt: skip
    prints = {backend(**each).fingerprint() for each in settings}
    assert len(prints) == len(settings)
    assert backend().fingerprint() == backend().fingerprint()


def test_a_rejected_claim_is_appealed_by_a_passage_that_would_be_approved() -> None:
    quote = "The primary outcome was sleep duration."
    start = TRIAL.index(quote)
    rejected = Claim(
        "r", "a.txt", "S", quote, 1, "", start, start + len(quote), 0.5, "rejected", "", "offline", "embedded"
    )
    findings = backend().reconsider(trial(), [rejected], {"S": SLEEP}, Deadline())
    (appeal,) = findings.proposals
    assert appeal.appeal_of == "r"
    (claim,) = claims(Findings(findings.proposals))
    (verdict,) = backend().judge(trial(), [claim], {"S": SLEEP}, Deadline())
    assert verdict.approved


def test_there_is_no_appeal_where_the_paper_has_no_finding() -> None:
    quote = "Mood will be measured in a later study of the same adults."
    start = TRIAL.index(quote)
    rejected = Claim(
        "r", "a.txt", "M", quote, 1, "", start, start + len(quote), 0.5, "rejected", "", "offline", "embedded"
    )
    assert backend().reconsider(trial(), [rejected], {"M": MOOD}, Deadline()).proposals == ()


def test_a_text_that_repeats_itself_is_looked_through_again_within_bounds(monkeypatch: pytest.MonkeyPatch) -> None:
    """One claim of it is restated in every sentence: to judge them all again took half a minute for a long text."""
    looked: list[str] = []
    plain = PaperReading.verdict

    def verdict(reading: PaperReading, claim: str, sub: SubRequirement, start: int, end: int) -> Verdict:
        looked.append(claim)
        return plain(reading, claim, sub, start, end)

    monkeypatch.setattr(PaperReading, "verdict", verdict)
    quote = "Mood will be measured in a later study of the same adults."
    text = "\n\n".join(f"{quote[:-1]} {number}." for number in range(2_000))
    rejected = Claim("r", "a.txt", "M", quote, 1, "", 0, len(quote), 0.5, "rejected", "", "offline", "embedded")
    backend().reconsider(Document(text), [rejected], {"M": MOOD}, Deadline())
    assert 1 < len(looked) <= MOST_RESTATED + 4


def test_text_that_cannot_be_seen_is_neither_proposed_nor_turned_down() -> None:
    start = TRIAL.index("Sleep duration was significantly shorter with evening tea than")
    hidden = trial(hidden=(HiddenText(start, start + 40, "white"),))
    findings = found(SLEEP, text=hidden, claims_per_sub_requirement=50, nearest_passages=50)
    for proposal in (*findings.proposals, *findings.turned_down):
        assert "6.4 against 6.9" not in proposal.quote


def test_text_that_cannot_be_seen_teaches_no_short_forms_and_reports_no_results() -> None:
    order = "We call a shorter sleep duration engine wear (EW); EW was significant (p < 0.001). "
    text = TRIAL.replace("Evening tea shortened", order + "EW was the same. Evening tea shortened")
    start = text.index(order)
    findings = found(ENGINES, text=trial(text, (HiddenText(start, start + len(order), "white"),)))
    assert findings.coverage["E"] == found(ENGINES).coverage["E"]
    assert findings.proposals == ()


def test_quotes_are_the_paper_s_own_words() -> None:
    for proposal in found(SLEEP, WEIGHT, MOOD).proposals:
        assert proposal.start is not None
        assert quotes_equal(TRIAL[proposal.start : proposal.start + len(proposal.quote)], proposal.quote)


def test_only_the_last_papers_read_are_kept_and_none_after_close() -> None:
    kept = backend()
    for number in range(KEPT_READINGS + 3):
        kept.find_claims(trial(TRIAL.replace("240", str(500 + number))), [SLEEP], Deadline())
    assert len(kept._readings) == KEPT_READINGS
    kept.close()
    assert len(kept._readings) == 0


def test_a_short_text_is_asked_with_what_it_stands_under() -> None:
    alone = SubRequirement("S", "Accuracy", (), "Recognition of road signs", "Does the network work at night?")
    asked = Asked.of(alone)
    assert asked.keywords == ("Accuracy",)
    assert "road signs" in asked.question
    assert asked.words == (("Accuracy", asked.words[0][1]),)
    assert Asked.of(SLEEP).question == SLEEP.text
    assert Asked.of(replace(alone, requirement="", question="")).keywords == ()


def test_a_question_of_no_words_asks_for_nothing_and_breaks_nothing() -> None:
    nothing = SubRequirement("S", "?!", ("...",))
    assert Asked.of(nothing).share(set()) == 1.0
    assert found(nothing).coverage["S"] == 0.0
