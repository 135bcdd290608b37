"""The page in a real browser: it runs nothing of anyone's, complains of nothing, and its own script works."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from literature_review.reports.html_page import page
from tests.report_samples import empty_report, hostile_report, huge_report, sample_report

CHROMIUM = next(
    filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome", "chrome"))), None
)
pytestmark = [
    pytest.mark.integration,
    pytest.mark.requires_service,
    pytest.mark.skipif(CHROMIUM is None, reason="no chromium or chrome on this machine"),
]
SECONDS = 90


def browse(text: str, folder: Path, *more: str) -> tuple[str, list[str]]:
    """The page's DOM after loading, as the browser writes it out, and the lines of its console."""
    (folder / "report.html").write_bytes(text.encode("utf-8"))
    options = (
        "--headless --no-sandbox --disable-gpu --disable-quic --no-first-run --disable-background-networking "
        "--disable-component-update --disable-sync --disable-dev-shm-usage --enable-logging=stderr --dump-dom"
    )
    command = [str(CHROMIUM), *options.split(), f"--user-data-dir={folder / 'profile'}"]
    done = subprocess.run(
        [*command, *more, (folder / "report.html").as_uri()],
        capture_output=True, timeout=SECONDS, check=True, env={**os.environ, "HOME": str(folder)},
    )  # fmt: skip
    console = [line for line in done.stderr.decode("utf-8", "replace").splitlines() if ":CONSOLE" in line]
    return done.stdout.decode("utf-8"), console


def test_the_console_is_listened_to(tmp_path: Path) -> None:
    """Were a script to run or to be refused, the other tests would see it."""
    loud = page(sample_report()).replace("</body>", "<script>document.title='ran'</script></body>")
    dom, console = browse(loud, tmp_path)
    assert "Content Security Policy" in " ".join(console)
    assert "<title>ran" not in dom
    bare = re.sub(r'<meta http-equiv="Content-Security-Policy"[^>]*>', "", loud)
    (tmp_path / "bare").mkdir()
    assert "<title>ran" in browse(bare, tmp_path / "bare")[0]


@pytest.mark.parametrize("policy", ["with the policy", "without the policy"])
def test_hostile_text_runs_nothing(policy: str, tmp_path: Path) -> None:
    """Escaping alone has to hold; the policy is the second wall."""
    text = page(hostile_report())
    if policy == "without the policy":
        text, found = re.subn(r'<meta http-equiv="Content-Security-Policy"[^>]*>', "", text)
        assert found == 1
    dom, console = browse(text, tmp_path)
    assert console == []
    assert re.search(r"<title>[^<]* – evidence gap report</title>", dom)
    assert not re.search(r"<(img|iframe|object|embed|link|base|form)\b", dom)
    assert len(re.findall(r"<script\b", dom)) == 1
    assert len(re.findall(r"<h1\b", dom)) == 1


@pytest.mark.parametrize("build", [sample_report, empty_report, huge_report])
def test_the_page_gives_no_console_message(build: Callable[[], dict[str, Any]], tmp_path: Path) -> None:
    dom, console = browse(page(build()), tmp_path)
    assert console == []
    assert "</html>" in dom


def test_the_filter_appears_where_the_script_runs(tmp_path: Path) -> None:
    """The page's own script passes its own policy, and shows the filter that is hidden without it."""
    text = page(sample_report())
    assert '<div id="filter" role="search" hidden>' in text
    dom, _ = browse(text, tmp_path)
    assert re.search(r'<div id="filter" role="search">', dom)


def test_the_filter_leaves_what_has_the_words_and_opens_what_hides_it(tmp_path: Path) -> None:
    """Typed by a script of the test's own, with the policy taken out to let it."""
    text = re.sub(r'<meta http-equiv="Content-Security-Policy"[^>]*>', "", page(sample_report()))
    typed = (
        "<script>words.value = ' NINE  participants'; words.dispatchEvent(new Event('input'));"
        "setTimeout(function () { var left = document.querySelectorAll('.sub:not([hidden])');"
        "document.body.dataset.left = left.length + ' ' + left[0].querySelector('h5').textContent;"
        "document.body.dataset.folded = left[0].querySelectorAll('details:not([open])').length; }, 500)</script>"
    )
    dom, console = browse(text.replace("</body>", typed + "</body>"), tmp_path, "--virtual-time-budget=3000")
    assert console == []
    assert re.search(r'data-left="1 covered S4.2 Complaints', dom)
    assert 'data-folded="0"' in dom
    assert "1 of 11 sub-requirements</output>" in dom
