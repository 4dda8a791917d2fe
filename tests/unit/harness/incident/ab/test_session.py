"""Session: each run once, in order, with its bundle; whatever ended the process, nothing is lost or made twice."""

import zipfile
from collections.abc import Mapping, Sequence
from pathlib import Path

import pytest

from chaos_harness.harness.errors import HarnessError
from chaos_harness.harness.incident.ab.arms import LABELS, Label
from chaos_harness.harness.incident.ab.ledger import Head, Ledger
from chaos_harness.harness.incident.ab.observed import observe
from chaos_harness.harness.incident.ab.order import slots
from chaos_harness.harness.incident.ab.session import make_runs
from chaos_harness.harness.incident.bundle.write import Replay
from chaos_harness.harness.incident.load import LoadedIncident, load
from tests.fakes.incidents import incident, lived

_PAIRS = 3


class Lives:
    """Replays an incident without a cluster; at some runs, from 1, something happens."""

    def __init__(self, folder: Path, happens: Mapping[int, BaseException] | None = None, broken: bool = False) -> None:
        self.environment: dict[str, str] = {}
        self.images: dict[str, str] = {}
        self.made: list[tuple[str, int]] = []
        self._folder = folder
        self._happens = happens or {}
        self._broken = broken
        self._first = len(list(folder.glob("lived-*")))

    def run(self, loaded: LoadedIncident, seed: int) -> tuple[Replay, Path]:
        assert loaded.incident.seed == seed
        number = len(self.made) + 1
        if number in self._happens:
            raise self._happens[number]
        self.made.append((loaded.shape.install, seed))
        replay, directory = lived(loaded, self._folder, number=self._first + number)
        return replay.model_copy(update={"reason": "broken", "seen": "broken"} if self._broken else {}), directory


@pytest.fixture
def incidents(tmp_path: Path) -> Mapping[Label, Sequence[LoadedIncident]]:
    """Return the same incident on two shapes."""
    first = incident(tmp_path)
    return {"A": [first], "B": [load(first.path, {"install": "chart"})]}


def _begin(tmp_path: Path) -> Ledger:
    head = Head(arms=("install=manifest", "install=chart"), files=("a.yaml",), digests=(), pairs=_PAIRS, seed=7)
    return Ledger.begin(tmp_path / "comparison.jsonl", head)


def _kept(tmp_path: Path) -> list[str]:
    return sorted(f"{path.parent.name}/{path.name}" for path in tmp_path.glob("[AB]/*"))


def _expected() -> list[tuple[str, int]]:
    installs: dict[Label, str] = {"A": "manifest", "B": "chart"}
    return [(installs[slot.arm], slot.seed) for slot in slots(_PAIRS, 1, 7)]


def test_all_runs(tmp_path: Path, incidents: Mapping[Label, Sequence[LoadedIncident]]) -> None:
    """Each arm's runs are made in the balanced order; a bundle of each is kept, and nothing else of it."""
    lives, said = Lives(tmp_path), list[str]()

    make_runs(_begin(tmp_path), incidents, lives, tmp_path, said.append)

    assert lives.made == _expected()
    assert _kept(tmp_path) == sorted(f"{slot.arm}/{slot.number:03}-a.zip" for slot in slots(_PAIRS, 1, 7))
    assert list(tmp_path.glob("*lived-*")) == []
    assert said[-1].startswith("run 6 of 6, pair 3, ")
    assert [len([run for run in observe(tmp_path) if run.arm == label]) for label in LABELS] == [_PAIRS, _PAIRS]


@pytest.mark.parametrize("at", range(1, 2 * _PAIRS + 1))
def test_interrupted(tmp_path: Path, incidents: Mapping[Label, Sequence[LoadedIncident]], at: int) -> None:
    """After Ctrl-C in any run, the missing runs are made, and no other: in the end it is as if nothing had been."""
    before = Lives(tmp_path, {at: KeyboardInterrupt()})
    with pytest.raises(KeyboardInterrupt):
        make_runs(_begin(tmp_path), incidents, before, tmp_path, str)

    after = Lives(tmp_path)
    make_runs(Ledger.resume(tmp_path / "comparison.jsonl"), incidents, after, tmp_path, str)

    assert before.made + after.made == _expected()
    assert len(_kept(tmp_path)) == 2 * _PAIRS


def test_killed_before_it_was_noted(tmp_path: Path, incidents: Mapping[Label, Sequence[LoadedIncident]]) -> None:
    """A bundle whose run was not noted any more is replaced by that of the run that is made again."""
    make_runs(_begin(tmp_path), incidents, Lives(tmp_path), tmp_path, str)
    ledger = tmp_path / "comparison.jsonl"
    lines = ledger.read_text().splitlines(keepends=True)
    ledger.write_text("".join(lines[:-1]) + lines[-1][:10])
    last = min(tmp_path.glob("[AB]/006-a.zip"))
    last.write_bytes(b"half")

    again = Lives(tmp_path)
    make_runs(Ledger.resume(ledger), incidents, again, tmp_path, str)

    assert again.made == _expected()[-1:]
    assert zipfile.is_zipfile(last)
    assert len(observe(tmp_path)) == 2 * _PAIRS


def test_three_that_break(tmp_path: Path, incidents: Mapping[Label, Sequence[LoadedIncident]]) -> None:
    """After three runs in a row that the harness broke it ends; they are made again when it is resumed."""
    lives = Lives(tmp_path, broken=True)
    with pytest.raises(HarnessError, match="3 runs in a row broke, which says nothing of Gatekeeper"):
        make_runs(_begin(tmp_path), incidents, lives, tmp_path, str)
    assert len(lives.made) == 3

    again = Lives(tmp_path)
    make_runs(Ledger.resume(tmp_path / "comparison.jsonl"), incidents, again, tmp_path, str)

    assert again.made == _expected()
    assert not any(run.broken for run in observe(tmp_path))
