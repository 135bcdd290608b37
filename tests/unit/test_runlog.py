"""The run's log and its progress display."""

from __future__ import annotations

import io
import re
from pathlib import Path

import pytest

from literature_review.pipeline.progress import Progress, spoken_seconds
from literature_review.pipeline.runlog import RunLog


def test_lines_have_the_form_of_the_guide() -> None:
    stream = io.StringIO()
    log = RunLog(stream)
    log.warning("DRY-RUN MODE ENABLED")
    log.success("🎉 Pipeline Complete!")
    first, second = stream.getvalue().splitlines()
    assert re.fullmatch(r"\[\d{4}-\d\d-\d\d \d\d:\d\d:\d\d\] \[WARNING\] DRY-RUN MODE ENABLED", first)
    assert second.endswith("[SUCCESS] 🎉 Pipeline Complete!")


@pytest.mark.parametrize(("level", "shown"), [("DEBUG", 5), ("INFO", 4), ("WARNING", 2), ("ERROR", 1)])
def test_the_level_decides_what_is_shown_and_the_file_gets_all(level: str, shown: int, tmp_path: Path) -> None:
    stream, file = io.StringIO(), tmp_path / "debug.log"
    log = RunLog(stream, level=level, file=str(file))
    for name in ("debug", "info", "success", "warning", "error"):
        getattr(log, name)("text")
    log.close()
    assert len(stream.getvalue().splitlines()) == shown
    assert len(file.read_text(encoding="utf-8").splitlines()) == 5


def test_a_secret_is_never_written(tmp_path: Path) -> None:
    stream, file = io.StringIO(), tmp_path / "x.log"
    log = RunLog(stream, file=str(file), secrets=["sk-12345678"])
    log.error("Incorrect API key provided: sk-12345678.")
    log.debug("Authorization: Bearer sk-12345678")
    log.close()
    assert "12345678" not in stream.getvalue() + file.read_text(encoding="utf-8")


def test_data_cannot_forge_a_line() -> None:
    stream = io.StringIO()
    RunLog(stream).info("a.pdf\n[2025-01-01 00:00:00] [SUCCESS] all done\x1b[31m\u2028")
    assert len(stream.getvalue().splitlines()) == 1
    assert "\x1b" not in stream.getvalue()


def test_a_stream_without_the_characters_gets_them_escaped() -> None:
    raw = io.BytesIO()
    log = RunLog(io.TextIOWrapper(raw, encoding="ascii", write_through=True))
    log.success("✅ Größe")
    assert raw.getvalue().endswith(b"[SUCCESS] \\u2705 Gr\\xf6\\xdfe\n")


def test_a_broken_stream_stops_nothing() -> None:
    stream = io.StringIO()
    stream.close()
    RunLog(stream).info("goes nowhere")


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="needs a device that is always full")
def test_a_full_disk_under_the_log_file_stops_nothing() -> None:
    """Neither a line nor the end: what the file could not take is tried again when it is closed."""
    log = RunLog(io.StringIO(), file="/dev/full")
    log.info("goes nowhere")
    log.close()


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


def test_a_terminal_sees_one_line_that_renews_itself_and_goes_away() -> None:
    now = [0.0]
    terminal, stream = Terminal(), io.StringIO()
    log = RunLog(stream)
    progress = Progress("judge", 4, log, stream=terminal, clock=lambda: now[0])
    log.status_line = progress
    now[0] = 2.0
    progress.step()
    assert "judge: 1/4 papers, 0.5 papers/s, about 6.0 s left" in terminal.getvalue()
    log.info("a line in between")
    progress.finish()
    assert "\n" not in terminal.getvalue()
    assert terminal.getvalue().endswith(" \r")


def test_elsewhere_a_plain_line_comes_now_and_then() -> None:
    now = [0.0]
    stream = io.StringIO()
    progress = Progress("judge", 100, RunLog(stream), stream=io.StringIO(), clock=lambda: now[0])
    for _ in range(99):
        now[0] += 1.0
        progress.step(failed=now[0] == 3.0)
    now[0] += 20.0
    progress.step()  # the last: that the stage is completed is said elsewhere
    lines = stream.getvalue().splitlines()
    assert len(lines) == 6
    assert "judge: 15/100 papers, 1.0 papers/s, about 85 s left, 1 failed" in lines[0]


@pytest.mark.parametrize(("seconds", "spoken"), [(0.42, "0.4 s"), (59, "59 s"), (700, "12 min"), (12000, "3 h 20 min")])
def test_times_are_said_as_a_person_would(seconds: float, spoken: str) -> None:
    assert spoken_seconds(seconds) == spoken
