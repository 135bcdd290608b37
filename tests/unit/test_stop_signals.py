"""The run's signal handlers beside what the program that calls it has set up itself."""

from __future__ import annotations

import os
import signal
import socket
from collections.abc import Iterator

import pytest

from literature_review.pipeline.signals import StopSignals

pytestmark = pytest.mark.skipif(os.name == "nt", reason="there, nothing is told of a signal at once")


@pytest.fixture
def theirs() -> Iterator[socket.socket]:
    """A wake-up descriptor as asyncio sets one up: the other end hears each signal's number."""
    heard, written = socket.socketpair()
    written.setblocking(False)
    heard.settimeout(10.0)
    before = signal.set_wakeup_fd(written.fileno())
    yield heard
    signal.set_wakeup_fd(before)
    heard.close()
    written.close()


def test_a_wake_up_descriptor_of_the_calling_program_goes_on_hearing(theirs: socket.socket) -> None:
    """Within the run and after it: the run does without its own, and its flag is set as ever."""
    told: list[str] = []
    with StopSignals() as signals:
        signals.begin(lambda: told.append("stopping"))
        signal.raise_signal(signal.SIGTERM)
        assert signals.asked
        assert theirs.recv(1) == bytes([signal.SIGTERM])
    assert told == []
    with StopSignals(), pytest.raises(KeyboardInterrupt):
        signal.raise_signal(signal.SIGTERM)
    assert theirs.recv(1) == bytes([signal.SIGTERM])
