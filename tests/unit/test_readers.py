"""Readers: whatever bytes others wrote, who reads them answers in time, with little memory, by errors of our own."""

import ast
import hashlib
import json
import os
import resource
import tempfile
import time
import zipfile
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from random import Random
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from clusters import foreign
from clusters.foreign import Foreign
from clusters.images.ready_set import read_index, unpack
from clusters.images.resolve import read_lock
from clusters.shape import Shape
from clusters.shown import shown
from harness.errors import BadScenario, ChaosError
from harness.history import read
from harness.incident.bundle import MANIFEST
from harness.incident.draft import draft
from harness.incident.ledger import Ledger
from harness.incident.load import load
from harness.incident.recheck import recheck, told
from reports import truth, verdicts
from tests.fakes.incidents import bundled, incident
from tests.fakes.ready_sets import archive, images, index
from tests.fakes.strangers import changed, mutated, rewritten

_ROOT = Path(__file__).parents[2]
_EXAMPLES = int(os.environ.get("CHAOS_FUZZ_EXAMPLES", "20"))
_SECONDS = 3.0
_MOST_BYTES = 300 * 2**20
_LONGEST = 100_000

Read = Callable[[], object]


@dataclass(frozen=True)
class Reader:
    """Who reads foreign bytes: the modules that do, and what writes a stranger's sample and returns who reads it.

    What reads it may return the text that it tells.
    """

    modules: tuple[str, ...]
    sample: Callable[[Random, Path], Read]


def _incident(chance: Random, folder: Path) -> Read:
    (folder / "more.yaml").write_bytes(_good()["more.yaml"])
    path = folder / "a.yaml"
    path.write_bytes(rewritten(chance, _good()["a.yaml"]))
    return lambda: load(path)


def _beside(chance: Random, folder: Path) -> Read:
    path = folder / "a.yaml"
    path.write_bytes(_good()["a.yaml"])
    (folder / "more.yaml").write_bytes(rewritten(chance, _good()["more.yaml"]))
    return lambda: load(path)


def _bundle(chance: Random, folder: Path) -> Read:
    files = {name: content for name, content in _good().items() if name in _BUNDLED}
    name = chance.choice(list(files))
    good = _good()[name.removeprefix("incident/")] if name.startswith("incident/") else files[name]
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
            for each, content in files.items():
                file.writestr(each, content)
        if chance.randint(0, 1):
            path.write_bytes(mutated(chance, path.read_bytes()))
    else:
        for each, content in files.items():
            (path / each).parent.mkdir(parents=True, exist_ok=True)
            (path / each).write_bytes(content)
    return lambda: "\n".join(told(path, *recheck(path)))


def _history(chance: Random, folder: Path) -> Read:
    path = folder / "history.jsonl"
    path.write_bytes(_lines(chance, _good()["runs/1/history.jsonl"]))
    return lambda: sum(1 for _ in read(path).entries)


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
            text = index(held, images=[tag for each in manifest for tag in each["RepoTags"]])
    whole = archive(("index.json", text), *held.items())
    path = folder / "set.tar"
    path.write_bytes(mutated(chance, whole) if chance.randint(0, 1) else whole)
    return lambda: (read_index(path), unpack(path, folder / "out"))


def _lock(chance: Random, folder: Path) -> Read:
    path = folder / "lock.yaml"
    path.write_bytes(rewritten(chance, json.dumps({"node/v1.36.4": f"kindest/node@sha256:{'0' * 64}"}).encode()))
    return lambda: read_lock(path)


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
        with foreign.opened(path):
            pass

    return opened


