"""Tests of clusters.engine.firewall: which range of addresses is free, and rules in a network namespace of the test."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from chaos_harness.clusters.deadline import Deadline
from chaos_harness.clusters.engine import Layout, firewall
from chaos_harness.clusters.errors import EngineUnavailable
from chaos_harness.clusters.machine import traces
from chaos_harness.clusters.machine.process import CommandResult
from tests.thorough import sampled, thorough

_HEAD = "Iface\tDestination\tGateway\tFlags\tRefCnt\tUse\tMetric\tMask\tMTU\tWindow\tIRTT\n"
_DEFAULT = "eth0\t00000000\t0100A8C0\t0003\t0\t0\t0\t00000000\t0\t0\t0\n"


def _route(destination: str, mask: str) -> str:
    """Return a line of /proc/net/route; the kernel writes addresses in little-endian hexadecimal."""
    return f"tun0\t{destination}\t00000000\t0001\t0\t0\t0\t{mask}\t0\t0\t0\n"


def _routes(tmp_path: Path, *lines: str) -> Path:
    path = tmp_path / "route"
    path.write_text("".join([_HEAD, _DEFAULT, *lines]))
    return path


def test_the_default_route_takes_no_range(tmp_path: Path) -> None:
    """0.0.0.0/0 overlaps everything and yet leaves the first range free."""
    assert firewall.free_pool(_routes(tmp_path), "") == firewall.POOLS[0]


def test_a_range_inside_a_wider_route_is_taken(tmp_path: Path) -> None:
    """A VPN that routes 10.0.0.0/8 leaves the first range outside of 10."""
    assert firewall.free_pool(_routes(tmp_path, _route("0000000A", "000000FF")), "") == firewall.POOLS[1]


def test_a_range_around_a_narrower_route_is_taken(tmp_path: Path) -> None:
    """A single /24 inside a range takes the whole range."""
    assert firewall.free_pool(_routes(tmp_path, _route("0007D50A", "00FFFFFF")), "") == firewall.POOLS[1]


def test_the_range_of_an_engine_without_networks_is_taken(tmp_path: Path) -> None:
    """Such an engine has no route, but a rule, which would drop what another one's networks send to each other."""
    rules = "-P POSTROUTING ACCEPT\n-A CHAOS-HARNESS -s 10.213.0.0/16 ! -d 10.213.0.0/16 -j MASQUERADE\n"
    assert firewall.free_pool(_routes(tmp_path), rules) == firewall.POOLS[1]
    docker = "-A POSTROUTING -s 172.17.0.0/16 ! -o docker0 -j MASQUERADE\n"
    assert firewall.free_pool(_routes(tmp_path), docker) == firewall.POOLS[0]


def test_no_free_range_is_an_error_that_tells_how_to_look(tmp_path: Path) -> None:
    """Routes over half the world each leave nothing; the message names the command that shows them."""
    halves = [_route("00000000", "00000080"), _route("00000080", "00000080")]
    with pytest.raises(EngineUnavailable, match="ip route"):
        firewall.free_pool(_routes(tmp_path, *halves), "")


_ALLOW = """
import sys
from pathlib import Path
from chaos_harness.clusters.machine import traces
from chaos_harness.clusters.engine import firewall, host_changes
from chaos_harness.clusters.engine.layout import Layout
traces.HOME = Path(sys.argv[1])
layout = Layout("chaos-unit", Path(sys.argv[1]), Path(sys.argv[1], "run"))
for pool in sys.argv[2:]:
    firewall.allow(layout, pool) if "/" in pool else host_changes.put_back(layout)
"""


def _rules(tmp_path: Path, *pools: str, before: str = "true") -> list[str]:
    """Return the rules of a new network namespace after the range of each of `pools` was allowed, one after another."""
    words = " ".join([sys.executable, "-c", '"$ALLOW"', str(tmp_path), *pools])
    script = f"{before}; {words} && iptables -S && iptables -t nat -S"
    argv = ["unshare", "--net", "sh", "-c", script]
    root = Path(__file__).parents[4]
    completed = subprocess.run(
        argv, cwd=root, env={**os.environ, "ALLOW": _ALLOW}, check=True, stdout=subprocess.PIPE, text=True
    )
    return [line for line in completed.stdout.splitlines() if "CHAOS-UNIT" in line]


