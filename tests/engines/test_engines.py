"""The engines of today: a user in the group docker, without Go, root or the internet, on Docker 28 and 29.

Not in CI: the first run builds both engines, for half an hour and more. `nox -s engines` runs it; `-- -k 29` only one.
"""

import os
import shutil
import subprocess
import sys
import sysconfig
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from chaos_harness.clusters.engine import connect, runtime_shim
from chaos_harness.clusters.engine.host_quirks import HostQuirks
from chaos_harness.clusters.engine.packages import program
from chaos_harness.clusters.images import binaries, export
from chaos_harness.clusters.terminal.progress import Progress
from chaos_harness.reports.html.allure_cli import allure_command, cache_folder
from tests.engines.dockers import DOCKERS
from tests.engines.publish import SHAPE

pytestmark = [
    pytest.mark.cluster,
    pytest.mark.skipif(os.geteuid() != 0, reason="only root makes namespaces"),
]

_ROOT = Path(__file__).parents[2]
_SECONDS = 3000
_FACTS = {
    "user": "chaosuser chaosuser docker",
    "go": "",
    "status of load": "0",
    "status of publish": "0",
    "images": "",
    "status of wrong digest": "2",
    "made": "",
    "status of incident": "0",
    "report": "reports/out/latest/report/index.html",
    "status of gc": "0",
    "left": "",
}
"""What user.sh must tell of itself."""

_RUNTIME = """#!/usr/bin/python3 -IS
import json, os, sys

arguments = sys.argv[1:]
if {{"create", "run"}} & set(arguments):
    path = os.path.join(arguments[arguments.index("--bundle") + 1], "config.json")
    with open(path) as file:
        spec = json.load(file)
    spec["linux"]["namespaces"] = [kind for kind in spec["linux"]["namespaces"] if kind["type"] != "time"]
    with open(path, "w") as file:
        json.dump(spec, file)
os.execv({next!r}, [{next!r}, *arguments])
"""
"""Docker 29 asks for a time namespace, which runc 1.1 of Debian 12 does not know; Docker packages bring a newer one."""


@pytest.fixture(scope="session")
def ready_set(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Save what clusters of the founding incident are made from, as for a machine without a network."""
    path = tmp_path_factory.mktemp("ready") / "set.tar"
    export.save(connect(progress=Progress.terminal()), path, [SHAPE], Progress.terminal())
    return path


@pytest.fixture
def scratch() -> Iterator[Path]:
    """Make a folder that the user can reach, with the checkout's files in the user's home."""
    folder = Path(tempfile.mkdtemp(prefix="chaos-engines-", dir="/var/tmp"))
    folder.chmod(0o755)
    (folder / "home" / "repo").mkdir(parents=True)
    listed = subprocess.run(["git", "ls-files", "-z"], cwd=_ROOT, check=True, capture_output=True, text=True).stdout
    names = [name for name in listed.split("\0") if name and Path(_ROOT, name).exists()]
    subprocess.run(["cp", "--parents", "--no-dereference", *names, folder / "home" / "repo"], cwd=_ROOT, check=True)
    _give_report_tools(folder / "home" / ".cache" / "chaos-harness" / "reports")
    yield folder
    shutil.rmtree(folder)


def _give_report_tools(folder: Path) -> None:
    """Copy Node.js and Allure, which a machine with the internet would install."""
    tools = [
        Path(part).relative_to(cache_folder()) for part in allure_command() if cache_folder() in Path(part).parents
    ]
    for name in {tool.parts[0] for tool in tools}:
        shutil.copytree(cache_folder() / name, folder / name, symlinks=True)


def _machine(folder: Path) -> dict[str, object]:
    """Return what an engine in namespaces of its own could leave outside of them."""
    rules = subprocess.run(["iptables-save"], check=True, capture_output=True, text=True).stdout.splitlines()
    commands = [path.read_bytes() for path in Path("/proc").glob("[0-9]*/cmdline") if path.exists()]
    return {
        "rules": [line for line in rules if "docker" in line.lower() or "172.30." in line],
        "mounts": [line for line in Path("/proc/self/mountinfo").read_text().splitlines() if str(folder) in line],
        "links": [path.name for path in Path("/sys/class/net").iterdir() if path.name == "docker0"],
        "processes": [command for command in commands if os.fsencode(folder) in command],
    }


@pytest.mark.parametrize("version", DOCKERS)
def test_an_ordinary_user_replays_the_founding_incident(version: str, scratch: Path, ready_set: Path) -> None:
    """All images are pulled from a mirror by digest, and the claims come out as everywhere; nothing is left."""
    dockers, cgroup = DOCKERS[version].artefact.get(Progress.terminal()), f"chaos-engines-{version}"
    runtime_shim.write(scratch / "capable", HostQuirks.detect().missing_capabilities, program("runc") or "runc")
    (scratch / "runtime").write_text(_RUNTIME.format(next=str(scratch / "capable")))
    (scratch / "runtime").chmod(0o755)
    shutil.copy(ready_set, scratch / "home" / "set.tar")
    before = _machine(scratch)
    given = {
        "dockers": dockers,
        "tools": binaries.tools().get(Progress.terminal()),
        "scratch": scratch,
        "python": sys.base_prefix,
        "site": sysconfig.get_path("purelib"),
        "runtime": scratch / "runtime",
        "cgroup": cgroup,
    }
    alone = ["unshare", "--net", "--mount", "--pid", "--fork", "--kill-child", "--mount-proc"]
    log = scratch / "said.log"
    with log.open("w") as stream:
        done = subprocess.run(
            [*alone, "bash", Path(__file__).with_name("inside.sh")],
            env={**os.environ, **{name: str(value) for name, value in given.items()}},
            check=False,
            stdout=stream,
            stderr=subprocess.STDOUT,
            timeout=_SECONDS,
        )
    groups = [path for top in Path("/sys/fs/cgroup").glob(f"**/{cgroup}") for path in (top, *top.glob("**/"))]
    for group in sorted(set(groups), reverse=True):
        group.rmdir()
    said = log.read_text()
    sys.stdout.write(said)
    facts = dict(line[3:].split(": ", 1) for line in said.splitlines() if line.startswith("== "))
    facts.pop("status of doctor")  # there is always something that it warns of
    assert (done.returncode, facts) == (0, _FACTS)
    assert f"Docker {DOCKERS[version].number} at unix:///var/run/docker.sock (yours)" in said
    assert "10 of 10 claims came out as expected" in said
    assert _machine(scratch) == before
