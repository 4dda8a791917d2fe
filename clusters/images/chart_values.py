"""Chart values: a user's values file against the values that a chart knows, so that a typo is no silent default."""

import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import yaml

from chaos_harness.clusters.errors import BadScenario
from chaos_harness.clusters.own_gatekeeper import SourceFile
from chaos_harness.clusters.suggest import did_you_mean
from chaos_harness.clusters.terminal.escape import escape_controls

__all__ = ["require_known_values"]

_USED = re.compile(r"\.Values\.([A-Za-z0-9_.]+)|hasKey \.Values \"(\w+)\"")
_SHORT = 80

_REFUSED: Mapping[str, object] = {
    "disableValidatingWebhook": True,
    "controllerManager.disableWebhookOperation": True,
}
_WHY = "the harness knows by the validating webhook whether Gatekeeper serves"
_URLS = ("validatingWebhookURL", "mutatingWebhookURL")
_OURS = ("image.repository", "image.release", "image.crdRepository")

Tree = dict[str, Any]


def require_known_values(file: SourceFile, chart: Path) -> None:
    """Raise BadScenario with every value of a file that the chart does not know, or that the harness cannot do with.

    The chart knows the values of its values.yaml, and those that its templates use. Where it has a map without fields,
    or a list, anything is allowed.
    """
    given = yaml.load(file.text, yaml.CSafeLoader)
    known = _known(chart)
    problems = [f"{file.path}: {words}" for words in [*_unknown(given, known, ""), *_refused(given)]]
    if problems:
        raise BadScenario(problems)


def _known(chart: Path) -> Tree:
    """Return the tree of values that a chart knows."""
    tree: Tree = yaml.load((chart / "values.yaml").read_text(encoding="utf-8"), yaml.CSafeLoader)
    for template in sorted((chart / "templates").rglob("*")):
        if template.is_file():
            for dotted, key in _USED.findall(template.read_text(encoding="utf-8")):
                _add(tree, (key or dotted).strip(".").split("."))
    return tree


def _add(tree: Tree, path: list[str]) -> None:
    for name in path[:-1]:
        inner = tree.setdefault(name, {"": None})
        if not isinstance(inner, dict):
            return
        tree = inner
    tree.setdefault(path[-1], None)


def _unknown(given: Mapping[str, Any], known: Tree, place: str) -> Iterator[str]:
    for name, value in given.items():
        at = f"{place}{name}"
        if name == "global" and not place:
            continue
        if name not in known:
            there = [each for each in known if each]
            meant = did_you_mean(str(name), there)
            yield f"the chart has no value {escape_controls(at, most=_SHORT)!r}; {meant}`helm show values` lists them"
        elif isinstance(known[name], dict) and known[name] and isinstance(value, dict):
            yield from _unknown(value, known[name], f"{at}.")


def _refused(given: Mapping[str, Any]) -> Iterator[str]:
    for at, value in _REFUSED.items():
        if _at(given, at) == value:
            yield f"{at}: {str(value).lower()} cannot be judged: {_WHY}"
    for at in _URLS:
        if _at(given, at):
            yield f"{at}: a webhook outside of the cluster cannot be judged: leave it out"
    for at in _OURS:
        if _at(given, at):
            yield f"{at}: the harness says which image runs; say `image` or `version` of `gatekeeper` instead"


def _at(values: Mapping[str, Any], dotted: str) -> Any:
    found: Any = values
    for name in dotted.split("."):
        found = found.get(name) if isinstance(found, dict) else None
    return found
