"""Samples: what each reader of foreign bytes should read, and what a stranger makes of it."""

import gzip
import hashlib
import json
import tempfile
import zipfile
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from random import Random
from typing import Any

from chaos_harness.clusters.api import readonly
from chaos_harness.clusters.api.readonly import ReadOnlyCluster
from chaos_harness.clusters.images import gatekeeper_release
from chaos_harness.clusters.images.lock_file import read_lock
from chaos_harness.clusters.images.ready_set import read_index, unpack
from chaos_harness.clusters.machine import owner
from chaos_harness.clusters.shape import Shape
from chaos_harness.clusters.terminal.escape import escape_controls
from chaos_harness.harness.errors import BadScenario
from chaos_harness.harness.history import read
from chaos_harness.harness.incident.ab.ledger import Head
from chaos_harness.harness.incident.ab.ledger import Ledger as Comparisons
from chaos_harness.harness.incident.bundle.recheck import recheck, report
from chaos_harness.harness.incident.bundle.write import MANIFEST
from chaos_harness.harness.incident.draft import draft
from chaos_harness.harness.incident.load import load
from chaos_harness.harness.incident.shrink.ledger import Ledger
from chaos_harness.harness.suites.read import read_suite
from chaos_harness.harness.undo.journal import pending
from chaos_harness.reports.truth import page, verdict_lines
from chaos_harness.reports.truth import rows as truth_rows
from tests.fakes.charts import chart
from tests.fakes.incidents import bundled, incident
from tests.fakes.kind_file import kind_file
from tests.fakes.nights import matrix, night, order
from tests.fakes.own_gatekeeper import own_gatekeeper
from tests.fakes.ready_sets import archive, images, index
from tests.fakes.strangers import changed, mutated, rewritten

__all__ = ["READERS", "Reader", "whole_files"]

_BUNDLED = (MANIFEST, "incident/a.yaml", "incident/more.yaml", "runs/1/history.jsonl")

Read = Callable[[], object]


@dataclass(frozen=True)
class Reader:
    """Who reads foreign bytes: the modules that do, and what writes a stranger's sample and returns who reads it.

    What reads it may return the text that it tells.
    """

    modules: tuple[str, ...]
    sample: Callable[[Random, Path], Read]


def _incident(chance: Random, folder: Path) -> Read:
    (folder / "more.yaml").write_bytes(whole_files()["more.yaml"])
    path = folder / "a.yaml"
    path.write_bytes(rewritten(chance, whole_files()["a.yaml"]))
    return lambda: load(path)


def _beside(chance: Random, folder: Path) -> Read:
    path = folder / "a.yaml"
    path.write_bytes(whole_files()["a.yaml"])
    (folder / "more.yaml").write_bytes(rewritten(chance, whole_files()["more.yaml"]))
    return lambda: load(path)


def _bundle(chance: Random, folder: Path) -> Read:
    files = {name: content for name, content in whole_files().items() if name in _BUNDLED}
    name = chance.choice(list(files))
    good = whole_files()[name.removeprefix("incident/")] if name.startswith("incident/") else files[name]
    files[name] = _lines(chance, good) if name.endswith(".jsonl") else rewritten(chance, good)
    if name != MANIFEST and chance.randint(0, 3):
        manifest = json.loads(files[MANIFEST])
        manifest["files"][name] = {
            "bytes": len(files[name]),
            "sha256": hashlib.sha256(files[name]).hexdigest(),
        }
        files[MANIFEST] = json.dumps(manifest).encode()
    path = folder / "bundle"
    if chance.randint(0, 1):
        with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as file:
            for file_name, content in files.items():
                file.writestr(file_name, content)
        if chance.randint(0, 1):
            path.write_bytes(mutated(chance, path.read_bytes()))
    else:
        for file_name, content in files.items():
            (path / file_name).parent.mkdir(parents=True, exist_ok=True)
            (path / file_name).write_bytes(content)
    return lambda: "\n".join(report(path, *recheck(path)))


