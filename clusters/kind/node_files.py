"""Files mounted into every node: crictl's time-out, and routes that keep Pod and Service traffic in the cluster."""

from chaos_harness.clusters.kind.audit_log import audit_files

__all__ = ["POD_SUBNET", "SERVICE_SUBNET", "node_files"]

POD_SUBNET, SERVICE_SUBNET = "10.244.0.0/16", "10.96.0.0/16"
"""Addresses of pods and of Services: kind's defaults."""

_RULE = f"-d {SERVICE_SUBNET} -j REJECT --reject-with icmp-net-unreachable"
_RULES = "\n".join(
    f"ExecStartPre=/bin/sh -c 'iptables -w 30 -C {chain} {_RULE} || iptables -w 30 -A {chain} {_RULE}'"
    for chain in ("OUTPUT", "FORWARD")
)

_FILES = {
    "/etc/crictl.yaml": "runtime-endpoint: unix:///run/containerd/containerd.sock\ntimeout: 60\n",
    "/etc/systemd/system/kubelet.service.d/20-inside.conf": f"""[Service]
ExecStartPre=ip route replace unreachable {POD_SUBNET}
{_RULES}
""",
}
"""Path in every node → content.

crictl's default time-out is 2 s, too short to stop a container on a busy node.

Packets to a pod that is gone, or to one on a removed node, would follow the default route out of the node. So would
packets to a Service at the moment when it gets its first endpoint again: kube-proxy has stopped rejecting them and does
not forward them yet. A machine outside could answer: once a proxy did, with its own certificate. So missing pods have
no route, and Service addresses without a kube-proxy rule are rejected.
"""


def node_files(gatekeeper: str) -> dict[str, str]:
    """Return the files of every node, path → content; `gatekeeper` is its namespace."""
    return {**audit_files(gatekeeper), **_FILES}
