"""Shown: what others wrote, as it may stand on a terminal, in a log or in a report."""

__all__ = ["escape_controls", "first_line", "last_line"]


def escape_controls(text: str, *, lines: bool = False, most: int | None = None) -> str:
    r"""Return a text in which nothing is left that a terminal obeys, or that is not seen: it is written as \x1b.

    That is all but printable characters and plain blanks (`str.isprintable`): controls, such as those that begin an
    escape sequence; marks that turn the direction of writing; what has no width, is half a character or is none.
    A text that was shown before stays as it is. `lines`: line ends stay, too. `most` is how many characters of the
    text are shown; what is longer ends with "…". Else its length is that of the text, or up to ten times as much.
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
    """Return the first line of a message, for a place that has room for one; nothing is known of what it says."""
    return words.partition("\n")[0]


def last_line(words: str) -> str:
    """Return the last line of a message, in which a program mostly says why it failed."""
    return words.rstrip().rpartition("\n")[2]


def _escaped(character: str) -> str:
    return character.encode("unicode_escape").decode("ascii")
