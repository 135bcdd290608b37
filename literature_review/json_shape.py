"""What a JSON value has to look like: a shape reads a value, notes every mistake and goes on with the default.

    Block({"max_workers": Number(4, 1, 256, whole=True), ...}).read(data, "", problems) -> {"max_workers": 4, ...}

A shape is built once and shared; reading changes nothing in it, so threads may read at once. Reading never raises
for a wrong value, whatever it is. `read` gives what the shape says, or its default where there was a mistake.
"""

from __future__ import annotations

import re
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

from literature_review.strict_json import (
    COMMENT,
    Problems,
    bad_number,
    bad_text,
    join,
    shown,
    type_word,
)

_SECRET_KEY = re.compile(
    r"(.*_)?(api_?keys?|(access_?)?tokens?|secrets?|passwords?|passwd|passphrase|credentials?|authorization)"
)

_SECRET_REMEDY = (
    "no secret belongs in a file: put it into an environment variable and name that in llm.api_key_env"
)


class _Required:
    """The default of a key that has to be there."""

    def __repr__(self) -> str:
        return "required"


REQUIRED = _Required()


class Shape(ABC):
    """The promise of all shapes. `word`: what is wanted, in words; `default`: what stands for a missing key."""

    word = "a value"
    default: Any = REQUIRED
    nullable = False

    @abstractmethod
    def read(self, value: object, place: str, problems: Problems) -> Any:
        """The value as the program uses it; `place` names it in a mistake's line."""

    def missing(self, place: str, problems: Problems) -> Any:
        """What stands for a key that is not there. Notes a mistake where the key is required."""
        if self.default is REQUIRED:
            problems.add(place, f"is missing; write {self.word}")
        return self.fallback()

    def fallback(self) -> Any:
        """What the reading goes on with after a mistake."""
        return None if self.default is REQUIRED else self.default

    def leaves(self, place: str) -> Iterator[tuple[str, Shape]]:
        """Every key below, with its path and shape."""
        yield place, self

    def refuse(self, value: object, place: str, problems: Problems) -> Any:
        """Note that the value is of a wrong type."""
        remedy = ""
        if isinstance(value, str) and self.word in ("a number", "a whole number", "true or false"):
            remedy = "; write it without quotation marks"
        what = shown(value) if isinstance(value, (int, float)) else type_word(value)
        problems.add(place or "the whole file", f"must be {self.word}, not {what}{remedy}")
        return self.fallback()


class Flag(Shape):
    """true or false."""

    word = "true or false"

    def __init__(self, default: bool | None) -> None:
        self.default = default

    def read(self, value: object, place: str, problems: Problems) -> Any:
        return value if isinstance(value, bool) else self.refuse(value, place, problems)


class Number(Shape):
    """A number from `low` to `high`; `above`: more than `low`. `whole`: written without a point."""

    def __init__(
        self,
        default: float | _Required | None,
        low: float,
        high: float,
        *,
        whole: bool = False,
        above: bool = False,
        nullable: bool = False,
    ) -> None:
        self.default, self.low, self.high = default, low, high
        self.whole, self.above, self.nullable = whole, above, nullable
        self.word = "a whole number" if whole else "a number"

    def read(self, value: object, place: str, problems: Problems) -> Any:
        """The number; of one that is not whole or out of range, the default."""
        if value is None and self.nullable:
            return None
        if isinstance(value, bool) or not isinstance(value, (int, float)):
            return self.refuse(value, place, problems)
        if bad_number(value):
            problems.add(place, bad_number(value))
        elif self.whole and not isinstance(value, int):
            return self.refuse(value, place, problems)
        elif not self.low <= value <= self.high or (self.above and value == self.low):
            problems.add(place, f"must be {self._range()}, not {shown(value)}")
        else:
            return int(value) if self.whole else float(value)
        return self.fallback()

    def _range(self) -> str:
        low = f"more than {self.low:g} and" if self.above else f"from {self.low:g}"
        return f"{self.word} {low} {'at most' if self.above else 'to'} {self.high:.15g}"


class Text(Shape):
    """A text of at most `longest` characters with something in it (`empty`: or nothing).

    `choices`: the only texts allowed. `fold` brings it to one form first, such as `str.upper`. `check` says what
    is wrong with a text, or "".
    """

    word = "a text"

    def __init__(
        self,
        default: str | _Required | None = REQUIRED,
        *,
        choices: Sequence[str] = (),
        fold: Callable[[str], str] = str,
        check: Callable[[str], str] = lambda text: "",
        longest: int = 4096,
        empty: bool = False,
        nullable: bool = False,
    ) -> None:
        self.default, self.choices, self.fold, self.check = default, tuple(choices), fold, check
        self.longest, self.empty, self.nullable = longest, empty, nullable

    def read(self, value: object, place: str, problems: Problems) -> Any:
        """The text, folded; of one that will not do, the default."""
        if value is None and self.nullable:
            return None
        if not isinstance(value, str):
            return self.refuse(value, place, problems)
        text = self.fold(str(value))
        wrong = bad_text(text)
        if not wrong and not (text.strip() or (self.empty and not text)):
            wrong = "is empty; write a text"
        if not wrong and len(text) > self.longest:
            wrong = f"is longer than {self.longest:,} characters; write less"
        wrong = wrong or self._not_a_choice(text, problems) or self.check(text)
        if wrong:
            problems.add(place, wrong)
        return self.fallback() if wrong else text

    def _not_a_choice(self, text: str, problems: Problems) -> str:
        if not self.choices or text in self.choices:
            return ""
        like = problems.nearest(text, self.choices)
        hint = f" (the nearest is {like})" if like else ""
        return f"is {shown(text)}; write one of {', '.join(self.choices)}{hint}"


