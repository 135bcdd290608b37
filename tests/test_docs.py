"""The documents promise only what works: commands, options, links, examples, names."""

from __future__ import annotations

import json
import os
import re
import shlex
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

import pipeline_orchestrator
from literature_review.config import parse_config
from literature_review.models import Document, PaperFile
from literature_review.pipeline.run import PipelineOrchestrator
from tests.review_samples import SHARED, command

ROOT = Path(__file__).resolve().parents[1]
KERNEL = (ROOT / "docs" / "kernel.md").read_text(encoding="utf-8")
README = (ROOT / "README.md").read_text(encoding="utf-8")
DOCS = [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md")), ROOT / "examples" / "README.md"]
FENCE = re.compile(r"^```(\w*)\n(.*?)^```", re.M | re.S)


def blocks(text: str, language: str) -> list[str]:
    return [body for kind, body in FENCE.findall(text) if kind == language]


@pytest.mark.parametrize("path", DOCS, ids=lambda path: path.name)
def test_every_link_leads_to_a_file(path: Path) -> None:
    for target in re.findall(r"\]\(([^)#]+)\)", path.read_text(encoding="utf-8")):
        if not target.startswith("http"):
            assert (path.parent / target).exists(), target


def test_the_readme_has_the_two_commands_that_the_gate_runs() -> None:
    first, second = blocks(README, "bash")
    assert "pip install -q ." in first
    assert "pipeline_orchestrator.py" in first
    assert "-r requirements-dev.txt" in second
    assert 'python -m pytest tests/ -m "not requires_api"' in second


@pytest.mark.parametrize(
    "line",
    [
        line
        for text in [
            README,
            (SHARED / "spec" / "guide.md").read_text() if (SHARED / "spec" / "guide.md").exists() else "",
        ]
        for body in [*blocks(text, ""), *blocks(text, "bash")]
        for line in body.replace("\\\n", " ").splitlines()
        if re.match(r"(\S*python\S* )pipeline_orchestrator\.py", line.strip())
    ],
)
def test_every_command_shown_is_one_that_the_parser_takes(line: str) -> None:
    words = shlex.split(line.split("&&")[0], comments=True)
    pipeline_orchestrator.parser().parse_args(words[2:])


def test_the_stage_of_ones_own_works_as_shown() -> None:
    config = json.loads(blocks(README, "json")[0])
    names = [stage.name for stage in parse_config(config).stages]
    assert names.index("funding") == names.index("judge") + 1
    space: dict[str, Any] = {}
    exec(blocks(README, "python")[0], space)

    class Context:
        paper = PaperFile("a.txt", "a.txt", "", 0)

        def read(self, paper: PaperFile) -> Document:
            return Document("This work was funded by nobody.")

    result = space["run"](Context())
    assert result.status == "completed"
    assert result.record == {"funded": True}


def test_the_example_in_python_works_as_shown(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: Any) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "examples").symlink_to(ROOT / "examples")
    exec(blocks(README, "python")[1], {})
    assert capsys.readouterr().out.splitlines()[-1].startswith("completed ")


@pytest.mark.parametrize("number", range(KERNEL.count("```python\n")))
def test_each_example_of_the_kernel_alone_prints_what_stands_under_it(number: int, tmp_path: Path) -> None:
    """In an empty folder, with the one file of the kernel copied into it and nothing else of ours."""
    fences = FENCE.findall(KERNEL)
    at = [index for index, (language, _) in enumerate(fences) if language == "python"][number]
    script = fences[at][1].replace("literature_review.pipeline.orchestrator_v2", "orchestrator_v2")
    (tmp_path / "example.py").write_text(script, encoding="utf-8")
    shutil.copy(ROOT / "literature_review" / "pipeline" / "orchestrator_v2.py", tmp_path)
    done = subprocess.run(
        [sys.executable, "example.py"],
        cwd=tmp_path, env={**os.environ, "PYTHONPATH": str(tmp_path)}, capture_output=True, text=True, timeout=60,
    )  # fmt: skip
    assert (done.stdout, done.stderr) == (fences[at + 1][1], "")


