"""Forms: recognises secrets by their form; each expression takes linear time."""

import base64
import binascii
import re
from collections.abc import Iterator

__all__ = ["REDACTED", "decoded", "documents", "without_forms"]

REDACTED = "<redacted>"

# Linear: each begins with letters of its own, fails within a bound, or eats what it looked at.
_MOST_OF_KEY = 20_000
_EDGE = r"(?:(?<![A-Za-z0-9])|(?<=\\[nrt]))"
_ATOM = r"[A-Za-z0-9_-]"
_PEM = re.compile(
    rf"-----BEGIN (?P<kind>[A-Z0-9 ]{{0,40}}PRIVATE KEY(?: BLOCK)?)-----"
    rf"(?:.{{0,{_MOST_OF_KEY}}}?-----END (?P=kind)-----|.{{0,{_MOST_OF_KEY}}})",
    re.DOTALL,
)
_URL = re.compile(r"(?P<kept>:(?:\\{0,7}/){2})[^\s/?#\"'<>\\]{1,512}@(?!sha256:)")
_ADDRESS = re.compile(r"(?<![^\s\"'=])[^\s:@/\"'=]{1,64}:[^\s@\"']{1,200}(?=@(?:tcp|unix)\()")
_BEFORE_HOST = re.compile(
    r"(?<![\w./@:+-])[A-Za-z][\w.+-]{0,63}:[^\s:@/\"'<>\\]{3,200}@(?!sha\d)(?=[\w-]{1,64}(?:\.[\w-]{1,64})+|[\w.-]{1,99}:\d)"
)
_END = re.compile(r"-----END [A-Z0-9 ]{0,40}PRIVATE KEY(?: BLOCK)?-----")
_BODY = re.compile(r"(?<![A-Za-z0-9+/=])[A-Za-z0-9+/]{16,}={0,2}[ \r]*\Z")
_BREAK = re.compile(r"(\n|\\{1,15}n)")
_MOST_LINES = 400
_SCHEME = re.compile(
    r"(?P<kept>\bBearer\s{1,9})(?=[\w.~+/=-]{0,40}\d|[\w.~+/=-]{16})[\w.~+/=-]{6,}+"
    r"|(?P<header>\bAuthorization\W{1,6}(?:Basic|Digest|Token|Negotiate|ApiKey)\s{1,9})[^\s\"'\\]++",
    re.IGNORECASE,
)
_BASIC = re.compile(r"(?P<kept>\bBasic\s{1,9})(?P<blob>[A-Za-z0-9+/]{6,}+={0,2})", re.IGNORECASE)
_QUERY = re.compile(
    r"(?P<kept>[?&;](?:sig|signature|x-(?:amz|goog)-(?:signature|credential|security-token)|code)=)[^\s&\"'<>#\\]{8,}+",
    re.IGNORECASE,
)
_TOKENS = re.compile(
    "|".join(
        (
            rf"(?:(?<![A-Za-z0-9+/])|(?<=\\[nrt]))eyJ{_ATOM}{{12,}}+(?:[.+/=]{{1,2}}{_ATOM}*+)*+",
            rf"{_EDGE}(?:gh[pousr]_|github_pat_|glpat-|xox[abeoprs]-|npm_|dckr_pat_|hvs\.|hvb\.)[\w-]{{16,}}+",
            rf"{_EDGE}(?:sk|rk|pk)_(?:live|test)_[A-Za-z0-9]{{10,}}+",
            rf"{_EDGE}(?:AKIA|ASIA|AROA|AIDA)[A-Z0-9]{{16}}(?![A-Za-z0-9])",
            rf"{_EDGE}AIza[\w-]{{35}}|{_EDGE}ya29\.[\w.-]{{20,}}+",
            rf"{_EDGE}chaos_pw_[0-9a-f]{{16,}}+",
            rf"{_EDGE}sha256~[\w-]{{20,}}+|{_EDGE}pypi-[\w-]{{40,}}+",
            r"(?<![\w~.-])[\w~.-]{3}\dQ~[\w~.-]{31,34}",
            r"(?<![\w.-])[a-z0-9]{6}\.(?=[a-z0-9]{0,15}[g-z])(?=[a-z0-9]{0,15}\d)[a-z0-9]{16}(?![\w.-])",
        )
    )
)
_ARCHIVE = re.compile(r"(?<![A-Za-z0-9+/])(?:H4sIA|SDRzSUFB)[A-Za-z0-9+/]{32,}+={0,2}")
_BASE64_PEM = re.compile(
    r"(?:LS0tLS1CRUdJTi|TFMwdExTMUNSVWRKVGlC)[A-Za-z0-9+/]++={0,2}(?:(?:\s|\\{1,7}n){1,40}[A-Za-z0-9+/]{40,}+={0,2})*+"
    r"(?:(?:\s|\\{1,7}n){1,40}[A-Za-z0-9+/]{1,80}={1,2})?"
)
_DOCUMENT = re.compile(r"(?<![A-Za-z0-9+/])(?:YXBpVmVyc2lvbj|a2luZDo|ewog|dXNlcnM6|LS0tC)[A-Za-z0-9+/]{40,}+={0,2}")
_BLANKS = re.compile(r"\s+|\\+n")


