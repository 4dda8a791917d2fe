"""Blocks: removes the data of Secrets in text that cannot be parsed: logs, dumps, truncated files."""

import re
from collections.abc import Iterator

from chaos_harness.harness.redaction.forms import REDACTED

__all__ = ["mentions_secret", "without_blocks"]

_MENTIONS = re.compile(
    r"(?:\b|(?<=\\n))kind\\*[\"']?\s{0,9}[:=]\s{0,9}\\*[\"']?secret(?:list)?\b|\bsecret(?:list)?\{"
    r"|\b(?:patch|apply|create|edit|update|replace)\s+secrets?\b"
    r"|\bsecrets?(?:/|\\*[\"'] |\s+\\*[\"'])|helm\.sh/release",
    re.IGNORECASE,
)
_DATA = r"(?:data|stringData|binaryData)"
_BRACES = re.compile(
    rf"(?:\b|(?<=\\n)){_DATA}(?P<quote>\\*[\"'])?\s{{0,9}}[:=]\s{{0,9}}(?:map\[string\](?:\[\](?:byte|uint8)|string))?(?=[{{\[]|map\[(?!string\]))",
    re.IGNORECASE,
)
_OPENING = re.compile(rf"[ \t]*(?:- )?(?P<name>{_DATA}):[ \t]*\Z", re.IGNORECASE)
_PREFIX = re.compile(
    r"\S{1,64} (?:stdout|stderr) [FP] |[A-Z][a-z]{2} {1,2}\d{1,2} [\d:]{8} \S{1,255} \S{1,255}: "
    r"|\d{4}-\S{1,64} \S{1,255} \S{1,255}\[\d+\]: "
)
_BREAK = re.compile(r"(\r?\n|\\{1,15}n)")
_KEY = re.compile(r"[ \t]*(?:- |\? )?[\"']?[\w./-]{1,253}[\"']?:(?=\s|\Z)")
_STOP = re.compile(r"[{}\[\]\"]")


def mentions_secret(text: str) -> bool:
    """Whether `text` may contain an object of kind Secret."""
    return _MENTIONS.search(text) is not None


def without_blocks(text: str) -> str:
    r"""Return a text that mentions a Secret without the content of any `data`, in YAML, JSON and Go's notation.

    The prefixes of log lines do not matter, nor whether line ends are written as `\n`.
    """
    return _without_braces("".join(_without_indented(text)))


def _without_indented(text: str) -> Iterator[str]:
    """Yield the text without the values in the deeper lines below a `data:`."""
    parts = _BREAK.split(text)
    inside: int | None = None
    for number, part in enumerate(parts):
        prefix = _PREFIX.match(part) if number % 2 == 0 else None
        body = part[prefix.end() :] if prefix else part
        if number % 2 or not body.strip():
            yield part
            continue
        column = len(body) - len(body.lstrip(" \t"))
        if inside is not None and column > inside:
            key = _KEY.match(body)
            kept = body[: key.end()] if key else body[:column]
            if key and not body[key.end() :].strip():
                yield part
            else:
                yield f"{part[: len(part) - len(body)]}{kept}{' ' if key else ''}{REDACTED}"
            continue
        opening = _OPENING.search(body[-400:])
        inside = _column(body, opening) if opening else None
        yield part


def _column(body: str, opening: re.Match[str]) -> int:
    """Return the column of the `data:`; deeper lines belong to it."""
    start = len(body) - len(body[-400:])
    lead = body[: start + opening.start("name")]
    return len(lead) if lead.strip(" \t-") == "" else len(body) - len(body.lstrip(" \t"))


def _without_braces(text: str) -> str:
    kept, done = [], 0
    for brace in _BRACES.finditer(text):
        if brace.start() < done:
            continue
        opens = brace.end() + (3 if text.startswith("map", brace.end()) else 0)
        quote = brace["quote"] or ""
        end = _find_end(text, opens)
        kept += [text[done : brace.end()], f"{quote}{REDACTED}{quote}"]
        done = end
    return "".join([*kept, text[done:]])


def _find_end(text: str, start: int) -> int:
    """Return the end of the brace that opens at `start`, strings not counted, or the end of the text."""
    depth, end = 0, len(text)
    for stop in _STOP.finditer(text, start):
        mark = stop.group()
        if mark in "{[":
            depth += 1
        elif mark in "}]":
            depth -= 1
            if depth == 0:
                return stop.end()
    return end
