"""Load: an incident file becomes an incident, or all of its problems are told at once and nothing else happens."""

import json
import time
from pathlib import Path
from typing import Any

import pytest
import yaml

from chaos_harness.clusters import known_versions
from chaos_harness.clusters.shape import RECORDED
from chaos_harness.harness.errors import BadScenario
from chaos_harness.harness.incident.load import LoadedIncident, load
from tests.thorough import thorough

_EDIT = {"kind": "ConfigMap", "name": "a", "patch": {"data": {"b": "c"}}}
_GOOD: dict[str, Any] = {
    "schema": 1,
    "title": "A title",
    "faults": [{"fault": "cut_registry", "at": "2s", "lasts": "1m"}],
    "claims": [{"check": "no_request_during", "with": {"fault": "fault 1"}}],
}


_NAMESPACE = {"kind": "Namespace", "apiVersion": "v1", "metadata": {"name": "a"}}


def _load(folder: Path, asked: dict[str, Any] | None = None, **changes: Any) -> LoadedIncident:
    path = folder / "a.yaml"
    path.write_text(yaml.safe_dump(_GOOD | changes, sort_keys=False), encoding="utf-8")
    return load(path, asked)


def _problems(folder: Path, **changes: Any) -> list[str]:
    with pytest.raises(BadScenario) as error:
        _load(folder, **changes)
    return list(error.value.problems)


def test_an_incident(tmp_path: Path) -> None:
    """What a file says is there in seconds, and what it leaves open has its default."""
    loaded = _load(tmp_path)

    assert loaded.name == "a"
    assert (loaded.incident.faults[0].at, loaded.incident.faults[0].lasts) == (2.0, 60.0)
    assert (loaded.incident.budget, loaded.incident.recovery, loaded.incident.seed) == (900.0, 300.0, None)
    assert loaded.shape.slug == f"1cp2w-k{known_versions.DEFAULT_KUBERNETES[1:]}-g3.23.1-manifest"


def test_what_is_asked_for_counts_more(tmp_path: Path) -> None:
    """Versions that are asked for beside the file replace the file's; unknown ones are refused."""
    loaded = _load(tmp_path, {"gatekeeper": "v3.20.1"}, shape={"gatekeeper": "v3.18.3", "workers": 1})

    assert (loaded.shape.gatekeeper, loaded.shape.workers) == ("v3.20.1", 1)
    with pytest.raises(BadScenario, match=r"options: gatekeeper: Gatekeeper v9.9.9 cannot be run"):
        _load(tmp_path, {"gatekeeper": "v9.9.9"})


def test_a_minor_is_enough(tmp_path: Path) -> None:
    """A minor in the file, or asked for beside it, means the newest patch, by whose full name the shape goes on."""
    loaded = _load(tmp_path, {"kubernetes": "1.35"}, shape={"gatekeeper": "3.20"})

    assert loaded.shape.gatekeeper == loaded.incident.shape.gatekeeper == "v3.20.1"
    assert loaded.shape.kubernetes == known_versions.resolve_version("1.35", known_versions.KUBERNETES)


def test_a_version_without_quotes(tmp_path: Path) -> None:
    """YAML reads 3.20 as 3.2, so a version that is a number is refused with what to do about it."""
    (problem,) = _problems(tmp_path, shape={"gatekeeper": 3.20})

    assert "a.yaml:12:3: shape.gatekeeper: expected a version in quotes" in problem


_VALUES = {"gatekeeper": {"version": "v3.20.1", "values": "values.yaml"}}


def test_a_gatekeeper_of_ones_own(tmp_path: Path) -> None:
    """Its files lie beside the incident, go into the bundle, and stay with another version; a baseline has none."""
    (tmp_path / "values.yaml").write_text("replicas: 2\n", encoding="utf-8")
    loaded = _load(tmp_path, shape=_VALUES)
    newer = _load(tmp_path, {"gatekeeper": "v3.23.1"}, shape=_VALUES)

    assert (loaded.shape.gatekeeper, loaded.shape.install) == ("v3.20.1", "chart")
    assert loaded.files == (tmp_path / "values.yaml",)
    assert (newer.shape.gatekeeper, newer.shape.own) == ("v3.23.1", loaded.shape.own)
    assert _load(tmp_path, {"gatekeeper": None}, shape=_VALUES).shape.own is None


