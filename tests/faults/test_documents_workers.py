"""What happens to a paper, and to the papers after it, when the process that reads it fails.

The workers here are the real one or a few lines of Python in its place; no test waits longer than it must.
"""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import pytest

from literature_review.documents import PaperReader
from literature_review.documents.worker_pool import worker_command
from literature_review.errors import StageTimeoutError, UnreadablePaperError
from literature_review.ports import Deadline
from tests.pdf_factory import make_pdf

pytestmark = pytest.mark.fault
ROOT = str(Path(__file__).resolve().parents[2])

# A worker's frame is a mark, a length and JSON; these are written out here so that the test holds the format.
_FAKE = f"""
import json, os, struct, sys, time
sys.path.insert(0, {ROOT!r})
out, source = sys.stdout.buffer, sys.stdin.buffer
def say(message):
    body = json.dumps(message).encode()
    out.write(struct.pack(">4sI", b"LRW1", len(body)) + body); out.flush()
def hear():
    mark, length = struct.unpack(">4sI", source.read(8))
    request = json.loads(source.read(length))
    return dict(request, path=bytes.fromhex(request["path"]).decode())
def document(text):
    return {{"text": text, "pages": [[1, 0, len(text)]], "sections": [], "metadata": {{}}, "hidden": []}}
say({{"ready": True}})
"""
_GOOD = 'say({"id": request["id"], "document": document(os.path.basename(request["path"]))})'
FAULTS = {
    "dies": "os._exit(3)",
    "writes garbage": 'out.write(b"%PDF-1.7 this is no frame at all"); out.flush(); time.sleep(60)',
    "writes half an answer": 'out.write(struct.pack(">4sI", b"LRW1", 999) + b"{\\"id\\""); out.flush(); os._exit(0)',
    "writes no JSON": 'out.write(struct.pack(">4sI", b"LRW1", 3) + b"abc"); out.flush()',
    "answers another question": 'say({"id": -1, "document": document("wrong")})',
    "claims a length without end": 'out.write(struct.pack(">4sI", b"LRW1", 2**32 - 1)); out.flush(); time.sleep(60)',
}


def fake_worker(on_bad: str) -> Callable[[], Sequence[str]]:
    """A worker that answers with the file's name, and does `on_bad` for a file named bad.pdf."""
    code = _FAKE + (
        "while True:\n    request = hear()\n"
        f"    if request['path'].endswith('bad.pdf'):\n        {on_bad}\n    else:\n        {_GOOD}\n"
    )
    return lambda: [sys.executable, "-c", code]


@pytest.fixture
def papers(tmp_path: Path) -> dict[str, str]:
    names = {name: tmp_path / f"{name}.pdf" for name in ("good", "bad", "other")}
    for path in names.values():
        path.write_bytes(make_pdf(["Some text."]))
    return {name: str(path) for name, path in names.items()}


@pytest.fixture
def open_readers() -> Iterator[Callable[..., PaperReader]]:
    readers: list[PaperReader] = []

    def make(**options: object) -> PaperReader:
        readers.append(PaperReader(**options))  # type: ignore[arg-type]
        return readers[-1]

    yield make
    for reader in readers:
        reader.close()


Make = Callable[..., PaperReader]


@pytest.mark.parametrize("fault", FAULTS)
def test_a_broken_worker_fails_its_paper_alone(fault: str, papers: dict[str, str], open_readers: Make) -> None:
    """The paper is named as the one that crashes the parser; those before and after it are read."""
    reader = open_readers(workers=1, worker_command=fake_worker(FAULTS[fault]))
    assert reader.read(papers["good"], Deadline()).text == "good.pdf"
    with pytest.raises(UnreadablePaperError) as caught:
        reader.read(papers["bad"], Deadline())
    assert caught.value.reason == "crashed"
    assert reader.read(papers["other"], Deadline()).text == "other.pdf"


def test_a_hanging_worker_is_killed_and_its_paper_is_permanently_unreadable(
    papers: dict[str, str], open_readers: Make
) -> None:
    reader = open_readers(workers=1, timeout=0.3, worker_command=fake_worker("time.sleep(600)"))
    reader.read(papers["good"], Deadline())
    (hanging,) = reader.worker_ids()
    with pytest.raises(UnreadablePaperError) as caught:
        reader.read(papers["bad"], Deadline())
    assert caught.value.reason == "timed_out"
    assert "0.3 seconds" in str(caught.value)
    assert not _runs(hanging)
    assert reader.read(papers["other"], Deadline()).text == "other.pdf"


