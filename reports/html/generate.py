"""HTML report: generated with Allure 3; it never sends a request to another machine."""

import base64
import hashlib
import json
import re
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from chaos_harness.clusters.checkout import OUT, command_line
from chaos_harness.clusters.machine.removal import remove_folder
from chaos_harness.harness import private
from chaos_harness.harness.errors import BadScenario, HarnessError
from chaos_harness.reports.allure.categories import CONFIGURATION
from chaos_harness.reports.html.programs import run_program
from chaos_harness.reports.overview.write import PAGE
from chaos_harness.reports.trends import quality_gate

__all__ = ["POLICY", "block_requests", "generate", "require_results"]

POLICY = (
    "default-src 'self' data: blob:; style-src 'self' 'unsafe-inline' data: blob:; connect-src 'self' data: blob:; "
    "object-src 'none'; form-action 'none'; base-uri 'self' data: blob: file:"
)
"""Content-Security-Policy of the report: everything in the page itself, nothing from elsewhere."""

_SECONDS = 900
_MOST_SINGLE_BYTES = 48 * 1024 * 1024
_MOST_HISTORY = 100
_HISTORY = "history.jsonl"
_HIDDEN = [
    *("feature", "framework", "host", "language", "package", "parentSuite"),
    *("story", "subSuite", "suite", "tag", "thread"),
]
"""Labels that repeat the path or say nothing; without them the summary is higher up."""

_SCRIPT = re.compile(r"<script\b[^>]*>.*?</script>", re.DOTALL)
_FOREIGN = re.compile(r"<(?:script|link|img|iframe)\b[^>]*?(?:src|href)=[\"']?(?:https?:)?//[^\"'\s>]*", re.IGNORECASE)
_ANALYTICS = re.compile(r"googletagmanager|gtag\(", re.IGNORECASE)


def generate(run: Path, allure: Sequence[str]) -> Path:
    """Generate `report/index.html` from the run's results, replacing an older one; return its path.

    It is one file that any browser opens, unless the attachments are so large that it must be served. Trends come from
    earlier runs; generating a report twice counts its run once. Raises BadScenario if there are no results, else
    HarnessError.
    """
    results = require_results(run)
    try:
        with tempfile.TemporaryDirectory(dir=run, prefix=".report-") as made:
            place = Path(made)
            command = [
                *allure,
                "generate",
                "--config",
                str(_configuration(run, place)),
                *_gate(run, place),
                str(results),
            ]
            run_program("Allure 3 cannot make the report", command, place, _SECONDS)
            index = place / "report" / "index.html"
            if not index.is_file():
                raise HarnessError(f"Allure 3 made no {index.name} of {results}")
            private.write(index, link_overview(block_requests(index.read_text(encoding="utf-8"))))
            for path in index.parent.rglob("*"):
                path.chmod(0o700 if path.is_dir() else 0o600)
            _remember(run, place / _HISTORY)
            remove_folder(run / "report")
            index.parent.rename(run / "report")
    except OSError as error:
        raise HarnessError(f"{run}: no report can be written: {error.strerror or error}; see `df {run}`") from error
    return run / "report" / "index.html"


def require_results(run: Path) -> Path:
    """Return the folder of the run's results. Raises BadScenario if there are none, before anything is installed."""
    results = run / "results"
    try:
        found = results.is_dir()
    except OSError as error:
        raise BadScenario(f"{run}: cannot be a run's directory: {error.strerror}") from error
    if not found:
        words = f"`ls {OUT}` shows the runs, and `{command_line('chaos')}` makes one"
        raise BadScenario(f"{run}: expected a run's directory with results in it, found none; {words}")
    return results


