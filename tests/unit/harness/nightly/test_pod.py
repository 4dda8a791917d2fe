"""Pods: the shards of a Job, tried again where they ended, and what becomes of shards that are lost or doubled."""

import json
import os
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from chaos_harness.clusters.deadline import Deadline
from chaos_harness.harness.nightly.pod import INDEX, JOB
from tests.fakes.night_place import NightPlace
from tests.thorough import thorough

_ROOT = Path(__file__).parents[4]


def _runs(summary: dict[str, Any]) -> dict[str, int]:
    return {cell["target"]: len(cell["runs"]) for cell in summary["cells"]}


def test_the_pods_of_a_job_are_one_night(here: NightPlace) -> None:
    """Each index is a shard, with a folder of its own; merged they are the night, each cell once."""
    objects = here.job(2)
    assert [here.pod(objects, index) for index in (0, 1)] == [0, 0]
    assert sorted(here.ran()) == ["test_a.py", "test_b.py", "test_healthy.py"]
    status, summary = here.merge()
    assert (status, summary["lost_shards"], summary["told"]) == (0, [], [])
    assert set(_runs(summary).values()) == {1}


@pytest.mark.parametrize(
    ("outcome", "ended", "merged"),
    [(1, 0, 1), (3, 0, 3), (4, 4, 4), ("no verdict", 4, 4), (2, 2, 3)],
)
def test_what_gatekeeper_came_to_is_no_failure_of_a_pod(
    here: NightPlace, outcome: int | str, ended: int, merged: int
) -> None:
    """A shard that is otherwise or inconclusive is finished; one that broke, or could have nothing, is tried again."""
    here.come_to(a=[outcome], b=[outcome], healthy=[outcome if outcome in (2, 4) else 0])
    assert here.pod(here.job(1), 0) == ended
    assert here.merge()[0] == merged


def test_a_false_alarm_is_not_tried_again(here: NightPlace) -> None:
    """Another pod would run nothing of it again; the night is broken all the same."""
    here.come_to(healthy=[1])
    assert here.pod(here.job(1), 0) == 0
    assert here.merge()[0] == 4


def test_a_pod_that_is_tried_again_goes_on(here: NightPlace) -> None:
    """It runs what broke, and nothing else; what was decided counts once."""
    here.come_to(a=[4, 0])
    objects = here.job(1)
    assert [here.pod(objects, 0) for _ in range(2)] == [4, 0]
    assert sorted(here.ran()) == ["test_a.py", "test_a.py", "test_b.py", "test_healthy.py"]
    status, summary = here.merge()
    assert (status, _runs(summary)["test_b.py"], summary["told"]) == (0, 1, [])


@thorough
@pytest.mark.parametrize(("number", "status"), [(signal.SIGKILL, -signal.SIGKILL), (signal.SIGTERM, 130)])
def test_a_pod_that_was_killed_is_gone_on_with(here: NightPlace, number: signal.Signals, status: int) -> None:
    """The next pod of the index runs the cell that was under way, and none that ended."""
    here.come_to(b=["wait", 0])
    objects = here.job(1)
    mounted = here.mount(objects)
    (mounted.parent / "work").mkdir()
    source = f"import sys; from chaos_harness import nights; sys.exit(nights.main(sys.argv[1:], {here.FAKE!r}))"
    environment = {**os.environ, "PYTHONPATH": str(_ROOT / "src"), INDEX: "0", JOB: "u-1"}
    words = [sys.executable, "-c", source, "--pod", str(mounted)]
    killed = subprocess.Popen(words, env=environment, cwd=mounted.parent / "work", stderr=subprocess.DEVNULL)
    deadline = Deadline.after(120, "the cell that waits to begin")
    for _ in deadline.attempts():
        if "test_b.py" in here.ran():
            break
    killed.send_signal(number)
    assert killed.wait(deadline.remaining) == status
    for _ in Deadline.after(30, "the lock of the night to be free").attempts():
        if (ended := here.pod(objects, 0)) != 2:
            break
    assert ended == 0
    assert here.ran() == ["test_healthy.py", "test_a.py", "test_b.py", "test_b.py"]
    assert set(_runs(here.merge()[1]).values()) == {1}


