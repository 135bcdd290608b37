"""What a stage gave back, before it is believed. A module of the user's own may return anything.

    no StageResult, or one that says that it failed     an error: the paper fails, alone
    a claim, passage or record that cannot be kept      likewise, named here and not when the database refuses it
    an approved quote that does not stand in the paper  rejected, whatever the stage says
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Mapping
from dataclasses import replace
from typing import Any

from literature_review.errors import PaperError, ReviewError
from literature_review.models import (
    CLAIM_STATUSES,
    Bibliography,
    Claim,
    Document,
    Passage,
    ScreeningDecision,
    StageResult,
)
from literature_review.pipeline.stages import LoadedStage
from literature_review.ports import StageContext
from literature_review.stage_order import STANDARD_STAGES

FaultOf = Callable[[Claim, Document, Collection[str]], str]

_STANDARD = frozenset(stage["name"] for stage in STANDARD_STAGES)
_KINDS: dict[str, tuple[type, ...]] = {"str": (str,), "int": (int,), "float": (int, float)}
_MOST = 2**53  # as far as every reader of JSON counts


class StageFailedError(ReviewError):
    """A stage raised what nobody foresaw, or tried to end the program; that is the cause."""


def checked(stage: LoadedStage, result: object, context: StageContext, fault_of: FaultOf | None) -> StageResult:
    """The result as it may be kept. Raises TypeError or ValueError where it may not, PaperError or StageFailedError
    where the stage says that it failed. `fault_of`: why a claim cannot be approved, or ""."""
    who = f"the stage {stage.name} ({stage.spec.module})"
    if not isinstance(result, StageResult):
        raise TypeError(f"{who} returned {type(result).__name__}, not a StageResult")
    if result.status == "failed":
        reason = result.reason or "it says so, without a reason"
        if context.paper is None:
            raise StageFailedError(f"{who} failed: {reason}")
        raise PaperError(result.reason or f"{who} failed: {reason}")
    if stage.is_ours or context.paper is None:
        return result
    wanted = {sub.id for sub in context.protocol.sub_requirements()}
    for fault in _faults(stage, result, context.paper.id, wanted):
        raise ValueError(f"{who} returned {fault}")
    return _with_true_quotes(result, context, wanted, fault_of)


def facts_of(results: Mapping[str, StageResult]) -> dict[str, Any]:
    """What the standard stages found out of a paper, as fields of its PaperReview. `results`: stage name -> its
    result, in order. Records of other stages are their own affair."""
    record: dict[str, Any] = {}
    for name, result in results.items():
        if name in _STANDARD:
            record.update(result.record)
    return _facts(record)


def _facts(record: Mapping[str, Any]) -> dict[str, Any]:
    return {
        "bibliography": Bibliography.from_json(record["bibliography"]) if "bibliography" in record else Bibliography(),
        "screening": ScreeningDecision(**record["screening"]) if "screening" in record else ScreeningDecision(True),
        "coverage": record.get("coverage", {}),
        "pages": record.get("pages", 0),
        "characters": record.get("characters", 0),
        "hidden": tuple(record.get("hidden", ())),
        "suspicious": tuple(record.get("suspicious", ())),
        "contexts": record.get("contexts", {}),
    }


def _faults(stage: LoadedStage, result: StageResult, paper: str, wanted: Collection[str]) -> Iterable[str]:
    """What is wrong with the result of a stage that is none of ours, one after the other."""
    names: set[str] = set()
    for what, kind, ones in (("claim", Claim, result.claims or ()), ("passage", Passage, result.passages)):
        for at, one in enumerate(ones):
            fault = _fault(one, paper, wanted) if isinstance(one, kind) else f"is no {kind.__name__}"
            if isinstance(one, Claim) and not fault:
                fault = "has the id of another" if one.id in names else ""
                names.add(one.id)
            if fault:
                yield f"a {what} that cannot be kept: the one at {at} {fault}"
    if stage.name in _STANDARD:
        try:
            _facts(result.record)
        except (TypeError, KeyError, AttributeError) as error:
            yield f"a record that cannot be read as that of {stage.name} ({type(error).__name__}: {error})"


def _fault(one: Claim | Passage, paper: str, wanted: Collection[str]) -> str:
    for name, kind in type(one).__annotations__.items():
        value = getattr(one, name)
        if kind in _KINDS and (isinstance(value, bool) or not isinstance(value, _KINDS[kind])):
            return f"has {type(value).__name__} for its {name}, not {kind}"
        if kind in ("int", "float") and not 0 <= value <= (1 if kind == "float" else _MOST):
            return f"has {value!r} for its {name}"
    if one.paper != paper:
        return f"is of the paper {one.paper!r}"
    if one.sub_requirement not in wanted:
        return f"is for {one.sub_requirement!r}, which is no sub-requirement of the protocol"
    if isinstance(one, Claim) and (not one.id or one.status not in CLAIM_STATUSES):
        return f"has the status {one.status!r}" if one.id else "has no id"
    return ""


def _with_true_quotes(
    result: StageResult, context: StageContext, wanted: Collection[str], fault_of: FaultOf | None
) -> StageResult:
    believed = set(map(_quoted, context.claims))
    new = [claim for claim in result.claims or () if claim.status == "approved" and _quoted(claim) not in believed]
    if not new or fault_of is None or context.read is None or context.paper is None:
        return result
    document = context.read(context.paper)
    faults = {claim.id: fault for claim in new if (fault := fault_of(claim, document, wanted))}
    claims = tuple(
        replace(claim, status="rejected", reason=faults[claim.id], score=0.0) if claim.id in faults else claim
        for claim in result.claims or ()
    )
    return replace(result, claims=claims) if faults else result


def _quoted(claim: Claim) -> tuple[str, str, int, int]:
    return claim.status, claim.quote, claim.start, claim.end
