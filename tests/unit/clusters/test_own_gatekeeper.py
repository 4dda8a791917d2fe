"""Own Gatekeeper: the long form of a shape's Gatekeeper, what it is known by, and what is refused before all else."""

from pathlib import Path
from typing import Any

import pytest
import yaml

from chaos_harness.clusters.errors import BadScenario
from chaos_harness.clusters.own_gatekeeper import OwnGatekeeper, flatten
from chaos_harness.clusters.shape import RECORDED, Shape

_VALUES = {"replicas": 2, "validatingWebhookFailurePolicy": "Fail"}


def _deployment(name: str, operation: str, namespace: str = "policy", image: str = "acme/gatekeeper:v3.20.1") -> Any:
    labels = {"gatekeeper.sh/operation": operation} if operation else {}
    container = {"name": "manager", "image": image, "args": [f"--operation={operation}"]}
    template = {"metadata": {"labels": labels}, "spec": {"containers": [container]}}
    return {
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "metadata": {"name": name, "namespace": namespace},
        "spec": {"replicas": 3, "template": template},
    }


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Return a folder with a values file, a manifest of Gatekeeper, and one of something else."""
    (tmp_path / "values.yaml").write_text(yaml.safe_dump(_VALUES), encoding="utf-8")
    manifest = [_deployment("acme-audit", "audit"), _deployment("acme-admission", "webhook")]
    (tmp_path / "acme.yaml").write_text(yaml.safe_dump_all(manifest), encoding="utf-8")
    (tmp_path / "other.yaml").write_text(yaml.safe_dump(_deployment("proxy", "")), encoding="utf-8")
    (tmp_path / "broken.yaml").write_text("a: [", encoding="utf-8")
    (tmp_path / "list.yaml").write_text("- a\n", encoding="utf-8")
    return tmp_path


def _shape(folder: Path, **gatekeeper: Any) -> Shape:
    return Shape.parse(flatten({"gatekeeper": gatekeeper}, folder))


def test_the_long_form_says_what_is_different(folder: Path) -> None:
    """Values make it a chart; the short form, and a long one without differences, are the release itself."""
    shape = _shape(
        folder, version="v3.20", values="values.yaml", namespace="policy", replicas=2, flags=["--log-level=DEBUG"]
    )

    assert (shape.gatekeeper, shape.install, shape.namespace) == ("v3.20.1", "chart", "policy")
    assert shape.gatekeeper_words == (
        "Gatekeeper v3.20.1 by its chart (values.yaml, namespace policy, 2 replicas, --log-level=DEBUG)"
    )
    assert _shape(folder, version="v3.20.1", install="chart") == Shape(gatekeeper="v3.20.1", install="chart")
    assert Shape().own is None


def test_a_manifest_says_its_namespace_and_its_version(folder: Path) -> None:
    """Both are read from it, so that nobody has to say them twice."""
    shape = _shape(folder, install="acme.yaml")

    assert (shape.gatekeeper, shape.install, shape.namespace) == ("v3.20.1", "manifest", "policy")
    assert _shape(folder, install="acme.yaml", version="v3.23.1").gatekeeper == "v3.23.1"


def test_it_is_known_by_what_is_in_its_files(folder: Path, tmp_path: Path) -> None:
    """Another place is the same shape by its digest, another content is not; a release has none."""
    first = _shape(folder, values="values.yaml")
    (elsewhere := tmp_path / "elsewhere").mkdir()
    (elsewhere / "values.yaml").write_text((folder / "values.yaml").read_text(encoding="utf-8"), encoding="utf-8")
    moved = _shape(elsewhere, values="values.yaml")
    (elsewhere / "values.yaml").write_text("replicas: 1\n", encoding="utf-8")
    changed = _shape(elsewhere, values="values.yaml")

    assert first.slug == moved.slug
    assert len({first.slug, changed.slug, Shape(install="chart").slug}) == 3
    assert changed.own
    (elsewhere / "values.yaml").write_text("replicas: 2\n", encoding="utf-8")
    with pytest.raises(BadScenario, match="changed since the run began"):
        _ = changed.own.values.text if changed.own.values else ""


def test_what_was_recorded_is_read_without_its_files(folder: Path) -> None:
    """As the label of a container and as a bundle have it, and as an incident file writes it."""
    shape = _shape(folder, values="values.yaml", flags=["--log-level=DEBUG"])
    manifest = _shape(folder, install="acme.yaml")
    for each in (shape, manifest):
        assert Shape.parse(flatten(each.fields(folder), folder)) == each
    for path in folder.iterdir():
        path.unlink()
    assert Shape.model_validate_json(shape.model_dump_json(), context=RECORDED) == shape
    assert Shape.parse(flatten({"gatekeeper": {"values": "values.yaml"}}, folder), context=RECORDED).install == "chart"


@pytest.mark.parametrize(
    "spec",
    ["text", None, {"template": None}, {"template": {"metadata": None}}, {"template": {"metadata": {"labels": "x"}}}],
)
def test_a_deployment_without_a_right_template_is_none(folder: Path, spec: Any) -> None:
    """However it is misshapen, it is not the one whose pods serve admission."""
    text = yaml.safe_dump({**_deployment("odd", ""), "spec": spec})
    (folder / "odd.yaml").write_text(text, encoding="utf-8")
    with pytest.raises(BadScenario, match=r"no Deployment whose pods have the label .* it has odd"):
        _shape(folder, install="odd.yaml")


@pytest.mark.parametrize(
    ("gatekeeper", "problem"),
    [
        (
            {"vaules": "values.yaml"},
            "no such field 'gatekeeper.vaules'; did you mean values? there are version,",
        ),
        ({"values": "none.yaml"}, "gatekeeper.values: no file "),
        ({"values": "broken.yaml"}, "broken.yaml: no YAML: "),
        ({"values": "list.yaml"}, "list.yaml: expected the values of a chart, by their names"),
        ({"values": "."}, "expected a file of at most 4 MiB"),
        ({"install": "none.yaml"}, "gatekeeper.install: no file "),
        ({"install": "broken.yaml"}, "broken.yaml: no YAML: "),
        ({"install": "list.yaml"}, "list.yaml: expected objects of Kubernetes"),
        (
            {"install": "other.yaml"},
            "whose pods have the label gatekeeper.sh/operation: webhook; it has proxy",
        ),
        ({"install": "acme.yaml", "namespace": "other"}, "namespace other: Gatekeeper's Deployment in "),
        ({"install": "manifest", "values": "values.yaml"}, "gatekeeper.values: they are a chart's; say install: chart"),
        ({"version": "v9.9.9"}, "gatekeeper: Gatekeeper v9.9.9 cannot be run"),
        ({"version": None, "replicas": 2}, "gatekeeper: without a version there is nothing to be different"),
        ({"replicas": 0}, "gatekeeper.replicas: expected at least 1, found 0"),
        ({"flags": ["log-level=DEBUG"]}, "gatekeeper.flags.0: expected a text of the form"),
        ({"namespace": "Policy"}, "gatekeeper.namespace: expected a text of the form"),
    ],
)
def test_what_is_refused(folder: Path, gatekeeper: dict[str, Any], problem: str) -> None:
    """Each is one problem, told by the field that holds it, before an engine is looked for."""
    with pytest.raises(BadScenario) as error:
        _shape(folder, **gatekeeper)

    assert len(error.value.problems) == 1, error.value.problems
    assert problem in error.value.problems[0]


def _own(folder: Path, **gatekeeper: str) -> OwnGatekeeper:
    own = _shape(folder, **gatekeeper).own
    assert own
    return own


def _checkout(folder: Path) -> Path:
    checkout = folder / "gatekeeper"
    for inner in (".git", "vendor", "pkg"):
        (checkout / inner).mkdir(parents=True)
        (checkout / inner / "a.go").write_text("package a\n", encoding="utf-8")
    (checkout / "go.mod").write_text("module example.com/gatekeeper\n", encoding="utf-8")
    (checkout / "Dockerfile").write_text("FROM acme/base:1\n", encoding="utf-8")
    return checkout


def test_a_checkout_is_known_by_what_is_in_it(tmp_path: Path) -> None:
    """Another content is another image, and another cluster; neither the folder's name counts, nor .git, nor vendor."""
    checkout = _checkout(tmp_path)
    first = _own(tmp_path, checkout="gatekeeper")
    assert str(first.image).startswith("chaos-harness/gatekeeper:checkout-")
    for inner in (".git", "vendor"):
        (checkout / inner / "b.go").write_text("package a\n", encoding="utf-8")
    checkout.rename(tmp_path / "other")
    assert _own(tmp_path, checkout="other").image == first.image
    (tmp_path / "other/pkg/a.go").write_text("package a // and more\n", encoding="utf-8")
    changed = _own(tmp_path, checkout="other")
    assert changed.image != first.image
    assert changed.digest != first.digest
    assert _own(tmp_path, checkout="other", dockerfile="Dockerfile").image != changed.image