def test_a_ledger_without_a_whole_line_is_begun_anew(here: NightPlace) -> None:
    """A node that dies leaves such a one, and no pod could go on with it."""
    objects = here.job(1)
    here.ledger(1).parent.mkdir(parents=True)
    here.ledger(1).write_text('{"kind"', encoding="utf-8")
    (here.ledger(1).parent / "job").write_text("u-1\n", encoding="utf-8")
    assert here.pod(objects, 0) == 0


def test_the_budget_is_that_of_the_shard(here: NightPlace) -> None:
    """What pods before it took of the budget is gone: it counts from the beginning of the ledger."""
    here.come_to(a=[4, 0])
    objects = here.job(1, "--budget", "1h")
    assert here.pod(objects, 0) == 4
    head, *lines = here.ledger(1).read_text(encoding="utf-8").splitlines()
    earlier = json.dumps({**json.loads(head), "begun": json.loads(head)["begun"] - 3590})
    here.ledger(1).write_text("\n".join([earlier, *lines, ""]), encoding="utf-8")
    assert here.pod(objects, 0) == 4
    assert here.ran().count("test_a.py") == 1


def test_another_plan_is_refused(here: NightPlace, capsys: pytest.CaptureFixture[str]) -> None:
    """An image whose harness finds other cells runs none of them."""
    objects = here.job(1)
    config = objects[0]
    (key,) = (key for key in config["data"] if key.endswith("matrix.yaml"))
    config["data"][key] += 'kubernetes: ["1.36", "1.35"]\n'
    assert (here.pod(objects, 0), here.ran()) == (2, [])
    assert "expected the plan" in " ".join(capsys.readouterr().err.split())
    assert here.night("--merge", str(here.volume / "jobs/night"), "--out", "merged") == 2


def test_results_of_another_job_are_not_gone_on_with(here: NightPlace, capsys: pytest.CaptureFixture[str]) -> None:
    """The same manifest that is created another night would tell what was last night."""
    objects = here.job(1)
    assert here.pod(objects, 0) == 0
    assert here.pod(objects, 0, uid="u-2") == 2
    assert "results of another Job of this name, u-1" in " ".join(capsys.readouterr().err.split())


@pytest.mark.parametrize("index", [-1, 1])
def test_who_is_no_pod_of_the_job_is_refused(here: NightPlace, index: int, capsys: pytest.CaptureFixture[str]) -> None:
    """Without an index of the Job nobody knows which shard it is."""
    assert here.pod(here.job(1), index) == 2
    assert "expected a number from 0 to 0" in " ".join(capsys.readouterr().err.split())
    assert not here.volume.exists()


def test_a_lost_index_is_told(here: NightPlace) -> None:
    """Its pod never came, or ended before it had a ledger."""
    objects = here.job(3)
    assert here.pod(objects, 0) == 0
    here.ledger(2).parent.mkdir(parents=True)
    status, summary = here.merge()
    assert (status, summary["lost_shards"]) == (3, [2, 3])
    assert summary["outcomes"] == {"as expected": 1, "lost": 2}


def test_an_index_with_two_ledgers_is_told(here: NightPlace) -> None:
    """The answer that began first counts, also if the second one is green."""
    here.come_to(a=[1], b=[1])
    objects = here.job(1)
    assert here.pod(objects, 0) == 0
    first = here.ledger(1).parent.rename(here.folder / "first")
    here.come_to()
    assert here.pod(objects, 0) == 0
    status, summary = here.merge(str(here.ledger(1).parent), str(first))
    assert (status, _runs(summary)) == (1, {"healthy/test_healthy.py": 1, "test_a.py": 4, "test_b.py": 4})
    assert any("answered 2 times" in words for words in summary["told"])


def test_two_pods_at_once_in_one_folder_are_told(here: NightPlace) -> None:
    """Of two runs of one number the one that began first counts: the second one makes no cell green, nor flip."""
    here.come_to(a=[1], b=[0])
    assert here.pod(here.job(1), 0) == 0
    head, *lines = here.ledger(1).read_text(encoding="utf-8").splitlines()
    runs = [json.loads(line) for line in lines]
    others = [{**run, "begun": run["begun"] + 5, "outcome": "as expected"} for run in runs]
    text = "\n".join([head, *map(json.dumps, [*others, *runs]), ""])
    here.ledger(1).write_text(text, encoding="utf-8")
    status, summary = here.merge()
    assert (status, summary["outcomes"]["otherwise"]) == (1, 1)
    assert _runs(summary)["test_b.py"] == 1
    assert any(f"{len(runs)} runs that began later do not count" in words for words in summary["told"])
