"""The forecast of a run that will cost money: made at its beginning, kept in its checkpoint, compared at its end."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from literature_review.errors import PaperError, StageTimeoutError
from literature_review.models import PaperFile
from literature_review.pipeline.costs import spent_in_all, spent_in_run
from literature_review.pipeline.forecast import Forecast, add, compared, lengths_of, nothing, shared, spoken, together
from literature_review.pipeline.run_state import RunState
from literature_review.pipeline.work import PaperWork
from literature_review.ports import Deadline
from literature_review.text.token_estimate import quarters_of

READ_AT_MOST = 20  # papers that are read before the first call is made; what is read is kept for their first stage


def keep_forecast(state: RunState, work: PaperWork, papers: Sequence[PaperFile]) -> None:
    """Put `forecast` (see pipeline.forecast) and `spent_before` (what the ledger held) into the checkpoint, or take
    both from there where the run is gone on with."""
    data = state.checkpoint.data if state.options.resume else {}
    if isinstance(data.get("forecast"), dict) and isinstance(data.get("spent_before"), dict):
        state.forecast, state.spent_before = data["forecast"], data["spent_before"]
        return
    state.forecast, state.spent_before = _forecast(state, work, papers), spent_in_all(state.parts.backend)
    state.checkpoint.update_run(forecast=state.forecast, spent_before=state.spent_before)
    state.log.info(f"Expected: {spoken(state.forecast)}")


def tell_forecast(state: RunState, finished: bool) -> None:
    """How far off the forecast was, where calls were expected."""
    if state.forecast.get("calls"):
        so_far = "" if finished else " so far"
        state.log.info(f"Forecast{so_far}: {compared(state.forecast, spent_in_run(state))}")


def _forecast(state: RunState, work: PaperWork, papers: Sequence[PaperFile]) -> Forecast:
    """Of the papers and stages whose results do not stand."""
    backend, last = state.parts.backend, sum(stage.spec.per_paper for stage in state.parts.stages) - 1
    todo = {paper.id: missing for paper in papers if (missing := work.missing(paper, last))}
    lengths = lengths_of([paper for paper in papers if paper.id in todo], _reader(state, work), READ_AT_MOST)
    wanted = sum(1 for _ in state.parts.protocol.sub_requirements())
    total = nothing()
    for stage in state.parts.stages:
        asked = [length for paper, length in lengths.items() if stage.name in todo[paper]]
        add(total, together(backend.estimate(stage.name, length, wanted) for length in asked))
    return shared(total, state.config.max_workers if state.config.parallel else 1)


def _reader(state: RunState, work: PaperWork) -> Callable[[PaperFile], int | None]:
    def length(paper: PaperFile) -> int | None:
        state.signals.check()
        try:
            deadline = Deadline(state.config.document_timeout, cancelled=state.cancelled)
            return quarters_of(work.read(paper, deadline).text)
        except (PaperError, StageTimeoutError):
            return None  # it fails alone when its turn comes

    return length
