"""Checkout: whether this code runs in a checkout of the project or is installed, and what differs then."""

from pathlib import Path

__all__ = ["OPTION", "OUT", "ROOT", "command_line"]

_ABOVE = Path(__file__).resolve().parents[1]

ROOT = _ABOVE if (_ABOVE / "noxfile.py").is_file() else None
"""The checkout's folder, or None if the package is installed."""

OUT = Path("reports", "out") if ROOT else Path("chaos-results")
"""Where runs are written, below the working directory; elsewhere a folder `reports` may be the user's own."""


OPTION = "--" if ROOT else "--chaos-"
"""Prefix of our pytest options. Installed, it is longer, since the user's own plugins may have an option --seed."""


def command_line(words: str) -> str:
    """Return the command that a user types for `nox -s WORDS`; `words` end with -- if arguments follow.

    In a checkout that is the nox session. Installed, it is the same verb of the command `chaos-harness`; the scenarios
    are run by `chaos-harness run`.
    """
    if ROOT:
        return f"nox -s {words}"
    verb, _, _ = words.partition(" --")
    return f"chaos-harness {'run' if verb == 'chaos' else verb}"
