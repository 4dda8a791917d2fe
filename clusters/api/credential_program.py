"""Credential program: what a kubeconfig has run for its user's credentials, which this machine may lack."""

import logging
import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import yaml

from chaos_harness.clusters.errors import BadScenario
from chaos_harness.clusters.problem_words import shorten
from chaos_harness.clusters.terminal.escape import escape_controls

__all__ = ["require_program", "told_errors"]

_INSTEAD = ("token", "tokenFile", "auth-provider")
"""What the client of Kubernetes asks before it runs a program."""

_SENTENCE = 300


def require_program(text: str, context: str | None, folder: Path) -> None:
    """Raise BadScenario if the user of a context, of a kubeconfig in `folder`, logs in by a program that is not here.

    Of a text that is no kubeconfig nothing is said.
    """
    user, name = _user(text, context)
    given = user.get("exec")
    command = given.get("command") if isinstance(given, dict) else None
    if not isinstance(command, str) or not command or any(user.get(each) for each in _INSTEAD):
        return
    path = _variables(given.get("env") if isinstance(given, dict) else None).get("PATH", os.environ.get("PATH"))
    if "/" in command:
        command = str(folder.absolute() / command)
    if shutil.which(command, path=path) is None:
        raise BadScenario(
            f"user {shorten(name)} logs in by the program {shorten(command)}, which is not on this machine; install "
            "it, or name a kubeconfig whose user has a token: `kubectl create token` makes one"
        )


@contextmanager
def told_errors() -> Iterator[None]:
    """Raise BadScenario at the end of the block with what was logged in it as an error.

    The client of Kubernetes logs why a program gave no credentials, and goes on without.
    """
    told = _Told()
    log = logging.getLogger()
    log.addHandler(told)
    try:
        yield
    finally:
        log.removeHandler(told)
    if told.said:
        raise BadScenario(f"no credentials: {escape_controls(told.said[-1], most=_SENTENCE)}")


class _Told(logging.Handler):
    def __init__(self) -> None:
        super().__init__(logging.ERROR)
        self.said: list[str] = []

    def emit(self, record: logging.LogRecord) -> None:
        self.said.append(record.getMessage())


def _user(text: str, context: str | None) -> tuple[dict[str, Any], str]:
    """Return the user of a context, by default the current one, and its name; {} if there is none."""
    config = yaml.load(text, yaml.CSafeLoader)
    if not isinstance(config, dict):
        return {}, ""
    there = _named(config.get("contexts"), context or config.get("current-context"))
    inner = there.get("context")
    name = inner.get("user") if isinstance(inner, dict) else None
    user = _named(config.get("users"), name).get("user")
    return (user, str(name)) if isinstance(user, dict) else ({}, "")


def _named(items: Any, name: Any) -> dict[str, Any]:
    there = items if isinstance(items, list) and name else ()
    return next((item for item in there if isinstance(item, dict) and item.get("name") == name), {})


def _variables(items: Any) -> dict[str, str]:
    given = [item for item in items if isinstance(item, dict)] if isinstance(items, list) else []
    return {str(item.get("name")): str(item.get("value")) for item in given}
