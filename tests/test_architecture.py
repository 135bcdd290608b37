"""The house stands as docs/design.md draws it."""

from __future__ import annotations

import ast
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
PACKAGE = ROOT / "literature_review"
KERNEL = PACKAGE / "pipeline" / "orchestrator_v2.py"
WINGS = ("documents", "reviewers", "synthesis", "llm", "storage", "reports", "validation", "pipeline")
FLOORS = {"errors": 0, "text": 0, "files": 0, "models": 1, "ports": 2, "config": 2, "plugins": 2}
FLOORS |= {"light_record": 0, "records": 1, "sqlite_file": 1, "protocol": 2, "strict_json": 1, "json_shape": 1}
FLOORS |= {"config_shape": 2, "stage_order": 1, "shared_commits": 1, "early_signals": 0}
FLOORS |= dict.fromkeys(WINGS, 3) | {"wiring": 4, "__main__": 5}
OPTIONAL = {
    "pypdfium2",
    "jsonschema",
    "rapidfuzz",
    "rispy",
    "bibtexparser",
    "openai",
    "google",
    "redis",
    "boto3",
    "dask",
}


def modules() -> list[Path]:
    return sorted(PACKAGE.rglob("*.py"))


def imports(path: Path, top_level_only: bool = False) -> Iterator[str]:
    tree = ast.parse(path.read_text(encoding="utf-8"))
    for node in tree.body if top_level_only else ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module:
            yield node.module
            if node.module == "literature_review":
                yield from (f"literature_review.{alias.name}" for alias in node.names)


def room(module: str) -> str:
    parts = module.split(".")
    return parts[1] if len(parts) > 1 else ""


@pytest.mark.parametrize("path", modules(), ids=lambda path: str(path.relative_to(PACKAGE)))
def test_imports_point_down_and_wings_do_not_know_each_other(path: Path) -> None:
    own = path.relative_to(PACKAGE).parts[0].removesuffix(".py")
    if own == "__init__":
        return
    for module in imports(path):
        if not module.startswith("literature_review."):
            continue
        other = room(module)
        if other in FLOORS and other != own:
            assert FLOORS[other] < FLOORS[own] or (other not in WINGS and FLOORS[other] == FLOORS[own]), (
                f"{path.name} imports {module}"
            )


def test_every_room_has_a_floor() -> None:
    rooms = {path.relative_to(PACKAGE).parts[0].removesuffix(".py") for path in modules()}
    assert rooms - set(FLOORS) == {"__init__"}


def test_the_kernel_imports_the_standard_library_alone() -> None:
    assert {module.split(".")[0] for module in imports(KERNEL)} <= set(sys.stdlib_module_names)


@pytest.mark.parametrize("path", modules(), ids=lambda path: str(path.relative_to(PACKAGE)))
def test_no_extra_is_imported_before_it_is_chosen(path: Path) -> None:
    """A module may need a package that is not there only once somebody uses it; what reads PDF runs in its worker."""
    allowed = {"pypdfium2"} if path.name.startswith("pdf") and path.parent.name == "documents" else set()
    assert not {module.split(".")[0] for module in imports(path, top_level_only=True)} & OPTIONAL - allowed


@pytest.mark.parametrize("path", modules(), ids=lambda path: str(path.relative_to(PACKAGE)))
def test_only_the_script_prints_or_exits(path: Path) -> None:
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Call):
            called = ast.unparse(node.func)
            assert called not in ("print", "sys.exit", "exit", "quit"), f"{path}:{node.lineno} calls {called}"


def test_importing_the_command_imports_nothing_heavy() -> None:
    """The dry run's start-up is short because what is not asked for is not imported."""
    code = "import sys, pipeline_orchestrator; print(*sorted(sys.modules))"
    run = subprocess.run([sys.executable, "-S", "-c", code], cwd=ROOT, capture_output=True, text=True, check=True)
    heavy = {
        "sqlite3",
        "multiprocessing",
        "pypdfium2",
        "asyncio",
        "logging",
        "urllib.request",
        "concurrent.futures.process",
    }
    assert not heavy & set(run.stdout.split())


def test_the_bench_extra_brings_what_the_benchmarks_import() -> None:
    """Beside what stands in the extra by its name: numpy and scipy come with scikit-learn, distributed with dask."""
    text = (ROOT / "pyproject.toml").read_text(encoding="utf-8")
    lists = dict(re.findall(r"^(\w+) = (\[.*?\])$", text, re.MULTILINE | re.DOTALL))
    listed = "".join(lists[name] for name in ("bench", "gemini", "openai", "dependencies"))
    brought = set(re.findall(r'"([\w-]+)', listed))
    assert "[gemini,openai]" in lists["bench"]
    by_other_names = {"sklearn": "scikit-learn", "numpy": "scikit-learn", "scipy": "scikit-learn",
                      "distributed": "dask", "google": "google-genai", "throttled": "throttled-py"}
    files = list((ROOT / "benchmarks").glob("*.py"))
    ours = {path.stem for path in files} | {"literature_review", "pipeline_orchestrator", "tests"}
    ours |= sys.stdlib_module_names
    used = {name.split(".")[0] for path in files for name in imports(path)}
    used |= set(re.findall(r'(?:peer|import_module|find_spec)\("(\w+)', "".join(path.read_text() for path in files)))
    needed = {by_other_names.get(name, name.replace("_", "-")) for name in used - ours}
    assert {"scikit-learn", "tenacity", "pypdf", "lmdb"} <= needed <= brought
