"""Suggest: the word that somebody probably meant who typed one that is not known."""

from collections.abc import Iterable
from difflib import get_close_matches

__all__ = ["did_you_mean"]

_LONGEST = 80
_ALIKE = str.maketrans("_-", "  ")
"""`kill_containers` is a fault, and `kill containers` its name in a history."""


def did_you_mean(given: object, known: Iterable[str]) -> str:
    """Return "did you mean X? ", or "" if none of the `known` words is like the `given` one."""
    by_form = {_form(word): word for word in known}
    likely = get_close_matches(_form(str(given)), by_form, 1)
    return f"did you mean {by_form[likely[0]]}? " if likely else ""


def _form(word: str) -> str:
    return word[:_LONGEST].lower().translate(_ALIKE)
