"""Checkout: whether this code runs in a checkout of the project or installed, and what is called otherwise there."""

from pathlib import Path

__all__ = ["OPTION", "OUT", "ROOT", "command_line"]

_ABOVE = Path(__file__).resolve().parents[1]

ROOT = _ABOVE if (_ABOVE / "noxfile.py").is_file() else None
"""The checkout's folder, or None where the package is installed."""

OUT = Path("reports", "out") if ROOT else Path("chaos-results")
"""Where runs are written, seen from the folder in which one works; `reports` is our own folder in a checkout only."""


OPTION = "--" if ROOT else "--chaos-"
"""What options of pytest begin with: elsewhere its owner may have a --seed of his own."""


def command_line(words: str) -> str:
    """Return what a user types here for `nox -s WORDS`, which are a session, with -- if arguments are to follow.

    The session is the same verb of the command `chaos`, and what follows -- its arguments; scenarios are pytest's.
    """
    if ROOT:
        return f"nox -s {words}"
    verb, _, _ = words.partition(" --")
    return "pytest --chaos" if verb == "chaos" else f"chaos {verb}"
