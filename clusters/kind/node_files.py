"""Inside: what is to be in every node of a cluster, whatever its image: nothing that is sent within leaves it."""

from chaos_harness.clusters.kind.audit_log import AUDIT_FILES

__all__ = ["NODE_FILES", "POD_SUBNET", "SERVICE_SUBNET"]

POD_SUBNET, SERVICE_SUBNET = "10.244.0.0/16", "10.96.0.0/16"
"""Where pods and Services have their addresses, as kind has it by itself."""

_RULE = f"-d {SERVICE_SUBNET} -j REJECT --reject-with icmp-net-unreachable"
_RULES = "\n".join(
    f"ExecStartPre=/bin/sh -c 'iptables -w 30 -C {chain} {_RULE} || iptables -w 30 -A {chain} {_RULE}'"
    for chain in ("OUTPUT", "FORWARD")
)

NODE_FILES = {
    **AUDIT_FILES,
    "/etc/crictl.yaml": "runtime-endpoint: unix:///run/containerd/containerd.sock\ntimeout: 60\n",
    "/etc/systemd/system/kubelet.service.d/20-inside.conf": f"""[Service]
ExecStartPre=ip route replace unreachable {POD_SUBNET}
{_RULES}
""",
}
"""What is to be in every node, path -> content.

crictl by itself waits for 2 s, in which a busy node stops nothing.

What is sent to a pod that is gone, or to one of a node that was removed, would follow the default route out of the
node; so would what is sent to a Service in the moment in which it has a first endpoint again, when kube-proxy no longer
rejects it and does not yet lead it there. Whoever is behind the machine would answer: a proxy did, with a certificate
of its own. Now pods that are not there have no route, and a Service's address that was led nowhere is rejected.
"""
