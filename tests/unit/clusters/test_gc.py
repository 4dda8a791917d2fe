"""Command line's gc: what it removes, what it leaves and says so, and when it stops the private engine."""

import dataclasses
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from chaos_harness.clusters import engine as engines
from chaos_harness.clusters import garbage
from chaos_harness.clusters.engine import Engine
from chaos_harness.clusters.engine.claims import CLAIM
from chaos_harness.clusters.errors import EngineUnavailable, HarnessError
from chaos_harness.clusters.machine.owner import Owner
from chaos_harness.harness import __main__ as command
from tests.fakes.engine import FakeEngine


@dataclass
class Machine:
    """The private engine, whether it answers, and what became of it."""

    engine: FakeEngine = field(default_factory=FakeEngine)
    answers: bool = True
    ended: list[str] = field(default_factory=list)

    def find(self, choice: str | None = None) -> Engine:
        if not self.answers:
            raise EngineUnavailable(f"{choice or 'it'} has not answered; `nox -s gc -- --all`")
        return self.engine

    def stop(self, _progress: object, *, used: Callable[[Engine], bool] | None = None) -> bool:
        if used and used(self.find()):
            return False
        self.ended.append("asked" if used else "without a question")
        return True


@pytest.fixture
def machine(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Machine:
    machine = Machine()
    monkeypatch.delenv("CHAOS_ENGINE", raising=False)
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path))
    monkeypatch.setattr("chaos_harness.clusters.engine.inventory._PATIENCE_SECONDS", 0.3)
    monkeypatch.setattr(engines, "find", machine.find)
    monkeypatch.setattr(engines, "stop_private", machine.stop)
    return machine


def far(run: str = "far") -> Owner:
    """Return the owner of a run of another namespace or machine."""
    return dataclasses.replace(Owner.mine(run), boot_id="another machine's", expires=0)


def test_an_engine_that_nobody_uses_is_stopped(machine: Machine, capsys: pytest.CaptureFixture[str]) -> None:
    """It answered, nothing is in it, nobody claims it."""
    machine.engine.add("container", "node", dataclasses.replace(Owner.mine("dead"), start="1").labels())
    assert command.main(["gc"]) == 0
    assert capsys.readouterr().out == "removed container node\nstopped the private engine\n"
    assert machine.ended == ["asked"]


def test_a_claim_of_whomever_keeps_the_engine(machine: Machine, capsys: pytest.CaptureFixture[str]) -> None:
    """Another user's run, of which no directory is to be seen and which has made nothing yet, has claimed it."""
    machine.engine.add("volume", "claim", {**far().labels(), CLAIM: "900"})
    assert command.main(["gc"]) == 0
    assert (machine.ended, capsys.readouterr().out) == ([], "left the private engine: far uses it\n")
    machine.engine.ahead[0] = 901
    assert command.main(["gc"]) == 0
    assert machine.ended == ["asked"]


def test_a_run_that_is_about_to_come_keeps_the_engine(machine: Machine, capsys: pytest.CaptureFixture[str]) -> None:
    """Its directory is there before it has reached an engine; one that is on another engine counts for nothing here."""
    directory = Owner.mine("soon").claim()
    assert command.main(["gc"]) == 0
    assert (machine.ended, capsys.readouterr().out) == ([], "left the private engine: soon uses it\n")
    Owner.mine("soon").claim("engine-b")
    assert command.main(["gc"]) == 0
    assert machine.ended == ["asked"]
    assert f"left directory {directory}: its run was on another engine" in capsys.readouterr().out


def test_what_is_left_keeps_the_engine(machine: Machine, capsys: pytest.CaptureFixture[str]) -> None:
    """A kept cluster stands on it."""
    machine.engine.add("container", "node", far("kept").labels(keep=True))
    assert command.main(["gc"]) == 0
    assert (machine.ended, capsys.readouterr().out.startswith("left 1 container of kept")) == ([], True)


def test_an_engine_that_does_not_answer_is_left_alone(machine: Machine, capsys: pytest.CaptureFixture[str]) -> None:
    """Nothing is stopped, and the next command is told; that nothing was done is the status."""
    machine.answers = False
    assert command.main(["gc"]) == 2
    assert (machine.ended, "nox -s gc -- --all" in capsys.readouterr().err) == ([], True)


def test_who_wants_everything_gone_ends_an_engine_that_does_not_answer(machine: Machine) -> None:
    """It may be asked no question."""
    machine.answers = False
    assert command.main(["gc", "--all"]) == 0
    assert machine.ended == ["without a question"]


def test_a_users_engine_that_does_not_answer_ends_no_other(machine: Machine, monkeypatch: pytest.MonkeyPatch) -> None:
    """`--all` means what the engine that was looked for holds: ours, which answers, is another one."""

    def find(choice: str | None = None) -> Engine:
        if choice == "private":
            return machine.engine
        raise EngineUnavailable("your Docker engine cannot be used")

    monkeypatch.setattr(engines, "find", find)
    assert command.main(["gc", "--all"]) == 2
    assert machine.ended == []


def test_garbage_that_stays_is_told_after_all_else(
    machine: Machine, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """The status is that of a harness that is broken, and what is left is told."""

    def refuse(*_: Any, **__: Any) -> list[str]:
        raise HarnessError("garbage is left:\nx")

    machine.engine.add("container", "node", Owner.mine("alive").labels())
    monkeypatch.setattr(garbage, "collect_garbage", refuse)
    assert command.main(["gc"]) == 4
    captured = capsys.readouterr()
    assert ("left 1 container of alive" in captured.out, "garbage is left:\nx" in captured.err) == (True, True)
