"""The quote check against changed and faithful quotes, side by side with simpler checks.

    python benchmarks/quotes.py [--data FOLDER] [--papers FOLDER] [--sentences 2500]

Sentences of real papers and contracts are set anew (broken at other places, with ligatures, typographic marks, over a
page break): all must be found, at their place. And they are changed (a number, a sign, a negation, a comparison, a
word, two sentences spliced): none may be found. Sentences of PDFs, as their pages break them (columns, hyphens, page
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
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from literature_review.documents import read_document
from literature_review.errors import UnreadablePaperError
from literature_review.llm.offline.sentences import split_sentences
from literature_review.models import Document
from literature_review.text.quotes import QuoteIndex, refusal_of_length

DATA = Path(__file__).resolve().parents[1].parent / "shared" / "data"
PAPERS = DATA.parent / "papers"
AROUND = 1_500  # characters of the text on each side of a sentence that is set anew

Mutation = Callable[[str, random.Random], str]


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


# Faithful: the same words, set in another way.


def broken_lines(words: str, rng: random.Random) -> str:
    return re.sub(" ", lambda _: rng.choice((" ", "\n", " \n", "\r\n", "\u00a0", "  ")), words)


def hyphenated(words: str, rng: random.Random) -> str:
    return re.sub(
        r"(?<=[a-z]{3})(?=[a-z]{3})", lambda _: rng.choice(("",) * 4 + ("-\n", "\u00ad", "\u00ad\n", "\u2010\n")), words
    )


def ligatures(words: str, rng: random.Random) -> str:
    for plain, ligature in (("ffi", "\ufb03"), ("ffl", "\ufb04"), ("ff", "\ufb00"), ("fi", "\ufb01"), ("fl", "\ufb02")):
        words = words.replace(plain, ligature)
    return words


def typographic(words: str, rng: random.Random) -> str:
    words = re.sub(r'"([^"]*)"', "\u201c\\1\u201d", words).replace("'", "\u2019")
    words = re.sub(r"(?<=\d)-(?=\d)", "\u2013", words)
    return re.sub(r"(?<=[\s(=])-(?=\d)", "\u2212", words)


def over_a_page(words: str, rng: random.Random) -> str:
    places = [match.start() for match in re.finditer(" ", words)]
    at = rng.choice(places)
    return words[:at] + rng.choice(("\f", "\n\f", "\n\n\f\n")) + words[at + 1 :]


def decomposed(words: str, rng: random.Random) -> str:
    import unicodedata

    return unicodedata.normalize("NFD", words).replace("<", " < ").replace("=", " = ")


# Changed: other words, numbers or signs.


def other_number(words: str, rng: random.Random) -> str:
    return _one(r"\d", words, rng, lambda digit: str((int(digit) + rng.randint(1, 9)) % 10))


def moved_point(words: str, rng: random.Random) -> str:
    return _one(r"\d\.\d", words, rng, lambda number: number.replace(".", rng.choice(("", ",", "\u00b7"))))


def lost_sign(words: str, rng: random.Random) -> str:
    return _one(r"(?<=[\s(=])[-\u2212\u2013](?=\d)", words, rng, lambda sign: "")


def new_sign(words: str, rng: random.Random) -> str:
    return _one(r"(?<=[\s(=])(?=\d)", words, rng, lambda _: "-")


def negated(words: str, rng: random.Random) -> str:
    if re.search(r"\b(?:[Nn]o|not) ", words):
        return _one(r"\b(?:[Nn]o|not) ", words, rng, lambda _: "")
    return _one(r"\b(?:was|were|is|are|will|shall|may|have|had) ", words, rng, lambda verb: verb + "not ")


def other_comparison(words: str, rng: random.Random) -> str:
    others = {"<": ">", ">": "\u2265", "=": "<", "\u2264": "<", "\u2265": ">", "\u00b1": "+"}
    return _one(r"[<>=\u2264\u2265\u00b1]", words, rng, lambda sign: others[sign])


def other_word(words: str, rng: random.Random) -> str:
    return _one(r"(?<![^\W\d_])[a-z]{4,}(?![^\W\d_])", words, rng, lambda word: "other" if word != "other" else "same")


def words_swapped(words: str, rng: random.Random) -> str:
    return _one(r"\b[a-z]{3,} [a-z]{3,}\b", words, rng, lambda pair: " ".join(pair.split()[::-1]))


def other_case(words: str, rng: random.Random) -> str:
    return _one(r"\b[a-z]{4,}\b", words, rng, str.upper)


def exponent_lost(words: str, rng: random.Random) -> str:
    return _one(r"(?<=\d)[\u00b2\u00b3\u2074-\u2079]|(?<=\d) (?=\d)", words, rng, lambda _: "7")


def cut_short(words: str, rng: random.Random) -> str:
    return words[2:] if words[:4].isalpha() else ""


FAITHFUL: dict[str, Mutation] = {
    function.__name__.replace("_", " "): function
    for function in (broken_lines, hyphenated, ligatures, typographic, over_a_page, decomposed)
}
CHANGED: dict[str, Mutation] = {
    function.__name__.replace("_", " "): function
    for function in (
        other_number, moved_point, lost_sign, new_sign, negated, other_comparison, other_word, words_swapped,
        other_case, exponent_lost, cut_short,
    )
}  # fmt: skip


def _one(pattern: str, words: str, rng: random.Random, change: Callable[[str], str]) -> str:
    """`words` with one match of `pattern` changed; empty where there is none or nothing changes."""
    found = list(re.finditer(pattern, words))
    if not found:
        return ""
    match = rng.choice(found)
    changed = words[: match.start()] + change(match.group()) + words[match.end() :]
    return changed if changed != words else ""


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
            if changed:
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
    index, seen = QuoteIndex(document.text), {"as typeset": [0, 0], "as typeset, over a page": [0, 0]}
    for start, end in split_sentences(document.text):
        words = document.text[start:end]
        quote = " ".join(re.sub(r"(?<=[^\W\d_])-\s*\n\s*(?=[a-z])", "", words).split())
        whole = words[0].isupper() and words[-1] in ".!?"
        if not whole or not 40 <= len(quote) <= 400 or refusal_of_length(quote):
            continue
        pages = document.page_at(start), document.page_at(end - 1)
        match = index.find(quote, start)
        right = match is not None and (document.page_at(match.start), document.page_at(match.end - 1)) == pages
        row = seen["as typeset" if pages[0] == pages[1] else "as typeset, over a page"]
        row[0] += 1
        row[1] += not right
    return seen


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
