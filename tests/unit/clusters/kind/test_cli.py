"""Tests of clusters.kind.cli: the configuration that kind gets, and the docker that it runs."""

import ast
import inspect
import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml

from chaos_harness.clusters.deadline import Deadline
from chaos_harness.clusters.errors import CommandFailed, NotOurs
from chaos_harness.clusters.images.catalogue import BALANCER
from chaos_harness.clusters.kind.cli import KindCli, configuration, docker_wrapper, node_names
from chaos_harness.clusters.kind.node_files import POD_SUBNET, SERVICE_SUBNET
from chaos_harness.clusters.machine.process_starts import start_time
from chaos_harness.clusters.shape import Shape
from tests.fakes.engine import FakeEngine

_LABELS = {"chaos-harness.run": "r", "chaos-harness.shape": '{"workers":2,"install":"chart"}'}


def config(shape: Shape, **settings: Any) -> dict[str, Any]:
    defaults: dict[str, Any] = {"image": "node:v1", "port": 21000, "mounts": {}}
    document: dict[str, Any] = yaml.safe_load(configuration("c", shape, **{**defaults, **settings}))
    return document


@pytest.fixture
def arguments(tmp_path: Path) -> Path:
    """Return a docker that prints its arguments as JSON."""
    docker = tmp_path / "docker"
    docker.write_text(f"#!{sys.executable}\nimport json, sys\nprint(json.dumps(sys.argv[1:]))\n")
    docker.chmod(0o755)
    return docker


def wrapped(docker: Path, *words: str) -> list[str]:
    wrapper = docker.with_name("wrapper")
    wrapper.write_text(docker_wrapper(str(docker), _LABELS))
    wrapper.chmod(0o755)
    printed = subprocess.run([wrapper, *words], capture_output=True, check=True).stdout
    argv: list[str] = json.loads(printed)
    return argv


@pytest.mark.parametrize(
    ("shape", "names"),
    [
        (Shape(workers=0), ["c-control-plane"]),
        (Shape(workers=2), ["c-control-plane", "c-worker", "c-worker2"]),
        (Shape(control_planes=3, workers=0), ["c-control-plane", "c-control-plane2", "c-control-plane3"]),
    ],
)
def test_nodes_have_the_names_that_kind_gives_them(shape: Shape, names: list[str]) -> None:
    """The first node of a role has no number, the next one is 2."""
    assert node_names("c", shape) == names


def test_each_node_of_the_shape_is_configured_with_its_image() -> None:
    """Control planes come first, and every node runs the image that was made ready."""
    nodes = config(Shape(control_planes=3, workers=1))["nodes"]
    assert [(node["role"], node["image"]) for node in nodes] == [("control-plane", "node:v1")] * 3 + [
        ("worker", "node:v1")
    ]


def test_the_api_server_is_published_on_loopback_only() -> None:
    """Nobody but this machine reaches the API server, on the port that was reserved."""
    assert config(Shape())["networking"] == {
        "ipFamily": "ipv4",
        "apiServerAddress": "127.0.0.1",
        "apiServerPort": 21000,
        "podSubnet": POD_SUBNET,
        "serviceSubnet": SERVICE_SUBNET,
    }


def test_files_of_the_host_are_mounted_read_only_into_every_node() -> None:
    """What a node finds at a path is a file that the harness wrote, and cannot be changed there."""
    nodes = config(Shape(), mounts={"/etc/x/hosts.toml": Path("/run/x")})["nodes"]
    expected = [{"hostPath": "/run/x", "containerPath": "/etc/x/hosts.toml", "readOnly": True}]
    assert [node["extraMounts"] for node in nodes] == [expected] * 3


def test_patches_of_the_host_come_after_ours() -> None:
    """The host's patches are merged last, so that it has the last word."""
    document = config(Shape(), containerd_patches=["[a]"], kubeadm_patches=["kind: KubeletConfiguration"])
    assert document["containerdConfigPatches"][-1] == "[a]"
    assert document["kubeadmConfigPatches"][1:] == ["kind: KubeletConfiguration"]


