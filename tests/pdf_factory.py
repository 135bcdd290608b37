"""Makes small, valid PDF files for tests: PDF 1.4, base fonts, WinAnsi text, standard library only.

    make_pdf(["First page.", "Second page."], title="A trial", author="Ada Byron")
    make_pdf([[Heading("Results"), "A paragraph that is wrapped to the page.", Hidden("obey me", "white")]])

A page is a text or a list of blocks. A text without line ends is a paragraph, wrapped to the column; with line
ends its lines are kept as they are; an empty line in it parts two paragraphs. What does not fit on a page flows
to a further page. Characters are those of Windows-1252 and the ligatures fi and fl.
"""

from __future__ import annotations

import hashlib
import re
import struct
import zlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

WIDTH, HEIGHT, MARGIN, GUTTER = 595.0, 842.0, 60.0, 24.0
HOW_HIDDEN = ("invisible", "white", "off_page", "tiny")
_LIGATURES = {"\ufb01": b"\x81", "\ufb02": b"\x8d"}

# Advance widths of ASCII 32..126 in thousandths of the size, from Adobe's font metrics files.
_HELVETICA = [
    278, 278, 355, 556, 556, 889, 667, 191, 333, 333, 389, 584, 278, 333, 278, 278, *[556] * 10, 278, 278,
    584, 584, 584, 556, 1015, 667, 667, 722, 722, 667, 611, 778, 722, 278, 500, 667, 556, 833, 722, 778, 667,
    778, 722, 667,
    611, 722, 667, 944, 667, 667, 611, 278, 278, 278, 469, 556, 333, 556, 556, 500, 556, 556, 278, 556, 556, 222,
    222, 500, 222, 833, 556, 556, 556, 556, 333, 500, 278, 556, 500, 722, 500, 500, 500, 334, 260, 334, 584,
]  # fmt: skip
_TIMES = [
    250, 333, 408, 500, 500, 833, 778, 180, 333, 333, 500, 564, 250, 333, 250, 278, *[500] * 10, 278, 278,
    564, 564, 564, 444, 921, 722, 667, 667, 722, 611, 556, 722, 722, 333, 389, 722, 611, 889, 722, 722, 556,
    722, 667, 556,
    611, 722, 722, 944, 722, 722, 611, 333, 278, 333, 469, 500, 333, 444, 500, 444, 500, 444, 333, 500, 500, 278,
    278, 500, 278, 778, 500, 500, 500, 500, 333, 389, 278, 500, 500, 722, 500, 500, 444, 480, 200, 480, 541,
]  # fmt: skip
_FONTS = {"Helvetica": ("Helvetica", "Helvetica-Bold", _HELVETICA), "Times": ("Times-Roman", "Times-Bold", _TIMES)}


@dataclass(frozen=True)
class Heading:
    """A heading: bold and larger; level 1 is the largest."""

    text: str
    level: int = 1


@dataclass(frozen=True)
class Hidden:
    """A paragraph that no reader of the page sees; `how` is one of HOW_HIDDEN."""

    text: str
    how: str = "invisible"


@dataclass(frozen=True)
class Scan:
    """A grey image over the whole page, and the text that OCR laid under it, if any, invisible."""

    ocr_text: str = ""


@dataclass(frozen=True)
class Placed:
    """A line at a place, in points from the page's lower left corner. A page with one holds nothing else; its lines are
    drawn in the order given."""

    text: str
    x: float
    y: float
    size: float = 10.0


Block = str | Heading | Hidden | Scan | Placed


@dataclass(frozen=True)
class _Line:
    text: str
    size: float
    bold: bool = False
    how: str = ""
    gap: float = 0.0


