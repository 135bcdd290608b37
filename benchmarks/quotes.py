"""The quote check against changed and faithful quotes, side by side with simpler checks.

    python benchmarks/quotes.py [--data FOLDER] [--papers FOLDER] [--sentences 2500]

Sentences of real papers and contracts are set anew (broken at other places, with ligatures, typographic marks, over a
page break): all must be found, at their place. And they are changed (a number, a unit, a range, a sign, a negation, a
comparison, a word, one letter of it, an item of a list left out, two sentences spliced): none may be found.
Sentences of PDFs, as their pages break them (columns, hyphens, page
breaks), are quoted on one line with broken words joined: all must be found, and one over a page break on both pages.
Prints one table; exit code 1 where the quote check is wrong once.

Peers: the plain `in`, `in` with white space folded, and the rule of a comparable project, that 80 % of a quote's words
occur somewhere in the text.
"""

from __future__ import annotations

import argparse
import json
import random
import re
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from itertools import chain, pairwise
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from quote_changes import CHANGED, FAITHFUL

from literature_review.documents import read_document
from literature_review.errors import UnreadablePaperError
from literature_review.llm.offline.sentences import split_sentences
from literature_review.models import Document
from literature_review.text.quotes import QuoteIndex, refusal_of_length

DATA = Path(__file__).resolve().parents[1].parent / "shared" / "data"
PAPERS = DATA.parent / "papers"
AROUND = 1_500  # characters of the text on each side of a sentence that is set anew



def texts(folder: Path) -> list[str]:
    """The papers and contracts of the folder; examples of our own where there is none."""
    found = [path.read_text(encoding="utf-8") for path in sorted(folder.glob("evidence_inference/*.txt"))[:120]]
    contracts = folder / "contract_nli" / "documents.jsonl"
    if contracts.is_file():
        found += [json.loads(line)["text"] for line in contracts.read_text(encoding="utf-8").splitlines()]
    if found:
        return found
    examples = Path(__file__).resolve().parents[1] / "examples" / "papers"
    return [path.read_text(encoding="utf-8", errors="replace") for path in sorted(examples.rglob("*.md"))]


def sentences(text: str) -> list[tuple[int, int]]:
    """Whole sentences on one line, 40 to 400 characters long."""
    found = re.finditer(r"(?:(?<=[.;] )|(?<=\n))[A-Z(][^.!?\n]{30,380}(?:\.\d[^.!?\n]{0,100}){0,4}[.!?](?=\s)", text)
    return [match.span() for match in found if not refusal_of_length(match.group())]


