"""Functions that worker processes run in the tests: they have to be importable there."""

from __future__ import annotations

import multiprocessing
import os
import signal
import time
from pathlib import Path
from typing import Any


class TwoArguments(Exception):
    """Pickles, but does not unpickle: as the errors of some API clients do."""

    def __init__(self, message: str, response: object) -> None:
        super().__init__(message)
        self.response = response


class Explosive:
    """Pickles, and raises when it is unpickled."""

    def __reduce__(self) -> Any:
        return explode, ()


def explode() -> None:
    raise RuntimeError("unpickled")


def process(paper: Any) -> dict[str, Any]:
    """What a paper's name asks for."""
    action, _, argument = str(paper).partition(":")
    if action == "die":
        os._exit(7)
    if action == "kill":
        os.kill(os.getpid(), signal.SIGKILL)
    if action == "die once" and not Path(argument).exists():
        Path(argument).touch()
        os._exit(7)
    if action == "unpicklable":
        raise TwoArguments("cannot come back", object())
    if action == "lambda":
        return {"status": "success", "value": lambda: None}
    if action == "explosive":
        return {"status": "success", "value": Explosive()}
    if action == "exit":
        raise SystemExit(3)
    if action == "interrupt":
        raise KeyboardInterrupt
    if action == "child":
        child = multiprocessing.get_context("spawn").Process(target=os.getpid)
        child.start()
        child.join()
    if action == "auth":
        raise RuntimeError("HTTP 401")
    if action == "signals":
        os.kill(os.getpid(), signal.SIGINT)
        os.kill(os.getpid(), signal.SIGTERM)
    if action == "memory":
        too_much()
    if action == "sleep":
        Path(argument).write_text(str(os.getpid()))
        time.sleep(120)
    parent = multiprocessing.parent_process()
    return {
        "status": "success", "pid": os.getpid(), "parent": parent.pid if parent else None,
        "stages_completed": ["worked"],
    }  # fmt: skip


def echo(paper: Any) -> dict[str, Any]:
    """A result with numbers that JSON does not know."""
    return {"status": "success", "echo": paper, "nan": float("nan"), "huge": 10**5_000}


def too_much() -> None:
    """Ask for more memory than this process may have."""
    import resource

    _, hard = resource.getrlimit(resource.RLIMIT_AS)
    resource.setrlimit(resource.RLIMIT_AS, (1 << 29, hard))
    held = []
    while True:
        held.append(bytearray(1 << 24))


class Unloadable:
    """A function that the parent can pickle and no worker can load."""

    def __call__(self, paper: Any) -> dict[str, Any]:
        return {}

    def __reduce__(self) -> Any:
        return explode, ()


class Deadly:
    """A function that ends whoever unpickles it."""

    def __call__(self, paper: Any) -> dict[str, Any]:
        return {}

    def __reduce__(self) -> Any:
        return os._exit, (7,)
