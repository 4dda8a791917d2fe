"""Structure: removes secrets from parsed objects, by their place in them."""

import re
from collections.abc import Callable
from typing import Any

from chaos_harness.harness.redaction.forms import REDACTED, decoded
from chaos_harness.harness.redaction.names import is_environment, is_header, is_password, is_secret, stays

__all__ = ["Cleaner"]

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
    """Cleans objects; `string` cleans the strings in them.

    The result has the same keys and as many items; only leaves differ. `authored`: values of `env` stay unless their
    names are those of secrets, because the author wants to use the object again.
    """

    def __init__(self, string: Callable[[str], str], *, authored: bool = False) -> None:
        self._string = string
        self._authored = authored

    def clean(self, value: Any, depth: int = 0) -> Any:
        """Return `value` without its secrets and without levels deeper than 200; `value` itself if nothing changes."""
        if isinstance(value, str):
            return self._string(value)
        if depth > _DEEPEST and isinstance(value, dict | list | tuple):
            return REDACTED
        if isinstance(value, dict):
            return self._mapping(value, depth + 1)
        if isinstance(value, list | tuple):
            cleaned = [self.clean(element, depth + 1) for element in value]
            return value if all(map(_same, cleaned, value)) else cleaned
        return value

    def _mapping(self, value: dict[str, Any], depth: int, *, secret: bool = False) -> dict[str, Any]:
        kind = value.get("kind")
        kind = kind.lower() if isinstance(kind, str) else ""
        secret = secret or kind == "secret"
        named = any(isinstance(name := value.get(field), str) and is_secret(_last(name)) for field in _NAMES)
        cleaned = {}
        changed = False
        for key, item in value.items():
            name = key if isinstance(key, str) else ""
            if secret and name.lower() in _DATA:
                new = _blank(item, depth)
            elif secret and name == "metadata":
                new = self._of_secret(item, depth)
            elif kind == "secretlist" and name == "items" and isinstance(item, list):
                new = [
                    self._mapping(element, depth, secret=True) if isinstance(element, dict) else _blank(element, depth)
                    for element in item
                ]
            elif secret and isinstance(item, dict):
                new = self._mapping(item, depth + 1, secret=True)
            elif named and name in {"value", "Value"}:
                new = _blank(item, depth) if isinstance(item, str | int | float) else self.clean(item, depth)
            else:
                new = self._field(name, item, depth)
            clear = self._string(name) if len(name) >= _SHORTEST_KEY else key
            changed = changed or new is not item or clear is not key
            cleaned[clear] = new
        return cleaned if changed else value

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
                return {registry: _blank(credentials, depth) for registry, credentials in item.items()}
            if name in _COMMANDS and isinstance(item, list):
                return self._arguments(item, depth)
        if item is None or isinstance(item, bool):
            return item
        if is_secret(name) or name in {"auth", "_auth"}:
            return self._secret(name, item, depth)
        return self.clean(item, depth)

    def _secret(self, name: str, item: Any, depth: int) -> Any:
        if isinstance(item, list):
            cleaned = [
                self._secret(name, element, depth + 1) if isinstance(element, str) else self.clean(element, depth)
                for element in item
            ]
            return item if all(map(_same, cleaned, item)) else cleaned
        if isinstance(item, dict):
            clear = self.clean(item, depth)
            if _VALUES.isdisjoint(clear):
                return clear
            return {key: _blank(field, depth) if key in _VALUES else field for key, field in clear.items()}
        if isinstance(item, str):
            return item if stays(item) else self._text(name, item)
        return REDACTED if is_password(name) else item

    def _text(self, name: str, item: str) -> str:
        """Clean a string in the place of a secret."""
        if name in {"auth", "_auth"}:
            return REDACTED if _CREDENTIAL.match(item) and b":" in decoded(item) else self._string(item)
        if is_header(name):
            scheme = _SCHEME.match(item)
            clear = _WORD.match(item) or item.endswith(REDACTED)
            return item if clear else f"{scheme.group() if scheme else ''}{REDACTED}"
        return item if _HARMLESS.match(item) and not is_password(name) else REDACTED

    def _environment(self, item: Any, depth: int) -> Any:
        """Remove the values; names and references stay."""
        if isinstance(item, dict):
            cleaned: Any = {name: self._variable(name, variable, depth) for name, variable in item.items()}
            return item if all(map(_same, cleaned.values(), item.values())) else cleaned
        cleaned = []
        for variable in item:
            if isinstance(variable, dict) and "value" in variable:
                clear = self._mapping(variable, depth + 1)
                value = self._variable(str(variable.get("name", "")), clear["value"], depth)
                cleaned.append(clear if value is clear["value"] else {**clear, "value": value})
            elif isinstance(variable, str) and "=" in variable:
                name, _, value = variable.partition("=")
                new = self._variable(name, value, depth)
                cleaned.append(variable if new is value else f"{name}={new}")
            else:
                cleaned.append(self.clean(variable, depth + 1))
        return item if all(map(_same, cleaned, item)) else cleaned

    def _variable(self, name: str, value: Any, depth: int) -> Any:
        if not isinstance(value, str):
            if isinstance(value, dict | list):
                return self.clean(value, depth + 1)
            return REDACTED if is_password(name) and not isinstance(value, bool | None) else value
        if stays(value) or (_HARMLESS.match(value) and not is_password(name)):
            return value
        return self._string(value) if self._authored and not is_secret(name) else REDACTED

    def _arguments(self, item: list[Any], depth: int) -> list[Any]:
        cleaned: list[Any] = []
        before = ""
        for argument in item:
            cleaned.append(
                self._argument(before, argument) if isinstance(argument, str) else self.clean(argument, depth + 1)
            )
            before = argument if isinstance(argument, str) else ""
        return item if all(map(_same, cleaned, item)) else cleaned

    def _argument(self, before: str, argument: str) -> str:
        flag = _FLAG.match(before)
        if flag and is_secret(flag["name"]) and not argument.startswith("-") and not stays(argument):
            return REDACTED
        if before in _USERS and ":" in argument:
            return REDACTED
        assigned = _ASSIGNED.match(argument)
        if assigned and is_secret(assigned["name"]):
            value = argument[assigned.end() :]
            return argument if stays(value) or _HARMLESS.match(value) else f"{assigned['kept']}{REDACTED}"
        return self._string(argument)


def _same(one: Any, other: Any) -> bool:
    return one is other


def _last(name: str) -> str:
    """Return the last part of a name, which may be a path, as in a JSON patch."""
    return name.rpartition("/")[2]


def _blank(item: Any, depth: int) -> Any:
    """Return the same keys and places without values."""
    if depth > _DEEPEST:
        return REDACTED
    if isinstance(item, dict):
        return {key: _blank(field, depth + 1) for key, field in item.items()}
    if isinstance(item, list):
        return [_blank(element, depth + 1) for element in item]
    return item if item is None or item in {"", REDACTED} else REDACTED