def test_a_paper_that_kills_its_worker_late_gets_no_second_time(papers: dict[str, str], open_readers: Make) -> None:
    """The fresh worker is given what is left of the paper's time: a crash after most of it is not waited for twice."""
    reader = open_readers(workers=1, timeout=0.5, worker_command=fake_worker("time.sleep(0.4); os._exit(3)"))
    with pytest.raises(UnreadablePaperError) as caught:
        reader.read(papers["bad"], Deadline())
    assert caught.value.reason == "timed_out"
    assert reader.read(papers["other"], Deadline()).text == "other.pdf"


def test_one_file_may_be_given_a_time_of_its_own(papers: dict[str, str], open_readers: Make) -> None:
    reader = open_readers(workers=1, timeout=600, worker_command=fake_worker("time.sleep(600)"))
    with pytest.raises(UnreadablePaperError, match=r"longer than 0\.2 seconds"):
        reader.read_within(papers["bad"], 0.2, Deadline())


def test_the_stage_s_deadline_is_transient_and_kills_the_worker(papers: dict[str, str], open_readers: Make) -> None:
    reader = open_readers(workers=1, worker_command=fake_worker("time.sleep(600)"))
    reader.read(papers["good"], Deadline())
    (hanging,) = reader.worker_ids()
    with pytest.raises(StageTimeoutError):
        reader.read(papers["bad"], Deadline(0.3))
    assert not _runs(hanging)


def test_a_cancelled_run_is_noticed_at_once(papers: dict[str, str], open_readers: Make) -> None:
    """Within 0.2 seconds, and a little for a busy machine."""
    cancelled = threading.Event()
    reader = open_readers(workers=1, worker_command=fake_worker("time.sleep(600)"))
    reader.read(papers["good"], Deadline())
    told_at: list[float] = []

    def cancel() -> None:
        told_at.append(time.monotonic())
        cancelled.set()

    timer = threading.Timer(0.05, cancel)
    timer.start()
    with pytest.raises(StageTimeoutError):
        reader.read(papers["bad"], Deadline(None, cancelled))
    assert time.monotonic() - told_at[0] < 1.0
    assert reader.worker_ids() == []
    timer.join()


def test_who_waits_for_a_worker_notices_the_deadline(papers: dict[str, str], open_readers: Make) -> None:
    """All workers are busy with a paper that hangs: the next caller does not wait for ever."""
    reader = open_readers(workers=1, timeout=60, worker_command=fake_worker("time.sleep(600)"))
    reader.read(papers["good"], Deadline())
    stop = threading.Event()
    busy = threading.Thread(target=lambda: _quietly(reader, papers["bad"], Deadline(None, stop)))
    busy.start()

    def read_until_all_workers_are_busy() -> None:
        while True:
            reader.read(papers["good"], Deadline(0.2))

    with pytest.raises(StageTimeoutError):
        read_until_all_workers_are_busy()
    stop.set()
    busy.join(timeout=10)
    assert not busy.is_alive()


def test_a_worker_killed_from_outside_costs_nothing(papers: dict[str, str], open_readers: Make) -> None:
    """kill -9 while it is idle: the next paper is read by a new one."""
    pytest.importorskip("pypdfium2")
    reader = open_readers(workers=1)
    assert reader.read(papers["good"], Deadline()).text == "Some text."
    (first,) = reader.worker_ids()
    os.kill(first, getattr(signal, "SIGKILL", signal.SIGTERM))
    assert reader.read(papers["other"], Deadline()).text == "Some text."
    assert reader.worker_ids() != [first]


def test_a_worker_killed_in_the_middle_of_a_paper_is_tried_again_once(tmp_path: Path, open_readers: Make) -> None:
    """The first worker dies of the paper, a fresh one reads it: nothing is lost."""
    paper, mark = tmp_path / "bad.pdf", tmp_path / "tried"
    paper.write_bytes(make_pdf(["Some text."]))
    once = f"os._exit(9) if not os.path.exists({str(mark)!r}) and open({str(mark)!r}, 'w') else {_GOOD}"
    reader = open_readers(workers=1, worker_command=fake_worker(once))
    assert reader.read(str(paper), Deadline()).text == "bad.pdf"


def test_a_worker_that_cannot_start_says_so(papers: dict[str, str], open_readers: Make) -> None:
    for command in ([sys.executable, "-c", "raise SystemExit(1)"], ["/nowhere/python-that-is-not-there"]):
        reader = open_readers(workers=1, worker_command=lambda command=command: command)
        with pytest.raises(UnreadablePaperError) as caught:
            reader.read(papers["good"], Deadline())
        assert caught.value.reason == "no_reader"


def test_a_missing_pdf_library_in_the_worker_names_the_command(papers: dict[str, str], open_readers: Make) -> None:
    code = _FAKE.replace('say({"ready": True})', 'say({"ready": False, "message": "ImportError: libpdfium"})')
    reader = open_readers(workers=1, worker_command=lambda: [sys.executable, "-c", code])
    with pytest.raises(UnreadablePaperError) as caught:
        reader.read(papers["good"], Deadline())
    assert caught.value.reason == "no_reader"
    assert "pip install --upgrade pypdfium2" in str(caught.value)


