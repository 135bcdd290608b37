"""What the tests of faults share: the option for the long runs, and a system that can start no fold thread."""

from __future__ import annotations

import os
import sys
import tempfile
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from literature_review.pipeline import orchestrator_v2


def pytest_addoption(parser: pytest.Parser) -> None:
    """`pytest tests/faults --long`: thousands of rounds where the suite has twenty."""
    parser.addoption("--long", action="store_true", help="run the attacks for minutes to hours, not seconds")


@pytest.fixture(scope="session")
def long(request: pytest.FixtureRequest) -> bool:
    """Was `--long` given?  (Unknown to pytest, and so False, where the tests are run from the folder above.)"""
    return bool(request.config.getoption("--long", default=False))


@pytest.fixture
def unfolded(monkeypatch: pytest.MonkeyPatch) -> None:
    """The kernel can start no thread: the JSON file is brought up to date by `save` and `close` alone.

    A fault of its own right, and for a test the way to decide what happens when.
    """
    start = threading.Thread.start

    def refused(thread: threading.Thread) -> None:
        if sys._getframe(1).f_globals.get("__name__") == orchestrator_v2.__name__:
            raise RuntimeError("can't start new thread")
        start(thread)

    monkeypatch.setattr(threading.Thread, "start", refused)


@pytest.fixture
def in_memory(tmp_path: Path) -> Iterator[Path]:
    """A folder where a flush costs nothing, where there is one: for tests that only pretend to lose power."""
    shared = Path("/dev/shm")
    if not os.access(shared, os.W_OK):
        yield tmp_path
        return
    with tempfile.TemporaryDirectory(dir=shared) as folder:
        yield Path(folder)
