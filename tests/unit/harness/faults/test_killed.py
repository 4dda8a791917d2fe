"""Killed: each fault of the catalogue, cut off at each moment, is healed by what its journal says, and only by that."""

import json
import re
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any, Literal

import pytest

from chaos_harness.harness.catalogue import entries
from chaos_harness.harness.crashtest.samples import NOT_SAMPLED, SAMPLES
from chaos_harness.harness.errors import HarnessError, UndoFailed
from chaos_harness.harness.undo import journal
from chaos_harness.harness.undo.actions import ACTIONS
from chaos_harness.harness.undo.journal import Journal
from tests.fakes.crash_world import KilledError
from tests.fakes.crashes import LASTING, ROWS, Run

Moment = Literal["before", "middle", "after", "healed"]


def _killed_at(live: Callable[[], Run], name: str, left: int, *, late: bool) -> Run:
    """Return a run that was killed in the middle of injecting a fault."""
    run = live()
    run.world.left, run.world.late = left, late
    with pytest.raises(KilledError):
        run.inject(name)
    return run


def _lives(live: Callable[[], Run], name: str, moment: Moment, monkeypatch: pytest.MonkeyPatch) -> Iterator[Run]:
    """Yield runs that were killed at a moment: in the middle is between any two changes, and before each answer."""
    whole = live()
    fault = whole.inject(name)
    changes = whole.world.changes
    assert changes >= ROWS[name].changes
    if moment == "before":
        yield _killed_at(live, name, 0, late=False)
    elif moment == "middle":
        for left in range(changes):
            if left:
                yield _killed_at(live, name, left, late=False)
            yield _killed_at(live, name, left, late=True)
    elif moment == "after":
        yield whole
    else:
        with monkeypatch.context() as patch:
            patch.setattr(Journal, "done", _die)
            with suppress(KilledError):
                whole.heal(fault)
        yield whole


_EARLIER = {"registry.no_longer_down", "registry.start", "rollouts.scale"}
"""Actions that only journals of earlier versions name."""


_BY_HELM = {"upgrades.go_back", "charts.uninstall"}
"""Undos that helm does, which no fake answers for: tests/api/harness/incident/test_charts.py, test_upgrades.py."""


def _die(_self: object, _number: int) -> None:
    raise KilledError


def test_each_fault_has_a_row() -> None:
    """A fault that is new in the catalogue says here what becomes of it when the harness is killed."""
    assert {row.fault for row in ROWS.values()} >= set(entries("fault")) - set(NOT_SAMPLED)
    assert set(ROWS) >= set(SAMPLES)


def test_each_undo_is_in_the_table(live: Callable[[], Run]) -> None:
    """Every action that a journal may name is done by some row."""
    seen = set()
    for name in LASTING:
        run = live()
        run.inject(name)
        seen |= {undo.action for undo in journal.pending(run.journal.path)}
    assert seen == set(ACTIONS) - _EARLIER - _BY_HELM


@pytest.mark.parametrize("name", ROWS)
@pytest.mark.parametrize("moment", ["before", "middle", "after", "healed"])
def test_one_replay_heals_what_a_killed_harness_left(
    live: Callable[[], Run], monkeypatch: pytest.MonkeyPatch, name: str, moment: Moment
) -> None:
    """Nothing of the harm is left and nothing is pending after one replay; a second one does nothing."""
    for run in _lives(live, name, moment, monkeypatch):
        if ROWS[name].stopped == "nothing":
            assert journal.pending(run.journal.path) == []
            assert run.replay() == []
        else:
            assert run.replay()
            run.is_healed()


def _named(run: Run) -> set[str]:
    """Return the containers on which the undos are to be done."""
    undos = journal.pending(run.journal.path)
    words = [undo.arguments.get(name, "") for undo in undos for name in ("container", "node")]
    asked = {undo.arguments["control_plane"] for undo in undos if "control_plane" in undo.arguments}
    return asked or {word for word in words if word}


