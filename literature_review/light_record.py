"""Frozen records that cost next to nothing to define: for what every start of the program needs.

`dataclasses` writes six functions per class as source text and compiles them, and brings `inspect` with it: together a
third of the dry run's start. Records share their functions. To all else a record is a frozen dataclass:
`dataclasses.replace`, `asdict` and `fields` take it, type checkers see it as one, and it pickles, compares, hashes and
prints like one.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any, TypeVar, cast

T = TypeVar("T")

if TYPE_CHECKING:
    from typing_extensions import dataclass_transform
else:

    def dataclass_transform(**_: object) -> Callable[[T], T]:
        return lambda decorated: decorated


class _Made:
    """A default that is made anew for every record."""

    __slots__ = ("make",)

    def __init__(self, make: Callable[[], Any]) -> None:
        self.make = make


def made(*, default_factory: Callable[[], T]) -> T:
    """The default of a field that each record gets one of its own of, such as `dict`."""
    return cast(T, _Made(default_factory))


@dataclass_transform(frozen_default=True, field_specifiers=(made,))
def record(cls: type[T]) -> type[T]:
    """Make a class a frozen record of its annotated fields, in their order. For classes without a base; a field
    without a default stands before those that have one. `__post_init__` is called as in a dataclass."""
    names = tuple(cls.__annotations__)
    defaults = {name: cls.__dict__[name] for name in names if name in cls.__dict__}
    for name, value in defaults.items():
        if isinstance(value, _Made):
            delattr(cls, name)
    for name in _SHARED:
        setattr(cls, name, _Record.__dict__[name])
    for name, value in (
        ("__match_args__", names), ("__record_defaults__", defaults), ("__dataclass_fields__", _Fields()),
    ):  # fmt: skip
        setattr(cls, name, value)
    return cls


class _Fields:
    """`__dataclass_fields__` of a record, made when `dataclasses` first asks for it."""

    def __get__(self, instance: object, owner: Any) -> Any:
        from dataclasses import field, make_dataclass

        fields: list[Any] = []
        for name, kind in owner.__annotations__.items():
            value = owner.__record_defaults__.get(name, field())
            if isinstance(value, _Made):
                value = field(default_factory=value.make)
            fields.append((name, kind, value))
        owner.__dataclass_fields__ = made_once = make_dataclass(owner.__name__, fields).__dict__["__dataclass_fields__"]
        return made_once


class _Record:
    """The functions that all records share."""

    __match_args__: tuple[str, ...]
    __record_defaults__: dict[str, Any]

    def __init__(self, *values: Any, **named: Any) -> None:
        names, own = self.__match_args__, self.__dict__
        if len(values) > len(names):
            raise TypeError(f"{type(self).__name__} has {len(names)} fields, not {len(values)}")
        if not named.keys().isdisjoint(names[: len(values)]):
            raise TypeError(f"{type(self).__name__} was given a field twice")
        named.update(zip(names, values, strict=False))
        for name in names:
            own[name] = named.pop(name) if name in named else _default(self, name)
        if named:
            raise TypeError(f"{type(self).__name__} has no field {', '.join(named)}")
        finish = getattr(self, "__post_init__", None)
        if finish is not None:
            finish()

    def __eq__(self, other: object) -> bool:
        if other.__class__ is not self.__class__:
            return NotImplemented
        return _values(self) == _values(other)

    def __hash__(self) -> int:
        return hash(_values(self))

    def __repr__(self) -> str:
        shown = ", ".join(f"{name}={self.__dict__[name]!r}" for name in self.__match_args__)
        return f"{type(self).__qualname__}({shown})"

    def __setattr__(self, name: str, value: object) -> None:
        from dataclasses import FrozenInstanceError

        raise FrozenInstanceError(f"cannot assign to field {name!r}")

    def __delattr__(self, name: str) -> None:
        from dataclasses import FrozenInstanceError

        raise FrozenInstanceError(f"cannot delete field {name!r}")


_SHARED = ("__init__", "__eq__", "__hash__", "__repr__", "__setattr__", "__delattr__")


def _values(record: Any) -> tuple[Any, ...]:
    own = record.__dict__
    return tuple([own[name] for name in record.__match_args__])


def _default(record: _Record, name: str) -> Any:
    defaults = record.__record_defaults__
    if name not in defaults:
        raise TypeError(f"{type(record).__name__} needs its field {name}")
    value = defaults[name]
    return value.make() if isinstance(value, _Made) else value


def as_plain(value: Any) -> Any:
    """Records as dicts, all the way down, as `dataclasses.asdict` has them; other values as they are."""
    if isinstance(value, dict):
        return {name: as_plain(each) for name, each in value.items()}
    if isinstance(value, (list, tuple)):
        return type(value)([as_plain(each) for each in value])
    if hasattr(type(value), "__record_defaults__"):
        return {name: as_plain(value.__dict__[name]) for name in value.__match_args__}
    return value
