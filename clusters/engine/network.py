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
from chaos_harness.clusters.errors import ClusterUnavailable, CommandFailed, DeadlineExceeded
from chaos_harness.clusters.machine.locking import hold_lock
from chaos_harness.clusters.retrying import retry

__all__ = ["create_network", "fixed_address", "gateway", "subnet_of"]

_TAKEN = "overlap"
"""In the engine's message about a subnet that somebody else has just taken."""

_PREFIX, _PER_POOL = 24, 8
"""Length of the subnets that are tried instead of the engine's own, and how many of a range."""

_FREE_SECONDS = 30.0
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
    free = deadline.within(_FREE_SECONDS, "a free subnet")
    with hold_lock("network", deadline):
        try:
            return retry(lambda: _create(engine, name, options, avoid, deadline), free, passes=_is_taken)
        except (CommandFailed, DeadlineExceeded, ClusterUnavailable) as error:
            raise ClusterUnavailable(
                f"expected the engine to create the network {name}: {error}\n"
                f"`docker --host {engine.host} network ls` shows who holds the subnets, "
                f"`{command_line('gc')}` removes those of dead runs"
            ) from error


def _create(engine: Engine, name: str, options: Sequence[str], avoid: Sequence[str], deadline: Deadline) -> str:
    """Create the network in the subnet that the engine gives to one without a choice, or near it; return the subnet."""
    create = ["network", "create", *options]
    engine.run([*create, name], deadline)
    given = _subnet(engine, name, deadline)
    engine.run(["network", "rm", name], deadline)
    refused: CommandFailed | None = None
    for subnet in _candidates(given, avoid):
        try:
            engine.run([*create, "--subnet", subnet, "--gateway", gateway(subnet), name], deadline)
        except CommandFailed as error:
            if not _is_taken(error):
                raise
            refused = error
        else:
            return subnet
    raise refused or ClusterUnavailable(f"its ranges are among {', '.join(avoid)}, which clusters use")


def _is_taken(error: Exception) -> bool:
    return isinstance(error, CommandFailed) and _TAKEN in error.said


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
