"""Stages 2 and 3: verdicts on pending claims, and appeals against rejections."""

from __future__ import annotations

from dataclasses import replace

import pytest

from literature_review.errors import BackendError
from literature_review.models import HiddenText, Proposal, StageResult, Verdict
from literature_review.reviewers import dra, judge
from tests.stage_samples import COMPLAINTS, RESULT, STAFF, ToldBackend, claim, context, document, earlier


def test_pending_claims_get_verdicts_and_the_others_stay_as_they_are() -> None:
    told = ToldBackend(approve=lambda claim: claim.quote == RESULT)
    done = claim(STAFF, status="approved", reason="long ago")
    result = judge.run(context(told, claims=(done, claim(), claim("We sent reminders to outpatients"))))
    assert [each.status for each in result.claims or ()] == ["approved", "approved", "rejected"]
    assert (result.claims or ())[0] == done
    assert done.id not in told.judged


def test_with_nothing_pending_the_claims_come_back_unchanged_and_nothing_is_read() -> None:
    done = claim(status="rejected")
    result = judge.run(context(claims=(done,), read=None, paper=None))
    assert (result.status, result.claims) == ("completed", (done,))


@pytest.mark.parametrize(
    "wrong",
    [
        {"quote": RESULT.replace("12.3", "2.3")},
        {"quote": RESULT.replace("reduced", "raised")},
        {"end": 10**6},
        {"start": -3},
        {"sub_requirement": "gone"},
    ],
)
def test_a_claim_whose_quote_does_not_stand_at_its_place_is_never_approved(wrong: dict[str, object]) -> None:
    told = ToldBackend()
    result = judge.run(context(told, claims=(replace(claim(), **wrong),)))  # type: ignore[arg-type]
    assert [each.status for each in result.claims or ()] == ["rejected"]
    assert told.judged == []


def test_a_quote_from_hidden_text_is_never_approved() -> None:
    text = document(hidden=[HiddenText(claim().start + 5, claim().start + 6, "tiny")])
    result = judge.run(context(ToldBackend(), text, claims=(claim(),)))
    assert [each.status for each in result.claims or ()] == ["rejected"]


def test_a_missing_verdict_is_an_error_and_not_a_rejection() -> None:
    class Silent(ToldBackend):
        def judge(self, *args: object) -> list[Verdict]:
            return []

    with pytest.raises(BackendError, match="no verdict on 1 of 1"):
        judge.run(context(Silent(), claims=(claim(),)))


def test_appeals_are_skipped_where_no_claim_was_rejected() -> None:
    result = dra.run(context(claims=(claim(status="approved"),)))
    assert (result.status, result.claims) == ("skipped", None)
    assert result.reason


def test_an_appeal_makes_a_pending_claim_and_the_rejected_one_stays() -> None:
    rejected = claim(STAFF, status="rejected", reason="speaks of staff")
    appeal = Proposal("S1", COMPLAINTS, 0.6, "nearer", appeal_of=rejected.id)
    result = dra.run(context(ToldBackend(appeals=[appeal]), claims=(rejected,)))
    old, new = result.claims or ()
    assert old == rejected
    assert (new.status, new.appeal_of, new.quote) == ("pending", rejected.id, COMPLAINTS)
    assert new.id in result.record["contexts"]


def test_an_appeal_that_changes_words_names_no_rejected_claim_or_is_a_claim_already_makes_none() -> None:
    rejected, approved = claim(STAFF, status="rejected"), claim(status="approved")
    appeals = [
        Proposal("S1", COMPLAINTS.replace("No", "Each"), 0.9, "x", appeal_of=rejected.id),
        Proposal("S1", COMPLAINTS, 0.9, "x", appeal_of="0123456789abcdef"),
        Proposal("S2", COMPLAINTS, 0.9, "another row", appeal_of=rejected.id),
        Proposal("S1", RESULT, 0.9, "claimed already", appeal_of=rejected.id),
    ]
    result = dra.run(context(ToldBackend(appeals=appeals), claims=(rejected, approved)))
    assert result.claims == (rejected, approved)
    assert len(result.record["refused_quotes"]) == 1


def test_appeals_add_to_what_the_first_stage_wrote_down() -> None:
    first = StageResult(record={"refused_quotes": [{"quote": "old"}], "contexts": {"old": ["a", "b"]}})
    rejected = claim(STAFF, status="rejected")
    appeal = Proposal("S1", COMPLAINTS, 0.6, "x", appeal_of=rejected.id)
    result = dra.run(
        context(ToldBackend(appeals=[appeal]), claims=(rejected,), earlier=earlier(journal_reviewer=first))
    )
    assert result.record["refused_quotes"][0] == {"quote": "old"}
    assert len(result.record["contexts"]) == 2
