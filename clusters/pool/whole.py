"""Whole: what a whole fingerprint has besides: each line of what a node has, and what this machine itself has.

A line is a trait of its own, so that a difference says which rule, mount or file it is. What has a random name, as a
pod's directory has, counts without it, and what many have alike counts once.
"""

import re
from collections.abc import Iterator

from chaos_harness.clusters.deadline import Deadline
from chaos_harness.clusters.engine import Engine
from chaos_harness.clusters.engine.inventory import RUN, inventory
from chaos_harness.clusters.machine.owner import run_directories
from chaos_harness.clusters.machine.process import run
from chaos_harness.clusters.pool.deviations import Trait

__all__ = ["PROBE", "by_line", "machine_traits", "sections"]

_NETWORK = r"""
section rules6; ip6tables-save 2>/dev/null | grep -v -e '^[#:]' -e KUBE- | sed 's/^\[[0-9:]*\] //'
section mounts; cut -d' ' -f2,3 /proc/mounts | grep -v '^/run/credentials/'
section sysctls; for at in net/ipv4/ip_forward net/ipv4/conf/all net/ipv4/conf/default net/ipv6/conf/all \
  net/bridge net/netfilter/nf_conntrack_max vm/overcommit_memory vm/panic_on_oom kernel/panic kernel/panic_on_oops \
  kernel/keys fs/inotify; do grep -rsH . "/proc/sys/$at"; done | sed 's,^/proc/sys/,,; s/:/ = /'
"""
"""What a node and this machine have alike; `section` is defined by what comes before.

systemd mounts credentials for a service while that runs, which may be at any time.
"""

PROBE = (
    _NETWORK
    + r"""
section namespaces; for at in /var/run/netns/*; do nsenter --net="$at" sh -c "iptables-save | grep '^-A';
  tc qdisc show | grep -v noqueue; ip route show | sed 's/ src .*//'" 2>/dev/null; done
section cgroups; find /sys/fs/cgroup -path '*kubepods*' '(' -name cpu.max -o -name cpu.cfs_quota_us -o \
  -name memory.max -o -name memory.limit_in_bytes -o -name cgroup.freeze -o -name freezer.state ')' \
  -exec grep -sH . {} + | sed 's/:/ = /'
section certificates; find /etc/kubernetes/pki /var/lib/kubelet/pki -type f -exec sha256sum {} +
section etc; find /etc /kind -xdev -type f -not -path '/etc/kubernetes/*' -not -name hosts -not -name resolv.conf \
  -exec sha256sum {} + 2>/dev/null
"""
)
"""What is asked of a node besides; see `pool.fingerprint`."""

_MACHINE = (
    r"""
section() { echo "== $1"; }
section rules; iptables-save 2>/dev/null | grep -v '^[#:]' | sed 's/^\[[0-9:]*\] //'
section routes; ip route show | grep -v 'dev veth'
section queues; tc qdisc show | grep -v noqueue
"""
    + _NETWORK
    + r"""
section files; sha256sum /usr/sbin/policy-rc.d /etc/hosts /etc/resolv.conf 2>/dev/null
exit 0
"""
)
_RANDOM = (
    (re.compile(r"[0-9a-f]{8}([-_])[0-9a-f]{4}\1[0-9a-f]{4}\1[0-9a-f]{4}\1[0-9a-f]{12}"), "UID"),
    (re.compile(r"\b[0-9a-f]{64}\b"), "ID"),
    (re.compile(r"kube-api-access-[a-z0-9]+"), "kube-api-access"),
    (re.compile(r"/netns/[0-9a-f]{12}\b"), "/netns/ID"),
    (re.compile(r"(?<=127\.0\.0\.11:)\d+|(?<=--sport )\d+(?= -j SNAT --to-source \S+:53\b)"), "PORT"),
)
_DIGEST = re.compile(r"([0-9a-f]{64})  (/.*)")
_NAMED_BY_CHANCE = ("mounts", "namespaces", "cgroups", "rules")
_SHOWN = 16


def sections(said: str) -> Iterator[tuple[str, str]]:
    """Yield the title and the text of each section that a script printed."""
    for section in said.split("== ")[1:]:
        title, _, text = section.partition("\n")
        yield title, text.strip()


def by_line(place: Trait, text: str) -> dict[Trait, str]:
    """Return a trait for each line of a text, once; the value is that of a file or setting, all others are "there"."""
    found: dict[Trait, set[str]] = {}
    for line in text.splitlines():
        if of_file := _DIGEST.fullmatch(line):
            name, value = of_file[2], of_file[1][:_SHOWN]
        else:
            name, _, value = (_without_random(line) if place.aspect in _NAMED_BY_CHANCE else line).partition(" = ")
        trait = place._replace(aspect=f"{place.aspect}: {' '.join(name.split())}")
        found.setdefault(trait, set()).add(value.strip() or "there")
    return {trait: ", ".join(sorted(values)) for trait, values in found.items()}


def machine_traits(engine: Engine, cluster_run: str, deadline: Deadline) -> dict[Trait, str]:
    """Return the traits of this machine, and of what the engine has of a cluster's run: containers, networks, volumes.

    Directories of dead runs are among the former. Other runs on this machine change it, too: nothing else of the
    harness should run meanwhile. Raises CommandFailed, DeadlineExceeded.
    """
    traits = {
        Trait("engine", thing.name, aspect=thing.kind): "there"
        for thing in inventory(engine, deadline)
        if thing.labels[RUN] == cluster_run
    }
    for directory, owner in run_directories():
        if not owner.alive():
            traits[Trait("machine", "this one", aspect=f"directory {directory.name}")] = "of a dead run"
    for title, text in sections(run(["sh", "-c", _MACHINE], deadline).stdout):
        traits |= by_line(Trait("machine", "this one", aspect=title), text)
    return traits


def _without_random(line: str) -> str:
    for pattern, word in _RANDOM:
        line = pattern.sub(word, line)
    return line