def _history(chance: Random, folder: Path) -> Read:
    path = folder / "history.jsonl"
    path.write_bytes(_lines(chance, whole_files()["runs/1/history.jsonl"]))
    return lambda: sum(1 for _ in read(path).entries)


def _suite(chance: Random, folder: Path) -> Read:
    target = {"target": "admission.k8s.gatekeeper.sh", "rego": "package a"}
    head = {"apiVersion": "test.gatekeeper.sh/v1alpha1", "kind": "Suite"}
    case = {"name": "a", "object": "o.yaml", "inventory": ["o.yaml"], "assertions": [{"violations": 1, "message": "a"}]}
    files = {
        "a.yaml": {**head, "tests": [{"template": "t.yaml", "constraint": "c.yaml", "cases": [case]}]},
        "t.yaml": {
            "apiVersion": "templates.gatekeeper.sh/v1",
            "kind": "ConstraintTemplate",
            "metadata": {"name": "a"},
            "spec": {"crd": {"spec": {"names": {"kind": "A"}}}, "targets": [target]},
        },
        "c.yaml": {"apiVersion": "constraints.gatekeeper.sh/v1beta1", "kind": "A", "metadata": {"name": "a"}},
        "o.yaml": {"apiVersion": "admission.k8s.io/v1", "kind": "AdmissionReview", "request": {"oldObject": {"a": 1}}},
    }
    changed_name = chance.choice(list(files))
    for name, content in files.items():
        text = json.dumps(content).encode()
        (folder / name).write_bytes(rewritten(chance, text) if name == changed_name else text)
    return lambda: [
        (case.wanted, case.wants_denial, case.reviewed)
        for test in read_suite(folder / "a.yaml").tests
        for case in test.cases
    ]


def _ready_set(chance: Random, folder: Path) -> Read:
    held = {"images.tar": images(), "artefacts/kind-0/kind": b"program"}
    text = index(held)
    match chance.randint(0, 3):
        case 0:
            text = rewritten(chance, text)
        case 1:
            held["images.tar"] = mutated(chance, held["images.tar"])
            text = index(held)
        case 2:
            manifest = json.loads(images_manifest := b'[{"Config": "a", "RepoTags": ["chaos-harness/a:b"]}]')
            held["images.tar"] = archive(("manifest.json", rewritten(chance, images_manifest)), ("index.json", b"{}"))
            text = index(held, images=[tag for entry in manifest for tag in entry["RepoTags"]])
    whole = archive(("index.json", text), *held.items())
    path = folder / "set.tar"
    path.write_bytes(mutated(chance, whole) if chance.randint(0, 1) else whole)
    return lambda: (read_index(path), unpack(path, folder / "out"))


def _lock(chance: Random, folder: Path) -> Read:
    path = folder / "lock.yaml"
    path.write_bytes(rewritten(chance, json.dumps({"node/v1.36.4": f"kindest/node@sha256:{'0' * 64}"}).encode()))
    return lambda: read_lock(path)


def _gatekeeper_source(chance: Random, folder: Path) -> Read:
    names = ["deploy/gatekeeper.yaml", "charts/gatekeeper/Chart.yaml", "charts/gatekeeper/a.yaml"]
    whole = archive(*((f"gatekeeper-3.99.0/{name}", b"a: 1\n") for name in names))
    if chance.randint(0, 1):
        whole = mutated(chance, whole)
    packed = gzip.compress(whole, mtime=0)
    path = folder / "source.tar.gz"
    path.write_bytes(packed if chance.randint(0, 1) else mutated(chance, packed))
    target = folder / "release"
    target.mkdir()
    return lambda: gatekeeper_release.unpack(path, target)


