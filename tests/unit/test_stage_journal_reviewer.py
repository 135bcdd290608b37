"""Stage 1: what a paper is, whether it is taken in, and which quotes become claims."""

from __future__ import annotations

import json
import threading

import pytest

from literature_review.errors import StageTimeoutError
from literature_review.models import (
    Bibliography,
    Criterion,
    HiddenText,
    Proposal,
    Question,
    Requirement,
    ReviewProtocol,
    Screening,
    SubRequirement,
    claim_id,
)
from literature_review.ports import Deadline
from literature_review.reviewers import journal_reviewer
from literature_review.text.quotes import quotes_equal
from tests.stage_samples import COMPLAINTS, RESULT, TEXT, QuietLog, ToldBackend, context, document, protocol


def test_a_proposal_whose_quote_stands_becomes_a_pending_claim_with_our_own_place() -> None:
    told = ToldBackend([Proposal("S1", COMPLAINTS, 0.7, "speaks of it", start=3)], coverage={"S1": 0.9})
    result = journal_reviewer.run(context(told))
    (claim,) = result.claims or ()
    assert claim.status == "pending"
    assert quotes_equal(TEXT[claim.start : claim.end], COMPLAINTS)
    assert claim.quote == COMPLAINTS
    assert (claim.page, claim.last_page, claim.section) == (2, 2, "Results")
    assert claim.id == claim_id("a.pdf", "S1", claim.start, claim.end)
    assert (claim.backend, claim.model) == ("told", "told-1")


def test_a_quote_over_a_page_break_names_both_pages() -> None:
    quote = "(p < 0.001). No patient who was reminded complained about the reminder."
    result = journal_reviewer.run(context(ToldBackend([Proposal("S1", "12.3% " + quote, 0.7, "x")])))
    assert [(claim.page, claim.last_page) for claim in result.claims or ()] == [(1, 2)]


@pytest.mark.parametrize(
    ("quote", "sub", "why"),
    [
        (RESULT.replace("12.3", "12.4"), "S1", "these words do not stand in the paper"),
        (RESULT.replace("reduced", "did not reduce"), "S1", "these words do not stand in the paper"),
        ("patient who was reminded complained about the reminder.", "S1", "negation"),
        ("Staff liked", "S1", "fewer than 15 letters"),
        ("", "S1", "fewer than 15 letters"),
        (RESULT, "S9", "no such sub-requirement"),
    ],
)
def test_a_refused_quote_is_kept_with_its_reason_and_makes_no_claim(quote: str, sub: str, why: str) -> None:
    result = journal_reviewer.run(context(ToldBackend([Proposal(sub, quote, 0.9, "sure of it")])))
    assert result.claims == ()
    (refused,) = result.record["refused_quotes"]
    assert why in refused["reason"]


def test_hidden_text_is_told_of_and_never_quoted() -> None:
    start = TEXT.index(RESULT)
    text = document(hidden=[HiddenText(start, start + len(RESULT), "white")])
    result = journal_reviewer.run(context(ToldBackend([Proposal("S1", RESULT, 0.9, "x")]), text))
    assert result.claims == ()
    assert "cannot see" in result.record["refused_quotes"][0]["reason"]
    assert result.record["hidden"] == [f"page 1: {len(RESULT)} characters of white text"]
    assert RESULT not in json.dumps(result.record)


def test_hidden_text_beside_a_quote_is_no_part_of_its_context() -> None:
    start = TEXT.index("Staff liked")
    text = document(hidden=[HiddenText(start, start + 5, "tiny")])
    result = journal_reviewer.run(context(ToldBackend([Proposal("S1", COMPLAINTS, 0.9, "x")]), text))
    ((before, after),) = result.record["contexts"].values()
    assert before.endswith("12.3% (p < 0.001).")
    assert after.startswith("liked the new system")


def test_what_was_turned_down_becomes_passages_with_page_and_reason() -> None:
    told = ToldBackend(turned_down=[Proposal("S2", RESULT, 0.21, "speaks of something else")] * 2)
    result = journal_reviewer.run(context(told))
    (passage,) = result.passages
    assert (passage.sub_requirement, passage.page, passage.reason) == ("S2", 1, "speaks of something else")
    assert result.record["contexts"][claim_id("a.pdf", "S2", passage.start, passage.end)][1].startswith("No patient")


def test_scores_and_reasons_of_a_back_end_are_made_sound() -> None:
    proposals = [Proposal("S1", RESULT, float("nan"), "two\nlines"), Proposal("S1", COMPLAINTS, 7.0, "x" * 9_000)]
    result = journal_reviewer.run(context(ToldBackend(proposals, coverage={"S1": 1.7, "S9": 0.2})))
    first, second = result.claims or ()
    assert (first.score, first.reason, second.score) == (0.0, "two lines", 1.0)
    assert len(second.reason) <= 500
    assert result.record["coverage"] == {"S1": 1.0}


def test_the_record_is_plain_json_and_says_what_the_paper_is() -> None:
    record = json.loads(json.dumps(dict(journal_reviewer.run(context()).record)))
    assert record["bibliography"]["title"] == "Reminders"
    assert (record["pages"], record["characters"]) == (2, len(TEXT))
    assert record["screening"]["included"] is True


def test_an_excluded_paper_carries_criterion_and_passage_and_is_not_read_for_claims() -> None:
    screening = Screening(exclude=(Criterion("clinic", "Studies in eye clinics", ("eye clinic",)),))
    told = ToldBackend([Proposal("S1", RESULT, 0.9, "x")])
    result = journal_reviewer.run(context(told, protocol=protocol(screening=screening)))
    assert (result.status, result.claims, result.passages) == ("completed", (), ())
    assert result.record["screening"]["criterion"] == "clinic"
    assert "eye clinic" in result.record["screening"]["quote"]
    assert result.record["screening"]["page"] == 1


def test_a_run_that_is_told_to_stop_ends_the_stage() -> None:
    stop = threading.Event()
    stop.set()
    with pytest.raises(StageTimeoutError):
        journal_reviewer.run(context(deadline=Deadline(cancelled=stop)))


def test_the_same_place_is_claimed_once() -> None:
    told = ToldBackend([Proposal("S1", RESULT, 0.9, "x"), Proposal("S1", RESULT.replace(" ", "\n"), 0.8, "y")])
    assert len(journal_reviewer.run(context(told)).claims or ()) == 1


@pytest.mark.parametrize(
    ("language", "paid", "warned"), [("zh", False, 1), ("zh", True, 0), ("en", False, 0), ("", False, 0)]
)
def test_a_paper_in_another_language_than_the_protocol_is_told_of(language: str, paid: bool, warned: int) -> None:
    """Else what it says would pass for a gap in silence; a model can read it."""
    log, told = QuietLog(), ToldBackend()
    told.paid = paid
    sub = SubRequirement(
        "S1", "the effect of a reminder on missed appointments", (), "", "What is the use of it for the patients?"
    )
    asked = ReviewProtocol("t", (Question("Q", "what", (Requirement("R", "what", (sub,)),)),))
    known = Bibliography(title="x", language=language)
    journal_reviewer.run(context(told, protocol=asked, log=log, identify=lambda *_: known))
    assert sum(f"in the language {language!r}, the protocol in 'en'" in line for line in log.lines) == warned
