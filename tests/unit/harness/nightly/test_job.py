"""Jobs: what is rendered for a plan, which files travel with it, and what is refused before anything is written."""

import json
from pathlib import Path
from typing import Any

import pytest
import yaml

from chaos_harness.harness.nightly import carried
from tests.fakes.night_place import NightPlace

_REQUIRED = ("--image", "acme/harness:1", "--claim", "results")


def _pod(job: dict[str, Any]) -> dict[str, Any]:
    pod: dict[str, Any] = job["spec"]["template"]["spec"]
    return pod


def _request(job: dict[str, Any]) -> dict[str, str]:
    asked: dict[str, str] = _pod(job)["containers"][0]["resources"]["requests"]
    return asked


def _order(config: dict[str, Any]) -> dict[str, Any]:
    order: dict[str, Any] = json.loads(config["data"]["order.json"])
    return order


def test_a_shard_is_an_index(here: NightPlace) -> None:
    """All pods run at once, each index is tried again by itself, and what a node does to a pod is not counted."""
    spec = here.job(3)[1]["spec"]
    assert (spec["completionMode"], spec["completions"], spec["parallelism"]) == ("Indexed", 3, 3)
    assert (spec["backoffLimitPerIndex"], spec["podReplacementPolicy"]) == (3, "Failed")
    (rule,) = spec["podFailurePolicy"]["rules"]
    assert rule == {"action": "Ignore", "onPodConditions": [{"type": "DisruptionTarget", "status": "True"}]}
    assert "maxFailedIndexes" not in spec, "one index that fails for good ends no other"


def test_a_pod_has_an_engine_of_its_own(here: NightPlace) -> None:
    """It is privileged, its images lie on an emptyDir, it has no token of the cluster, and time to undo at its end."""
    pod = _pod(here.job()[1])
    (container,) = pod["containers"]
    environment = {each["name"]: each.get("value") for each in container["env"]}
    assert container["securityContext"]["privileged"] is True
    assert (environment["CHAOS_ENGINE"], environment["CI"]) == ("private", "true")
    (scratch,) = (volume["name"] for volume in pod["volumes"] if "emptyDir" in volume)
    (path,) = (mount["mountPath"] for mount in container["volumeMounts"] if mount["name"] == scratch)
    assert all(environment[name].startswith(f"{path}/") for name in ("XDG_CACHE_HOME", "XDG_STATE_HOME"))
    assert (pod["restartPolicy"], pod["automountServiceAccountToken"]) == ("Never", False)
    assert pod["terminationGracePeriodSeconds"] > 300
    assert pod["dnsPolicy"] == "Default", "the cluster in the pod has its own DNS at the address of the outer one's"


def test_pods_lie_on_different_nodes_if_there_are_enough(here: NightPlace) -> None:
    """They are spread by the label that all of them have, and are scheduled all the same if nodes are few."""
    job = here.job()[1]
    (spread,) = _pod(job)["topologySpreadConstraints"]
    assert (spread["topologyKey"], spread["whenUnsatisfiable"]) == ("kubernetes.io/hostname", "ScheduleAnyway")
    assert spread["labelSelector"]["matchLabels"].items() <= job["spec"]["template"]["metadata"]["labels"].items()


@pytest.mark.parametrize(("jobs", "memory", "cores"), [(1, "3212Mi", "1"), (2, "5912Mi", "2")])
def test_a_pod_asks_for_what_its_cells_take(here: NightPlace, jobs: int, memory: str, cores: str) -> None:
    """That is the memory of the largest cell, as often as cells run at a time, and half a GiB for the engine."""
    config, job = here.job(2, "--jobs", str(jobs))
    assert (_request(job)["memory"], _request(job)["cpu"]) == (memory, cores)
    assert _order(config)["jobs"] == jobs


@pytest.mark.parametrize(
    ("options", "seconds"),
    [(("--budget", "2h"), 7200 + 3 * 135 + 3600), ((), 3 * 270 + 3 * 135 + 3600)],
)
def test_a_job_has_an_end(here: NightPlace, options: tuple[str, ...], seconds: int) -> None:
    """It has the budget, or else three times what the busiest shard takes; then the last cell, and an hour."""
    assert here.job(2, *options)[1]["spec"]["activeDeadlineSeconds"] == seconds


