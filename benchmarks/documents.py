"""Reading PDFs: this project's workers beside pypdfium2 called directly.

    python benchmarks/documents.py [FOLDER] [--rounds N]

FOLDER holds the PDFs (by default `shared/papers` beside the checkout; without it, PDFs made for the purpose). The
direct loop opens each file and takes each page's text, nothing more. The reader cleans the text, finds hidden
text, sections, outline and fields as well, and sends all of it through a pipe. Rounds alternate; the best counts.

The second table makes pages whose text is known (columns, columns drawn row by row, pages shown sideways, broken
words, ligatures) and counts the sentences that come back whole on the right page, white space folded.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT))

import pypdfium2  # noqa: E402

from literature_review.documents import PaperReader, read_document  # noqa: E402
from literature_review.errors import UnreadablePaperError  # noqa: E402
from literature_review.ports import Deadline  # noqa: E402
from tests.pdf_factory import make_pdf  # noqa: E402

COPIES = 3  # of each file in a round, so that two workers find enough to do


def read_directly(path: str) -> int:
    """Pages of a file, after the text of each was taken."""
    with pypdfium2.PdfDocument(path) as pdf:
        for page in pdf:
            page.get_textpage().get_text_range()
        return len(pdf)


def read_all(reader: PaperReader, paths: Sequence[str], threads: int) -> None:
    with ThreadPoolExecutor(threads) as pool:
        list(pool.map(lambda path: reader.read(path, Deadline()), paths))


def best_seconds(ways: dict[str, Callable[[], object]], rounds: int) -> dict[str, float]:
    """The best time of each way over alternating rounds."""
    best = dict.fromkeys(ways, float("inf"))
    for _ in range(rounds):
        for name, way in ways.items():
            start = time.perf_counter()
            way()
            best[name] = min(best[name], time.perf_counter() - start)
    return best


def readable(folder: Path) -> dict[str, int]:
    """The PDFs below the folder that can be read, with their pages."""
    pages = {}
    for path in sorted(folder.rglob("*.pdf")):
        try:
            read_document(path)
        except UnreadablePaperError as error:
            print(f"left out: {path.name} ({error.reason})")
            continue
        pages[str(path)] = read_directly(str(path))
    return pages


def print_speed(folder: Path, rounds: int) -> None:
    pages = readable(folder)
    paths = list(pages) * COPIES
    total = sum(pages.values()) * COPIES
    with PaperReader(workers=1) as one, PaperReader(workers=2) as two:
        read_all(one, paths[:1], 1)
        read_all(two, paths[:2], 2)
        seconds = best_seconds(
            {
                "pypdfium2, directly": lambda: list(map(read_directly, paths)),
                "this reader, 1 worker": lambda: read_all(one, paths, 1),
                "this reader, 1 worker, 2 threads": lambda: read_all(one, paths, 2),
                "this reader, 2 workers": lambda: read_all(two, paths, 3),
            },
            rounds,
        )
    print(f"\n{len(pages)} files, {total // COPIES} pages, {COPIES} times each; best of {rounds} rounds\n")
    print(f"{'way':34} {'pages/s':>9} {'ratio':>7}")
    direct = seconds["pypdfium2, directly"]
    for name, spent in seconds.items():
        print(f"{name:34} {total / spent:9.0f} {direct / spent:7.2f}")


def made_pages() -> list[tuple[str, list[str], bytes]]:
    """Name, sentences of each page and the PDF, of pages whose text is known."""
    nouns = [
        "classification", "interventions", "participants", "efficiency", "standardisation", "randomisation",
    ]  # fmt: skip
    pages = [
        " ".join(
            f"Sentence {page}-{at} speaks of the {nouns[at % 6]} and the {nouns[(at + page) % 6]}." for at in range(60)
        )
        for page in range(1, 6)
    ]
    broken = [
        page.replace("classification", "classi-\nfication").replace("randomisation", "random-\nisation")
        for page in pages
    ]
    ligatures = [page.replace("fi", "\ufb01") for page in pages]
    return [
        ("one column", pages, make_pdf(pages, font="Times")),
        ("two columns", pages, make_pdf(pages, columns=2)),
        ("two columns, drawn in rows", pages, make_pdf(pages, columns=2, interleaved=True)),
        ("shown sideways", pages, make_pdf(pages, rotate=90)),
        ("words broken at line ends", pages, make_pdf(broken)),
        ("ligatures", pages, make_pdf(ligatures)),
    ]


def whole(sentences: Sequence[str], page: str) -> int:
    folded = " ".join(page.split())
    return sum(sentence in folded for sentence in sentences)


def print_text() -> None:
    print(f"\n{'sentences whole on their page':34} {'directly':>9} {'this reader':>12}")
    for name, pages, data in made_pages():
        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder) / "made.pdf"
            path.write_bytes(data)
            document = read_document(path)
        with pypdfium2.PdfDocument(data) as pdf:
            direct = [page.get_textpage().get_text_range() for page in pdf]
        ours = [document.text[page.start : page.end] for page in document.pages]
        sentences = [page.replace("\n", " ").replace(". ", ".\n").split("\n") for page in pages]
        count = sum(map(len, sentences))
        shares = [sum(map(whole, sentences, texts)) / count for texts in (direct, ours)]
        print(f"{name:34} {shares[0]:9.3f} {shares[1]:12.3f}")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", nargs="?", type=Path, default=ROOT.parent / "shared" / "papers")
    parser.add_argument("--rounds", type=int, default=7)
    options = parser.parse_args()
    if options.folder.is_dir():
        print_speed(options.folder, options.rounds)
    else:
        with tempfile.TemporaryDirectory() as folder:
            for at, (_, _, data) in enumerate(made_pages()):
                (Path(folder) / f"{at}.pdf").write_bytes(data)
            print_speed(Path(folder), options.rounds)
    print_text()


if __name__ == "__main__":
    main()
