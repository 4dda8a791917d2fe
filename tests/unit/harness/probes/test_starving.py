"""Starving: each second every node reports which processes had to wait; a node that cannot report fails no test."""

from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any

import pytest

from chaos_harness.clusters.deadline import Deadline
from chaos_harness.clusters.engine.dialogue import Dialogue, start_dialogue
from chaos_harness.harness.checks.fail_open import fail_open_window
from chaos_harness.harness.errors import CommandFailed
from chaos_harness.harness.history import HistoryWriter, read
from chaos_harness.harness.history.recorded import Entry
from chaos_harness.harness.probes import Probe, starving
from chaos_harness.harness.probes.starving import watch_starving
from tests.fakes.canary_histories import CanaryHistory

_QUIET = "AT 1.00 0 2 0 P manager 8 0 8 1000000000 1000000000 10"
_STARVED = "AT 2.00 0 2 0 P manager 8 0 8 1001000000 1900000000 20"
_UNCOUNTED = "its kernel does not count how long threads run and wait"


class Nodes:
    """A cluster whose nodes answer as bash scripts do, one script for each time that one is begun to be asked."""

    def __init__(self, **scripts: list[str | None]) -> None:
        self.scripts = scripts

    def nodes(self) -> list[str]:
        return list(self.scripts)

    def talk(self, node: str, argv: Sequence[str], deadline: Deadline) -> AbstractContextManager[Dialogue]:
        script = self.scripts[node].pop(0) if len(self.scripts[node]) > 1 else self.scripts[node][0]
        if script is None:
            raise CommandFailed("the engine does not tell whose it is")
        return start_dialogue(["bash", "-c", script])


def script_of(*lines: str) -> str:
    """Return a script that answers with these lines, one for each question, and then reads on."""
    return "".join(f"read -r; echo '{line}';" for line in lines) + "while read -r; do :; done"


@pytest.fixture
def watch(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., list[Entry]]:
    """Let nodes be asked in rounds that follow at once, until so many entries are written."""
    monkeypatch.setattr(starving, "_AGAIN_SECONDS", 0.0)
    monkeypatch.setattr(starving, "_EVERY_SECONDS", 0.02)
    monkeypatch.setattr(starving, "_LISTEN_SECONDS", 0.2)

    def run(cluster: Any, count: int) -> list[Entry]:
        history = HistoryWriter(tmp_path / "history.jsonl")
        probe = watch_starving(cluster, history)
        probe.start()
        try:
            for _ in Deadline.after(20, "so many entries").attempts(0.01, 0.05):
                if sum(1 for _ in read(history.path, so_far=True).entries) >= count:
                    break
            probe.settle(Deadline.after(20, "another round"))
            probe.require_healthy()
        finally:
            probe.stop()
            history.close()
        return list(read(history.path, so_far=True).entries)

    return run


def test_a_starved_second_is_told_as_the_metronome_tells(watch: Callable[..., list[Entry]]) -> None:
    """The mark covers the time up to now and names the starved process; an entry before it lists the watched ones."""
    first, second = watch(Nodes(n=[script_of(_QUIET, _STARVED)]), 2)
    assert (first.kind, first.process, first.f, first.value) == (
        "ok",
        "metronome n",
        "read",
        {"processes": ["manager"]},
    )
    assert (second.kind, second.process, second.f) == ("info", "metronome n", "late")
    assert 1.0 <= second.value.pop("seconds") < 5.0
    assert second.value == {"who": ["manager"], "ran": 0.001, "waited": 0.9}


def test_a_quiet_node_is_told_of_once(watch: Callable[..., list[Entry]]) -> None:
    """One line is all that a history has of it, as long as nobody starves there."""
    lines = [_QUIET, _QUIET.replace("1.00", "2.00"), _QUIET.replace("1.00", "3.00")]
    entries = watch(Nodes(n=[script_of(*lines)], other=[script_of(_QUIET, _QUIET, _STARVED)]), 3)
    assert [entry.f for entry in entries if entry.process == "metronome n"] == ["read"]