class _Answers(Foreign):
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
    version = "constraints.gatekeeper.sh/v1beta1"
    good = {
        foreign_path: {"items": items}
        for foreign_path, items in {
            "/apis/apps/v1/namespaces/gatekeeper-system/deployments": [deployment],
            "/api/v1/nodes": [{"metadata": {"labels": {"a": "b"}}}],
            "/api/v1/events": [event, event],
            "/apis/admissionregistration.k8s.io/v1/validatingwebhookconfigurations": [
                {"webhooks": [{"name": "validation.gatekeeper.sh"}]}
            ],
            f"/apis/{version}/ks": [constraint],
        }.items()
    } | {
        "/version": {"gitVersion": "v1.36.4"},
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
    loaded = _loaded()
    path = folder / "ledger.jsonl"
    good = Ledger(path, loaded, 7, 0.95)
    good.note(frozenset({"step 1"}), reproduced=True, seconds=1.0, seen="reproduced")
    good.note(frozenset(), reproduced=False, seconds=1.0, seen="not reproduced")
    path.write_bytes(_lines(chance, path.read_bytes()))
    return lambda: (Ledger.seed_of(path), Ledger(path, loaded, 7, 0.95))


def _verdicts(chance: Random, folder: Path) -> Read:
    shape, figures = {"gatekeeper": "v3.23.1"}, {"a": 1.0}
    line: dict[str, Any] = {"test": "a::b", "claim": "c", "expected": "holds", "outcome": "holds", "issue": None}
    line |= {"seed": 1, "shape": shape, "seconds": 1.5, "summary": "s", "figures": figures}
    lines = _lines(chance, json.dumps(line).encode() + b"\n" + json.dumps(line).encode() + b"\n")
    (folder / verdicts.FILE).write_bytes(lines.decode(errors="ignore").encode())
    return lambda: len(verdicts.read(folder / verdicts.FILE))


def _truth(chance: Random, folder: Path) -> Read:
    path = folder / "truth.json"
    cell = {"test": "a::b", "claim": "c", "gatekeeper": "v3.23.1", "expected": "holds", "issue": None}
    cells = [cell | {"counts": {"holds": 3}, "seconds": [1.0, 2.0, 3.0]}]
    path.write_bytes(rewritten(chance, json.dumps(cells).encode()))

    def gathered() -> int:
        try:
            return len(truth.gathered(path))
        except BadScenario as error:  # see test_what_a_table_is_refused_for
            raise BadScenario(shown(str(error))) from error

    return gathered


def _shape(chance: Random, folder: Path) -> Read:
    fields = changed(chance, {"kubernetes": "1.36", "gatekeeper": "v3.20.1", "workers": 2, "control_planes": 1})
    return lambda: Shape.parse(fields if isinstance(fields, dict) else {"kubernetes": fields})


READERS = {
    "incident file": Reader(
        ("harness/incident/load.py", "harness/incident/timeline.py", "clusters/bounded.py"), _incident
    ),
    "file beside an incident": Reader(("harness/incident/source.py", "harness/catalogue.py"), _beside),
    "bundle": Reader(("harness/incident/unbundle.py", "harness/incident/packed.py"), _bundle),
    "history": Reader(("harness/history/recorded.py",), _history),
    "ready set": Reader(("clusters/images/ready_set.py", "clusters/images/carry.py"), _ready_set),
    "lock": Reader(("clusters/bounded.py",), _lock),
    "kubeconfig": Reader(("clusters/foreign.py",), _kubeconfig),
    "a user's cluster": Reader(("clusters/foreign.py", "clusters/rest.py"), _draft),
    "ledger": Reader(("harness/incident/ledger.py",), _ledger),
    "verdicts": Reader(("reports/verdicts.py",), _verdicts),
    "truth": Reader(("reports/truth.py",), _truth),
    "shape": Reader(("clusters/cluster.py",), _shape),
}
"""Every reader of bytes that others wrote. A new one gets a row, and its sample is what it should read."""

OURS = {
    "clusters/course.py": "what this run's own cluster says",
    "clusters/engine/": "what the engine, the kernel and this harness itself say on this machine",
    "clusters/gatekeeper.py": "Gatekeeper's release files, out of a module whose sum is checked",
    "clusters/images/golang.py": "what go says",
    "clusters/images/layers.py": "archives that it writes",
    "clusters/images/lock.py": "what the engine says",
    "clusters/images/node.py": "what ctr says in a container of ours",
    "clusters/inventory.py": "what the engine says",
    "clusters/network.py": "what the engine says",
    "clusters/ownership.py": "files of the user's own runs; tests/unit/test_ownership.py",
    "clusters/pool/": "files of the pool in the user's own state, and what the engine says",
    "clusters/serving.py": "what Gatekeeper answers in this run's own cluster",
    "harness/bench/": "what this machine's own measurements wrote",
    "harness/faults/": "what this run's own nodes and API server say",
    "harness/incident/bundle.py": "histories of this run, on their way into its bundle",
    "harness/incident/parts.py": "an incident that was loaded before",
    "harness/incident/provenance.py": "what this run's own nodes say",
    "harness/journal.py": "journals of the user's own runs; tests/unit/test_journal.py",
    "harness/probes/": "what this run's own cluster says",
    "harness/redaction": "whatever is to be made clean; tests/unit/test_redaction*.py",
    "reports/": "results of the run that is told, written by the harness itself",
}
"""What parses bytes that nobody else wrote, by the beginning of the module's path, and whose they are."""

_PARSERS = (
    *("validate_json", "model_validate_json", "raw_decode", "ZipFile", "TarFile", "load_kube_config", "fromstring"),
    *("iterparse", "unpack_archive", "DictReader", "read_string"),
)
_MODULES = ("json", "yaml", "tarfile", "tomllib", "pickle", "marshal", "plistlib", "ET", "csv")
_LOADS = (
    *("load", "loads", "load_all", "safe_load", "safe_load_all", "full_load", "unsafe_load", "open", "reader"),
    *("parse", "compose", "compose_all", "scan"),
)
_BUNDLED = (MANIFEST, "incident/a.yaml", "incident/more.yaml", "runs/1/history.jsonl")


@cache
def _good() -> Mapping[str, bytes]:
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
            policies=[{"policy": "deny_pods"}, {"file": "more.yaml"}],
            workload=[{"object": object_}],
            faults=[
                {"fault": "cut_registry", "id": "a", "at": 0, "lasts": 0.05},
                {"fault": "reschedule_pod", "after": "a", "delay": "1s", "with": {"pod": "$pod(a=b)[2]"}},
            ],
        )
        found = {path.relative_to(bundle).as_posix(): path.read_bytes() for path in bundle.rglob("*") if path.is_file()}
        fields = load(folder / "a.yaml").incident.model_dump(mode="json", by_alias=True, exclude_defaults=True)
        return {**found, "a.yaml": json.dumps(fields).encode(), "more.yaml": json.dumps(object_).encode()}