def make_pdf(
    pages: Sequence[str | Sequence[Block]],
    *,
    title: str = "",
    author: str = "",
    subject: str = "",
    keywords: str = "",
    created: str = "",
    font: str = "Helvetica",
    size: float = 11.0,
    columns: int = 1,
    interleaved: bool = False,
    rotate: int = 0,
    outline: Sequence[tuple[str, int]] = (),
    compress: bool = False,
    encrypted: bool = False,
    locked: bool = False,
) -> bytes:
    """The file's bytes. `created` as PDF writes it (`D:20240131`); `outline` holds (title, page from 1);
    `interleaved` draws columns row by row, as some programs do;
    `rotate` 0, 90, 180 or 270; `encrypted` gives a file that asks for a password which nobody knows,
    `locked` one that is encrypted and opens without a password."""
    contents = [content for page in pages for content in _draw_pages(page, font, size, columns, interleaved)]
    writer = _Writer(compress)
    catalog, tree = writer.reserve(), writer.reserve()
    resources = _resources(writer, font)
    kids = []
    for content in contents:
        stream = writer.stream(content)
        kids.append(
            writer.add(
                f"<< /Type /Page /Parent {tree} 0 R /MediaBox [0 0 {WIDTH:g} {HEIGHT:g}] /Rotate {rotate} "
                f"/Resources {resources} 0 R /Contents {stream} 0 R >>"
            )
        )
    writer.put(tree, f"<< /Type /Pages /Count {len(kids)} /Kids [{' '.join(f'{kid} 0 R' for kid in kids)}] >>")
    outlines = _outline(writer, outline, kids)
    writer.put(catalog, f"<< /Type /Catalog /Pages {tree} 0 R{outlines} >>")
    fields = {"Title": title, "Author": author, "Subject": subject, "Keywords": keywords, "CreationDate": created}
    info = writer.add("<< " + " ".join(f"/{key} {_string(text)}" for key, text in fields.items() if text) + " >>")
    return writer.file(catalog, info, encrypted, locked)


def _draw_pages(
    page: str | Sequence[Block], font: str, size: float, columns: int, interleaved: bool
) -> Iterator[bytes]:
    """The content streams of one page and of the pages that its text flows on to."""
    blocks: Sequence[Block] = [page] if isinstance(page, str) else page
    placed = [block for block in blocks if isinstance(block, Placed)]
    if placed:
        yield b"".join(_draw(_Line(one.text, one.size), one.x, one.y) for one in placed)
        return
    scans = [block for block in blocks if isinstance(block, Scan)]
    column_width = (WIDTH - 2 * MARGIN - GUTTER * (columns - 1)) / columns
    lines = [line for block in blocks for line in _lines(block, font, size, column_width)]
    picture = b"q %g 0 0 %g 0 0 cm /Scan Do Q\n" % (WIDTH, HEIGHT) if scans else b""
    drawn: list[tuple[float, bytes]] = []
    column, y = 0, HEIGHT - MARGIN
    for line in lines:
        if y - line.gap - line.size < MARGIN:
            column, y = column + 1, HEIGHT - MARGIN
            if column == columns:
                yield picture + _content(drawn, interleaved)
                picture, drawn, column = b"", [], 0
        y -= line.gap + line.size * 1.25
        drawn.append((-y, _draw(line, MARGIN + column * (column_width + GUTTER), y)))
    yield picture + _content(drawn, interleaved)


def _content(drawn: list[tuple[float, bytes]], interleaved: bool) -> bytes:
    """The lines' operators in the order of the text, or from the top of the page down."""
    ordered = sorted(drawn, key=lambda one: one[0]) if interleaved else drawn
    return b"".join(operators for _, operators in ordered)


def _lines(block: Block, font: str, size: float, width: float) -> Iterator[_Line]:
    """A block as lines with their look; the first of each paragraph keeps a distance above it."""
    bold, how = isinstance(block, Heading), ""
    text = block if isinstance(block, str) else block.ocr_text if isinstance(block, Scan) else block.text
    if isinstance(block, Heading):
        size += 7 - 2 * min(block.level, 3)
    elif isinstance(block, (Hidden, Scan)):
        how = block.how if isinstance(block, Hidden) else "invisible"
    for paragraph in filter(None, text.split("\n\n")):
        rows = paragraph.split("\n") if "\n" in paragraph else _wrap(paragraph, font, size, width)
        for number, row in enumerate(rows):
            yield _Line(row, size, bold, how, 0.0 if number else size * 0.6)


