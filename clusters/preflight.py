"""Preflight: checks what this machine has and lacks for a run; each finding names the command that fixes it."""

import os
import platform
import shutil
import sys
import urllib.error
import urllib.request
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from chaos_harness.clusters import images
from chaos_harness.clusters.checkout import command_line
from chaos_harness.clusters.deadline import Deadline
from chaos_harness.clusters.engine import (
    Engine,
    EngineTraits,
    engine_choice,
    find,
    packages,
    user_engine,
    users_problem,
)
from chaos_harness.clusters.engine.host_quirks import HostQuirks
from chaos_harness.clusters.engine.setup_notice import DISK_GIB
from chaos_harness.clusters.errors import BadScenario, ChaosError, EngineUnavailable
from chaos_harness.clusters.garbage import list_garbage
from chaos_harness.clusters.images import catalogue, plan
from chaos_harness.clusters.images.catalogue import ImageEntry
from chaos_harness.clusters.images.pull_rules import PullRules
from chaos_harness.clusters.images.pulling import host
from chaos_harness.clusters.images.resolve import find as find_image
from chaos_harness.clusters.images.tool_sources import TOOLS
from chaos_harness.clusters.machine import consent, supported
from chaos_harness.clusters.machine.memory import MEMINFO, available_mib
from chaos_harness.clusters.machine.paths import cache_dir
from chaos_harness.clusters.machine.process import run
from chaos_harness.clusters.mirror import MIRROR, Mirror
from chaos_harness.clusters.shape import Shape
from chaos_harness.clusters.terminal.escape import first_line, last_line

__all__ = ["Finding", "examine"]

Level = Literal["ok", "warn", "bad"]

_GIB = 1 << 30
_DISK_WANTED_GIB = 30
_INSTANCES_WANTED = 512
_WATCHES_WANTED = 65536
_INSTANCES_NEEDED = 64
_WATCHES_NEEDED = 4096
"""For one cluster of three nodes: the kernel's usual 128 instances suffice for two (clusters/engine/limits.py)."""

_DISK_RUN_GIB = 2
_DISK_PULLED_GIB = 6
_ASK_SECONDS = 3.0
_COMMAND_SECONDS = 20
_HUB = "docker.io"
_PLAIN_RUNTIME = "runc"
_LOOPBACK = ("127.", "localhost")
_HUB_SERVER = "registry-1.docker.io"


@dataclass(frozen=True)
class Finding:
    """One check of this machine: what was seen, and the command to type if something is missing."""

    name: str
    state: Level
    seen: str
    remedy: str = ""


def examine() -> list[Finding]:
    """Run all checks and return the findings; a check that fails is a finding, too. Nothing is started or changed."""
    looks: dict[str, tuple[str, Callable[[], list[Finding]]]] = {
        "machine": ("uname -sm", lambda: [machine()]),
        "memory": ("free -m", lambda: [memory(Shape())]),
        "image registries": (f"curl -I https://{_HUB_SERVER}/v2/", _registries),
        "Go modules": ("go env GOPROXY", lambda: [module_proxy()]),
        "Python packages": ("python3 -m pip index versions pip", lambda: [package_index()]),
        "tools": ("kind version; helm version --short; docker --version; go version", tools),
        "images": ("docker images", image_sources),
    }
    with ThreadPoolExecutor() as threads:
        waiting = [threads.submit(_look_safely, name, look, by_hand) for name, (by_hand, look) in looks.items()]
        findings = _look_safely("engine", _engine, "docker version")
    return [*findings, *(finding for future in waiting for finding in future.result())]


def _registries() -> list[Finding]:
    rules = PullRules.read()
    names = sorted({host(rules.asked(entry.published)) for entry in catalogue.everything()})
    return [reachability(name, _registry_url(name), "images are built from source") for name in names]


def _registry_url(name: str) -> str:
    """Return where the registry `name` of an image reference answers.

    Without encryption only on this machine, or if it is a mirror that is named so.
    """
    mirror = Mirror.read()
    scheme = "http" if name.startswith(_LOOPBACK) or (mirror.plain and name == mirror.host) else "https"
    return f"{scheme}://{_HUB_SERVER if name == _HUB else name}/v2/"


