"""Inside: what is to be in every node of a cluster, whatever its image."""

__all__ = ["NODE_FILES", "POD_SUBNET"]

POD_SUBNET = "10.244.0.0/16"
"""Where pods have their addresses, as kind has it by itself."""

NODE_FILES = {
    "/etc/crictl.yaml": "runtime-endpoint: unix:///run/containerd/containerd.sock\ntimeout: 60\n",
    "/etc/systemd/system/kubelet.service.d/20-pods-stay-inside.conf": f"""[Service]
ExecStartPre=ip route replace unreachable {POD_SUBNET}
""",
}
"""What is to be in every node, path -> content.

crictl by itself waits for 2 s, in which a busy node stops nothing. What is sent to a pod that is gone, or to one of a
node that was removed, would follow the default route out of the node, and whoever is behind that would answer for it:
a proxy did. Now there is no route; who sent it to a Service gets no answer, as from most networks of pods.
"""
