"""Server: etcd and kube-apiserver as children of the test process, on loopback, which a test may stop and restart."""

import base64
import json
import os
import signal
import socket
import subprocess
import time
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path
from typing import Any, Self

import urllib3
import yaml
from kubernetes.client import ApiClient, Configuration

from chaos_harness.clusters.deadline import Deadline
from chaos_harness.clusters.errors import ClusterUnavailable, HarnessError
from chaos_harness.clusters.kind.audit_log import audit_files
from chaos_harness.clusters.machine.process import run, start_command
from tests.live_api.binaries import Binaries
from tests.live_api.forgotten import POLICIES, WEBHOOKS, wait_until_forgotten, wait_until_uncalled

__all__ = ["ADMINISTRATOR", "NOBODY", "UNCACHED", "ApiServer", "write_kubeconfig"]

ADMINISTRATOR, NOBODY = "kubernetes-admin", "nobody"
"""Users: one of `system:masters`, by the name that kind gives it, and one who may do nothing but what RBAC allows."""

_FIRST_PORT, _PROCESSES, _PORTS = 10_000, 1_000, 10
"""Each of so many processes begins with ports of its own, below those that Linux gives by itself."""

_START_SECONDS = 60.0
_STARTS = 3
_LOG_TAIL = 2000
_LOGS = ("etcd.log", "kube-apiserver.log", "kube-controller-manager.log")
_CONTROLLERS = ("deployment", "disruption", "garbage-collector", "namespace", "replicaset", "resourcequota")
_ELECTED = {
    "leader-elect-lease-duration": "5s",
    "leader-elect-renew-deadline": "3s",
    "leader-elect-retry-period": "1s",
}
_NAMESPACES = ("default", "kube-node-lease", "kube-public", "kube-system")
_FIRST = (
    *(f"/registry/namespaces/{name}" for name in _NAMESPACES),
    "/registry/services/specs/default/kubernetes",
    "/registry/configmaps/kube-system/kube-apiserver-legacy-service-account-token-tracking",
    "/registry/priorityclasses/system-node-critical",
)
"""What an API server makes by itself within its first second, a little after it says that it is ready."""

_ITS_OWN = ("/registry/leases/kube-system/apiserver-", "/registry/peerserverleases/", "/registry/ranges/")
"""What it keeps changing."""

UNCACHED = "secrets"
"""The kind whose watches go to etcd directly, so that a compaction of etcd takes the versions from them."""