@pytest.mark.skipif(os.name == "nt", reason="signals to a process are POSIX's")
def test_workers_ignore_ctrl_c_and_end_with_their_parent(tmp_path: Path) -> None:
    """SIGINT leaves the worker alone; when its program is killed outright, it ends, even while it hangs."""
    pytest.importorskip("pypdfium2")
    (tmp_path / "a.pdf").write_bytes(make_pdf(["Some text."]))
    code = (
        f"import sys, time; sys.path.insert(0, {ROOT!r})\n"
        "from literature_review.documents import PaperReader\n"
        "from literature_review.ports import Deadline\n"
        f"reader = PaperReader(workers=1); reader.read({str(tmp_path / 'a.pdf')!r}, Deadline())\n"
        "sys.stdout.write(f'{reader.worker_ids()[0]}\\n'); sys.stdout.flush(); time.sleep(60)"
    )
    with subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE, text=True) as parent:
        assert parent.stdout is not None
        worker = int(parent.stdout.readline())
        os.kill(worker, signal.SIGINT)
        assert _runs(worker)
        parent.kill()
        parent.wait()
    until = time.monotonic() + 10
    while _runs(worker) and time.monotonic() < until:
        time.sleep(0.01)
    assert not _runs(worker)


def test_close_ends_the_workers_and_may_be_called_again(papers: dict[str, str]) -> None:
    reader = PaperReader(workers=2, worker_command=fake_worker("pass"))
    reader.read(papers["good"], Deadline())
    (worker,) = reader.worker_ids()
    reader.close()
    reader.close()
    assert not _runs(worker)


@pytest.mark.skipif(not hasattr(os, "fork"), reason="no fork on this system")
def test_a_forked_child_leaves_its_parent_s_workers_alone(papers: dict[str, str], tmp_path: Path) -> None:
    """The child reads with a worker of its own, exits normally, and the parent's worker still answers."""
    code = (
        f"import os, sys; sys.path.insert(0, {ROOT!r})\n"
        "from tests.faults.test_documents_workers import fake_worker\n"
        "from literature_review.documents import PaperReader\n"
        "from literature_review.ports import Deadline\n"
        f"good = {papers['good']!r}\n"
        "reader = PaperReader(workers=1, worker_command=fake_worker('pass'))\n"
        "reader.read(good, Deadline()); before = reader.worker_ids()\n"
        "child = os.fork()\n"
        "if child == 0:\n"
        "    reader.read(good, Deadline()); sys.exit(0 if reader.worker_ids() != before else 5)\n"
        "status = os.waitpid(child, 0)[1]\n"
        "reader.read(good, Deadline())\n"
        "sys.exit(0 if status == 0 and reader.worker_ids() == before else 6)\n"
    )
    done = subprocess.run([sys.executable, "-W", "ignore", "-c", code], capture_output=True, timeout=60, cwd=ROOT)
    assert done.returncode == 0, done.stderr.decode()


def test_no_key_of_the_environment_reaches_a_worker(monkeypatch: pytest.MonkeyPatch, papers: dict[str, str]) -> None:
    monkeypatch.setenv("GEMINI_API_KEY", "secret-key")
    shows = 'say({"id": request["id"], "document": document(repr(dict(os.environ)))})'
    with PaperReader(workers=1, worker_command=fake_worker(shows)) as reader:
        assert "secret-key" not in reader.read(papers["bad"], Deadline()).text


def test_nothing_beside_the_papers_is_imported(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The current folder is not on the worker's import path."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.syspath_prepend("")
    assert "" not in worker_command()
    assert worker_command()[:2] == [sys.executable, "-I"]


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="RLIMIT_AS holds on Linux")
def test_a_worker_s_memory_is_limited() -> None:
    code = (
        f"import sys; sys.path.insert(0, {ROOT!r})\n"
        "from literature_review.documents.pdf_worker import limit_memory\n"
        "limit_memory(400 * 2**20)\n"
        "try:\n    bytearray(2**30)\nexcept MemoryError:\n    sys.exit(7)\n"
    )
    assert subprocess.run([sys.executable, "-c", code], timeout=60).returncode == 7


def _quietly(reader: PaperReader, path: str, deadline: Deadline) -> None:
    try:
        reader.read(path, deadline)
    except StageTimeoutError:
        pass


def _runs(process_id: int) -> bool:
    """True while the process is there and not merely waiting to be reaped."""
    try:
        os.kill(process_id, 0)
    except ProcessLookupError:
        return False
    stat = Path(f"/proc/{process_id}/stat")
    return not stat.exists() or stat.read_text().rsplit(")", 1)[1].split()[0] != "Z"