_in_a_namespace = pytest.mark.skipif(
    os.geteuid() != 0 or shutil.which("iptables") is None, reason="needs root and iptables"
)


@_in_a_namespace
def test_who_forges_an_address_of_ours_is_not_forwarded(tmp_path: Path) -> None:
    """A packet with an address of the range passes only from a network of an engine, and never to another of them.

    What is routed between addresses of the range goes from a network to another; what is bridged stays in its own.
    """
    rules = [line.removeprefix("-A CHAOS-UNIT ") for line in _rules(tmp_path, "10.213.0.0/16") if "-A C" in line]
    assert rules == [
        "-s 10.213.0.0/16 ! -i br-+ -j DROP",
        "-s 10.213.0.0/16 -d 10.213.0.0/16 -m physdev --physdev-is-bridged -j ACCEPT",
        "-s 10.213.0.0/16 -d 10.213.0.0/16 -j DROP",
        "-s 10.213.0.0/16 -j ACCEPT",
        "-d 10.213.0.0/16 -m conntrack --ctstate RELATED,ESTABLISHED -j ACCEPT",
        "-d 10.213.0.0/16 -j DROP",
        "-s 10.213.0.0/16 ! -d 10.213.0.0/16 -j MASQUERADE",
    ]


_NETWORK = """
set -e
mkdir -p /run/netns; mount -t tmpfs none /run/netns
for name in one other neighbour stranger; do ip netns add $name; done
plug() {
    ip link add v$1 type veth peer name eth0 netns $1; ip link set v$1 up
    if [ -n "$4" ]; then ip link set v$1 master $4; else ip addr add $3/24 dev v$1; fi
    ip -n $1 addr add $2/24 dev eth0; ip -n $1 link set eth0 up; ip -n $1 link set lo up
    ip -n $1 route add default via $3
}
for number in 1 2; do
    ip link add br-00000000000$number type bridge; ip addr add 10.213.$number.1/24 dev br-00000000000$number
    ip link set br-00000000000$number up
done
plug one 10.213.1.2 10.213.1.1 br-000000000001; plug neighbour 10.213.1.3 10.213.1.1 br-000000000001
plug other 10.213.2.2 10.213.2.1 br-000000000002; plug stranger 192.168.77.2 192.168.77.1 ""
for name in one stranger; do ip -n $name addr add 10.213.9.9/32 dev lo; done
echo 1 > /proc/sys/net/ipv4/ip_forward
for switch in /proc/sys/net/ipv4/conf/*/rp_filter; do echo 0 > $switch; done
"""
_SEND = """
import socket, subprocess, sys
receives = "import socket; s = socket.socket(type=socket.SOCK_DGRAM); s.bind(('', 9)); s.settimeout(%s)"
receives += "; print(flush=True)"
receives += "\\ntry: print(s.recvfrom(1)[1][0])\\nexcept TimeoutError: print('nothing')"
sends = "import socket; s = socket.socket(type=socket.SOCK_DGRAM); s.bind(('%s', 0)); s.sendto(b'x', ('%s', 9))"
for flow in sys.argv[1:]:
    sender, source, receiver, target, seconds = flow.split()
    into = ["ip", "netns", "exec"]
    argv = [*into, receiver, sys.executable, "-c", receives % seconds]
    with subprocess.Popen(argv, stdout=subprocess.PIPE, text=True) as process:
        process.stdout.readline()
        subprocess.run([*into, sender, sys.executable, "-c", sends % (source, target)], check=True)
        print(process.stdout.readline().strip(), file=sys.stderr)
"""


