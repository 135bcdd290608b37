"""Hidden text is found text by text, whatever else stands on the page: drawings made by hand, each to slip past a quick
look over a whole page."""

from __future__ import annotations

from collections.abc import Sequence

import pytest

pytest.importorskip("pypdfium2")

from literature_review.documents import pdfium
from literature_review.documents.pdf import read_pdf

BLACK = b"".join(b"BT /F1 10 Tf 1 0 0 1 60 %d Tm (Seen line %d.) Tj ET\n" % (780 - 14 * at, at) for at in range(40))
STATES = b"/ExtGState << /Clear << /ca 0.01 >> /Half << /ca 0.5 >> /ClearLine << /CA 0.01 >> >>"
WHITE_SHADING = (
    b"<< /ShadingType 2 /ColorSpace /DeviceGray /Coords [0 0 1 0] /Extend [true true] "
    b"/Function << /FunctionType 2 /Domain [0 1] /C0 [1] /C1 [1] /N 1 >> >>"
)


def drawn(content: bytes, forms: Sequence[bytes] = ()) -> bytes:
    """A PDF of one page with this content; the forms are called /Fm0, /Fm1 ..., and each may draw those before it."""
    font = b"/Font << /F1 << /Type /Font /Subtype /Type1 /BaseFont /Helvetica >> >>"
    base = font + STATES + b"/Pattern << /P << /Type /Pattern /PatternType 2 /Shading %s >> >>" % WHITE_SHADING
    objects = [b"<< /Type /Catalog /Pages 2 0 R >>", b"<< /Type /Pages /Count 1 /Kids [3 0 R] >>", b"", b""]
    resources = b"<< %s /XObject << >> >>" % base
    for number, form in enumerate(forms):
        entries = b"/Type /XObject /Subtype /Form /BBox [-999 -999 999 999] /Resources " + resources
        objects.append(b"<< %s /Length %d >>\nstream\n%s\nendstream" % (entries, len(form), form))
        names = b" ".join(b"/Fm%d %d 0 R" % (at, at + 5) for at in range(number + 1))
        resources = b"<< %s /XObject << %s >> >>" % (base, names)
    page = b"<< /Type /Page /Parent 2 0 R /MediaBox [0 0 595 842] /Contents 4 0 R /Resources %s >>"
    objects[2:4] = page % resources, b"<< /Length %d >>\nstream\n%s\nendstream" % (len(content), content)
    numbered = (b"%d 0 obj\n%s\nendobj\n" % (number, body) for number, body in enumerate(objects, 1))
    return b"%PDF-1.4\n" + b"".join(numbered) + b"trailer << /Root 1 0 R >>\nstartxref\n0\n%%EOF\n"


def text(words: bytes, look: bytes = b"", matrix: bytes = b"1 0 0 1 60 100", size: float = 10) -> bytes:
    return b"q %s BT /F1 %g Tf %s Tm (%s) Tj ET Q\n" % (look, size, matrix, words)


def hidden(content: bytes, forms: Sequence[bytes] = ()) -> list[tuple[str, str]]:
    document = read_pdf(drawn(content, forms))
    return [(document.text[run.start : run.end], run.reason) for run in document.hidden]


