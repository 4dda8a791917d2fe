"""Redaction: removes secrets from all that a run records or leaves behind: objects, reports, attachments, bundles."""

import json
import re
from functools import lru_cache
from typing import Any

from chaos_harness.harness.redaction import yamls
from chaos_harness.harness.redaction.blocks import mentions_secret, without_blocks
from chaos_harness.harness.redaction.fields import without_fields
from chaos_harness.harness.redaction.forms import REDACTED, documents, without_forms
from chaos_harness.harness.redaction.structure import Cleaner
from chaos_harness.harness.redaction.suspicion import is_suspect

__all__ = ["REDACTED", "redact", "redact_object"]

_MOST_LETTERS = 64 * 1024 * 1024
_MOST_LEVELS = 8
_CACHED_LETTERS = 256


def redact(text: str, *, authored: bool = False) -> str:
    """Return `text` without passwords, tokens, private keys, kubeconfig credentials and the data of Secrets.

    They are found by structure in JSON, in lines of JSON and in YAML, also inside of strings, and by names and forms in
    all other text. Names and keys stay; JSON and YAML stay valid; redacting twice changes nothing more. The time is
    proportional to the length of the text. Text that cannot be read (deeper than 200 levels, longer than 64 Mi
    characters, …) is removed as a whole, with a note. `authored` is for files that somebody wrote to be used again:
    values of `env` stay in them, unless their names or forms are those of secrets.
    """
    if not is_suspect(text):
        return text
    try:
        if len(text) > _MOST_LETTERS:
            return _replace_text(f"it is longer than {_MOST_LETTERS:,} letters")
        return _Text(authored=authored).clean(text)
    except Exception as error:  # noqa: BLE001 - a text that cannot be cleaned must not be written, whatever the error
        return _replace_text(type(error).__name__)


def redact_object(value: Any) -> Any:
    """Return an object (JSON) without its secrets, so that it may be written down; they are found by their place in it.

    Removed are what `redact` removes from text, and the values of `env` except numbers, true and false. Names, images,
    policies, versions, conditions, references and the names of arguments stay. `value` itself is not changed.
    """
    try:
        return _RECORDER.clean(value)
    except Exception as error:  # noqa: BLE001 - as above
        return _replace_text(type(error).__name__)


def _replace_text(why: str) -> str:
    return json.dumps(f"{REDACTED}: this text could not be read, and is removed as a whole ({why})")


class _Text:
    """Cleans texts; `level` is the number of strings that enclose this one."""

    def __init__(self, *, level: int = 0, authored: bool = False) -> None:
        self._level = level
        self._authored = authored

    def clean(self, text: str) -> str:
        if self._level > _MOST_LEVELS:
            return REDACTED
        head = text.lstrip()[:1]
        if head and head in '{["':
            cleaned = self._json(text)
            if cleaned is not None:
                return cleaned
        if self._level == 0 or "\n" in text:
            cleaned = yamls.clean(text, self._cleaner.clean, _words)
            if cleaned is not None:
                return cleaned
        cleaned = self._prose(text)
        if cleaned != text and yamls.is_yaml(text) and not yamls.is_yaml(cleaned):
            raise ValueError("what is left of it is no YAML")
        return cleaned

    @property
    def _cleaner(self) -> Cleaner:
        return Cleaner(_Text(level=self._level + 1, authored=self._authored).string, authored=self._authored)

    def string(self, text: str) -> str:
        """Return a string of an object, cleaned."""
        if not is_suspect(text):
            return text
        try:
            return self.clean(str(text))
        except Exception as error:  # noqa: BLE001 - the rest of the object may be written
            return _replace_text(type(error).__name__)

    def _json(self, text: str) -> str | None:
        """Return JSON cleaned, or None if the text is not JSON."""
        try:
            value, doubled = _load(text)
        except json.JSONDecodeError:
            return None
        cleaned = self._cleaner.clean(value)
        if cleaned == value and not doubled:
            return text
        return _dump(cleaned, text)

    def _prose(self, text: str) -> str:
        """Clean text: lines that end with an object one by one, the text between them as a whole."""
        kept, between = list[str](), list[str]()
        for line in text.split("\n"):
            whole = self._line(line)
            if whole is None:
                between.append(line)
                continue
            if between:
                kept.append(self._between("\n".join(between)))
                between.clear()
            kept.append(whole)
        return "\n".join([*kept, self._between("\n".join(between))] if between else kept)

    def _line(self, line: str) -> str | None:
        """Return a line that ends with a JSON object, cleaned; None if it does not, or is cut off."""
        start = line.find('{"')
        if start < 0 or not line.endswith(("}", "}\r")) or mentions_secret(line[:start]):
            return None
        if not is_suspect(line):
            return line
        try:
            cleaned = self._json(line[start:])
        except (RecursionError, ValueError) as error:
            cleaned = _replace_text(type(error).__name__)
        return None if cleaned is None else _words(line[:start]) + cleaned

    def _between(self, text: str) -> str:
        if not is_suspect(text):
            return text
        text = "\n".join(self._embedded(line) if '{"' in line else line for line in text.split("\n"))
        text = self._decoded(text)
        return _words(without_blocks(text) if mentions_secret(text) else text)

    def _decoded(self, text: str) -> str:
        """Remove base64 of objects that contain a secret."""
        kept, done = list[str](), 0
        for start, end, held in documents(text):
            if _Text(level=self._level + 1, authored=self._authored).string(held) != held:
                kept += [text[done:start], REDACTED]
                done = end
        return "".join([*kept, text[done:]])

    def _embedded(self, line: str) -> str:
        """Clean the JSON objects in a log line, up to the first that is cut off."""
        kept: list[str] = []
        done = 0
        start = line.find('{"')
        while start >= 0:
            try:
                end = _DECODER.raw_decode(line, start)[1]
                cleaned = self._json(line[start:end]) or ""
            except json.JSONDecodeError:
                break
            except (RecursionError, ValueError) as error:
                return "".join([*kept, line[done:start], _replace_text(type(error).__name__)])
            kept += [line[done:start], cleaned]
            done = end
            start = line.find('{"', end)
        return "".join([*kept, line[done:]])


_DECODER = json.JSONDecoder()


def _load(text: str) -> tuple[Any, bool]:
    """Return the value of JSON, and whether an object has a name twice: the first of them would be hidden."""
    doubled = False

    def paired(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
        nonlocal doubled
        mapping = dict(pairs)
        doubled = doubled or len(mapping) < len(pairs)
        return mapping

    return json.loads(text, object_pairs_hook=paired), doubled


def _dump(value: Any, like: str) -> str:
    """Return JSON in the layout of `like`."""
    spread = "\n" in like.strip()
    separators = None if spread or '": ' in like or ", " in like else (",", ":")
    dumped = json.dumps(value, indent=2 if spread else None, separators=separators, ensure_ascii=False)
    if not dumped.isascii() and re.search(r"[\ud800-\udfff]", dumped):
        dumped = json.dumps(value, indent=2 if spread else None, separators=separators)
    return like[: len(like) - len(like.lstrip())] + dumped + like[len(like.rstrip()) :]


def _words(text: str) -> str:
    return without_fields(without_forms(text))


@lru_cache(maxsize=32_768)
def _short(text: str) -> str:
    return _Text(level=1).string(text)


def _string(text: str) -> str:
    """Clean a string of an object; short ones are cached."""
    cleaned = _short(text) if len(text) <= _CACHED_LETTERS else _Text(level=1).string(text)
    return text if cleaned == text else cleaned


_RECORDER = Cleaner(_string)
