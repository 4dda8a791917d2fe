"""Firewall: the one iptables chain per table that lets a private engine's containers reach each other and the world.

dockerd empties and rewrites the chains DOCKER* when it starts, whoever made them. A second dockerd
would so take the rules of the user's; hence ours has `iptables: false` and these rules instead. With that it leaves
the policy of FORWARD alone, too (setupIPForwarding of moby).
"""

import ipaddress
from pathlib import Path

from clusters import traces
from clusters.deadline import Deadline
from clusters.engine.layout import Layout
from clusters.errors import EngineUnavailable
from clusters.process import run

__all__ = ["CHAIN", "allow", "free_pool", "remove"]

POOLS = ("10.213.0.0/16", "172.29.0.0/16", "192.168.224.0/19", "198.18.0.0/15")
"""Candidates that collide with neither Docker's, kind's nor Kubernetes' own defaults."""

CHAIN = "iptables chain "
"""What the journal of this machine calls a chain, before its name."""

_BRIDGES = "br-+"
"""Interfaces of the engine's networks: docker names each br- and the beginning of its id."""

_JUMPS = {"filter": "FORWARD", "nat": "POSTROUTING"}
_SECONDS = 60


def free_pool(routes: Path = Path("/proc/net/route")) -> str:
    """Return the first range of addresses that no route of this host overlaps.

    Raises EngineUnavailable when there is none.
    """
    taken = []
    for line in routes.read_text().splitlines()[1:]:
        fields = line.split()
        address, mask = (int.from_bytes(bytes.fromhex(word), "little") for word in (fields[1], fields[7]))
        if mask:
            taken.append(ipaddress.IPv4Network((address, mask.bit_count())))
    for pool in POOLS:
        if not any(ipaddress.IPv4Network(pool).overlaps(each) for each in taken):
            return pool
    raise EngineUnavailable(
        f"expected one of the ranges {', '.join(POOLS)} to be free for containers; routes of this host overlap all; "
        "`ip route` shows them"
    )


def allow(layout: Layout, pool: str) -> None:
    """Let traffic of `pool` pass, out under the host's address; new connections from outside do not come in.

    A packet from elsewhere that bears an address of `pool` is dropped. The chain holds these rules and no others,
    whatever was in it; they change in one step. Raises CommandFailed when iptables refuses, HarnessError.
    """
    traces.record(f"{CHAIN}{layout.chain}", before="", after="", holder=str(layout.run))
    established = "-m conntrack --ctstate RELATED,ESTABLISHED"
    rules = {
        "filter": [
            f"-s {pool} ! -i {_BRIDGES} -j DROP",
            f"-s {pool} -j ACCEPT",
            f"-d {pool} {established} -j ACCEPT",
            f"-d {pool} -j DROP",
        ],
        "nat": [f"-s {pool} ! -d {pool} -j MASQUERADE"],
    }
    for table, jump in _JUMPS.items():
        lines = [f"*{table}", f":{layout.chain} - [0:0]", *(f"-A {layout.chain} {rule}" for rule in rules[table])]
        text = "\n".join([*lines, "COMMIT", ""])
        run(["iptables-restore", "-w", "30", "--noflush"], Deadline.after(_SECONDS, "iptables"), stdin=text)
        if not _iptables(table, "-C", jump, "-j", layout.chain, check=False):
            _iptables(table, "-I", jump, "1", "-j", layout.chain)


def remove(chain: str) -> None:
    """Take the chain and the jumps to it away; nothing happens if they are not there."""
    for table, jump in _JUMPS.items():
        while _iptables(table, "-D", jump, "-j", chain, check=False):
            continue
        _iptables(table, "-F", chain, check=False)
        _iptables(table, "-X", chain, check=False)


def _iptables(table: str, *words: str, check: bool = True) -> bool:
    deadline = Deadline.after(_SECONDS, "iptables")
    return run(["iptables", "-w", "30", "-t", table, *words], deadline, check=check).returncode == 0
