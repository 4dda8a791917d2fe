"""YAML: removes secrets from YAML text in place, so that comments and layout stay and it is still YAML."""

import re
from collections.abc import Callable, Iterator
from typing import Any

import yaml

__all__ = ["clean", "is_yaml"]

_MOST_LETTERS = 2 * 1024 * 1024
_DEEPEST = 100
_WIDEST = 2**31 - 1
_COMMENT = re.compile(r"#[^\r\n]*")
_PLAIN = re.compile(r"(?=[A-Za-z0-9</(])(?:[^\x00-\x1f\x7f-\U0010ffff:#]|:(?=[^\s,\[\]{}])|(?<=\S)#)*(?<! )\Z")
_FLOW = re.compile(r"[,\[\]{}]")


class _Unsupported(ValueError):
    """It may be YAML, but not data that can be cleaned in place."""


class _Leaf(str):
    """A scalar and its position in the text."""

    __slots__ = ("end", "flows", "start", "style")

    start: int
    end: int
    flows: bool
    style: str


_Open = tuple[Any, list[Any], bool]
"""A list or map that is being read, the name that waits for its value, and whether it is in flow style."""


def is_yaml(text: str) -> bool:
    """Whether `text` can be parsed, and is short enough for it."""
    if len(text) > _MOST_LETTERS:
        return False
    try:
        for _ in yaml.parse(text, yaml.CSafeLoader):
            pass
    except (yaml.YAMLError, ValueError):
        return False
    return True


def clean(text: str, structure: Callable[[Any], Any], words: Callable[[str], str]) -> str | None:
    """Return `text` without the secrets that `structure` finds in its data, and `words` in its comments.

    None if it is not YAML of objects or lists, or has aliases, duplicate names, more than 100 levels or 2 MiB.
    """
    if len(text) > _MOST_LETTERS or ":" not in text:
        return None
    try:
        documents, leaves = _read(text)
        if not any(map(_is_data, documents)) or not all(_is_data(document) or not document for document in documents):
            return None
        changed = {
            id(leaf): new for document in documents for leaf, new in _find_changes(document, structure(document))
        }
    except (yaml.YAMLError, _Unsupported, UnicodeError):
        return None
    parts, done = [], 0
    for leaf in leaves:
        gap = text[done : leaf.start]
        parts.append(_COMMENT.sub(lambda comment: words(comment.group()), gap) if "#" in gap else gap)
        new = changed.get(id(leaf))
        parts.append(text[leaf.start : leaf.end] if new is None else _format_scalar(new, leaf, text))
        done = leaf.end
    parts.append(_COMMENT.sub(lambda comment: words(comment.group()), text[done:]))
    cleaned = "".join(parts)
    if cleaned != text and not is_yaml(cleaned):
        raise ValueError("what is left of it is no YAML")
    return cleaned


def _is_data(document: Any) -> bool:
    return isinstance(document, dict | list) or (isinstance(document, _Leaf) and document.style in {'"', "'"})


def _read(text: str) -> tuple[list[Any], list[_Leaf]]:
    """Return the documents, all scalars as strings, and the scalars in their order."""
    documents: list[Any] = []
    leaves: list[_Leaf] = []
    open_: list[_Open] = []
    for event in yaml.parse(text, yaml.CSafeLoader):
        if isinstance(event, yaml.ScalarEvent):
            leaf = _leaf(event, text)
            leaf.flows = any(flows for _, _, flows in open_[-1:])
            leaves.append(leaf)
            _put(open_, documents, leaf)
        elif isinstance(event, yaml.CollectionStartEvent):
            if len(open_) >= _DEEPEST:
                raise _Unsupported("deep")
            open_.append(({} if isinstance(event, yaml.MappingStartEvent) else [], [], bool(event.flow_style)))
        elif isinstance(event, yaml.CollectionEndEvent):
            value = open_.pop()[0]
            _put(open_, documents, value)
        elif isinstance(event, yaml.AliasEvent):
            raise _Unsupported("an alias")
    return documents, leaves


def _leaf(event: Any, text: str) -> _Leaf:
    leaf = _Leaf(event.value)
    leaf.start, leaf.end, leaf.style = event.start_mark.index, event.end_mark.index, event.style or ""
    if leaf.style in {"|", ">"} and not text.startswith(leaf.style, leaf.start):
        raise _Unsupported("a scalar that does not begin where it is said to")
    return leaf


def _put(open_: list[_Open], documents: list[Any], value: Any) -> None:
    if not open_:
        documents.append(value)
        return
    into, waiting, _ = open_[-1]
    if isinstance(into, list):
        into.append(value)
    elif not waiting:
        if not isinstance(value, str) or value in into or (len(open_) == 1 and _is_sentence(value)):
            raise _Unsupported("a name that is none, or stands twice, or begins a sentence")
        waiting.append(value)
    else:
        into[waiting.pop()] = value


def _is_sentence(name: str) -> bool:
    """Whether the text before a colon is a sentence or the prefix of a log line, rather than a name."""
    return " " in name and not (isinstance(name, _Leaf) and name.style)


def _find_changes(before: Any, after: Any) -> Iterator[tuple[_Leaf, str]]:
    """Yield each scalar that changed, with its new value; both documents have the same shape."""
    if isinstance(before, _Leaf):
        if before != after:
            yield before, str(after)
    elif isinstance(before, dict):
        if len(before) != len(after):
            raise _Unsupported("two names became one")
        for (name, value), (new_name, new_value) in zip(before.items(), after.items(), strict=True):
            yield from _find_changes(name, new_name)
            yield from _find_changes(value, new_value)
    elif before is not after:
        for value, new_value in zip(before, after, strict=True):
            yield from _find_changes(value, new_value)


def _format_scalar(new: str, leaf: _Leaf, text: str) -> str:
    """Return the text of a scalar that replaces an older one."""
    old = text[leaf.start : leaf.end]
    plain = not leaf.style and "\n" not in old and _PLAIN.match(new)
    if plain and not (leaf.flows and _FLOW.search(new)):
        return new
    quoted: str = yaml.dump(new, Dumper=yaml.CSafeDumper, default_style='"', width=_WIDEST, allow_unicode=True)
    return quoted.rstrip("\n") + ("\n" if leaf.style in {"|", ">"} and old.endswith("\n") else "")
