"""The report as a page for people: summary, evidence gap map, gaps, claims in context, screening, the run."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from literature_review.files import write_atomically


class HtmlReport:
    """Writes `<name>.html`: one file without any external resource. Thread-safe; holds no state."""

    suffix = ".html"

    def write(self, report: Mapping[str, Any], path: str) -> None:
        """Write the page to `path`, whole or not at all. Raises OSError."""
        # A dry run makes a writer and writes nothing: the page's parts are not needed for that.
        from literature_review.reports.html_page import page

        write_atomically(path, page(report).encode("utf-8"))
