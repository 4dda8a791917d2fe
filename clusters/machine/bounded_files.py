"""Bounded files: reads files of others up to a maximum size, and YAML as plain data only."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import yaml

from chaos_harness.clusters.errors import BadScenario
from chaos_harness.clusters.terminal.escape import escape_controls

__all__ = ["forbidden_yaml", "line_and_column", "read_bounded_text", "read_plain_yaml"]

_MOST_NODES = 20_000
_DEEPEST = 30
_LONGEST_NUMBER = 40
_NUMBERS = ("tag:yaml.org,2002:int", "tag:yaml.org,2002:float")
_RESOLVER = yaml.resolver.Resolver()
_SHORT = 60
_SENTENCE = 300
_MOST_TOLD = 20


def read_bounded_text(path: Path, most: int, advice: str = "") -> str:
    """Return the text of a file of at most `most` bytes; `advice` says what to do about a larger one.

    Raises BadScenario if it cannot be read, is larger, or is not UTF-8.
    """
    name = escape_controls(str(path))
    try:
        with path.open("rb") as file:
            data = file.read(most + 1)
    except OSError as error:
        raise BadScenario(f"{name}: cannot be read: {error.strerror}") from error
    except ValueError as error:  # a NUL in its name
        raise BadScenario(f"{name}: cannot be read: {error}") from error
    if len(data) > most:
        raise BadScenario(f"{name}: is larger than {most // 1024} KiB{advice}")
    try:
        return data.decode()
    except UnicodeDecodeError as error:
        raise BadScenario(f"{name}: expected UTF-8, byte {error.start} is not") from error


def forbidden_yaml(text: str) -> Iterator[tuple[yaml.Event, str]]:
    """Yield `(event, message)` for everything that is not allowed in YAML that is read here.

    That is: aliases (bombs, cycles), tags (code), numbers that take too long to parse, too many or too deep nodes.
    Raises yaml.YAMLError if the text is not YAML.
    """
    count = depth = 0
    for event in yaml.parse(text, yaml.CSafeLoader):
        if isinstance(event, yaml.AliasEvent):
            alias = escape_controls(str(event.anchor), most=_SHORT)
            yield event, f"the alias *{alias} is refused: write out what it stands for"
        elif isinstance(event, yaml.NodeEvent):
            count += 1
            tag = getattr(event, "tag", None)
            if tag:
                yield event, f"the tag {escape_controls(tag, most=_SHORT)} is refused: only plain data is read here"
            if isinstance(event, yaml.ScalarEvent) and _is_long_number(event):
                yield event, f"expected a number, found one of {len(event.value)} characters"
            if count > _MOST_NODES:
                yield event, f"more than {_MOST_NODES} values"
                return
        if isinstance(event, yaml.CollectionStartEvent):
            depth += 1
            if depth > _DEEPEST:
                yield event, f"nested deeper than {_DEEPEST} levels"
                return
        depth -= isinstance(event, yaml.CollectionEndEvent)


def _is_long_number(event: yaml.ScalarEvent) -> bool:
    if len(event.value) <= _LONGEST_NUMBER or not event.implicit[0]:
        return False
    tag = _RESOLVER.resolve(yaml.ScalarNode, event.value, (True, False))  # type: ignore[no-untyped-call]
    return tag in _NUMBERS


def line_and_column(mark: Any) -> str:
    """Return line and column of a mark; the C parser's mark is a class of its own."""
    return f"{mark.line + 1}:{mark.column + 1}" if mark else "1:1"


def read_plain_yaml(path: Path, most: int) -> Any:
    """Return the data of a YAML file of at most `most` bytes; scalars stay text, since numbers can take long."""
    text, name = read_bounded_text(path, most), escape_controls(str(path))
    try:
        problems = [f"{name}:{line_and_column(event.start_mark)}: {words}" for event, words in forbidden_yaml(text)]
        if problems:
            raise BadScenario(problems[:_MOST_TOLD])
        return yaml.load(text, yaml.CBaseLoader)  # noqa: S506 - texts, lists and maps only
    except (yaml.YAMLError, UnicodeError) as error:
        raise BadScenario(
            f"{name}: not YAML: {escape_controls(' '.join(str(error).split()), most=_SENTENCE)}"
        ) from error
