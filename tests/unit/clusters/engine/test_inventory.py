"""Tests of clusters.engine.inventory, ports, network and locking: what is ours, and what no two runs may share."""

import csv
import socket
from ipaddress import IPv4Network
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest

from chaos_harness.clusters.deadline import Deadline
from chaos_harness.clusters.engine import firewall, ports
from chaos_harness.clusters.engine.inventory import (
    EngineObject,
    inventory,
    remove_all,
    remove_until_none,
    volume_argument,
)
from chaos_harness.clusters.engine.network import create_network, fixed_address
from chaos_harness.clusters.engine.ports import reserved_port
from chaos_harness.clusters.errors import ClusterUnavailable, CommandFailed, DeadlineExceeded
from chaos_harness.clusters.machine.locking import hold_lock, try_lock
from chaos_harness.clusters.machine.process import CommandResult
from tests.fakes.engine import FakeEngine

_OURS = {"chaos-harness.run": "r"}


@pytest.fixture(autouse=True)
def state(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path))


@pytest.fixture
def soon() -> Deadline:
    return Deadline.after(60, "the test")


def test_the_inventory_is_what_carries_all_labels(soon: Deadline) -> None:
    """Things of other runs' clusters, and things without our label, are not in it."""
    engine = FakeEngine()
    engine.add("container", "a", {**_OURS, "chaos-harness.cluster": "c"})
    engine.add("container", "b", {**_OURS, "chaos-harness.cluster": "d"})
    engine.add("volume", "v", {**_OURS, "chaos-harness.cluster": "c"})
    engine.add("container", "foreign", {"chaos-harness.cluster": "c"})
    assert [(thing.kind, thing.name) for thing in inventory(engine, soon, cluster="c")] == [
        ("container", "a"),
        ("volume", "v"),
    ]


def test_an_image_is_asked_for_once(soon: Deadline) -> None:
    """What a container has from its image is known later, too; nobody asks for images of no container."""
    engine = FakeEngine()
    images = [
        engine.add("image", f"{kind}-{uuid4()}", labels) for kind, labels in (("plain", {}), ("committed", _OURS))
    ]
    engine.add("image", "other", _OURS)
    engine.add("container", "node", _OURS, Image=images[0])
    engine.add("container", "looking", _OURS, Image=images[1])
    engine.add("container", "orphan", _OURS, Image="gone")
    for _ in range(2):
        assert [thing.name for thing in inventory(engine, soon)] == ["node", "orphan"]
    asked = [command for command in engine.asked if "image" in command]
    assert asked == [f"inspect --type image {' '.join(sorted([*images, 'gone']))}", "inspect --type image gone"]


def test_an_engine_that_does_not_tell_of_an_image(soon: Deadline) -> None:
    """Nobody knows then whose its containers are."""
    engine = FakeEngine(errors={"inspect --type image": "Cannot connect to the Docker daemon"})
    engine.add("container", "node", _OURS, Image=f"id-{uuid4()}")
    with pytest.raises(CommandFailed, match=r"does not say what id-\S+ is: Cannot connect"):
        inventory(engine, soon)


def test_a_label_with_commas_and_quotes_survives_in_a_volume_argument() -> None:
    """Docker reads the argument as a line of CSV."""
    argument = volume_argument("/var", {"shape": '{"a":1,"b":2}'})
    assert next(csv.reader([argument])) == ["type=volume", "destination=/var", 'volume-label=shape={"a":1,"b":2}']


def test_removal_goes_on_until_a_network_is_unused(soon: Deadline) -> None:
    """A network that still has an endpoint is tried again, and then no problem is left."""
    engine = FakeEngine(errors={"network rm id-n": "network n has active endpoints"})
    engine.add("network", "n", _OURS)

    def find() -> list[EngineObject]:
        if "network rm id-n" in engine.asked:
            engine.errors.clear()
        return inventory(engine, soon)

    assert remove_until_none(engine, find, soon) == (["network n"], [])
    assert engine.asked.count("network rm id-n") == 2


def test_what_the_engine_refuses_for_good_is_told_with_the_next_command() -> None:
    """The engine's words and the command to try by hand are in the error."""
    engine = FakeEngine(errors={"network rm id-n": "network n has active endpoints"})
    engine.add("network", "n", _OURS)
    with pytest.raises(CommandFailed, match=r"active endpoints; try `docker --host unix:\S+ network rm n`"):
        remove_all(engine, Deadline.after(0.3, "x"))