class ListOf(Shape):
    """A list of values of one shape. `nothing`: what an empty list means, where it is a mistake."""

    word = "a list"

    def __init__(self, item: Shape, *, default: Any = (), nothing: str = "") -> None:
        self.item, self.default, self.nothing = item, default, nothing

    def read(self, value: object, place: str, problems: Problems) -> Any:
        """A tuple of what its items read to."""
        if not isinstance(value, (list, tuple)):
            return self.refuse(value, place, problems)
        if not value and self.nothing:
            problems.add(place, f"is empty; {self.nothing}")
        return tuple(self.item.read(item, join(place, at), problems) for at, item in enumerate(value))

    def fallback(self) -> Any:
        return ()

    def leaves(self, place: str) -> Iterator[tuple[str, Shape]]:
        yield place, self
        if isinstance(self.item, (Block, Each)):
            yield from self.item.leaves(f"{place}[]")


class Block(Shape):
    """An object with known keys. Reads to a dict that has every one of them.

    `given` is a further key of that dict: the names that stood there. Keys that begin with `_` are comments.
    An unknown key is a mistake that names the nearest known one, at its place or anywhere under `self`.
    """

    word = "an object"

    def __init__(self, fields: Mapping[str, Shape]) -> None:
        self.fields = dict(fields)
        self._paths = tuple(path for path, _ in self.leaves(""))

    def __getitem__(self, name: str) -> Any:
        return self.fields[name]

    def read(self, value: object, place: str, problems: Problems) -> dict[str, Any]:
        return self.read_within(value, place, problems, self)

    def read_within(self, value: object, place: str, problems: Problems, root: Block) -> dict[str, Any]:
        """As `read`, for a block inside of `root`, whose keys are looked through for one that was meant."""
        if not isinstance(value, Mapping):
            self.refuse(value, place, problems)
            return self.defaults()
        for key in (key_text(key) for key in value if not self._known(key)):
            problems.add(join(place, key), f"is not a known key; {root.hint(key, self, place, problems)}")
        return {name: self._field(name, value, place, problems, root) for name in self.fields} | {
            "given": frozenset(name for name in self.fields if name in value)
        }

    def _known(self, key: object) -> bool:
        return isinstance(key, str) and (key in self.fields or key.startswith(COMMENT))

    def _field(self, name: str, value: Mapping[str, Any], place: str, problems: Problems, root: Block) -> Any:
        shape, where = self.fields[name], join(place, name)
        if name not in value:
            return shape.missing(where, problems)
        if isinstance(shape, Block):
            return shape.read_within(value[name], where, problems, root)
        return shape.read(value[name], where, problems)

    def missing(self, place: str, problems: Problems) -> dict[str, Any]:
        return self.defaults()

    def defaults(self) -> dict[str, Any]:
        """What an empty object reads to; what is required is None."""
        quiet = Problems()
        return {name: shape.missing(name, quiet) for name, shape in self.fields.items()} | {"given": frozenset()}

    def leaves(self, place: str) -> Iterator[tuple[str, Shape]]:
        for name, shape in self.fields.items():
            yield from shape.leaves(f"{place}.{name}" if place else name)

    def hint(self, key: str, here: Block, place: str, problems: Problems) -> str:
        """What to do about an unknown key: the known one that was meant, or where a secret belongs."""
        like = problems.nearest(key, tuple(here.fields))
        elsewhere = [path for path in self._paths if path.rpartition(".")[2] == key]
        if elsewhere:
            return f"the nearest known key is {elsewhere[0]}"
        if like and _spelled_like(key, like):
            return f"the nearest known key is {join(place, like)}"
        if _SECRET_KEY.fullmatch(key.lower().replace("-", "_")):
            return _SECRET_REMEDY
        if like:
            return f"the nearest known key is {join(place, like)}"
        return f"known here: {', '.join(here.fields)}"


class Each(Shape):
    """An object whose keys are names of the user's own (`names`: only these), with values of one shape."""

    word = "an object"

    def __init__(self, item: Shape, what: str, names: Sequence[str] = ()) -> None:
        self.item, self.what, self.names = item, what, tuple(names)
        self.default: Any = {}

    def read(self, value: object, place: str, problems: Problems) -> Any:
        """A dict of what its values read to, by name; names that begin with `_` are comments."""
        if not isinstance(value, Mapping):
            return self.refuse(value, place, problems)
        read: dict[str, Any] = {}
        for name, inner in value.items():
            if isinstance(name, str) and name.startswith(COMMENT):
                continue
            where = join(place, key_text(name))
            if self._accepts(name, where, problems):
                read[name] = self.item.read(inner, where, problems)
        return read

    def _accepts(self, name: object, where: str, problems: Problems) -> bool:
        if not isinstance(name, str) or not name.strip() or bad_text(name):
            problems.add(where, f"is no name for {self.what}; write a plain text")
            return False
        if self.names and name not in self.names:
            problems.add(where, f"is no known {self.what}; {problems.hint(name, self.names)}")
            return False
        return True

    def missing(self, place: str, problems: Problems) -> Any:
        return {}

    def leaves(self, place: str) -> Iterator[tuple[str, Shape]]:
        yield place, self
        yield from self.item.leaves(f"{place}.<{self.what}>")


def key_text(key: object) -> str:
    """A key as a text, also where plain data has keys that JSON cannot have."""
    return key if isinstance(key, str) else f"<{type(key).__name__}>"


def _spelled_like(key: str, known: str) -> bool:
    """True where the two differ by a slip: so near that a key is meant, and no secret of that name."""
    from difflib import SequenceMatcher

    return SequenceMatcher(None, key.lower(), known).ratio() >= 0.9