def test_the_plan_is_the_one_of_the_shards(here: NightPlace) -> None:
    """The annotation has the digest that `--shard` of the same matrix writes into its ledger."""
    config, job = here.job(2)
    assert here.night("matrix.yaml", "--shard", "1/2", "--out", "shard") == 0
    head = json.loads(Path("shard/night.jsonl").read_text(encoding="utf-8").splitlines()[0])
    assert {each["metadata"]["annotations"]["chaos-harness/plan"] for each in (config, job)} == {head["digest"]}
    assert _order(config)["digest"] == head["digest"]


def test_the_registry_is_a_mirror(here: NightPlace) -> None:
    """It is what the harness calls one: images of docker.io are asked for there."""
    objects = here.job(2, "--registry", "http://registry.chaos:5000", "--namespace", "chaos", "--ready-set", "/i.tar")
    environment = {each["name"]: each.get("value") for each in _pod(objects[1])["containers"][0]["env"]}
    assert environment["CHAOS_MIRROR"] == "http://registry.chaos:5000"
    assert {each["metadata"]["namespace"] for each in objects} == {"chaos"}
    assert _order(objects[0])["images"] == "/i.tar"


def test_files_of_ones_own_travel(here: NightPlace) -> None:
    """Those that the matrix names, folders but for bytecode, the lock, and what is added; text can be read in it."""
    for name in ("e2e/test_c.py", "e2e/__pycache__/test_c.pyc", "charts/ours/Chart.yaml"):
        (here.folder / name).parent.mkdir(parents=True, exist_ok=True)
        (here.folder / name).write_text("text: 1\nmore: 2\n", encoding="utf-8")
    (here.folder / "charts/ours/logo").write_bytes(b"\xff\xfe")
    (here.folder / "lock.yaml").write_text(f"node/v1: a@sha256:{'1' * 64}\n", encoding="utf-8")
    here.write_matrix("schema: 1\nrun: [e2e, test_a.py]\nwithoutFault: test_healthy.py\n")
    here.come_to({"e2e": {}, "test_c.py": {}})
    config, job = here.job(2, "--add", "charts", "--lock", "lock.yaml", "--locked")
    (volume,) = (each["configMap"] for each in _pod(job)["volumes"] if "configMap" in each)
    paths = {item["path"]: item["key"] for item in volume["items"]}
    assert sorted(paths) == [
        *("files/charts/ours/Chart.yaml", "files/charts/ours/logo", "files/e2e/test_c.py"),
        *("files/lock.of-this-job.yaml", "files/matrix.yaml", "files/test_a.py", "files/test_healthy.py", "order.json"),
    ]
    assert paths["files/charts/ours/logo"] in config["binaryData"]
    assert config["data"][paths["files/e2e/test_c.py"]] == "text: 1\nmore: 2\n"
    assert "  text: 1\n" in Path("job.yaml").read_text(encoding="utf-8")
    assert (_order(config)["lock"], _order(config)["locked"]) == ("lock.of-this-job.yaml", True)


def test_the_harnesss_own_scenarios_do_not_travel(here: NightPlace, capsys: pytest.CaptureFixture[str]) -> None:
    """Each image has them; but a matrix among them may name nothing else."""
    own = here.folder / "scenarios"
    own.mkdir()
    for name in ("matrix.yaml", "test_a.py", "test_b.py", "test_healthy.py"):
        (here.folder / name).rename(own / name)
    assert here.night("scenarios/matrix.yaml", "--job", "2", *_REQUIRED) == 0
    config, _ = yaml.safe_load_all(capsys.readouterr().out)
    assert (len(config["data"]), _order(config)["own"]) == (2, ".")
    (here.folder / "elsewhere.py").touch()
    text = (own / "matrix.yaml").read_text(encoding="utf-8").replace("test_a.py", "../elsewhere.py")
    (own / "matrix.yaml").write_text(text, encoding="utf-8")
    assert here.night("scenarios/matrix.yaml", "--job", "2", *_REQUIRED) == 2
    assert "elsewhere.py" in capsys.readouterr().err