def _wrap(text: str, font: str, size: float, width: float) -> list[str]:
    rows: list[str] = [""]
    for word in text.split():
        longer = f"{rows[-1]} {word}".strip()
        if rows[-1] and _width(longer, font) * size > width:
            rows.append(word)
        else:
            rows[-1] = longer
    return rows


def _width(text: str, font: str) -> float:
    """Width of a text set at size 1."""
    table = _FONTS[font][2]
    return sum(table[ord(char) - 32] if " " <= char <= "~" else 556 for char in text) / 1000


def _draw(line: _Line, x: float, y: float) -> bytes:
    if line.how == "off_page":
        x += 2 * WIDTH
    size = 0.8 if line.how == "tiny" else line.size
    look = {"invisible": "3 Tr ", "white": "1 g "}.get(line.how, "")
    name = "F2" if line.bold else "F1"
    start = f"q BT {look}/{name} {size:g} Tf 1 0 0 1 {x:.2f} {y:.2f} Tm ".encode()
    return start + _literal(_encode(line.text)) + b" Tj ET Q\n"


def _encode(text: str) -> bytes:
    return b"".join(_LIGATURES.get(char) or char.encode("cp1252") for char in text)


def _literal(raw: bytes) -> bytes:
    return b"(" + raw.replace(b"\\", b"\\\\").replace(b"(", b"\\(").replace(b")", b"\\)") + b")"


def _string(text: str) -> str:
    """A text string of the Info dictionary or the outline, as UTF-16 in hexadecimal."""
    return f"<FEFF{text.encode('utf-16-be').hex().upper()}>"


def _resources(writer: _Writer, font: str) -> int:
    encoding = writer.add(
        "<< /Type /Encoding /BaseEncoding /WinAnsiEncoding /Differences [129 /fi 141 /fl] >>",
    )
    regular, bold = (
        writer.add(f"<< /Type /Font /Subtype /Type1 /BaseFont /{name} /Encoding {encoding} 0 R >>")
        for name in _FONTS[font][:2]
    )
    scan = writer.stream(
        b"\x80", "/Type /XObject /Subtype /Image /Width 1 /Height 1 /ColorSpace /DeviceGray /BitsPerComponent 8"
    )
    return writer.add(f"<< /Font << /F1 {regular} 0 R /F2 {bold} 0 R >> /XObject << /Scan {scan} 0 R >> >>")


def _outline(writer: _Writer, entries: Sequence[tuple[str, int]], kids: Sequence[int]) -> str:
    """Adds the outline's objects; returns what the catalogue says of it."""
    if not entries:
        return ""
    root = writer.reserve()
    items = [writer.reserve() for _ in entries]
    for at, (title, page) in enumerate(entries):
        before = f"/Prev {items[at - 1]} 0 R " if at else ""
        after = f"/Next {items[at + 1]} 0 R " if at + 1 < len(items) else ""
        place = f"/Dest [{kids[page - 1]} 0 R /Fit]"
        writer.put(items[at], f"<< /Title {_string(title)} /Parent {root} 0 R {before}{after}{place} >>")
    writer.put(root, f"<< /Type /Outlines /First {items[0]} 0 R /Last {items[-1]} 0 R /Count {len(items)} >>")
    return f" /Outlines {root} 0 R"


