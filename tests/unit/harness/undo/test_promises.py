"""Undos: every undo of a fault is tried, each says what ends its harm, and faults on one target overlap."""

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import pytest

from chaos_harness.clusters.deadline import Deadline
from chaos_harness.clusters.engine import Engine
from chaos_harness.clusters.machine.process import CommandResult
from chaos_harness.harness.errors import CommandFailed, DeadlineExceeded, HarnessError, UndoFailed
from chaos_harness.harness.undo import journal
from chaos_harness.harness.undo.actions import undo
from chaos_harness.harness.undo.commands import run_in_container, undo_by_kubectl
from chaos_harness.harness.undo.journal import Journal
from chaos_harness.harness.undo.promises import Undos, merge_patches
from tests.fakes.world import World, WorldEngine

_GONE = CommandResult("", "Error response from daemon: No such container: x", 1)
_STOPPED = CommandResult("", "Error response from daemon: container 0a1b is not running", 1)
_PAUSED = CommandResult("", "Error response from daemon: Container x is paused, unpause the container before exec", 1)
_AWAY = CommandResult(
    "", "The connection to the server w:6443 was refused - did you specify the right host or port?", 1
)
_DONE = CommandResult("done", "", 0)
_LATE = DeadlineExceeded("waited 60 s")

values: dict[str, Any] = {}
stuck: set[str] = set()


@undo
def write(_engine: object, *, place: str, value: Any) -> None:
    """Write a value, unless that place is stuck."""
    if place in stuck:
        raise CommandFailed(f"{place} is stuck")
    values[place] = value


@undo
def open_again(_engine: object, *, place: str, control_plane: str) -> None:
    """Note that a place is open again, and who was asked."""
    values[place] = f"open, says {control_plane}"


@pytest.fixture(autouse=True)
def fresh() -> None:
    values.clear()
    stuck.clear()


@pytest.fixture
def opened(tmp_path: Path) -> Any:
    opened = Journal(tmp_path / "journal.jsonl")
    yield opened
    opened.close()


@pytest.fixture
def engine() -> Engine:
    return WorldEngine(world=World())


class Setting:
    """A fault that sets a value, as throttle does, by undos alone."""

    def __init__(self, undos: Undos, value: Any) -> None:
        self.value = value
        self.undos = undos

    def inject(self, place: str = "p") -> None:
        before = self.undos.standing(write, place=place)
        value = before[0].arguments["value"] if before else values[place]
        self.undos.register(write, harm={"value": self.value}, place=place, value=value)
        values[place] = self.value


def answering(monkeypatch: pytest.MonkeyPatch, **answers: CommandResult | BaseException) -> list[str]:
    """Have each container answer every command so; return who was asked."""
    asked: list[str] = []

    def run(_self: object, argv: Sequence[str], _deadline: Deadline, **_: Any) -> CommandResult:
        name = next(word for word in argv if word in answers)
        asked.append(name)
        answer = answers[name]
        if isinstance(answer, BaseException):
            raise answer
        return answer

    monkeypatch.setattr(WorldEngine, "run", run)
    return asked


def test_every_undo_is_tried(opened: Journal, engine: Engine) -> None:
    """One stuck node of three leaves two that are healed, and one undo that is pending."""
    undos = Undos(engine, opened)
    for place in ("a", "b", "c"):
        undos.register(write, place=place, value=1)
    stuck.add("b")
    with pytest.raises(UndoFailed, match="b is stuck"):
        undos.run()
    assert values == {"a": 1, "c": 1}
    assert [entry.arguments["place"] for entry in journal.pending(opened.path)] == ["b"]
    stuck.clear()
    undos.run()
    assert journal.pending(opened.path) == []


def test_all_that_failed_is_told(opened: Journal, engine: Engine) -> None:
    """Two undos that failed are two lines of one error."""
    undos = Undos(engine, opened)
    for place in ("a", "b"):
        undos.register(write, place=place, value=1)
    stuck.update("ab")
    with pytest.raises(UndoFailed, match=r"b is stuck\n.*a is stuck\n`nox -s gc` tries again"):
        undos.run()


def test_a_note_that_is_refused_stops_no_undo(opened: Journal, engine: Engine, monkeypatch: pytest.MonkeyPatch) -> None:
    """With a full disk all is undone; what is not noted is undone once more by the next replay."""
    undos = Undos(engine, opened)
    for place in ("a", "b"):
        undos.register(write, place=place, value=1)

    def refuse(_self: object, _number: int) -> None:
        raise HarnessError("took 0 of 11 bytes")

    monkeypatch.setattr(Journal, "done", refuse)
    with pytest.raises(UndoFailed, match="took 0 of 11 bytes"):
        undos.run()
    assert values == {"a": 1, "b": 1}


@pytest.mark.parametrize("order", [(0, 1, 2), (2, 1, 0), (1, 0, 2), (1, 2, 0), (2, 0, 1), (0, 2, 1)])
def test_overlap(opened: Journal, engine: Engine, order: Sequence[int]) -> None:
    """Whoever heals last gives back what was there before the first; until then the newest that is left counts."""
    values["p"] = "before"
    faults = [Setting(Undos(engine, opened), name) for name in "abc"]
    for fault in faults:
        fault.inject()
    left = list(faults)
    for index in order:
        left.remove(faults[index])
        faults[index].undos.run()
        assert values["p"] == (left[-1].value if left else "before")
    assert journal.pending(opened.path) == []


