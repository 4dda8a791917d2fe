"""Containers: what the engine refuses because a container is busy is asked again, and nothing else is."""

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from chaos_harness.clusters.deadline import Deadline
from chaos_harness.clusters.engine import retry
from chaos_harness.clusters.engine.retry import retry_while_busy
from chaos_harness.clusters.errors import CommandFailed, DeadlineExceeded
from chaos_harness.clusters.machine.process import CommandResult
from tests.fakes.engine import FakeEngine

_BUSY = "Error response from daemon: Cannot pause container b: OCI runtime pause failed: unable to freeze: unknown"
_UNDEAD = (
    "Error response from daemon: Cannot kill container: a: tried to kill container, but did not receive an exit event"
)
_ENDED = "Error response from daemon: Cannot kill container: a: Container abc is not running"


@dataclass(frozen=True)
class Engine(FakeEngine):
    """Gives these answers to all but inspect, in their order and the last one for ever."""

    answers: list[CommandResult] = field(default_factory=list)

    def run(self, argv: Any, deadline: Deadline, *, check: bool = True, **_: Any) -> CommandResult:
        """Note what is asked."""
        if argv[0] == "inspect":
            return CommandResult("abc\n", "", 0)
        self.asked.append(" ".join(argv))
        return self.answers.pop(0) if len(self.answers) > 1 else self.answers[0]


@pytest.fixture
def thawed(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    thawed: list[str] = []
    monkeypatch.setattr(retry, "cgroups_of", lambda identity: [Path(identity)])
    monkeypatch.setattr(retry, "thaw", lambda directories: thawed.extend(map(str, directories)))
    return thawed


def test_only_what_was_not_frozen_is_asked_for_again() -> None:
    """Two of three stand still; the third one is busy twice."""
    engine = Engine(
        answers=[CommandResult("a\nc\n", _BUSY, 1), CommandResult("", _BUSY, 1), CommandResult("b\n", "", 0)]
    )
    retry_while_busy(engine, ["pause"], ["a", "b", "c"], Deadline.after(10, "all to stand still"))
    assert engine.asked == ["pause a b c", "pause b", "pause b"]


def test_what_does_not_die_is_thawed(thawed: list[str]) -> None:
    """Killed once more, it has ended meanwhile: that is what was wanted."""
    engine = Engine(answers=[CommandResult("", _UNDEAD, 1), CommandResult("", _ENDED, 1)])
    retry_while_busy(engine, ["kill"], ["a"], Deadline.after(10, "a to go down"))
    assert (engine.asked, thawed) == (["kill a", "kill a"], ["abc"])


@pytest.mark.parametrize("refusal", [_ENDED, "Error response from daemon: No such container: a"])
def test_another_refusal_is_told(refusal: str, thawed: list[str]) -> None:
    """One that runs no longer was not ended by us."""
    engine = Engine(answers=[CommandResult("", refusal, 1)])
    with pytest.raises(CommandFailed, match="`docker kill a`: Error response from daemon: "):
        retry_while_busy(engine, ["kill"], ["a"], Deadline.after(10, "a to go down"))
    assert (engine.asked, thawed) == (["kill a"], [])


def test_it_does_not_insist_for_ever() -> None:
    """What was refused last is told."""
    engine = Engine(answers=[CommandResult("", _BUSY, 1)])
    with pytest.raises(DeadlineExceeded, match=r"for all to stand still; .*`docker pause b` is refused: .* freeze"):
        retry_while_busy(engine, ["pause"], ["b"], Deadline.after(0.1, "all to stand still"))
