"""Catalogue: what can be named, found by being there, and how its parameters are read."""

import inspect
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from chaos_harness.harness import catalogue, faults, probes
from chaos_harness.harness.catalogue import entries, watch_groups
from chaos_harness.harness.checks import Check
from chaos_harness.harness.errors import BadScenario, HarnessError

_FAULT = '''
"""Nothing: a fault."""

from collections.abc import Collection
from chaos_harness.harness.faults import Fault
from chaos_harness.harness.faults.registry.cut import cut_registry

__all__ = ["do_nothing", "helper", "needs_an_engine", "cut_registry"]

def do_nothing(*names: str, seconds: float = 1.0, spare: Collection[str] = ()) -> Fault:
    """Return the fault that does nothing.

    More words.
    """
    return (names, seconds, *spare)

def helper() -> str:
    return ""

def needs_an_engine(engine: object) -> Fault:
    """Return what no file can name."""
'''

_WATCH = '''
"""Quotas: what namespaces may use."""

from chaos_harness.harness.probes.objects import WEBHOOKS, ListWatch, WatchGroup

__all__ = ["QUOTAS", "WEBHOOKS"]

QUOTAS = WatchGroup("quotas", (ListWatch("quotas", "/api/v1/resourcequotas"),))
'''


@pytest.fixture
def planted(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """Put a module with a new fault beside the others, for one test."""
    monkeypatch.setattr(faults, "__path__", [*faults.__path__, str(tmp_path)])
    monkeypatch.delitem(sys.modules, "chaos_harness.harness.faults.planted", raising=False)
    entries.cache_clear()
    (tmp_path / "planted.py").write_text(_FAULT, encoding="utf-8")
    yield tmp_path
    entries.cache_clear()


def test_what_there_is() -> None:
    """Faults, probes and checks have the names of the functions that make them, and tell what they are."""
    assert {"cut_registry", "kill_containers", "reschedule_pod"} <= entries("fault").keys()
    assert "admission_canary" in entries("probe")
    assert "mutate_pods" in entries("policy")
    assert {"fail_mutation", "place_gatekeeper"} <= entries("preparation").keys()
    assert {"recovers_within", "undisturbed"} <= entries("check").keys()
    assert entries("fault")["cut_registry"].summary == "Return the fault that makes pulls impossible."
    assert all(entry.summary for kind in catalogue.KINDS for entry in entries(kind).values())


def test_a_new_fault_is_one_new_file(planted: Path) -> None:
    """A function that returns a Fault is found because its module is there; what a module only uses is not."""
    fault_entries = entries("fault")

    assert fault_entries["do_nothing"].make({"names": ["a", "b"], "seconds": 2, "spare": ["c"]}) == (
        ("a", "b"),
        2.0,
        "c",
    )
    assert fault_entries["do_nothing"].make({}) == ((), 1.0)
    assert fault_entries["do_nothing"].summary == "Return the fault that does nothing."
    assert "helper" not in fault_entries
    assert fault_entries["cut_registry"].factory.__module__ == "chaos_harness.harness.faults.registry.cut"


def test_what_no_file_can_give_cannot_be_named() -> None:
    """A probe that must be given an object of ours is not in the catalogue."""
    assert "follow_registry" not in entries("probe")


def test_two_of_one_name(planted: Path) -> None:
    """Two faults of the same name are an error that names both modules."""
    (planted / "planted2.py").write_text(_FAULT, encoding="utf-8")

    with pytest.raises(
        HarnessError,
        match=r"do_nothing: in chaos_harness\.harness\.faults\.planted and in chaos_harness\.harness\.faults\.planted2",
    ):
        entries("fault")


def test_two_watches_of_one_name(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A group of lists is found because its module is there, and two of the same name are an error."""
    monkeypatch.setattr(probes, "__path__", [*probes.__path__, str(tmp_path)])
    watch_groups.cache_clear()
    try:
        (tmp_path / "planted_quotas.py").write_text(_WATCH, encoding="utf-8")
        assert [watched.name for watched in watch_groups()["quotas"]] == ["quotas"]
        watch_groups.cache_clear()
        (tmp_path / "planted_quotas2.py").write_text(_WATCH, encoding="utf-8")
        with pytest.raises(
            HarnessError, match=r"the name 'quotas': see chaos_harness\.harness\.probes\.planted_quotas2"
        ):
            watch_groups()
    finally:
        watch_groups.cache_clear()


@pytest.mark.parametrize(
    ("values", "place", "words"),
    [
        ({"seconds": 5}, ("how",), "needs the parameter how"),
        ({"seconds": "soon", "how": "killed"}, ("seconds",), "expected a number, found 'soon'"),
        ({"seconds": "60s", "how": "killed"}, ("seconds",), "expected a number, found '60s'; in seconds that is 60"),
        (
            {"seconds": 5, "how": "killed", "durings": 1},
            ("durings",),
            "did you mean during? it takes seconds, how, during",
        ),
    ],
)
def test_wrong_parameters(values: dict[str, object], place: tuple[str, ...], words: str) -> None:
    """A missing, a wrong and an unknown parameter are told with their place; nothing is converted."""
    entry = entries("check")["recovers_within"]
    ((where, problem),) = entry.problems(values)

    assert where == place
    assert words in problem
    with pytest.raises(BadScenario):
        entry.make(values)


def test_made() -> None:
    """What is made is what the function makes."""
    check = entries("check")["recovers_within"].make({"seconds": 60, "how": "killed"})

    assert isinstance(check, Check)
    assert check.__name__ == "pods killed recover within 60 s during cut registry"


def test_every_check_has_an_id_of_its_own() -> None:
    """Claims are told apart by the function that made their check and its parameters, so each one gives it such."""
    for name, entry in entries("check").items():
        assert inspect.unwrap(entry.factory) is not entry.factory, f"{name}: put @identified in front of it"
    assert entries("check")["undisturbed"].make({"during": "kill node"}).id == "undisturbed(during=kill node)"
    assert entries("check")["leases_renewed"].make({"seconds": 60}).id == "leases_renewed(60)"
