"""Nodes: what the programs in nodes and in a registry do to a cluster in memory, and what they refuse to do."""

import json
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any, NoReturn
from urllib.parse import urlsplit

from chaos_harness.clusters.machine.process import CommandResult
from chaos_harness.clusters.registry.container import DOWN_FILE
from chaos_harness.harness.faults.webhook.flapping import BEGIN, END
from chaos_harness.harness.faults.workloads.pause_containers import _FOLDER_OF as FOLDER_OF
from chaos_harness.harness.faults.workloads.pause_containers import _GO_ON as GO_ON
from chaos_harness.harness.faults.workloads.pause_containers import _STATES as STATES
from chaos_harness.harness.faults.workloads.pause_containers import _STOP as STOP
from chaos_harness.harness.faults.workloads.throttle import _LIMIT_OF as LIMIT_OF
from chaos_harness.harness.faults.workloads.throttle import _WRITE as WRITE
from chaos_harness.harness.probes.clocks import _SCRIPT as CLOCK
from tests.fakes.docker import DONE, Container, FakeDocker
from tests.fakes.grammar import Call, call_in_node, refuse
from tests.fakes.kubectl import Kubectl

__all__ = ["IMAGE", "FakeNodes"]

IMAGE = "docker.io/openpolicyagent/gatekeeper:v3.23.1"
_DIGEST = f"sha256:{'0' * 64}"
_FATAL = 'time="2026-11-28T12:00:00Z" level=fatal msg='
_CGROUPS = "/sys/fs/cgroup/cpu/kubepods/"
_PULL = "failed to pull and unpack image"


