"""Structure: takes secrets out of what is parsed already, by where they stand in it."""

import re
from collections.abc import Callable
from typing import Any

from chaos_harness.harness.redaction.forms import REDACTED, decoded
from chaos_harness.harness.redaction.names import is_environment, is_header, is_password, is_secret, stays

__all__ = ["LAST_APPLIED", "Cleaner"]

LAST_APPLIED = "kubectl.kubernetes.io/last-applied-configuration"

_DEEPEST = 200
_SHORTEST_KEY = 12
_DATA = frozenset(("data", "stringdata", "binarydata"))
_COMMANDS = frozenset(("args", "command", "Args", "Cmd", "Entrypoint", "argv", "cmd"))
_NAMES = ("name", "Name", "key", "path")
_VALUES = frozenset(("value", "values", "plain", "text", "raw", "data"))
_FLAG = re.compile(r"--?(?P<name>[A-Za-z][\w.-]*)\Z")
_ASSIGNED = re.compile(r"(?P<kept>(?:--?)?(?P<name>[A-Za-z_][\w.-]{0,200})=)")
_USERS = frozenset(("-u", "--user", "--proxy-user"))
_CREDENTIAL = re.compile(r"[A-Za-z0-9+/]{6,}={0,2}\Z")
_HARMLESS = re.compile(r"(?:true|false|-?\d{1,9}(?:\.\d{1,9})?)?\Z", re.IGNORECASE)
_WORD = re.compile(r"[A-Za-z]+(?:[-,][A-Za-z]+)*\Z")
_SCHEME = re.compile(r"[A-Za-z0-9-]{1,20}\s+(?=\S)")