def engine(answering: Engine | None, choice: str = "auto", problem: str = "", cure: str = "") -> Finding:
    """Check the engine that answers, or whether one can be started.

    `problem` is why the user's cannot be used, and `cure` what helps.
    """
    if answering:
        whose = "private" if answering.private else "yours"
        return Finding("engine", "ok", f"Docker {answering.version} at {answering.host} ({whose})")
    missing, none = ", ".join(packages.missing()), problem or "none answers"
    cure = cure or "`sudo systemctl start docker`, until `docker info` works"
    if choice == "system":
        return Finding("engine", "bad", none, cure)
    if os.geteuid() != 0:
        return Finding("engine", "bad", f"{none}; only root can start a private one", f"{cure}, or run as root")
    if missing and not shutil.which("apt-get"):
        remedy = "install Docker as https://docs.docker.com/engine/install/ says, and start it"
        return Finding("engine", "bad", f"{none}; to start one, {missing} must be installed", remedy)
    how = f"after the installation of {missing}" if missing else "with the installed programs"
    asks = "" if consent.agreed() else ", after a question"
    return Finding("engine", "ok", f"{none}; a run starts a private one, {how}{asks}")


def client(answering: Engine) -> Finding:
    """Check whether the docker command and the engine speak the same API: each refuses what is too old for it."""
    deadline = Deadline.after(_COMMAND_SECONDS, "docker to speak to the engine")
    answer = answering.run(["version", "--format", "{{.Client.Version}}"], deadline, check=False)
    if answer.returncode:
        remedy = f"`apt-get install docker-cli`, or one of Docker {answering.version}: https://docs.docker.com/engine/install/"
        return Finding("docker command", "bad", last_line(answer.stderr), remedy)
    return Finding("docker command", "ok", f"{answer.stdout.strip()} speaks to the engine")


def machine(system: str | None = None, processor: str | None = None) -> Finding:
    """Check whether the harness runs on this kernel and processor."""
    system, processor = system or platform.system(), processor or platform.machine()
    if problem := supported.refusal(system, processor):
        return Finding("machine", "bad", problem)
    untried = "" if processor == supported.PROCESSORS[0] else ", which has not been tried"
    return Finding("machine", "warn" if untried else "ok", f"{system} on {processor}{untried}")


def traits(reported: EngineTraits) -> list[Finding]:
    """Report what is unusual about an engine, and what works on it and what does not."""
    findings = []
    if not reported.of_this_kernel:
        seen = f"the engine runs on another kernel ({reported.kernel}) with {reported.memory_mib} MiB of memory"
        findings.append(Finding("virtual machine", "warn", f"{seen}: memory and limits told here are this machine's"))
    if reported.rootless:
        seen = "clusters come up as kind's page on rootless engines says; throttling needs the cpu controller delegated"
        findings.append(Finding("rootless", "warn", seen, "https://kind.sigs.k8s.io/docs/user/rootless/"))
    if reported.remaps_users:
        seen = "userns-remap is on; nodes run without it, as kind asks for"
        findings.append(Finding("user namespaces", "warn", seen, "switch userns-remap off if no node starts"))
    if reported.selinux:
        findings.append(Finding("SELinux", "ok", "on; no file of the host is in a container that it confines"))
    if reported.snap:
        seen = "snap hides folders whose names begin with a dot from the engine, and nodes need files in them"
        remedy = "export XDG_STATE_HOME=$HOME/chaos-state XDG_CACHE_HOME=$HOME/chaos-cache"
        findings.append(Finding("snap", "warn", seen, remedy))
    if reported.firewall == "nftables":
        seen = "the engine writes nftables rules, which kind's nodes do not read: names of containers do not resolve"
        findings.append(Finding("firewall", "bad", seen, 'set "firewall-backend": "iptables" in daemon.json'))
    store = "containerd's" if reported.containerd_store else "Docker's own"
    return [*findings, Finding("image store", "ok", store)]


def capabilities(quirks: HostQuirks, *, private: bool, runtime: str = "") -> Finding:
    """Check which capabilities privileged containers get on this host; `runtime` is the engine's default one."""
    if not quirks.missing_capabilities:
        return Finding("capabilities", "ok", "all there")
    seen = f"the host lacks {', '.join(quirks.missing_capabilities)}"
    if private:
        return Finding("capabilities", "ok", f"{seen}; the runtime shim and the nodes' configuration do without")
    if runtime not in ("", _PLAIN_RUNTIME):
        return Finding(
            "capabilities", "warn", f"{seen}; whether {runtime}, your engine's runtime, does without is unknown"
        )
    return Finding("capabilities", "bad", f"{seen}; your engine refuses `--privileged`", "export CHAOS_ENGINE=private")


def cgroups(quirks: HostQuirks) -> Finding:
    """Report the version of the host's cgroups."""
    seen = "v1; kubelets are configured to accept it" if quirks.cgroup_v1 else "v2"
    return Finding("cgroups", "ok", seen)


