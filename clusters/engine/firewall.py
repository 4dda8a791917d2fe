"""Firewall: one iptables chain per table through which a private engine's containers reach their network and the world.

dockerd empties and rewrites the chains DOCKER* when it starts, its own or not. A second dockerd would remove the
rules of the user's; so ours has `iptables: false` and these rules instead. With that setting it does not change the
policy of FORWARD either (setupIPForwarding of moby). A user's engine separates its networks itself (chains
DOCKER-ISOLATION-STAGE-1 and -2); nothing of this is done there.

A packet between two of the engine's addresses is within one network if the kernel bridges it, and between two networks
if the kernel routes it. So no rule needs to know which networks exist.
"""

import contextlib
import ipaddress
import re
from pathlib import Path

from chaos_harness.clusters.deadline import Deadline
from chaos_harness.clusters.engine.layout import Layout
from chaos_harness.clusters.errors import EngineUnavailable
from chaos_harness.clusters.machine import traces
from chaos_harness.clusters.machine.process import run

__all__ = ["POOLS", "allow", "free_pool", "host_routes", "remove"]

POOLS = ("10.213.0.0/16", "172.29.0.0/16", "192.168.224.0/19", "198.18.0.0/15")
"""Candidate ranges; none overlaps with the defaults of Docker, kind or Kubernetes."""

_BRIDGES = "br-+"
"""Interfaces of the engine's networks: docker names each br- plus the beginning of its ID."""

_FILTERED = Path("/proc/sys/net/bridge/bridge-nf-call-iptables")
"""Whether bridged packets pass iptables; exists once br_netfilter is loaded."""

_MASQUERADED = re.compile(r"^-A \S+ -s (\S+) .*-j MASQUERADE", re.MULTILINE)
_JUMPS = {"filter": "FORWARD", "nat": "POSTROUTING"}
_SECONDS = 60


def free_pool(routes: Path = Path("/proc/net/route"), rules: str | None = None) -> str:
    """Return the first range of addresses that overlaps with no route of this host and no masquerading rule.

    An engine without networks has no route, but it has the rules for its range. `rules` is the nat table as `iptables
    -S` prints it (default: this host's). Raises EngineUnavailable if there is no free range.
    """
    if rules is None:
        rules = run(["iptables", "-w", "30", "-t", "nat", "-S"], Deadline.after(_SECONDS, "iptables")).stdout
    taken = [ipaddress.IPv4Network(network, strict=False) for network in _MASQUERADED.findall(rules)]
    taken += host_routes(routes)
    for pool in POOLS:
        if not any(ipaddress.IPv4Network(pool).overlaps(network) for network in taken):
            return pool
    raise EngineUnavailable(
        f"expected one of the ranges {', '.join(POOLS)} to be free for containers; routes or rules overlap all: "
        "`ip route` and `iptables -t nat -S` show them"
    )


def host_routes(routes: Path = Path("/proc/net/route")) -> list[ipaddress.IPv4Network]:
    """Return the networks that this host has routes to, the default route left out."""
    networks = []
    for line in routes.read_text().splitlines()[1:]:
        fields = line.split()
        address, mask = (int.from_bytes(bytes.fromhex(word), "little") for word in (fields[1], fields[7]))
        if mask:
            networks.append(ipaddress.IPv4Network((address, mask.bit_count())))
    return networks


def allow(layout: Layout, pool: str) -> None:
    """Let packets of `pool` pass within a network, and out under the host's address; no new connection comes in.

    A packet from elsewhere with a source address in `pool` is dropped, and so is one between two networks of `pool`.
    The chain contains exactly these rules, whatever it contained before; they change in one step. Raises CommandFailed
    if iptables refuses, HarnessError.
    """
    filtered = _FILTERED.exists()
    traces.record(traces.CHAIN, layout.chain, before="", after="", holder=str(layout.run))
    established = "-m conntrack --ctstate RELATED,ESTABLISHED"
    rules = {
        "filter": [
            f"-s {pool} ! -i {_BRIDGES} -j DROP",
            f"-s {pool} -d {pool} -m physdev --physdev-is-bridged -j ACCEPT",
            f"-s {pool} -d {pool} -j DROP",
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
    if not filtered:
        _leave_bridges_alone()


def remove(chain: str) -> None:
    """Remove the chain and the jumps to it; nothing happens if they do not exist."""
    for table, jump in _JUMPS.items():
        while _iptables(table, "-D", jump, "-j", chain, check=False):
            continue
        _iptables(table, "-F", chain, check=False)
        _iptables(table, "-X", chain, check=False)


def _leave_bridges_alone() -> None:
    """Let bridged packets of this machine bypass iptables, as before.

    The first rule with physdev loads br_netfilter, which then passes all bridged packets of the machine through
    iptables until that is switched off (physdev_mt_check of Linux).
    """
    for program in ("arptables", "iptables", "ip6tables"):
        with contextlib.suppress(FileNotFoundError):
            _FILTERED.with_name(f"bridge-nf-call-{program}").write_text("0")


def _iptables(table: str, *words: str, check: bool = True) -> bool:
    deadline = Deadline.after(_SECONDS, "iptables")
    return run(["iptables", "-w", "30", "-t", table, *words], deadline, check=check).returncode == 0
