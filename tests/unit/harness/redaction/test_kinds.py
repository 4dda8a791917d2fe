"""Kinds: each kind of secret, in each way in which a run leaves something, is not found again; what is none stays."""

import json
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import pytest

from chaos_harness.clusters.machine.process import CommandResult
from chaos_harness.clusters.shape import Shape
from chaos_harness.harness.incident.bundle import write
from chaos_harness.harness.incident.replay import logs
from chaos_harness.harness.redaction import redact
from chaos_harness.reports.allure import attachments
from chaos_harness.reports.allure.sweep import redact_results
from tests.fakes.secrets import KINDS, ORDINARY

_POD = "/var/log/pods/gatekeeper-system_audit-1_uid/manager/0.log"


class _Node:
    """A cluster of one node, whose logs say what a test wants."""

    name = "w"
    shape = Shape()

    def __init__(self, said: str) -> None:
        self._said = said

    def nodes(self) -> Sequence[str]:
        return ("w-worker",)

    def exec(self, _node: str, argv: Sequence[str], _deadline: object, **_: Any) -> CommandResult:
        return CommandResult(f"{_POD}\n" if argv[-1].startswith("ls ") else self._said, "", 0)


def _attached(text: str, place: Path) -> str:
    (place / "a.txt").write_text(text, encoding="utf-8")
    return attachments.attach_file("a", place / "a.txt", "text/plain").body.decode()


def _bundled(text: str, place: Path) -> str:
    (place / "a.log").write_text(text, encoding="utf-8")
    write._copy(place / "a.log", place / "into" / "a.log")
    return (place / "into" / "a.log").read_text(encoding="utf-8")


def _logged(text: str, place: Path) -> str:
    logs.collect(_Node(text), place)  # type: ignore[arg-type]
    return (place / "worker" / "kubelet.log").read_text(encoding="utf-8")


def _swept(text: str, place: Path) -> str:
    (place / "a.txt").write_text(text, encoding="utf-8")
    redact_results(place)
    return (place / "a.txt").read_text(encoding="utf-8")


def _swept_json(text: str, place: Path) -> str:
    (place / "a-result.json").write_text(json.dumps({"statusDetails": {"message": text}}), encoding="utf-8")
    redact_results(place)
    message: str = json.loads((place / "a-result.json").read_text(encoding="utf-8"))["statusDetails"]["message"]
    return message


_WAYS: dict[str, Callable[[str, Path], str]] = {
    "attachment": _attached,
    "bundle": _bundled,
    "log": _logged,
    "swept text": _swept,
    "swept JSON": _swept_json,
}


def _left(text: str, place: Path) -> Iterator[tuple[str, str]]:
    """Yield what a text is in each way in which a run leaves it, after the way."""
    for way, leave in _WAYS.items():
        folder = place / way
        folder.mkdir()
        yield way, leave(text, folder)


@pytest.mark.parametrize("kind", KINDS)
def test_secret_does_not_survive(kind: str, tmp_path: Path) -> None:
    """A planted secret is gone, and what was redacted once is not changed any more, whichever way it was left."""
    text, planted = KINDS[kind]
    assert planted in text

    for way, clean in _left(text, tmp_path):
        assert planted not in clean, way
        assert "removed as a whole" not in clean, way
        assert redact(clean) == clean, way


@pytest.mark.parametrize("text", ORDINARY, ids=range(len(ORDINARY)))
def test_what_is_no_secret_stays(text: str, tmp_path: Path) -> None:
    """Digests, uids, versions, names, hashes, commits, moments and ordinary log lines come back letter for letter."""
    assert dict(_left(text, tmp_path)) == dict.fromkeys(_WAYS, text)