def test_every_promise_of_the_kernel_names_a_test_that_there_is() -> None:
    promises = [line for line in KERNEL.splitlines() if line.startswith("|") and "::" in line]
    assert len(promises) >= 20
    for line in promises:
        (path, name) = re.findall(r"`(\S+\.py)::(test_\w+)`", line)[0]
        assert f"def {name}(" in (ROOT / path).read_text(encoding="utf-8"), line


def test_the_configuration_of_the_repository_runs_the_examples() -> None:
    config = PipelineOrchestrator(str(ROOT / "pipeline_config.json")).config
    assert (config.papers, config.protocol) == ("examples/papers", "examples/protocol.json")


@pytest.mark.parametrize("name", ["gemini", "local_model"])
def test_the_examples_of_paid_models_need_nothing_but_key_and_extra(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    pytest.importorskip("openai", reason="needs the extra openai")
    pytest.importorskip("google.genai", reason="needs the extra gemini")
    environment = {"GEMINI_API_KEY": "key-of-the-tests-0123456789"} if name == "gemini" else {}
    file = str(ROOT / "examples" / f"{name}.json")
    done = command(
        "--config", file, "--dry-run", "--checkpoint-file", str(tmp_path / "c.json"), cwd=ROOT, environment=environment
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert "[DRY-RUN] Expected in all: " in done.stdout
    assert "cost unknown" not in done.stdout
    assert "may not be enough" not in done.stdout


def test_the_changelog_knows_the_version() -> None:
    from literature_review import __version__

    assert f"## {__version__}" in (ROOT / "CHANGELOG.md").read_text(encoding="utf-8")
    assert f'version = "{__version__}"' in (ROOT / "pyproject.toml").read_text(encoding="utf-8")


def test_the_folder_of_work_is_not_named_anywhere() -> None:
    for path in DOCS:
        assert "/tmp/" not in path.read_text(encoding="utf-8"), path


def test_a_report_and_a_back_end_of_ones_own_are_a_file_and_a_line_as_shown(tmp_path: Path) -> None:
    """In a copy of the package, with the files that docs/extending.md shows and their lines in the table."""
    text = (ROOT / "docs" / "extending.md").read_text(encoding="utf-8")
    package = tmp_path / "literature_review"
    shutil.copytree(ROOT / "literature_review", package, ignore=shutil.ignore_patterns("__pycache__"))
    shutil.copy(ROOT / "pipeline_orchestrator.py", tmp_path)
    table = (package / "plugins.py").read_text(encoding="utf-8")
    files = ("reports/gap_list.py", "llm/keyword_backend.py")
    lines = [line.strip() for line in blocks(text, "")]
    for file, code, line, kind in zip(files, blocks(text, "python"), lines, ("report", "backend"), strict=True):
        assert f"`literature_review/{file}`" in text
        (package / file).write_text(code, encoding="utf-8")
        table = table.replace(f'    "{kind}": {{\n', f'    "{kind}": {{\n        {line}\n')
    (package / "plugins.py").write_text(table, encoding="utf-8")
    (tmp_path / "pipeline_config.json").write_text(json.dumps({
        "papers": str(ROOT / "examples" / "papers"), "protocol": str(ROOT / "examples" / "protocol.json"),
        "llm": {"backend": "keywords"},
    }))  # fmt: skip
    done = subprocess.run(
        [sys.executable, "pipeline_orchestrator.py"],
        cwd=tmp_path, env={**os.environ, "PYTHONPATH": ""}, capture_output=True, text=True, timeout=60,
    )  # fmt: skip
    assert done.returncode == 0, done.stdout + done.stderr
    report = json.loads((tmp_path / "review_output" / "gap_analysis_report.json").read_text(encoding="utf-8"))
    subs = [s for q in report["questions"] for r in q["requirements"] for s in r["sub_requirements"]]
    claims = [claim for sub in subs for claim in sub["claims"]]
    assert {claim["backend"] for claim in claims} == {"keywords"}
    gaps = [f"{sub['id']}: {sub['text']}" for sub in subs if sub["status"] == "gap"]
    assert (tmp_path / "review_output" / "gap_analysis_report.txt").read_text(encoding="utf-8").splitlines() == gaps