class Cleaner:
    """Cleans objects; `string` cleans whatever text stands in one.

    What comes back has the same keys and as many items; only leaves differ. `authored`: values of `env` stay unless
    their names say that they are secrets, for who wrote the object wants to use it again.
    """

    def __init__(self, string: Callable[[str], str], *, authored: bool = False) -> None:
        self._string = string
        self._authored = authored

    def clean(self, value: Any, depth: int = 0) -> Any:
        """Return `value` without its secrets and without what is deeper than 200 levels, itself if nothing is."""
        if isinstance(value, str):
            return self._string(value)
        if depth > _DEEPEST and isinstance(value, dict | list | tuple):
            return REDACTED
        if isinstance(value, dict):
            return self._mapping(value, depth + 1)
        if isinstance(value, list | tuple):
            found = [self.clean(each, depth + 1) for each in value]
            return value if all(map(_same, found, value)) else found
        return value

    def _mapping(self, value: dict[str, Any], depth: int, *, secret: bool = False) -> dict[str, Any]:
        kind = value.get("kind")
        kind = kind.lower() if isinstance(kind, str) else ""
        secret = secret or kind == "secret"
        named = any(isinstance(name := value.get(each), str) and is_secret(_last(name)) for each in _NAMES)
        found = {}
        changed = False
        for key, item in value.items():
            name = key if isinstance(key, str) else ""
            if secret and name.lower() in _DATA:
                new = _blank(item, depth)
            elif secret and name == "metadata":
                new = self._of_secret(item, depth)
            elif kind == "secretlist" and name == "items" and isinstance(item, list):
                new = [
                    self._mapping(each, depth, secret=True) if isinstance(each, dict) else _blank(each, depth)
                    for each in item
                ]
            elif secret and isinstance(item, dict):
                new = self._mapping(item, depth + 1, secret=True)
            elif named and name in {"value", "Value"}:
                new = _blank(item, depth) if isinstance(item, str | int | float) else self.clean(item, depth)
            else:
                new = self._field(name, item, depth)
            clear = self._string(name) if len(name) >= _SHORTEST_KEY else key
            changed = changed or new is not item or clear is not key
            found[clear] = new
        return found if changed else value

    def _of_secret(self, metadata: Any, depth: int) -> Any:
        clear = self.clean(metadata, depth)
        if isinstance(clear, dict) and isinstance(notes := clear.get("annotations"), dict) and LAST_APPLIED in notes:
            return {**clear, "annotations": {**notes, LAST_APPLIED: REDACTED}}
        return clear

    def _field(self, name: str, item: Any, depth: int) -> Any:
        if isinstance(item, dict | list):
            if is_environment(name):
                return self._environment(item, depth)
            if name == "auths" and isinstance(item, dict):
                return {registry: _blank(each, depth) for registry, each in item.items()}
            if name in _COMMANDS and isinstance(item, list):
                return self._arguments(item, depth)
        if item is None or isinstance(item, bool):
            return item
        if is_secret(name) or name in {"auth", "_auth"}:
            return self._secret(name, item, depth)
        return self.clean(item, depth)

    def _secret(self, name: str, item: Any, depth: int) -> Any:
        if isinstance(item, list):
            found = [
                self._secret(name, each, depth + 1) if isinstance(each, str) else self.clean(each, depth)
                for each in item
            ]
            return item if all(map(_same, found, item)) else found
        if isinstance(item, dict):
            clear = self.clean(item, depth)
            if _VALUES.isdisjoint(clear):
                return clear
            return {key: _blank(each, depth) if key in _VALUES else each for key, each in clear.items()}
        if isinstance(item, str):
            return item if stays(item) else self._text(name, item)
        return REDACTED if is_password(name) else item

    def _text(self, name: str, item: str) -> str:
        """Clean what stands in the place of a secret."""
        if name in {"auth", "_auth"}:
            return REDACTED if _CREDENTIAL.match(item) and b":" in decoded(item) else self._string(item)
        if is_header(name):
            scheme = _SCHEME.match(item)
            clear = _WORD.match(item) or item.endswith(REDACTED)
            return item if clear else f"{scheme.group() if scheme else ''}{REDACTED}"
        return item if _HARMLESS.match(item) and not is_password(name) else REDACTED

    def _environment(self, item: Any, depth: int) -> Any:
        """Take the values out; names, and where else a value comes from, stay."""
        if isinstance(item, dict):
            found: Any = {name: self._variable(name, each, depth) for name, each in item.items()}
            return item if all(map(_same, found.values(), item.values())) else found
        found = []
        for each in item:
            if isinstance(each, dict) and "value" in each:
                clear = self._mapping(each, depth + 1)
                value = self._variable(str(each.get("name", "")), clear["value"], depth)
                found.append(clear if value is clear["value"] else {**clear, "value": value})
            elif isinstance(each, str) and "=" in each:
                name, _, value = each.partition("=")
                new = self._variable(name, value, depth)
                found.append(each if new is value else f"{name}={new}")
            else:
                found.append(self.clean(each, depth + 1))
        return item if all(map(_same, found, item)) else found

    def _variable(self, name: str, value: Any, depth: int) -> Any:
        if not isinstance(value, str):
            if isinstance(value, dict | list):
                return self.clean(value, depth + 1)
            return REDACTED if is_password(name) and not isinstance(value, bool | None) else value
        if stays(value) or (_HARMLESS.match(value) and not is_password(name)):
            return value
        return self._string(value) if self._authored and not is_secret(name) else REDACTED

    def _arguments(self, item: list[Any], depth: int) -> list[Any]:
        found: list[Any] = []
        before = ""
        for each in item:
            found.append(self._argument(before, each) if isinstance(each, str) else self.clean(each, depth + 1))
            before = each if isinstance(each, str) else ""
        return item if all(map(_same, found, item)) else found

    def _argument(self, before: str, each: str) -> str:
        flag = _FLAG.match(before)
        if flag and is_secret(flag["name"]) and not each.startswith("-") and not stays(each):
            return REDACTED
        if before in _USERS and ":" in each:
            return REDACTED
        assigned = _ASSIGNED.match(each)
        if assigned and is_secret(assigned["name"]):
            value = each[assigned.end() :]
            return each if stays(value) or _HARMLESS.match(value) else f"{assigned['kept']}{REDACTED}"
        return self._string(each)


def _same(one: Any, other: Any) -> bool:
    return one is other


def _last(name: str) -> str:
    """Return the last part of a name, which may be a path, as a patch has it."""
    return name.rpartition("/")[2]


def _blank(item: Any, depth: int) -> Any:
    """Return the same keys and places with nothing in them."""
    if depth > _DEEPEST:
        return REDACTED
    if isinstance(item, dict):
        return {key: _blank(each, depth + 1) for key, each in item.items()}
    if isinstance(item, list):
        return [_blank(each, depth + 1) for each in item]
    return item if item is None or item in {"", REDACTED} else REDACTED
