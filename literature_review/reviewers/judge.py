"""Stage 2: judge the pending claims of a paper; the others stay as they are.

    pending claim --its quote stands at its place, visible--> back end's verdict -> approved | rejected
                  --else--> rejected, whatever a model would say
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from literature_review.errors import BackendError
from literature_review.models import Claim, StageResult, Verdict
from literature_review.ports import StageContext
from literature_review.reviewers.claims import fault_of, one_line, paper_and_text, unit, with_near_note

_COVERAGES = ("covered", "partial")


def run(context: StageContext) -> StageResult:
    """Every claim of the paper, none pending. Raises BackendError for verdicts that do not fit the claims."""
    pending = [claim for claim in context.claims if claim.status == "pending"]
    if not pending:
        return StageResult(claims=context.claims, reason="nothing was pending")
    _, document = paper_and_text(context)
    wanted = {sub.id: sub for sub in context.protocol.sub_requirements()}
    judged = {claim.id: _refused(claim, why) for claim in pending if (why := fault_of(claim, document, wanted))}
    fit = [claim for claim in pending if claim.id not in judged]
    if fit:
        verdicts = context.backend.judge(document, fit, wanted, context.deadline)
        context.deadline.check(context.stage)
        judged.update(_with_verdicts(fit, verdicts))
    return StageResult(claims=tuple(judged.get(claim.id, claim) for claim in context.claims))


def _refused(claim: Claim, why: str) -> Claim:
    return replace(claim, status="rejected", reason=why, score=0.0)


def _with_verdicts(claims: Sequence[Claim], verdicts: Sequence[Verdict]) -> dict[str, Claim]:
    by_claim = {verdict.claim: verdict for verdict in verdicts}
    missing = [claim.id for claim in claims if claim.id not in by_claim]
    if missing:
        raise BackendError(f"the back end gave no verdict on {len(missing)} of {len(claims)} claims")
    return {claim.id: claim.judged(_sound(by_claim[claim.id], claim.match == "near")) for claim in claims}


def _sound(verdict: Verdict, near: bool) -> Verdict:
    """The verdict with its scores in 0..1 and its words on one line, which go on saying that a quote is a near one."""
    return replace(
        verdict,
        reason=with_near_note(verdict.reason) if near else one_line(verdict.reason),
        score=unit(verdict.score),
        scores={name: unit(score) for name, score in verdict.scores.items()},
        coverage=verdict.coverage if verdict.coverage in _COVERAGES else "partial",
    )


if __name__ == "__main__":
    from literature_review.plugins import stage_command as command

    raise SystemExit(command("judge"))
