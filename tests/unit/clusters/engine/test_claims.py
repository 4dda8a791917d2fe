"""Tests of clusters.engine.claims: what stands in the engine for a run, how it is renewed, and when it goes."""

import math
import threading
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from chaos_harness.clusters.deadline import Deadline
from chaos_harness.clusters.engine import claims
from chaos_harness.clusters.engine.claims import (
    CLAIM,
    LIFE_SECONDS,
    held_runs,
    hold,
    read_register,
    release,
    renew_last,
)
from chaos_harness.clusters.engine.inventory import inventory
from chaos_harness.clusters.errors import CommandFailed, DeadlineExceeded
from chaos_harness.clusters.machine.owner import Owner
from tests.fakes.engine import FakeEngine


@pytest.fixture(autouse=True)
def state(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[None]:
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path))
    monkeypatch.setattr(claims, "_TICK_SECONDS", 0.01)
    monkeypatch.setattr(claims, "_renewals", {})  # what tests of other files hold is not counted
    yield
    for renewal in list(claims._renewals.values()):
        renewal.end()


def soon() -> Deadline:
    return Deadline.after(60, "the test")


def standing(engine: FakeEngine) -> list[claims.RunClaim]:
    return list(read_register(engine, soon()).claims)


def until_gone(engine: FakeEngine, name: str) -> None:
    """Wait until the claim `name` is no more in the engine."""
    for _ in Deadline.after(10, "a renewal").attempts(most=0.05):
        if name not in engine.names():
            return
    raise AssertionError("the claim was not renewed")


def test_a_claim_names_its_holder_and_its_life() -> None:
    """What one client puts into the engine every other one reads there."""
    engine, owner = FakeEngine(), Owner.mine("r")
    hold(engine, owner)
    (claim,) = standing(engine)
    assert (claim.owner, claim.life, round(claim.age), claim.expired) == (owner, LIFE_SECONDS, 0, False)
    assert held_runs() == {"r"}


def test_a_claim_is_no_thing_of_a_cluster() -> None:
    """It is neither counted nor removed with what its run has made."""
    engine = FakeEngine()
    hold(engine, Owner.mine("r"))
    assert inventory(engine, soon()) == []


def test_a_claim_is_renewed_at_a_third_of_its_life(monkeypatch: pytest.MonkeyPatch) -> None:
    """A thread puts a new one in its place; there is never none."""
    engine, clock = FakeEngine(), [0.0]
    monkeypatch.setattr(claims, "_elapsed", lambda: clock[0])
    monkeypatch.setattr(claims, "_JUMP_SECONDS", math.inf)
    hold(engine, Owner.mine("r"))
    (name,) = engine.names()
    clock[0] = LIFE_SECONDS / 3 - 1
    threading.Event().wait(0.2)
    assert engine.names() == [name]
    clock[0] += 1
    until_gone(engine, name)
    assert len(standing(engine)) == 1
    asked = [command.split()[:2] for command in engine.asked if command.startswith(("volume create", "volume rm"))]
    assert asked == [["volume", "create"], ["volume", "create"], ["volume", "rm"]]


@pytest.mark.parametrize("hours", [1, -1])
def test_a_claim_is_renewed_at_once_when_the_clock_is_set(monkeypatch: pytest.MonkeyPatch, hours: int) -> None:
    """By a clock that was set forward it looks as if it had expired, by one that was set back as if from the future."""
    engine, now = FakeEngine(), time.time
    hold(engine, Owner.mine("r"))
    (name,) = engine.names()
    threading.Event().wait(0.2)
    assert engine.names() == [name]
    monkeypatch.setattr(time, "time", lambda: now() + hours * 3600)
    until_gone(engine, name)
    threading.Event().wait(0.2)
    assert len([command for command in engine.asked if command.startswith("volume create")]) == 2


