"""What the calls of a run are expected to take, by stage and together, with a range where the outcome is open.

    Backend.estimate, per paper --together--> of a stage --add--> {"calls", "calls_low", "calls_high", "tokens", ...}

The dry run shows it; a run keeps it in its checkpoint from the beginning and says at its end how far off it was.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import TYPE_CHECKING

from literature_review.pipeline.progress import spoken_seconds

if TYPE_CHECKING:
    from literature_review.pipeline.stages import LoadedStage
    from literature_review.ports import Backend
    from literature_review.records import PaperFile

Forecast = dict[str, "float | None"]
AMOUNTS = ("calls", "tokens", "usd", "seconds")


def nothing() -> Forecast:
    """A forecast of nothing at all."""
    return {f"{name}{bound}": 0.0 for name in AMOUNTS for bound in ("", "_low", "_high")}


def add(total: Forecast, estimate: Mapping[str, float | None]) -> None:
    """Add one estimate. What it has no bounds for is exact; a price that is not known once is not known in all."""
    for name in AMOUNTS:
        middle = estimate.get(name)
        for bound in ("", "_low", "_high"):
            before, more = total[name + bound], estimate.get(name + bound, middle)
            total[name + bound] = None if before is None or more is None else before + more


def together(estimates: Iterable[Mapping[str, float | None]]) -> Forecast:
    """Of many papers. How much a model finds on average is the same for all, and its range adds up; how far a paper is
    off that average is its own, and adds up as what is independent does, as the root of the sum of squares."""
    total, squares = nothing(), dict[str, float]()
    for estimate in estimates:
        average = {**estimate, **_averages(estimate)}
        add(total, average)
        for name, bound in _averages(estimate).items():
            own = (estimate[name] or 0.0) - (bound or 0.0)
            squares[name] = squares.get(name, 0.0) + own**2
    for name, square in squares.items():
        bound = total[name]
        if bound is not None:
            own = math.sqrt(square)
            total[name] = max(bound - own, 0.0) if name.endswith("_low") else bound + own
    return total


def _averages(estimate: Mapping[str, float | None]) -> Forecast:
    """Its bounds for many papers, under the names of those for one."""
    names = ((f"{name}{bound}", f"{name}_mean{bound}") for name in AMOUNTS for bound in ("_low", "_high"))
    return {one: estimate[many] for one, many in names if many in estimate}


def of_stage(
    backend: Backend, stage: LoadedStage, lengths: Iterable[int], sub_requirements: int, workers: int = 1
) -> Forecast:
    """For papers of these lengths in characters, `workers` of them at a time; nothing for a stage over all papers,
    which makes no call."""
    asked = lengths if stage.spec.per_paper else ()
    return shared(together(backend.estimate(stage.name, length, sub_requirements) for length in asked), workers)


def shared(forecast: Forecast, workers: int) -> Forecast:
    """The same with its time shared among so many papers at once."""
    times = {name: seconds / workers for name, seconds in forecast.items() if "seconds" in name and seconds is not None}
    return {**forecast, **times}


def lengths_of(papers: Sequence[PaperFile], read: Callable[[PaperFile], int | None], most: int) -> dict[str, int]:
    """Characters by paper id. `read` gives a paper's true length, None for one that cannot be read (it is left out).

    At most `most` papers are read, spread over all; the length of the others is their size in bytes at the ratio
    that those of the same file ending had together.
    """
    step = max(len(papers) / most, 1.0)
    chosen = {int(at * step) for at in range(min(len(papers), most))}
    known = {papers[at].id: (papers[at], length) for at in chosen if (length := read(papers[at])) is not None}
    ratios = _ratios(known.values())
    lengths: dict[str, int] = {}
    for at, paper in enumerate(papers):
        if paper.id in known:
            lengths[paper.id] = known[paper.id][1]
        elif at not in chosen:
            lengths[paper.id] = round(paper.size * ratios.get(_ending(paper), ratios[""]))
    return lengths


def _ratios(known: Iterable[tuple[PaperFile, int]]) -> dict[str, float]:
    """Characters per byte by file ending, and under "" those of all."""
    sums: dict[str, list[float]] = {"": [0.0, 0.0]}
    for paper, length in known:
        for ending in (_ending(paper), ""):
            pair = sums.setdefault(ending, [0.0, 0.0])
            pair[0] += length
            pair[1] += paper.size
    return {ending: characters / size if size else 1.0 for ending, (characters, size) in sums.items()}


def _ending(paper: PaperFile) -> str:
    return "." + paper.id.rpartition(".")[2].lower()


def spoken(forecast: Mapping[str, float | None]) -> str:
    """`40 model calls (30 to 60), 52,000 tokens, 1.20 USD (0.90 to 1.80), about 3 min`."""
    amounts = [_with_range(forecast, name) for name in ("calls", "tokens", "usd")]
    return ", ".join((*amounts, f"about {spoken_seconds(forecast['seconds'] or 0.0)}"))


def compared(forecast: Mapping[str, float | None], spent: Mapping[str, float | None]) -> str:
    """`40 model calls (30 to 60) expected, 42 made (5 % more); 1.20 USD expected, 1.20 USD spent (as expected)`."""
    parts = []
    for name, done in (("calls", "made"), ("tokens", "taken"), ("usd", "spent")):
        expected, became = forecast.get(name), spent.get(name)
        if expected is not None and became is not None:
            told = _with_range(forecast, name)
            parts.append(f"{told} expected, {_FORMS[name](became)} {done}{_off(expected, became)}")
    return "; ".join(parts)


def spoken_usd(usd: float) -> str:
    """Cents, or four places where there are few of them: `1.20 USD`, `0.0412 USD`."""
    return f"{usd:.2f} USD" if usd >= 1 or usd == 0 else f"{usd:.4f} USD"


def _whole(number: float) -> str:
    return f"{number:,.0f}"


_UNITS = {"calls": " model calls", "tokens": " tokens", "usd": ""}
_FORMS: dict[str, Callable[[float], str]] = {"calls": _whole, "tokens": _whole, "usd": spoken_usd}


def _with_range(forecast: Mapping[str, float | None], name: str) -> str:
    form = _FORMS[name]
    middle, low, high = (forecast.get(name + bound) for bound in ("", "_low", "_high"))
    if middle is None:
        return "cost unknown"
    told = f"{form(middle)}{_UNITS[name]}"
    if low is None or high is None or form(low) == form(high):
        return told
    return f"{told} ({form(low).removesuffix(' USD')} to {form(high).removesuffix(' USD')})"


def _off(expected: float, became: float) -> str:
    if expected <= 0:
        return ""
    off = round(100 * (became - expected) / expected)
    return " (as expected)" if off == 0 else f" ({abs(off)} % {'more' if off > 0 else 'less'})"