@cache
def _loaded() -> Any:
    return incident(Path(tempfile.mkdtemp()))


def _lines(chance: Random, good: bytes) -> bytes:
    """Return lines of JSON of which one is other."""
    if not chance.randint(0, 2):
        return mutated(chance, good)
    lines = good.split(b"\n")[:-1]
    number = chance.randrange(len(lines))
    lines[number] = rewritten(chance, lines[number])
    return b"\n".join(lines) + b"\n"


@pytest.mark.parametrize("name", READERS)
def test_what_a_stranger_wrote_is_answered(name: str, tmp_path: Path) -> None:
    """Each reader takes what it gets or refuses it by an error of ours, whose lines can be shown, in bounded time."""

    @settings(max_examples=_EXAMPLES, database=None, suppress_health_check=list(HealthCheck))
    @given(st.randoms(use_true_random=False))
    def fuzz(chance: Random) -> None:
        with tempfile.TemporaryDirectory(dir=tmp_path) as folder:
            reads = READERS[name].sample(chance, Path(folder))
            began = time.process_time()
            try:
                said = reads()
            except ChaosError as error:
                said = str(error)
            assert time.process_time() - began < _SECONDS
            if isinstance(said, str):
                assert shown(said, lines=True) == said
                assert len(said) < _LONGEST

    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    fuzz()
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < _MOST_BYTES // 1024