@pytest.mark.parametrize(
    ("look", "matrix", "size", "reason"),
    [
        (b"1 g", b"1 0 0 1 60 100", 10, "white"),
        (b"0.97 0.98 0.99 rg", b"1 0 0 1 60 100", 10, "white"),
        (b"0 0 0 0 k", b"1 0 0 1 60 100", 10, "white"),
        (b"1 G 1 Tr", b"1 0 0 1 60 100", 10, "white"),
        (b"/Clear gs", b"1 0 0 1 60 100", 10, "invisible"),
        (b"/ClearLine gs 1 Tr", b"1 0 0 1 60 100", 10, "invisible"),
        (b"3 Tr", b"1 0 0 1 60 100", 10, "invisible"),
        (b"", b"1 0 0 1 900 100", 10, "off_page"),
        (b"", b"1 0 0 1 60 -30", 10, "off_page"),
        (b"", b"-1 0 0 1 -20 100", 10, "off_page"),
        (b"", b"0 1 -1 0 60 900", 10, "off_page"),
        (b"", b"1 0 0 1 60 100", 0.8, "tiny"),
        (b"", b"0.1 0 0 0.1 60 100", 10, "tiny"),
        (b"", b"0 0.1 -0.1 0 60 100", 10, "tiny"),
        (b"", b"0.1 0 0 -0.1 60 100", 10, "tiny"),
        (b"", b"-0.1 0 0 -0.1 60 100", 10, "tiny"),
        (b"", b"-0.1 0 0 0.1 60 100", 10, "tiny"),
    ],
)
def test_one_hidden_text_among_many_that_are_seen(look: bytes, matrix: bytes, size: float, reason: str) -> None:
    """However few, and turned or mirrored in whatever way, on the page itself as in a form in a form."""
    one = text(b"Obey", look, matrix, size)
    assert hidden(BLACK + one + text(b"Seen too.")) == [("Obey", reason)]
    forms = [BLACK + one, b"/Fm0 Do"]
    assert hidden(text(b"Seen first.", matrix=b"1 0 0 1 60 810") + b"/Fm1 Do\n" + text(b"Seen."), forms) == [
        ("Obey", reason)
    ]


@pytest.mark.parametrize(
    "look",
    [
        b"0.9 g", b"1 1 0 rg", b"1 0 1 rg", b"0 1 1 rg", b"0.95 1 1 rg", b"1 g 1 Tr", b"1 G", b"/Half gs",
        b"/ClearLine gs", b"0 0 0.4 RG 1 g 2 Tr 0 g",
    ],
)  # fmt: skip
def test_text_in_any_colour_that_is_seen_is_not_hidden(look: bytes) -> None:
    """Yellow, pink and cyan are not white."""
    assert hidden(BLACK + text(b"Seen as well.", look)) == []


def test_white_text_beside_text_in_a_pattern_is_found() -> None:
    seen = text(b"Seen in a pattern.", b"/Pattern cs /P scn")
    assert hidden(BLACK + seen + text(b"Obey", b"1 g", b"1 0 0 1 60 80"))[-1][0].endswith("Obey")


def test_white_blanks_are_hidden_with_white_words_and_not_without() -> None:
    """Some programs draw each word and each blank by itself, and blanks in any colour."""
    words = b"".join(text(b"Obey", b"1 g", b"1 0 0 1 %d 100" % at) + text(b" ", b"1 g", b"1 0 0 1 %d 100" % (at + 25))
                     for at in (60, 90))  # fmt: skip
    assert [(run.strip(), reason) for run, reason in hidden(BLACK + words)] == [("Obey Obey", "white")]
    assert hidden(BLACK + text(b"Seen") + text(b" ", b"1 g", b"1 0 0 1 85 100")) == []


def test_one_letter_of_a_black_text_that_is_drawn_white() -> None:
    """A colour may change within one text: PDFium makes an object of each part."""
    content = b"BT /F1 10 Tf 1 0 0 1 60 100 Tm (Do ) Tj 1 g (n) Tj 0 g (ot stop.) Tj ET"
    assert hidden(BLACK + content) == [("n", "white")]
    beneath = b"0 0 0.4 rg 60 90 100 30 re f 0 g "
    assert hidden(BLACK + beneath + content) == []


def test_hidden_letters_are_found_by_place_where_pdfium_does_not_tell_their_object(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Releases of pypdfium2 before 5."""
    monkeypatch.setattr(pdfium, "_char_object", None)
    content = BLACK + text(b"Obey me", b"1 g") + text(b"Seen.", matrix=b"1 0 0 1 160 100")
    assert hidden(content) == [("Obey me", "white")]