class ApiServer:
    """One server, from `started` on; `reset` takes back whatever was written since.

    There are no nodes, and no controllers run but within `controllers`: without, nothing but a test makes pods of
    Deployments, or ends a namespace.
    """

    def __init__(self, binaries: Binaries, folder: Path, stack: ExitStack) -> None:
        self._binaries = binaries
        self._folder = folder
        self._certificate = folder / "certificates" / "apiserver.crt"
        self._stack = stack
        self._etcd_port, self._peer_port, self.port = _free_ports(3)
        self._tokens = {name: base64.urlsafe_b64encode(os.urandom(18)).decode() for name in (ADMINISTRATOR, NOBODY)}
        self._process: subprocess.Popen[bytes] | None = None
        self._before: dict[str, tuple[int, str]] = {}
        self.start_seconds = 0.0
        self.had_policies = False
        """Whether a test put policies there that it may have taken away: they may be enforced for a second still."""

    @classmethod
    @contextmanager
    def started(cls, binaries: Binaries, folder: Path) -> Iterator[Self]:
        """Start both during the block; their logs and data lie in `folder`.

        They die with this process. Raises ClusterUnavailable, with the ends of the logs, if they do not start.
        """
        for attempt in range(_STARTS):
            place = folder / str(attempt)
            place.mkdir()
            with ExitStack() as stack:
                server = cls(binaries, place, stack)
                try:
                    server._start()
                except ClusterUnavailable:
                    if "address already in use" in server.logs() and attempt + 1 < _STARTS:
                        continue  # another process was faster
                    raise
                yield server
                return

    @property
    def audit_log(self) -> Path:
        """The audit log, written by the policy that clusters of the harness have."""
        return self._folder / "audit.log"

    @property
    def host(self) -> str:
        """The address."""
        return f"https://127.0.0.1:{self.port}"

    def kubeconfig(self, user: str = ADMINISTRATOR) -> dict[str, Any]:
        """Return the credentials of a user."""
        authority = base64.b64encode(self._certificate.read_bytes()).decode()
        return {
            "apiVersion": "v1",
            "kind": "Config",
            "current-context": "live",
            "clusters": [{"name": "live", "cluster": {"server": self.host, "certificate-authority-data": authority}}],
            "contexts": [{"name": "live", "context": {"cluster": "live", "user": user}}],
            "users": [{"name": user, "user": {"token": self._tokens[user]}}],
        }

    def client(self, user: str = ADMINISTRATOR) -> ApiClient:
        """Return a client of a user, which tries everything once; the caller closes it."""
        configuration = Configuration()
        configuration.host = self.host
        configuration.ssl_ca_cert = str(self._certificate)
        configuration.api_key = {"authorization": f"Bearer {self._tokens[user]}"}
        configuration.retries = urllib3.Retry(total=False)
        configuration.proxy = None
        return ApiClient(configuration)

    @contextmanager
    def controllers(self, *, elected: bool = False) -> Iterator[None]:
        """Run kube-controller-manager during the block: what makes pods, counts budgets, and ends what is deleted.

        If it is `elected`, it must hold its lease: it renews it each second, and ends when it could not for three.
        """
        options = {
            "kubeconfig": write_kubeconfig(self._folder / "controllers.conf", self.kubeconfig()),
            "controllers": ",".join(f"{name}-controller" for name in _CONTROLLERS),
            **(_ELECTED if elected else {"leader-elect": "false"}),
            "secure-port": "0",
        }
        words = [f"--{name}={value}" for name, value in options.items()]
        with ExitStack() as stack:
            self._begin("kube-controller-manager", [self._folder / "kube-controller-manager", *words], stack)
            yield

    def freeze(self) -> None:
        """Become half-open: the kernel takes connections and requests, and nobody answers."""
        self._signal(signal.SIGSTOP)

    def thaw(self) -> None:
        """Answer again."""
        self._signal(signal.SIGCONT)

    def kill(self) -> None:
        """End kube-apiserver at once: connections break, and new ones are refused. etcd keeps what there is."""
        if self._process and self._process.poll() is None:
            self._process.kill()
            self._process.wait()

    def restart(self) -> None:
        """Start kube-apiserver again, on the same port: it knows no version from before its start."""
        self.kill()
        self._start_apiserver()

    def compact(self) -> None:
        """Let etcd forget all versions but the newest."""
        revision = self._ask("range", {"key": _encoded("/registry/"), "limit": 1})["header"]["revision"]
        self._ask("compaction", {"revision": revision, "physical": True})

    def reset(self) -> None:
        """Take away what was written since the start, behind the server's back: it sees that in its own watch of etcd.

        A server that was frozen or killed answers again; policies that were there are enforced no longer, and webhooks
        are not called.
        """
        self.thaw()
        if self._process is None or self._process.poll() is not None:
            self.restart()
        there = self._keys()
        policies = self.had_policies or any(key.startswith(POLICIES) for key in there)
        webhooks = any(key.startswith(WEBHOOKS) for key in there)
        self.had_policies = False
        for turn in range(2):  # what a removal lets the server itself write
            if turn and policies:
                with self.client() as api:
                    wait_until_forgotten(api)
            for key, (revision, _) in self._keys().items():
                if key.startswith(_ITS_OWN) or self._before.get(key, (0, ""))[0] == revision:
                    continue
                if key in self._before:
                    self._before[key] = self._put(key, self._before[key][1]), self._before[key][1]
                else:
                    self._ask("deleterange", {"key": _encoded(key)})
        for key in self._before.keys() - self._keys().keys():
            self._before[key] = self._put(key, self._before[key][1]), self._before[key][1]
        if webhooks:
            with self.client() as api:
                wait_until_uncalled(api)

    def logs(self) -> str:
        """Return the ends of all logs."""
        logs = [self._folder / name for name in _LOGS]
        return "\n".join(f"{log}:\n{log.read_text(errors='replace')[-_LOG_TAIL:]}" for log in logs if log.exists())

    def _start(self) -> None:
        began = time.monotonic()
        self._prepare()
        etcd, peer = (f"http://127.0.0.1:{port}" for port in (self._etcd_port, self._peer_port))
        urls = {
            "--listen-client-urls": etcd,
            "--advertise-client-urls": etcd,
            "--listen-peer-urls": peer,
            "--initial-advertise-peer-urls": peer,
            "--initial-cluster": f"default={peer}",
        }
        # as kubeadm sets it: by it the versions of quiet lists grow
        options = ["--watch-progress-notify-interval=5s", *(f"{name}={url}" for name, url in urls.items())]
        options += [f"--data-dir={self._folder / 'etcd'}", "--unsafe-no-fsync", "--log-level=error"]
        self._begin("etcd", [str(self._binaries.etcd), *options], self._stack)
        self._start_apiserver()
        self._before = self._first_keys()
        self.start_seconds = time.monotonic() - began

    def _prepare(self) -> None:
        """Write the files that kube-apiserver is told of."""
        folder = self._folder
        (folder / "kube-apiserver").symlink_to(self._binaries.apiserver)
        (folder / "kube-controller-manager").symlink_to(self._binaries.controllers)
        (policy,) = audit_files("gatekeeper-system").values()
        (folder / "audit.yaml").write_text(policy, encoding="utf-8")
        groups = {ADMINISTRATOR: "system:masters", NOBODY: ""}
        lines = [f'{self._tokens[name]},{name},{name},"{group}"\n' for name, group in groups.items()]
        (folder / "tokens.csv").write_text("".join(lines), encoding="utf-8")
        (folder / "tokens.csv").chmod(0o600)
        key = ["openssl", "genrsa", "-out", str(folder / "accounts.key"), "2048"]
        run(key, Deadline.after(30, "openssl to make a key"))

    def _start_apiserver(self) -> None:
        folder = self._folder
        options = {
            "etcd-servers": f"http://127.0.0.1:{self._etcd_port}",
            "bind-address": "127.0.0.1",
            "secure-port": self.port,
            "cert-dir": self._certificate.parent,
            "token-auth-file": folder / "tokens.csv",
            "authorization-mode": "RBAC",
            "service-account-issuer": "https://kubernetes.default.svc",
            "service-account-key-file": folder / "accounts.key",
            "service-account-signing-key-file": folder / "accounts.key",
            "service-cluster-ip-range": "10.96.0.0/16",
            "endpoint-reconciler-type": "none",
            "disable-admission-plugins": "ServiceAccount",  # no controller makes the account that pods would need
            "allow-privileged": "true",
            "audit-policy-file": folder / "audit.yaml",
            "audit-log-path": self.audit_log,
            "watch-cache-sizes": f"{UNCACHED}#0",
        }
        words = [f"--{name}={value}" for name, value in options.items()]
        self._process = self._begin("kube-apiserver", [folder / "kube-apiserver", *words], self._stack)
        self._wait(self._process)

    def _begin(self, name: str, words: Sequence[str | Path], stack: ExitStack) -> subprocess.Popen[bytes]:
        log = stack.enter_context((self._folder / f"{name}.log").open("ab"))
        process = stack.enter_context(start_command([str(word) for word in words], subprocess.DEVNULL, log, log))
        stack.callback(_end, process)  # a shutdown with grace waits for open watches
        return process

    def _wait(self, process: subprocess.Popen[bytes]) -> None:
        """Wait until everything that the server begins with is there."""
        try:
            for _ in Deadline.after(_START_SECONDS, "kube-apiserver to be ready").attempts(0.05, 0.1):
                if process.poll() is not None:
                    raise ClusterUnavailable(f"kube-apiserver ended with status {process.returncode}\n{self.logs()}")
                if self._is_ready():
                    return
            raise ClusterUnavailable(f"kube-apiserver is not ready after {_START_SECONDS:.0f} s")
        except HarnessError as error:
            raise ClusterUnavailable(f"{error}\n{self.logs()}") from error

    def _is_ready(self) -> bool:
        if not self._certificate.exists():
            return False
        try:
            with urllib3.PoolManager(ca_certs=str(self._certificate)) as pool:
                answer = pool.request("GET", f"{self.host}/readyz", retries=False, timeout=2.0)
                return answer.status == 200
        except (urllib3.exceptions.HTTPError, OSError):
            return False

    def _first_keys(self) -> dict[str, tuple[int, str]]:
        deadline = Deadline.after(_START_SECONDS, f"the API server to make {', '.join(_FIRST)}")
        for _ in deadline.attempts(0.05, 0.1):
            keys = self._keys()
            if keys.keys() >= set(_FIRST):
                return keys
        raise deadline.error(f"there are {', '.join(self._keys())}")

    def _keys(self) -> dict[str, tuple[int, str]]:
        """Return the revision and the value, as it is sent, of every key of the API server's."""
        answer = self._ask("range", {"key": _encoded("/registry/"), "range_end": _encoded("/registry0")})
        return {
            base64.b64decode(pair["key"]).decode(): (int(pair["mod_revision"]), pair["value"]) for pair in answer["kvs"]
        }

    def _put(self, key: str, value: str) -> int:
        return int(self._ask("put", {"key": _encoded(key), "value": value})["header"]["revision"])

    def _ask(self, what: str, body: dict[str, Any]) -> Any:
        """Ask etcd, through its JSON gateway."""
        url = f"http://127.0.0.1:{self._etcd_port}/v3/kv/{what}"
        with urllib3.PoolManager() as pool:
            answer = pool.request("POST", url, body=json.dumps(body), timeout=10.0, retries=False)
            if answer.status != 200:
                raise ClusterUnavailable(f"etcd: {what}: {answer.status} {answer.data.decode(errors='replace')}")
            return json.loads(answer.data)

    def _signal(self, number: signal.Signals) -> None:
        if self._process and self._process.poll() is None:
            self._process.send_signal(number)


def write_kubeconfig(path: Path, content: dict[str, Any]) -> Path:
    """Write a kubeconfig that only this user may read."""
    path.touch(mode=0o600)
    path.write_text(yaml.safe_dump(content), encoding="utf-8")
    return path


def _encoded(key: str) -> str:
    return base64.b64encode(key.encode()).decode()


def _end(process: subprocess.Popen[bytes]) -> None:
    if process.poll() is None:
        process.kill()
        process.wait()


def _free_ports(count: int) -> list[int]:
    """Return ports of loopback that nobody listens on, and that nobody gets from Linux while a server restarts."""
    ports: list[int] = []
    first = _FIRST_PORT + os.getpid() % _PROCESSES * _PORTS
    for port in range(first, _FIRST_PORT + _PROCESSES * _PORTS + count):
        with socket.socket() as free, suppress(OSError):
            free.bind(("127.0.0.1", port))
            ports.append(port)
        if len(ports) == count:
            break
    return ports
