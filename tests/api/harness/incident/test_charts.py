"""Charts: what an incident installs by Helm before its policies is there in time, told why if not, and goes again."""

from pathlib import Path

import pytest
import yaml
from kubernetes.client import ApiClient

from chaos_harness.clusters.api.rest import apply, list_objects, request
from chaos_harness.clusters.cluster import Cluster
from chaos_harness.clusters.deadline import Deadline
from chaos_harness.harness.errors import PreparationFailed
from chaos_harness.harness.incident.replay.setup import setup_of
from chaos_harness.harness.preparation import Preparation
from chaos_harness.harness.undo import journal
from chaos_harness.harness.undo.journal import Journal
from tests.fakes.incidents import incident
from tests.live_api.server import ApiServer
from tests.live_api.widgets import CRDS, DEFINITION

_MAPS = "/api/v1/namespaces/default/configmaps"
_SECRETS = "/api/v1/namespaces/default/secrets"
_MAP = "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: settings}\ndata: {mode: {{ .Values.mode }}}\n"
_DEPLOYMENT = """\
apiVersion: apps/v1
kind: Deployment
metadata: {name: operator}
spec:
  selector: {matchLabels: {app: operator}}
  template:
    metadata: {labels: {app: operator}}
    spec: {automountServiceAccountToken: false, containers: [{name: a, image: "acme/operator:1"}]}
"""


def _setup(folder: Path, *templates: str) -> Preparation:
    """Return the setup of an incident that installs a chart with these templates, a definition, and values."""
    chart = folder / "operator"
    for inner in ("templates", "crds"):
        (chart / inner).mkdir(parents=True)
    (chart / "Chart.yaml").write_text("apiVersion: v2\nname: operator\nversion: 1.0.0\n", encoding="utf-8")
    (chart / "values.yaml").write_text("mode: quiet\n", encoding="utf-8")
    (chart / "crds/widgets.yaml").write_text(yaml.safe_dump(DEFINITION), encoding="utf-8")
    for number, template in enumerate(templates):
        (chart / f"templates/{number}.yaml").write_text(template, encoding="utf-8")
    (folder / "loud.yaml").write_text("mode: loud\n", encoding="utf-8")
    (preparation,) = setup_of(incident(folder, setup=[{"chart": "operator", "values": "loud.yaml"}]))
    return preparation


def _names(api: ApiClient, path: str) -> set[str]:
    return {one["metadata"]["name"] for one in list_objects(api, path, "items")}


def test_a_chart_is_there_and_goes_again(api: ApiClient, cluster: Cluster, undo: Journal, tmp_path: Path) -> None:
    """With the values of the file; in the end neither its objects are left, nor its definitions, nor Helm's record."""
    before = _names(api, _MAPS), _names(api, _SECRETS), _names(api, CRDS)
    preparation = _setup(tmp_path, _MAP)
    with preparation.make(cluster, undo) as proof:
        assert (preparation.name, proof) == ("set up chart operator", "release operator has 1 objects")
        assert request(api, "GET", f"{_MAPS}/settings")["data"] == {"mode": "loud"}
        assert _names(api, CRDS) - before[2] == {"widgets.example.com"}
        assert _names(api, _SECRETS) > before[1]
    assert (_names(api, _MAPS), _names(api, _SECRETS), _names(api, CRDS)) == before
    assert journal.pending(undo.path) == []


def test_what_was_there_stays(api: ApiClient, cluster: Cluster, undo: Journal, tmp_path: Path) -> None:
    """A definition of before is not deleted with the chart, and a release of the same name is neither used nor lost."""
    apply(api, [DEFINITION], Deadline.after(30, "a definition"))
    preparation = _setup(tmp_path, _MAP)
    with preparation.make(cluster, undo):
        with (
            pytest.raises(PreparationFailed, match="release operator is in namespace default already"),
            preparation.make(cluster, undo),
        ):
            pytest.fail("it is there already")
        assert "settings" in _names(api, _MAPS)
    assert "settings" not in _names(api, _MAPS)
    assert "widgets.example.com" in _names(api, CRDS)


def test_what_does_not_get_ready_is_told(
    server: ApiServer,
    api: ApiClient,
    cluster: Cluster,
    undo: Journal,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """With its own reason; the chart is uninstalled all the same."""
    monkeypatch.setattr("chaos_harness.harness.gatekeeper.in_force._READY_SECONDS", 2.0)
    preparation = _setup(tmp_path, _DEPLOYMENT)
    with (
        server.controllers(),
        pytest.raises(PreparationFailed, match=r"set up chart operator: .*Deployment operator is not: "),
        preparation.make(cluster, undo),
    ):
        pytest.fail("it is not Ready")
    assert _names(api, "/apis/apps/v1/namespaces/default/deployments") == set()


def test_what_helm_refuses_is_told(api: ApiClient, cluster: Cluster, undo: Journal, tmp_path: Path) -> None:
    """In its words, and nothing is left."""
    preparation = _setup(tmp_path, "apiVersion: v1\nkind: Nothing\nmetadata: {name: a}\n")
    with pytest.raises(PreparationFailed, match='no matches for kind "Nothing"'), preparation.make(cluster, undo):
        pytest.fail("it was refused")
    assert "widgets.example.com" not in _names(api, CRDS)


def test_another_process_takes_it_away(api: ApiClient, cluster: Cluster, undo: Journal, tmp_path: Path) -> None:
    """As after `kill -9`: all that is needed is in the journal, and to do it again does no harm."""
    preparation = _setup(tmp_path, _MAP)
    with preparation.make(cluster, undo):
        assert len(journal.replay(undo.path, cluster.engine)) == 2
        assert "settings" not in _names(api, _MAPS)
        assert "widgets.example.com" not in _names(api, CRDS)