class FakeNodes(FakeDocker):
    """Nodes and the registry "w-registry" of a cluster in memory; `pushed` are the images that the registry has.

    The registry answers who sends `header`, if there is one, and the webhooks deny what they must if they `deny`.
    """

    def __init__(self) -> None:
        super().__init__()
        self.pushed = {IMAGE}
        self.header = ""
        self.denies = True
        self.scheduled = 0
        self.clock: Callable[[], str] = lambda: "00000000-0000-4000-8000-000000000000\n1800000000.000000000\n"
        self.kubectl = Kubectl(self)

    @property
    def registry(self) -> Container:
        return self.containers["w-registry"]

    def find(self, path: str) -> dict[str, Any] | None:
        """Return the object at a path of the API, None if there is none."""
        raise NotImplementedError

    def listed(self, path: str) -> Sequence[dict[str, Any]]:
        """Return the objects below a path of the API."""
        raise NotImplementedError

    def create(self, path: str, made: dict[str, Any]) -> None:
        """Take an object, which is not there yet."""
        raise NotImplementedError

    def merge(self, path: str, patch: Mapping[str, Any]) -> bool:
        """Merge into an object that is there; return whether that changes it."""
        raise NotImplementedError

    def delete(self, path: str) -> None:
        """Remove an object that is there."""
        raise NotImplementedError

    def program(self, container: Container, argv: Sequence[str], stdin: str | None) -> CommandResult:
        """Run a program in a container as if there were no `timeout` around it. Raises RefusedError."""
        program, call = call_in_node(argv, registry=container.name.endswith("-registry"))
        if program == "kubectl":
            return self.kubectl.run(call, stdin)
        if program == "curl":
            return self.curl(container, call, stdin)
        if program in ("bash", "sh"):
            return self.script(container, call.value("-c"), call.words)
        works = {
            "crictl": self.crictl,
            "iptables": self.iptables,
            "kill": self.kill_processes,
            "systemctl": self.systemctl,
        }
        return works[program](container, call) if program in works else self._file(container, program, call)

    def script(self, container: Container, script: str, words: Sequence[str]) -> CommandResult:
        """Run a script of a shell's, called with these words."""
        if script == CLOCK:
            return CommandResult(self.clock(), "", 0)
        if script == LIMIT_OF:
            file = self.limiting_file(container)
            return CommandResult(f"{file}\n{container.files[file]}\n", "", 0)
        if script == WRITE:
            _, file, content = words
            if file in container.files:
                with self.changing():
                    container.files[file] = content
            return DONE
        if script == FOLDER_OF:
            return CommandResult(f"{_CGROUPS}{words[1]}\n", "", 0)
        if script in (STOP, GO_ON, STATES):
            return self._signal(container, script, words[1].removeprefix(_CGROUPS))
        if script in (BEGIN, END):
            return self._flap(container, words[2 if script == BEGIN else 1 :], begins=script == BEGIN)
        raise AssertionError(f"there is no fake of the script {script} {words} on {container.name}")

    def _signal(self, container: Container, script: str, pid: str) -> CommandResult:
        """Have a process, whose cgroup has its number, stand still or go on, or tell the states of its two threads."""
        if all(str(process["pid"]) != pid for process in self.processes(container).values()):
            return CommandResult("", "", 1) if script == STATES else DONE
        if script == STATES:
            self.scheduled += pid not in container.halted
            return CommandResult(f"{'TT' if pid in container.halted else 'SR'} {self.scheduled}\n", "", 0)
        if (pid in container.halted) != (script == STOP):
            with self.changing():
                (container.halted.add if script == STOP else container.halted.discard)(pid)
        return DONE

    def _flap(self, container: Container, words: Sequence[str], *, begins: bool) -> CommandResult:
        """Begin a loop that inserts a rule, which is there from then on, or end it."""
        file, rule = words[0], " ".join(words[2 if begins else 1 :])
        rules = [entry for entry in container.rules if entry[0] != rule]
        if begins or file in container.files or rules != container.rules:
            with self.changing():
                container.files.pop(file, None)
                container.rules[:] = [(rule, 0), *rules] if begins else rules
                container.files |= {file: "1"} if begins else {}
        return DONE

    def limiting_file(self, container: Container) -> str:
        """Return the file that limits the processes of a node's pods."""
        raise NotImplementedError

    def _file(self, container: Container, program: str, call: Call) -> CommandResult:
        (path,) = call.words
        if program == "cat":
            return CommandResult(f"{self._content(container, path)}\n", "", 0)
        if program == "touch" and path.rpartition("/")[0] not in ("", "/tmp"):
            refuse(1, f"touch: {path}: No such file or directory")
        if (program == "touch") != (path in container.files):
            with self.changing():
                if program == "touch":
                    container.files[path] = ""
                else:
                    del container.files[path]
        return DONE

    def _content(self, container: Container, path: str) -> str:
        if path not in container.files:
            refuse(1, f"cat: {path}: No such file or directory")
        return container.files[path]

    def systemctl(self, container: Container, call: Call) -> CommandResult:
        (unit,) = call.words
        stopped = unit in container.halted
        if call.verb == "is-active":
            active = unit == "kubelet" and not stopped
            return CommandResult("active\n", "", 0) if active else CommandResult("inactive\n", "", 3 if stopped else 4)
        if unit != "kubelet":
            refuse(5, f"Failed to {call.verb} {unit}.service: Unit {unit}.service not found.")
        if call.verb == "restart" or stopped == (call.verb == "start"):
            with self.changing():
                if call.verb == "stop":
                    container.halted.add(unit)
                else:
                    container.halted.discard(unit)
                    self.restart_kubelet(container)
        return DONE

    def restart_kubelet(self, container: Container) -> None:
        """Begin the kubelet of a node anew."""

    def processes(self, container: Container) -> Mapping[str, dict[str, Any]]:
        """Return the containers that run in a node, by their ids, each with "uid" (its pod's), "pid" and "running"."""
        raise NotImplementedError

    def end_process(self, container: Container, pid: str) -> bool:
        """End a process in a node; return whether there was one."""
        raise NotImplementedError

    def kill_processes(self, container: Container, call: Call) -> CommandResult:
        (signal,) = call.options
        ways = {"-STOP": self._halt, "-CONT": self._let_go_on}
        with self.changing():
            missing = [pid for pid in call.words if not ways.get(signal, self.end_process)(container, pid)]
        return CommandResult("", "\n".join(f"kill: ({pid}): No such process" for pid in missing), int(bool(missing)))

    def _halt(self, container: Container, pid: str) -> bool:
        there = any(str(process["pid"]) == pid for process in self.processes(container).values())
        if there:
            container.halted.add(pid)
        return there

    def _let_go_on(self, container: Container, pid: str) -> bool:
        container.halted.discard(pid)
        return any(str(process["pid"]) == pid for process in self.processes(container).values())

    def etcd_stands_still(self, container: Container) -> bool:
        """Whether the etcd of a node is there and does nothing."""
        etcd = [process for process in self.processes(container).values() if process.get("name") == "etcd"]
        return any(str(process["pid"]) in container.halted for process in etcd)

    def iptables(self, container: Container, call: Call) -> CommandResult:
        rules, words = container.rules, " ".join(call.words)
        if call.verb == "-nvxL":
            chain, table = call.value("-nvxL"), call.value("-t", "filter")
            return CommandResult(
                "".join(f"{_shown(rule, met)}\n" for rule, met in rules if _in(rule, chain, table)), "", 0
            )
        if call.verb == "-I":
            with self.changing():
                rules.insert(0, (words, 0))
            return DONE
        standing = next((entry for entry in rules if entry[0] == words), None)
        if standing is None:
            refuse(1, "iptables: Bad rule (does a matching rule exist in that chain?).")
        with self.changing():
            rules.remove(standing)
        return DONE

    def crictl(self, container: Container, call: Call) -> CommandResult:
        image = next(iter(call.words), "")
        match call.verb:
            case "images":
                return _printed({"images": [{"repoTags": sorted(container.images)}]})
            case "inspecti":
                if image not in container.images:
                    refuse(1, f'{_FATAL}"no such image \\"{image}\\" present"')
                return _printed({"status": {"id": _DIGEST, "repoTags": [image]}})
            case "rmi":
                if image not in container.images:
                    refuse(1, f'{_FATAL}"no such image {image}"')
                with self.changing():
                    container.images.discard(image)
                return CommandResult(f"Deleted: {image}\n", "", 0)
            case "pull":
                return self._pull(container, image)
            case "ps":
                return _printed({"containers": self._running_in(container, call)})
            case _:
                return self._inspected_by_crictl(container, call.words[0])

    def _running_in(self, container: Container, call: Call) -> list[dict[str, Any]]:
        uid = call.value("--label").rpartition("=")[2]
        name = call.value("--name").strip("^$")
        return [
            {"id": id_, "metadata": {"attempt": process.get("attempt", 0)}, "labels": process.get("labels", {})}
            for id_, process in self.processes(container).items()
            if process["running"]
            and (process.get("name") == name if name else "--label" not in call.options or process["uid"] == uid)
        ]

    def _inspected_by_crictl(self, container: Container, id_: str) -> CommandResult:
        process = self.processes(container).get(id_)
        if process is None:
            said = (
                f'rpc error: code = NotFound desc = an error occurred when try to find container \\"{id_}\\": not found'
            )
            where = "E1128 12:00:00.000000     977 remote_runtime.go:569]"
            refuse(1, f'{where} "ContainerStatus from runtime service failed" err="{said}" containerID="{id_}"')
        state = "CONTAINER_RUNNING" if process["running"] else "CONTAINER_EXITED"
        return _printed({"status": {"state": state, "exitCode": 137}, "info": {"pid": process["pid"]}})

    def _pull(self, container: Container, image: str) -> CommandResult:
        if self.registry.status != "running" or DOWN_FILE in self.registry.files:
            _refuse_pull(image, "Unknown", "failed to do request: dial tcp: i/o timeout")
        if image not in self.pushed:
            _refuse_pull(image, "NotFound", f"{image}: not found")
        if image not in container.images:
            with self.changing():
                container.images.add(image)
        return CommandResult(f"Image is up to date for {_DIGEST}\n", "", 0)

    def curl(self, container: Container, call: Call, stdin: str | None) -> CommandResult:
        """Answer a request that is sent from a node."""
        url = urlsplit(call.words[0])
        host = url.hostname or ""
        if url.path.endswith("/admitlabel"):
            return _printed({"response": {"allowed": not self.denies}})
        if url.path == "/readyz" and self.etcd_stands_still(container):
            return CommandResult("[+]ping ok\n[-]etcd failed: reason withheld\nreadyz check failed\n", "", 0)
        if url.path == "/readyz":
            return CommandResult("ok", "", 0)
        if url.path == "/healthz":
            return self.ask_kubelet(container, host)
        if host == "127.0.0.1":
            refuse(7, f"curl: (7) Failed to connect to {host} port {url.port} after 0 ms: Could not connect to server")
        return self.ask_registry(container, host, stdin)

    def ask_kubelet(self, container: Container, name: str) -> CommandResult:
        """Let the kubelet of the node `name` answer who has no certificate."""
        return CommandResult("Unauthorized", "", 0)

    def ask_registry(self, container: Container, host: str = "", stdin: str | None = None) -> CommandResult:
        """Ask the registry from a node, and print the status."""
        if any(f"-d {host} " in rule for rule, _ in container.rules):
            container.rules[:] = [(rule, met + 3 * (f"-d {host} " in rule)) for rule, met in container.rules]
            return CommandResult("000", "curl: (28) Connection timed out after 4001 milliseconds", 28)
        if self.registry.status != "running":
            return CommandResult("000", "curl: (28) Connection timed out after 4001 milliseconds", 28)
        status = 503 if DOWN_FILE in self.registry.files else 200 if (stdin or "") == self.header else 401
        now = datetime.now(UTC).isoformat()
        self.log.append(f'{now} 10.0.0.2 - - [now] "GET /v2/ HTTP/1.1" {status} 0 "" "curl"')
        return CommandResult(str(status), "", 0)


