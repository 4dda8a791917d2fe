"""Jobs: a real API server takes what is rendered for a night, as it stands, and changes none of it."""

from typing import Any

import pytest
import yaml
from kubernetes.client import ApiClient

from chaos_harness.clusters.api.rest import request
from chaos_harness.clusters.mirror import Mirror
from chaos_harness.harness.errors import ApiRefused
from chaos_harness.harness.nightly.job import MOUNTED, NightJob, render
from chaos_harness.harness.nightly.order import Order

_ORDER = Order(harness="1", digest="a" * 64, shards=3, matrix="matrix.yaml", results="/results/jobs/n", nights="/n")
_PATHS = {"ConfigMap": "/api/v1/namespaces/default/configmaps", "Job": "/apis/batch/v1/namespaces/default/jobs"}
_FILES = {"matrix.yaml": b"schema: 1\nrun: [a b.py]\n", "e2e/a b.py": b"pass\n", "logo": b"\xff\xfe"}


def _rendered(namespace: str = "default") -> list[dict[str, Any]]:
    image, mirror = f"acme/harness@sha256:{'1' * 64}", Mirror("registry.chaos:5000", plain=True)
    job = NightJob("a" * 52, namespace, image, "results", mirror, _ORDER, _FILES, 3212, 11205.4)
    return list(yaml.safe_load_all(render(job)))


def _less(there: Any, given: Any) -> list[str]:
    """Return where what is there lacks or changes something of what was given."""
    if isinstance(given, dict):
        return [f"{name}{more}" for name in given for more in _less(there.get(name), given[name])]
    if isinstance(given, list):
        return [more for one, other in zip(there, given, strict=True) for more in _less(one, other)]
    return [] if there == given else [f": {there!r} in place of {given!r}"]


@pytest.mark.parametrize("query", [{"dryRun": "All"}, {}], ids=["dry run", "for real"])
def test_a_rendered_job_is_taken(api: ApiClient, query: dict[str, str]) -> None:
    """By dry run and for real; no field is unknown, none is dropped, and the pods get each file by its name."""
    for each in _rendered():
        query = {**query, "fieldValidation": "Strict"}
        made = request(api, "POST", _PATHS[each["kind"]], query=query, body=each)
        assert _less(made, each) == []
    volumes = made["spec"]["template"]["spec"]["volumes"]
    (items,) = (volume["configMap"]["items"] for volume in volumes if volume["name"] == "order")
    assert sorted(item["path"] for item in items) == [
        *("files/e2e/a b.py", "files/logo", "files/matrix.yaml", "order.json"),
    ]
    assert MOUNTED in made["spec"]["template"]["spec"]["containers"][0]["args"]


def test_a_server_takes_no_other_replacement(api: ApiClient) -> None:
    """Whoever lets a pod be replaced while it still ends cannot have failures ignored that are a node's."""
    job = _rendered()[1]
    job["spec"]["podReplacementPolicy"] = "TerminatingOrFailed"
    with pytest.raises(ApiRefused, match="podReplacementPolicy"):
        request(api, "POST", _PATHS["Job"], body=job)
