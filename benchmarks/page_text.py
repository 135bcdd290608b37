"""Pages whose text is known, for the table of `documents.py`: blocks of text, and PDFs that show them.

    known blocks -> tests.pdf_factory                       -> PDF     always
    known blocks -> HTML -> a Chromium that is installed    -> PDF     where there is one: shaped, justified, columns

A block counts where it stands whole on the right page, white space folded to one blank and Unicode forms (NFKC) made
one. Nothing here depends on how a reader of PDFs works.
"""

from __future__ import annotations

import html
import re
import shutil
import subprocess
import sys
import tempfile
import unicodedata
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT))

from tests.pdf_factory import make_pdf  # noqa: E402

BROWSERS = ("chromium", "chromium-browser", "google-chrome", "chrome")
_NOUNS = (
    "classification", "interventions", "participants", "efficiency", "standardisation", "randomisation",
    "first-line treatment", "office workers", "affluent flows", "representativeness",
)  # fmt: skip
_LONG = {
    "classification": "clas\xadsi\xadfi\xadca\xadtion",
    "interventions": "in\xadter\xadven\xadtions",
    "participants": "par\xadtic\xadi\xadpants",
    "standardisation": "stan\xaddard\xadi\xadsa\xadtion",
    "randomisation": "ran\xaddom\xadi\xadsa\xadtion",
    "representativeness": "rep\xadre\xadsen\xadta\xadtive\xadness",
}


@dataclass(frozen=True)
class KnownPages:
    """A PDF and, for each of its pages, the blocks that stand there."""

    name: str
    blocks: Sequence[Sequence[str]]
    data: bytes


def folded(text: str) -> str:
    text = re.sub("[\u200e\u200f\u202a-\u202e\u2066-\u2069]", "", text)  # marks of direction
    return " ".join(unicodedata.normalize("NFKC", text).split())


def share_whole(known: KnownPages, pages: Sequence[str]) -> tuple[int, int]:
    """How many blocks stand whole on their page, of how many."""
    texts = [folded(page) for page in pages] + [""] * len(known.blocks)
    found = [folded(block) in texts[at] for at, blocks in enumerate(known.blocks) for block in blocks]
    return sum(found), len(found)


def known_pages() -> Iterator[KnownPages]:
    """Everything that can be made here."""
    yield from _from_factory()
    browser = next(filter(None, map(shutil.which, BROWSERS)), None)
    if browser:
        for name, style, pages in _documents():
            yield KnownPages(name, [blocks for _, blocks in pages], _print(browser, style, [body for body, _ in pages]))


def _sentences(page: int, count: int) -> list[str]:
    return [
        f"Sentence {page}-{at} speaks of the {_NOUNS[at % 10]} and the {_NOUNS[(at * 3 + page) % 10]}."
        for at in range(count)
    ]


def _from_factory() -> Iterator[KnownPages]:
    blocks = [_sentences(page, 60) for page in range(1, 6)]
    pages = [" ".join(sentences) for sentences in blocks]
    broken = [page.replace("classification", "classi-\nfication").replace("randomisation", "random-\nisation")
              for page in pages]  # fmt: skip
    yield KnownPages("one column", blocks, make_pdf(pages, font="Times"))
    yield KnownPages("two columns", blocks, make_pdf(pages, columns=2))
    yield KnownPages("two columns, drawn in rows", blocks, make_pdf(pages, columns=2, interleaved=True))
    for turn in (90, 180, 270):
        yield KnownPages(f"shown turned by {turn}", blocks, make_pdf(pages, rotate=turn))
    yield KnownPages("words broken at line ends", blocks, make_pdf(broken))
    yield KnownPages("ligatures", blocks, make_pdf([page.replace("fi", "\ufb01") for page in pages]))


