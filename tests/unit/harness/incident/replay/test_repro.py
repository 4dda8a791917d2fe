"""Repro: what is said at the end: how often, why, and what to type next."""

import re
from dataclasses import replace
from pathlib import Path
from typing import Any, Literal

import pytest

from chaos_harness.clusters import known_versions
from chaos_harness.harness.incident.bundle.write import Replay
from chaos_harness.harness.incident.judge import JudgedClaim
from chaos_harness.harness.incident.replay.repro import bisect_status, exit_status, replay_command, report, score
from chaos_harness.harness.run.exit_status import ExitStatus
from tests.fakes.incidents import incident, lived

Seen = Literal["reproduced", "not reproduced", "inconclusive", "broken"]


@pytest.mark.parametrize(
    ("seen", "words"),
    [
        (["reproduced"], "reproduced 1 of 1 (95 % interval 21% to 100%)"),
        (["reproduced"] * 7 + ["not reproduced"] * 3, "reproduced 7 of 10 (95 % interval 40% to 89%)"),
        (["not reproduced", "inconclusive"], "reproduced 0 of 1 (95 % interval 0% to 79%), 1 inconclusive"),
        (["broken", "broken"], "reproduced 0 of 0, 2 broken"),
    ],
)
def test_score(seen: list[Seen], words: str) -> None:
    """Runs that decided nothing are no part of the count, and are told; the interval is Wilson's."""
    assert score([Replay(directory="runs/1", seen=outcome, seconds=1.0) for outcome in seen]) == words


def test_report(tmp_path: Path) -> None:
    """The end names runs, verdicts, the evidence of the symptom, the bundle, and the two commands."""
    loaded = incident(tmp_path)
    run, _ = lived(loaded, tmp_path)
    broken = Replay(directory="runs/2", seen="broken", seconds=3.0, error="ProbeBroken: late\nand more")
    text = "\n".join(report(loaded, [run, broken], 7, Path("out/bundle.zip")))

    version = known_versions.DEFAULT_KUBERNETES
    assert f"a: A registry that was cut answers\nGatekeeper v3.23.1 by its manifest, Kubernetes {version}" in text
    assert (
        "run 1: reproduced, 62 s\n  ✓ the registry answers nothing during cut registry: violated (as expected)" in text
    )
    assert "run 2: broken, 3 s: ProbeBroken: late\n" in text
    assert "reproduced 1 of 1 (95 % interval 21% to 100%), 1 broken\n" in text
    assert "answered 1 requests meanwhile\n    0.0 s: 10.0.0.2 GET /v2/ 200" in text
    assert "nox -s recheck -- out/bundle.zip" in text
    assert f"nox -s repro -- {loaded.path} --gatekeeper v3.23.1" in text


def test_surprises_are_explained(tmp_path: Path) -> None:
    """The report has the summary of a claim with an unexpected outcome, and of no other claim."""
    loaded = incident(tmp_path)
    run, _ = lived(loaded, tmp_path)
    judged = run.verdicts[0]
    surprising = replace(judged, outcome="inconclusive", summary="2 answers; 20 are needed")
    text = "\n".join(report(loaded, [run.model_copy(update={"verdicts": (surprising,)})], 7, Path("b.zip")))

    assert f"  ? {judged.name}: inconclusive (expected violated)\n      2 answers; 20 are needed\n" in text
    assert f"\n      {judged.summary}" not in "\n".join(report(loaded, [run], 7, Path("b.zip")))


def test_again_in_full(tmp_path: Path) -> None:
    """Where the file leaves the patch open the command names it: elsewhere another one may be the newest."""
    loaded = incident(tmp_path, shape={"gatekeeper": "3.20", "kubernetes": "1.35"})
    version = known_versions.resolve_version("1.35", known_versions.KUBERNETES)

    assert f" --gatekeeper v3.20.1 --kubernetes {version} " in replay_command(loaded, 7)
    bare = replace(loaded, shape=loaded.shape.model_copy(update={"gatekeeper": None}))
    assert " --gatekeeper none " in replay_command(bare, 7)
    assert " --gatekeeper " not in replay_command(replace(bare, given={"gatekeeper": None}), 7)
    long = {"gatekeeper": {"version": "v3.20.1", "install": "manifest"}}
    assert not re.search(" --(gatekeeper|install) ", replay_command(replace(loaded, given=long), 7))


def test_again(tmp_path: Path) -> None:
    """The command names what the file leaves open, and the seed, so that a colleague does the same."""
    loaded = incident(tmp_path, shape={"gatekeeper": "v3.20.1", "workers": 1})

    version = known_versions.DEFAULT_KUBERNETES
    assert (
        replay_command(loaded, 7) == f"nox -s repro -- {loaded.path} --kubernetes {version} --install manifest --seed 7"
    )


def test_again_on_an_adopted_cluster(tmp_path: Path) -> None:
    """The command names the cluster, whose shape is as it is."""
    loaded = incident(tmp_path, shape={"gatekeeper": "v3.20.1", "workers": 1})

    assert replay_command(loaded, 7, "mine") == f"nox -s repro -- {loaded.path} --on mine --seed 7"
    told = "\n".join(report(loaded, [_run("reproduced")], 7, Path("b.zip"), "mine"))
    assert " --on mine --seed 7" in told


def _run(seen: Seen, expected: str | None = "holds", outcome: str = "violated", **fields: Any) -> Replay:
    judged = JudgedClaim("a", True, expected, outcome, "", (), broken=fields.pop("check", ""))  # type: ignore[arg-type]
    return Replay(directory="runs/1", seen=seen, seconds=1.0, verdicts=(judged,), **fields)


REPRODUCED = _run("reproduced", "violated")
NOT = _run("not reproduced", "violated", "holds")
MENDED = _run("not reproduced", "holds", "holds")
OPEN = _run("inconclusive", "violated", "inconclusive")
HALF = Replay(
    directory="runs/1",
    seen="not reproduced",
    seconds=1.0,
    verdicts=(*MENDED.verdicts, *_run("inconclusive", "holds", "inconclusive").verdicts),
)
"""Of two claims that should hold one does, and nobody knows of the other."""
BROKEN = _run("broken", error="ProbeBroken: late", reason="broken")


@pytest.mark.parametrize(
    ("runs", "expected", "bisected"),
    [
        ([REPRODUCED], ExitStatus.AS_EXPECTED, 1),
        ([NOT, REPRODUCED, OPEN], ExitStatus.AS_EXPECTED, 1),
        ([MENDED], ExitStatus.AS_EXPECTED, 0),
        ([NOT], ExitStatus.OTHERWISE, 0),
        ([NOT, OPEN], ExitStatus.OTHERWISE, 125),
        ([OPEN], ExitStatus.INCONCLUSIVE, 125),
        ([HALF], ExitStatus.INCONCLUSIVE, 0),
        ([_run("broken", error="Inconclusive: no proof", reason="inconclusive")], ExitStatus.INCONCLUSIVE, 125),
        ([_run("inconclusive", "holds", "inconclusive", check="KeyError")], ExitStatus.BROKEN, 125),
        ([_run("not reproduced", None, "holds")], ExitStatus.OTHERWISE, 0),
        ([REPRODUCED, BROKEN], ExitStatus.BROKEN, 1),
        ([], ExitStatus.NOTHING, 125),
    ],
)
def test_statuses(runs: list[Replay], expected: ExitStatus, bisected: int) -> None:
    """Reproduced once, or all claims as expected on this version, is a success; a run that broke comes first."""
    assert (exit_status(runs), bisect_status(runs)) == (expected, bisected)