@_in_a_namespace
@pytest.mark.skipif(shutil.which("ip") is None, reason="needs iproute2")
@pytest.mark.parametrize("filtered", sampled([1, 0], 1))
def test_packets_of_containers_pass_and_strangers_do_not(tmp_path: Path, filtered: int) -> None:
    """Within a network and to the world they pass; to another network, new from outside, or forged, they are dropped.

    It is so whether the tables see what is bridged (`filtered`) or not; without the rules, networks reach each other.
    """
    flows = {
        "one 10.213.1.2 neighbour 10.213.1.3 20": "10.213.1.2",
        "one 10.213.1.2 other 10.213.2.2 0.5": "nothing",
        "one 10.213.9.9 other 10.213.2.2 0.5": "nothing",
        "one 10.213.1.2 stranger 192.168.77.2 20": "192.168.77.1",
        "stranger 192.168.77.2 one 10.213.1.2 0.5": "nothing",
        "stranger 10.213.9.9 one 10.213.1.2 0.5": "nothing",
    }
    allows = f'{sys.executable} -c "$ALLOW" {tmp_path} 10.213.0.0/16'
    quoted = " ".join(f"'{flow}'" for flow in flows)
    switch = "/proc/sys/net/bridge/bridge-nf-call-iptables"
    sees = f"[ ! -e {switch} ] || echo {filtered} > {switch}"
    send = f'{sys.executable} -c "$SEND"'
    script = "\n".join([_NETWORK, sees, f"{send} 'one 10.213.1.2 other 10.213.2.2 20'", allows, f"{send} {quoted}"])
    environment = {**os.environ, "ALLOW": _ALLOW, "SEND": _SEND}
    argv = ["unshare", "--net", "--mount", "sh", "-c", script]
    completed = subprocess.run(
        argv, cwd=Path(__file__).parents[4], env=environment, check=True, stderr=subprocess.PIPE, text=True
    )
    assert completed.stderr.split() == ["10.213.1.2", *flows.values()]


@_in_a_namespace
@thorough
def test_the_chain_holds_one_range_however_often_it_is_asked_for(tmp_path: Path) -> None:
    """Another range, or what an earlier version wrote, is replaced, and each table jumps once."""
    earlier = "iptables -N CHAOS-UNIT; iptables -A CHAOS-UNIT -s 10.213.0.0/16 -j ACCEPT"
    once = _rules(tmp_path, "172.29.0.0/16")
    assert _rules(tmp_path, "10.213.0.0/16", "172.29.0.0/16", "172.29.0.0/16", before=earlier) == once
    assert len([line for line in once if line.endswith("-j CHAOS-UNIT")]) == 2


@_in_a_namespace
def test_the_chain_is_journalled_and_goes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What is put back for an engine that does not run is its chain, too; asking again does nothing."""
    monkeypatch.setattr(traces, "HOME", tmp_path)
    assert _rules(tmp_path, "10.213.0.0/16") != []
    assert [trace.what for trace in traces.pending()] == ["iptables chain CHAOS-UNIT"]
    assert _rules(tmp_path, "10.213.0.0/16", "back", "back") == []
    assert traces.pending() == []


@pytest.mark.parametrize("filtered", ["", "0", "1"])
def test_bridges_of_others_are_filtered_as_before(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, filtered: str
) -> None:
    """A kernel that did not know how to filter what is bridged does not do so because of our rules; else all stays."""
    monkeypatch.setattr(traces, "HOME", tmp_path)
    switch = tmp_path / "bridge-nf-call-iptables"
    monkeypatch.setattr(firewall, "_FILTERED", switch)
    if filtered:
        switch.write_text(filtered)

    def restores(argv: list[str], _: Deadline, **__: object) -> CommandResult:
        if argv[0] == "iptables-restore" and not switch.exists():
            switch.write_text("1")
        return CommandResult("", "", 0)

    monkeypatch.setattr(firewall, "run", restores)
    firewall.allow(Layout("chaos-unit", tmp_path, tmp_path / "run"), "10.213.0.0/16")
    assert switch.read_text() == (filtered or "0")
