"""Escape: makes text of others safe for a terminal, a log or a report."""

__all__ = ["escape_controls", "first_line", "last_line"]


def escape_controls(text: str, *, lines: bool = False, most: int | None = None) -> str:
    r"""Replace what a terminal would interpret or not show, such as ESC, by a visible escape like \x1b.

    Only printable characters and plain spaces stay (`str.isprintable`). Control characters, bidirectional marks,
    characters of no width, and half or invalid characters are replaced. Escaping twice changes nothing more. With
    `lines`, line ends stay, too. At most `most` characters of the text are shown, and a longer text ends with "…";
    without `most`, the result is at most ten times as long as the text.
    """
    if most is not None and len(text) > most:
        text = f"{text[:most]}…"
    if text.isprintable():
        return text
    return "".join(
        character if character.isprintable() or (lines and character == "\n") else _escaped(character)
        for character in text
    )


def first_line(words: str) -> str:
    """Return the first line of a message, for places with room for one line; its meaning is not interpreted."""
    return words.partition("\n")[0]


def last_line(words: str) -> str:
    """Return the last line of a message, where most programs name the error."""
    return words.rstrip().rpartition("\n")[2]


def _escaped(character: str) -> str:
    return character.encode("unicode_escape").decode("ascii")
