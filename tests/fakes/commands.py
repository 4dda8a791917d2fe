"""Commands: what is asked of the real docker, and of the programs in real nodes, so that fakes answer as they do."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from chaos_harness.clusters.gatekeeper.readiness import REVIEW
from chaos_harness.clusters.registry.container import DOWN_FILE
from chaos_harness.harness.faults.workloads.throttle import _WRITE
from chaos_harness.harness.probes.clocks import _SCRIPT
from chaos_harness.harness.undo.commands import KUBECTL

__all__ = ["INVENTORY", "NODES", "Command"]


@dataclass(frozen=True)
class Command:
    """A docker command; words in braces stand for names that are other ones in each cluster.

    They are {plane}, {worker}, {registry} and {network} of it; {host} and {address}, with a port, where nodes reach the
    registry; {header}, by which it lets them in, as curl is told; {image}, which is Gatekeeper's; {pod} (a uid),
    {container} (an id) and {webhook} (an address) of a webhook pod on {worker}; {node}, the manifest of {worker}.
    """

    words: Sequence[str]
    stdin: str | None = None
    reads: Mapping[str, type] = field(default_factory=dict)
    """What the harness reads of the JSON that it prints, by its path, and of which type that is."""


def _docker(line: str, **rest: object) -> Command:
    return Command(line.split(), **rest)  # type: ignore[arg-type]


def _in(container: str, line: str, **rest: object) -> Command:
    """Return a command that runs in a container as an undo runs it."""
    return _docker(f"exec {'--interactive ' if 'stdin' in rest else ''}{container} {line}", **rest)


def _for(container: str, line: str, **rest: object) -> Command:
    """Return one that runs there as a fault runs it: for a time, and then it is ended."""
    return _in(container, f"timeout --kill-after=2 20.0 {line}", **rest)


def _kubectl(line: str, **rest: object) -> Command:
    return _in("{plane}", f"{' '.join(KUBECTL)} {line}", **rest)


_RULE = "OUTPUT -d 203.0.113.9 -p tcp --dport 5000 -m comment --comment chaos-harness:00000000 -j DROP"
_TO_REGISTRY = "OUTPUT -d {host} -p tcp --dport 5000 -m comment --comment chaos-harness:00000001 -j DROP"
_MANGLE = "PREROUTING -t mangle -i nowhere0 -m comment --comment chaos-harness:00000000 -j DROP"
_WEBHOOKS = "mutatingwebhookconfiguration gatekeeper-mutating-webhook-configuration"
_SECRET = "secret gatekeeper-webhook-server-cert"  # noqa: S105 - the name of one
_DEPLOYMENT = """
{"apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"name": "chaos-none", "namespace": "default"},
"spec": {"replicas": 0, "selector": {"matchLabels": {"a": "b"}}, "template": {"metadata": {"labels": {"a": "b"}},
"spec": {"containers": [{"name": "c", "image": "none"}]}}}}
"""
_ASK = (
    "curl --config - --silent --show-error --output /dev/null --write-out %{http_code} --noproxy * http://{address}/v2/"
)
_REVIEW = (
    "curl --silent --show-error --insecure --max-time 5 --header Content-Type:application/json --data @- "
    "https://{webhook}/v1/admitlabel"
)
_RUNNING = {"containers[].id": str, "containers[].metadata.attempt": int}
_INSPECTED = {"status.state": str, "info.pid": int}
_STATE = {
    "[].State.Status": str,
    "[].State.ExitCode": int,
    "[].State.StartedAt": str,
    "[].NetworkSettings.Networks.{network}.IPAddress": str,
}

NODES: Mapping[str, Sequence[Command]] = {
    "misspelt": [
        _docker("delet {worker}"),
        _docker("netwrok disconnect {network} {worker}"),
        _docker("network disconect {network} {worker}"),
        _docker("pause --frob {worker}"),
        _docker("exec --frob {worker} true"),
        _docker("stop --tiem 2 {registry}"),
        _docker("inspect --type contianer {worker}"),
        _docker("inspect --format {{.State.Stat}} {worker}"),
        _docker("kill --signal KLIL {worker}"),
    ],
    "without a name": [_docker("pause"), _docker("exec {worker}"), _docker("network connect {network}")],
    "unknown containers": [
        _docker(f"{verb} chaos-none")
        for verb in (
            "inspect --type container",
            "inspect --format {{.State.Status}}",
            "start",
            "stop -t 2",
            "restart -t 2",
            "kill --signal KILL",
            "pause",
            "unpause",
            "logs --timestamps",
            "network connect --ip 203.0.113.9 {network}",
            "network disconnect --force {network}",
        )
    ]
    + [_docker("exec chaos-none true"), _docker("network connect chaos-none {worker}")],
    "known containers": [
        _docker("inspect --type container {worker}", reads=_STATE),
        _docker("inspect --format {{.State.Status}} {worker}"),
        _docker("start {worker}"),
        _docker("unpause {worker}"),
        _docker("version --format {{.Client.Version}}"),
        _docker("logs --timestamps --since 2099-01-01T00:00:00+00:00 {registry}"),
    ],
    "a container that is paused": [
        _docker("pause {registry}"),
        _docker("pause {registry}"),
        _docker("inspect --format {{.State.Status}} {registry}"),
        _in("{registry}", f"rm -f {DOWN_FILE}"),
        _docker("start {registry}"),
        _docker("unpause {registry}"),
    ],
    "a container that is stopped": [
        _docker("stop -t 2 {registry}"),
        _docker("stop -t 2 {registry}"),
        _docker("inspect --format {{.State.Status}} {registry}"),
        _docker("kill --signal KILL {registry}"),
        _docker("pause {registry}"),
        _docker("unpause {registry}"),
        _in("{registry}", f"rm -f {DOWN_FILE}"),
        _for("{worker}", f"{_ASK} --max-time 2", stdin="{header}"),
        _docker("start {registry}"),
    ],
    "the registry's file": [
        _in("{registry}", f"rmm -f {DOWN_FILE}"),
        _in("{registry}", "touch /nowhere/down"),
        _in("{registry}", f"rm -f {DOWN_FILE}"),
        _in("{registry}", "rm -f /nowhere/down"),
        _in("{registry}", f"rm --frob {DOWN_FILE}"),
        _in("{registry}", "touch --frob /tmp/none"),
    ],
    "programs that are not there": [_in("{worker}", "frobnicate --all"), _for("{worker}", "frobnicate --all")],
    "timeout": [_in("{worker}", "timeout --frob 2 1 true"), _in("{worker}", "timeout --kill-after=2 1x true")],
    "kubectl, misspelt": [
        _kubectl("delet everything {worker}"),
        _kubectl("cordn {worker}"),
        _kubectl("cordon --frob {worker}"),
        _kubectl("cordon"),
        _kubectl("rollout restrt deployment/x"),
        _kubectl(f"patch {_WEBHOOKS} --type strategical --patch {{}}"),
        _kubectl(f"patch {_WEBHOOKS} --type strategic --patch {{"),
        _kubectl("delete Nmaespace chaos-none"),
        _kubectl(f"get {_SECRET} --output jsn"),
        _in("{plane}", "kubectl --kubecofnig /etc/kubernetes/admin.conf get nodes"),
        _in("{plane}", "kubectl --kubeconfig /nowhere/admin.conf cordon {worker}"),
    ],
    "kubectl on what is not there": [
        _kubectl("cordon chaos-none"),
        _kubectl("uncordon chaos-none"),
        _kubectl("--namespace default get secret none"),
        _kubectl("--namespace default get secret none --ignore-not-found --output json"),
        _kubectl("--namespace default rollout restart deployment/none"),
        _kubectl("delete Namespace chaos-none"),
        _kubectl("delete Namespace chaos-none --ignore-not-found --timeout=30s"),
        _kubectl("delete constrainttemplates --selector chaos-harness/crowd=none --timeout=30s"),
        _kubectl("patch mutatingwebhookconfiguration none --type strategic --patch {}"),
        _kubectl("patch Deployment.v1.apps none --namespace default --type merge --patch {}"),
        _kubectl("patch Deployment.v1.appz none --namespace default --type merge --patch {}"),
    ],
    "kubectl on what is there": [
        _kubectl("cordon {worker}"),
        _kubectl("cordon {worker}"),
        _kubectl("uncordon {worker}"),
        _kubectl("uncordon {worker}"),
        _for("{plane}", f"{' '.join(KUBECTL)} uncordon {{worker}}"),
        _kubectl("create --filename -", stdin="{node}"),
        _kubectl(f"patch {_WEBHOOKS} --type strategic --patch {{}}"),
        _kubectl(
            f"--namespace gatekeeper-system get {_SECRET} --ignore-not-found --output json",
            reads={"data": dict, "metadata.name": str},
        ),
    ],
    "an object that comes and goes": [
        _kubectl("create --filename -", stdin=_DEPLOYMENT),
        _kubectl("create --filename -", stdin=_DEPLOYMENT),
        _kubectl("create --filename -", stdin="{"),
        _kubectl("--namespace default rollout restart deployment/chaos-none"),
        _kubectl(
            'patch Deployment.v1.apps chaos-none --namespace default --type merge --patch {"spec":{"paused":true}}'
        ),
        _kubectl("delete Deployment.v1.apps chaos-none --namespace default --ignore-not-found --timeout=30s"),
        _kubectl("delete Deployment.v1.apps chaos-none --namespace default --ignore-not-found --timeout=30s"),
    ],
    "crictl": [
        _for("{worker}", "crictl frob"),
        _for("{worker}", "crictl ps --frob"),
        _for("{worker}", "crictl images --output json", reads={"images[].repoTags": list}),
        _for(
            "{worker}",
            "crictl ps --state Running --output json --label io.kubernetes.pod.uid={pod}",
            reads=_RUNNING,
        ),
        _for(
            "{worker}",
            "crictl ps --state Running --output json --label io.kubernetes.pod.uid=none",
            reads={"containers": list},
        ),
        _for(
            "{plane}",
            "crictl ps --state Running --name ^kube-apiserver$ --output json",
            reads=_RUNNING | {"containers[].labels": dict},
        ),
        _for("{worker}", "crictl inspect {container}", reads=_INSPECTED),
        _for("{worker}", "crictl inspect none"),
        _in("{worker}", "crictl inspecti --quiet {image}", reads={"status.id": str}),
        _in("{worker}", "crictl inspecti --quiet docker.io/openpolicyagent/none:v0"),
        _for("{worker}", "crictl rmi docker.io/openpolicyagent/none:v0"),
        _for("{worker}", "crictl rmi {image}"),
        _in("{worker}", "crictl inspecti --quiet {image}"),
        _in("{worker}", "crictl pull docker.io/openpolicyagent/none:v0"),
        _in("{worker}", "crictl pull {image}"),
        _in("{worker}", "crictl pull {image}"),
        _in("{worker}", "crictl pull"),
    ],
    "iptables": [
        _for("{worker}", "iptables -w 5 -nvxL OUTPUT"),
        _for("{worker}", f"iptables -w 5 -I {_RULE}"),
        _for("{worker}", "iptables -w 5 -nvxL OUTPUT"),
        _in("{worker}", f"iptables -w 5 -D {_RULE}"),
        _in("{worker}", f"iptables -w 5 -D {_RULE}"),
        _for("{worker}", f"iptables -w 5 -I {_MANGLE}"),
        _for("{worker}", "iptables -w 5 -nvxL PREROUTING -t mangle"),
        _in("{worker}", f"iptables -w 5 -D {_MANGLE}"),
        _in("{worker}", f"iptables -w 5 -D {_MANGLE}"),
        _for("{worker}", "iptables -w 5 -I OUTPTU -j DROP"),
        _for("{worker}", "iptables -w 5 -I OUTPUT -j DROPP"),
        _for("{worker}", "iptables -w 5 -I OUTPUT --frob 5 -j DROP"),
        _for("{worker}", "iptables -w 5 -I OUTPUT -p tcp --dprot 5 -j DROP"),
        _for("{worker}", "iptables -w 5 -nvxL OUTPTU"),
        _for("{worker}", "iptables -w 5 -nvxL OUTPUT -t mangel"),
        _for("{worker}", "iptables -w 5 -X NOWHERE"),
    ],
    "packets that are dropped": [
        _for("{worker}", f"iptables -w 5 -I {_TO_REGISTRY}"),
        _for("{worker}", f"{_ASK} --max-time 1", stdin="{header}"),
        _for("{worker}", "iptables -w 5 -nvxL OUTPUT"),
        _in("{worker}", f"iptables -w 5 -D {_TO_REGISTRY}"),
        _for("{worker}", "iptables -w 5 -nvxL OUTPUT"),
    ],
    "curl": [
        _for("{plane}", "curl --silent --frob https://127.0.0.1:6443/readyz"),
        _for("{plane}", "curl --silent --insecure --noproxy * --max-time 5 https://127.0.0.1:6443/readyz"),
        _for("{plane}", "curl --silent --insecure --noproxy * --max-time 2 https://{worker}:10250/healthz"),
        _for("{plane}", "curl --silent --show-error --noproxy * --max-time 2 http://127.0.0.1:9/v2/"),
        _for("{plane}", "curl --silent"),
        _for("{worker}", f"{_ASK} --max-time 4", stdin="{header}"),
        _for("{worker}", f"{_ASK} --max-time 4", stdin=""),
        _for("{plane}", _REVIEW, stdin=json.dumps(REVIEW), reads={"response.allowed": bool}),
    ],
    "systemctl": [
        _for("{worker}", "systemctl is-active kubelet"),
        _for("{worker}", "systemctl is-active kublet"),
        _in("{worker}", "systemctl restart kublet"),
        _in("{worker}", "systemctl restrt kubelet"),
        _in("{worker}", "systemctl --frob restart kubelet"),
        _in("{worker}", "systemctl restart kubelet"),
    ],
    "files and processes": [
        Command(["exec", "{worker}", "bash", "-c", _WRITE, "write", "/nowhere/cpu.max", "5"]),
        Command(["exec", "{worker}", "timeout", "--kill-after=2", "20.0", "sh", "-c", _SCRIPT]),
        _for("{worker}", "bash --frob"),
        _for("{worker}", "cat /nowhere/cpu.max"),
        _for("{worker}", "cat --frob /nowhere/cpu.max"),
        _for("{worker}", "kill -KILL 9999999"),
        _for("{worker}", "kill -KLIL 9999999"),
        _for("{worker}", "kill -KILL pid"),
    ],
}
"""Of a cluster, by what is tried; in this order nothing of it is another one afterwards."""

_LABEL = "chaos-harness.run={run}"

INVENTORY: Mapping[str, Sequence[Command]] = {
    "misspelt": [
        _docker("contianer ls"),
        _docker("ps --frob"),
        _docker("run --frob chaos-none"),
        _docker("volume crate --label {label} chaos-none"),
        _docker("network create --labl {label} chaos-none"),
        _docker("ps --filter labl={label}"),
        _docker("inspect --type contianer none"),
        _docker("inspect --format {{.Id}} chaos-none"),
    ],
    "what is not there": [
        _docker("inspect --type container chaos-none"),
        _docker("inspect --type network chaos-none"),
        _docker("inspect --type volume chaos-none"),
        _docker("inspect --type image chaos-none"),
        _docker("image inspect --format {{.Id}} chaos-none"),
        _docker("network inspect chaos-none"),
        _docker("rm --force --volumes chaos-none"),
        _docker("network rm chaos-none"),
        _docker("volume rm chaos-none"),
        _docker("rmi --no-prune chaos-none"),
        _docker("tag chaos-none chaos-none:other"),
        _docker("logs chaos-none"),
        _docker("load --quiet --input /nowhere/images.tar"),
        _docker("exec chaos-none true"),
    ],
    "what is there": [
        _docker("ps --all --quiet --no-trunc --filter label=chaos-harness.none"),
        _docker("network ls --quiet --no-trunc --filter label=chaos-harness.none"),
        _docker("volume ls --quiet --filter label=chaos-harness.none"),
        _docker("images --all --quiet --no-trunc --filter label=chaos-harness.none"),
        _docker("info --format {{.SystemTime}}"),
        _docker("network inspect bridge", reads={"[].Name": str, "[].IPAM.Config": list}),
    ],
    "a volume": [
        _docker("volume create --label {label} chaos-none"),
        _docker("volume create --label {label} chaos-none"),
        _docker(
            "inspect --type volume chaos-none",
            reads={"[].Name": str, "[].Labels": dict, "[].CreatedAt": str},
        ),
        _docker("volume rm chaos-none"),
        _docker("volume rm chaos-none"),
    ],
    "a network": [
        _docker("network create --driver bridge --label {label} chaos-none"),
        _docker("network create --driver bridge --label {label} chaos-none"),
        _docker(
            "network inspect chaos-none",
            reads={"[].Name": str, "[].Id": str, "[].Labels": dict, "[].IPAM.Config[].Subnet": str},
        ),
        _docker("network rm chaos-none"),
        _docker("network rm chaos-none"),
    ],
}
"""Of an engine, by what is tried; {label} is that of the run which asks."""