@pytest.mark.parametrize("name", LASTING)
def test_undos_whose_container_is_stopped(live: Callable[[], Run], name: str) -> None:
    """With its container stopped an undo is what it says, and never done while the harm would come back with it."""
    run, expected = live(), ROWS[name].stopped
    run.inject(name)
    stopped = _named(run)
    for container in stopped:
        run.world.stop(run.world.containers[container])
    if expected == "kept":
        with pytest.raises(UndoFailed, match=r"what was done is still in it; .*start w-"):
            run.replay()
        assert journal.pending(run.journal.path)
    else:
        assert run.replay()
        assert journal.pending(run.journal.path) == []
    down = {container for container in stopped if run.world.containers[container].status == "exited"}
    assert down == (set() if expected == "started" else stopped)
    for container in down:
        run.world.start(run.world.containers[container])
    assert bool(run.replay()) == (expected == "kept")
    run.is_healed()


@pytest.mark.parametrize("name", [name for name in LASTING if ROWS[name].stopped == "another plane"])
def test_all_planes_stopped(live: Callable[[], Run], name: str) -> None:
    """What control planes keep is pending as long as none of them runs, and done when one does."""
    run = live()
    run.inject(name)
    planes = [plane for plane in run.world.containers if "control-plane" in plane]
    for plane in planes:
        run.world.stop(run.world.containers[plane])
    with pytest.raises(UndoFailed, match="no control plane is left to ask"):
        run.replay()
    run.world.start(run.world.containers[planes[-1]])
    assert run.replay()
    for plane in planes[:-1]:
        run.world.start(run.world.containers[plane])
    run.is_healed()


@pytest.mark.parametrize("name", LASTING)
def test_a_cluster_that_is_gone_leaves_nothing_pending(live: Callable[[], Run], name: str) -> None:
    """With the cluster its harm is gone, and nothing is pending."""
    run = live()
    run.inject(name)
    run.world.containers.clear()
    assert run.replay()
    assert journal.pending(run.journal.path) == []


@pytest.mark.parametrize("name", LASTING)
def test_one_of_them_is_stuck(live: Callable[[], Run], name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """An undo that fails, be it the first or the last, keeps no other undo of its fault from being done."""
    for stuck in (0, -1):
        run = live()
        fault = run.inject(name)
        undos = journal.pending(run.journal.path)
        docker = run.world.docker
        word = _word_of(undos[stuck])
        names = word, run.world.containers[word].id

        def refuse(words: list[str], stdin: str | None = None, names: Any = names, docker: Any = docker) -> Any:
            if not set(names).isdisjoint(words):
                raise HarnessError("stuck")
            return docker(words, stdin)

        with monkeypatch.context() as patch:
            patch.setattr(run.world, "docker", refuse)
            with pytest.raises(HarnessError, match="stuck"):
                run.heal(fault)
        kept = [undo for undo in undos if _word_of(undo) == word]
        assert journal.pending(run.journal.path) == kept
        run.replay()
        run.is_healed()


def _word_of(undo: journal.Undo) -> str:
    return str(next(undo.arguments[name] for name in ("control_plane", "container", "node") if name in undo.arguments))


_JOURNALS = json.loads(Path(__file__).parents[3].joinpath("fakes", "journals.json").read_text(encoding="utf-8"))
"""Journals as the harness wrote them at commit bcad999, by the row whose fault had just been injected."""


@pytest.mark.parametrize("name", LASTING)
def test_journals_outlive_versions(live: Callable[[], Run], monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    """What an earlier version of the harness promised is undone by this one."""
    lines = [json.dumps(entry) for entry in _JOURNALS[name]]
    for chosen in re.findall(r'(?:chaos-harness:|"label": ")([0-9a-f]{8})"', lines[0]):
        monkeypatch.setattr("secrets.token_hex", lambda _, chosen=chosen: chosen)
    run = live()
    run.inject(name)
    assert run.world.changes
    run.journal.close()
    run.journal.path.write_text("".join(f"{line}\n" for line in lines))
    assert len(run.replay()) == len(lines)
    run.is_healed()
