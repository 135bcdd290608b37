"""Which files below a folder are papers."""

from __future__ import annotations

import hashlib
import os
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from literature_review.documents.find import FoundPapers, find_papers
from literature_review.errors import UnreadablePaperError

posix = pytest.mark.skipif(os.name == "nt", reason="POSIX files")


def put(folder: Path, *names: str) -> None:
    for name in names:
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(name.encode("utf-8", "surrogateescape"))


def ids(found: FoundPapers) -> list[str]:
    return [paper.id for paper in found.papers]


def test_papers_are_found_by_their_ending_below_the_folder_and_sorted(tmp_path: Path) -> None:
    put(
        tmp_path,
        "b.pdf",
        "a.TXT",
        "sub/deep/c.Md",
        "sub/d.markdown",
        "e.text",
        "f.docx",
        "refs.bib",
        "sub/z.ris",
        "no_ending",
    )
    found = find_papers(tmp_path)
    assert ids(found) == ["a.TXT", "b.pdf", "e.text", "sub/d.markdown", "sub/deep/c.Md"]
    assert found.ignored == ("f.docx", "no_ending")
    assert found.references == tuple((name, str(tmp_path / name)) for name in ("refs.bib", "sub/z.ris"))
    assert found.problems == {}


def test_a_paper_names_its_place_its_size_and_the_digest_of_its_content(tmp_path: Path) -> None:
    (tmp_path / "a.txt").write_bytes(b"x" * 3_000_001)
    (paper,) = find_papers(tmp_path).papers
    assert (paper.size, paper.sha256) == (3_000_001, hashlib.sha256(b"x" * 3_000_001).hexdigest())
    assert Path(paper.path).read_bytes()[:1] == b"x"


def test_hidden_names_are_passed_over(tmp_path: Path) -> None:
    put(tmp_path, ".a.txt", ".git/b.txt", "c.txt", "._c.pdf")
    found = find_papers(tmp_path)
    assert (ids(found), found.ignored) == (["c.txt"], ())


ODD_NAMES = [
    "with blank.txt",
    'it\'s "q".txt',
    "-rf.txt",
    "..a.txt"[2:],
    "a..b.txt",
    "ünï中.txt",
    "new\nline.txt",
    "%s{0}.txt",
    "$HOME.txt",
    "b\udcff.txt",
]


@posix
@pytest.mark.parametrize("name", ODD_NAMES)
def test_odd_names_are_papers_like_others(tmp_path: Path, name: str) -> None:
    try:
        put(tmp_path, f"sub/{name}")
    except (OSError, UnicodeEncodeError):
        pytest.skip("this file system has no such name")
    assert ids(find_papers(tmp_path)) == [f"sub/{name}"]


def test_two_files_of_one_name_are_two_papers(tmp_path: Path) -> None:
    put(tmp_path, "a/x.txt", "b/x.txt")
    assert ids(find_papers(tmp_path)) == ["a/x.txt", "b/x.txt"]


def test_the_first_of_equal_files_is_the_paper_and_the_others_name_it(tmp_path: Path) -> None:
    for name in ("c.txt", "a.txt", "b.pdf"):
        (tmp_path / name).write_bytes(b"same")
    put(tmp_path, "d.txt")
    assert [(paper.id, paper.duplicate_of) for paper in find_papers(tmp_path).papers] == [
        ("a.txt", None),
        ("b.pdf", "a.txt"),
        ("c.txt", "a.txt"),
        ("d.txt", None),
    ]


def test_empty_files_are_no_copies_of_each_other(tmp_path: Path) -> None:
    (tmp_path / "a.txt").touch()
    (tmp_path / "b.txt").touch()
    assert [paper.duplicate_of for paper in find_papers(tmp_path).papers] == [None, None]


def test_what_is_to_be_skipped_is_not_looked_into(tmp_path: Path) -> None:
    put(tmp_path, "a.txt", "out/report.txt", "notes.md")
    found = find_papers(tmp_path, skip=[tmp_path / "out", tmp_path / "notes.md"])
    assert (ids(found), found.ignored) == (["a.txt"], ())


def test_a_folder_with_a_review_s_output_is_ignored(tmp_path: Path) -> None:
    put(tmp_path, "a.txt", "old/review.db", "old/summary.txt", "new/pipeline_checkpoint.json", "new/b.txt")
    found = find_papers(tmp_path)
    assert (ids(found), found.ignored) == (["a.txt"], ("new/", "old/"))


def test_the_papers_folder_itself_may_hold_the_output(tmp_path: Path) -> None:
    """Who sets output_dir to the papers folder still has papers."""
    put(tmp_path, "a.txt", "review.db", "gap_analysis_report.json")
    found = find_papers(tmp_path, skip=[tmp_path])
    assert ids(found) == ["a.txt"]
    assert found.ignored == ("gap_analysis_report.json", "review.db")


