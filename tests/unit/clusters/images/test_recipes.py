"""Tests of the recipes: what each image is made from, and what a broken source gets."""

import json
import os
import re
import shutil
import subprocess
import zipfile
from pathlib import Path

import pytest

from chaos_harness.clusters import known_versions
from chaos_harness.clusters.deadline import Deadline
from chaos_harness.clusters.errors import BadScenario, ImageUnavailable
from chaos_harness.clusters.images import binaries, catalogue, entries, gatekeeper_release, golang, sources
from chaos_harness.clusters.images.compose import go_mod
from chaos_harness.clusters.images.golang import GO_SOURCES, Program, build, committed_sums, download
from chaos_harness.clusters.images.lock_file import CHART, MANIFEST, read_lock
from chaos_harness.clusters.images.pull_rules import PullRules
from chaos_harness.clusters.shape import Shape
from chaos_harness.clusters.terminal.progress import Progress, ProgressStep


def test_every_kubernetes_version_has_a_verified_lock() -> None:
    """Each version has a committed go.mod that requires just it, and a go.sum beside it."""
    for version in known_versions.KUBERNETES:
        folder = GO_SOURCES / "kubernetes" / version
        assert f"\tk8s.io/kubernetes {version}\n" in (folder / "go.mod").read_text()
        assert f"k8s.io/kubernetes {version} h1:" in (folder / "go.sum").read_text()


def test_staging_modules_are_replaced_by_published_ones() -> None:
    """A composed go.mod points each staging folder at the module published of it, and drops the samples."""
    upstream = (
        "// generated\nmodule k8s.io/kubernetes\n\ngo 1.26.0\n\nrequire (\n\tk8s.io/api v0.0.0\n)\n\nreplace (\n"
        "\tk8s.io/api => ./staging/src/k8s.io/api\n"
        "\tk8s.io/sample-controller => ./staging/src/k8s.io/sample-controller\n)\n"
    )
    composed = go_mod(upstream, "v1.36.4")
    assert "\tk8s.io/api => k8s.io/api v0.36.4\n" in composed
    assert "require (\n\tk8s.io/kubernetes v1.36.4\n" in composed
    assert "sample-controller" not in composed
    assert "staging" not in composed


def test_a_shape_needs_only_its_own_images() -> None:
    """A chart needs the hook image, a manifest does not, and a cluster without Gatekeeper needs neither."""
    assert set(entries(Shape(install="chart"))) == {"node", "gatekeeper", "gatekeeper_crds", "registry"}
    assert set(entries(Shape())) == {"node", "gatekeeper", "registry"}
    assert set(entries(Shape(gatekeeper=None, registry=False))) == {"node"}
    assert set(entries(Shape(control_planes=3, gatekeeper=None, registry=False))) == {"node", "balancer"}


def test_names_change_with_versions_only() -> None:
    """Two versions have two names, one version has one, whatever else the shape says."""
    names = {catalogue.node_image(version).name for version in known_versions.KUBERNETES}
    assert len(names) == len(known_versions.KUBERNETES)
    assert entries(Shape(workers=1))["node"].name == entries(Shape(workers=3))["node"].name


def test_a_gatekeeper_change_rebuilds_no_node() -> None:
    """The artefacts of a node image do not depend on Gatekeeper's version."""
    old, new = (entries(Shape(gatekeeper=version)) for version in ("v3.20.1", "v3.23.1"))
    assert old["node"].name == new["node"].name
    assert old["gatekeeper"].name != new["gatekeeper"].name


def test_the_committed_lock_is_pinned_by_digest() -> None:
    """Every entry of the committed lock names a digest and an image that there is."""
    images = {name for name in read_lock() if not name.startswith((MANIFEST, CHART))}
    assert images <= {entry.lock for entry in catalogue.everything()}


def test_every_node_may_be_pulled() -> None:
    """Each version's node has a digest of its own in the lock, of the repository where kind publishes it."""
    lock = read_lock()
    locked = [lock[catalogue.node_image(version).lock] for version in known_versions.KUBERNETES]
    assert {reference.partition("@")[0] for reference in locked} == {"docker.io/kindest/node"}
    assert len(set(locked)) == len(known_versions.KUBERNETES)


