"""The prompts: one file each, `<name>.v<version>.txt`, with the rules (system) and the question (user) to fill in.

A prompt's text is part of every answer's key: a change of words makes new answers. It gets a new file with the next
version, and `VERSIONS` names it, so that a report's reader can tell which words were used.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from string import Template

VERSIONS: Mapping[str, int] = {"journal_reviewer": 1, "judge": 1, "dra": 1}

_PARTS = re.compile(r"--- system ---\n(.*)\n--- user ---\n(.*)", re.DOTALL)


@dataclass(frozen=True)
class Prompt:
    """A prompt as its file has it. `name`: with its version, such as "judge/1"."""

    name: str
    system: str
    user: str

    def fill(self, **values: object) -> str:
        """The question with every blank filled in. Raises KeyError for a blank that has no value; a `$` in a value is
        just a `$`."""
        return Template(self.user).substitute({name: str(value) for name, value in values.items()})


@lru_cache(maxsize=8)
def load_prompt(name: str) -> Prompt:
    """The newest version of the prompt of this name. Raises KeyError for a name that has none."""
    from importlib.resources import files

    version = VERSIONS[name]
    text = files(__name__).joinpath(f"{name}.v{version}.txt").read_text(encoding="utf-8")
    parts = _PARTS.fullmatch(text.replace("\r\n", "\n").rstrip("\n"))
    if parts is None:
        raise ValueError(f"the prompt {name}.v{version}.txt has no line `--- system ---` and `--- user ---`")
    return Prompt(f"{name}/{version}", parts.group(1), parts.group(2))


def fence_for(data: str) -> str:
    """The number in the fence lines around `data`: made from it, the same every time, and standing nowhere in it, so
    that nothing inside can close the fence."""
    digest = hashlib.sha256(data.encode("utf-8", "surrogatepass")).hexdigest()
    while digest[:16] in data:
        digest = hashlib.sha256(digest.encode("ascii")).hexdigest()
    return digest[:16]
