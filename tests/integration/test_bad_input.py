"""What a user does wrong, through the whole command: one line that says what to do, the right exit code, no loss."""

from __future__ import annotations

import errno
import os
import sqlite3
from collections.abc import Callable
from pathlib import Path

import pytest

import pipeline_orchestrator
from literature_review.llm.paid_book import PaidBook, PaidQuestion
from tests.paid_samples import question
from tests.review_samples import checkpoint_of, make_review, tree

pytestmark = pytest.mark.integration
Run = Callable[..., "tuple[int, str]"]
KEPT = ("review.db", "review_version_history.json")


@pytest.fixture
def run(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> Run:
    """The command in this process, over the review in tmp_path: exit code and what it said."""
    make_review(tmp_path)

    def once(*options: str) -> tuple[int, str]:
        code = pipeline_orchestrator.main(["--config", str(tmp_path / "pipeline_config.json"), *options])
        said = capsys.readouterr()
        assert "Traceback" not in said.out + said.err
        assert "unexpected" not in said.out
        return code, said.out + said.err

    return once


def cut(path: Path) -> None:
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])


def no_such_file(path: Path) -> None:
    path.write_text("not at all what belongs here\n" * 100, encoding="utf-8")


def a_folder(path: Path) -> None:
    path.unlink()
    path.mkdir()


def of_another_program(path: Path) -> None:
    path.unlink()
    if path.suffix == ".db":
        with sqlite3.connect(path) as connection:
            connection.execute("CREATE TABLE theirs (a)")
        connection.close()
    else:
        path.write_text('{"theirs": 1}', encoding="utf-8")


