"""Known versions of Kubernetes (those with a recipe), Gatekeeper, and the tools that create clusters."""

import re
import sys
from collections.abc import Iterable, Sequence
from pathlib import Path

from packaging.version import Version

from chaos_harness.clusters.checkout import command_line
from chaos_harness.clusters.terminal.escape import escape_controls

__all__ = [
    "CRICTL",
    "DEFAULT_GATEKEEPER",
    "DEFAULT_KUBERNETES",
    "DEFAULT_MINOR",
    "FULL",
    "GATEKEEPER",
    "GIVEN",
    "HELM",
    "KIND",
    "KUBERNETES",
    "LEAST_GATEKEEPER",
    "RECIPES",
    "recipes",
    "refusal_message",
    "resolve_gatekeeper",
    "resolve_version",
]

FULL = re.compile(r"v(\d{1,9})\.(\d{1,9})\.(\d{1,9})", re.ASCII)
"""A full version: v1.36.4."""

GIVEN = re.compile(r"v?(\d{1,9})\.(\d{1,9})(?:\.(\d{1,9}))?", re.ASCII)
"""A version as a user may type it: without the v or the patch."""

RECIPES = Path(__file__).parent / "images" / "go" / "kubernetes"
"""Build recipes of Kubernetes: a folder for each version, with its go.mod and go.sum."""

DEFAULT_MINOR = "1.36"
_SHORT = 80


def recipes(folder: Path = RECIPES) -> tuple[str, ...]:
    """Return the versions that have a complete recipe in `folder`, oldest first."""
    there = (place.parent for place in folder.glob("v*/go.mod") if place.with_name("go.sum").is_file())
    return tuple(sorted((place.name for place in there if FULL.fullmatch(place.name)), key=Version))


def resolve_version(given: str, there: Iterable[str]) -> str | None:
    """Return the known version of `there` that `given` stands for: itself, or the newest patch of its minor; else None.

    "1.35", "v1.35", "1.35.8" and "v1.35.8" all stand for v1.35.8 while that is the newest patch of 1.35.
    """
    if not GIVEN.fullmatch(given):
        return None
    numbers = Version(given).release
    fitting = [version for version in there if Version(version).release[: len(numbers)] == numbers]
    return max(fitting, key=Version, default=None)


def resolve_gatekeeper(given: str, there: Iterable[str] | None = None) -> str | None:
    """Return the version of Gatekeeper that `given` stands for; None if it cannot be run.

    That is one of `there` (default: those that were tried) as `resolve_version` chooses it, or any version in full from
    LEAST_GATEKEEPER on.
    """
    tried = resolve_version(given, GATEKEEPER if there is None else there)
    form = GIVEN.fullmatch(given)
    if tried or form is None or form[3] is None:
        return tried
    full = "v" + ".".join(str(int(number)) for number in form.groups())
    same_major = full.partition(".")[0] == LEAST_GATEKEEPER.partition(".")[0]
    return full if same_major and Version(full) >= Version(LEAST_GATEKEEPER) else None


def refusal_message(product: str, given: str, there: Sequence[str]) -> str:
    """Return why the version `given` of "Kubernetes" or "Gatekeeper" is not available, and the next command to type."""
    if product == "Gatekeeper":
        return (
            f"Gatekeeper {escape_controls(given, most=_SHORT)} cannot be run; expected a version in full from "
            f"{LEAST_GATEKEEPER} on, below v4, or one that was tried: {', '.join(there)}; a minor means its newest"
        )
    minor = there[-1].removeprefix("v").rpartition(".")[0]
    refused = (
        f"{product} {escape_controls(given, most=_SHORT)} has no recipe; there are {', '.join(there)}; "
        f"a minor such as {minor} means its newest"
    )
    form = GIVEN.fullmatch(given)
    if form is None:
        return refused
    wanted = f"v{form[1]}.{form[2]}.{form[3] or 'N'}"
    return f"{refused}; `{command_line('add-kubernetes --')} {wanted} --digest sha256:…` adds one"


def _default() -> str:
    """Return the newest recipe of the default minor, so that a new patch needs no edit here."""
    default = resolve_version(DEFAULT_MINOR, KUBERNETES)
    if default is None:
        raise FileNotFoundError(
            f"{RECIPES}: expected a recipe of Kubernetes {DEFAULT_MINOR}, there are {', '.join(KUBERNETES) or 'none'}; "
            "`git status clusters/images/go/kubernetes` tells what is missing"
        )
    return default


KUBERNETES = recipes()
LEAST_GATEKEEPER = "v3.16.0"
GATEKEEPER = ("v3.17.1", "v3.18.3", "v3.20.1", "v3.23.0", "v3.23.1")
"""Versions of Gatekeeper that were tried; others from LEAST_GATEKEEPER on can be run, too."""

KIND = "v0.33.0"
HELM = "v3.21.4"
CRICTL = "v1.36.0"

DEFAULT_KUBERNETES = _default()
DEFAULT_GATEKEEPER = "v3.23.1"


def _print(product: str, given: Sequence[str]) -> int:
    """Print the full versions, one a line, or all that are unknown; return the exit status."""
    there = {"kubernetes": KUBERNETES, "gatekeeper": GATEKEEPER}[product]
    resolve = {"kubernetes": resolve_version, "gatekeeper": resolve_gatekeeper}[product]
    problems = [refusal_message(product.capitalize(), word, there) for word in given if resolve(word, there) is None]
    if problems:
        sys.stderr.writelines(f"error: {problem}\n" for problem in dict.fromkeys(problems))
        return 2
    sys.stdout.writelines(f"{resolve(word, there)}\n" for word in given)
    return 0


if __name__ == "__main__":
    sys.exit(_print(sys.argv[1], sys.argv[2:]))
