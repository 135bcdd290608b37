"""`python -m literature_review answers`: what is kept, and what it cost."""

from __future__ import annotations

import errno
import json
import os
import sqlite3
import subprocess
import sys
from contextlib import closing
from pathlib import Path

import pytest

from literature_review.__main__ import VERBS, main
from literature_review.llm.chat import ModelAnswer
from literature_review.llm.paid_book import PaidBook, PaidQuestion
from tests.paid_samples import GOOD, PRICE, SCHEMA, question

pytestmark = pytest.mark.integration

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """An output folder with two answers, one of them malformed, and a call that broke off."""
    with PaidBook(tmp_path / "answers.db", now=lambda: "2026-11-24T12:00:00") as book:
        for user, answer in (("1", GOOD), ("2", ModelAnswer("Z\u00fcrich, no JSON", 10, 5, "req-2"))):
            asked = PaidQuestion(question(user), "gemini", "some-model", {"temperature": 0}, "judge", "a.pdf")
            book.answered(book.begin(asked, PRICE, 0.01), asked, answer, PRICE.usd(10, 5))
        book.failed(book.begin(asked, PRICE, 0.01), "broken", "TimeoutError")
    return tmp_path


def test_size_tells_answers_bytes_calls_tokens_and_cost(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["answers", "size", "--output-dir", str(folder)]) == 0
    first, *rest = capsys.readouterr().out.splitlines()
    size = (folder / "answers.db").stat().st_size
    assert first == f"answers: 2 in {size:,} bytes ({folder / 'answers.db'})"
    assert rest == ["calls: 3 begun, 3 ended, 2 answered", "tokens: 1,010 in, 105 out", "cost: 0.0001 USD"]


def test_export_gives_everything_one_object_a_line(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["answers", "export", "--output-dir", str(folder)]) == 0
    first, second = map(json.loads, capsys.readouterr().out.splitlines())
    assert second.pop("key") != first.pop("key")
    assert second == {
        "backend": "gemini", "model": "some-model", "prompt": "judge/1", "stage": "judge", "paper": "a.pdf",
        "system": "You judge.", "user": "2", "schema": SCHEMA, "parameters": {"temperature": 0},
        "max_output_tokens": 1000, "text": "Z\u00fcrich, no JSON", "input_tokens": 10, "output_tokens": 5,
        "request_id": "req-2", "finish": "complete", "usd": pytest.approx(0.00006),
        "stored_at": "2026-11-24T12:00:00",
    }  # fmt: skip


