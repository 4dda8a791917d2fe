"""Fields: removes, from any text, the values after names of secrets."""

import re

from chaos_harness.harness.redaction.forms import REDACTED, decoded
from chaos_harness.harness.redaction.names import PART, is_header, is_password, is_secret, stays

__all__ = ["without_fields"]

_NAME = r"[A-Za-z0-9_.-]"
_CODED = r"&(?:quot|#34|#39|#x27);|%2[27]"  # a quote in HTML and in an address
_FIELD = re.compile(
    rf"{PART}{_NAME}{{0,60}}+(?P<quote>\\{{0,15}}+[\"']|{_CODED})?[ \t]{{0,9}}+"
    rf"(?P<sign>:=|=>|[:=](?!=)|%3[AD])[ \t]{{0,99}}+(?:{_CODED})?",
    re.IGNORECASE,
)
_HEAD = re.compile(rf"{_NAME}*\Z")
_FLAG = re.compile(
    rf"(?<![\w-])--?(?P<name>[A-Za-z]{_NAME}{{0,80}}+)(?P<kept>\\{{0,7}}[\"']?,?[ \t\n]{{1,99}}\\{{0,7}}[\"']?)"
    r"(?P<value>[^\s\"',\\:-](?:[^\s\"'\\:]|:(?!\s|\Z))*+)"
)
_ELEMENT = re.compile(r"<(?P<name>[A-Za-z_][\w.:-]{0,80}+)>(?P<value>[^<]{1,4096})(?=</)")
_USER = re.compile(r"(?P<kept>(?<![\w-])(?:-u|--(?:proxy-)?user)[ =][\"']?)[^\s:\"'-][^\s:\"']{0,99}:[^\s\"']++")
_QUOTE = re.compile(r"[bru]{0,2}(?P<slashes>\\{0,15}+)(?P<mark>[\"'])")
_VALUE = re.compile(
    r"(?:[^\s&;\"'<>\])},\\]|,(?![\s\"']|\Z|[\w.-]{1,40}[=:])|[\])}](?![\s,;.\])}:]|\Z)|<(?!/|redacted>)|\\(?![nrt\"'\\]))++"
)
_LINE = re.compile(r"(?:[^\r\n\\]|\\(?![nrt\"'\\]))*+")
_LIST = re.compile(r"\[[^\]\n]{1,500}+(?=\])")
_ANOTHER = re.compile(r"[ &;][\w-]+=")
_BLOCK = re.compile(r"[|>][-+\d]{0,2}[ \t]*\n")
_BEGINS = re.compile(r"(?:\A|[\n\r]|\\n)(?P<indent>[ \t]*(?:- )?)(?:export )?[\"']?\Z")
_PROSE = re.compile(r"[A-Za-z]+(?:[-/.][A-Za-z]+)*[.!]?\Z")
_GOES_ON = re.compile(r"[,;]? [^\s=]")
_CODE = re.compile(r"[A-Za-z_][\w.]*(?:[(\[]| (?:or|and|if) )")
_SCHEME = re.compile(r"(?:Bearer|Basic|Digest|Token|Negotiate|ApiKey|AWS4\S{0,20})\s", re.IGNORECASE)
_NUMBER = re.compile(r"-?[\d.]{1,6}\Z")
_BASE64 = re.compile(r"[A-Za-z0-9+/]{6,}={0,2}\Z")
_BLOB = re.compile(r"[A-Za-z0-9+/]{16,}")
_LOOK_BACK = 120


def without_fields(text: str) -> str:
    """Return `text` without the values of fields, variables and flags whose names are those of secrets."""
    text = _FLAG.sub(_flag, text)
    text = _USER.sub(rf"\g<kept>{REDACTED}", text)
    if "</" in text:
        text = _ELEMENT.sub(_element, text)
    kept, done = [], 0
    field = _FIELD.search(text)
    while field:
        end, value = _replace_value(text, field)
        if value is not None:
            kept += [text[done : field.end()], value]
            done = end
        field = _FIELD.search(text, max(end, field.end()))
    return "".join([*kept, text[done:]]) if kept else text


def _flag(match: re.Match[str]) -> str:
    whole, value = match.group(), match["value"]
    if not is_secret(match["name"]) or stays(value):
        return whole
    return f"{whole[: len(whole) - len(value)]}{REDACTED}"


def _element(match: re.Match[str]) -> str:
    """Clean an XML element; a secret's is known by its tag."""
    secret = is_secret(match["name"]) and not stays(match["value"].strip())
    return f"<{match['name']}>{REDACTED}" if secret else match.group()


