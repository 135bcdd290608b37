"""Finds the papers below a folder.

    folder -> walk (sorted, hidden names left out) -> by ending: paper -> SHA-256 -> duplicates named
                                                               | references | ignored

Only regular files are opened. Links are followed where they stay inside the folder and lead into no circle.
"""

from __future__ import annotations

import os
import stat
from collections.abc import Collection, Iterator

from literature_review.documents.plain_text import MARKDOWN_ENDINGS, TEXT_ENDINGS
from literature_review.errors import UnreadablePaperError
from literature_review.files import sha256_of
from literature_review.light_record import record
from literature_review.records import PaperFile

PAPER_ENDINGS = (".pdf", *TEXT_ENDINGS, *MARKDOWN_ENDINGS)
REFERENCE_ENDINGS = (".ris", ".bib", ".bibtex")
OUTPUT_MARKS = ("review.db", "pipeline_checkpoint.json")


@record
class FoundPapers:
    """What lies below a papers folder, each sorted by id.

    `papers` with their digests and duplicates; `ignored`: ids of files that are no papers, and of folders that
    hold a review's output (with `/` at the end); `problems`: id -> why a paper cannot be opened; `references`: id
    and path of the RIS and BibTeX files, unread.
    """

    papers: tuple[PaperFile, ...]
    ignored: tuple[str, ...]
    problems: dict[str, UnreadablePaperError]
    references: tuple[tuple[str, str], ...] = ()


@record
class _Found:
    """A name that the walk came upon: kind is paper, references, ignored or problem."""

    id: str
    kind: str
    path: str = ""
    problem: UnreadablePaperError | None = None


def find_papers(folder: str | os.PathLike[str], skip: Collection[str | os.PathLike[str]] = ()) -> FoundPapers:
    """The papers below `folder`: PDF, text and Markdown by their ending, recursively.

    A paper's id is its path below the folder, with `/`. Names that begin with a dot are passed over. `skip`:
    paths that are left out with all below them (the output folder). A folder in which a review left its output
    (OUTPUT_MARKS) is ignored too. The contents are read in blocks for their digest; of papers with the same
    content the first by id is the paper, the others name it in `duplicate_of`. Problems: outside (a link that
    leads out of the folder), not_permitted, missing (a link to nothing), damaged (a device or a pipe; it is
    never opened). Raises UnreadablePaperError (missing, not_permitted) where the folder itself cannot be read.
    """
    root = os.path.realpath(folder)
    _refuse_no_folder(root, os.fspath(folder))
    left_out = {os.path.realpath(path) for path in skip} - {root}
    found = sorted(_walk(root, root, "", left_out, {root}), key=lambda one: one.id)
    problems = {one.id: one.problem for one in found if one.problem is not None}
    papers = []
    for one in found:
        if one.kind == "paper":
            try:
                papers.append(PaperFile(one.id, one.path, *sha256_of(one.path)))
            except OSError as error:
                problems[one.id] = _not_permitted(error)
    ignored = tuple(one.id for one in found if one.kind == "ignored")
    references = tuple((one.id, one.path) for one in found if one.kind == "references")
    return FoundPapers(_with_duplicates(papers), ignored, dict(sorted(problems.items())), references)


def _refuse_no_folder(root: str, given: str) -> None:
    try:
        os.scandir(root).close()
    except (FileNotFoundError, NotADirectoryError):
        raise UnreadablePaperError(
            "missing", f"There is no folder {given}: make it, or name another with --papers."
        ) from None
    except OSError as error:
        raise _not_permitted(error) from error


def _walk(root: str, folder: str, prefix: str, left_out: set[str], above: set[str]) -> Iterator[_Found]:
    """Everything below `folder`. `above`: real paths of the folders that lead here, so that circles end."""
    try:
        with os.scandir(folder) as entries:
            names = sorted(entry.name for entry in entries)
    except OSError as error:
        yield _Found(prefix, "problem", problem=_not_permitted(error))
        return
    if prefix and not set(OUTPUT_MARKS).isdisjoint(names):
        yield _Found(prefix, "ignored")
        return
    for name in names:
        if not name.startswith("."):
            yield from _look_at(root, os.path.join(folder, name), prefix + name, left_out, above)


def _look_at(root: str, path: str, id_: str, left_out: set[str], above: set[str]) -> Iterator[_Found]:
    real = os.path.realpath(path)
    if real in left_out:
        return
    is_paper = id_.lower().endswith(PAPER_ENDINGS)
    if real != path and not _is_below(real, root):
        yield _Found(id_, "problem", problem=_outside())
        return
    try:
        mode = os.stat(path).st_mode
    except OSError as error:
        yield _Found(id_, "problem", problem=_not_permitted(error)) if is_paper else _Found(id_, "ignored")
        return
    if stat.S_ISDIR(mode):
        if real not in above:
            yield from _walk(root, path, id_ + "/", left_out, above | {real})
    elif not is_paper:
        is_references = id_.lower().endswith(REFERENCE_ENDINGS) and stat.S_ISREG(mode)
        yield _Found(id_, "references", path) if is_references else _Found(id_, "ignored")
    elif not stat.S_ISREG(mode):
        yield _Found(id_, "problem", problem=_no_file())
    else:
        yield _Found(id_, "paper", path)


def _is_below(path: str, root: str) -> bool:
    return path == root or path.startswith(root.rstrip(os.sep) + os.sep)


def _with_duplicates(papers: list[PaperFile]) -> tuple[PaperFile, ...]:
    """The papers, those with the content of an earlier one marked. Empty files are no copies of each other."""
    first: dict[str, str] = {}
    marked = []
    for paper in papers:
        original = first.setdefault(paper.sha256, paper.id)
        is_copy = original != paper.id and paper.size > 0
        marked.append(PaperFile(paper.id, paper.path, paper.sha256, paper.size, original) if is_copy else paper)
    return tuple(marked)


def _not_permitted(error: OSError) -> UnreadablePaperError:
    if isinstance(error, FileNotFoundError):
        return UnreadablePaperError("missing", "The file is gone, or a link that leads nowhere: put it back.")
    return UnreadablePaperError("not_permitted", f"It cannot be opened ({error.strerror}): allow this user to read it.")


def _outside() -> UnreadablePaperError:
    return UnreadablePaperError(
        "outside", "The link leads out of the papers folder and was not followed: copy the file into the folder."
    )


def _no_file() -> UnreadablePaperError:
    return UnreadablePaperError("damaged", "This is a pipe or a device, not a file: put the paper itself here.")