@pytest.mark.parametrize(
    ("gatekeeper", "problem"),
    [
        ({"values": "none.yaml"}, "shape.gatekeeper.values: no file "),
        ({"vaules": "none.yaml"}, "shape.gatekeeper.vaules: no such field; did you mean values? there are version,"),
        ({"replicas": 99}, "shape.gatekeeper.replicas: expected at most 10, found 99"),
    ],
)
def test_a_wrong_gatekeeper_of_ones_own(tmp_path: Path, gatekeeper: dict[str, Any], problem: str) -> None:
    """Each is one problem, at its place in the file."""
    (told,) = _problems(tmp_path, shape={"gatekeeper": gatekeeper})

    assert problem in told
    assert "a.yaml:13:" in told or "a.yaml:12:" in told


def test_what_was_lived_before_needs_no_recipe(tmp_path: Path) -> None:
    """A version that was replaced since can still be read; what is none cannot."""
    old = {"kubernetes": "v1.30.1", "gatekeeper": "v3.1.0"}
    (tmp_path / "a.yaml").write_text(yaml.safe_dump(_GOOD | {"shape": old}), encoding="utf-8")

    loaded = load(tmp_path / "a.yaml", {"kubernetes": "v1.30.9"}, context=RECORDED)
    assert (loaded.shape.kubernetes, loaded.incident.shape.gatekeeper) == ("v1.30.9", "v3.1.0")
    with pytest.raises(BadScenario, match="options: kubernetes: Kubernetes new has no recipe"):
        load(tmp_path / "a.yaml", {"kubernetes": "new"}, context=RECORDED)