def _printed(document: Mapping[str, Any]) -> CommandResult:
    return CommandResult(json.dumps(document), "", 0)


def _refuse_pull(image: str, code: str, why: str) -> NoReturn:
    quoted = f'\\"{image}\\"'
    said = f"rpc error: code = {code} desc = {_PULL} {quoted}: failed to resolve reference {quoted}: {why}"
    where = 'E1128 12:00:00.000000    1062 remote_image.go:250] "PullImage from image service failed"'
    refuse(1, f'{where} err="{said}" image="{image}"')


def _in(rule: str, chain: str, table: str) -> bool:
    """Whether a rule stands in a chain of a table."""
    words = rule.split()
    return words[0] == chain and _after(words, "-t", "filter") == table


def _after(words: Sequence[str], option: str, default: str) -> str:
    return words[words.index(option) + 1] if option in words else default


def _shown(rule: str, met: int) -> str:
    """Return a rule as iptables lists it, with the packets and bytes that it has met."""
    words = rule.split()
    protocol, source, way = _after(words, "-p", "all"), _after(words, "-i", "*"), _after(words, "-o", "*")
    port = f"tcp dpt:{_after(words, '--dport', '')} " if "--dport" in words else ""
    answer = f" reject-with {_after(words, '--reject-with', '')}" if "--reject-with" in words else ""
    columns = f"{met:8} {met * 60:8} {_after(words, '-j', ''):10} {protocol} -- {source} {way} 0.0.0.0/0 "
    return f"{columns}{_after(words, '-d', '0.0.0.0/0')} {port}/* {_after(words, '--comment', '')} */{answer}"
