"""Consent: nothing is installed or set up as root before who uses this machine has agreed to what it will be.

A terminal is asked once, and a "y" is kept on the machine until `uninstall`. Without a terminal nobody can be asked:
`--yes`, CHAOS_YES=1, or the CI=true that almost every CI service sets, agree for one command, and nothing is kept.
"""

import contextlib
import json
import os
import shlex
import sys
import time
from collections.abc import Iterator
from pathlib import Path

from chaos_harness.clusters.errors import ConsentMissing
from chaos_harness.clusters.machine import traces

__all__ = ["YES", "agree", "agreed", "ask", "ask_for_text", "line_that_agrees", "require", "typed_command"]

YES = "CHAOS_YES"
"""Environment variable: if it is 1, everything is agreed to that this command asks."""

_TERMINAL = Path("/dev/tty")
_MOST_BYTES = 1024
_ON = ("1", "true", "yes")
_MODULE = "__main__.py"


def agree() -> None:
    """Agree to everything, in this process and in those it starts: the option --yes was typed."""
    os.environ[YES] = "1"


def agreed() -> bool:
    """Whether nothing has to be asked: this command agrees, or who was asked before did."""
    return _agrees_now() or _record().is_file()


def require(notice: str) -> None:
    """Return if the user agrees to what `notice` says, a screen of text; ask on the terminal unless they have before.

    Raises ConsentMissing, with the line to type, if they do not, or cannot be asked. Nothing was touched then.
    """
    if agreed():
        return
    answer = ask(f"{notice}\n\nGo on?")
    if answer is None:
        raise ConsentMissing(f"{notice}\n\nnobody can be asked here; this line agrees:\n  {line_that_agrees()}")
    if not answer:
        raise ConsentMissing(
            f"nothing was installed or changed; this line agrees without a question:\n  {line_that_agrees()}"
        )
    _keep()


def ask(question: str) -> bool | None:
    """Return whether the user answers yes, on the terminal; None if there is none, or this process may not read it.

    A command in the background, or one of several workers, would stop or compete for what is typed.
    """
    if _agrees_now():
        return True
    with _open_terminal() as terminal:
        if terminal is None:
            return None
        os.write(terminal, f"{question} [y/N] ".encode())
        return os.read(terminal, _MOST_BYTES).decode(errors="replace").strip().lower() in ("y", "yes")


def ask_for_text(question: str) -> str | None:
    """Return what the user types on the terminal; None if there is none. Nothing agrees in advance, not even CI."""
    with _open_terminal() as terminal:
        if terminal is None:
            return None
        os.write(terminal, f"{question} ".encode())
        return os.read(terminal, _MOST_BYTES).decode(errors="replace").strip()


def typed_command() -> str:
    """Return the command line of this process as its user typed it: the nox session, if nox started it."""
    program, words = Path(sys.argv[0]), sys.argv[1:]
    if session := os.environ.get("NOX_CURRENT_SESSION"):
        verb = words[:1] if program.name == _MODULE else []
        rest = words[len(verb) :]
        return shlex.join(["nox", "-s", session, *(["--", *rest] if rest else [])])
    if program.name == _MODULE:
        return shlex.join(["python3", "-m", program.parent.name, *words])
    return shlex.join([program.name, *words])


def line_that_agrees() -> str:
    """Return the command line of this process, with what agrees to all that it asks."""
    return f"{YES}=1 {typed_command()}"


def _agrees_now() -> bool:
    return any(os.environ.get(name, "").lower() in _ON for name in (YES, "CI"))


def _record() -> Path:
    return traces.HOME / "agreed.json"


def _keep() -> None:
    traces.HOME.mkdir(mode=0o700, parents=True, exist_ok=True)
    words = {"at": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime()), "command": typed_command()}
    _record().write_text(json.dumps(words) + "\n", encoding="utf-8")


@contextlib.contextmanager
def _open_terminal() -> Iterator[int | None]:
    """Open the terminal for the block, whatever standard input and output are: pytest captures both."""
    if "PYTEST_XDIST_WORKER" in os.environ:
        yield None
        return
    try:
        terminal = os.open(_TERMINAL, os.O_RDWR | os.O_CLOEXEC)
    except OSError:
        yield None
        return
    try:
        yield terminal if os.tcgetpgrp(terminal) == os.getpgrp() else None
    finally:
        os.close(terminal)
