"""Stage 3, deep requirements analysis: an appeal for claims that were rejected.

    rejected claims -> back end looks again, with more of their context -> quote check -> new pending claims
                                                                           (`appeal_of` names the rejected one)

A claim whose quote is at fault is not appealed. The rejected claim stays with its reason, whatever becomes of its
appeal. The new claims are judged like all others by the judge stage, which the run loop calls again; this stage
approves nothing.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from literature_review.models import Claim, Proposal, StageResult
from literature_review.ports import StageContext
from literature_review.reviewers.claims import QuoteDesk, by_id, fault_of, merged_contexts, paper_and_text


def run(context: StageContext) -> StageResult:
    """All claims of the paper and the new ones, pending; skipped where no claim was rejected for what it says."""
    rejected = [claim for claim in context.claims if claim.status == "rejected"]
    if not rejected:
        return StageResult(status="skipped", reason="no claim was rejected")
    paper, document = paper_and_text(context)
    wanted = {sub.id: sub for sub in context.protocol.sub_requirements()}
    rejected = [claim for claim in rejected if not fault_of(claim, document, wanted)]
    if not rejected:
        return StageResult(status="skipped", reason="every rejected claim was so for its quote; nothing to appeal")
    findings = context.backend.reconsider(document, rejected, wanted, context.deadline)
    context.deadline.check(context.stage)
    backend = context.backend
    desk = QuoteDesk(paper.id, document, wanted, backend.name, backend.model, near=backend.paid)
    appeals = desk.claims(_appeals(findings.proposals, by_id(rejected)), known=by_id(context.claims))
    earlier = [result for result in context.earlier.values() if result is not None]
    refused = [line for result in earlier for line in result.record.get("refused_quotes", ())]
    return StageResult(
        claims=context.claims + appeals,
        passages=desk.passages(findings.turned_down),
        record={
            "appeals": len(appeals),
            "refused_quotes": refused + desk.refused,
            "contexts": merged_contexts(earlier, desk.contexts),
        },
    )


def _appeals(proposals: Iterable[Proposal], rejected: Mapping[str, Claim]) -> Iterable[Proposal]:
    """Proposals that appeal against one of the rejected claims, for its own sub-requirement."""
    for proposal in proposals:
        claim = rejected.get(proposal.appeal_of)
        if claim is not None and claim.sub_requirement == proposal.sub_requirement:
            yield proposal


if __name__ == "__main__":
    from literature_review.plugins import stage_command as command

    raise SystemExit(command("dra"))