@pytest.mark.parametrize(
    ("changes", "problem"),
    [
        ({"titel": "x"}, "titel: no such field; did you mean title? there are schema, title, story"),
        ({"shape": {"worker": 1}}, "shape.worker: no such field; did you mean workers? there are control_planes"),
        ({"faults": [{"fault": "cut_registry", "at": 1, "lasst": 2}]}, "lasst: no such field; did you mean lasts?"),
        ({"claims": [{"check": "undisturbed", "expect": "hold"}]}, "found 'hold'; did you mean holds?"),
        ({"title": 7}, "title: expected a text, found 7"),
        ({"schema": 3}, "schema: this version of the harness reads schema 1 and 2 (was 3)"),
        ({"schema": True}, "schema: this version of the harness reads schema 1 and 2 (was True)"),
        ({"schema": 1.0}, "schema: this version of the harness reads schema 1 and 2 (was 1.0)"),
        ({"title": "\x1b]52;c;cm0gLXJm\x07"}, r"title: expected visible characters, found '\\x1b]52;c;cm0gLXJm"),
        ({"title": "a\u202egpj"}, r"title: expected visible characters, found 'a\\u202egpj'"),
        ({"\x1b[2J": 1}, r"a.yaml:11:1: \x1b[2J: no such field"),
        ({"links": ["https://a/\x1b[2J"]}, r"links.0: expected visible characters"),
        ({"shape": {"control_planes": True}}, "shape.control_planes: expected a whole number"),
        (
            {"faults": [{"fault": "kill_containers", "at": 1, "with": {"selector": "a=\x1b[2J"}}]},
            r"faults.0.with.selector: expected visible characters, found 'a=\x1b[2J'",
        ),
        ({"seed": -1}, "seed: expected at least 0, found -1"),
        ({"links": ["javascript:alert(1)"]}, "links.0: expected an address"),
        ({"shape": {"workers": 99}}, "shape.workers: expected at most 6, found 99"),
        ({"shape": {"nodes": 3}}, "shape.nodes: no such field"),
        ({"faults": []}, "faults: expected at least 1 of them, found 0"),
        ({"faults": [{"fault": "cut_registry"}]}, "faults.0: expected one of at, when and after, found none of them"),
        ({"faults": [{"fault": "cut_registry", "at": 1, "when": {"kind": "Pod"}}]}, "found at and when"),
        ({"faults": [{"fault": "cut_registry", "at": "-3s"}]}, "faults.0.at: expected a duration such as 30s"),
        (
            {"faults": [{"fault": "cut_registry", "at": 1, "lasts": 0}]},
            "faults.0.lasts: expected more than 0, found 0",
        ),
        ({"faults": [{"fault": "cut_registri", "at": 1}]}, "no such fault 'cut_registri'; did you mean cut_registry?"),
        (
            {"faults": [{"fault": "cut_registry", "at": 1, "with": {"how": "503", "nodes": ["$worker"]}}]},
            "only 'drop' can",
        ),
        ({"faults": [{"fault": "reschedule_pod", "at": 1, "with": {"pod": "$pods"}}]}, "no such reference '$pods'"),
        (
            {"faults": [{"fault": "cut_registry", "at": 1, "with": {"how": "drop", "nodes": ["kind-control-plane"]}}]},
            "faults.0.with.nodes: 'kind-control-plane' is a node of another cluster; say which of its own: $worker",
        ),
        (
            {
                "faults": [
                    {"fault": "remove_image", "at": 1, "with": {"image": "a", "nodes": ["$worker", "kind-worker"]}}
                ]
            },
            "faults.0.with.nodes: 'kind-worker' is a node of another cluster",
        ),
        (
            {"faults": [{"fault": "restart_api_server", "at": 1, "with": {"node": "kind-control-plane"}}]},
            "faults.0.with.node: 'kind-control-plane' is a node of another cluster",
        ),
        (
            {"faults": [{"fault": "edit_object", "at": 1, "with": _EDIT | {"name": "../secrets/x"}}]},
            "faults.0.with: name: expected the name of an object, which is no option and no path, found '../secrets/x'",
        ),
        (
            {"faults": [{"fault": "edit_object", "at": 1, "with": _EDIT | {"namespace": "--all"}}]},
            "namespace: expected the name of a namespace, found '--all'",
        ),
        (
            {"workload": [{"object": {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "--all"}}}]},
            "workload.0.object.metadata.name: expected the name of an object, which is no option and no path",
        ),
        (
            {"workload": [{"object": {"apiVersion": "v1/../../x", "kind": "Pod", "metadata": {"name": "a"}}}]},
            "workload.0.object.apiVersion: expected a version such as v1 or apps/v1, found 'v1/../../x'",
        ),
        ({"faults": [{"fault": "cut_registry", "after": "b"}]}, "faults.0.after: no step has the id, or the"),
        ({"claims": [{"check": "recovers_within", "with": {"seconds": 6}}]}, "needs the parameter how"),
        (
            {"claims": [{"check": "undisturbed", "expect": "maybe"}]},
            "claims.0.expect.0.verdict: expected 'holds' or 'violated', found 'maybe'",
        ),
        (
            {"claims": [{"check": "undisturbed", "issue": "soon"}]},
            "claims.0.issue: expected an issue such as open-policy-agent/gatekeeper#3839",
        ),
        ({"probes": [{"probe": "ask"}]}, "no such probe 'ask'"),
        ({"probes": [{"probe": "ask_replicas", "with": {"every": "often"}}]}, "probes.0.with.every"),
        ({"budget": "30s"}, "budget: the timeline may take 62 s, which is more than the budget of 30 s"),
        (
            {"budget": "100s", "repeat": 2},
            "the timeline, 2 times, may take 124 s, which is more than the budget of 100",
        ),
        ({"repeat": 21}, "repeat: expected at most 20, found 21"),
        ({"budget": "9h"}, "budget: expected at most 21600, found '9h'"),
        ({"policies": [{}]}, "policies.0: expected one of object, file, policy"),
        ({"policies": [{"policy": "deny_pods", "with": {"a": 1}}]}, "policies.0.with.a: deny_pods takes no such"),
        ({"policies": [{"policy": "deny_all"}]}, "policies.0.policy: no such policy 'deny_all'"),
        ({"watch": ["everything"]}, "watch.0: no such watch 'everything'; there are constraints KIND, control plane, "),
        ({"watch": ["webhook"]}, "watch.0: no such watch 'webhook'; did you mean webhooks? there are "),
        ({"watch": ["constraints"]}, "watch.0: no such watch 'constraints'; did you mean constraints? there are "),
        ({"watch": ["constraints ../secrets"]}, "watch.0: expected the name of a watch, such as generated"),
        ({"policies": [{"file": "../b.yaml"}]}, "policies.0.file: '../b.yaml' leads out of the incident's directory"),
        ({"policies": [{"file": "/etc/passwd"}]}, "leads out of the incident's directory"),
        ({"policies": [{"file": "b.yaml"}]}, "policies.0.file: no file 'b.yaml' in"),
        ({"workload": [{"object": {"kind": "Pod", "apiVersion": "v1"}}]}, "an object needs the field metadata.name"),
        (
            {"workload": [{"object": {"kind": "Secret", "apiVersion": "v1", "metadata": {"name": "a"}}}]},
            "a Secret does not belong",
        ),
        (
            {"workload": [{"object": {"kind": "secret", "apiVersion": "v1", "metadata": {"name": "a"}}}]},
            "a Secret does not belong",
        ),
        (
            {"workload": [{"object": _NAMESPACE | {"spec": [{"kind": "Secret", "stringData": {"a": "b"}}]}}]},
            "workload.0.object: a Secret does not belong",
        ),
        (
            {"workload": [{"object": _NAMESPACE | {"kind": "NamespaceList", "items": [{}]}}]},
            "the objects of a List are applied one by one: write each as a document",
        ),
        (
            {"workload": [{"object": _NAMESPACE | {"apiVersion": "v1/../../x"}}]},
            "workload.0.object.apiVersion: expected a version such as v1 or apps/v1, found 'v1/../../x'",
        ),
        (
            {"workload": [{"object": _NAMESPACE | {"metadata": {"name": "../../nodes/n"}}}]},
            "metadata.name: expected the name of an object, which is no option and no path, found '../../nodes/n'",
        ),
        (
            {"workload": [{"object": _NAMESPACE | {"metadata": {"name": "a", "namespace": "a/../b"}}}]},
            "metadata.namespace: expected the name of a namespace, found 'a/../b'",
        ),
    ],
)
def test_one_problem(tmp_path: Path, changes: dict[str, Any], problem: str) -> None:
    """Each thing that a file must not say is told once, behind file, line and column."""
    problems = _problems(tmp_path, **changes)

    assert len(problems) == 1, problems
    assert problem in problems[0]
    assert problems[0].startswith(f"{tmp_path}/a.yaml:")
    line = int(problems[0].removeprefix(f"{tmp_path}/a.yaml:").partition(":")[0])
    assert line >= 1


