"""Chart values: a typo is told with what was meant, and whatever the chart knows is accepted."""

from pathlib import Path

import pytest

from chaos_harness.clusters.errors import BadScenario
from chaos_harness.clusters.images.chart_values import require_known_values
from chaos_harness.clusters.own_gatekeeper import SourceFile

_KNOWN = """
replicas: 3
validatingWebhookFailurePolicy: Ignore
image: {repository: r, release: v1, pullPolicy: IfNotPresent}
controllerManager:
  resources: {limits: {memory: 512Mi}}
  nodeSelector: {}
  disableWebhookOperation: false
"""
_TEMPLATE = (
    '{{ if hasKey .Values "auditLog" }}{{ .Values.controllerManager.logLevel }}{{ end }}{{ .Values.otlp.endpoint }}'
)


@pytest.fixture
def chart(tmp_path: Path) -> Path:
    (tmp_path / "chart" / "templates").mkdir(parents=True)
    (tmp_path / "chart" / "values.yaml").write_text(_KNOWN, encoding="utf-8")
    (tmp_path / "chart" / "templates" / "a.yaml").write_text(_TEMPLATE, encoding="utf-8")
    return tmp_path / "chart"


def _require(chart: Path, text: str) -> None:
    path = chart.parent / "values.yaml"
    path.write_text(text, encoding="utf-8")
    require_known_values(SourceFile(path=str(path)), chart)


@pytest.mark.parametrize(
    "text",
    [
        "replicas: 2",
        "controllerManager: {nodeSelector: {disk: ssd}, logLevel: DEBUG, resources: {limits: {memory: 1Gi}}}",
        "{auditLog: true, otlp: {endpoint: a}}",
        "global: {anything: true}",
        "image: {pullPolicy: Always}",
        "controllerManager: {disableWebhookOperation: false}",
    ],
)
def test_what_the_chart_knows(chart: Path, text: str) -> None:
    """Values of its values.yaml, those that only templates use, and anything where it has an empty map."""
    _require(chart, text)


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("replcas: 2", "the chart has no value 'replcas'; did you mean replicas? `helm show values` lists them"),
        ("controllerManager: {resorces: {}}", "no value 'controllerManager.resorces'; did you mean resources?"),
        ("otlp: {endpiont: a}", "no value 'otlp.endpiont'; did you mean endpoint?"),
        ("image: {repository: acme/gatekeeper}", "image.repository: the harness says which image runs; say `image`"),
        ("controllerManager: {disableWebhookOperation: true}", "disableWebhookOperation: true cannot be judged"),
    ],
)
def test_what_it_does_not(chart: Path, text: str, problem: str) -> None:
    """Each is one problem that names the file and the value in full."""
    with pytest.raises(BadScenario) as error:
        _require(chart, text)

    assert len(error.value.problems) == 1, error.value.problems
    assert "values.yaml: " in error.value.problems[0]
    assert problem in error.value.problems[0]


def test_all_problems_at_once(chart: Path) -> None:
    """Whoever has two typos need not run it twice."""
    with pytest.raises(BadScenario) as error:
        _require(chart, "{a: 1, b: 2}")
    assert len(error.value.problems) == 2
