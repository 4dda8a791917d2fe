"""Customise: a release's manifest, or one of the user's, is applied with what is different, and with nothing else."""

from pathlib import Path
from typing import Any

import pytest
import yaml

from chaos_harness.clusters.gatekeeper.customise import add_flags, customised
from chaos_harness.clusters.own_gatekeeper import OwnGatekeeper, SourceFile

_IMAGE = "openpolicyagent/gatekeeper:v3.23.1"


def _deployment(name: str, operation: str) -> dict[str, Any]:
    labels = {"gatekeeper.sh/operation": operation} if operation else {}
    args = ["--exempt-namespace=gatekeeper-system"]
    containers = [{"name": "proxy", "image": "p"}, {"name": "manager", "image": "m", "args": args}]
    spec = {"replicas": 3, "template": {"metadata": {"labels": labels}, "spec": {"containers": containers}}}
    return {"kind": "Deployment", "metadata": {"name": name, "namespace": "gatekeeper-system"}, "spec": spec}


_OBJECTS = [
    {"kind": "Namespace", "metadata": {"name": "gatekeeper-system"}},
    _deployment("serving", "webhook"),
    _deployment("audit", "audit"),
    _deployment("other", ""),
]


@pytest.fixture
def release(tmp_path: Path) -> Path:
    path = tmp_path / "gatekeeper.yaml"
    path.write_text(yaml.safe_dump_all(_OBJECTS), encoding="utf-8")
    return path


def test_a_release_is_applied_as_it_is(release: Path) -> None:
    """Nothing is different where nothing is said."""
    assert customised(release, None, _IMAGE) == _OBJECTS


def test_the_release_in_another_namespace(release: Path) -> None:
    """Objects, and arguments that name it, are of the new namespace; only the webhook's Deployment is scaled."""
    own = OwnGatekeeper(namespace="policy", replicas=2, flags=("--log-level=DEBUG",))

    namespace, serving, audit, other = customised(release, own, _IMAGE)

    assert "gatekeeper-system" not in yaml.safe_dump([namespace, serving, audit, other])
    assert [each["spec"]["replicas"] for each in (serving, audit, other)] == [2, 3, 3]
    for deployment in (serving, audit):
        proxy, manager = deployment["spec"]["template"]["spec"]["containers"]
        assert manager["args"] == ["--exempt-namespace=policy", "--log-level=DEBUG"]
        assert (proxy["image"], manager["image"]) == ("p", _IMAGE)
    assert [each["image"] for each in other["spec"]["template"]["spec"]["containers"]] == ["p", "m"]


def test_a_manifest_of_ones_own(release: Path, tmp_path: Path) -> None:
    """It is applied in place of the release's; Gatekeeper's containers get the image that the nodes can pull."""
    mine = tmp_path / "mine.yaml"
    mine.write_text(release.read_text(encoding="utf-8").replace("serving", "acme"), encoding="utf-8")

    objects = customised(release, OwnGatekeeper(manifest=SourceFile(path=str(mine)), digest="d"), _IMAGE)

    assert [each["metadata"]["name"] for each in objects] == ["gatekeeper-system", "acme", "audit", "other"]
    assert objects[1]["spec"]["template"]["spec"]["containers"][1]["image"] == _IMAGE


def test_flags_of_what_a_chart_installed() -> None:
    """The patch adds them to the arguments of Gatekeeper's container, and to nobody else's."""
    patch = add_flags(_deployment("serving", "webhook"), ["--a=b"])
    args = ["--exempt-namespace=gatekeeper-system", "--a=b"]
    assert patch["spec"]["template"]["spec"]["containers"] == [{"name": "manager", "args": args}]
