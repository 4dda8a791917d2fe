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
        ({"chart": "operator"}, "name: a\nversion: 1.0.0\n", "apiVersion is missing; write `apiVersion: v2`"),
        ({"chart": "operator"}, _CHART.replace("1.0.0", "latest"), "version: expected one such as 1.2.3, found 'lat"),
        ({"chart": "operator"}, _CHART.replace("operator", "a/b"), "name: expected one such as my-chart, found 'a/b'"),
        ({"chart": "operator"}, f"{_CHART}type: library\n", "type: expected application, which alone can be installed"),
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


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("- a\n", "values.yaml: expected values by their names, such as `replicas: 1`, found a list"),
        ("hello\n", "values.yaml: expected values by their names, such as `replicas: 1`, found 'hello'"),
        ("a: 1\n---\nb: 2\n", "values.yaml: expected one document, found 2; Helm would read the first alone"),
        ("a: [\n", "values.yaml: not YAML: "),
        ("a: *b\n", "values.yaml: not YAML: found undefined alias"),
        (f"a: {'[' * 20_000}\n", "values.yaml: not YAML: "),
        ("a: \0\n", "values.yaml: not YAML: "),
    ],
)
def test_values_that_helm_cannot_read(text: str, words: str, tmp_path: Path) -> None:
    """Only a map by names is values."""
    _chart(tmp_path)
    (tmp_path / "values.yaml").write_text(text, encoding="utf-8")
    with pytest.raises(BadScenario) as refused:
        _loaded(tmp_path, {"chart": "operator", "values": "values.yaml"})
    assert "setup.0.values: " in str(refused.value)
    assert words in str(refused.value)


def test_a_charts_own_values(tmp_path: Path) -> None:
    """They must be a map, too; of more documents Helm reads the first."""
    _chart(tmp_path)
    own = tmp_path / "operator/values.yaml"
    own.write_text("a: 1\n---\nb: 1\n", encoding="utf-8")
    assert _loaded(tmp_path, {"chart": "operator"}).setup
    own.write_text("- a\n", encoding="utf-8")
    with pytest.raises(BadScenario, match=r"setup\.0\.chart: .*operator/values\.yaml: expected values by their names"):
        _loaded(tmp_path, {"chart": "operator"})


@pytest.mark.parametrize("text", ["", "# nothing\n", "null\n", "{}\n", "a: &b {c: 1}\nd: *b\n", "---\na: 1\n"])
def test_values_that_helm_reads(text: str, tmp_path: Path) -> None:
    """A file without a value, and aliases, which are common in values."""
    _chart(tmp_path)
    (tmp_path / "values.yaml").write_text(text, encoding="utf-8")
    (chart,) = _loaded(tmp_path, {"chart": "operator", "values": "values.yaml"}).setup
    assert isinstance(chart, SetupChart)
    assert chart.values == tmp_path / "values.yaml"


@pytest.mark.parametrize(
    ("folder", "meant"),
    [("My_Chart", "my-chart"), ("-a-", "a"), ("a" * 54, "a" * 53), ("___", "NAME"), ("a..b", "a-b")],
)
def test_a_folder_by_whose_name_no_release_can_be(folder: str, meant: str, tmp_path: Path) -> None:
    """It is refused with a name that could be, and installed by that."""
    _chart(tmp_path)
    (tmp_path / "operator").rename(tmp_path / folder)
    with pytest.raises(BadScenario) as refused:
        _loaded(tmp_path, {"chart": folder})
    assert f"setup.0.chart: its folder's name '{folder}' cannot be that of a release: Helm takes" in str(refused.value)
    assert f"at most 53; add `release: {meant}`" in str(refused.value)
    (chart,) = _loaded(tmp_path, {"chart": folder, "release": "mine"}).setup
    assert isinstance(chart, SetupChart)
    assert chart.release == "mine"


@pytest.mark.parametrize("folder", ["a" * 53, "operator-1.2", "0"])
def test_a_folder_by_whose_name_a_release_can_be(folder: str, tmp_path: Path) -> None:
    """Helm takes names with dots, and up to 53 characters."""
    _chart(tmp_path)
    (tmp_path / "operator").rename(tmp_path / folder)
    (chart,) = _loaded(tmp_path, {"chart": folder}).setup
    assert isinstance(chart, SetupChart)
    assert chart.release == folder


def test_the_same_release_twice(tmp_path: Path) -> None:
    """Helm would refuse the second; the same chart by another name, or in another namespace, is another release."""
    _chart(tmp_path)
    with pytest.raises(BadScenario) as refused:
        _loaded(tmp_path, {"chart": "operator"}, {"chart": "operator", "release": "operator", "namespace": "default"})
    assert "setup.1: release operator in namespace default is that of setup.0, too; give one" in str(refused.value)
    others = _loaded(tmp_path, {"chart": "operator"}, {"chart": "operator", "namespace": "b"}).setup
    assert len(others) == 2


@pytest.mark.parametrize("namespace", ["My_NS", "-a", "a.b", "", 7])
def test_a_bad_namespace(namespace: object, tmp_path: Path) -> None:
    """It is refused in its place."""
    _chart(tmp_path)
    with pytest.raises(BadScenario) as refused:
        _loaded(tmp_path, {"chart": "operator", "namespace": namespace})
    assert "setup.0.namespace: expected " in str(refused.value)


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


def test_a_namespace_that_nobody_brings(tmp_path: Path) -> None:
    """It must be there before the chart is; an earlier chart, or what runs programs, may bring it."""
    _chart(tmp_path)
    shop = {"object": {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "shop"}}}
    job = {"object": {"apiVersion": "batch/v1", "kind": "Job", "metadata": {"name": "j", "namespace": "default"}}}
    chart = {"chart": "operator", "namespace": "shop"}
    with pytest.raises(BadScenario) as refused:
        _loaded(tmp_path, chart)
    assert "setup.0.namespace: release operator: no cluster has the namespace 'shop', and" in str(refused.value)
    for before in (shop, job, {"chart": "operator"}):
        assert len(_loaded(tmp_path, before, chart).setup) == 2
