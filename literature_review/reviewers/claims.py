"""From what a back end proposes to claims and passages, through the quote check.

    Proposal --quote stands in the text, visible, of a known sub-requirement--> Claim (pending) | Passage
             --it stands but for signs of scanning, and a model read it-------> the same, marked as near
             --else--> a line of `refused_quotes`, with the reason

Page, section and characters come from our own text, never from the back end.
"""

from __future__ import annotations

import math
from collections.abc import Collection, Iterable
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from literature_review.models import Claim, Document, PaperFile, Passage, Proposal, claim_id
from literature_review.ports import StageContext
from literature_review.reviewers.passages import context_of
from literature_review.text.hidden import blank_out
from literature_review.text.near_quotes import NEAR, find_near
from literature_review.text.quote_indexes import index_of
from literature_review.text.quotes import QuoteMatch, quotes_equal, readable
from literature_review.text.running_heads import joined_over_heads

LONGEST_REASON = 500
_SHOWN_OF_REFUSED = 300  # characters


class _Found(NamedTuple):
    """Where a quote stands; `exact` False: but for signs of scanning."""

    place: QuoteMatch
    exact: bool


@dataclass
class QuoteDesk:
    """Takes the proposals for one paper. `wanted`: ids of sub-requirements; `backend`, `model`: who proposes; `near`:
    whether quotes that differ from the text by signs of scanning are taken, as those of models are.

    `contexts`: claim id, or the like of a passage's place -> words before and after it. Used by one thread.
    """

    paper: str
    document: Document
    wanted: Collection[str]
    backend: str
    model: str
    near: bool = False
    contexts: dict[str, list[str]] = field(default_factory=dict)
    refused: list[dict[str, Any]] = field(default_factory=list)

    def __post_init__(self) -> None:
        self._index = index_of(self.document.text, self.document.shown)
        self._seen = blank_out(self.document.shown, ((span.start, span.end) for span in self.document.hidden))

    def claims(self, proposals: Iterable[Proposal], known: Collection[str] = ()) -> tuple[Claim, ...]:
        """Pending claims, each place once, in the order proposed; none whose id is in `known`."""
        claims: dict[str, Claim] = {}
        for proposal in proposals:
            found = self._found(proposal)
            if found is None:
                continue
            claim = self._claim(proposal, found)
            if claim.id not in known:
                claims.setdefault(claim.id, claim)
        return tuple(claims.values())

    def passages(self, turned_down: Iterable[Proposal]) -> tuple[Passage, ...]:
        """What was turned down, each place once, in the order given."""
        passages: dict[str, Passage] = {}
        for proposal in turned_down:
            found = self._found(proposal)
            if found is None:
                continue
            key, fields = self._place(proposal, found)
            passages.setdefault(key, Passage(**fields))
        return tuple(passages.values())

    def _claim(self, proposal: Proposal, found: _Found) -> Claim:
        key, fields = self._place(proposal, found)
        return Claim(
            **fields,
            id=key,
            status="pending",
            backend=self.backend,
            model=self.model,
            last_page=self.document.page_at(found.place.end - 1),
            appeal_of=proposal.appeal_of,
            match="exact" if found.exact else "near",
        )

    def _place(self, proposal: Proposal, found: _Found) -> tuple[str, dict[str, Any]]:
        start, end = found.place
        key = claim_id(self.paper, proposal.sub_requirement, start, end)
        self.contexts[key] = list(context_of(self._seen, start, end))
        return key, {
            "paper": self.paper,
            "sub_requirement": proposal.sub_requirement,
            "quote": readable(self._reads(proposal.quote, found), start, end),
            "page": self.document.page_at(start),
            "section": self.document.section_at(start),
            "start": start,
            "end": end,
            "score": unit(proposal.score),
            "reason": one_line(proposal.reason) if found.exact else with_near_note(proposal.reason),
        }

    def _reads(self, quote: str, found: _Found) -> str:
        """The text as the quote reads it: as it is shown, or where it passes over a running head, without that."""
        texts = self.document.text, self.document.shown
        as_it_stands = not found.exact or any(quotes_equal(text[slice(*found.place)], quote) for text in texts)
        return self.document.shown if as_it_stands else joined_over_heads(self.document.shown)

    def _found(self, proposal: Proposal) -> _Found | None:
        """Where the proposal's quote stands, or None once the refusal is written down."""
        place = self._index.find(proposal.quote, proposal.start)
        exact = place is not None
        if place is None and self.near:
            place = find_near(self._index, proposal.quote, proposal.start)
        hidden = place is not None and self.document.is_hidden(*place)
        if proposal.sub_requirement not in self.wanted:
            reason = "there is no such sub-requirement"
        elif place is None:
            reason = self._index.refusal(proposal.quote, proposal.start)
        elif hidden:
            reason = "the quote stands in text that a reader of the page cannot see"
        else:
            return _Found(place, exact)
        self.refused.append(
            {
                "sub_requirement": one_line(proposal.sub_requirement),
                "quote": "" if hidden else one_line(proposal.quote)[:_SHOWN_OF_REFUSED],
                "reason": reason,
            }
        )
        return None


def fault_of(claim: Claim, document: Document, wanted: Collection[str]) -> str:
    """Why a claim cannot be approved whatever a model says of it; empty where nothing stands against it."""
    if claim.sub_requirement not in wanted:
        return f"the protocol has no sub-requirement {claim.sub_requirement!r}"
    inside = 0 <= claim.start < claim.end <= len(document.text)
    if not inside or not _stands(claim, document):
        return "the quote does not stand in the paper at its place, word for word"
    if document.is_hidden(claim.start, claim.end):
        return "the quote stands in text that a reader of the page cannot see"
    return ""


def _stands(claim: Claim, document: Document) -> bool:
    """Whether the quote is what stands at its place, in one of the forms in which that can be read."""
    place = slice(claim.start, claim.end)
    return any(quotes_equal(text[place], claim.quote) for text in (document.text, document.shown)) or quotes_equal(
        joined_over_heads(document.shown)[place], claim.quote
    )


def with_near_note(reason: str) -> str:
    """A reason that says that the quote is a near match, whole behind what there is room for."""
    note = f" ({NEAR})"
    return one_line(reason, LONGEST_REASON - len(note)) + note


def paper_and_text(context: StageContext) -> tuple[PaperFile, Document]:
    """The paper of a per-paper stage and its text. Raises ValueError in a context that has neither."""
    if context.paper is None or context.read is None:
        raise ValueError(f"the stage {context.stage} works on one paper: it needs a paper and a way to read it")
    context.deadline.check(context.stage)
    return context.paper, context.read(context.paper)


def unit(score: float) -> float:
    """A score that is surely a number in 0..1; what is no number counts as 0."""
    return min(max(float(score), 0.0), 1.0) if math.isfinite(score) else 0.0


def one_line(words: str, longest: int = LONGEST_REASON) -> str:
    """A back end's words on one line, cut where they run on."""
    words = " ".join(words.split())
    return words if len(words) <= longest else words[: longest - 1].rstrip() + "\u2026"


def by_id(claims: Iterable[Claim]) -> dict[str, Claim]:
    return {claim.id: claim for claim in claims}


def merged_contexts(earlier: Iterable[Any], new: dict[str, list[str]]) -> dict[str, list[str]]:
    """The contexts that earlier results of this paper hold, and the new ones."""
    contexts: dict[str, list[str]] = {}
    for result in earlier:
        contexts.update(result.record.get("contexts", {}))
    return {**contexts, **new}
