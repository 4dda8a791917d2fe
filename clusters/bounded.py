"""Bounded: files that others wrote, read no further than they may be long, and YAML that is data and nothing else."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import yaml

from clusters.errors import BadScenario
from clusters.shown import shown

__all__ = ["place", "read", "refused"]

_MOST_NODES = 20_000
_DEEPEST = 30
_SHORT = 60


def read(path: Path, most: int, advice: str = "") -> str:
    """Return the text of a file of at most `most` bytes; `advice` is what to do about a larger one.

    Raises BadScenario if it cannot be read, is larger, or is not UTF-8.
    """
    name = shown(str(path))
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


def refused(text: str) -> Iterator[tuple[yaml.Event, str]]:
    """Yield what must not be in YAML that is read: aliases (bombs, circles), tags (code), too many or too deep nodes.

    Raises yaml.YAMLError if it is none.
    """
    count = depth = 0
    for event in yaml.parse(text, yaml.CSafeLoader):
        if isinstance(event, yaml.AliasEvent):
            yield event, f"the alias *{shown(str(event.anchor), most=_SHORT)} is refused: write out what it stands for"
        elif isinstance(event, yaml.NodeEvent):
            count += 1
            tag = getattr(event, "tag", None)
            if tag:
                yield event, f"the tag {shown(tag, most=_SHORT)} is refused: what is read here is data"
            if count > _MOST_NODES:
                yield event, f"more than {_MOST_NODES} values"
                return
        if isinstance(event, yaml.CollectionStartEvent):
            depth += 1
            if depth > _DEEPEST:
                yield event, f"nested deeper than {_DEEPEST} levels"
                return
        depth -= isinstance(event, yaml.CollectionEndEvent)


def place(mark: Any) -> str:
    """Return line and column of a mark; the C parser's is a class of its own."""
    return f"{mark.line + 1}:{mark.column + 1}" if mark else "1:1"
