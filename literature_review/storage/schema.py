"""The versions of review.db: numbered SQL files, and the number by which the file is known as ours."""

from __future__ import annotations

import os

from literature_review.sqlite_file import Schema, SqliteFile

APPLICATION_ID = 0x4C525632  # "LRV2", in the file's header: what `file` and other programs know it by
IF_MOVED_AWAY = "what it held will be made again"


def migrations() -> list[str]:
    """The SQL of every version, oldest first: number n brings a database from version n-1 to n."""
    folder = os.path.join(os.path.dirname(__file__), "migrations")  # importlib.resources would bring zipfile with it
    scripts = []
    for name in sorted(os.listdir(folder)):
        if name.endswith(".sql"):
            with open(os.path.join(folder, name), encoding="utf-8") as file:
                scripts.append(file.read())
    return scripts


def check(path: str, thorough: bool = False) -> None:
    """Raise what using the database would raise, before it is used: see SqliteFile.check. Loads none of the records
    that are kept in it: a dry run asks this of every earlier run's folder."""
    SqliteFile(path, Schema(APPLICATION_ID, migrations, IF_MOVED_AWAY)).check(thorough)
