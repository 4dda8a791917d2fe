"""References: words in a file that stand for something in the future cluster, such as $worker2."""

import re
from collections.abc import Iterator, Mapping
from typing import Any

from chaos_harness.clusters.api.label_selectors import selector_problem
from chaos_harness.clusters.suggest import did_you_mean
from chaos_harness.harness.incident.yaml_source import Location

__all__ = ["NOTHING_ELSEWHERE", "REFERENCE", "SYNTAX", "find_references", "problems_of_references"]

SYNTAX = "$worker, $worker2, $any-worker, $control-plane, $pod(LABELS), $node(LABELS)[2], $gatekeeper-image, $each"
"""All references; LABELS select pods of Gatekeeper's namespace, [2] is the second by name of node and pod.

$each is a value of `for_each`.
"""

NOTHING_ELSEWHERE = "stands for something in faults and preparations alone; here it is only a text"

REFERENCE = re.compile(
    r"\$(?:(?P<role>worker|control-plane)(?P<number>[1-9]\d?)?"
    r"|(?P<any>any-worker)"
    r"|(?P<image>gatekeeper-image)"
    r"|(?P<of>pod|node)\((?P<labels>[\w./=,!() -]{1,200})\)(?:\[(?P<nth>[1-9]\d?|any)\])?)"
)


def problems_of_references(value: Any, place: Location = ()) -> Iterator[tuple[Location, str]]:
    """Yield `(location, message)` for each string that starts with `$` but is no known reference.

    Its LABELS must be a label selector of Kubernetes.
    """
    for where, word in _words(value, place):
        reference = REFERENCE.fullmatch(word)
        if not reference:
            yield where, f"no such reference {word[:80]!r}; {did_you_mean(word, SYNTAX.split(', '))}there are {SYNTAX}"
        elif reference["labels"] and (problem := selector_problem(reference["labels"])):
            yield where, f"{word[:80]}: {problem}"


def find_references(value: Any, place: Location = ()) -> Iterator[tuple[Location, re.Match[str]]]:
    """Yield `(location, reference)` for each string that is a reference."""
    for where, word in _words(value, place):
        if reference := REFERENCE.fullmatch(word):
            yield where, reference


def _words(value: Any, place: Location) -> Iterator[tuple[Location, str]]:
    if isinstance(value, Mapping):
        for name, part in value.items():
            yield from _words(part, (*place, name))
    elif isinstance(value, list):
        for index, part in enumerate(value):
            yield from _words(part, (*place, index))
    elif isinstance(value, str) and value.startswith("$"):
        yield place, value