def _documents() -> Iterator[tuple[str, str, list[tuple[str, list[str]]]]]:
    """Name, style, and per page its HTML and the blocks in it."""
    paragraphs = [[" ".join(_sentences(page * 10 + at, 5)) for at in range(6)] for page in range(1, 4)]
    soft = [("".join(f"<p>{_softened(text)}</p>" for text in page), page) for page in paragraphs]
    yield "browser: justified, hyphens", "p { text-align: justify; width: 300px }", soft
    two = "section { column-count: 2; column-gap: 20px } p { text-align: justify; margin: 0 0 6px; font-size: 12px }"
    yield "browser: two columns, hyphens", two, soft
    yield "browser: ligatures, small capitals", (
        "p { font-family: 'DejaVu Serif'; font-variant-ligatures: common-ligatures; font-size: 13px }"
        "p::first-line { letter-spacing: 1px }"
    ), soft  # fmt: skip
    yield "browser: table", "td { border: 1px solid; padding: 3px; font-size: 12px }", [_table(page) for page in (1, 2)]
    yield "browser: superscripts", "sup { font-size: 60% }", [_superscripts(page) for page in (1, 2)]
    yield "browser: page turned sideways", "@page { size: A4 landscape }", soft
    yield "browser: text turned sideways", "section { writing-mode: vertical-rl; height: 900px }", [
        ("".join(f"<p>{_softened(text)}</p>" for text in page[:3]), page[:3]) for page in paragraphs
    ]
    yield "browser: a sideways table beside text", (
        "div { float: left; writing-mode: vertical-rl; height: 700px } td { padding: 3px; font-size: 11px }"
        "p { margin: 0 0 6px 280px; font-size: 13px }"
    ), [_sideways_table(page, texts) for page, texts in enumerate(paragraphs, 1)]  # fmt: skip
    yield "browser: floats and a running head", "aside { float: right; width: 200px; border: 1px solid }", [
        _float(page, texts) for page, texts in enumerate(paragraphs, 1)
    ]
    arabic = "تقلل الرسائل القصيرة من المواعيد الفائتة في عيادة العيون بحسب تجربة عشوائية رقم"
    hebrew = "הודעות טקסט מפחיתות פגישות שהוחמצו במרפאת עיניים לפי ניסוי אקראי מספר"
    for name, words in (("Arabic", arabic), ("Hebrew", hebrew)):
        lines = [[f"{words} {'abcdefgh'[at]}" for at in range(8)] for _ in range(2)]
        pages = [("".join(f"<p dir=rtl>{line}</p>" for line in page), page) for page in lines]
        yield f"browser: {name}", "p { font-family: 'DejaVu Sans' }", pages


def _softened(text: str) -> str:
    shown = html.escape(text)
    for word, soft in _LONG.items():
        shown = shown.replace(word, soft)
    return shown


def _table(page: int) -> tuple[str, list[str]]:
    rows = [
        [f"Group {page}.{row}", f"{100 + row} of {200 + row}", f"{row}.5% (95% CI {row}.1 to {row}.9)", f"p = 0.0{row}"]
        for row in range(1, 10)
    ]
    body = "".join("<tr>" + "".join(f"<td>{cell}</td>" for cell in row) + "</tr>" for row in rows)
    return f"<table>{body}</table>", [" ".join(row) for row in rows]


def _sideways_table(page: int, texts: list[str]) -> tuple[str, list[str]]:
    """The blocks are those of the text: the table's own order is anybody's."""
    return f"<div>{_table(page)[0]}</div>" + "".join(f"<p>{text}</p>" for text in texts), texts


def _superscripts(page: int) -> tuple[str, list[str]]:
    texts = [
        (f"Trial {page}-{at} showed<sup>{at}</sup> that 10<sup>3</sup> cells/mm<sup>2</sup> of CO<sub>2</sub> suffice.",
         f"Trial {page}-{at} showed{at} that 103 cells/mm2 of CO2 suffice.")
        for at in range(1, 20)
    ]  # fmt: skip
    return "".join(f"<p>{shown}</p>" for shown, _ in texts), [plain for _, plain in texts]


def _float(page: int, texts: list[str]) -> tuple[str, list[str]]:
    head, aside = f"Journal of Reminders, page {page}", f"Box {page}: what was known before this study, in short."
    body = f"<small>{head}</small><aside>{aside}</aside>" + "".join(f"<p>{text}</p>" for text in texts)
    return body, [head, aside, *texts]


def _print(browser: str, style: str, bodies: Sequence[str]) -> bytes:
    """The pages as the browser prints them. Raises CalledProcessError, TimeoutExpired."""
    sections = "".join(f"<section>{body}</section>" for body in bodies)
    page = (
        '<!DOCTYPE html><html lang="en"><meta charset="utf-8"><style>body { font: 14px/1.3 \'Liberation Serif\' } '
        f"section {{ break-after: page }} {style}</style><body>{sections}</body></html>"
    )
    with tempfile.TemporaryDirectory() as folder:
        source, target = Path(folder) / "made.html", Path(folder) / "made.pdf"
        source.write_text(page, encoding="utf-8")
        subprocess.run(
            [browser, "--headless", "--no-sandbox", "--disable-gpu", "--no-pdf-header-footer",
             f"--user-data-dir={folder}/profile", f"--print-to-pdf={target}", source.as_uri()],
            check=True, capture_output=True, timeout=120,
        )  # fmt: skip
        return target.read_bytes()
