"""Wanted parts: paths are those of Gatekeeper's mutators, and a value is a part of what is there."""

from typing import Any

import pytest

from chaos_harness.harness.errors import BadScenario
from chaos_harness.harness.policies import WantedParts

POD: dict[str, Any] = {
    "metadata": {"labels": {"example.com/team": "a", "owner": "me"}},
    "spec": {
        "containers": [
            {"name": "one", "image": "x", "imagePullPolicy": "Always", "args": ["-v", "2"]},
            {"name": "two", "image": "y", "imagePullPolicy": "Always"},
        ],
        "hostNetwork": True,
        "ports": [{"port": 80}],
        "securityContext": None,
    },
}


@pytest.mark.parametrize(
    ("path", "value", "there"),
    [
        ("metadata.labels.owner", "me", True),
        ("metadata.labels.owner", "you", False),
        ("metadata.labels.nobody", "me", False),
        ('metadata.labels."example.com/team"', "a", True),
        ("metadata.labels.'example.com/team'", "a", True),
        ("spec.containers[name: one].image", "x", True),
        ("spec.containers[name: two].image", "x", False),
        ('spec.containers[name: "one"].image', "x", True),
        ("spec.containers[name: three].image", "x", False),
        ("spec.containers[name: *].imagePullPolicy", "Always", True),
        ("spec.containers[name:*].image", "x", False),
        ("spec.containers[uid: *].image", "x", False),
        ("spec.ports[port: 80]", {"port": 80}, True),
        ("spec.containers[name: one].args", ["-v", "2"], True),
        ("spec.containers[name: one].args", ["-v"], False),
        ("spec.hostNetwork", True, True),
        ("spec.hostNetwork", 1, False),
        ("spec.hostNetwork", "true", False),
        ("spec.securityContext.runAsUser", 0, False),
        ("spec.hostNetwork.deeper", True, False),
        ("spec", {"hostNetwork": True, "containers": [{"image": "x"}, {"image": "y"}]}, True),
        ("spec", {"hostNetwork": True, "containers": [{"image": "x"}]}, False),
        ("metadata", {"labels": {"owner": "me"}}, True),
        ("metadata", {"labels": {"owner": "me", "other": "x"}}, False),
    ],
)
def test_a_part_is_there_or_not(path: str, value: Any, there: bool) -> None:
    """All elements that a path means must have the value; there must be one."""
    assert WantedParts({path: value}).are_in(POD) is there


@pytest.mark.parametrize("manifest", [{}, {"spec": None}, {"spec": []}, {"spec": {"containers": {}}}])
def test_odd_objects_lack_it(manifest: dict[str, Any]) -> None:
    """What has another form, or no such field, does not have it."""
    assert not WantedParts({"spec.containers[name: *].image": "x"}).are_in(manifest)


def test_all_of_them_are_needed() -> None:
    """One that is missing is one too few."""
    assert WantedParts({"metadata.labels.owner": "me", "spec.hostNetwork": True}).are_in(POD)
    assert not WantedParts({"metadata.labels.owner": "me", "spec.hostNetwork": False}).are_in(POD)


@pytest.mark.parametrize(
    "path", ["", ".", "spec.", ".spec", "spec..x", "spec[", "spec.containers[name]", "spec.a/b", "$.spec", "spec.x[*]"]
)
def test_what_is_no_path_is_refused(path: str) -> None:
    """The error says how a path looks."""
    with pytest.raises(BadScenario, match="is no path of a field: expected one as in a mutator's location"):
        WantedParts({path: 1})


@pytest.mark.parametrize(
    ("kind", "path", "of_pods"),
    [
        ("Pod", "spec.hostNetwork", "spec.hostNetwork"),
        ("Deployment", "spec.template.spec.hostNetwork", "spec.hostNetwork"),
        ("Deployment", "spec.template.metadata.labels.a", "metadata.labels.a"),
        ("CronJob", "spec.jobTemplate.spec.template.spec.hostNetwork", "spec.hostNetwork"),
        ("Deployment", "spec.replicas", None),
        ("Namespace", "metadata.labels.a", None),
    ],
)
def test_what_pods_get_of_it(kind: str, path: str, of_pods: str | None) -> None:
    """Pods get what their controller's template has, and nothing of other objects."""
    parts = WantedParts({path: 1}).of_pods(kind)
    assert (dict(parts.by_path) if parts else None) == ({of_pods: 1} if of_pods else None)
