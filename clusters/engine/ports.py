"""Ports: reserves a free port on loopback that no other run of this machine takes at the same time."""

import random
import socket
from collections.abc import Iterator
from contextlib import contextmanager

from chaos_harness.clusters.deadline import Deadline
from chaos_harness.clusters.engine import Engine
from chaos_harness.clusters.engine.inventory import inventory
from chaos_harness.clusters.errors import ClusterUnavailable
from chaos_harness.clusters.machine.locking import try_lock

__all__ = ["LOOPBACK", "reserved_port"]

LOOPBACK = "127.0.0.1"

_RANGE = range(21000, 28000)
"""Below the ports that Linux assigns to clients (ip_local_port_range), so no connection takes a port in between."""


@contextmanager
def reserved_port(engine: Engine, deadline: Deadline) -> Iterator[int]:
    """Yield a free port of loopback; other runs do not use it until the block ends, so publish it within the block.

    Ports of our stopped containers are not free: they need them when they start again. Raises ClusterUnavailable if all
    are taken.
    """
    wanted = {port for thing in inventory(engine, deadline) for port in thing.host_ports}
    for port in random.sample(_RANGE, len(_RANGE)):
        if port in wanted:
            continue
        with try_lock(f"port-{port}") as mine:
            if mine and _free(port):
                yield port
                return
    raise ClusterUnavailable(f"expected a free port on {LOOPBACK} in {_RANGE}, all are taken; `ss -tlnp` tells by whom")


def _free(port: int) -> bool:
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((LOOPBACK, port))
        except OSError:
            return False
    return True
