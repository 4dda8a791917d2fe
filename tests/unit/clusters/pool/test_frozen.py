"""Tests of clusters.pool.frozen: a frozen cluster is taken once, and by who lives."""

import dataclasses
import json
import shutil
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from chaos_harness.clusters.errors import ClusterUnavailable
from chaos_harness.clusters.garbage import Owner, run_directories
from chaos_harness.clusters.pool.deviations import Trait
from chaos_harness.clusters.pool.frozen import FrozenCluster, entries, put, read_note, take, write_note
from tests.fakes.engine import FakeEngine

_ENGINE = FakeEngine()
_ENTRY = FrozenCluster(
    "c", "recipe", {Trait("node", "c", aspect="rules"): "none", Trait("secrets", "s", "default"): "a1"}
)


@pytest.fixture(autouse=True)
def state(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path))
    return tmp_path


def shelved(entry: FrozenCluster = _ENTRY) -> Path:
    directory = Owner.of_pool().claim()
    write_note(directory, entry)
    put(_ENGINE, directory)
    return directory


def owners() -> dict[str, Owner]:
    return {owner.run: owner for _, owner in run_directories()}


def test_what_was_noted_is_read_again() -> None:
    """Name, recipe and fingerprint come back from the file."""
    assert read_note(shelved()) == _ENTRY


def test_what_is_taken_is_its_takers() -> None:
    """The run's owner is this process, and the cluster is on the shelf no more."""
    directory = shelved()
    assert take(_ENGINE, "recipe") == directory
    assert owners()[directory.name].alive()
    assert list(entries()) == []


def test_no_cluster_is_taken_twice() -> None:
    """Of many who ask at once for the last ones, each gets another one, and the others none."""
    shelf = {shelved() for _ in range(3)}
    with ThreadPoolExecutor(8) as pool:
        taken = [directory for directory in pool.map(take, [_ENGINE] * 8, ["recipe"] * 8) if directory]
    assert (len(taken), set(taken)) == (3, shelf)


def test_another_recipe_is_not_taken() -> None:
    """A cluster of another shape, other images or other code stays where it is."""
    shelved()
    assert take(_ENGINE, "another") is None
    assert len(list(entries())) == 1


def test_what_is_too_old_is_not_on_the_shelf() -> None:
    """It waits for the next garbage collection."""
    owner = Owner.nobody(shelved().name)
    dataclasses.replace(owner, expires=owner.expires - 24 * 3600).claim()
    assert take(_ENGINE, "recipe") is None


def test_a_directory_that_was_deleted_is_a_miss() -> None:
    """Nothing to take, nothing broken."""
    shutil.rmtree(shelved())
    assert take(_ENGINE, "recipe") is None


def test_a_file_that_cannot_be_read_is_a_miss() -> None:
    """Its cluster is not handed out, and the error names the file."""
    directory = shelved()
    (directory / "pool.json").write_text('{"cluster": "c"}')
    assert take(_ENGINE, "recipe") is None
    with pytest.raises(ClusterUnavailable, match=r"pool\.json"):
        read_note(directory)


@pytest.mark.parametrize(
    "written", [{"node c": "Ready"}, ["node"], [["node", "c", "", ""]], [["node", 1, "", "", "x"]]]
)
def test_a_fingerprint_of_another_form_is_refused_with_one_line(written: object) -> None:
    """Older versions noted what traits are called; nobody compares with that."""
    directory = shelved()
    whole = {"cluster": "c", "recipe": "recipe", "fingerprint": written}
    (directory / "pool.json").write_text(json.dumps(whole), encoding="utf-8")
    with pytest.raises(ClusterUnavailable, match=r"pool\.json: expected what is known of a pooled cluster") as refused:
        read_note(directory)
    assert str(refused.value).isprintable()
