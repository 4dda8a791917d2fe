"""Categories: what Allure shows beside the results: categories of failures, and the environment of the run."""

import json
import platform
import re
import shlex
from collections.abc import Iterable, Mapping
from importlib import metadata
from pathlib import Path
from typing import Any

from chaos_harness.clusters.checkout import command_line
from chaos_harness.harness import private
from chaos_harness.harness.experiment.record import ClaimRecord, Record
from chaos_harness.harness.redaction import redact_object

__all__ = [
    "CATEGORIES",
    "CONFIGURATION",
    "NO_LONGER_REPRODUCES",
    "add_performance",
    "collect_environment",
    "issue_url",
    "mark_known_defect",
    "nodeid_of",
    "viewer_command",
    "write_categories",
    "write_environment",
]

CONFIGURATION = "allurerc.json"
"""Allure 3's configuration, beside the results."""

NO_LONGER_REPRODUCES = "[chaos: known-defect-gone]"
"""Line that `mark_known_defect` adds to a message, for tools that have nothing but messages."""

# Any character is [\s\S], and the ends are marked: Allure 2 matches whole messages with Java, Allure 3
# searches with JavaScript, and neither knows the other's flags. The four exclude each other.
_MENDED = rf"[\s\S]*\n{re.escape(NO_LONGER_REPRODUCES)}[\s\S]*"
_UNDECIDED = r"(?:[\w.]+\.)?Inconclusive\b[\s\S]*"
CATEGORIES: tuple[Mapping[str, Any], ...] = (
    {
        "name": "Known upstream defect no longer reproduces",
        "matchedStatuses": ["failed"],
        "messageRegex": f"^{_MENDED}$",
    },
    {
        "name": "Product failed",
        "matchedStatuses": ["failed"],
        "messageRegex": rf"^(?!{_MENDED})[\s\S]*$",
    },
    {
        "name": "Inconclusive",
        "matchedStatuses": ["broken"],
        "messageRegex": f"^{_UNDECIDED}$",
    },
    {
        "name": "Harness broken",
        "matchedStatuses": ["broken"],
        "messageRegex": rf"^(?!{_UNDECIDED})[\s\S]*$",
    },
)

_WEB = re.compile(r"https?://[^\s<>\"']+\Z", re.IGNORECASE)
_OF_SHAPE = ("kubernetes", "gatekeeper", "install")
_PACKAGES = ("allure-pytest", "docker", "kubernetes", "pytest")


def write_categories(results: Path) -> None:
    """Write the categories of failures: categories.json for Allure 2, allurerc.json beside the results for Allure 3."""
    private.write(results / "categories.json", json.dumps(CATEGORIES, indent=2))
    private.write(results.parent / CONFIGURATION, json.dumps({"categories": CATEGORIES}, indent=2))


def mark_known_defect(message: str, claims: Iterable[ClaimRecord]) -> str:
    """Return a failure's message, with NO_LONGER_REPRODUCES at its end if a known defect did not reproduce.

    A test ends with its first unexpected claim, so that one decides.
    """
    failed = next((claim for claim in claims if not claim.as_expected), None)
    gone = failed is not None and (failed.expected, failed.outcome) == ("violated", "holds")
    return f"{message}\n{NO_LONGER_REPRODUCES}" if gone else message


def add_performance(results: Path, titles: Mapping[str, Mapping[str, str]]) -> None:
    """Add titles, units and direction ("lower is better") of the figures to Allure 3's configuration."""
    path = results.parent / CONFIGURATION
    configuration = json.loads(path.read_text(encoding="utf-8"))
    private.write(path, json.dumps({**configuration, "performance": {"metrics": titles}}, indent=2))


def issue_url(issue: str) -> str:
    """Return the URL of "gatekeeper#3839", with or without its owner; any other form is taken as a URL itself.

    If that is no http(s) URL, the result is "": a report must not contain links that run code.
    """
    known = re.fullmatch(r"(?:(?P<owner>[\w.-]+)/)?(?P<name>[\w.-]+)#(?P<number>\d+)", issue)
    if known is None:
        return issue if _WEB.match(issue) else ""
    owner = known["owner"] or "open-policy-agent"
    return f"https://github.com/{owner}/{known['name']}/issues/{known['number']}"


def viewer_command(run: Path) -> str:
    """Return the command that shows a run, wherever its folder was moved; everything it installs is pinned by hash."""
    return f"{command_line('report --')} --serve {shlex.quote(str(run))}"


def nodeid_of(result: Mapping[str, Any]) -> str:
    """Return pytest's ID of the test of an allure-pytest result."""
    path: list[str] = list(result.get("titlePath", ()))
    files = next((number for number, part in enumerate(path, start=1) if part.endswith(".py")), len(path))
    return "::".join(["/".join(path[:files]), *path[files:], str(result.get("name", ""))])


def collect_environment(records: Iterable[Record]) -> dict[str, str]:
    """Return the versions of this machine, and those in the records.

    If records differ (two shapes in one run), a name gets all values, each once.
    """
    values_by_name: dict[str, list[str]] = {}
    for record in records:
        shape = {name: value for name, value in record.cluster["shape"].items() if name in _OF_SHAPE}
        for name, value in {"seed": record.seed, **shape, **record.environment}.items():
            if str(value) not in values_by_name.setdefault(name, []):
                values_by_name[name].append(str(value))
    return {name: ", ".join(values) for name, values in values_by_name.items()} | {
        "python": platform.python_version(),
        "kernel": platform.release(),
        "machine": platform.machine(),
        **{f"python.{package}": metadata.version(package) for package in _PACKAGES},
    }


def write_environment(results: Path, properties: Mapping[str, str]) -> None:
    """Write environment.properties without secrets, escaped for java.util.Properties: one property a line."""
    lines = [
        f"{_escaped(name, ' :=#!')}={_escaped(redact_object({name: value})[name])}\n"
        for name, value in properties.items()
    ]
    private.write(results / "environment.properties", "".join(lines))


def _escaped(text: str, special: str = "") -> str:
    text = text.replace("\\", "\\\\")
    for character, name in {"\n": "n", "\r": "r", "\t": "t", "\f": "f"}.items():
        text = text.replace(character, f"\\{name}")
    text = "".join(
        letter if letter.isprintable() else "".join(f"\\u{unit}" for unit in _units(letter)) for letter in text
    )
    if text.startswith(" ") and not special:
        text = f"\\{text}"
    for character in special:
        text = text.replace(character, "\\" + character)
    return text


def _units(character: str) -> list[str]:
    """Return a character as the hexadecimal UTF-16 units of Java; two for a character beyond U+FFFF."""
    code = character.encode("utf-16-be", "surrogatepass").hex()
    return [code[start : start + 4] for start in range(0, len(code), 4)]