def test_what_is_pulled_has_another_name_than_what_is_built() -> None:
    """A name belongs to one content: of nodes by version and digest, and of what has no version by the digest."""
    node, registry = catalogue.node_image(known_versions.DEFAULT_KUBERNETES), catalogue.registry()
    stem = f"chaos-harness/node:{known_versions.DEFAULT_KUBERNETES}-"
    assert node.name.startswith(stem)
    assert node.pulled(f"docker.io/kindest/node@sha256:{'0123456789ab':0<64}") == f"{stem}0123456789ab"
    assert registry.pulled(f"registry@sha256:{'f' * 64}") == f"chaos-harness/registry:{'f' * 12}"


def test_a_lock_entry_without_a_digest_is_refused(tmp_path: Path) -> None:
    """All loose entries of a lock are named at once."""
    lock = tmp_path / "lock.yaml"
    lock.write_text("node/v1.36.4: kindest/node:v1.36.4\nregistry: registry:3\n")
    with pytest.raises(BadScenario) as refused:
        read_lock(lock)
    assert len(refused.value.problems) == 2


def _module(folder: Path, go_sum: str) -> Path:
    folder.mkdir()
    (folder / "go.mod").write_text("module m.invalid/m\n\ngo 1.24\n\nrequire github.com/spf13/pflag v1.0.10\n")
    (folder / "go.sum").write_text(go_sum)
    (folder / "main.go").write_text(
        'package main\n\nimport "github.com/spf13/pflag"\n\nvar version = "unset"\n\n'
        "func main() { pflag.Parse(); println(version) }\n"
    )
    return folder


def _pflag_sums() -> str:
    sums = (GO_SOURCES / "tools" / "go.sum").read_text().splitlines()
    return "\n".join(line for line in sums if line.startswith("github.com/spf13/pflag v1.0.10")) + "\n"


@pytest.mark.skipif(shutil.which("go") is None, reason="compiles a real program: needs Go")
def test_a_program_is_built_from_verified_modules(tmp_path: Path) -> None:
    """A module whose go.sum fits is built, with the variables that the recipe sets."""
    program = Program((".",), {"main.version": "v9"})
    build(program, _module(tmp_path / "m", _pflag_sums()), tmp_path / "out", _soon(), ProgressStep("x"))
    assert b"v9" in (tmp_path / "out" / "m").read_bytes()


@pytest.mark.skipif(shutil.which("go") is None, reason="asks the real go command: needs Go")
def test_a_checksum_that_does_not_match_is_named(tmp_path: Path) -> None:
    """A module whose checksum differs from go.sum is refused by its name, and nothing is built."""
    tampered = re.sub(r"h1:.", "h1:A" if "h1:A" not in _pflag_sums() else "h1:B", _pflag_sums())
    with pytest.raises(ImageUnavailable, match=r"(?s)github\.com/spf13/pflag.*checksum mismatch"):
        build(Program((".",)), _module(tmp_path / "m", tampered), tmp_path / "out", _soon(), ProgressStep("x"))
    assert list((tmp_path / "out").iterdir()) == []


def test_every_module_that_is_downloaded_has_a_committed_sum() -> None:
    """Of each version of Gatekeeper, of kind and of Kubernetes it is known beforehand what it must contain."""
    modules = [
        *((gatekeeper_release.MODULE, version) for version in known_versions.GATEKEEPER),
        *(("k8s.io/kubernetes", version) for version in known_versions.KUBERNETES),
        ("sigs.k8s.io/kind", known_versions.KIND),
    ]
    forms = [re.sub(r"[\w+/]{43}=", "SUM", committed_sums(module, version)) for module, version in modules]
    assert forms == [f"{module} {version} h1:SUM\n{module} {version}/go.mod h1:SUM\n" for module, version in modules]
    assert {gatekeeper_release.MODULE} == {line.split()[0] for line in golang.SUMS.read_text().splitlines()}


