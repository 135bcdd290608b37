"""Can the offline judge be trusted: what it approves, beside what doctors and lawyers marked.

    python benchmarks/judging.py [--data DIR] [--fitted]

Trials: each real question, and phantoms (the same intervention with the outcome of another paper, as in `gap_map.py`)
that the paper does not answer; about 15 % of the near ones it does answer in truth. Contracts: every requirement of
every contract. Each text is judged by numbers that were fitted without it (five folds of whole texts: ranking,
coverage and judge alike), unless `--fitted` asks for the numbers as shipped. Claims go the whole way: proposed, judged,
rejected ones looked at again, judged again.
"""

from __future__ import annotations

import sys
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

import evidence_data as ed
from fit_evidence import Numbers, collect, fit_all, fold_of, judge_rows, using, without
from fitting import FOLDS
from gap_rows import rows_of

from literature_review.llm.offline_backend import OfflineBackend
from literature_review.models import Claim, Document, SubRequirement
from literature_review.ports import Deadline
from literature_review.reviewers.claims import QuoteDesk

PAPER = "text"
CHOICES = ("Entailment", "Contradiction", "NotMentioned")
STATUSES = ("covered", "partial", "not found")
TextRows = dict[str, list[tuple[ed.Task, str]]]


@dataclass
class Judged:
    """What became of one question to one text; `first` has the claims as the judge left them, `appealed` those of the
    second look."""

    task: ed.Task
    kind: str
    first: list[Claim] = field(default_factory=list)
    appealed: list[Claim] = field(default_factory=list)

    def approved(self, appeals: bool = True) -> list[Claim]:
        """Approved claims, best first."""
        claims = self.first + (self.appealed if appeals else [])
        return sorted((c for c in claims if c.status == "approved"), key=lambda claim: -claim.score)

    def status(self) -> str:
        """The cell of the map: covered, partial or not found."""
        coverages = {claim.coverage for claim in self.approved()}
        return next((name for name in ("covered", "partial") if name in coverages), "not found")

    def right(self, claim: Claim) -> bool:
        """Whether a claim touches a marked passage."""
        return any(start < claim.end and claim.start < end for start, end in self.task.marked)


def judge_text(backend: OfflineBackend, text: str, rows: Sequence[tuple[ed.Task, str]]) -> list[Judged]:
    """All questions to one text, through the stages that a paper goes through."""
    document, deadline = Document(text), Deadline()
    wanted = {
        str(number): SubRequirement(str(number), task.question, task.keywords)
        for number, (task, _) in enumerate(rows)
    }
    found = backend.find_claims(document, tuple(wanted.values()), deadline)
    desk = QuoteDesk(PAPER, document, wanted, "offline", "embedded")
    first = _verdicts(backend, document, desk.claims(found.proposals), wanted)
    rejected = [claim for claim in first if claim.status == "rejected"]
    again = backend.reconsider(document, rejected, wanted, deadline)
    appealed = _verdicts(
        backend, document, desk.claims(again.proposals, known={claim.id for claim in first}), wanted
    )
    out = [Judged(task, kind) for task, kind in rows]
    for claim in first:
        out[int(claim.sub_requirement)].first.append(claim)
    for claim in appealed:
        out[int(claim.sub_requirement)].appealed.append(claim)
    return out


def _verdicts(
    backend: OfflineBackend, document: Document, claims: Sequence[Claim], wanted: Mapping[str, SubRequirement]
) -> list[Claim]:
    verdicts = backend.judge(document, claims, wanted, Deadline())
    return [claim.judged(verdict) for claim, verdict in zip(claims, verdicts, strict=True)]


def trial_rows(corpus: ed.Corpus, *, keywords: bool = True) -> TextRows:
    """Real questions and phantoms of every paper, each to the paper that it was made for."""
    rows = rows_of(corpus, sorted(corpus.texts))
    if not keywords:
        bare = ed.without_keywords(ed.Corpus(corpus.texts, tuple(row.task for row in rows))).tasks
        rows = [row._replace(task=task) for row, task in zip(rows, bare, strict=True)]
    out: TextRows = {}
    for row in rows:
        out.setdefault(row.task.text_id, []).append((row.task, row.kind))
    return out