def _replace_value(text: str, field: re.Match[str]) -> tuple[int, str | None]:
    """Return the end of a field's value, and its replacement, or None if it stays."""
    start = field.end()
    before = text[max(0, field.start() - _LOOK_BACK) : field.start()]
    head = _HEAD.search(before)
    front = head.group() if head else ""
    if before[: len(before) - len(front)].endswith("\\") and front[:1] in {"n", "r", "t"}:  # an escaped line end
        front = front[1:]
    end_of_name = field.start("quote") if field["quote"] else field.start("sign")
    name = f"{front}{text[field.start() : end_of_name].rstrip()}"
    if not is_secret(name) and not name.lower().endswith("auth"):
        return start, None
    quote = _QUOTE.match(text, start)
    if quote:
        end = _find_quote_end(text, quote)
        return end, _replace_quoted(name, text[start:end], quote)
    if text.startswith("[", start):
        return _replace_list(text, start, field["quote"] or "")
    return _replace_bare(name, text, field, before[: len(before) - len(front)])


def _find_quote_end(text: str, quote: re.Match[str]) -> int:
    """Return the end of a quoted value with its quote; an unclosed one ends with its line.

    A quote inside of strings has backslashes in front, whose number grows by powers of two.
    """
    depth, skipped = len(quote["slashes"]) + 1, 0
    for candidate in _QUOTE.finditer(text, quote.end()):
        slashes = len(candidate["slashes"])
        if candidate.start() < skipped:
            continue
        if candidate["mark"] == quote["mark"] and (slashes - depth + 1) % (2 * depth) == 0:
            if candidate["mark"] == "'" and text.startswith("'", candidate.end()):  # as YAML has it in its strings
                skipped = candidate.end() + 1
                continue
            return candidate.end()
        if slashes < depth - 1 and candidate["mark"] == '"':  # the string around it ends
            return candidate.start("slashes")
    line = text.find("\n", quote.end())
    return len(text) if line < 0 else line


def _replace_quoted(name: str, value: str, quote: re.Match[str]) -> str | None:
    mark = f"{quote['slashes']}{quote['mark']}"
    inner = value[len(quote.group()) :].removesuffix(mark)
    if not is_secret(name) and not _is_credential(inner):
        return None
    if stays(inner) or (is_header(name) and _PROSE.match(inner)):
        return None
    scheme = _SCHEME.match(inner) if is_header(name) else None
    return f"{quote.group()}{scheme.group() if scheme else ''}{REDACTED}{mark if value.endswith(mark) else ''}"


def _replace_list(text: str, start: int, quote: str) -> tuple[int, str | None]:
    """Remove a list on one line, such as the values of a header."""
    bracketed = _LIST.match(text, start)
    if not bracketed or stays(bracketed.group()[1:].strip(" \\\"'")):
        return start, None
    return bracketed.end(), f"[{quote}{REDACTED}{quote}"


def _replace_bare(name: str, text: str, field: re.Match[str], before: str) -> tuple[int, str | None]:
    start, sign = field.end(), field["sign"]
    begins = _BEGINS.search(before)
    block = _BLOCK.match(text, start)
    if begins and block:
        return _find_block_end(text, block.end(), len(begins["indent"])), REDACTED + "\n"
    spaced = sign == ":" and start > field.end("sign")
    whole = bool(begins and (spaced or sign == "=") and field["quote"] is None and not name.startswith("-"))
    value = _value(text, start, whole=whole, assigned=sign == "=")
    end = start + len(value)
    if _is_harmless(name, value):
        return end, None
    if is_header(name):
        scheme = _SCHEME.match(text, start)
        line = _LINE.match(text, scheme.end()) if scheme else None
        return (line.end(), f"{scheme.group()}{REDACTED}") if scheme and line else (start, None)
    prose = spaced and not whole and not is_password(name) and _PROSE.match(value) and _GOES_ON.match(text, end)
    if prose or not (is_secret(name) or _is_credential(value)):
        return end, None
    return end, REDACTED


def _is_harmless(name: str, value: str) -> bool:
    """Whether an unquoted value is no secret: it reveals nothing, is a count, or is source code."""
    if value.startswith(REDACTED) or stays(value) or _CODE.match(value):
        return True
    if name.endswith(".key") and not _BLOB.match(value):  # a field of something, rather than the name of a file
        return True
    return not is_password(name) and _NUMBER.match(value.rstrip(",")) is not None


def _value(text: str, start: int, *, whole: bool, assigned: bool) -> str:
    """Return an unquoted value: the rest of its line if `whole`, unless other assignments follow."""
    line = _LINE.match(text, start) if whole else None
    if line and not (assigned and _ANOTHER.search(line.group())):
        return line.group().rstrip()
    word = _VALUE.match(text, start)
    return word.group() if word else ""


def _find_block_end(text: str, start: int, indent: int) -> int:
    """Return the end of the lines that are indented deeper than `indent`."""
    while start < len(text):
        end = text.find("\n", start)
        end = len(text) if end < 0 else end + 1
        line = text[start:end]
        if line.strip() and len(line) - len(line.lstrip(" \t")) <= indent:
            break
        start = end
    return start


def _is_credential(value: str) -> bool:
    """Whether a value is of the form that Docker and npm store in `auth`: base64 of "user:password"."""
    return _BASE64.match(value) is not None and b":" in decoded(value)
