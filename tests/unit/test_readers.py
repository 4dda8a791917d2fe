"""Readers: whatever bytes others wrote, who reads them answers in time, with little memory, by errors of our own."""

import ast
import json
import os
import re
import resource
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from random import Random
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from chaos_harness.clusters.terminal.escape import escape_controls
from chaos_harness.harness.errors import ChaosError
from chaos_harness.harness.incident.bundle.recheck import recheck
from chaos_harness.harness.incident.load import load
from chaos_harness.reports.truth import rows as truth_rows
from chaos_harness.reports.truth import verdict_lines
from tests.fakes.samples import READERS, whole_files
from tests.syntax import walk
from tests.thorough import examples

_ROOT = Path(__file__).parents[2]
_EXAMPLES = examples(int(os.environ.get("CHAOS_FUZZ_EXAMPLES", "40")))
_SECONDS = 3.0
_MOST_BYTES = 300 * 2**20
_LONGEST = 100_000

OURS = {
    "clusters/watching/position.py": "what this run's own cluster says",
    "clusters/engine/": "what the engine, the kernel and this harness itself say on this machine",
    "clusters/gatekeeper/install.py": "Gatekeeper's release files, out of a module whose sum is checked",
    "clusters/gatekeeper/customise.py": "Gatekeeper's release files, out of a module whose sum is checked",
    "benchmarks/": "what this machine's own measurements wrote",
    "clusters/images/golang.py": "what go says",
    "clusters/images/layers.py": "archives that it writes",
    "clusters/images/lock.py": "what the engine says",
    "harness/crashtest/": "what its own process says, and ledgers of the user's own, whose lines are checked",
    "harness/suites/during.py": "what was typed on the command line",
    "clusters/adoption/nodes.py": "what the engine says",
    "clusters/adoption/opening.py": "the administrator's kubeconfig in a node of the user's own cluster",
    "clusters/adoption/record.py": "records of the user's own state",
    "clusters/images/own_image.py": "what the engine says",
    "clusters/images/pulling.py": "what the engine says",
    "clusters/images/resolve.py": "what the engine says",
    "clusters/registry/saved.py": "what the engine says, and files of the cache that nobody else may write to",
    "clusters/images/first_seen.py": "a file of the user's own state, read by lock_file",
    "clusters/images/tool_sources.py": "archives whose sum is checked",
    "clusters/images/sums.py": "what go says",
    "clusters/images/node.py": "what ctr says in a container of ours",
    "clusters/engine/inventory.py": "what the engine says",
    "clusters/engine/network.py": "what the engine says",
    "clusters/pool/": "files of the pool in the user's own state, and what the engine says",
    "clusters/gatekeeper/upgrade.py": "what helm says of this run's own cluster",
    "harness/faults/objects/finalizers.py": "what kubectl says of this run's own cluster",
    "harness/undo/charts.py": "what helm says of this run's own cluster",
    "harness/undo/bring_back.py": "what kubectl says of this run's own cluster",
    "harness/undo/put_object.py": "what kubectl says of this run's own cluster",
    "clusters/gatekeeper/readiness.py": "what Gatekeeper answers in this run's own cluster",
    "clusters/machine/installed.py": "root's record of this machine, in a directory that only root may write to",
    "clusters/machine/traces.py": "root's journal of this machine, in a directory that only root may write to",
    "harness/pytest_plugin/estimates.py": "durations that this harness wrote; without them it knows less",
    "harness/nightly/found.py": "the list that this night's own process wrote",
    "harness/faults/": "what this run's own nodes and API server say",
    "harness/gatekeeper/": "what this run's own API server says",
    "harness/incident/bundle/write.py": "histories of this run, on their way into its bundle",
    "harness/incident/convert.py": "an incident that was parsed before",
    "harness/incident/shrink/parts.py": "an incident that was loaded before",
    "harness/incident/replay/image_digests.py": "what this run's own nodes say",
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
_SUSPECT = re.compile("|".join([*_PARSERS, *(rf"\b{module}\b" for module in _MODULES)]))
"""What stands in each source that turns bytes or text into data: one without any of it is not parsed."""


@pytest.mark.hypothesis
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
                answer = reads()
            except ChaosError as error:
                answer = str(error)
            assert time.process_time() - began < _SECONDS
            if isinstance(answer, str):
                assert escape_controls(answer, lines=True) == answer
                assert len(answer) < _LONGEST

    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    fuzz()
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < _MOST_BYTES // 1024


def test_a_good_sample_is_read(tmp_path: Path) -> None:
    """What the samples are made from can be read: else nothing was fuzzed but the first line of each reader."""
    for name, content in whole_files().items():
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_bytes(content)
    assert load(tmp_path / "a.yaml").policies[1]
    assert recheck(tmp_path)[2]


def _parses(source: str) -> Iterator[str]:
    """Yield what in a file turns bytes or text into data."""
    if not _SUSPECT.search(source):
        return
    for node in walk(ast.parse(source)):
        match node:
            case ast.Attribute(value=ast.Name(id=module), attr=name) if module in _MODULES and name in _LOADS:
                yield f"{module}.{name}"
            case ast.Attribute(attr=name) | ast.Name(id=name) if name in _PARSERS:
                yield name


def test_every_reader_has_a_row() -> None:
    """A module that parses is a row of READERS (tests/fakes/samples.py), or it is said in OURS whose bytes they are."""
    rows = {module for reader in READERS.values() for module in reader.modules}
    for folder in ("benchmarks", "clusters", "harness", "reports"):
        for path in sorted((_ROOT / folder).rglob("*.py")):
            module = path.relative_to(_ROOT).as_posix()
            if module in rows or module.startswith(tuple(OURS)):
                continue
            if parses := set(_parses(path.read_text(encoding="utf-8"))):
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


_JUDGED: dict[str, Any] = {"test": "a", "claim": "c", "expected": "holds", "outcome": "holds", "issue": None}
_JUDGED |= {
    "seed": 1,
    "seconds": 1.0,
    "shape": {},
    "summary": "",
    "id": "undisturbed()",
    "judge": "x",
    "history": "history.jsonl",
}


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("verdicts.jsonl", b"\xff\n"),
        ("verdicts.jsonl", json.dumps(_JUDGED | {"history": "a\0b"}).encode() + b"\n"),
        ("verdicts.jsonl", json.dumps(_JUDGED | {"history": "\x1b[2J"}).encode() + b"\n"),
        ("verdicts.jsonl", json.dumps(_JUDGED | {"history": "../planted"}).encode() + b"\n"),
        ("verdicts.jsonl", json.dumps(_JUDGED | {"id": "(" * 3000}).encode() + b"\n"),
        ("truth.json", b'{"schema": 1, "judges": {"\\u001b[2J": 1}, "rows": []}'),
    ],
)
def test_what_tables_are_made_of(tmp_path: Path, name: str, content: bytes) -> None:
    """A file that is not text, names an unknown history, or nests too deeply, raises one of our errors, printable."""
    run = tmp_path / "run"
    run.mkdir()
    (run / name).write_bytes(content)
    (run / "history.jsonl").write_bytes(whole_files()["runs/1/history.jsonl"])
    (tmp_path / "planted").write_text("planted words")
    problems: list[str] = []
    try:
        truth_rows.gather_rows([run if name == verdict_lines.FILE else run / name], problems.append)
    except ChaosError as error:
        problems.append(str(error))
    assert problems
    assert [line for line in problems if not line.isprintable() or "planted words" in line] == []
