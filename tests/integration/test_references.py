"""A reference file beside the papers, through the whole pipeline: used, reported, and its changes noticed."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.integration.test_pipeline_run import run
from tests.review_samples import ROOT, make_review, report_of, write_config

pytestmark = pytest.mark.integration
RIS = """TY  - JOUR
AU  - Rowe, Tea
TI  - Evening tea and sleep: trial {number}
PY  - {year}
L1  - trial_{number:03}.txt
ER  -
"""
BY_TITLE = "@article{k, title={Evening tea and sleep: trial 3}, author={Cha, Min}, year=2017}\n"


def write(folder: Path, name: str, content: str) -> None:
    (folder / "papers" / name).write_text(content, encoding="utf-8")


def ris(*years: int) -> str:
    return "".join(RIS.format(number=number, year=year) for number, year in enumerate(years, 1))


@pytest.fixture
def with_packages() -> None:
    pytest.importorskip("rispy")
    pytest.importorskip("bibtexparser")


@pytest.mark.usefixtures("with_packages")
def test_reference_files_are_used_and_said_so(tmp_path: Path) -> None:
    make_review(tmp_path, papers=3)
    write(tmp_path, "refs.ris", ris(2015, 2016))
    write(tmp_path, "lib.bib", BY_TITLE + "@book{lone, title={A book that nobody has here}}")
    result, said = run(tmp_path)
    papers = report_of(tmp_path)["papers"]
    assert [(one["year"], one["authors"]) for one in papers] == [
        (2015, ["Tea Rowe"]),
        (2016, ["Tea Rowe"]),
        (2017, ["Min Cha"]),
    ]
    assert [one["sources"]["year"] for one in papers] == ["RIS (refs.ris)", "RIS (refs.ris)", "BibTeX (lib.bib)"]
    facts = report_of(tmp_path, without_run=False)["run"]
    assert (facts["ignored_files"], facts["reference_files"]) == ([], ["lib.bib", "refs.ris"])
    lone = 'lib.bib line 2 (lone): no paper is the one that it names: "A book that nobody has here"'
    assert (facts["entries_without_paper"], facts["papers_with_several_entries"]) == ([lone], [])
    assert report_of(tmp_path)["totals"]["entries_without_paper"] == 1
    assert f"[WARNING] {lone}" in said
    assert result.exit_code == 0


@pytest.mark.usefixtures("with_packages")
def test_a_paper_whose_entry_changed_is_redone_and_named(tmp_path: Path) -> None:
    """Found by its file or by its title alike; the others stand as they are."""
    make_review(tmp_path, papers=3)
    write(tmp_path, "refs.ris", ris(2015, 2016))
    write(tmp_path, "lib.bib", BY_TITLE)
    run(tmp_path)
    assert run(tmp_path)[0].worked == ()
    write(tmp_path, "refs.ris", ris(2015, 2018))
    result, said = run(tmp_path)
    assert result.worked == ("trial_002.txt",)
    assert "bibliography changed: done again: trial_002.txt" in said
    write(tmp_path, "lib.bib", BY_TITLE.replace("2017", "2019"))
    assert run(tmp_path)[0].worked == ("trial_003.txt",)
    (tmp_path / "papers" / "refs.ris").unlink()
    assert run(tmp_path)[0].worked == ("trial_001.txt", "trial_002.txt")
    assert run(tmp_path)[0].worked == ()


@pytest.mark.usefixtures("with_packages")
def test_the_year_of_the_entry_decides_the_screening(tmp_path: Path) -> None:
    make_review(tmp_path, papers=1)
    protocol = (tmp_path / "protocol.json").read_text(encoding="utf-8")
    (tmp_path / "protocol.json").write_text(protocol[:-1] + ', "screening": {"years": [2010, 2020]}}', encoding="utf-8")
    write(tmp_path, "refs.ris", ris(1999))
    run(tmp_path)
    assert report_of(tmp_path)["papers"][0]["state"] == "excluded"


@pytest.mark.usefixtures("with_packages")
def test_a_dry_run_names_the_reference_files_and_what_is_wrong_with_them(tmp_path: Path) -> None:
    make_review(tmp_path, papers=1)
    write(tmp_path, "refs.ris", ris(2015))
    write(tmp_path, "bad.bib", "@article{k, title={broken")
    _, said = run(tmp_path, dry_run=True)
    assert "[INFO] refs.ris is used: 1 entry" in said
    assert "[WARNING] bad.bib line 1: the entry cannot be read" in said


def test_without_the_extra_one_warning_names_it_and_the_run_goes_on(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    make_review(tmp_path, papers=1)
    write(tmp_path, "refs.ris", ris(2015))
    write(tmp_path, "lib.bib", BY_TITLE)
    for package in ("rispy", "bibtexparser"):
        monkeypatch.setitem(sys.modules, package, None)
    result, said = run(tmp_path)
    assert result.exit_code == 0
    assert said.count("pip install 'literature-review-pipeline[references]'") == 1
    assert report_of(tmp_path, without_run=False)["run"]["ignored_files"] == ["lib.bib", "refs.ris"]


def test_without_a_reference_file_neither_package_is_imported(tmp_path: Path) -> None:
    write_config(tmp_path)
    make_review(tmp_path, papers=1)
    code = (
        "import sys, pipeline_orchestrator as p; code = p.main([]); "
        "sys.exit(code or 3 * bool({'rispy', 'bibtexparser'} & set(sys.modules)))"
    )
    environment = {**os.environ, "PYTHONPATH": str(ROOT), "PYTHONIOENCODING": "utf-8"}
    done = subprocess.run([sys.executable, "-c", code], cwd=tmp_path, env=environment, check=False, capture_output=True)
    assert done.returncode == 0, done.stderr
