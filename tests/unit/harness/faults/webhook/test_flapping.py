"""Flapping, in a world of our own, and its scripts in a real shell: turns are taken, and nothing goes on at the end."""

import os
import signal
import subprocess
from contextlib import suppress
from pathlib import Path

import pytest

from chaos_harness.clusters.deadline import Deadline
from chaos_harness.clusters.machine.process import CommandResult
from chaos_harness.harness.errors import BadScenario, CommandFailed, FaultNotApplied
from chaos_harness.harness.faults.webhook.flapping import BEGIN, END, LOOP, end_flapping, flap_webhook
from tests.fakes.bench import Bench
from tests.fakes.world import World

NODE = "w-control-plane"
RULE = ["OUTPUT", "-p", "tcp", "--dport", "8443", "-m", "comment", "--comment", "chaos-harness:0", "-j", "DROP"]


def test_proved_by_answers_in_turn(bench: Bench, world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    """It is proved when calls failed, succeeded, and failed again, and healed when none of its parts is left."""
    fault = flap_webhook()
    bench.inject(fault)
    answers = iter([False, True, True, False])
    monkeypatch.setattr(type(world), "denies", property(lambda _: next(answers, False), lambda *_: None), raising=False)
    proof = bench.observed(fault)
    assert proof.startswith("a call failed (failed calling webhook), one succeeded, and one failed again (")
    monkeypatch.setattr(type(world), "denies", True, raising=False)
    with pytest.raises(FaultNotApplied, match=r"expected no rule chaos-harness:\w{8}, one is there on w-control-plane"):
        bench.healed(fault)
    world.containers[NODE].rules.clear()
    with pytest.raises(
        FaultNotApplied, match=r"expected no loop on w-control-plane, its file /run/chaos-harness-\w+-8443"
    ):
        bench.healed(fault)
    bench.heal(fault)
    assert bench.healed(fault) == f"no loop is left on {NODE}; the API server says: denied"
    assert bench.pending() == []


@pytest.mark.parametrize(("denies", "words"), [(True, "'failed calling webhook'"), (False, "'denied'")])
def test_what_does_not_change_does_not_flap(bench: Bench, world: World, *, denies: bool, words: str) -> None:
    """A webhook that answers all the time, or never, is not cut off in turn."""
    fault = flap_webhook()
    bench.inject(fault)
    world.denies = denies
    with pytest.raises(FaultNotApplied, match=f"expected the API server to say {words}"):
        bench.observed(fault, 0.5)


@pytest.mark.parametrize("every", [3.0, 11.0])
def test_turns_have_bounds(every: float) -> None:
    """A turn is longer than a call may take, and not so long that it would be an outage of its own."""
    with pytest.raises(BadScenario, match="expected 4 to 10 s"):
        flap_webhook(every)


def test_an_undo_that_fails_is_told(bench: Bench, world: World) -> None:
    """What the shell says is told, so that the undo stays in the journal; a stopped node needs none."""
    world.containers[NODE].status = "exited"
    end_flapping(bench.cluster.engine, node=NODE, file="/run/f", rule=RULE)
    world.docker = lambda *_: CommandResult("", "bash: fork: retry", 1)  # type: ignore[method-assign]
    with pytest.raises(CommandFailed, match="the loop of /run/f on w-control-plane could not be ended: bash: fork"):
        end_flapping(bench.cluster.engine, node=NODE, file="/run/f", rule=RULE)


def _end(group: int) -> None:
    with suppress(ProcessLookupError):
        os.killpg(group, signal.SIGKILL)


def test_the_scripts(tmp_path: Path, request: pytest.FixtureRequest) -> None:
    """The loop outlives the shell that began it and takes turns; its end, done twice, leaves neither it nor a rule."""
    asked, rule, file = tmp_path / "asked", tmp_path / "rule", tmp_path / "file"
    program = tmp_path / "iptables"
    keep = f'case "$3" in -I) touch {rule} ;; -D) rm {rule} 2> /dev/null ;; esac'
    program.write_text(f'#!/bin/sh\necho "$@" >> {asked}\n{keep}\n', encoding="utf-8")
    program.chmod(0o700)
    path = {"PATH": f"{tmp_path}:{os.environ['PATH']}"}
    subprocess.run(["bash", "-c", BEGIN, "begin", LOOP, str(file), "0.1", *RULE], env=path, check=True, timeout=20)
    for _ in Deadline.after(20, "three turns").attempts():
        if asked.exists() and len(asked.read_text(encoding="utf-8").splitlines()) >= 3:
            break
    group = int(file.read_text(encoding="utf-8"))
    request.addfinalizer(lambda: _end(group))
    os.killpg(group, 0)
    for _ in range(2):
        subprocess.run(["bash", "-c", END, "end", str(file), *RULE], env=path, check=True, timeout=20)
    assert not file.exists()
    assert not rule.exists()
    for _ in Deadline.after(20, "the loop to be gone").attempts():
        try:
            os.killpg(group, 0)
        except ProcessLookupError:
            break
    else:
        pytest.fail("the loop goes on")
    lines = asked.read_text(encoding="utf-8").splitlines()
    assert lines[0] == f"-w 5 -I {' '.join(RULE)}"
    assert lines[1] == f"-w 5 -D {' '.join(RULE)}"