def documents(text: str) -> Iterator[tuple[int, int, str]]:
    """Yield (start, end, content) for base64 of YAML or JSON in `text`."""
    for document in _DOCUMENT.finditer(text):
        try:
            yield document.start(), document.end(), decoded(document.group()).decode()
        except UnicodeError:
            continue


def without_forms(text: str) -> str:
    """Return `text` without private keys, tokens of known services, JWTs, archives of Helm, and users in URLs."""
    if "PRIVATE KEY" in text:
        text = _without_ends(_PEM.sub(REDACTED, text))
    if "@" in text:
        text = _URL.sub(rf"\g<kept>{REDACTED}@", text)
        text = _ADDRESS.sub(REDACTED, text)
        text = _BEFORE_HOST.sub(f"{REDACTED}@", text)
    text = _SCHEME.sub(_redact_scheme, text)
    text = _BASIC.sub(_redact_basic, text)
    if "=" in text:
        text = _QUERY.sub(rf"\g<kept>{REDACTED}", text)
    text = _TOKENS.sub(REDACTED, text)
    text = _ARCHIVE.sub(REDACTED, text)
    return _BASE64_PEM.sub(_redact_private, text)


def _without_ends(text: str) -> str:
    """Remove what precedes the end of a key whose beginning is cut off, as at the start of a log."""
    if not _END.search(text):
        return text
    parts = _BREAK.split(text)
    for number in range(0, len(parts), 2):
        end = _END.search(parts[number])
        if end:
            parts[number] = f"{_BODY.sub('', parts[number][: end.start()])}{REDACTED}{parts[number][end.end() :]}"
            for above in range(number - 2, max(-1, number - 2 * _MOST_LINES), -2):
                body = _BODY.search(parts[above])
                if not body:
                    break
                parts[above] = f"{parts[above][: body.start()]}{REDACTED}"
    return "".join(parts)


def _redact_scheme(match: re.Match[str]) -> str:
    return f"{match['kept'] or match['header']}{REDACTED}"


def _redact_basic(match: re.Match[str]) -> str:
    """Redact base64 of "user:password"; "basic authentication" is none."""
    return f"{match['kept']}{REDACTED}" if b":" in decoded(match["blob"]) else match.group()


def _redact_private(match: re.Match[str]) -> str:
    """Redact base64 of a PEM private key; certificates are public, and readers of a report need them."""
    clear = decoded(_BLANKS.sub("", match.group()))
    if clear.startswith(b"LS0t"):
        clear = decoded(clear.decode("ascii", "replace"))
    return match.group() if clear and b"PRIVATE KEY" not in clear else REDACTED


def decoded(blob: str) -> bytes:
    """Return the content of base64, without what is cut off at its end; nothing if the text is not base64."""
    blob = blob.rstrip("=")
    try:
        return base64.b64decode(blob[: len(blob) // 4 * 4])
    except (binascii.Error, ValueError):
        return b""
