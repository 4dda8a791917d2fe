"""Write: makes the files of the overview, in a run's directory of reports."""

from pathlib import Path

from chaos_harness.harness import private
from chaos_harness.reports.overview.markdown import render_markdown
from chaos_harness.reports.overview.page import render_page
from chaos_harness.reports.overview.run import RunOverview

__all__ = ["MARKDOWN", "PAGE", "write_overview"]

PAGE, MARKDOWN = Path("report", "overview.html"), Path("report", "overview.md")
"""The files, below a run's directory; Allure's page lies beside them."""

_ALLURE = "index.html"


def write_overview(run: Path, overview: RunOverview) -> Path:
    """Write the overview of the run in this directory as HTML and as Markdown; return the page. Raises OSError."""
    place = private.directory((run / PAGE).parent)
    private.write(run / MARKDOWN, render_markdown(overview))
    return private.write(run / PAGE, render_page(overview, _ALLURE if (place / _ALLURE).is_file() else ""))
