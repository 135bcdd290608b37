"""The versions of review.db: numbered SQL files, and the number by which the file is known as ours."""

from __future__ import annotations

APPLICATION_ID = 0x4C525632  # "LRV2", in the file's header: what `file` and other programs know it by


def migrations() -> list[str]:
    """The SQL of every version, oldest first: number n brings a database from version n-1 to n."""
    from importlib.resources import files

    folder = files("literature_review.storage") / "migrations"
    scripts = sorted((entry for entry in folder.iterdir() if entry.name.endswith(".sql")), key=lambda e: e.name)
    return [script.read_text(encoding="utf-8") for script in scripts]