def _kubeconfig(chance: Random, folder: Path) -> Read:
    good = {
        "apiVersion": "v1",
        "kind": "Config",
        "current-context": "mine",
        "clusters": [{"name": "c", "cluster": {"server": "https://127.0.0.1:1"}}],
        "contexts": [{"name": "mine", "context": {"cluster": "c", "user": "u"}}],
        "users": [{"name": "u", "user": {"token": "a", "client-certificate-data": "YQ==", "client-key-data": "YQ=="}}],
    }
    path = folder / "kubeconfig"
    path.write_bytes(rewritten(chance, json.dumps(good).encode()))

    def opened() -> None:
        with readonly.open_readonly(path):
            pass

    return opened


class _Answers(ReadOnlyCluster):
    """A cluster that answers what a stranger made of the answers of one."""

    def __init__(self, answers: Mapping[str, Any]) -> None:
        self._answers = answers

    def get(self, path: str, query: Mapping[str, str] | None = None) -> Any | None:
        return self._answers.get(path)


def _draft(chance: Random, folder: Path) -> Read:
    container = {"image": "openpolicyagent/gatekeeper:v3.20.1", "args": ["--a"], "resources": {"limits": {"cpu": 1}}}
    deployment = {
        "metadata": {"name": "gatekeeper-controller-manager", "labels": {"chart": "a"}},
        "spec": {"replicas": 3, "template": {"spec": {"containers": [container]}}},
    }
    event = {"message": "admission webhook", "reason": "Failed", "lastTimestamp": "2999-01-01T00:00:00Z"}
    constraint = {"metadata": {"name": "a", "labels": {"a": "b"}}, "spec": {"match": {"kinds": [{"kinds": ["Pod"]}]}}}
    version, templates = "constraints.gatekeeper.sh/v1beta1", "templates.gatekeeper.sh/v1"
    template = {"metadata": {"name": "k"}, "spec": {"crd": {"spec": {"names": {"kind": "K"}}}, "targets": []}}
    good = {
        foreign_path: {"items": items}
        for foreign_path, items in {
            "/apis/apps/v1/namespaces/gatekeeper-system/deployments": [deployment],
            "/api/v1/nodes": [{"metadata": {"labels": {"a": "b"}}}],
            "/api/v1/events": [event, event],
            "/apis/admissionregistration.k8s.io/v1/validatingwebhookconfigurations": [
                {"webhooks": [{"name": "validation.gatekeeper.sh"}]}
            ],
            f"/apis/{templates}/constrainttemplates": [template],
            f"/apis/{version}/ks": [constraint],
        }.items()
    } | {
        "/version": {"gitVersion": "v1.36.4"},
        "/apis/templates.gatekeeper.sh": {"preferredVersion": {"groupVersion": templates}},
        f"/apis/{templates}": {
            "resources": [{"name": "constrainttemplates", "kind": "ConstraintTemplate", "verbs": ["list"]}]
        },
        "/apis/constraints.gatekeeper.sh": {"preferredVersion": {"groupVersion": version}},
        f"/apis/{version}": {"resources": [{"name": "ks", "kind": "K", "verbs": ["list"]}]},
    }
    answers = dict(good)
    for path in chance.sample(list(good), chance.randint(1, 2)):
        answers[path] = changed(chance, good[path])

    def drafted() -> str:
        text = draft(_Answers(answers))
        file = folder / "a.yaml"
        file.write_text(text, encoding="utf-8")
        load(file)
        return text

    return drafted


def _ledger(chance: Random, folder: Path) -> Read:
    loaded = incident(folder)
    path = folder / "ledger.jsonl"
    good = Ledger(path, loaded, 7, 0.95)
    good.note(frozenset({"step 1"}), reproduced=True, seconds=1.0, seen="reproduced")
    good.note(frozenset(), reproduced=False, seconds=1.0, seen="not reproduced")
    path.write_bytes(_lines(chance, path.read_bytes()))
    return lambda: (Ledger.seed_of(path), Ledger(path, loaded, 7, 0.95))