def show_trials(title: str, judged: Sequence[Judged]) -> None:
    """Precision of approved claims by doctors' marks; questions and phantoms with an approved claim."""
    kinds: dict[str, list[Judged]] = {}
    for one in judged:
        kinds.setdefault(one.kind, []).append(one)
    real = kinds["real"]
    for name, appeals in (("judge alone", False), ("with the second look", True)):
        approved = [(one, claim) for one in real for claim in one.approved(appeals)]
        firsts = [(one, one.approved(appeals)[0]) for one in real if one.approved(appeals)]
        print(f"\n{title}, {name}")
        hit = (any(map(one.right, one.approved(appeals))) for one in real)
        print(f"  approved claims that overlap a marked passage   {_share(o.right(c) for o, c in approved)}")
        print(f"  the best approved claim overlaps one            {_share(o.right(c) for o, c in firsts)}")
        print(f"  questions with an approved claim                {_share(bool(o.approved(appeals)) for o in real)}")
        print(f"  questions with an approved claim that overlaps  {_share(hit)}")
        for kind in ("near", "far"):
            quiet = _share(not one.approved(appeals) for one in kinds[kind])
            print(f"  {kind + ' phantoms without approval':48}{quiet}")
        for kind, ones in kinds.items():
            counts = Counter(one.status() for one in ones)
            print(f"  cells, {kind}: " + ", ".join(f"{status} {counts[status]}" for status in STATUSES))
    _appeals(judged)


def _share(flags: Iterable[bool]) -> str:
    seen = list(flags)
    return f"{sum(seen) / max(1, len(seen)):.3f}  ({sum(seen)} of {len(seen)})"


def _appeals(judged: Iterable[Judged]) -> None:
    """What the second look wins and spoils."""
    won = Counter(
        (one.kind, "approved, overlaps" if one.right(claim) else claim.status)
        for one in judged
        for claim in one.appealed
    )
    print("  second look, new claims: " + (", ".join(f"{k} {s} {n}" for (k, s), n in sorted(won.items())) or "none"))


def judged_by_fold(
    numbers: Mapping[int, Numbers], folds: Mapping[str, int], texts: Mapping[str, str], rows: TextRows
) -> list[Judged]:
    """Every row, each text judged by the numbers of its fold."""
    out = []
    for fold, fitted in numbers.items():
        with using(fitted):
            backend = OfflineBackend({})
            for name, tasks in rows.items():
                if folds[name] == fold:
                    out += judge_text(backend, texts[name], tasks)
    return out


def show_contracts(judged: Sequence[Judged]) -> None:
    """The confusion of cells, and the precision of approved claims."""
    cells = Counter((one.kind, one.status()) for one in judged)
    print("\ncontracts, cells by what the lawyers said")
    print(f"  {'':16}" + "".join(f"{status:>12}" for status in STATUSES))
    for choice in CHOICES:
        print(f"  {choice:16}" + "".join(f"{cells[choice, status]:12}" for status in STATUSES))
    approved = [(one, claim) for one in judged if one.task.marked for claim in one.approved()]
    print(f"  approved claims, where mentioned, that overlap {_share(o.right(c) for o, c in approved)}")
    _appeals(judged)


def main(argv: list[str] | None = None) -> int:
    """Print the tables."""
    given = sys.argv[1:] if argv is None else argv
    data = ed.data_folder([one for one in given if one != "--fitted"], __doc__ or "")
    corpus, contracts = ed.trials(data), ed.contracts(data, mentioned_only=False)
    numbers: dict[int, Numbers] = {0: {}}
    folds = dict.fromkeys([*corpus.texts, *contracts.texts], 0)
    if "--fitted" not in given:
        collected, sets = collect(data), judge_rows(data)
        folds = fold_of(collected)
        numbers = {fold: fit_all(collected, sets, without(folds, fold)) for fold in range(FOLDS)}
    for keywords in (True, False):
        rows = trial_rows(corpus, keywords=keywords)
        title = "trials, " + ("outcome as keywords" if keywords else "question alone")
        show_trials(title, judged_by_fold(numbers, folds, corpus.texts, rows))
    by_text: TextRows = {}
    for task in contracts.tasks:
        by_text.setdefault(task.text_id, []).append((task, task.choice))
    show_contracts(judged_by_fold(numbers, folds, contracts.texts, by_text))
    return 0


if __name__ == "__main__":
    sys.exit(main())
