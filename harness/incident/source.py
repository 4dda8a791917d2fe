"""Source: YAML that is data and nothing else, with the line and column at which each part of it stands."""

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml

from harness.errors import BadScenario

__all__ = ["MOST_BYTES", "Location", "Source", "parse", "read"]

MOST_BYTES = 256 * 1024

Location = tuple[str | int, ...]

_MOST_NODES = 20_000
_DEEPEST = 30
_TAGS = "tag:yaml.org,2002:"


@dataclass
class Source:
    """One YAML document: its data, and where each part of it begins."""

    path: Path
    data: Any
    marks: dict[Location, tuple[int, int]] = field(default_factory=dict)

    def where(self, location: Sequence[str | int]) -> tuple[int, int]:
        """Return line and column of the part at `location`, or of the part around it if that is not there."""
        place = tuple(location)
        while place not in self.marks and place:
            place = place[:-1]
        return self.marks.get(place, (1, 1))

    def problem(self, location: Sequence[str | int], message: str) -> str:
        """Return a problem with the part at `location`, behind its line and column."""
        line, column = self.where(location)
        name = ".".join(str(part) for part in location)
        return f"{self.path}:{line}:{column}: {name + ': ' if name else ''}{message}"


def read(path: Path) -> list[Source]:
    """Return the documents of a file. Raises BadScenario with all problems of it."""
    try:
        with path.open("rb") as file:
            data = file.read(MOST_BYTES + 1)
    except OSError as error:
        raise BadScenario(f"{path}: cannot be read: {error.strerror}") from error
    if len(data) > MOST_BYTES:
        raise BadScenario(f"{path}: is larger than {MOST_BYTES // 1024} KiB; put objects into files beside it")
    try:
        text = data.decode()
    except UnicodeDecodeError as error:
        raise BadScenario(f"{path}: expected UTF-8, byte {error.start} is not") from error
    return parse(text, path)


def parse(text: str, path: Path) -> list[Source]:
    """Return the documents of a text that stood in `path`. Raises BadScenario with all problems of it."""
    try:
        problems = [f"{path}:{_place(event.start_mark)}: {words}" for event, words in _refused(text)]
        if problems:
            raise BadScenario(problems)
        nodes = list(yaml.compose_all(text, yaml.CSafeLoader))
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        raise BadScenario(f"{path}:{_place(mark)}: not YAML: {error.problem or error.context}") from error
    except yaml.YAMLError as error:
        raise BadScenario(f"{path}: not YAML: {error}") from error
    sources = [_Reader(path).source(node) for node in nodes if node is not None]
    found = [problem for source, more in sources for problem in more]
    if found:
        raise BadScenario(found)
    return [source for source, _ in sources]


def _place(mark: Any) -> str:
    """Return line and column of a mark; the C parser's is a class of its own."""
    return f"{mark.line + 1}:{mark.column + 1}" if mark else "1:1"


def _refused(text: str) -> Iterator[tuple[yaml.Event, str]]:
    """Yield what must not be in the text: aliases (bombs, circles), tags (code), too many or too deep nodes."""
    count = depth = 0
    for event in yaml.parse(text, yaml.CSafeLoader):
        if isinstance(event, yaml.AliasEvent):
            yield event, f"the alias *{event.anchor} is refused: write out what it stands for"
        elif isinstance(event, yaml.NodeEvent):
            count += 1
            tag = getattr(event, "tag", None)
            if tag:
                yield event, f"the tag {tag} is refused: an incident is data"
            if count > _MOST_NODES:
                yield event, f"more than {_MOST_NODES} values"
                return
        if isinstance(event, yaml.CollectionStartEvent):
            depth += 1
            if depth > _DEEPEST:
                yield event, f"nested deeper than {_DEEPEST} levels"
                return
        depth -= isinstance(event, yaml.CollectionEndEvent)


class _Reader:
    """Turns a node into plain data and remembers where it stood."""

    def __init__(self, path: Path) -> None:
        self._source = Source(path, None)
        self._problems: list[str] = []
        self._constructor = yaml.constructor.SafeConstructor()

    def source(self, node: yaml.Node) -> tuple[Source, list[str]]:
        self._source.data = self._value(node, ())
        return self._source, self._problems

    def _value(self, node: yaml.Node, place: Location) -> Any:
        self._mark(node, place)
        if isinstance(node, yaml.SequenceNode):
            return [self._value(each, (*place, index)) for index, each in enumerate(node.value)]
        if isinstance(node, yaml.MappingNode):
            return self._mapping(node, place)
        return self._scalar(node, place)

    def _mapping(self, node: yaml.MappingNode, place: Location) -> dict[str, Any]:
        found: dict[str, Any] = {}
        for key, value in node.value:
            if not isinstance(key, yaml.ScalarNode):
                self._complain(key, place, "expected a name in front of the colon")
                continue
            if key.value in found:
                self._complain(key, place, f"{key.value!r} stands here twice")
            found[key.value] = self._value(value, (*place, key.value))
            self._mark(key, (*place, key.value))
        return found

    def _scalar(self, node: Any, place: Location) -> Any:
        try:
            match node.tag.removeprefix(_TAGS):
                case "null":
                    return None
                case "bool":
                    return self._constructor.construct_yaml_bool(node)
                case "int":
                    return self._constructor.construct_yaml_int(node)
                case "float" if math.isfinite(value := self._constructor.construct_yaml_float(node)):
                    return value
                case "float":
                    self._complain(node, place, f"expected a number, found {node.value}")
        except ValueError:
            self._complain(node, place, f"expected a number, found {node.value[:20]!r}")
        return node.value

    def _mark(self, node: yaml.Node, place: Location) -> None:
        mark: Any = node.start_mark
        self._source.marks[place] = (mark.line + 1, mark.column + 1)

    def _complain(self, node: yaml.Node, place: Location, message: str) -> None:
        name = ".".join(str(part) for part in place)
        where = f"{self._source.path}:{_place(node.start_mark)}"
        self._problems.append(f"{where}: {name + ': ' if name else ''}{message}")
