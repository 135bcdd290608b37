"""Reading PDFs: this project's workers beside pypdfium2 called directly.

    python benchmarks/documents.py [FOLDER] [--rounds N]

FOLDER holds the PDFs (by default `shared/papers` beside the checkout; without it, PDFs made for the purpose). The
direct loop opens each file and takes each page's text, nothing more. The reader cleans the text, finds hidden
text, sections, outline and fields as well, and sends all of it through a pipe. Rounds alternate; the best counts.
On a machine that others use as well, the ratio of processor time (its granularity is a hundredth of a second) says
more than that of the clock.

The second table counts the blocks of known text that come back whole on the right page (page_text.py makes the
pages: columns, columns drawn row by row, pages and tables turned sideways, broken words, ligatures, tables,
superscripts, right-to-left), for pypdfium2 directly, this reader, and pypdf and poppler's pdftotext where they are
installed. The third compares with pdftotext, sentence by sentence, on the folder's own PDFs: there no truth is known,
and where the two differ it may be either; letters and digits alone are compared.
"""

from __future__ import annotations

import argparse
import os
import re
import shutil
import subprocess
import sys
import tempfile
import time
import unicodedata
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT))

import pypdfium2  # noqa: E402
from page_text import known_pages, share_whole  # noqa: E402

from literature_review.documents import PaperReader, read_document  # noqa: E402
from literature_review.errors import UnreadablePaperError  # noqa: E402
from literature_review.ports import Deadline  # noqa: E402

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


Way = tuple[Callable[[], object], PaperReader | None]


def best_seconds(ways: dict[str, Way], rounds: int) -> dict[str, tuple[float, float]]:
    """The best time of each way over alternating rounds, and the least processor time, its workers' included."""
    best = dict.fromkeys(ways, (float("inf"), float("inf")))
    for _ in range(rounds):
        for name, (way, reader) in ways.items():
            start, used = time.perf_counter(), processor_seconds(reader)
            way()
            spent = time.perf_counter() - start, processor_seconds(reader) - used
            best[name] = min(best[name][0], spent[0]), min(best[name][1], spent[1])
    return best


def processor_seconds(reader: PaperReader | None) -> float:
    """Seconds of processor time that this process and the reader's workers have used (those on Linux alone)."""
    used = time.process_time()
    for worker in reader.worker_ids() if reader is not None else ():
        stat = Path(f"/proc/{worker}/stat")
        if stat.exists():
            fields = stat.read_text().rpartition(")")[2].split()
            used += (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")
    return used


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


def print_speed(folder: Path, rounds: int) -> list[str]:
    """Prints the first table; returns the paths of the files."""
    pages = readable(folder)
    paths = list(pages) * COPIES
    total = sum(pages.values()) * COPIES
    with PaperReader(workers=1) as one, PaperReader(workers=2) as two:
        read_all(one, paths[:1], 1)
        read_all(two, paths[:2], 2)
        seconds = best_seconds(
            {
                "pypdfium2, directly": (lambda: list(map(read_directly, paths)), None),
                "this reader, 1 worker": (lambda: read_all(one, paths, 1), one),
                "this reader, 1 worker, 2 threads": (lambda: read_all(one, paths, 2), one),
                "this reader, 2 workers": (lambda: read_all(two, paths, 3), two),
            },
            rounds,
        )
    print(f"\n{len(pages)} files, {total // COPIES} pages, {COPIES} times each; best of {rounds} rounds\n")
    print(f"{'way':34} {'pages/s':>9} {'ratio':>7} {'pages per processor second':>28} {'ratio':>7}")
    direct, directly_used = seconds["pypdfium2, directly"]
    for name, (spent, used) in seconds.items():
        print(f"{name:34} {total / spent:9.0f} {direct / spent:7.2f} {total / used:28.0f} {directly_used / used:7.2f}")
    return list(pages)


def directly(path: str) -> list[str]:
    with pypdfium2.PdfDocument(path) as pdf:
        return [page.get_textpage().get_text_range() for page in pdf]


def by_this_reader(path: str) -> list[str]:
    document = read_document(path)
    return [document.text[page.start : page.end] for page in document.pages]


def by_pypdf(path: str) -> list[str]:
    pypdf = import_module("pypdf")
    return [page.extract_text() for page in pypdf.PdfReader(path).pages]


def by_pdftotext(path: str) -> list[str]:
    done = subprocess.run(["pdftotext", "-enc", "UTF-8", path, "-"], capture_output=True, check=True)
    return done.stdout.decode("utf-8", "replace").split("\f")


def readers() -> dict[str, Callable[[str], list[str]]]:
    """What is installed here: name -> path -> the text of each page."""
    ways: dict[str, Callable[[str], list[str]]] = {"directly": directly, "this reader": by_this_reader}
    if find_spec("pypdf") is not None:
        ways["pypdf"] = by_pypdf
    if shutil.which("pdftotext"):
        ways["pdftotext"] = by_pdftotext
    return ways


def print_known_text() -> None:
    ways = readers()
    totals = dict.fromkeys(ways, 0)
    count = 0
    print(f"\n{'blocks whole on their page':40} {'blocks':>6}" + "".join(f"{name:>13}" for name in ways))
    for known in known_pages():
        with tempfile.TemporaryDirectory() as folder:
            path = str(Path(folder) / "made.pdf")
            Path(path).write_bytes(known.data)
            found = {name: share_whole(known, way(path)) for name, way in ways.items()}
        blocks = found["directly"][1]
        count += blocks
        for name, (whole, _) in found.items():
            totals[name] += whole
        print(f"{known.name:40} {blocks:6}" + "".join(f"{whole / blocks:13.3f}" for whole, _ in found.values()))
    print(f"{'all':40} {count:6}" + "".join(f"{total / count:13.3f}" for total in totals.values()))


def print_beside_pdftotext(paths: Sequence[str]) -> None:
    if not shutil.which("pdftotext"):
        return
    print(f"\n{'sentences of pdftotext on the same page':40} {'all':>6} {'directly':>12} {'this reader':>12}")
    for path in paths:
        pages = by_pdftotext(path)
        texts = [[letters(page) for page in way(path)] for way in (directly, by_this_reader)]
        wanted = [(at, sentence) for at, page in enumerate(pages[: len(texts[0])]) for sentence in sentences_of(page)]
        shares = [sum(sentence in pages[at] for at, sentence in wanted) / max(len(wanted), 1) for pages in texts]
        if wanted:
            print(f"{Path(path).name[:40]:40} {len(wanted):6} {shares[0]:12.3f} {shares[1]:12.3f}")


def sentences_of(page: str) -> list[str]:
    """Letters and digits of each sentence with at least forty of them; blank lines end one, too."""
    parts = re.split(r"\n\s*\n|(?<=[a-z)\]][.?!])\s+(?=[A-Z])", page)
    return [plain for plain in map(letters, parts) if len(plain) >= 40]


def letters(text: str) -> str:
    return "".join(char for char in unicodedata.normalize("NFKC", text).lower() if char.isalnum())


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", nargs="?", type=Path, default=ROOT.parent / "shared" / "papers")
    parser.add_argument("--rounds", type=int, default=7)
    options = parser.parse_args()
    if options.folder.is_dir():
        paths = print_speed(options.folder, options.rounds)
        print_known_text()
        print_beside_pdftotext(paths)
        return
    with tempfile.TemporaryDirectory() as folder:
        for at, known in enumerate(known_pages()):
            (Path(folder) / f"{at}.pdf").write_bytes(known.data)
        print_speed(Path(folder), options.rounds)
    print_known_text()


if __name__ == "__main__":
    main()
