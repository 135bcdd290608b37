"""One paper on its way through its stages: what is kept, what is run, what is recorded.

    for each stage:  made_from = digests of content, protocol, back end, reader, bibliography, stage, earlier
                     stored result made from the same?  -> used again
                     else  run (deadline, retry)  -> result durable in the store  -> stage marked in the checkpoint

The order of the last two is what makes a crash harmless: a mark is only ever made for a result that is on disk, and a
result without its mark is found and used again.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Any

from literature_review import __version__
from literature_review.errors import (
    BackendError,
    BudgetSpentError,
    OutageError,
    PaperError,
    ReviewError,
    StageTimeoutError,
    StoreError,
    UnreadablePaperError,
)
from literature_review.files import sha256_of
from literature_review.models import Bibliography, Document, PaperFile, StageResult
from literature_review.pipeline.attempts import StageRunner, error_type, explain
from literature_review.pipeline.run_state import RunState
from literature_review.pipeline.stages import LoadedStage
from literature_review.ports import Deadline, References, StoredResult

_NOT_OF_ITS_BYTES = ("missing", "not_permitted", "outside", "no_reader", "timed_out")


class NotAssessedError(PaperError):
    """A stage that may not run now has no result for this paper: the paper is left as not assessed."""


@dataclass
class Outcome:
    """What is known of one paper in this run. `done`: its stages that stand, in order -> completed or skipped."""

    done: dict[str, str] = field(default_factory=dict)
    error: str = ""
    error_type: str = ""
    kind: str = ""  # unreadable, failed or not_assessed; "" while all is well
    worked: bool = False
    made_from: Mapping[str, str] = field(default_factory=dict)  # what its first result was made from


@dataclass(frozen=True)
class Redo:
    """Which stored results do not count. `start`: index of the first per-paper stage that is run again whatever is
    stored (None: none is); `frozen`: stages before it are never run."""

    start: int | None = None
    frozen: bool = False


class PaperWork:
    """Runs papers through per-paper stages. Thread-safe: each paper is walked by one thread at a time."""

    def __init__(
        self, state: RunState, stages: Sequence[LoadedStage], redo: Redo, references: References | None = None
    ) -> None:
        self._state = state
        self._references = references
        self._stages = tuple(stages)
        self._redo = redo
        self._protocol = digest(state.parts.protocol.to_json())
        self._backend = digest([state.parts.backend.name, state.parts.backend.fingerprint()])
        self._runner = StageRunner(state)
        self.outcomes: dict[str, Outcome] = {}

    def plan(self, paper: PaperFile, last: int) -> str | None:
        """Why stages up to index `last` must work on this paper; None where all their results stand."""
        try:
            return self._walk(paper, last, run=False)
        except PaperError as error:
            self._note_failure(paper, error)
            return None

    def missing(self, paper: PaperFile, last: int) -> list[str]:
        """The stages up to index `last` that have to run; none for a paper that would fail as before. Changes
        nothing that is known of the paper."""
        known = self.outcomes.pop(paper.id, None)
        try:
            reason = self._walk(paper, last, run=False)
            done = self.outcomes[paper.id].done
        except PaperError:
            return []
        finally:
            self.outcomes.pop(paper.id, None)
            if known is not None:
                self.outcomes[paper.id] = known
        return [] if reason is None else [stage.name for stage in self._stages[: last + 1] if stage.name not in done]

    def process(self, paper: PaperFile, last: int) -> dict[str, Any]:
        """Walk the paper through stages up to index `last`. Raises what a stage raised, once it is recorded."""
        try:
            with self._state.places.at_work():
                self._walk(paper, last, run=True)
        except Exception as error:
            self._note_failure(paper, error)
            raise
        return {"paper": paper.id, "status": "success", "stages_completed": list(self.outcomes[paper.id].done)}

    def result_of(self, paper: PaperFile, stage: str) -> StoredResult | None:
        """The stored result that stands for this paper in this run."""
        outcome = self.outcomes.get(paper.id, Outcome())
        return self._state.parts.store.get_result(paper.id, stage) if stage in outcome.done else None

    def made_from_of(self, paper: PaperFile) -> dict[str, str]:
        """What the paper's first result was made from: content, protocol, back end, reader, stage."""
        outcome = self.outcomes.get(paper.id, Outcome())
        return dict(outcome.made_from) if outcome.done else {"content": paper.sha256}

    def _walk(self, paper: PaperFile, last: int, run: bool) -> str | None:
        outcome = self.outcomes.setdefault(paper.id, Outcome())
        outcome.done = {}
        earlier: dict[str, StoredResult] = {}
        for at, stage in enumerate(self._stages[: last + 1]):
            made_from = self._made_from(paper, stage, earlier)
            stored = self._state.parts.store.get_result(paper.id, stage.name)
            reason = self._why_again(paper, at, stored, made_from)
            if reason and not run:
                return reason
            if reason:
                outcome.worked = True
                stored = self._perform(paper, stage, earlier)
            assert stored is not None
            if stored.result.status == "failed":
                raise _remembered(stored)
            earlier[stage.name] = stored
            outcome.done[stage.name] = stored.result.status
            if at == 0:
                outcome.made_from = stored.made_from
            if reason:
                self._state.checkpoint.update_paper_status(paper.id, "in_progress", stages_completed=list(outcome.done))
        return None

    def _why_again(self, paper: PaperFile, at: int, stored: StoredResult | None, made_from: Mapping[str, str]) -> str:
        """Why the stage must run: new, or what changed; "" where the stored result stands."""
        stage = self._stages[at]
        forced = self._redo.start is not None and at >= self._redo.start
        if self._redo.frozen and not forced:
            _check_frozen(paper, stage, stored, made_from)
            return ""
        if stored is None:
            return "new"
        changed = [name for name in made_from if stored.made_from.get(name, "") != made_from[name]]
        if changed:
            return " and ".join(changed[:-1] if len(changed) > 1 and changed[-1] == "earlier stages" else changed)
        if forced and not self._is_done_in_this_run(paper, stage):
            return "asked for"
        if stored.result.status == "failed" and stored.error_type != "permanent":
            return "failed before"
        return ""

    def _is_done_in_this_run(self, paper: PaperFile, stage: LoadedStage) -> bool:
        entry = self._state.checkpoint.get_paper_status(paper.id)
        return entry is not None and stage.name in entry.get("stages", {})

    def _made_from(self, paper: PaperFile, stage: LoadedStage, earlier: Mapping[str, StoredResult]) -> dict[str, str]:
        made_from = {
            "content": paper.sha256,
            "protocol": self._protocol,
            "back end": self._backend,
            "reader": self._state.parts.reader.fingerprint(paper.path),
            "bibliography": self._references.digest(paper, lambda: self._known(paper)) if self._references else "",
            "stage": digest([__version__, stage.name, stage.spec.module, stage.source]),
        }
        if earlier:
            made_from["earlier stages"] = digest(
                [[name, dict(result.made_from), result.finished_at] for name, result in earlier.items()]
            )
        return made_from

    def _perform(
        self,
        paper: PaperFile,
        stage: LoadedStage,
        earlier: Mapping[str, StoredResult],
    ) -> StoredResult:
        """Run the stage with its retries and put the result, or the failure, where it survives.

        What it was made from is noted behind it: which entry is the paper's may be known only once it was read."""
        results = {name: stored.result for name, stored in earlier.items()}
        try:
            result = self._run(paper, stage, results)
            if stage.name != "judge" and _pending(result) and "judge" in earlier:
                result = self._judge_again(paper, stage, result, results)
        except (BudgetSpentError, OutageError, StoreError) as error:  # no paper's fault: every other would meet it
            self._state.stop_for(error)
            raise
        except Exception as error:  # a stage may raise anything; it is recorded and raised again
            if self._state.fatal is None:
                self._record(paper, stage, self._made_from(paper, stage, earlier), error)
            raise
        stored = StoredResult(self._made_from(paper, stage, earlier), result, finished_at=_now())
        self._put(paper, stage, stored)
        return stored

    def _run(self, paper: PaperFile, stage: LoadedStage, results: Mapping[str, StageResult]) -> StageResult:
        claims = [result.claims for result in results.values() if result.claims is not None]
        return self._runner.run(
            stage,
            paper.id,
            paper=paper,
            read=lambda deadline: lambda wanted: self.read(wanted, deadline),
            identify=self._identify,
            claims=claims[-1] if claims else (),
            earlier=results,
        )

    def _identify(self, paper: PaperFile, document: Document) -> Bibliography:
        own = self._state.parts.reader.identify(paper, document)
        return own if self._references is None else self._references.completed(paper, document, own)

    def _judge_again(
        self, paper: PaperFile, stage: LoadedStage, result: StageResult, results: Mapping[str, StageResult]
    ) -> StageResult:
        """New claims of a later stage are judged like all others."""
        judge = next(known for known in self._stages if known.name == "judge")
        judged = self._run(paper, judge, {**results, stage.name: result})
        return replace(result, claims=judged.claims, passages=result.passages + judged.passages)

    def _known(self, paper: PaperFile) -> Document | None:
        """The paper's text, where it was read before."""
        parts = self._state.parts
        return parts.store.get_document(paper.sha256, parts.reader.fingerprint(paper.path))

    def read(self, paper: PaperFile, deadline: Deadline) -> Document:
        """The paper's text, from the store where it was read before; what is read now is kept there."""
        parts = self._state.parts
        reader = parts.reader.fingerprint(paper.path)
        document = self._known(paper)
        if document is None:
            document = parts.reader.read(paper.path, deadline)
            _check_unchanged(paper)
            with self._stopping_where_the_store_fails():
                parts.store.put_document(paper.sha256, reader, document)
        return document

    def _record(self, paper: PaperFile, stage: LoadedStage, made_from: Mapping[str, str], error: Exception) -> None:
        """Keep the failure, so that the next run knows whether it would be the same again."""
        reason = getattr(error, "reason", "") if isinstance(error, UnreadablePaperError) else ""
        result = StageResult("failed", reason=self._state.log.redact(explain(error)), record={"unreadable": reason})
        self._put(paper, stage, StoredResult(made_from, result, _lasting(error), _now()))

    def _put(self, paper: PaperFile, stage: LoadedStage, stored: StoredResult) -> None:
        with self._stopping_where_the_store_fails():
            self._state.parts.store.put_result(paper.id, stage.name, stored)

    @contextmanager
    def _stopping_where_the_store_fails(self) -> Iterator[None]:
        """A store that cannot write is no paper's fault: the run stops, and nothing is marked as done."""
        try:
            yield
        except (StoreError, OSError) as error:
            self._state.stop_for(error)
            raise

    def _note_failure(self, paper: PaperFile, error: Exception) -> None:
        outcome = self.outcomes.setdefault(paper.id, Outcome())
        outcome.error = self._state.log.redact(explain(error))
        outcome.error_type = error_type(error)
        told_to_stop = isinstance(error, StageTimeoutError) and self._state.cancelled.is_set()
        if isinstance(error, NotAssessedError) or told_to_stop or self._state.fatal is not None:
            outcome.kind = "not_assessed"
        else:
            outcome.kind = "unreadable" if isinstance(error, UnreadablePaperError) else "failed"