@pytest.mark.parametrize(
    ("script", "said"),
    [
        (None, "the engine does not tell whose it is"),
        ("echo 'container n is not running'; exit 1", "container n is not running"),
        ("exit 1", "the script on the node has ended"),
        (
            "while read -r; do echo 'AT 1.00 0 2 0 P manager 8 0'; done",
            _UNCOUNTED,
        ),
        ("while read -r; do echo nonsense; done", "nonsense"),
    ],
    ids=["refused", "not running", "ends", "not counted", "garbage"],
)
def test_who_cannot_be_looked_into_is_told_once(
    watch: Callable[..., list[Entry]], script: str | None, said: str
) -> None:
    """It is tried again, fails nothing, and hides nothing of another node."""
    entries = watch(Nodes(n=[script], other=[script_of(_QUIET, _STARVED)]), 3)
    mine = [entry for entry in entries if entry.process == "metronome n"]
    assert [(entry.kind, entry.f, entry.value) for entry in mine] == [("info", "read", {"said": said})]
    assert [entry.f for entry in entries if entry.process == "metronome other"] == ["read", "late"]


def test_a_node_that_comes_back_is_asked_again(watch: Callable[..., list[Entry]]) -> None:
    """What was told before it went away is what the next look is compared with."""
    entries = watch(Nodes(n=["read -r; echo '" + _QUIET + "'", None, script_of(_STARVED)]), 4)
    assert [(entry.kind, entry.f) for entry in entries] == [
        ("ok", "read"),
        ("info", "read"),
        ("info", "late"),
        ("ok", "read"),
    ]


def test_a_node_that_does_not_answer_holds_up_nobody(watch: Callable[..., list[Entry]]) -> None:
    """As long as it is paused it tells nothing; the others are asked on, and the end comes in time."""
    entries = watch(Nodes(n=["sleep 600"], other=[script_of(_QUIET, _STARVED)]), 2)
    assert [entry.process for entry in entries] == ["metronome other"] * 2


def test_it_is_no_error_to_be_stopped_before_anything_is_told(tmp_path: Path) -> None:
    """It beats, and ends when it is stopped."""
    history = HistoryWriter(tmp_path / "history.jsonl")
    probe: Probe = watch_starving(Nodes(n=["sleep 600"]), history)  # type: ignore[arg-type]  # all that it asks of a cluster
    probe.start()
    probe.wait_for_beat(Deadline.after(10, "a sign of life"))
    probe.stop()
    history.close()


def test_what_is_lost_while_webhooks_starve_is_nobodys_fault() -> None:
    """A time-out in such a moment is not counted; what is lost half a minute later is."""
    asked = CanaryHistory().asks(0, 100).fault(10, 11, 60, name="restart").ask(19.5, "fail", took=1.0)
    value = {"seconds": 3.9, "who": ["manager"], "ran": 0.02, "waited": 3.1}
    asked.add(21, "info", "metronome w-worker", "late", value)
    check = fail_open_window(0, fault="restart")
    assert check(asked.written()).outcome == "inconclusive"
    assert check(asked.ask(50.05, "fail").written()).outcome == "violated"


@pytest.mark.parametrize(
    ("name", "said", "limited"),
    [
        ("cpu.max", "max 100000\n", False),
        ("cpu.max", "200000 100000\n", True),
        ("quota", "-1\n", False),
        ("quota", "150000\n", True),
        ("none", "", False),
    ],
)
def test_a_limit_of_this_process(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str, said: str, limited: bool
) -> None:
    """A container's cgroup says it, of either version; a machine's root says nothing."""
    monkeypatch.setattr(starving, "_LIMITS", (str(tmp_path / "cpu.max"), str(tmp_path / "quota")))
    (tmp_path / name).write_text(said, encoding="ascii")
    assert starving._is_limited() is limited