_MODULE, _VERSION = "chaos-harness.invalid/served", "v1.0.0"


@pytest.fixture
def served(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Serve one module, as a proxy does, to a go with an empty cache and no checksum database to be reached."""
    folder = tmp_path / "proxy" / _MODULE / "@v"
    folder.mkdir(parents=True)
    (folder / f"{_VERSION}.info").write_text(f'{{"Version": "{_VERSION}", "Time": "2026-01-01T00:00:00Z"}}')
    (folder / f"{_VERSION}.mod").write_text(f"module {_MODULE}\n")
    with zipfile.ZipFile(folder / f"{_VERSION}.zip", "w") as archive:
        archive.writestr(f"{_MODULE}@{_VERSION}/go.mod", f"module {_MODULE}\n")
        archive.writestr(f"{_MODULE}@{_VERSION}/main.go", "package main\n")
    monkeypatch.setenv("GOPROXY", f"file://{tmp_path / 'proxy'}")
    monkeypatch.setenv("GOMODCACHE", str(tmp_path / "cache"))
    monkeypatch.setenv("GONOPROXY", "none")
    monkeypatch.setenv("HTTPS_PROXY", "http://127.0.0.1:9")  # nobody answers there
    monkeypatch.setitem(golang.GO_STEADY, "GOFLAGS", f"{golang.GO_STEADY['GOFLAGS']} -modcacherw")
    monkeypatch.setattr(golang, "SUMS", tmp_path / "modules.sum")
    golang.SUMS.write_text("")
    return folder


def _sum_of(tmp_path: Path) -> None:
    """Commit the sums of the module that is served."""
    argv = ["go", "mod", "download", "-json", f"{_MODULE}@{_VERSION}"]
    environment = {**os.environ, "GOSUMDB": "off", "GOMODCACHE": str(tmp_path / "other"), "GOFLAGS": "-modcacherw"}
    printed = subprocess.run(argv, cwd=tmp_path, env=environment, check=True, stdout=subprocess.PIPE, text=True).stdout
    facts = json.loads(printed)
    lines = [f"{_MODULE} {_VERSION} {facts['Sum']}", f"{_MODULE} {_VERSION}/go.mod {facts['GoModSum']}"]
    golang.SUMS.write_text("".join(f"{line}\n" for line in lines))


_needs_go = pytest.mark.skipif(shutil.which("go") is None, reason="asks the real go command: needs Go")
_WITHOUT_A_DATABASE = [
    ("GOSUMDB", "off"),
    ("GONOSUMDB", "*"),
    ("GOPRIVATE", "chaos-harness.invalid/*"),
    ("GOFLAGS", "-mod=mod"),
]


@_needs_go
@pytest.mark.parametrize(("name", "value"), [("GOSUMDB", ""), *_WITHOUT_A_DATABASE])
def test_what_differs_from_its_committed_sum_is_refused(
    served: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str, value: str
) -> None:
    """Whatever the user has set: a module that was changed on its way is named, and nothing of it is kept."""
    _sum_of(tmp_path)
    with zipfile.ZipFile(served / f"{_VERSION}.zip", "a") as archive:
        archive.writestr(f"{_MODULE}@{_VERSION}/init.go", "package main // and what the thief adds\n")
    monkeypatch.setenv(name, value)
    with pytest.raises(ImageUnavailable, match=rf"(?s){_MODULE}.*checksum mismatch"):
        download(_MODULE, _VERSION, _soon())
    assert not (tmp_path / "cache" / "chaos-harness.invalid").exists()


@_needs_go
@pytest.mark.parametrize("database", ["off", ""])
def test_a_committed_sum_needs_no_database(
    served: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, database: str
) -> None:
    """A machine that reaches nothing but a proxy gets what is committed."""
    _sum_of(tmp_path)
    monkeypatch.setenv("GOSUMDB", database)
    assert (download(_MODULE, _VERSION, _soon()) / "main.go").read_text() == "package main\n"


@_needs_go
@pytest.mark.parametrize(("name", "value"), _WITHOUT_A_DATABASE)
def test_what_nobody_vouches_for_is_refused(
    served: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str, value: str
) -> None:
    """Without a committed sum the checksum database is asked, however it was switched off, and must answer."""
    monkeypatch.setenv(name, value)
    with pytest.raises(ImageUnavailable, match=rf"unset GOSUMDB; go env -u GOSUMDB|verifying .*{_MODULE}"):
        download(_MODULE, _VERSION, _soon())
    assert not (tmp_path / "cache" / "chaos-harness.invalid").exists()


def test_upstream_names_the_versions_that_there_are() -> None:
    """An unknown version is refused with the list of known ones, all problems at once."""
    with pytest.raises(BadScenario) as refused:
        Shape.parse({"kubernetes": "v1.1.1", "gatekeeper": "v9.9.9", "colour": "red", "workers": 99})
    message = str(refused.value)
    assert len(refused.value.problems) == 4
    assert known_versions.DEFAULT_KUBERNETES in message
    assert known_versions.DEFAULT_GATEKEEPER in message
    assert "no such field 'colour'" in message


def test_the_tools_are_linked_with_their_versions() -> None:
    """Helm and crictl carry the version that versions.py names."""
    module = (GO_SOURCES / "tools" / "go.mod").read_text()
    for name, version in (
        ("helm.sh/helm/v3", known_versions.HELM),
        ("sigs.k8s.io/kind", known_versions.KIND),
        ("sigs.k8s.io/cri-tools", known_versions.CRICTL),
    ):
        assert f"\t{name} {version}\n" in module
    assert binaries.tools().name == "tools"


@pytest.fixture
def built(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> list[str]:
    """Give an empty cache, no command on PATH, and a list of what is built, which costs nothing."""
    made: list[str] = []

    def make(program: Program, _module: Path, folder: Path, *_: object, fixed: bool) -> None:
        assert fixed == (
            len(program.packages) > 1
        )  # a command alone is built by whatever Go the user's settings choose
        made.extend(program.packages)
        for package in program.packages:
            (folder / Path(package).name).write_text("")

    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path))
    monkeypatch.setattr(shutil, "which", lambda _: None)
    monkeypatch.setattr(binaries, "build", make)
    monkeypatch.setattr(golang, "missing", lambda *_: "")
    monkeypatch.setattr(gatekeeper_release, "fetch", lambda *_: made.append("release"))
    monkeypatch.setattr(gatekeeper_release, "verify", lambda *_: made.append("verified"))
    return made


@pytest.mark.parametrize(
    ("shapes", "made"),
    [
        ([Shape(gatekeeper=None)], ["sigs.k8s.io/kind"]),
        ([Shape(install="manifest")], ["sigs.k8s.io/kind", "release", "verified"]),
        ([Shape(install="manifest"), Shape(install="chart")], [
            "sigs.k8s.io/kind", "helm.sh/helm/v3/cmd/helm", "release", "verified"
        ]),
    ],
    ids=["no Gatekeeper", "manifest", "chart"],
)  # fmt: skip
def test_a_cluster_is_brought_up_with_no_more_than_it_takes(
    shapes: list[Shape], made: list[str], built: list[str]
) -> None:
    """A user whose cache is empty, on an engine that has the images, builds kind, and helm for a chart: once."""
    sources.prepare_tools(shapes, Progress.quiet())
    sources.prepare_downloads(shapes, PullRules(), Progress.quiet())
    assert built == made
    assert sources.tool("kind").name == "kind"
    assert built == made


def test_kind_is_taken_from_the_tools_where_images_were_made_of_them(built: list[str]) -> None:
    """Nothing is built twice."""
    folder = binaries.tools().get(Progress.quiet())
    built.clear()
    assert sources.tool("kind") == folder / "kind"
    assert built == []


def _soon() -> Deadline:
    return Deadline.after(120, "a small build")