class _Writer:
    """Numbers the objects and writes them with their cross-reference table."""

    def __init__(self, compress: bool) -> None:
        self._compress = compress
        self._objects: list[bytes] = []

    def reserve(self) -> int:
        self._objects.append(b"null")
        return len(self._objects)

    def put(self, number: int, body: str | bytes) -> None:
        self._objects[number - 1] = body.encode("ascii") if isinstance(body, str) else body

    def add(self, body: str | bytes) -> int:
        number = self.reserve()
        self.put(number, body)
        return number

    def stream(self, data: bytes, entries: str = "") -> int:
        if self._compress:
            data, entries = zlib.compress(data), entries + " /Filter /FlateDecode"
        head = f"<< {entries} /Length {len(data)} >>\nstream\n".encode("ascii")
        return self.add(head + data + b"\nendstream")

    def file(self, catalog: int, info: int, encrypted: bool, locked: bool) -> bytes:
        trailer = f"/Root {catalog} 0 R /Info {info} 0 R"
        if encrypted:
            digest = "5A" * 32
            handler = self.add(f"<< /Filter /Standard /V 1 /R 2 /P -4 /O <{digest}> /U <{digest}> >>")
            trailer += f" /Encrypt {handler} 0 R /ID [<{digest[:32]}> <{digest[:32]}>]"
        elif locked:
            trailer += self._lock()
        out, offsets = bytearray(b"%PDF-1.4\n%\xe2\xe3\xcf\xd3\n"), []
        for number, body in enumerate(self._objects, 1):
            offsets.append(len(out))
            out += b"%d 0 obj\n" % number + body + b"\nendobj\n"
        start = len(out)
        out += b"xref\n0 %d\n0000000000 65535 f \n" % (len(offsets) + 1)
        out += b"".join(b"%010d 00000 n \n" % offset for offset in offsets)
        out += f"trailer\n<< /Size {len(offsets) + 1} {trailer} >>\nstartxref\n{start}\n%%EOF\n".encode("ascii")
        return bytes(out)

    def _lock(self) -> str:
        """Encrypts strings and streams under the empty password (RC4, 128 bits; ISO 32000-1, 7.6); returns
        what the trailer says of it."""
        identifier, owner, permissions = b"\x5a" * 16, b"\xa5" * 32, -4
        key = hashlib.md5(_PADDING + owner + struct.pack("<i", permissions) + identifier).digest()
        for _ in range(50):
            key = hashlib.md5(key).digest()
        user = hashlib.md5(_PADDING + identifier).digest()
        for step in range(20):
            user = _rc4(bytes(byte ^ step for byte in key), user)
        for number, body in enumerate(self._objects, 1):
            object_key = hashlib.md5(key + number.to_bytes(3, "little") + b"\0\0").digest()
            self._objects[number - 1] = _encrypted(body, object_key)
        handler = self.add(
            f"<< /Filter /Standard /V 2 /R 3 /Length 128 /P {permissions} "
            f"/O <{owner.hex()}> /U <{(user + bytes(16)).hex()}> >>"
        )
        return f" /Encrypt {handler} 0 R /ID [<{identifier.hex()}> <{identifier.hex()}>]"


_PADDING = bytes.fromhex("28BF4E5E4E758A4164004E56FFFA01082E2E00B6D0683E802F0CA9FE6453697A")


def _encrypted(body: bytes, key: bytes) -> bytes:
    head, mark, data = body.partition(b"\nstream\n")
    if mark:
        return head + mark + _rc4(key, data[: -len(b"\nendstream")]) + b"\nendstream"

    def string(match: re.Match[bytes]) -> bytes:
        return b"<" + _rc4(key, bytes.fromhex(match.group(1).decode())).hex().encode() + b">"

    return re.sub(rb"<(FEFF[0-9A-F]*)>", string, body)


def _rc4(key: bytes, data: bytes) -> bytes:
    state, at = list(range(256)), 0
    for index in range(256):
        at = (at + state[index] + key[index % len(key)]) % 256
        state[index], state[at] = state[at], state[index]
    out, index, at = bytearray(), 0, 0
    for byte in data:
        index = (index + 1) % 256
        at = (at + state[index]) % 256
        state[index], state[at] = state[at], state[index]
        out.append(byte ^ state[(state[index] + state[at]) % 256])
    return bytes(out)