def a_damaged_page(path: Path) -> None:
    """Pages in the middle hold noise; the head is whole."""
    whole = path.read_bytes()
    head = min(4096, len(whole) // 2)
    path.write_bytes(whole[:head] + b"\xa5" * (len(whole) - head))


@pytest.mark.parametrize("name", KEPT)
@pytest.mark.parametrize("harm", [cut, no_such_file, a_folder, of_another_program, a_damaged_page])
def test_what_earlier_runs_left_is_looked_at_by_the_dry_run_too(
    run: Run, tmp_path: Path, name: str, harm: Callable[[Path], None]
) -> None:
    """A database or history that a run could not use is told by the dry run: exit code 2, the file named, no file
    changed."""
    assert run()[0] == 0
    harm(tmp_path / "out" / name)
    before = tree(tmp_path)
    code, said = run("--dry-run")
    assert code == 2, said
    assert sum(name in line for line in said.splitlines() if "[ERROR]" in line) == 1, said
    assert tree(tmp_path) == before


@pytest.mark.parametrize("name", KEPT)
@pytest.mark.parametrize("harm", [no_such_file, a_folder, of_another_program])
def test_a_run_does_not_begin_where_it_could_not_be_kept(
    run: Run, tmp_path: Path, name: str, harm: Callable[[Path], None]
) -> None:
    """Exit code 2 before a paper is read; the last run's checkpoint stays in its place, and all files as they were."""
    assert run()[0] == 0
    harm(tmp_path / "out" / name)
    before = tree(tmp_path)
    for options in ((), ("--resume",), ("--force",), ("--resume-from", "judge")):
        code, said = run(*options)
        assert code == 2, said
        assert "Executing" not in said
    assert tree(tmp_path) == before


def test_all_that_is_damaged_is_told_at_once(run: Run, tmp_path: Path) -> None:
    assert run()[0] == 0
    for name in KEPT:
        no_such_file(tmp_path / "out" / name)
    (tmp_path / "protocol.json").write_text("{", encoding="utf-8")
    code, said = run("--dry-run")
    assert code == 2
    assert sum("[ERROR]" in line for line in said.splitlines()) == 3, said


def test_a_damaged_answer_store_is_told_before_anything_is_paid_for(
    run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    pytest.importorskip("openai", reason="needs the extra openai")
    llm = {"backend": "openai_compatible", "model": "m", "base_url": "http://127.0.0.1:9/v1"}
    make_review(tmp_path, llm=llm)
    with PaidBook(tmp_path / "out" / "answers.db") as book:
        book.begin(PaidQuestion(question(), "openai_compatible", "m", {}, "judge", "a.txt"), None, None)
    no_such_file(tmp_path / "out" / "answers.db")
    before = tree(tmp_path)
    for options in (("--dry-run",), ()):
        code, said = run(*options)
        assert code == 2, said
        assert "answers.db is damaged or is no SQLite database" in said
    assert tree(tmp_path) == before


def test_a_dry_run_beside_a_killed_run_leaves_its_log_as_it_is(run: Run, tmp_path: Path) -> None:
    """A run that was killed left a write-ahead log: the dry run reads it along and folds nothing."""
    assert run()[0] == 0
    database = tmp_path / "out" / "review.db"
    connection = sqlite3.connect(database, isolation_level=None)
    connection.execute("PRAGMA wal_autocheckpoint = 0")
    connection.execute("UPDATE stage_results SET finished_at = 'later'")
    copies = {name: (tmp_path / "out" / name).read_bytes() for name in ("review.db", "review.db-wal")}
    connection.close()
    for name, data in copies.items():
        (tmp_path / "out" / name).write_bytes(data)
    assert len(copies["review.db-wal"]) > 0
    code, said = run("--dry-run")
    assert code == 0, said
    assert {name: (tmp_path / "out" / name).read_bytes() for name in copies} == copies


def may_not(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The file or folder may not be read, whoever runs the tests."""
    path.chmod(0)
    true_access, true_open, true_scandir = os.access, os.open, os.scandir
    monkeypatch.setattr(os, "access", lambda name, *rest, **more: str(name) != str(path) and true_access(name, *rest))

    def refuse(true: Callable[..., object]) -> Callable[..., object]:
        def opened(name: object = ".", *rest: object, **more: object) -> object:
            if str(name) == str(path):
                raise PermissionError(13, "Permission denied", str(path))
            return true(name, *rest, **more)

        return opened

    monkeypatch.setattr(os, "open", refuse(true_open))
    monkeypatch.setattr(os, "scandir", refuse(true_scandir))
    monkeypatch.setattr("builtins.open", refuse(open))


@pytest.mark.parametrize("options", [("--dry-run",), ()])
def test_a_papers_folder_that_may_not_be_read(
    run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, options: tuple[str, ...]
) -> None:
    with monkeypatch.context() as patch:
        may_not(tmp_path / "papers", patch)
        code, said = run(*options)
    (tmp_path / "papers").chmod(0o755)
    assert code == 2, said
    assert "papers: " in said
    assert "allow this user to read it" in said


@pytest.mark.parametrize("options", [("--dry-run",), (), ("--resume",)])
def test_a_checkpoint_that_may_not_be_read(
    run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, options: tuple[str, ...]
) -> None:
    assert run()[0] == 0
    with monkeypatch.context() as patch:
        may_not(tmp_path / "checkpoint.json", patch)
        code, said = run(*options)
    (tmp_path / "checkpoint.json").chmod(0o644)
    assert code == 2, said
    assert "checkpoint_file: " in said
    assert checkpoint_of(tmp_path)["status"] == "completed"


def test_a_checkpoint_that_is_no_file(run: Run, tmp_path: Path) -> None:
    """A pipe would be waited for without end; a name with a slash at its end is a folder's."""
    if hasattr(os, "mkfifo"):
        os.mkfifo(tmp_path / "pipe")
        code, said = run("--checkpoint-file", str(tmp_path / "pipe"))
        assert code == 2
        assert "is no file" in said
    code, said = run("--checkpoint-file", f"{tmp_path}/new/")
    assert code == 2
    assert "name a file" in said
    assert not (tmp_path / "new").exists()


@pytest.mark.parametrize(
    "name", ["pipeline_config.json", "protocol.json", "checkpoint.json", "papers/trial_001.txt", "papers/run.txt",
             "out/review.db", "out/review_version_history.json"]
)  # fmt: skip
def test_a_log_goes_into_no_file_of_the_review(run: Run, tmp_path: Path, name: str) -> None:
    """A log that is appended to the protocol, or lies among the papers, would be read as such by the next run."""
    assert run()[0] == 0
    before = tree(tmp_path)
    for options in (("--dry-run",), ()):
        code, said = run(*options, "--log-file", str(tmp_path / name))
        assert code == 2, said
        assert "--log-file" in said
        assert "name another file" in said
    assert tree(tmp_path) == before


def test_a_dry_run_that_finds_no_room_for_its_checkpoint_says_so(
    run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(path: str, data: bytes) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr("literature_review.pipeline.dry_run.write_atomically", full)
    code, said = run("--dry-run")
    assert code == 2
    assert "cannot be written (No space left on device); make room" in said


def test_a_log_beside_the_papers_is_fine(run: Run, tmp_path: Path) -> None:
    assert run("--log-file", str(tmp_path / "papers" / "run.log"))[0] == 0


def test_a_run_without_standard_output_does_its_work(
    run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Closed before the start, as some schedulers do: the review is made, and the log file tells of it."""
    with monkeypatch.context() as patch:
        patch.setattr("sys.stdout", None)
        patch.setattr("sys.stderr", None)
        log = tmp_path / "run.log"
        code = pipeline_orchestrator.main(
            ["--config", str(tmp_path / "pipeline_config.json"), "--log-file", str(log)]
        )
    assert code == 0
    assert "Pipeline Complete!" in log.read_text(encoding="utf-8")
    assert checkpoint_of(tmp_path)["status"] == "completed"


@pytest.mark.parametrize("option", ["--config", "--log-file"])
def test_an_option_without_its_value_is_told(run: Run, option: str) -> None:
    code, said = run(option, "")
    assert code == 2
    assert f"{option}: is empty" in said


STAGES = {
    "raising": "def run(context):\n    raise ValueError('this stage is broken')\n",
    "of_no_use": "def run(context):\n    return 42\n",
    "exiting": "import sys\ndef run(context):\n    sys.exit(0)\n",
    "unplain": "from literature_review.models import StageResult\n"
    "def run(context):\n    return StageResult('completed', record={'odd': {1, 2}})\n",
}


@pytest.mark.parametrize("module", sorted(STAGES))
@pytest.mark.parametrize("per_paper", [True, False])
def test_a_stage_of_ones_own_that_fails_is_named(
    run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, module: str, per_paper: bool
) -> None:
    """The stage, its module and the error in one line; the run ends in order: a summary, its checkpoint says failed,
    what was done before is kept. The log file tells where it happened."""
    monkeypatch.syspath_prepend(str(tmp_path))
    (tmp_path / f"stage_{module}.py").write_text(STAGES[module], encoding="utf-8")
    make_review(tmp_path, stages=[{"name": "mine", "module": f"stage_{module}", "per_paper": per_paper}])
    code, said = run("--log-file", str(tmp_path / "run.log"))
    assert code == 1
    assert f"stage_{module}" in said or per_paper
    assert "Papers: 3" in said
    assert "Pipeline Complete!" not in said
    data = checkpoint_of(tmp_path)
    if per_paper:
        assert sum("Failed: trial_" in line for line in said.splitlines()) == 3
        assert data["stats"]["failed_papers"] == 3
    if not per_paper:
        assert data["status"] == "failed"
        assert data["stages"]["mine"]["status"] == "failed"
        assert module == "exiting" or "Traceback" in (tmp_path / "run.log").read_text(encoding="utf-8")
    assert (tmp_path / "out" / "gap_analysis_report.json").exists()


@pytest.mark.parametrize("options", [("--dry-run",), ()])
def test_a_key_of_blanks_is_no_key(
    run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, options: tuple[str, ...]
) -> None:
    make_review(tmp_path, llm={"backend": "gemini"})
    monkeypatch.setenv("GEMINI_API_KEY", " \n")
    code, said = run(*options)
    assert code == 2
    assert "needs its key in the environment variable GEMINI_API_KEY" in said


def test_a_paper_that_could_not_be_assessed_is_not_all_well(run: Run) -> None:
    """--resume-from judge where journal_reviewer never ran: nothing is read, each paper says why, exit code 1."""
    code, said = run("--resume-from", "judge")
    assert code == 1
    assert said.count("no result of journal_reviewer") >= 3
    assert "trial_001.txt: trial_001.txt" not in said
    assert "Pipeline Complete!" not in said