def test_export_to_a_file(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    target = folder / "answers.jsonl"
    assert main(["answers", "export", "--output-dir", str(folder), "--to", str(target)]) == 0
    assert [json.loads(line)["user"] for line in target.read_text().splitlines()] == ["1", "2"]
    assert capsys.readouterr().out == f"2 answers are in {target}\n"


def test_an_export_that_fails_leaves_the_file_that_was_there(
    folder: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Neither an answer that cannot be read nor a full disk costs the last good export; and nothing lies beside it."""
    target = folder / "answers.jsonl"
    words = ["answers", "export", "--output-dir", str(folder), "--to", str(target)]
    assert main(words) == 0
    before = target.read_bytes()
    with monkeypatch.context() as patch:
        patch.setattr(os, "fsync", _full)
        assert main(words) == 2
    assert f"--to: {target} cannot be written (No space left on device)" in capsys.readouterr().err
    with closing(sqlite3.connect(folder / "answers.db")) as database, database:
        database.execute("UPDATE answers SET question = x'00' WHERE id = 2")
    assert main(words) == 2
    assert "an answer cannot be read" in capsys.readouterr().err
    assert target.read_bytes() == before
    assert sorted(path.name for path in folder.iterdir()) == ["answers.db", "answers.jsonl"]


def _full(descriptor: int) -> None:
    raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))


def test_an_export_goes_through_a_link_or_into_a_device(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """What is no file of its own is not replaced by one."""
    (folder / "real.jsonl").write_text("old")
    (folder / "link.jsonl").symlink_to(folder / "real.jsonl")
    for target in (folder / "link.jsonl", Path(os.devnull)):
        assert main(["answers", "export", "--output-dir", str(folder), "--to", str(target)]) == 0
    assert (folder / "link.jsonl").is_symlink()
    assert len((folder / "real.jsonl").read_text().splitlines()) == 2
    assert not Path(os.devnull).is_file()


@pytest.mark.parametrize("name", ["answers.db", "answers.db-wal", "review.db", "link.db"])
def test_no_database_is_written_over(folder: Path, capsys: pytest.CaptureFixture[str], name: str) -> None:
    with closing(sqlite3.connect(folder / "review.db")) as database:
        database.execute("CREATE TABLE papers (id)")
    (folder / "link.db").symlink_to(folder / "answers.db")
    before = {path: path.read_bytes() for path in folder.iterdir()}
    assert main(["answers", "export", "--output-dir", str(folder), "--to", str(folder / name)]) == 2
    assert f"{name} is a database" in capsys.readouterr().err
    assert {path: path.read_bytes() for path in folder.iterdir()} == before


def test_clear_asks_for_yes_and_leaves_the_ledger(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["answers", "clear", "--output-dir", str(folder)]) == 2
    error = capsys.readouterr().err
    assert error.startswith("error: 2 answers in ")
    assert "--yes" in error
    assert main(["answers", "clear", "--yes", "--output-dir", str(folder)]) == 0
    assert capsys.readouterr().out == "2 answers removed; the ledger of what they cost stays\n"
    assert main(["answers", "size", "--output-dir", str(folder)]) == 0
    assert "calls: 3 begun, 3 ended, 2 answered\n" in capsys.readouterr().out


def test_the_output_folder_comes_from_the_configuration(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    config = folder / "mine.json"
    config.write_text(json.dumps({"output_dir": str(folder)}))
    assert main(["answers", "size", "--config", str(config)]) == 0
    assert capsys.readouterr().out.startswith("answers: 2 in")


def test_without_answers_nothing_is_made(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for words in (["size"], ["export"], ["clear"], ["clear", "--yes"]):
        assert main(["answers", *words, "--output-dir", str(tmp_path / "none")]) == 0
    assert capsys.readouterr().out.startswith("no answers: there is no ")
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("words", "told"),
    [
        ([], "the following arguments are required: VERB"),
        (["answer"], "invalid choice: 'answer'"),
        (["answers"], "size|clear|export"),
        (["answers", "delete"], "invalid choice: 'delete'"),
        (["answers", "size", "--config", "no-such.json"], "error: no-such.json: there is no such file"),
        (["answers", "size", "--output-dir", "{folder}/broken"], "broken/answers.db is damaged"),
        (["answers", "export", "--output-dir", "{folder}", "--to", "{folder}"], "Is a directory"),
        (["answers", "export", "--output-dir", "{folder}", "--to", "{folder}/answers.db"], "name another"),
        (["answers", "export", "--output-dir", "{folder}", "--to", "{folder}/no/x"], "x cannot be written"),
    ],
)
def test_a_mistake_is_one_clear_line_and_exit_code_2(
    folder: Path, capsys: pytest.CaptureFixture[str], words: list[str], told: str
) -> None:
    (folder / "broken").mkdir()
    (folder / "broken" / "answers.db").write_bytes(b"no database" * 100)
    assert main([word.format(folder=folder) for word in words]) == 2
    output = capsys.readouterr()
    assert output.out == ""
    assert told in output.err.splitlines()[-1]
    assert "Traceback" not in output.err


@pytest.mark.parametrize(
    ("raised", "code", "told"),
    [
        (KeyboardInterrupt(), 130, ""),
        (PermissionError(13, "Not allowed", "answers.db"), 2, "error: [Errno 13] Not allowed: 'answers.db'\n"),
        (RuntimeError("odd\nlines"), 1, "error: RuntimeError: odd\\nlines (unexpected)\n"),
    ],
)
def test_whatever_happens_is_told_in_a_line_without_a_traceback(
    folder: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
    raised: BaseException,
    code: int,
    told: str,
) -> None:
    def size(book: PaidBook) -> tuple[int, int]:
        raise raised

    monkeypatch.setattr(PaidBook, "size", size)
    assert main(["answers", "size", "--output-dir", str(folder)]) == code
    assert capsys.readouterr().err == told


def test_every_verb_of_the_table_has_help(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--help"]) == 0
    overview = capsys.readouterr().out
    for verb in VERBS:
        assert f"  {verb} " in overview
        assert main([verb, "--help"]) == 0
        assert f"python -m literature_review {verb}" in capsys.readouterr().out


def test_it_runs_as_a_module(folder: Path) -> None:
    command = [sys.executable, "-m", "literature_review", "answers", "export", "--output-dir", str(folder)]
    run = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True)
    assert len(run.stdout.splitlines()) == 2


BROKEN_PIPE = """
import os, sys
from literature_review.__main__ import main
reading, writing = os.pipe()
os.dup2(writing, 1)
os.close(reading)
os.close(writing)
sys.exit(main(["answers", "export", "--output-dir", sys.argv[1]]))
"""


def test_a_reader_that_has_seen_enough_is_no_error(folder: Path) -> None:
    """`answers export | head -1` ends without a word."""
    command = [sys.executable, "-c", BROKEN_PIPE, str(folder)]
    run = subprocess.run(command, cwd=ROOT, capture_output=True, text=True)
    assert (run.returncode, run.stderr) == (1, "")
