"""Says without a PDF library whether an encrypted PDF opens without a password, as most locked papers do.

    file -> the /Encrypt entry of its trailer -> that object -> the key of the empty password -> fits /U?

The algorithms are those of ISO 32000-1, 7.6.3 (revisions 2 to 4) and of Adobe's extension level 3 (revision 5).
Revision 6 needs AES and stays undecided.
"""

from __future__ import annotations

import hashlib
import re

_PADDING = bytes.fromhex("28BF4E5E4E758A4164004E56FFFA01082E2E00B6D0683E802F0CA9FE6453697A")
_REFERENCE = re.compile(rb"/Encrypt\s+(\d{1,10})\s+(\d{1,5})\s+R")
_STRING = rb"/%s\s*(<[0-9A-Fa-f\s]*>|\((?:\\.|[^\\()]|\((?:\\.|[^\\()])*\))*\))"
_NUMBER = rb"/%s\s+(-?\d{1,12})"
_ID = re.compile(rb"/ID\s*\[\s*(<[0-9A-Fa-f\s]*>|\((?:\\.|[^\\()]|\((?:\\.|[^\\()])*\))*\))", re.S)
_ESCAPE = re.compile(rb"\\([0-7]{1,3}|\r\n|.)", re.S)
_ESCAPED = {b"n": b"\n", b"r": b"\r", b"t": b"\t", b"b": b"\b", b"f": b"\f"}
_DICTIONARY_BYTES = 4096


def opens_without_password(data: bytes) -> bool | None:
    """False where this PDF asks for a password, True where it is not encrypted or opens without one, None where
    that cannot be said."""
    references = _REFERENCE.findall(data)
    if not references:
        return True
    start = re.search(rb"(?<!\d)%s\s+%s\s+obj" % references[-1], data)
    if start is None:
        return None
    entries = data[start.end() : start.end() + _DICTIONARY_BYTES].split(b"endobj")[0]
    identifier = _ID.search(data)
    return _empty_password_fits(entries, _bytes(identifier.group(1)) if identifier else b"")


def _empty_password_fits(entries: bytes, identifier: bytes) -> bool | None:
    revision, permissions = _number(entries, b"R"), _number(entries, b"P")
    owner, user = _text(entries, b"O"), _text(entries, b"U")
    if revision is None or permissions is None or owner is None or user is None:
        return None
    if revision == 5:
        return hashlib.sha256(user[32:40]).digest() == user[:32]
    if revision not in (2, 3, 4):
        return None
    bits = _number(entries, b"Length") if revision > 2 else 40
    # In revision 4 the length of the key stands in the crypt filter, in bytes there; it is always 128 bits.
    size = 16 if revision == 4 else (bits or 40) // 8
    if not 5 <= size <= 16:
        return None
    keeps_metadata = re.search(rb"/EncryptMetadata\s+false", entries) is None
    key = _key(owner, permissions, identifier, revision, size, keeps_metadata)
    if revision == 2:
        return rc4(key, _PADDING) == user
    check = hashlib.md5(_PADDING + identifier, usedforsecurity=False).digest()
    for step in range(20):
        check = rc4(bytes(byte ^ step for byte in key), check)
    return check == user[:16]


def _key(owner: bytes, permissions: int, identifier: bytes, revision: int, size: int, metadata: bool) -> bytes:
    """The file's key if its user password is empty (algorithm 2)."""
    hashed = _PADDING + owner[:32] + (permissions & 0xFFFFFFFF).to_bytes(4, "little") + identifier
    if revision >= 4 and not metadata:
        hashed += b"\xff\xff\xff\xff"
    key = hashlib.md5(hashed, usedforsecurity=False).digest()
    for _ in range(50 if revision >= 3 else 0):
        key = hashlib.md5(key[:size], usedforsecurity=False).digest()
    return key[:size]


def rc4(key: bytes, data: bytes) -> bytes:
    """RC4, which undoes itself. Broken as a cipher; the old revisions use it."""
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


def _number(entries: bytes, name: bytes) -> int | None:
    match = re.search(_NUMBER % name, entries)
    return int(match.group(1)) if match else None


def _text(entries: bytes, name: bytes) -> bytes | None:
    match = re.search(_STRING % name, entries, re.S)
    return _bytes(match.group(1)) if match else None


def _bytes(written: bytes) -> bytes:
    """A string's bytes, from hexadecimal digits or from a text with escapes."""
    if written.startswith(b"<"):
        digits = re.sub(rb"\s", b"", written[1:-1])
        return bytes.fromhex((digits + b"0" * (len(digits) % 2)).decode("ascii"))
    return _ESCAPE.sub(_unescaped, written[1:-1])


def _unescaped(match: re.Match[bytes]) -> bytes:
    said = match.group(1)
    if said[:1] in b"01234567":
        return bytes([int(said, 8) & 0xFF])
    return b"" if said in (b"\n", b"\r", b"\r\n") else _ESCAPED.get(said, said)