def test_an_engine_that_does_not_answer_is_asked_again(monkeypatch: pytest.MonkeyPatch) -> None:
    """A renewal that fails ends no thread: the next one goes through."""
    engine, clock = FakeEngine(), [0.0]
    monkeypatch.setattr(claims, "_elapsed", lambda: clock[0])
    monkeypatch.setattr(claims, "_JUMP_SECONDS", math.inf)
    hold(engine, Owner.mine("r"))
    (name,) = engine.names()
    engine.errors["volume create"] = DeadlineExceeded("it stalls")
    clock[0] = LIFE_SECONDS
    threading.Event().wait(0.2)
    assert engine.names() == [name]
    engine.errors.clear()
    until_gone(engine, name)


def test_a_run_that_cannot_claim_does_not_go_on() -> None:
    """Nobody would see it: the error is the engine's, and nothing is held."""
    engine = FakeEngine(errors={"volume create": "read-only file system"})
    with pytest.raises(CommandFailed, match="read-only"):
        hold(engine, Owner.mine("r"))
    assert held_runs() == frozenset()


def test_what_is_released_is_gone_and_not_renewed(monkeypatch: pytest.MonkeyPatch) -> None:
    """The run's claims go, those of others stay; releasing twice, or from an engine that is gone, is no error."""
    engine, clock = FakeEngine(), [0.0]
    monkeypatch.setattr(claims, "_elapsed", lambda: clock[0])
    monkeypatch.setattr(claims, "_JUMP_SECONDS", math.inf)
    for run in ("r", "other"):
        hold(engine, Owner.mine(run))
    release(engine, "r")
    release(engine, "r")
    assert [claim.owner.run for claim in standing(engine)] == ["other"]
    engine.errors["volume"] = CommandFailed("away")
    release(engine, "other")
    clock[0] = LIFE_SECONDS
    engine.errors.clear()
    threading.Event().wait(0.2)
    assert (held_runs(), len(standing(engine))) == (frozenset(), 1)


def test_what_is_left_has_a_life_of_its_own_and_no_process() -> None:
    """Its holder's end proves nothing: it stands for clusters that stand on."""
    engine, owner = FakeEngine(), Owner.mine("r")
    hold(engine, owner)
    renew_last(engine, owner, 3600, keep=True)
    (claim,) = standing(engine)
    assert (claim.life, claim.keep, claim.owner.is_running(), held_runs()) == (3600, True, None, frozenset())


def test_what_was_left_is_held_again_by_who_takes_it() -> None:
    """One claim of a run stands, whoever held it before."""
    engine = FakeEngine()
    renew_last(engine, Owner.nobody("pool-1"), 3600)
    owner = Owner.mine("pool-1")
    hold(engine, owner)
    assert [claim.owner for claim in standing(engine)] == [owner]


def test_holding_twice_renews_at_once() -> None:
    """Who connects again, to an engine that came back, has a young claim there; one thread renews it."""
    engine, owner = FakeEngine(), Owner.mine("r")
    threads = []
    for _ in range(2):
        hold(engine, owner)
        threads.append(sum(thread.name == "claim of r" for thread in threading.enumerate()))
    assert (len(standing(engine)), threads) == (1, [1, 1])


@pytest.mark.parametrize("created_at", ["", "yesterday"])
def test_a_moment_that_the_engine_does_not_tell_is_its_owners_word(created_at: str) -> None:
    """Some engines tell no time of a volume: it expires when its owner's labels do."""
    engine = FakeEngine()
    for run, expires in (("young", int(time.time()) + 60), ("old", int(time.time()) - 60)):
        owner = replace(Owner.mine(run), expires=expires, pid=0)
        engine.add("volume", run, {**owner.labels(), CLAIM: "900"}, CreatedAt=created_at)
    assert {claim.owner.run: claim.expired for claim in standing(engine)} == {"young": False, "old": True}


def test_an_engine_that_does_not_tell_its_time_is_an_error() -> None:
    """Without its clock nothing can be said of any claim; nothing is guessed."""
    engine = FakeEngine(errors={"info": "Cannot connect"})
    engine.add("volume", "c", {**Owner.mine("r").labels(), CLAIM: "900"})
    with pytest.raises(CommandFailed):
        read_register(engine, soon())


def test_a_clock_with_an_offset_is_understood() -> None:
    """Engines write their own time zone's, and nanoseconds."""
    assert claims._unix("2026-11-28T12:13:14.123456789Z") == claims._unix("2026-11-28T14:13:14.123456789+02:00")
