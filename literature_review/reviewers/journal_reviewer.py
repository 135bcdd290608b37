"""Stage 1: read a paper, say what it is, screen it, find the claims in it.

    read -> identify -> screen --excluded--> criterion and passage, no claims
                          |
                          `--included--> back end proposes -> quote check -> pending claims, passages turned down

`record`: bibliography, screening, coverage (sub-requirement -> 0..1), pages, characters, hidden (lines for
people), refused_quotes, contexts (claim id or passage's place -> words before and after), suspicious (words of the
paper that give orders to a model). All plain JSON.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import asdict
from typing import Any

from literature_review.models import Bibliography, Document, PaperFile, ScreeningDecision, StageResult
from literature_review.ports import StageContext
from literature_review.reviewers.claims import QuoteDesk, one_line, paper_and_text, unit
from literature_review.reviewers.screening import screen
from literature_review.text.language import language_of

_REASONS = {"invisible": "invisible", "white": "white", "off_page": "off the page", "tiny": "tiny"}
_SHOWN_OF_ORDERS = 120  # characters


def run(context: StageContext) -> StageResult:
    """Review `context.paper`. Raises what its reader or back end raises, and StageTimeoutError."""
    paper, document = paper_and_text(context)
    bibliography = (context.identify or _unknown)(paper, document)
    decision = screen(document, bibliography, context.protocol.screening)
    record = _record(document, bibliography, decision)
    context.deadline.check(context.stage)
    if not decision.included:
        context.log.info(f"{paper.id}: excluded ({decision.criterion}): {decision.reason}")
        return StageResult(claims=(), record=record, reason=decision.reason)
    wanted = tuple(context.protocol.sub_requirements())
    _warn_of_another_language(context, paper, bibliography.language)
    findings = context.backend.find_claims(document, wanted, context.deadline)
    context.deadline.check(context.stage)
    backend = context.backend
    desk = QuoteDesk(paper.id, document, {sub.id for sub in wanted}, backend.name, backend.model, near=backend.paid)
    claims = desk.claims(findings.proposals)
    passages = desk.passages(findings.turned_down)
    if desk.refused:
        context.log.debug(f"{paper.id}: {len(desk.refused)} quotes refused: not word for word in the paper")
    if findings.suspicious:
        told = "; ".join(one_line(words, _SHOWN_OF_ORDERS) for words in findings.suspicious)
        context.log.warning(f"{paper.id}: its text gives orders to a model, which were not followed: {told}")
    coverage = {sub.id: unit(findings.coverage[sub.id]) for sub in wanted if sub.id in findings.coverage}
    record.update(coverage=coverage, refused_quotes=desk.refused, contexts=desk.contexts)
    record["suspicious"] = [one_line(words) for words in findings.suspicious]
    return StageResult(claims=claims, passages=passages, record=record)


def _warn_of_another_language(context: StageContext, paper: PaperFile, language: str) -> None:
    """A back end that compares words finds next to nothing in a paper that is not in the protocol's language."""
    asked = language_of(" ".join(f"{sub.question} {sub.text}" for sub in context.protocol.sub_requirements()))
    if language and asked and language != asked and not context.backend.paid:
        context.log.warning(
            f"{paper.id} is in the language {language!r}, the protocol in {asked!r}: the back end "
            f"{context.backend.name!r} compares words and will miss what it says; ask in its language, or have a model "
            "read it"
        )


def _unknown(paper: PaperFile, document: Document) -> Bibliography:
    return Bibliography()


def _record(document: Document, bibliography: Bibliography, decision: ScreeningDecision) -> dict[str, Any]:
    return {
        "bibliography": {**asdict(bibliography), "authors": list(bibliography.authors)},
        "screening": asdict(decision),
        "coverage": {},
        "pages": len(document.pages),
        "characters": len(document.text),
        "hidden": _hidden_lines(document),
        "refused_quotes": [],
        "contexts": {},
        "suspicious": [],
    }


def _hidden_lines(document: Document) -> list[str]:
    """What a reader of the pages cannot see, by page and reason; its words are not repeated."""
    counts: Counter[tuple[int, str]] = Counter()
    for span in document.hidden:
        counts[document.page_at(span.start), _REASONS.get(span.reason, span.reason)] += span.end - span.start
    return [f"page {page}: {size} characters of {reason} text" for (page, reason), size in counts.items()]


if __name__ == "__main__":
    from literature_review.plugins import stage_command as command

    raise SystemExit(command("journal_reviewer"))