_LONG = "a" * 53
_REFUSED = {
    "no shard": (("--job", "0", *_REQUIRED), ["--job: expected a whole number from 1 to 1000"]),
    "more shards than cells": (("--job", "4", *_REQUIRED), ["--job 4: there are 3 cells, so at most 3 shards"]),
    "nothing is named": (("--job", "2"), ["--image IMAGE: is missing", "--claim NAME: is missing"]),
    "an image without a tag": (
        ("--job", "2", "--image", "host:5000/acme/harness", "--claim", "r"),
        ["host:5000/acme/harness has no tag and no digest"],
    ),
    "names that are none": (
        *(("--job", "2", "--image", "A b", "--claim", "my_claim", "--name", _LONG, "--namespace", "x.y"),),
        ["--image: expected an image", "--claim: expected", "--name: expected at most 52", "--namespace: expected"],
    ),
    "a digest that is none": (
        ("--job", "2", "--image", "a@sha256:12", "--claim", "r"),
        ["expected sha256:<64 digits> after @, found 'sha256:12'"],
    ),
    "a registry that is none": (
        ("--job", "2", *_REQUIRED, "--registry", "https://r.example", "--ready-set", "a.tar"),
        ["--registry: expected HOST[:PORT][/PATH]", "--ready-set a.tar: expected an absolute path"],
    ),
    "a lock that is none": (("--job", "2", *_REQUIRED, "--lock", "none.yaml"), ["none.yaml: cannot be read"]),
    "a file that is not there": (("--job", "2", *_REQUIRED, "--add", "none"), ["none: cannot be read"]),
    "two things at once": (("--job", "2", "--plan", *_REQUIRED), ["--plan and --job: choose one of them"]),
    "a shard of its own": (("--job", "2", "--shard", "1/2", *_REQUIRED), ["--shard: each pod of a Job has its own"]),
    "options of a Job without one": (("--claim", "r", "--add", "a"), ["--claim, --add: only with --job N"]),
    "an order without a folder": (("--pod", "none"), ["none/order.json: cannot be read"]),
    "a pod with a budget": (("--pod", "none", "--budget", "1h"), ["--pod: budget: are in its order"]),
}


@pytest.mark.parametrize("name", _REFUSED)
def test_what_is_refused(here: NightPlace, name: str, capsys: pytest.CaptureFixture[str]) -> None:
    """One error with all problems, status 2, and no manifest."""
    arguments, told = _REFUSED[name]
    matrix = () if "--pod" in arguments else ("matrix.yaml",)
    try:
        status = here.night(*matrix, *arguments)
    except SystemExit as ended:
        status = int(str(ended.code))
    output = capsys.readouterr()
    said = " ".join(output.err.split())
    assert (status, output.out, here.ran()) == (2, "", [])
    assert said.count("error:") == 1
    assert [words for words in told if words not in said] == []


def test_a_plan_of_nothing_is_refused(here: NightPlace, capsys: pytest.CaptureFixture[str]) -> None:
    """With the reasons why nothing is left."""
    here.come_to()
    (here.folder / "cells.json").write_text("{}", encoding="utf-8")
    assert here.night("matrix.yaml", "--job", "1", *_REQUIRED) == 2
    said = " ".join(capsys.readouterr().err.split())
    assert "comes to no cell" in said
    assert "test_a.py: cannot be listed" in said


def test_files_that_are_too_large_are_refused(here: NightPlace, capsys: pytest.CaptureFixture[str]) -> None:
    """Kubernetes would refuse the ConfigMap; the largest are named."""
    (here.folder / "test_a.py").write_text("#" * (carried._MOST_BYTES + 1), encoding="utf-8")
    assert here.night("matrix.yaml", "--job", "2", *_REQUIRED) == 2
    assert "the largest are test_a.py" in " ".join(capsys.readouterr().err.split())
