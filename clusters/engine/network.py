"""Network: the Docker network of one cluster, with a subnet of our own so that addresses can be fixed."""

import ipaddress
import json
from collections.abc import Mapping
from typing import Any

from chaos_harness.clusters.checkout import command_line
from chaos_harness.clusters.deadline import Deadline
from chaos_harness.clusters.engine import Engine
from chaos_harness.clusters.engine.inventory import label_arguments
from chaos_harness.clusters.errors import ClusterUnavailable, CommandFailed
from chaos_harness.clusters.machine.locking import hold_lock

__all__ = ["create_network", "fixed_address", "gateway", "subnet_of"]

_TAKEN = "overlap"
"""In what the engine says of a subnet that somebody else has just taken, in whatever words around it."""

_MTU = "com.docker.network.driver.mtu"
_MASQUERADE = "com.docker.network.bridge.enable_ip_masquerade=true"


def create_network(engine: Engine, name: str, labels: Mapping[str, str], deadline: Deadline) -> str:
    """Create the bridge network `name` as kind would (without IPv6) and return its subnet.

    The engine gives fixed addresses in named subnets only, and only the engine knows which subnets are
    free: it is asked for one by a scratch network. Raises ClusterUnavailable when it has none left.
    """
    options = ["--driver", "bridge", "--opt", _MASQUERADE, *_mtu(engine, deadline), *label_arguments(labels)]
    last = ""
    with hold_lock("network", deadline):
        for _ in deadline.within(30, "a free subnet").attempts():
            try:
                created = engine.run(["network", "create", *options, name], deadline, check=False)
                if created.returncode == 0:
                    subnet = _subnet(engine, name, deadline)
                    engine.run(["network", "rm", name], deadline)
                    placed = ["--subnet", subnet, "--gateway", gateway(subnet)]
                    created = engine.run(["network", "create", *options, *placed, name], deadline, check=False)
                    if created.returncode == 0:
                        return subnet
            except CommandFailed as error:
                last = str(error)
                break
            last = created.stderr.strip()
            if _TAKEN not in created.stderr:
                break
    raise ClusterUnavailable(
        f"expected the engine to create the network {name}: {last}\n"
        f"`docker --host {engine.host} network ls` shows who holds the subnets, "
        f"`{command_line('gc')}` removes those of dead runs"
    )


def fixed_address(subnet: str) -> str:
    """Return the last host address of `subnet`; the engine hands out addresses from the first one on."""
    return str(ipaddress.IPv4Network(subnet)[-2])


def gateway(subnet: str) -> str:
    """Return the first host address of `subnet`, which is this machine's: who asks from there is no container."""
    return str(ipaddress.IPv4Network(subnet)[1])


def subnet_of(network: Mapping[str, Any]) -> str:
    """Return the IPv4 subnet of a network, of which the engine tells `network`."""
    configs: list[Mapping[str, str]] = network["IPAM"]["Config"]
    return next(config["Subnet"] for config in configs if ":" not in config["Subnet"])


def _subnet(engine: Engine, name: str, deadline: Deadline) -> str:
    return subnet_of(json.loads(engine.run(["network", "inspect", name], deadline).stdout)[0])


def _mtu(engine: Engine, deadline: Deadline) -> list[str]:
    """Return the option that gives the network the MTU of the engine's default one, as kind does."""
    inspected = engine.run(["network", "inspect", "bridge"], deadline, check=False)
    networks = json.loads(inspected.stdout or "[]")
    value = networks[0].get("Options", {}).get(_MTU) if networks else None
    return ["--opt", f"{_MTU}={value}"] if value else []