@posix
def test_links_inside_are_followed_and_links_that_lead_out_are_not(tmp_path: Path) -> None:
    papers = tmp_path / "papers"
    put(papers, "real.txt", "sub/b.txt")
    put(tmp_path, "secret.txt", "elsewhere/c.txt", "papers-too/d.txt")
    (papers / "link.txt").symlink_to("real.txt")
    (papers / "out.txt").symlink_to(tmp_path / "secret.txt")
    (papers / "folder").symlink_to(tmp_path / "elsewhere")
    (papers / "sibling").symlink_to(tmp_path / "papers-too")
    (papers / "gone.pdf").symlink_to("nothing.pdf")
    found = find_papers(papers)
    assert ids(found) == ["link.txt", "real.txt", "sub/b.txt"]
    assert {id_: problem.reason for id_, problem in found.problems.items()} == {
        "folder": "outside",
        "gone.pdf": "missing",
        "out.txt": "outside",
        "sibling": "outside",
    }


@posix
def test_circles_of_links_end(tmp_path: Path) -> None:
    put(tmp_path, "a/b/x.txt")
    (tmp_path / "a" / "b" / "up").symlink_to(tmp_path / "a")
    (tmp_path / "a" / "self.txt").symlink_to("self.txt")
    (tmp_path / "here").symlink_to(".")
    found = find_papers(tmp_path)
    assert ids(found) == ["a/b/x.txt"]
    assert list(found.problems) == ["a/self.txt"]


@posix
def test_a_folder_reached_through_a_link_is_the_root_of_its_papers(tmp_path: Path) -> None:
    put(tmp_path, "real/a.txt")
    (tmp_path / "link").symlink_to("real")
    assert ids(find_papers(tmp_path / "link")) == ["a.txt"]


@posix
def test_pipes_and_devices_are_never_opened(tmp_path: Path) -> None:
    """Opening a pipe would wait for ever."""
    os.mkfifo(tmp_path / "a.txt")
    os.mkfifo(tmp_path / "b.fifo")
    found = find_papers(tmp_path)
    assert found.papers == ()
    assert found.problems["a.txt"].reason == "damaged"
    assert found.ignored == ("b.fifo",)


@posix
def test_a_file_put_out_of_reach_is_a_problem_and_not_an_end(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    put(tmp_path, "a.txt", "b.txt")
    real_open = os.open

    def guarded(path: str, flags: int) -> int:
        if path.endswith("a.txt"):
            raise PermissionError(13, "Permission denied", path)
        return real_open(path, flags)

    monkeypatch.setattr(os, "open", guarded)
    found = find_papers(tmp_path)
    assert ids(found) == ["b.txt"]
    assert found.problems["a.txt"].reason == "not_permitted"
    assert "Permission denied" in str(found.problems["a.txt"])


@pytest.mark.skipif(os.name == "nt" or not hasattr(os, "geteuid") or os.geteuid() == 0, reason="root may read all")
def test_a_folder_without_permission_is_a_problem(tmp_path: Path) -> None:
    put(tmp_path, "locked/a.txt", "b.txt")
    (tmp_path / "locked").chmod(0)
    try:
        found = find_papers(tmp_path)
    finally:
        (tmp_path / "locked").chmod(0o700)
    assert ids(found) == ["b.txt"]
    assert found.problems["locked/"].reason == "not_permitted"


@pytest.mark.parametrize("name", ["nothing", "file.txt", "nothing/deeper"])
def test_no_folder_is_named_with_what_to_do(tmp_path: Path, name: str) -> None:
    put(tmp_path, "file.txt")
    with pytest.raises(UnreadablePaperError) as caught:
        find_papers(tmp_path / name)
    assert caught.value.reason == "missing"
    assert "--papers" in str(caught.value)


def test_an_empty_folder_has_no_papers(tmp_path: Path) -> None:
    assert find_papers(tmp_path) == FoundPapers((), (), {})


def test_depth_does_not_end_the_program(tmp_path: Path) -> None:
    """Folders within folders, as deep as the system lets a path be."""
    deep = tmp_path
    for _ in range(200):
        deep = deep / "d"
    deep.mkdir(parents=True)
    (deep / "a.txt").write_text("x")
    assert len(find_papers(tmp_path).papers) == 1


@settings(max_examples=25, deadline=None)
@given(st.lists(st.text(st.sampled_from("aB. -_é'"), min_size=1, max_size=6), max_size=6, unique=True))
def test_every_file_is_a_paper_or_ignored_or_hidden(tmp_path_factory: pytest.TempPathFactory, names: list[str]) -> None:
    folder = tmp_path_factory.mktemp("papers")
    names = [f"{name.strip() or 'x'}.txt" for name in names]
    put(folder, *names)
    found = find_papers(folder)
    seen = {name for name in os.listdir(folder) if not name.startswith(".")}
    assert set(ids(found)) | set(found.ignored) | {name for name, _ in found.references} == seen