def _comparison(chance: Random, folder: Path) -> Read:
    path = folder / "comparison.jsonl"
    head = Head(arms=("v3.20.1", "3.23"), files=("a.yaml",), digests=("x", "y"), pairs=2, seed=7)
    ended = {"slot": 1, "seen": "reproduced", "seconds": 1.0, "reason": None}
    path.write_bytes(_lines(chance, f"{head.model_dump_json()}\n{json.dumps(ended)}\n".encode()))
    return lambda: Comparisons.resume(path)


def _verdicts(chance: Random, folder: Path) -> Read:
    shape, figures = {"gatekeeper": "v3.23.1"}, {"a": 1.0}
    line: dict[str, Any] = {"test": "a::b", "claim": "c", "expected": "holds", "outcome": "holds", "issue": None}
    line |= {"seed": 1, "shape": shape, "seconds": 1.5, "summary": "s", "figures": figures}
    lines = _lines(chance, json.dumps(line).encode() + b"\n" + json.dumps(line).encode() + b"\n")
    (folder / verdict_lines.FILE).write_bytes(lines.decode(errors="ignore").encode())
    return lambda: len(verdict_lines.read_verdicts(folder / verdict_lines.FILE))


def _truth(chance: Random, folder: Path) -> Read:
    path = folder / "truth.json"
    given = {"run": "r", "history": "h", "outcome": "holds", "judge": "x", "seconds": 1.0}
    row = {"test": "a::b", "id": "undisturbed()", "claim": "c", "kubernetes": "v1.36.4", "gatekeeper": "v3.23.1"}
    rows = [row | {"install": "chart", "expected": "holds", "verdicts": [given, given]}]
    table = {"schema": 1, "judges": {"undisturbed()": "x"}, "rows": rows}
    path.write_bytes(rewritten(chance, json.dumps(table).encode()))

    def counted() -> int:
        try:
            truth_table = truth_rows.merge_rows(truth_rows.gather_rows([path], lambda _: None))
        except BadScenario as error:  # tests/unit/test_readers.py says what is not shown of it yet
            raise BadScenario(escape_controls(str(error), most=1000)) from error
        return len(page.page(truth_table)) + len(truth_table.json())

    return counted


def _owner(chance: Random, folder: Path) -> Read:
    who = {"run": "r", "pid": 1, "start": "2", "boot_id": "b", "expires": 1, "view": "v", "engines": ["e"]}
    name = chance.choice(("owner.json", "where.json"))
    (folder / "owner.json").write_bytes(json.dumps(who).encode())
    (folder / name).write_bytes(rewritten(chance, json.dumps(who).encode()))
    return lambda: (owner.owner_of(folder), owner.engines_of(folder))


def _journal(chance: Random, folder: Path) -> Read:
    path = folder / "journal.jsonl"
    undo = {"undo": 0, "action": "nodes.start", "arguments": {"node": "a"}, "harm": {"a": "b"}}
    lines = (undo, {"done": 0}, undo | {"undo": 2}, {"unreadable": 7})
    path.write_bytes(_lines(chance, b"".join(json.dumps(line).encode() + b"\n" for line in lines)))
    return lambda: len(pending(path))


def _shape(chance: Random, folder: Path) -> Read:
    fields = changed(chance, {"kubernetes": "1.36", "gatekeeper": "v3.20.1", "workers": 2, "control_planes": 1})
    return lambda: Shape.parse(fields if isinstance(fields, dict) else {"kubernetes": fields})


_ASK = {
    "ask": "it is told",
    "object": {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "asked"}},
    "verb": "update",
    "before": {"apiVersion": "v1", "kind": "ConfigMap"},
    "as": {"user": "jane", "groups": ["developers"]},
    "answer": {"mutated": {"data.a": "b"}},
}