def test_all_problems_at_once(tmp_path: Path) -> None:
    """Problems of fields, names, times and files come together, as they stand in the file from its top."""
    problems = _problems(
        tmp_path,
        title=7,
        faults=[{"fault": "cut", "at": -1}, {"fault": "kill_containers", "at": 1, "after": "x"}],
        claims=[{"check": "never"}],
        workload=[{"file": "nowhere.yaml"}],
    )

    text = "\n".join(problems)
    for words in ("title", "no such fault 'cut'", "faults.0.at", "either names of pods", "found at and after", "never"):
        assert words in text
    assert "nowhere.yaml" in problems[-1]
    lines = [int(problem.removeprefix(f"{tmp_path}/a.yaml:").partition(":")[0]) for problem in problems[:-1]]
    assert lines == sorted(lines)


@pytest.mark.parametrize("name", ["b\0.yaml", "b" * 300, "b/" * 5000, "\x1b[2J"])
def test_a_file_s_name_that_no_file_can_have(tmp_path: Path, name: str) -> None:
    """A NUL, too many letters, or signs that are not seen, are a problem of the file, with its line."""
    problems = _problems(tmp_path, policies=[{"file": name}])

    assert [
        problem for problem in problems if not problem.startswith(f"{tmp_path}/a.yaml:12:3: policies.0.file: ")
    ] == []
    assert [problem for problem in problems if not problem.isprintable() or len(problem) > 500] == []


def test_a_list_of_secrets_is_refused(tmp_path: Path) -> None:
    """A List does not hide what it holds."""
    listed = {"kind": "List", "apiVersion": "v1", "metadata": {"name": "a"}, "items": [{"kind": "Secret", "data": {}}]}
    (problem,) = _problems(tmp_path, workload=[{"object": listed}])

    assert "a Secret does not belong" in problem


def test_an_ordinary_object_that_speaks_of_secrets_is_none(tmp_path: Path) -> None:
    """A reference to a Secret, and a name with a colon, are what Kubernetes has every day."""
    binding = {
        "kind": "ClusterRoleBinding",
        "apiVersion": "rbac.authorization.k8s.io/v1",
        "metadata": {"name": "system:a"},
        "spec": {"ref": {"kind": "Secret", "name": "a"}, "kinds": ["Secret"]},
    }
    assert _load(tmp_path, workload=[{"object": binding}]).workload == ((binding,),)


def test_a_long_chain_of_steps_is_refused_in_time(tmp_path: Path) -> None:
    """Thousands of steps that wait for each other cost no more than their number: the model says that they are many."""
    chain = [{"fault": "nonsense", "id": f"a{number}", "after": f"a{number + 1}"} for number in range(2500)]
    path = tmp_path / "a.yaml"
    path.write_text(json.dumps(_GOOD | {"faults": chain}), encoding="utf-8")
    began = time.process_time()
    with pytest.raises(BadScenario, match="faults: expected at most 50 of them, found 2500") as error:
        load(path)
    assert time.process_time() - began < 10
    assert len(error.value.problems) == 101