def block_requests(page: str) -> str:
    """Return a page of Allure without its analytics, and with a policy that forbids all other requests.

    Only the scripts that are in the page now may run, known by their hashes; scripts in attachments may not. Raises
    HarnessError if something in it would still be loaded from elsewhere.
    """
    page = _SCRIPT.sub(lambda script: "" if _is_analytics(script.group()) else script.group(), page)
    policy = f"{POLICY}; {_scripts(page)}"
    page = page.replace("<head>", f'<head>\n<meta http-equiv="Content-Security-Policy" content="{policy}">', 1)
    outside = _SCRIPT.sub(lambda script: script.group().partition(">")[0] + ">", page)
    foreign = _FOREIGN.search(outside)
    if foreign or "Content-Security-Policy" not in page:
        what = foreign.group() if foreign else "no <head>"
        raise HarnessError(f"expected a page without requests, found {what[:200]}: this Allure is not the pinned one")
    return page


def link_overview(page: str) -> str:
    """Return a page of Allure with a link, above everything, to the overview beside it."""
    link = f'<a href="{PAGE.name}" style="color:#0072b2">Overview of this run</a>'
    return page.replace("<body>", f'<body><p style="margin:0;padding:4px 24px;font:14px system-ui">{link}</p>', 1)


def _scripts(page: str) -> str:
    """Return the script-src policy: the page's own scripts, by their hashes, and what Allure loads.

    So neither an event handler in an attribute nor a javascript: link runs, whatever a result contains.
    """
    bodies = (script.group().partition(">")[2].removesuffix("</script>") for script in _SCRIPT.finditer(page))
    hashes = [base64.b64encode(hashlib.sha256(body.encode()).digest()).decode() for body in bodies if body]
    return " ".join(["script-src 'self' 'unsafe-eval' data: blob:", *(f"'sha256-{digest}'" for digest in hashes)])


def _is_analytics(script: str) -> bool:
    """Whether a script is the tag manager's or feeds it; the report's own bundle of a megabyte is neither."""
    return len(script) < 2_000 and bool(_ANALYTICS.search(script))  # noqa: PLR2004 - far below any bundle


def _configuration(run: Path, place: Path) -> Path:
    try:
        known: dict[str, Any] = json.loads((run / CONFIGURATION).read_text(encoding="utf-8"))
    except (OSError, ValueError):
        known = {}  # the run died before it wrote it
    size = sum(result_file.stat().st_size for result_file in (run / "results").iterdir())
    options = {"singleFile": size <= _MOST_SINGLE_BYTES, "reportLanguage": "en", "theme": "auto"}
    lines = [line for line in _earlier(run) if _name(line) != run.name]
    (place / _HISTORY).write_text("".join(lines[-_MOST_HISTORY:]), encoding="utf-8")
    configuration = {
        **known,
        "name": run.name,
        "hideLabels": _HIDDEN,
        "output": str(place / "report"),
        "historyPath": str(place / _HISTORY),
        "plugins": {"awesome": {"options": options}},
    }
    path = place / CONFIGURATION
    path.write_text(json.dumps(configuration), encoding="utf-8")
    return path


def _gate(run: Path, place: Path) -> list[str]:
    rules = quality_gate.read(run)
    return ["--dump", str(quality_gate.archive(rules, place / "gate.zip"))] if rules else []


def _earlier(run: Path) -> list[str]:
    try:
        return (run.parent / _HISTORY).read_text(encoding="utf-8").splitlines(keepends=True)
    except OSError:
        return []


def _remember(run: Path, grown: Path) -> None:
    """Add the run, from Allure's history file, to the history of all runs, unless it is there."""
    last = grown.read_text(encoding="utf-8").splitlines(keepends=True)[-1:] if grown.is_file() else []
    lines = _earlier(run)
    if last and _name(last[0]) == run.name and run.name not in map(_name, lines):
        private.write(run.parent / _HISTORY, "".join([*lines, *last][-_MOST_HISTORY:]))


def _name(line: str) -> str:
    try:
        return str(json.loads(line)["name"])
    except (ValueError, KeyError, TypeError):
        return ""