def inotify(quirks: HostQuirks, *, raised: bool = False) -> Finding:
    """Check the inotify limits that all nodes share (kind's known issues, "too many open files").

    `raised`: a private engine raises them before the first node.
    """
    watches, instances = quirks.inotify_watches, quirks.inotify_instances
    if watches is None or instances is None:
        return Finding("inotify", "ok", "not visible from here")
    seen = f"{watches} watches, {instances} instances a user"
    commands = []
    if watches < _WATCHES_WANTED:
        commands.append(f"sysctl fs.inotify.max_user_watches={_WATCHES_WANTED * 8}")
    if instances < _INSTANCES_WANTED:
        commands.append(f"sysctl fs.inotify.max_user_instances={_INSTANCES_WANTED}")
    if not commands or raised:
        return Finding("inotify", "ok", seen)
    remedy = f"`sudo sh -c '{' && '.join(commands)}'`"
    if instances < _INSTANCES_NEEDED or watches < _WATCHES_NEEDED:
        return Finding("inotify", "bad", f"{seen}: the kubelets of one cluster need more", remedy)
    return Finding("inotify", "warn", f"{seen}: little for more than three nodes", remedy)


def memory(shape: Shape, meminfo: Path = MEMINFO) -> Finding:
    """Check whether a cluster of `shape` fits into the free memory."""
    free = available_mib(meminfo)
    if free is None:
        return Finding("memory", "ok", "not visible from here")
    seen = f"{free} MiB free; a cluster of {shape.nodes} nodes takes {shape.memory_mib}"
    if free < shape.memory_mib:
        return Finding("memory", "bad", seen, f"end other programs, `{command_line('gc')}`, or choose fewer --workers")
    return Finding("memory", "ok", seen)


def disk(directory: Path, needed_gib: float = DISK_GIB, wanted_gib: float = _DISK_WANTED_GIB) -> Finding:
    """Check the free space where images are built and kept; `needed_gib` is what the images that are missing take."""
    free = shutil.disk_usage(directory).free / _GIB
    seen = f"{free:.0f} GiB free at {directory}; a run needs {needed_gib:.0f}"
    if free < wanted_gib:
        remedy = f"`docker system prune`, or `export XDG_CACHE_HOME=DIR` on a disk with {wanted_gib:.0f} GiB"
        return Finding("disk", "bad" if free < needed_gib else "warn", seen, remedy)
    return Finding("disk", "ok", seen)


def reachability(name: str, url: str, otherwise: str, timeout: float = _ASK_SECONDS) -> Finding:
    """Send HEAD to `url`; any answer, even a refusal, means that it is reachable."""
    request = urllib.request.Request(url, method="HEAD")  # noqa: S310 - schemes are ours or go's and pip's settings
    try:
        with urllib.request.urlopen(request, timeout=timeout):  # noqa: S310 - same
            pass
    except urllib.error.HTTPError as error:
        error.close()
    except OSError as error:
        return Finding(name, "warn", f"not reachable ({getattr(error, 'reason', error)})", otherwise)
    return Finding(name, "ok", "reachable")


def module_proxy() -> Finding:
    """Check whether the Go module proxy of `go env GOPROXY` is reachable."""
    if not shutil.which("go"):
        return Finding(
            "Go modules", "warn", "no go on PATH", "images are pulled; install Go 1.26 or newer to build them"
        )
    proxy = _module_proxy()
    if not proxy.startswith("http"):
        return Finding(
            "Go modules", "warn", f"GOPROXY={proxy}: modules come from their own servers", "go env -u GOPROXY"
        )
    return reachability("Go modules", proxy, "`go env GOPROXY` names the proxy; images cannot be built without")


def _module_proxy() -> str:
    """Return the first place where go looks for modules: an address, or "direct" or "off"."""
    proxies = run(["go", "env", "GOPROXY"], Deadline.after(_COMMAND_SECONDS, "go to name its proxy")).stdout.strip()
    return proxies.replace("|", ",").split(",")[0]


def package_index() -> Finding:
    """Check whether pip, as it is configured here, reaches its package index."""
    argv = [
        sys.executable,
        "-m",
        "pip",
        "index",
        "versions",
        "pip",
        "--timeout",
        f"{_ASK_SECONDS:.0f}",
        "--retries",
        "0",
    ]
    done = run(argv, Deadline.after(_COMMAND_SECONDS, "pip to ask its index"), check=False)
    if done.returncode == 0:
        return Finding("Python packages", "ok", "reachable")
    last = (done.stderr.strip() or done.stdout.strip()).splitlines()[-1:]
    return Finding("Python packages", "warn", " ".join(last), "`pip config list` shows where pip looks")