@pytest.mark.parametrize(
    ("fields", "words"),
    [
        ({"checkout": "nowhere"}, "no folder "),
        ({"checkout": "gatekeeper", "image": "acme/a:1"}, "image, checkout: say one of them"),
        ({"dockerfile": "Dockerfile"}, "dockerfile: is one of a checkout"),
        ({"checkout": "gatekeeper", "dockerfile": "Containerfile"}, "no file Containerfile in it"),
        ({"checkout": "gatekeeper/pkg"}, "no file go.mod in it"),
    ],
)
def test_a_checkout_that_cannot_be_built(fields: dict[str, str], words: str, tmp_path: Path) -> None:
    """It is refused before anything is built."""
    _checkout(tmp_path)
    with pytest.raises(BadScenario, match=words):
        _shape(tmp_path, **fields)


def test_a_checkout_is_written_as_it_was_named(tmp_path: Path) -> None:
    """Its image is a consequence, and is not written."""
    _checkout(tmp_path)
    own = _own(tmp_path, checkout="gatekeeper")
    assert own.as_written("v3.23.1", "manifest", tmp_path) == {
        "gatekeeper": {"version": "v3.23.1", "install": "manifest", "checkout": "gatekeeper"}
    }
    assert own.words == f"checkout {tmp_path / 'gatekeeper'}"