class ChangedPaperError(ReviewError):
    """A paper is no longer the file whose digest was taken at the run's beginning. The next run takes it as it is."""


class RememberedFailure(PaperError):
    """A failure of an earlier run that would be the same again. `error_type` as it was."""

    error_type = "permanent"


def digest(data: Any) -> str:
    """16 hexadecimal digits that stand for plain JSON data."""
    text = json.dumps(data, sort_keys=True, ensure_ascii=True, separators=(",", ":"))
    return hashlib.sha256(text.encode("ascii")).hexdigest()[:16]


def _lasting(error: Exception) -> str:
    """The type of a failure as later runs take it: what a model refused (for a wrong key, or a model it does not have)
    is not the paper's fault, and may go well once that is mended. An answer that is kept costs nothing again. Nor is
    what does not lie in the bytes of its file."""
    is_mendable = isinstance(error, UnreadablePaperError) and error.reason in _NOT_OF_ITS_BYTES
    return "unknown" if is_mendable or isinstance(error, BackendError) else error_type(error)


def _remembered(stored: StoredResult) -> PaperError:
    reason = str(stored.result.record.get("unreadable", ""))
    return UnreadablePaperError(reason, stored.result.reason) if reason else RememberedFailure(stored.result.reason)


def _check_frozen(
    paper: PaperFile, stage: LoadedStage, stored: StoredResult | None, made_from: Mapping[str, str]
) -> None:
    if stored is None:
        raise NotAssessedError(f"there is no result of {stage.name} for it yet: run that stage first, or all of them")
    for name in ("content", "protocol"):
        if stored.made_from.get(name) != made_from[name]:
            raise NotAssessedError(
                f"its {name} changed since {stage.name} ran: run that stage first, or all of them"
            )


def _check_unchanged(paper: PaperFile) -> None:
    """What was read would be kept under the digest of other bytes, and stand for them whenever they come back."""
    try:
        is_same = sha256_of(paper.path) == (paper.sha256, paper.size)
    except OSError:
        is_same = False
    if not is_same:
        raise ChangedPaperError("its file changed since the run began: run again to have it reviewed as it is now")


def _pending(result: StageResult) -> bool:
    return any(claim.status == "pending" for claim in result.claims or ())


def _now() -> str:
    return datetime.now().isoformat(timespec="microseconds")
