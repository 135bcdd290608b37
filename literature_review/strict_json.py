"""Strict JSON for the two files that people write by hand: the configuration and the review protocol.

    file -> read_json: bytes -> text -> values      what is no JSON, with line and column
         -> a shape (json_shape): values -> settings  what JSON allows and the file's meaning does not

Every mistake becomes one line in a `Problems`: `place: what is wrong; what to do`. Nothing is raised here, so that
all mistakes of a file can be told at once. Stricter than `json`: no key twice in an object (except comments, keys
that begin with `_`), no NaN or Infinity, no endless numbers, no endless nesting, UTF-8 only (a byte order mark is
accepted).
"""

from __future__ import annotations

import json
import math
import os
from collections.abc import Sequence
from typing import Any

MAX_BYTES = 16 * 1024 * 1024
MAX_DEPTH = 50
MAX_DIGITS = 1000
MAX_PROBLEMS = 1000
MAX_HINTS = 50
MAX_KNOWN = 500
COMMENT = "_"

_LONG_NUMBER = f"is a number of more than {MAX_DIGITS:,} digits; write a shorter one"
_SECRET_STARTS = ("sk-", "sk_", "AIza", "ghp_", "gsk_", "hf_", "Bearer ", "xai-", "eyJ")


class Problems:
    """The mistakes found so far, in order, each once. Not thread-safe; belongs to one file."""

    def __init__(self) -> None:
        self._lines: dict[str, None] = {}
        self._more = 0
        self._hints = 0

    def add(self, place: str, wrong: str) -> None:
        """Note a mistake. `wrong`: what is wrong, and after a semicolon what to do."""
        if len(self._lines) < MAX_PROBLEMS:
            self._lines[f"{place}: {wrong}" if place else wrong] = None
        else:
            self._more += 1

    def nearest(self, name: str, known: Sequence[str]) -> str | None:
        """The known name that is most like this one, or None. For the first 50 asked for: likeness is slow to find,
        and a flood of wrong names is not to hold the program up."""
        self._hints += 1
        return nearest(name, known[:MAX_KNOWN]) if self._hints <= MAX_HINTS else None

    def hint(self, name: str, known: Sequence[str]) -> str:
        """What to do about an unknown name: the nearest known one, or the known ones."""
        like = self.nearest(name, known)
        more = ", ..." if len(known) > 20 else ""
        return f"the nearest is {like}" if like else f"known: {', '.join(known[:20])}{more}"

    def __bool__(self) -> bool:
        return bool(self._lines)

    def lines(self) -> list[str]:
        """One line each; a last line counts those beyond the first 1,000."""
        more = [f"and {self._more:,} mistakes more; mend these first"] if self._more else []
        return [*self._lines, *more]


class LongNumber(float):
    """Stands for a number with more digits than anyone means; it is nan, and `bad_number` says why."""


class _Repeating(dict[str, Any]):
    """An object in which keys stand twice; the last value of each is kept, as `json` does."""

    repeated: tuple[str, ...] = ()


def read_json(path: str, problems: Problems) -> Any:
    """The values of a JSON file. Where the file cannot be read at all, notes why and returns an empty dict.

    At most 16 MB are read, whatever the path names (a pipe, a device). No lock is taken.
    """
    name = printable(path)
    try:
        with open(path, "rb") as file:
            raw = file.read(MAX_BYTES + 1)
    except (OSError, ValueError) as error:
        problems.add(name, _unreadable(path, error))
        return {}
    text = _decode(raw, name, problems)
    return {} if text is None else parse_json(text, name, problems)


def parse_json(text: str, name: str, problems: Problems) -> Any:
    """The values of a JSON text; `name` is what a mistake in it is told of. An empty dict where it is no JSON."""
    try:
        value = json.loads(text, object_pairs_hook=_object, parse_int=_integer)
    except json.JSONDecodeError as error:
        where = f"line {error.lineno}, column {error.colno}"
        problems.add(name, f"is not JSON at {where}: {error.msg}; {_hint(text, error.pos)}")
        return {}
    except RecursionError:
        problems.add(name, f"is nested too deeply; at most {MAX_DEPTH} levels are read")
        return {}
    _inspect(value, (), problems)
    return value


def join(place: str, key: object) -> str:
    """`place` with a key, as `a.b`, or a number, as `a[0]`. A key that is no plain name stands as `a["x y"]`."""
    if isinstance(key, int) and not isinstance(key, bool):
        return f"{place}[{key}]"
    name = key if isinstance(key, str) else str(type(key).__name__)
    if name.replace("-", "_").isidentifier() and name.isascii() and len(name) <= 60:
        return f"{place}.{name}" if place else name
    return f"{place}[{printable(json.dumps(name))}]"


def printable(text: str, limit: int = 200) -> str:
    """The text as it may stand in one line: control characters and lone surrogates escaped, long ones cut."""
    cut = text if len(text) <= limit else f"{text[:limit]}..."
    return "".join(c if c.isprintable() else c.encode("unicode_escape").decode("ascii") for c in cut)


def shown(value: object) -> str:
    """A wrong value as a mistake's line may show it: short, on one line, and never what looks like a secret."""
    if isinstance(value, str):
        return "a text that looks like a secret" if looks_secret(value) else f'"{printable(value, 40)}"'
    if value is None or isinstance(value, bool):
        return {None: "null", True: "true", False: "false"}[value]
    if isinstance(value, (int, float)):
        return f"{value}" if abs(value) < 1e30 else "a number too large"
    return type_word(value)