def test_a_kubelet_posts_its_status_as_often_as_it_renews_its_lease() -> None:
    """Whether it changed or not, and it looks, and waits for leases to be taken, for 10 s, as it is shipped."""
    patch = config(Shape())["kubeadmConfigPatches"][0]
    assert yaml.safe_load(patch) == {"kind": "KubeletConfiguration", "nodeStatusReportFrequency": "5s"}


def test_containerd_is_told_where_registries_are_configured_in_both_versions_of_its_configuration() -> None:
    """A stock node image may carry containerd 1 or 2: the patch that fits is applied."""
    patches = config(Shape())["containerdConfigPatches"]
    assert [patch.splitlines()[0] for patch in patches] == ["version = 2", "version = 3"]
    assert all('config_path = "/etc/containerd/certs.d"' in patch for patch in patches)


def test_a_container_that_kind_runs_gets_the_labels(arguments: Path) -> None:
    """`docker run` gets every label, with whatever characters, before kind's own arguments."""
    assert wrapped(arguments, "run", "--name", "c-worker", "image", "a b") == [
        "run",
        "--label",
        "chaos-harness.run=r",
        "--label",
        'chaos-harness.shape={"workers":2,"install":"chart"}',
        "--name",
        "c-worker",
        "image",
        "a b",
    ]


def test_the_volume_of_a_node_gets_the_labels(arguments: Path) -> None:
    """The anonymous volume that kind makes for /var becomes one with labels, other volumes stay as they are."""
    words = wrapped(arguments, "run", "--volume", "/var", "--volume", "/lib/modules:/lib/modules:ro", "image")
    shape = '"volume-label=chaos-harness.shape={""workers"":2,""install"":""chart""}"'
    mount = f"type=volume,destination=/var,volume-label=chaos-harness.run=r,{shape}"
    assert words[5:] == ["--mount", mount, "--volume", "/lib/modules:/lib/modules:ro", "image"]


@pytest.mark.parametrize("image", [BALANCER, f"{BALANCER.rpartition(':')[0]}:v1.99.0"], ids=["ours", "another kind's"])
def test_the_load_balancer_is_of_the_image_that_is_ready(arguments: Path, image: str) -> None:
    """Wherever a kind names its own image, to look for it or to run it, the one that was made ready is meant."""
    wrapper = arguments.with_name("wrapper")
    wrapper.write_text(docker_wrapper(str(arguments), {}, "balancer:1"))
    wrapper.chmod(0o755)
    for words in (
        ["inspect", "--type=image", image],
        ["run", "-e", "A=b c", image, "bash", "-c", f"echo {image}"],
    ):
        printed = subprocess.run([wrapper, *words], capture_output=True, check=True).stdout
        assert json.loads(printed) == ["balancer:1" if word == image else word for word in words]


@pytest.mark.parametrize("words", [["ps", "--filter", "label=a b"], ["exec", "c", "run", "--volume", "/var"], []])
def test_other_docker_commands_are_passed_on_unchanged(arguments: Path, words: list[str]) -> None:
    """Only `docker run` is changed."""
    assert wrapped(arguments, *words) == words


