"""Charts: what an incident says of a chart to set up is right, or told with its place before anything is done."""

from pathlib import Path
from typing import Any

import pytest

from chaos_harness.harness.errors import BadScenario
from chaos_harness.harness.incident.charts import SetupChart
from chaos_harness.harness.incident.load import LoadedIncident
from tests.fakes.incidents import incident

_CHART = "apiVersion: v2\nname: operator\nversion: 1.0.0\n"
_DEPENDS = f"{_CHART}dependencies: [{{name: base, version: 1.0.0, repository: 'https://example.com'}}]\n"


def _chart(folder: Path, text: str = _CHART) -> None:
    (folder / "operator/templates").mkdir(parents=True)
    (folder / "operator/Chart.yaml").write_text(text, encoding="utf-8")
    (folder / "operator/templates/a.yaml").write_text("{}\n", encoding="utf-8")
    (folder / "values.yaml").write_text("replicas: 1\n", encoding="utf-8")


def _loaded(folder: Path, *items: dict[str, Any]) -> LoadedIncident:
    return incident(folder, setup=list(items))


def test_a_chart(tmp_path: Path) -> None:
    """Its release and namespace have defaults, and all its files belong to the incident."""
    _chart(tmp_path)
    loaded = _loaded(
        tmp_path,
        {"chart": "operator"},
        {"chart": "operator", "release": "b", "namespace": "c", "values": "values.yaml"},
    )
    files = (tmp_path / "operator/Chart.yaml", tmp_path / "operator/templates/a.yaml")
    folder, values = tmp_path / "operator", tmp_path / "values.yaml"
    assert loaded.setup == (
        SetupChart(folder, "operator", "default", None, (), files),
        SetupChart(folder, "b", "c", values, (), (*files, values)),
    )
    assert set(loaded.files) == {*files, values}


@pytest.mark.parametrize(
    ("item", "text", "words"),
    [
        ({"chart": "nowhere"}, _CHART, "setup.0.chart: no folder 'nowhere' in "),
        ({"chart": "../operator"}, _CHART, "leads out of the incident's directory"),
        ({"chart": "operator/templates"}, _CHART, "it is no chart"),
        ({"chart": "operator", "values": "none.yaml"}, _CHART, "setup.0.values: no file 'none.yaml'"),
        ({"chart": "operator"}, "", "Chart.yaml: expected a chart's name and version, as texts"),
        ({"chart": "operator"}, "my chart\n", "Chart.yaml: expected a chart's name and version, as texts"),
        ({"chart": "operator"}, "name: a\nversion: 1\n", "Chart.yaml: expected a chart's name and version, as texts"),
        ({"chart": "operator"}, f"{_CHART}dependencies: true\n", "dependencies: expected a list of charts, each with"),
        ({"chart": "operator"}, f"{_CHART}dependencies: [{{name: /etc}}]\n", "it needs the charts /etc; run: helm"),
        ({"chart": "operator"}, _DEPENDS, "it needs the charts base; run: helm dependency build "),
        ({"chart": "operator", "file": "values.yaml"}, _CHART, "expected one of object, file, chart"),
        ({"file": "values.yaml", "release": "a"}, _CHART, "release is of a chart: name its folder in `chart`"),
        ({"chart": "operator", "release": "--all"}, _CHART, "expected a name of small letters, digits and -"),
    ],
)
def test_refused(item: dict[str, Any], text: str, words: str, tmp_path: Path) -> None:
    """Each problem has its place in the file, before anything is done."""
    _chart(tmp_path, text)
    with pytest.raises(BadScenario) as refused:
        _loaded(tmp_path, item)
    assert words in str(refused.value)


def test_charts_that_it_needs_are_beside_it(tmp_path: Path) -> None:
    """What a chart depends on lies in its folder `charts`, as a folder or packed."""
    _chart(tmp_path, _DEPENDS)
    (tmp_path / "operator/charts").mkdir()
    (tmp_path / "operator/charts/base-1.0.0.tgz").touch()
    (chart,) = _loaded(tmp_path, {"chart": "operator"}).setup
    assert isinstance(chart, SetupChart)
    assert tmp_path / "operator/charts/base-1.0.0.tgz" in chart.files


def test_its_definitions(tmp_path: Path) -> None:
    """Those in its folder `crds`, in all documents of all its manifests, as Helm reads them; nothing else there."""
    _chart(tmp_path)
    (tmp_path / "operator/crds/more").mkdir(parents=True)
    one, two, three = (
        f"{{kind: CustomResourceDefinition, metadata: {{name: {name}.example.com}}}}\n" for name in "abc"
    )
    (tmp_path / "operator/crds/a.yaml").write_text(f"{one}---\n{two}---\nkind: Other\n", encoding="utf-8")
    (tmp_path / "operator/crds/more/c.yml").write_text(three, encoding="utf-8")
    (tmp_path / "operator/crds/README.md").write_text(three, encoding="utf-8")
    (chart,) = _loaded(tmp_path, {"chart": "operator"}).setup
    assert isinstance(chart, SetupChart)
    assert chart.definitions == ("a.example.com", "b.example.com", "c.example.com")