def type_word(value: object) -> str:
    """What kind of JSON value this is, in words."""
    if value is None or isinstance(value, bool):
        return shown(value)
    if isinstance(value, str):
        return "a text"
    if isinstance(value, (int, float)):
        return "a number"
    return "a list" if isinstance(value, (list, tuple)) else "an object"


def looks_secret(text: str) -> bool:
    """True for what is shaped like a provider's key: it begins like one, or is long and mixes cases and digits."""
    if text.startswith(_SECRET_STARTS):
        return True
    mixed = any(c.islower() for c in text) and any(c.isupper() for c in text) and any(c.isdigit() for c in text)
    return len(text) >= 24 and mixed and not any(c in text for c in " /\\")


def bad_number(value: float) -> str:
    """What is wrong with a number that JSON does not allow, or an empty text."""
    if isinstance(value, LongNumber):
        return _LONG_NUMBER
    if isinstance(value, int):
        return _LONG_NUMBER if value.bit_length() > MAX_DIGITS * 4 else ""
    return "" if math.isfinite(value) else f"is {value}, which is no JSON number; write a finite one"


def bad_text(text: str) -> str:
    """What is wrong with a text that cannot be stored or shown (lone surrogates, control characters), or ""."""
    if any("\ud800" <= c <= "\udfff" for c in text):
        return "holds half a character (a lone surrogate); write the text again"
    if any((c < " " and c not in "\t\n\r") or c == "\x7f" for c in text):
        return "holds a control character; take it out"
    return ""


def nearest(name: str, known: Sequence[str]) -> str | None:
    """The known name that is most like this one, or None. Case and hyphens do not count."""
    if not known or len(name) > 60:
        return None
    from difflib import get_close_matches

    plain = {option.lower().replace("-", "_"): option for option in known}
    found = get_close_matches(name.lower().replace("-", "_"), list(plain), n=1, cutoff=0.6)
    return plain[found[0]] if found else None


def _object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    made = _Repeating()
    repeated: dict[str, None] = {}
    for key, value in pairs:
        if key in made and not key.startswith(COMMENT):
            repeated[key] = None
        made[key] = value
    made.repeated = tuple(repeated)
    return made if repeated else dict(made)


def _integer(digits: str) -> float:
    # int() refuses long texts only from 4,300 digits on, and with an error of its own
    return int(digits) if len(digits) <= MAX_DIGITS else LongNumber("nan")


def _inspect(value: Any, keys: tuple[object, ...], problems: Problems) -> None:
    """Note repeated keys, numbers that JSON does not allow and too deep a nesting, in the file's order."""
    if isinstance(value, float) and bad_number(value):
        problems.add(_place(keys), bad_number(value))
    if not isinstance(value, (dict, list)):
        return
    if len(keys) >= MAX_DEPTH:
        problems.add(_place(keys[:6]), f"is nested too deeply; at most {MAX_DEPTH} levels are read")
        return
    if isinstance(value, _Repeating):
        for twice in value.repeated:
            problems.add(_place((*keys, twice)), "stands more than once in its object; keep one")
    inside: Any = value.items() if isinstance(value, dict) else enumerate(value)
    for key, inner in inside:
        _inspect(inner, (*keys, key), problems)


def _place(keys: Sequence[object]) -> str:
    place = ""
    for key in keys:
        place = join(place, key)
    return place


def _decode(raw: bytes, name: str, problems: Problems) -> str | None:
    if len(raw) > MAX_BYTES:
        problems.add(name, f"is larger than {MAX_BYTES // 1024**2} MB; name the right file")
    elif raw.startswith((b"\xff\xfe", b"\xfe\xff")) or b"\x00" in raw[:4]:
        problems.add(name, "is UTF-16 or UTF-32; save it as UTF-8")
    else:
        try:
            text = raw.decode("utf-8-sig")
        except UnicodeDecodeError as error:
            line = raw.count(b"\n", 0, error.start) + 1
            problems.add(name, f"is not UTF-8 in line {line}; save it as UTF-8")
        else:
            if text.strip():
                return text
            problems.add(name, "is empty; write a JSON object, {} at least")
    return None


def _unreadable(path: str, error: OSError | ValueError) -> str:
    if isinstance(error, FileNotFoundError):
        like = _like(path)
        return f"there is no such file; {f'did you mean {like}?' if like else 'check the path'}"
    if isinstance(error, IsADirectoryError) or os.path.isdir(path):
        return "is a folder; name a file"
    if isinstance(error, PermissionError):
        return "may not be read; give yourself permission to read it"
    reason = error.strerror if isinstance(error, OSError) and error.strerror else str(error)
    return f"cannot be read ({reason}); check the path"


def _like(path: str) -> str | None:
    """A JSON file beside the missing one whose name is like its name."""
    folder, name = os.path.split(path)
    try:
        names = [entry for entry in os.listdir(folder or ".") if entry.endswith(".json")]
    except (OSError, ValueError):
        return None
    like = nearest(name, names[:1000])
    return printable(os.path.join(folder, like)) if like else None


def _hint(text: str, at: int) -> str:
    here, before = text[at : at + 1], text[:at].rstrip()[-1:]
    if here in ("/", "#"):
        return f"JSON has no comments: use a key that begins with {COMMENT}"
    if here == "'":
        return "texts stand in double quotation marks"
    if here == "," or (here in ("}", "]") and before == ","):
        return "take out the comma after the last entry"
    return "mend that place" if here else "the file ends too soon: close what was opened"