def tools() -> list[Finding]:
    """Report which programs are installed, and where kind and helm come from."""
    findings = [Finding("python", "ok", f"{platform.python_version()} at {sys.executable}")]
    for name, words in (("go", ["version"]), ("docker", ["--version"])):
        path = shutil.which(name)
        if path is None:
            findings.append(Finding(name, "ok", "not on PATH"))
            continue
        done = run([path, *words], Deadline.after(_COMMAND_SECONDS, f"{name} to tell its version"), check=False)
        findings.append(Finding(name, "ok", f"{(done.stdout.strip() or done.stderr.strip())[:60]} at {path}"))
    for name, tool in TOOLS.items():
        supply = plan.tool_supply(name)
        remedy = f"install {name} {tool.version} from {tool.url.partition('{')[0]}"
        findings.append(Finding(name, "ok" if supply.possible else "bad", supply.words, remedy))
    return findings


def image_sources() -> list[Finding]:
    """Report where the images of the default shape come from: what is in the engine, pulled, or built; and the disk."""
    supplies = _supplies()
    servers = {supply.server for supply in supplies if supply.server}
    silent = {name for name in servers if reachability(name, _registry_url(name), "").state != "ok"}
    offline = any(not supply.there for supply in supplies) and not _can_fetch_modules()
    there = all(supply.there for supply in supplies)
    built = any(not supply.there and supply.server in ("", *silent) for supply in supplies)
    needed = DISK_GIB if built else _DISK_RUN_GIB if there else _DISK_PULLED_GIB
    return [*(_image_finding(supply, silent, offline=offline) for supply in supplies), disk(cache_dir(), needed)]


def _image_finding(supply: plan.Supply, silent: set[str], *, offline: bool) -> Finding:
    """Check one image: it is bad if it is not there, its registry does not answer, and it cannot be built."""
    can_pull = bool(supply.server) and supply.server not in silent
    can_build = not supply.lacks and not offline
    if supply.there or can_pull or can_build:
        return Finding(supply.name, "ok", supply.words)
    why = [f"{supply.server} does not answer"] if supply.server else []
    why += [] if supply.lacks else ["the Go module proxy does not answer"]
    cures = [f"`export {MIRROR}=HOST:PORT` asks a mirror"] if supply.server else []
    cures += plan.cures() if supply.lacks else ["`export GOPROXY=…`"]
    brings = f"`{command_line('images --')} --load FILE` brings a set that was saved elsewhere"
    return Finding(supply.name, "bad", "; ".join([supply.words, *why]), "; or ".join([*cures, brings]))


def _can_fetch_modules() -> bool:
    """Whether builds can fetch modules; a proxy that is not asked is no reason to say no."""
    return not shutil.which("go") or module_proxy().state == "ok" or _module_proxy() == "direct"


def _supplies() -> list[plan.Supply]:
    """Return where each image of the default shape comes from."""
    rules = PullRules.read()
    try:
        answering = find()
    except EngineUnavailable:  # a finding of its own
        answering = None

    def held(entry: ImageEntry) -> bool:
        return answering is not None and find_image(answering, entry, rules) is not None

    return [plan.image_supply(entry, rules, held) for entry in images.entries(Shape()).values()]


def leftovers(answering: Engine) -> Finding:
    """Check whether the engine holds anything of runs that have ended."""
    things = list_garbage(answering, Deadline.after(_COMMAND_SECONDS, "the engine to list what is ours"))
    dead = [f"{thing.kind} {thing.name}" for thing in things]
    if dead:
        return Finding(
            "leftovers", "warn", f"{len(dead)} of runs that have ended: {', '.join(dead[:5])}", command_line("gc")
        )
    return Finding("leftovers", "ok", "none")


def _engine() -> list[Finding]:
    try:
        answering = find()
    except EngineUnavailable as error:
        quirks = HostQuirks.detect()
        remedy = "`uptime` shows the load; `systemctl status docker`, and its log: `journalctl -u docker`"
        return [Finding("engine", "bad", str(error), remedy), cgroups(quirks), inotify(quirks)]
    quirks = answering.quirks if answering else HostQuirks.detect()
    reported = answering.traits if answering else EngineTraits()
    capable = capabilities(quirks, private=answering is None or answering.private, runtime=reported.runtime)
    choice = engine_choice()
    ours = answering.private if answering else choice != "system" and os.geteuid() == 0
    host = [capable, cgroups(quirks), inotify(quirks, raised=ours)]
    if answering:
        return [engine(answering), client(answering), *host, *traits(reported), leftovers(answering)]
    if choice == "private":
        return [engine(None, choice), *host]
    return [engine(None, choice, users_problem(), user_engine.find().cure), *host]


def _look_safely(name: str, look: Callable[[], list[Finding]], by_hand: str) -> list[Finding]:
    """Run one check; if it fails, return that as a finding, with the command `by_hand` that checks the same."""
    try:
        return look()
    except BadScenario as error:
        return [Finding(name, "bad", str(error), "unset or correct it")]
    except (ChaosError, OSError) as error:
        return [Finding(name, "warn", first_line(str(error)), by_hand)]
