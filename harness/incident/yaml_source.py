"""YAML source: reads YAML as plain data, with the line and column of each part."""

import math
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml

from chaos_harness.clusters.machine import bounded_files
from chaos_harness.clusters.machine.bounded_files import line_and_column
from chaos_harness.clusters.terminal.escape import escape_controls
from chaos_harness.harness.errors import BadScenario

__all__ = ["MOST_BYTES", "Location", "Problem", "YamlSource", "limit_problems", "parse", "read"]

MOST_BYTES = 256 * 1024

Location = tuple[str | int, ...]
"""Where a part of a document is: field names and indexes, from the outermost one."""

Problem = tuple[Location, str]
"""What is wrong with a part, as a message."""

_TAGS = "tag:yaml.org,2002:"
_CORE_BOOLEANS = ("true", "false")
_MOST_PROBLEMS = 100
_LONGEST_PROBLEM = 2000
_LONGEST_NAME = 60


@dataclass
class YamlSource:
    """One YAML document: its data, and the position of each part."""

    path: Path
    data: Any
    marks: dict[Location, tuple[int, int]] = field(default_factory=dict)

    def where(self, location: Sequence[str | int]) -> tuple[int, int]:
        """Return line and column of the part at `location`, or of the innermost part around it."""
        part = tuple(location)
        while part not in self.marks and part:
            part = part[:-1]
        return self.marks.get(part, (1, 1))

    def problem(self, location: Sequence[str | int], message: str) -> str:
        """Return a message about the part at `location`, with its line and column."""
        line, column = self.where(location)
        return _problem(self.path, f"{line}:{column}", location, message)


def read(path: Path, *, core: bool = False) -> list[YamlSource]:
    """Return the documents of a file; see `parse`. Raises BadScenario with all its problems."""
    advice = "; put objects into files beside it"
    return parse(bounded_files.read_bounded_text(path, MOST_BYTES, advice), path, core=core)


def parse(text: str, path: Path, *, core: bool = False) -> list[YamlSource]:
    """Return the documents in `text`, the content of `path`. Raises BadScenario with all its problems.

    With `core`, yes, no, on, off and 12:30:00 are text, as in the core schema of YAML 1.2 and for gator.
    """
    try:
        problems = [
            _problem(path, line_and_column(event.start_mark), (), words)
            for event, words in bounded_files.forbidden_yaml(text)
        ]
        if problems:
            raise BadScenario(limit_problems(problems))
        nodes = list(yaml.compose_all(text, yaml.CSafeLoader))
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        words = f"not YAML: {error.problem or error.context}"
        raise BadScenario(_problem(path, line_and_column(mark), (), words)) from error
    except (yaml.YAMLError, UnicodeError) as error:
        raise BadScenario(
            f"{escape_controls(str(path))}: not YAML: {escape_controls(str(error), lines=True)}"
        ) from error
    sources = [_Reader(path, core=core).source(node) for node in nodes if node is not None]
    problems = [problem for source, more in sources for problem in more]
    if problems:
        raise BadScenario(limit_problems(problems))
    return [source for source, _ in sources]


def limit_problems(problems: Sequence[str]) -> list[str]:
    """Return the first 100 problems, each once, and the number of the others."""
    distinct = list(dict.fromkeys(problems))
    more = len(distinct) - _MOST_PROBLEMS
    return [*distinct[:_MOST_PROBLEMS], f"and {more} more problems"] if more > 0 else distinct


def _problem(path: Path, where: str, location: Sequence[str | int], message: str) -> str:
    """Return a problem as one line, whatever the file contains."""
    name = ".".join(escape_controls(str(part), most=_LONGEST_NAME) for part in location)
    words = escape_controls(message, most=_LONGEST_PROBLEM)
    return f"{escape_controls(str(path))}:{where}: {name + ': ' if name else ''}{words}"


class _Reader:
    """Turns nodes into plain data and records their positions."""

    def __init__(self, path: Path, *, core: bool) -> None:
        self._source = YamlSource(path, None)
        self._core = core
        self._problems: list[str] = []
        self._constructor = yaml.constructor.SafeConstructor()

    def source(self, node: yaml.Node) -> tuple[YamlSource, list[str]]:
        self._source.data = self._value(node, ())
        return self._source, self._problems

    def _value(self, node: yaml.Node, location: Location) -> Any:
        self._mark(node, location)
        if isinstance(node, yaml.SequenceNode):
            return [self._value(child, (*location, index)) for index, child in enumerate(node.value)]
        if isinstance(node, yaml.MappingNode):
            return self._mapping(node, location)
        return self._scalar(node, location)

    def _mapping(self, node: yaml.MappingNode, location: Location) -> dict[str, Any]:
        fields: dict[str, Any] = {}
        for key, value in node.value:
            if not isinstance(key, yaml.ScalarNode):
                self._complain(key, location, "expected a name in front of the colon")
                continue
            if key.value in fields:
                self._complain(key, location, f"{key.value[:_LONGEST_NAME]!r} stands here twice")
            fields[key.value] = self._value(value, (*location, key.value))
            self._mark(key, (*location, key.value))
        return fields

    def _scalar(self, node: Any, location: Location) -> Any:
        kind = node.tag.removeprefix(_TAGS)
        if self._core and (":" in node.value or (kind == "bool" and node.value.lower() not in _CORE_BOOLEANS)):
            kind = "str"
        if kind in ("int", "float") and ":" in node.value:  # so it is in YAML 1.1 alone
            words = f'write it in quotes, "{node.value}": without them YAML reads a number to the base of 60'
            self._complain(node, location, words)
            return None
        try:
            match kind:
                case "null":
                    return None
                case "bool":
                    return self._constructor.construct_yaml_bool(node)
                case "int":
                    return self._constructor.construct_yaml_int(node)
                case "float" if math.isfinite(value := self._constructor.construct_yaml_float(node)):
                    return value
                case "float":
                    self._complain(node, location, f"expected a number, found {node.value}")
        except ValueError:
            self._complain(node, location, f"expected a number, found {node.value!r}")
        return node.value

    def _mark(self, node: yaml.Node, location: Location) -> None:
        mark: Any = node.start_mark
        self._source.marks[location] = (mark.line + 1, mark.column + 1)

    def _complain(self, node: yaml.Node, location: Location, message: str) -> None:
        self._problems.append(_problem(self._source.path, line_and_column(node.start_mark), location, message))
