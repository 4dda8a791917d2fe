"""SVG: the few shapes of which pictures are made, as strings."""

from xml.sax.saxutils import escape, quoteattr

from chaos_harness.harness.redaction import redact

__all__ = ["document", "path", "rect", "shortened", "text"]


def document(width: float, height: float, title: str, description: str, head: str, body: str) -> str:
    """Return a scalable picture with a text alternative for readers who do not see it."""
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {_n(width)} {_n(height)}" width="{_n(width)}" '
        f'height="{_n(height)}" role="img" aria-labelledby="title desc">'
        f'<title id="title">{_clean(title)}</title><desc id="desc">{_clean(description)}</desc>{head}{body}</svg>\n'
    )


def rect(x: float, y: float, width: float, height: float, style: str, hint: str = "", *, pattern: str = "") -> str:
    """Return a rectangle of the class `style`, with an optional pattern and tooltip."""
    place = f'x="{_n(x)}" y="{_n(y)}" width="{_n(max(width, 0.6))}" height="{_n(height)}"'
    over = f'<rect {place} fill="url(#{pattern})" pointer-events="none"/>' if pattern else ""
    return f'<rect {place} class="{style}">{_hint(hint)}</rect>{over}'


def path(d: str, style: str, hint: str = "") -> str:
    """Return a path of the class `style`."""
    return f'<path d="{d}" class="{style}">{_hint(hint)}</path>'


def text(x: float, y: float, words: str, style: str = "", *, anchor: str = "", hint: str = "") -> str:
    """Return one line of text."""
    styled = f' class="{style}"' if style else ""
    anchored = f" text-anchor={quoteattr(anchor)}" if anchor else ""
    return f'<text x="{_n(x)}" y="{_n(y)}"{styled}{anchored}>{_hint(hint)}{_clean(words)}</text>'


def shortened(words: str, most: int) -> str:
    """Return `words`, or its beginning and end if it is longer than `most`: names differ at both ends."""
    if len(words) <= most:
        return words
    tail = min(8, most // 3)
    return f"{words[: most - tail - 1]}…{words[-tail:]}" if tail else words[:most]


def _hint(words: str) -> str:
    return f"<title>{_clean(words)}</title>" if words else ""


def _clean(words: str) -> str:
    """Return text that is valid in XML, without secrets."""
    return escape("".join(letter if letter.isprintable() else " " for letter in redact(words)))


def _n(number: float) -> str:
    return f"{number:.2f}".rstrip("0").rstrip(".")