def test_a_good_sample_is_read(tmp_path: Path) -> None:
    """What the samples are made from can be read: else nothing was fuzzed but the first line of each reader."""
    for name, content in _good().items():
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_bytes(content)
    assert load(tmp_path / "a.yaml").policies[1]
    assert recheck(tmp_path)[2]


def _parses(source: str) -> Iterator[str]:
    """Yield what in a file turns bytes or text into data."""
    for node in ast.walk(ast.parse(source)):
        match node:
            case ast.Attribute(value=ast.Name(id=module), attr=name) if module in _MODULES and name in _LOADS:
                yield f"{module}.{name}"
            case ast.Attribute(attr=name) | ast.Name(id=name) if name in _PARSERS:
                yield name


def test_every_reader_has_a_row() -> None:
    """A module that parses is a row of READERS, or it is said in OURS whose bytes they are: nothing is left out."""
    rows = {module for reader in READERS.values() for module in reader.modules}
    for folder in ("clusters", "harness", "reports"):
        for path in sorted((_ROOT / folder).rglob("*.py")):
            module, parses = path.relative_to(_ROOT).as_posix(), set(_parses(path.read_text(encoding="utf-8")))
            if parses and module not in rows and not module.startswith(tuple(OURS)):
                pytest.fail(
                    f"{module} reads by {', '.join(sorted(parses))}: give it a row in READERS, or say whose in OURS"
                )
    assert [module for module in rows if not (_ROOT / module).is_file()] == []


@pytest.mark.parametrize(
    "planted",
    [
        *(
            "json.loads(text)",
            "json.load(file)",
            "yaml.safe_load(text)",
            "yaml.load(text, Loader)",
            "Model.model_validate_json(b)",
        ),
        *(
            "zipfile.ZipFile(path)",
            "tarfile.open(path)",
            "tomllib.load(file)",
            "pickle.loads(data)",
            "ET.fromstring(text)",
        ),
    ],
)
def test_a_planted_reader_is_found(planted: str) -> None:
    """Each way in which bytes become data is seen."""
    assert list(_parses(f"def f():\n    return {planted}\n"))


_CELL = {"test": "a::b", "claim": "c", "gatekeeper": "v1", "expected": "holds", "issue": None, "seconds": [1.0]}
_LINE = {"test": "a", "claim": "c", "expected": "holds", "outcome": "holds", "issue": None, "seed": 1, "summary": ""}


@pytest.mark.xfail(strict=True, raises=(UnicodeDecodeError, TypeError), reason="reports/verdicts.py does not look")
@pytest.mark.parametrize("line", [b"\xff", json.dumps(_LINE | {"seconds": 1.0, "shape": {"gatekeeper": []}}).encode()])
def test_verdicts_that_are_none(tmp_path: Path, line: bytes) -> None:
    """A file of verdicts that is no UTF-8, or whose version is no text, is refused."""
    (tmp_path / verdicts.FILE).write_bytes(line + b"\n")
    with pytest.raises(ChaosError):
        truth.gathered(tmp_path)


@pytest.mark.xfail(strict=True, raises=(ValueError, AssertionError), reason="reports/truth.py does not look")
@pytest.mark.parametrize("counts", [{"holds": -13}, {"\x1b[2J": "a"}])
def test_what_a_table_is_refused_for(tmp_path: Path, counts: dict[str, Any]) -> None:
    """A table whose counts are less than none is refused, and what it says reaches no terminal as it is."""
    path = tmp_path / "truth.json"
    path.write_text(json.dumps([_CELL | {"counts": counts}]), encoding="utf-8")
    with pytest.raises(ChaosError) as error:
        truth.page(truth.gathered(path))
    assert str(error.value).isprintable()
