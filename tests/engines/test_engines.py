"""The engines of today: an ordinary user in the group docker, without Go, root or a network, on Docker 28 and 29.

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
from chaos_harness.clusters.shape import Shape
from chaos_harness.clusters.terminal.progress import Progress
from tests.engines.dockers import DOCKERS

pytestmark = [
    pytest.mark.cluster,
    pytest.mark.skipif(os.geteuid() != 0, reason="only root makes namespaces"),
]

_ROOT = Path(__file__).parents[2]
_SECONDS = 3000
_STEPS = """
set -u
python=/run/python/bin/python3
tell() {{ "$@"; echo "== status $? of $*"; }}
tell $python -m chaos_harness.harness images --load {ready}
tell $python -m chaos_harness.harness doctor
tell $python -m pytest -q scenarios/healthy -m extended -k healthy
tell $python -m chaos_harness.harness gc
echo "== left: $(docker ps --all --quiet; docker volume ls --quiet; docker network ls --quiet --filter type=custom)"
"""


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
    """Save what a cluster of the default shape is made from, as for a machine without a network."""
    path = tmp_path_factory.mktemp("ready") / "set.tar"
    export.save(connect(progress=Progress.terminal()), path, [Shape()], Progress.terminal())
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
    yield folder
    shutil.rmtree(folder)


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
def test_an_ordinary_user_works_on_it(version: str, scratch: Path, ready_set: Path) -> None:
    """Images are loaded, doctor sees the engine, a scenario passes; gc and the end of the engine leave nothing."""
    dockers, cgroup = DOCKERS[version].artefact.get(Progress.terminal()), f"chaos-engines-{version}"
    runtime_shim.write(scratch / "capable", HostQuirks.detect().missing_capabilities, program("runc") or "runc")
    (scratch / "runtime").write_text(_RUNTIME.format(next=str(scratch / "capable")))
    (scratch / "runtime").chmod(0o755)
    (scratch / "home" / "steps.sh").write_text(_STEPS.format(ready=scratch / "home" / "set.tar"))
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
    done = subprocess.run(
        [*alone, "bash", Path(__file__).with_name("inside.sh")],
        env={**os.environ, **{name: str(value) for name, value in given.items()}},
        check=False,
        capture_output=True,
        text=True,
        timeout=_SECONDS,
    )
    groups = [path for top in Path("/sys/fs/cgroup").glob(f"**/{cgroup}") for path in (top, *top.glob("**/"))]
    for group in sorted(set(groups), reverse=True):
        group.rmdir()
    said = f"{done.stdout}\n{done.stderr}"
    statuses = [line.split()[2] for line in done.stdout.splitlines() if line.startswith("== status")]
    assert (done.returncode, statuses[0], statuses[2:]) == (0, "0", ["0", "0"]), said
    assert f"Docker {DOCKERS[version].number} at unix:///var/run/docker.sock (yours)" in said
    assert "== left: \n" in done.stdout, said
    assert _machine(scratch) == before