READERS = {
    "incident file": Reader(
        (
            "harness/incident/load.py",
            "harness/incident/asks.py",
            "harness/incident/timeline.py",
            "clusters/machine/bounded_files.py",
        ),
        _incident,
    ),
    "file beside an incident": Reader(("harness/incident/yaml_source.py", "harness/catalogue.py"), _beside),
    "chart beside an incident": Reader(("harness/incident/charts.py",), chart),
    "suite": Reader(("harness/suites/read.py", "harness/suites/fields.py"), _suite),
    "bundle": Reader(("harness/incident/bundle/open.py", "harness/incident/bundle/files.py"), _bundle),
    "history": Reader(("harness/history/recorded.py",), _history),
    "ready set": Reader(("clusters/images/ready_set.py", "clusters/images/export.py"), _ready_set),
    "lock": Reader(("clusters/machine/bounded_files.py",), _lock),
    "Gatekeeper's source": Reader(("clusters/images/gatekeeper_release.py",), _gatekeeper_source),
    "kubeconfig": Reader(("clusters/api/readonly.py", "clusters/api/credential_program.py"), _kubeconfig),
    "a user's cluster": Reader(("clusters/api/readonly.py", "clusters/api/rest.py"), _draft),
    "ledger": Reader(("harness/incident/shrink/ledger.py",), _ledger),
    "comparison": Reader(("harness/incident/ab/ledger.py",), _comparison),
    "matrix": Reader(("harness/nightly/matrix.py",), matrix),
    "night": Reader(("harness/nightly/ledger.py",), night),
    "order": Reader(("harness/nightly/order.py",), order),
    "owner file": Reader(("clusters/machine/owner.py",), _owner),
    "journal": Reader(("harness/undo/journal.py",), _journal),
    "verdicts": Reader(("reports/truth/verdict_lines.py",), _verdicts),
    "truth": Reader(("reports/truth/rows.py",), _truth),
    "shape": Reader(("clusters/cluster.py",), _shape),
    "kind configuration": Reader(("clusters/kind_file.py",), kind_file),
    "Gatekeeper of one's own": Reader(
        ("clusters/own_gatekeeper.py", "clusters/images/chart_values.py"), own_gatekeeper
    ),
}
"""Every reader of bytes that others wrote. A new one gets a row, and its sample is what it should read."""


@cache
def whole_files() -> Mapping[str, bytes]:
    """Return files as they should be: an incident with a file beside it, and what a bundle of it has."""
    object_ = {
        "apiVersion": "v1",
        "kind": "Namespace",
        "metadata": {"name": "a", "labels": {"a": "b"}},
        "spec": {"n": 1},
    }
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        (folder / "more.yaml").write_text(json.dumps(object_), encoding="utf-8")
        bundle = bundled(
            folder,
            story="What was seen",
            links=["https://example.invalid/a"],
            shape={"workers": 2, "gatekeeper": "v3.20.1"},
            policies=[{"policy": "deny_pods"}, {"file": "more.yaml", "asks": [_ASK]}],
            workload=[{"object": object_}],
            faults=[
                {"fault": "cut_registry", "id": "a", "at": 0, "lasts": 0.05},
                {"fault": "reschedule_pod", "after": "a", "delay": "1s", "with": {"pod": "$pod(a=b)[2]"}},
            ],
        )
        bundled_files = {
            path.relative_to(bundle).as_posix(): path.read_bytes() for path in bundle.rglob("*") if path.is_file()
        }
        fields = load(folder / "a.yaml").incident.model_dump(mode="json", by_alias=True, exclude_defaults=True)
        return {**bundled_files, "a.yaml": json.dumps(fields).encode(), "more.yaml": json.dumps(object_).encode()}


def _lines(chance: Random, good: bytes) -> bytes:
    """Return lines of JSON of which one is other."""
    if not chance.randint(0, 2):
        return mutated(chance, good)
    lines = good.split(b"\n")[:-1]
    number = chance.randrange(len(lines))
    lines[number] = rewritten(chance, lines[number])
    return b"\n".join(lines) + b"\n"