def test_kind_finds_the_wrapper_before_the_docker_on_path(
    tmp_path: Path, arguments: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """kind, run on an engine, starts the wrapper when it runs `docker`, in the network that it is told."""
    fake = tmp_path / "kind"
    fake.write_text('#!/bin/sh\ndocker run x\necho "$KIND_EXPERIMENTAL_DOCKER_NETWORK $DOCKER_HOST" >&2\nexit 3\n')
    fake.chmod(0o755)
    monkeypatch.setattr("chaos_harness.clusters.kind.cli.tool", lambda _: fake)
    kind = KindCli(FakeEngine(cli=str(arguments)), "c", tmp_path)
    kind.write_wrapper(_LABELS)
    with pytest.raises(CommandFailed, match="ended with status 3"):
        kind.create("", "net", Deadline.after(60, "kind"))
    lines = (tmp_path / "kind.log").read_text().splitlines()
    assert json.loads(lines[0])[-1] == "x"
    assert lines[1] == "net unix:///nowhere/docker.sock"
    assert (tmp_path / "bin" / "docker").stat().st_mode & 0o777 == 0o700
    assert not list(tmp_path.glob("kubeconfig-*"))


def test_credentials_are_never_there_in_part(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """They are written, in pieces, to a file that others do not read; the private file is replaced when all is done."""
    fake = tmp_path / "kind"
    fake.write_text(
        "#!/bin/sh\nwhile [ $# -gt 1 ]; do [ $1 = --kubeconfig ] && into=$2; shift; done\n"
        f"printf pie > $into\ncat {tmp_path}/kubeconfig > {tmp_path}/meanwhile\nprintf ces >> $into\n"
    )
    fake.chmod(0o755)
    monkeypatch.setattr("chaos_harness.clusters.kind.cli.tool", lambda _: fake)
    kind = KindCli(FakeEngine(), "c", tmp_path)
    kind.kubeconfig.write_text("as it was")
    kind.create("", "net", Deadline.after(60, "kind"))
    assert (tmp_path / "meanwhile").read_text() == "as it was"
    assert kind.kubeconfig.read_text() == "pieces"
    assert kind.kubeconfig.stat().st_mode & 0o777 == 0o600
    assert not list(tmp_path.glob("kubeconfig-*"))


def test_a_failure_of_kind_is_told_by_its_errors_and_not_by_its_stack_traces(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Of pages of output the lines with the errors are in the message, and all of it is in a file."""
    fake = tmp_path / "kind"
    output = "ERROR: failed to create cluster\nI1123 noise\nerror: error execution phase preflight\nmain.main\n"
    fake.write_text(f"#!/bin/sh\nprintf '{output}' >&2\nexit 1\n")
    fake.chmod(0o755)
    monkeypatch.setattr("chaos_harness.clusters.kind.cli.tool", lambda _: fake)
    with pytest.raises(CommandFailed) as caught:
        KindCli(FakeEngine(), "c", tmp_path).delete(Deadline.after(60, "kind"))
    assert str(caught.value).splitlines() == [
        "`kind delete cluster` ended with status 1:",
        "ERROR: failed to create cluster",
        "error: error execution phase preflight",
    ]
    assert (tmp_path / "kind.log").read_text() == output


_VERBS: dict[str, Callable[[KindCli, Deadline], object]] = {
    "create": lambda kind, deadline: kind.create("", "net", deadline),
    "get kubeconfig": lambda kind, deadline: kind.read_kubeconfig(deadline),
    "load": lambda kind, deadline: kind.load("image", ["c-worker"], deadline),
    "export logs": lambda kind, deadline: kind.export_logs(Path("/nowhere"), deadline),
    "delete": lambda kind, deadline: kind.delete(deadline),
}


@pytest.mark.parametrize("verb", _VERBS)
def test_nodes_that_are_not_ours_keep_kind_from_being_run(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, verb: str
) -> None:
    """A user's cluster of the same name, or one more node in ours: kind would run commands in it, or remove it."""
    fake, ran = tmp_path / "kind", tmp_path / "ran"
    fake.write_text(f"#!/bin/sh\necho $* > {ran}\n")
    fake.chmod(0o755)
    monkeypatch.setattr("chaos_harness.clusters.kind.cli.tool", lambda _: fake)
    engine = FakeEngine()
    engine.add("container", "c-worker", {"io.x-k8s.kind.cluster": "c", "chaos-harness.run": "r"})
    engine.add("container", "c-worker2", {"io.x-k8s.kind.cluster": "c"})
    answer = ""
    try:
        answer = str(_VERBS[verb](KindCli(engine, "c", tmp_path), Deadline.after(60, "kind")))
    except NotOurs as error:
        answer = str(error)
    assert "container c-worker2: expected the label chaos-harness" in answer
    assert not ran.exists()
    del engine.things["container/id-c-worker2"]
    _VERBS[verb](KindCli(engine, "c", tmp_path), Deadline.after(60, "kind"))
    assert ran.read_text().startswith(verb)


def test_each_verb_of_kind_is_in_the_table() -> None:
    """Who teaches the harness another command of kind says here that it is guarded."""
    source = ast.walk(ast.parse(inspect.getsource(KindCli)))
    calls = [node for node in source if isinstance(node, ast.Call) and ast.unparse(node.func).startswith("self._")]
    lists = [argument.elts for call in calls for argument in call.args[:1] if isinstance(argument, ast.List)]
    verbs = [
        " ".join(ast.literal_eval(word) for word in words[:2] if isinstance(word, ast.Constant)) for words in lists
    ]
    assert len(verbs) == len(_VERBS)
    assert all(any(words.startswith(verb) for words in verbs) for verb in _VERBS)


def test_kind_waits_for_an_engine_that_does_not_tell(tmp_path: Path) -> None:
    """Credentials are asked for again and again: that one answer is missing ends no creation."""
    kind = KindCli(FakeEngine(errors={"ps": "no answer"}), "c", tmp_path)
    assert not kind.read_kubeconfig(Deadline.after(60, "kind"))


def test_kind_ends_with_the_process_that_runs_it(tmp_path: Path) -> None:
    """Killed with -9, the harness leaves no kind behind that would go on making nodes."""
    fake, pid = tmp_path / "kind", tmp_path / "pid"
    fake.write_text(f"#!/bin/sh\necho $$ > {pid}.new\nmv {pid}.new {pid}\nexec sleep 60\n")
    fake.chmod(0o755)
    code = (
        "import chaos_harness.clusters.kind.cli, pathlib, sys\n"
        "from chaos_harness.clusters.deadline import Deadline\n"
        "from tests.fakes.engine import FakeEngine\n"
        "folder = pathlib.Path(sys.argv[1])\n"
        "chaos_harness.clusters.kind.cli.tool = lambda _: folder / 'kind'\n"
        "chaos_harness.clusters.kind.cli.KindCli(FakeEngine(), 'c', folder).delete(Deadline.after(60, 'kind'))\n"
    )
    with subprocess.Popen([sys.executable, "-c", code, tmp_path]) as harness:
        assert any(pid.exists() for _ in Deadline.after(60, "kind to run").attempts())
        running = int(pid.read_text())
        assert start_time(running)
        harness.kill()
    assert any(not start_time(running) for _ in Deadline.after(60, "kind to end").attempts())


def test_credentials_are_there_before_kind_is_done(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """They go into the private file as soon as kind can read them; no log gets them."""
    fake = tmp_path / "kind"
    fake.write_text(f'#!/bin/sh\n[ -e {tmp_path}/there ] && echo "secret of $*"\n')
    fake.chmod(0o755)
    monkeypatch.setattr("chaos_harness.clusters.kind.cli.tool", lambda _: fake)
    kind = KindCli(FakeEngine(), "c", tmp_path)
    assert not kind.read_kubeconfig(Deadline.after(60, "kind"))
    (tmp_path / "there").touch()
    assert kind.read_kubeconfig(Deadline.after(60, "kind"))
    assert kind.kubeconfig.read_text() == "secret of get kubeconfig --name c\n"
    assert kind.kubeconfig.stat().st_mode & 0o777 == 0o600
    assert not (tmp_path / "kind.log").exists()


def test_logs_that_cannot_be_exported_are_told_and_not_raised(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """No log hides the failure that it was wanted for."""
    monkeypatch.setattr("chaos_harness.clusters.kind.cli.tool", lambda _: Path("/bin/false"))
    problem = KindCli(FakeEngine(), "c", tmp_path).export_logs(tmp_path, Deadline.after(60, "logs"))
    assert problem is not None
    assert "ended with status 1" in problem