def spliced(text: str, spans: Sequence[tuple[int, int]], at: int) -> str:
    """The beginning of one sentence and the end of a later one, as if they stood together."""
    (start, end), (low, high) = spans[at], spans[(at + 3) % len(spans)]
    first, second = text[start:end].split(), text[low:high].split()
    return " ".join(first[: len(first) // 2] + second[len(second) // 2 :])


class Peer:
    """A check to compare with: `accepts(text, quote)`."""

    def __init__(self, name: str, accepts: Callable[[str, str], bool]) -> None:
        self.name, self.accepts = name, accepts


def _most_words(text: str, quote: str) -> bool:
    words = re.findall(r"\w+", quote.lower())
    there = set(re.findall(r"\w+", text.lower()))
    return bool(words) and sum(word in there for word in words) >= 0.8 * len(words)


PEERS = (
    Peer("in", lambda text, quote: quote in text),
    Peer("in, spaces folded", lambda text, quote: " ".join(quote.split()) in " ".join(text.split())),
    Peer("80 % of words", _most_words),
)


def cases(text: str, rng: random.Random, most: int) -> Iterator[tuple[str, bool, str, str, int]]:
    """(kind, faithful, text around, quote, where it stands there) for sentences of one text."""
    spans = sentences(text)
    for at in rng.sample(range(len(spans)), min(most, len(spans))):
        start, end = spans[at]
        low = max(start - AROUND, 0)
        before, words, after = text[low:start], text[start:end], text[end : end + AROUND]
        for kind, function in FAITHFUL.items():
            anew = function(words, rng)
            yield kind + ", quote", True, before + words + after, anew, len(before)
            yield kind + ", text", True, before + anew + after, words, len(before)
        for kind, function in CHANGED.items():
            changed = function(words, rng)
            if changed and changed not in before and changed not in after:  # there it would be what the text says
                yield kind, False, before + words + after, changed, len(before)
        joined = spliced(text, spans, at)
        if joined not in " ".join(text.split()):  # by chance it may be a sentence that stands there
            yield "spliced", False, before + words + after, joined, len(before)


def pdfs(folder: Path) -> Iterator[Document]:
    """The PDFs below a folder that can be read."""
    for path in sorted(folder.rglob("*.pdf")):
        try:
            yield read_document(path)
        except UnreadablePaperError as error:
            print(f"({path.name} left out: {error})")


def typeset(document: Document) -> dict[str, list[int]]:
    """Kind -> [quotes, wrong] for the sentences of a PDF, each quoted on one line."""
    index, seen = QuoteIndex(document.text, document.shown), {"as typeset": [0, 0], "as typeset, over a page": [0, 0]}
    on_pages = ((start, end, on_one_line(document.text[start:end])) for start, end in split_sentences(document.text))
    for start, end, quote in chain(on_pages, over_pages(document)):
        whole = quote[0].isupper() and quote[-1] in ".!?"
        if not whole or not 40 <= len(quote) <= 400 or refusal_of_length(quote):
            continue
        pages = document.page_at(start), document.page_at(end - 1)
        match = index.find(quote, start)
        right = match is not None and (document.page_at(match.start), document.page_at(match.end - 1)) == pages
        row = seen["as typeset" if pages[0] == pages[1] else "as typeset, over a page"]
        row[0] += 1
        row[1] += not right
    return seen


def on_one_line(words: str) -> str:
    return " ".join(re.sub(r"(?<=[^\W\d_])-\s*\n\s*(?=[a-z])", "", words).split())


def over_pages(document: Document) -> Iterator[tuple[int, int, str]]:
    """Start, end and words of the sentences that go on over a page's end, with no more than running heads between: the
    words are without these."""
    text, spans = document.text, list(split_sentences(document.text))
    flat = on_one_line(text)
    for page, following in pairwise(document.pages):
        last = [span for span in spans if page.start <= span[0] < page.end and span[1] - span[0] > 12][-1:]
        ended = [span for span in spans if following.start <= span[0] < following.end and text[span[0]].islower()][:1]
        for (start, end), (begin, close) in zip(last, ended, strict=False):
            between, is_label = text[end:begin].strip(), text.startswith(("Fig", "Table", "–", "-"), start)
            words = on_one_line(f"{text[start:end]} {text[begin:close]}")
            goes_on = text[end - 1] not in ".!?:;" and 0 < len(between) < 150 and not is_label
            if goes_on and words not in flat:  # elsewhere it may stand whole
                yield start, close, words


def measure(folder: Path, papers: Path, wanted: int) -> bool:
    """Print the table; True where the quote check was right each time."""
    rng = random.Random(20_25)
    sources = texts(folder)
    tried: dict[tuple[bool, str], list[int]] = {}
    spent = 0.0
    for text in sources:
        for kind, faithful, around, quote, place in cases(text, rng, -(-wanted // len(sources))):
            row = tried.setdefault((faithful, kind), [0] * (2 + len(PEERS)))
            began = time.perf_counter()
            match = QuoteIndex(around).find(quote, place)
            spent += time.perf_counter() - began
            right = (match is not None and match.start == place) if faithful else match is None
            row[0] += 1
            row[1] += not right
            for column, peer in enumerate(PEERS, 2):
                row[column] += peer.accepts(around, quote) != faithful
    for document in pdfs(papers):
        for kind, counts in typeset(document).items():
            row = tried.setdefault((True, kind), [0] * (2 + len(PEERS)))
            row[0], row[1] = row[0] + counts[0], row[1] + counts[1]
    _print(tried, spent)
    return not any(row[1] for row in tried.values())


def _print(tried: dict[tuple[bool, str], list[int]], spent: float) -> None:
    print(f"{'kind':28} {'quotes':>8} {'wrong':>8} " + " ".join(f"{peer.name:>18}" for peer in PEERS))
    for faithful in (True, False):
        rows = {kind: row for (is_faithful, kind), row in sorted(tried.items()) if is_faithful is faithful}
        for kind, row in rows.items():
            print(f"{kind:28} {row[0]:8,} {row[1]:8,} " + " ".join(f"{wrong:18,}" for wrong in row[2:]))
        total = [sum(column) for column in zip(*rows.values(), strict=True)]
        name = "faithful, all (refused)" if faithful else "changed, all (accepted)"
        print(f"{name:28} {total[0]:8,} {total[1]:8,} " + " ".join(f"{wrong:18,}" for wrong in total[2:]))
    quotes = sum(row[0] for row in tried.values())
    print(f"{1e6 * spent / quotes:.0f} microseconds per quote, index of about {2 * AROUND:,} characters included")


def main(argv: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, default=DATA)
    parser.add_argument("--papers", type=Path, default=PAPERS)
    parser.add_argument("--sentences", type=int, default=2_500)
    arguments = parser.parse_args(argv)
    return 0 if measure(arguments.data, arguments.papers, arguments.sentences) else 1


if __name__ == "__main__":
    sys.exit(main())
