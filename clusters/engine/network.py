"""Network: the Docker network of one cluster, with a subnet chosen by us so that addresses can be fixed."""

import ipaddress
import itertools
import json
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from chaos_harness.clusters.checkout import command_line
from chaos_harness.clusters.deadline import Deadline
from chaos_harness.clusters.engine import Engine, firewall
from chaos_harness.clusters.engine.inventory import label_arguments
from chaos_harness.clusters.errors import ClusterUnavailable, CommandFailed
from chaos_harness.clusters.machine.locking import hold_lock

__all__ = ["create_network", "fixed_address", "gateway", "subnet_of"]

_TAKEN = "overlap"
"""In the engine's message about a subnet that somebody else has just taken."""

_PREFIX, _PER_POOL = 24, 8
"""Length of the subnets that are tried instead of the engine's own, and how many of a range."""

_MTU = "com.docker.network.driver.mtu"
_MASQUERADE = "com.docker.network.bridge.enable_ip_masquerade=true"


def create_network(
    engine: Engine, name: str, labels: Mapping[str, str], deadline: Deadline, avoid: Sequence[str] = ()
) -> str:
    """Create the bridge network `name` as kind would (without IPv6) and return its subnet.

    The engine allows fixed addresses only in subnets that the caller names, and only the engine knows which subnets are
    free: a temporary network finds one. If that overlaps with a range to `avoid`, which an engine with
    `default-address-pools` of its own may have, another one that no route of this host leads to is tried. Raises
    ClusterUnavailable if there is none.
    """
    options = ["--driver", "bridge", "--opt", _MASQUERADE, *_mtu(engine, deadline), *label_arguments(labels)]
    last = ""
    with hold_lock("network", deadline):
        for _ in deadline.within(30, "a free subnet").attempts():
            try:
                created = engine.run(["network", "create", *options, name], deadline, check=False)
                if created.returncode == 0:
                    given = _subnet(engine, name, deadline)
                    engine.run(["network", "rm", name], deadline)
                    for subnet in _candidates(given, avoid):
                        placed = ["--subnet", subnet, "--gateway", gateway(subnet)]
                        created = engine.run(["network", "create", *options, *placed, name], deadline, check=False)
                        if created.returncode == 0:
                            return subnet
            except CommandFailed as error:
                last = str(error)
                break
            last = created.stderr.strip() or f"its ranges are among {', '.join(avoid)}, which clusters use"
            if _TAKEN not in created.stderr:
                break
    raise ClusterUnavailable(
        f"expected the engine to create the network {name}: {last}\n"
        f"`docker --host {engine.host} network ls` shows who holds the subnets, "
        f"`{command_line('gc')}` removes those of dead runs"
    )


def fixed_address(subnet: str) -> str:
    """Return the last host address of `subnet`; the engine assigns addresses from the first one on."""
    return str(ipaddress.IPv4Network(subnet)[-2])


def gateway(subnet: str) -> str:
    """Return the first host address of `subnet`, which is this machine's: a request from it comes from no container."""
    return str(ipaddress.IPv4Network(subnet)[1])


def subnet_of(network: Mapping[str, Any]) -> str:
    """Return the IPv4 subnet in the engine's JSON of a network."""
    configs: list[Mapping[str, str]] = network["IPAM"]["Config"]
    return next(config["Subnet"] for config in configs if ":" not in config["Subnet"])


def _candidates(given: str, avoid: Sequence[str]) -> Iterator[str]:
    """Yield the subnet that the engine gave; if it overlaps with a range to avoid, others that do not."""
    if not _overlap(given, avoid):
        yield given
        return
    taken = [*avoid, *map(str, firewall.host_routes())]
    for pool in firewall.POOLS:
        free = (str(part) for part in ipaddress.IPv4Network(pool).subnets(new_prefix=_PREFIX))
        yield from itertools.islice((part for part in free if not _overlap(part, taken)), _PER_POOL)


def _overlap(subnet: str, others: Sequence[str]) -> bool:
    network = ipaddress.IPv4Network(subnet)
    return any(network.overlaps(ipaddress.IPv4Network(other)) for other in others)


def _subnet(engine: Engine, name: str, deadline: Deadline) -> str:
    return subnet_of(json.loads(engine.run(["network", "inspect", name], deadline).stdout)[0])


def _mtu(engine: Engine, deadline: Deadline) -> list[str]:
    """Return the option that gives the network the MTU of the engine's default network, as kind does."""
    inspected = engine.run(["network", "inspect", "bridge"], deadline, check=False)
    networks = json.loads(inspected.stdout or "[]")
    value = networks[0].get("Options", {}).get(_MTU) if networks else None
    return ["--opt", f"{_MTU}={value}"] if value else []