def test_a_circle(tmp_path: Path) -> None:
    """Steps that wait for each other are refused, and the circle is told."""
    steps = [{"fault": "cut_registry", "id": step, "after": before} for step, before in ("ac", "ba", "cb")]

    assert "faults.0.after: the steps wait for each other: a after c" in _problems(tmp_path, faults=steps)[0]


def test_double_ids(tmp_path: Path) -> None:
    """An id names one step."""
    steps = [{"fault": "cut_registry", "id": "a", "at": 1}, {"fault": "cut_registry", "id": "a", "at": 2}]

    assert "faults.1.id: 'a' is the id of step 1, too" in _problems(tmp_path, faults=steps)[0]


def test_files_beside(tmp_path: Path) -> None:
    """Objects of a file beside the incident are read in their order; their problems have the file's own lines."""
    (tmp_path / "more").mkdir()
    file = tmp_path / "more/objects.yaml"
    file.write_text("apiVersion: v1\nkind: Namespace\nmetadata: {name: a}\n---\nkind: Pod\nmetadata: {}\n")

    problems = _problems(tmp_path, workload=[{"file": "more/objects.yaml"}])
    assert [problem.replace(str(file), "file") for problem in problems] == [
        "file:5:1: an object needs the field apiVersion",
        "file:5:1: an object needs the field metadata.name",
    ]

    file.write_text("apiVersion: v1\nkind: Namespace\nmetadata: {name: a}\n")
    loaded = _load(tmp_path, workload=[{"file": "more/objects.yaml"}, {"object": yaml.safe_load(file.read_text())}])
    assert [[manifest["metadata"]["name"] for manifest in item] for item in loaded.workload] == [["a"], ["a"]]
    assert loaded.files == (file,)


@thorough
def test_a_file_that_is_named_often_is_read_once(tmp_path: Path) -> None:
    """Four hundred times a large file costs what it costs once, and many large files are more than an incident has."""
    large = _NAMESPACE | {"metadata": {"name": "a", "labels": {f"k{number}": "v" for number in range(3000)}}}
    (tmp_path / "large.yaml").write_text(json.dumps(large), encoding="utf-8")
    policies, workload = ([{"file": "large.yaml"} for _ in range(200)] for _ in range(2))
    began = time.process_time()
    assert len(_load(tmp_path, policies=policies, workload=workload).workload) == 200
    assert time.process_time() - began < 5

    for number in range(40):
        (tmp_path / f"{number}.yaml").write_text(json.dumps(_NAMESPACE) + "\n" + "#" * 250_000, encoding="utf-8")
    problems = _problems(tmp_path, workload=[{"file": f"{number}.yaml"} for number in range(40)])
    assert "workload.16.file: with this file all files have more than 4 MiB" in problems[0]


def test_a_link_out(tmp_path: Path) -> None:
    """A link that leads out of the directory is refused, whatever it is called."""
    inside = tmp_path / "inside"
    inside.mkdir()
    (tmp_path / "b.yaml").write_text("kind: Namespace\n")
    (inside / "b.yaml").symlink_to(tmp_path / "b.yaml")

    assert "leads out of" in _problems(inside, policies=[{"file": "b.yaml"}])[0]


@pytest.mark.parametrize("text", ["", "a: 1\n---\nb: 2\n"])
def test_one_document(tmp_path: Path, text: str) -> None:
    """A file that is empty or holds several documents is no incident."""
    (tmp_path / "a.yaml").write_text(text)

    with pytest.raises(BadScenario, match="expected one YAML document"):
        load(tmp_path / "a.yaml")


def test_no_mapping(tmp_path: Path) -> None:
    """A list is no incident."""
    (tmp_path / "a.yaml").write_text("- 1\n")

    with pytest.raises(BadScenario, match=r"a\.yaml:1:1: expected an incident"):
        load(tmp_path / "a.yaml")


def test_expectations(tmp_path: Path) -> None:
    """The first expectation that fits the versions counts; where none fits, nothing is expected."""
    expect = [{"verdict": "violated", "gatekeeper": "<3.20"}, {"verdict": "holds", "gatekeeper": "<3.23.1"}]
    (claimed,) = _load(tmp_path, claims=[{"check": "undisturbed", "expect": expect}]).incident.claims

    shapes = {version: _load(tmp_path, {"gatekeeper": version}).shape for version in ("v3.18.3", "v3.20.1", "v3.23.1")}
    assert [claimed.expected(shape) for shape in shapes.values()] == ["violated", "holds", None]
    assert claimed.symptom