@pytest.mark.parametrize("healed", [(), (0,), (1,), (2,), (0, 1), (2, 1), (0, 2)])
def test_overlap_and_a_kill(opened: Journal, engine: Engine, healed: Sequence[int]) -> None:
    """A replay gives back what was there before the first, whichever of them were healed when it was killed."""
    values["p"] = "before"
    faults = [Setting(Undos(engine, opened), name) for name in "abc"]
    for fault in faults:
        fault.inject()
    for index in healed:
        faults[index].undos.run()
    journal.replay(opened.path, engine)
    assert values["p"] == "before"
    assert journal.replay(opened.path, engine) == []


def test_other_targets_do_not_overlap(opened: Journal, engine: Engine) -> None:
    """A value at another place is another one's."""
    values.update(p=1, q=2)
    first, second = (Setting(Undos(engine, opened), name) for name in "ab")
    first.inject("p")
    second.inject("q")
    first.undos.run()
    assert values == {"p": 1, "q": "b"}


def test_a_harm_that_two_do_is_taken_back_by_the_last(opened: Journal, engine: Engine) -> None:
    """What two faults have closed stays closed until both are healed, whomever they ask to open it."""
    faults = [Undos(engine, opened), Undos(engine, opened)]
    for fault, plane in zip(faults, ("one", "two"), strict=True):
        place = {"place": "p", "control_plane": plane}
        fault.register(open_again, harm={}, **place)
    faults[0].run()
    assert values == {}
    faults[1].run()
    assert values == {"p": "open, says two"}


def test_merged() -> None:
    """Two merge patches as one: maps are merged, the rest is replaced, and what is taken out stays named."""
    assert merge_patches({"a": {"b": 1, "c": None}, "d": [1]}, {"a": {"b": None}, "d": [2]}) == {
        "a": {"b": None, "c": None},
        "d": [2],
    }
    assert merge_patches({"a": {"b": 1}}, {"a": None}) == {"a": None}
    assert merge_patches({"a": None}, {"a": {"b": 1}}) == {"a": {"b": 1}}


@pytest.mark.parametrize(
    ("answer", "ended_by", "healed"),
    [
        (_GONE, "stop", True),
        (_GONE, "removal", True),
        (_STOPPED, "stop", True),
        (_STOPPED, "removal", False),
    ],
)
def test_an_undo_says_what_ends_its_harm(
    engine: Engine, monkeypatch: pytest.MonkeyPatch, answer: CommandResult, ended_by: Any, healed: bool
) -> None:
    """A stopped container has no packet filter any more, but it has its files."""
    answering(monkeypatch, x=answer)
    if healed:
        assert run_in_container(engine, "x", "true", ended_by=ended_by) is None
    else:
        with pytest.raises(CommandFailed, match=r"what was done is still in it; .* start x`, then `nox -s gc`"):
            run_in_container(engine, "x", "true", ended_by=ended_by)


def test_what_a_program_says_is_not_what_the_engine_says(engine: Engine, monkeypatch: pytest.MonkeyPatch) -> None:
    """A command in a container that speaks of something that "is not running" ran."""
    said = CommandResult("", "systemctl: container runtime is not running\nno such container", 1)
    answering(monkeypatch, x=said)
    assert run_in_container(engine, "x", "true", ended_by="stop") is said


def test_a_program_that_is_not_there_is_told(engine: Engine) -> None:
    """Docker says so on stdout, and yet it stands in the reason why an undo failed."""
    done = run_in_container(engine, "w-worker", "frobnicate", "--all", ended_by="stop")
    assert done is not None
    assert 'exec: "frobnicate": executable file not found' in done.stderr


@pytest.mark.parametrize(
    "first", [_STOPPED, _PAUSED, _GONE, _AWAY, _LATE], ids=["stopped", "paused", "gone", "away", "late"]
)
def test_another_control_plane_is_asked(
    engine: Engine, monkeypatch: pytest.MonkeyPatch, first: CommandResult | BaseException
) -> None:
    """What all control planes keep is undone through one that answers."""
    asked = answering(monkeypatch, x=first, y=_DONE, z=_DONE)
    assert undo_by_kubectl(engine, "x", ["y", "z"], "uncordon", "n") is _DONE
    assert asked == ["x", "y"]


@pytest.mark.parametrize(
    ("answers", "expected"),
    [
        ((_GONE, _GONE), None),
        ((_STOPPED, _GONE), CommandFailed),
        ((_PAUSED, _STOPPED), CommandFailed),
        ((_AWAY, _STOPPED), CommandFailed),
        ((_STOPPED, _LATE), DeadlineExceeded),
    ],
    ids=["gone", "one stopped", "both down", "away", "late"],
)
def test_no_control_plane_answers(
    engine: Engine, monkeypatch: pytest.MonkeyPatch, answers: Sequence[Any], expected: Any
) -> None:
    """Only if all of them are gone is the harm gone with them."""
    answering(monkeypatch, x=answers[0], y=answers[1])
    ask: Callable[[], CommandResult | None] = lambda: undo_by_kubectl(engine, "x", ["y"], "uncordon", "n")  # noqa: E731
    if isinstance(expected, type):
        with pytest.raises(expected):
            ask()
    else:
        assert ask() is expected