def test_a_container_that_cannot_die_is_thawed(soon: Deadline, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """What is frozen within a container that refuses to go is thawed, and it is removed again."""
    engine = FakeEngine(errors={"rm --force --volumes id-a": "did not receive an exit event"})
    engine.add("container", "a", _OURS)
    thawed: list[Path] = []
    monkeypatch.setattr("chaos_harness.clusters.engine.inventory.cgroups_of", lambda container: [tmp_path / container])

    def thaw(directories: list[Path]) -> None:
        thawed.extend(directories)
        engine.errors.clear()

    monkeypatch.setattr("chaos_harness.clusters.engine.inventory.thaw", thaw)
    assert remove_all(engine, soon) == ["container a"]
    assert thawed == [tmp_path / "id-a"]


def test_what_an_engine_finishes_late_is_removed_too(soon: Deadline) -> None:
    """After a removal the engine is looked at again: an interrupted command may have left more."""
    labels = {**_OURS, "chaos-harness.cluster": "c"}

    class Refilled(dict[str, dict[str, Any]]):
        def pop(self, *args: Any) -> Any:
            removed = super().pop(*args)
            if removed["Name"] == "early":
                engine.add("container", "late", labels)
            return removed

    engine = FakeEngine(things=Refilled())
    engine.add("container", "early", labels)
    assert remove_all(engine, soon, cluster="c") == ["container early", "container late"]


def test_a_reserved_port_is_free_and_nobody_elses(soon: Deadline, monkeypatch: pytest.MonkeyPatch) -> None:
    """Neither a port in use, nor one that another run reserves, nor a stopped container's is given out."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        used = server.getsockname()[1]
        wanted, free = 29997, 29999
        monkeypatch.setattr(ports, "_RANGE", [used, wanted, 29998, free])
        engine = FakeEngine()
        bindings = {"5000/tcp": [{"HostIp": "127.0.0.1", "HostPort": str(wanted)}]}
        engine.add("container", "stopped", _OURS, HostConfig={"PortBindings": bindings})
        with try_lock("port-29998"), reserved_port(engine, soon) as port:
            assert port == free
            with pytest.raises(ClusterUnavailable, match="all are taken"), reserved_port(engine, soon):
                pass


def test_the_network_has_a_subnet_of_its_own(soon: Deadline) -> None:
    """The subnet that the engine chose for a scratch network is named when the network is made for good."""
    engine = FakeEngine()
    assert create_network(engine, "c", _OURS, soon) == "10.9.8.0/24"
    created = [command for command in engine.asked if command.startswith("network create")]
    assert ["--subnet 10.9.8.0/24 --gateway 10.9.8.1 " in command for command in created] == [False, True]
    assert engine.things["network/id-c"]["Labels"] == _OURS


def test_a_subnet_that_somebody_else_has_just_taken_is_asked_for_anew(soon: Deadline) -> None:
    """Between the scratch network and the one for good another process may be faster."""

    class Contested(FakeEngine):
        def run(self, argv: Any, *args: Any, **settings: Any) -> CommandResult:
            if "--subnet" in argv and not refused:
                refused.append(argv)
                raise CommandFailed("refused", said="Pool overlaps with other one on this address space")
            return super().run(argv, *args, **settings)

    refused: list[Any] = []
    assert create_network(Contested(), "c", _OURS, soon) == "10.9.8.0/24"
    assert len(refused) == 1


@pytest.mark.parametrize("avoid", ["10.9.0.0/16", "10.9.8.0/25"])
def test_a_subnet_that_pods_or_services_have_is_not_taken(
    soon: Deadline, avoid: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Nodes reject what goes to these ranges, so they would not reach each other; routes of this host count as well."""
    monkeypatch.setattr(firewall, "host_routes", lambda: [IPv4Network("10.213.0.0/24")])
    engine = FakeEngine()
    assert create_network(engine, "c", _OURS, soon, avoid=(avoid, "10.213.1.0/24")) == "10.213.2.0/24"
    assert "--subnet 10.213.2.0/24 --gateway 10.213.2.1 " in engine.asked[-1]


def test_an_engine_whose_ranges_all_overlap_is_told(soon: Deadline) -> None:
    """There is no network without a subnet."""
    with pytest.raises(ClusterUnavailable, match=r"its ranges are among 0\.0\.0\.0/0"):
        create_network(FakeEngine(), "c", _OURS, soon, avoid=("0.0.0.0/0",))


def test_a_network_that_cannot_be_had_is_told(soon: Deadline) -> None:
    """The engine's reason and the next commands are in the error."""
    engine = FakeEngine(errors={"network create": "could not find an available address pool"})
    with pytest.raises(ClusterUnavailable, match=r"(?s)available address pool.*nox -s gc"):
        create_network(engine, "c", _OURS, soon)


def test_the_fixed_address_is_the_last_of_the_subnet() -> None:
    """Docker hands out addresses from the first one on, so the last one is free."""
    assert fixed_address("172.18.0.0/16") == "172.18.255.254"


def test_a_lock_that_is_held_is_waited_for_until_the_deadline() -> None:
    """Who waits too long is told which lock it is."""
    soon = Deadline.after(0.2, "the lock")
    with try_lock("x"), pytest.raises(DeadlineExceeded, match="holds the lock x"), hold_lock("x", soon):
        pass


def test_a_lock_is_free_again_after_an_error(soon: Deadline) -> None:
    """The kernel's lock goes with the block, however it ends."""
    with pytest.raises(ZeroDivisionError), hold_lock("x", soon):
        raise ZeroDivisionError
    with try_lock("x") as mine:
        assert mine
