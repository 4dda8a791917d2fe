"""Shrinking: an incident file with parts that do not matter becomes one without them, over interruptions."""

import json
from pathlib import Path
from typing import Any, Literal

import pytest
import yaml

from chaos_harness.harness.errors import BadScenario, Inconclusive
from chaos_harness.harness.incident.bundle.write import Reason, Replay
from chaos_harness.harness.incident.load import LoadedIncident, load
from chaos_harness.harness.incident.shrink.ledger import Ledger
from chaos_harness.harness.incident.shrink.parts import Part, durations, format_incident, remove_parts, structure
from chaos_harness.harness.incident.shrink.session import ShrinkSession
from tests.fakes.incidents import incident

_NAMESPACE = {"object": {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "a"}}}
_STEPS = [
    {"fault": "cut_registry", "id": "cut", "at": 3, "lasts": 40},
    {"fault": "kill_containers", "id": "kill", "after": "cut", "with": {"selector": "a=b"}, "delay": 1},
    {"fault": "reschedule_pod", "after": "kill", "with": {"pod": "$pod(a=b)"}},
]


@pytest.fixture
def loaded(tmp_path: Path) -> LoadedIncident:
    (tmp_path / "more.yaml").write_text(yaml.safe_dump(_NAMESPACE["object"]), encoding="utf-8")
    return incident(
        tmp_path,
        faults=_STEPS,
        workload=[_NAMESPACE, {"file": "more.yaml"}],
        probes=[{"probe": "ask_replicas"}],
        shape={"workers": 3},
        repeat=2,
    )


class Runs:
    """Runs that were never made: an incident reproduces as long as the registry is cut for 15 s, with two workers."""

    def __init__(self, **broken: str) -> None:
        self.made = 0
        self.broken = broken
        self.error = ""

    def live(self, loaded: LoadedIncident) -> Replay:
        self.made += 1
        steps = {step.fault: step for step in loaded.incident.faults}
        if self.error:
            return Replay(directory="runs/1", seen="broken", seconds=60.0, error=self.error)
        cut = steps.get("cut_registry")
        seen = cut is not None and (cut.lasts or 0) >= 15 and loaded.shape.workers >= 2
        return Replay(directory="runs/1", seen="reproduced" if seen else "not reproduced", seconds=60.0)


def _shrinking(loaded: LoadedIncident, runs: Runs, path: Path, budget: float = 1e6) -> ShrinkSession:
    return ShrinkSession(loaded, Ledger(path, loaded, 7, 0.95), runs.live, budget, 0.95)


def test_parts(loaded: LoadedIncident) -> None:
    """Steps, objects, probes and workers but one can be left out, and times that are long can be halved twice."""
    assert list(map(str, structure(loaded))) == [
        "step 1 (cut_registry)",
        "step 2 (kill_containers)",
        "step 3 (reschedule_pod)",
        "object 1",
        "object 2",
        "probe 1",
        "turn 2",
        "worker 3",
        "worker 2",
    ]
    assert list(map(str, durations(loaded))) == [
        f"{word} of the length of step 1 (cut_registry)" for word in ("half", "half again")
    ]


def test_parts_have_ids_that_no_word_changes(loaded: LoadedIncident) -> None:
    """A ledger stores them: each has its own, and it is the same if a fault is called otherwise."""
    ids = [part.id for part in (*structure(loaded), *durations(loaded))]

    assert ids == [
        *("step/1", "step/2", "step/3", "object/1", "object/2", "probe/1", "turn/2", "worker/3", "worker/2"),
        *("step/1/lasts/half/1", "step/1/lasts/half/2"),
    ]
    assert Part("step", 1, fault="cut_registry") == Part("step", 1, fault="another")
    assert str(Part("timeline", halving=2)) == "half again of the timeline"
    assert Part("timeline", halving=2).id == "timeline/1/half/2"


def test_times_of_what_is_left(tmp_path: Path) -> None:
    """The timeline and what is left of the steps can be shorter; a step that is left out has no time any more."""
    steps = [{"fault": "cut_registry", "at": 0, "lasts": 40}, {"fault": "cut_registry", "at": 50, "lasts": 20}]
    loaded = incident(tmp_path, faults=steps, lasts=90)

    def live(candidate: LoadedIncident) -> Replay:
        kept = any(step.at == 50 for step in candidate.incident.faults)
        return Replay(directory="runs/1", seen="reproduced" if kept else "not reproduced", seconds=1.0)

    shrinking = ShrinkSession(loaded, Ledger(tmp_path / "ledger.jsonl", loaded, 7, 0.95), live, 1e6, 0.95)
    _, (_, times) = shrinking.run()

    halves = {f"{time}/half/{halving}" for time in ("timeline/1", "step/2/at", "step/2/lasts") for halving in (1, 2)}
    assert {part for finding in times.findings for part in finding.parts} == halves


def test_without(loaded: LoadedIncident) -> None:
    """What is left is an incident, in which steps begin when they would have begun."""
    smaller = remove_parts(
        loaded, frozenset({Part("step", 1), Part("object", 1), Part("probe", 1), Part("turn", 2), Part("worker", 2)})
    )

    assert smaller
    assert [(step.fault, step.at, step.after, step.delay) for step in smaller.incident.faults] == [
        ("kill_containers", 3.0, None, 1.0),
        ("reschedule_pod", None, "kill", 0.0),
    ]
    assert (len(smaller.workload), len(smaller.incident.workload), smaller.incident.probes) == (1, 1, [])
    assert (smaller.shape.workers, smaller.incident.repeat) == (2, 1)
    assert remove_parts(loaded, frozenset(structure(loaded))) is None


def test_a_claim_goes_with_what_it_is_about(tmp_path: Path) -> None:
    """What is left loads again; without what a symptom is about, nothing could be reproduced, and nothing is run."""
    claims = [
        {"check": "no_request_during", "expect": "violated", "issue": "gatekeeper#1"},
        {"check": "recovers_within", "with": {"seconds": 60, "how": "killed"}},
    ]
    steps = [
        {"fault": "cut_registry", "at": 0, "lasts": 40},
        {"fault": "kill_containers", "at": 5, "with": {"selector": "a=b"}},
    ]
    loaded = incident(tmp_path, faults=steps, claims=claims)
    smaller = remove_parts(loaded, frozenset({Part("step", 2)}))

    assert smaller
    assert [claimed.check for claimed in smaller.incident.claims] == ["no_request_during"]
    (tmp_path / "small.yaml").write_text(format_incident(smaller, []), encoding="utf-8")
    assert load(tmp_path / "small.yaml").incident.claims == smaller.incident.claims
    assert remove_parts(loaded, frozenset({Part("step", 1)})) is None


def test_a_claim_keeps_its_step(tmp_path: Path) -> None:
    """Of two steps of one fault a claim names one: it is that one still when a step before it is left out."""
    steps = [
        {"id": "late", "at": "30s", "fault": "kill_containers", "with": {"selector": "a=b"}},
        {"fault": "cut_registry", "at": "10s", "lasts": "90s"},
        {"id": "early", "at": "20s", "fault": "kill_containers", "with": {"selector": "c=d"}},
    ]
    named = [{"check": "recovers", "with": {"seconds": "60s", "how": "killed", "fault": "early"}, "expect": "violated"}]
    loaded = incident(tmp_path, schema=2, faults=steps, claims=named, repeat=2)
    smaller = remove_parts(loaded, frozenset({Part("step", 2), Part("turn", 2)}))

    assert smaller
    assert loaded.incident.claims[0].with_["fault"] == ["fault 3", "fault 6"]
    assert smaller.incident.claims[0].with_["fault"] == ["fault 2"]
    text = format_incident(smaller, [])
    (tmp_path / "small.yaml").write_text(text, encoding="utf-8")
    assert "- early" in text
    assert load(tmp_path / "small.yaml").incident == smaller.incident
    assert remove_parts(loaded, frozenset({Part("step", 3)})) is None


def test_smallest(loaded: LoadedIncident, tmp_path: Path) -> None:
    """Only what matters is in the smallest file, which can be read, and says what each removal showed."""
    shrinking = _shrinking(loaded, Runs(), tmp_path / "ledger.jsonl")
    smallest, searches = shrinking.run()
    (tmp_path / "small").mkdir()
    lines = list(shrinking.report(smallest, searches, tmp_path / "small"))
    read = load(tmp_path / "small/a.yaml")

    assert [(step.fault, step.at, step.lasts) for step in read.incident.faults] == [("cut_registry", 3.0, 20.0)]
    assert (read.workload, read.incident.probes, read.shape.workers) == ((), [], 2)
    text = (tmp_path / "small/a.yaml").read_text(encoding="utf-8")
    assert "# without step 1 (cut_registry): reproduced 0 of" in text
    assert "the chance that a part is missing without which it is seen a quarter as often is at most" in text
    assert lines[0].startswith("a: 2 of 9 parts are left after")
    assert lines[-1] == f"replay it:     nox -s repro -- {tmp_path}/small/a.yaml"


def test_resumed(loaded: LoadedIncident, tmp_path: Path) -> None:
    """A shrink that was stopped goes on with what it knew, and comes to the same end with no run made twice."""
    whole = Runs()
    expected, _ = _shrinking(loaded, whole, tmp_path / "one.jsonl").run()

    first, path = Runs(), tmp_path / "two.jsonl"
    stopped = _shrinking(loaded, first, path)
    stopped.budget = 1e9
    made = iter(range(10))

    def live(candidate: LoadedIncident) -> Replay:
        if next(made, None) is None:
            raise KeyboardInterrupt
        return first.live(candidate)

    stopped.live = live
    with pytest.raises(KeyboardInterrupt):
        stopped.run()
    with path.open("a", encoding="utf-8") as file:
        file.write('{"without": ["torn')
    second = Runs()
    resumed = _shrinking(loaded, second, path)
    ended, searches = resumed.run()
    (tmp_path / "small").mkdir()

    assert ended.incident == expected.incident
    assert first.made + second.made == whole.made
    head, *_ = resumed.report(ended, searches, tmp_path / "small")
    assert head.endswith(f"after {whole.made} runs, {first.made} of them before an interruption")


def test_budget(loaded: LoadedIncident, tmp_path: Path) -> None:
    """No run is begun that would not end within the budget, by the longest before; how to go on is told."""
    runs = Runs()
    shrinking = _shrinking(loaded, runs, tmp_path / "ledger.jsonl", budget=30.0)
    smallest, searches = shrinking.run()
    (tmp_path / "small").mkdir()

    assert runs.made == 1
    assert smallest.incident.faults == loaded.incident.faults
    assert f"the budget of 30 s is used up; to go on, add: --resume {tmp_path}/small" in "\n".join(
        shrinking.report(smallest, searches, tmp_path / "small")
    )


@pytest.mark.parametrize("change", [{"seed": 8}, {"confidence": 0.9}, {"title": "Another"}])
def test_another_ledger(loaded: LoadedIncident, tmp_path: Path, change: dict[str, Any]) -> None:
    """A ledger of another incident, seed or confidence is refused, and says in what it differs."""
    path = tmp_path / "ledger.jsonl"
    Ledger(path, loaded, 7, 0.95)
    name = "incident" if "title" in change else next(iter(change))
    other = incident(tmp_path, title=change["title"]) if "title" in change else loaded

    with pytest.raises(BadScenario, match=f"was begun with another {name}"):
        Ledger(path, other, change.get("seed", 7), change.get("confidence", 0.95))


def test_a_ledger_that_calls_parts_by_words_is_refused(loaded: LoadedIncident, tmp_path: Path) -> None:
    """So did the first format: read as one of today, nothing of it would be known again, and runs be made twice."""
    path = tmp_path / "ledger.jsonl"
    Ledger(path, loaded, 7, 0.95)
    head = json.loads(path.read_text(encoding="utf-8"))
    del head["format"]
    attempt = {"without": ["step 1 (cut_registry)"], "reproduced": False, "seen": "not reproduced", "seconds": 60.0}
    path.write_text(f"{json.dumps(head)}\n{json.dumps(attempt)}\n", encoding="utf-8")

    with pytest.raises(BadScenario, match=r"another version of the harness.*; shrink without --resume") as refused:
        Ledger(path, loaded, 7, 0.95)
    assert str(refused.value).isprintable()
    assert Ledger.seed_of(path) == 7


def test_seed(loaded: LoadedIncident, tmp_path: Path) -> None:
    """A ledger remembers its seed, for who goes on without naming one."""
    Ledger(tmp_path / "ledger.jsonl", loaded, 7, 0.95)

    assert Ledger.seed_of(tmp_path / "ledger.jsonl") == 7
    with pytest.raises(BadScenario, match="is no ledger"):
        Ledger.seed_of(tmp_path / "nowhere")


@pytest.mark.parametrize(
    "content",
    [
        b"hello\n",
        b"",
        b"[1]\n",
        b"\xff\n",
        b"[" * 100_000 + b"\n",
        b'{"seed": ' + b"9" * 5000 + b"}\n",
        b'{"seed": 1e999}\n7\n',
        b'{"seed": "7"}\n{"without": 7, "reproduced": true}\n',
        b'{"seed": true}\n{"without": ["a"], "reproduced": "yes"}\n',
        b'{"\\u001b[2J": 7}\n{"without": [[]]}\n',
        b"x" * (17 << 20),
        None,
    ],
)
def test_no_ledger(loaded: LoadedIncident, tmp_path: Path, content: bytes | None) -> None:
    """What is no ledger is refused with one line and what to type, whether its seed or all of it is asked for."""
    path = tmp_path / "ledger.jsonl"
    path.mkdir() if content is None else path.write_bytes(content)

    for ask in (lambda: Ledger(path, loaded, 7, 0.95), lambda: Ledger.seed_of(path)):
        with pytest.raises(
            BadScenario, match=r"is no ledger of a shrink.*; shrink without --resume to start again"
        ) as error:
            ask()
        assert str(error.value).isprintable()
        assert len(str(error.value)) < 600


@pytest.mark.parametrize(
    ("reasons", "outcome"),
    [
        (["broken", "broken", None], True),
        (["refused"], None),
        (["broken"] * 3, None),
        (["inconclusive"], False),
    ],
)
def test_broken_runs(
    loaded: LoadedIncident, tmp_path: Path, reasons: list[Reason | None], outcome: bool | None
) -> None:
    """A run that broke is made again; a candidate that cannot be lived counts as needed; none of it as evidence.

    The words of its error decide nothing.
    """
    path, upcoming = tmp_path / "ledger.jsonl", iter(reasons)

    def live(_: LoadedIncident) -> Replay:
        reason = next(upcoming)
        error = "Inconclusive: BadScenario" if reason else ""
        seen: Literal["broken", "reproduced"] = "broken" if reason else "reproduced"
        return Replay(directory="runs/1", seen=seen, seconds=1.0, error=error, reason=reason)

    shrinking = ShrinkSession(loaded, Ledger(path, loaded, 7, 0.95), live, 1e6, 0.95)

    assert shrinking._attempt(frozenset({"probe/1"})) is outcome
    assert len(path.read_text(encoding="utf-8").splitlines()) == 1 + (outcome is not None)


@pytest.mark.parametrize(
    ("seen", "outcome"), [(["inconclusive", "not reproduced"], False), (["inconclusive"] * 3, None)]
)
def test_inconclusive_runs(loaded: LoadedIncident, tmp_path: Path, seen: list[Any], outcome: bool | None) -> None:
    """A run that says nothing is made again; a candidate of which nothing can be said counts as needed."""
    upcoming = iter(seen)
    shrinking = _shrinking(loaded, Runs(), tmp_path / "ledger.jsonl")
    shrinking.live = lambda _: Replay(directory="runs/1", seen=next(upcoming), seconds=1.0)

    assert shrinking._attempt(frozenset({"probe/1"})) is outcome
    assert list(upcoming) == []


def test_the_whole_incident_breaks(loaded: LoadedIncident, tmp_path: Path) -> None:
    """If the incident itself cannot be lived, that is said, and nothing is shrunk."""
    runs = Runs()
    runs.error = "ClusterUnavailable: no way"
    shrinking = _shrinking(loaded, runs, tmp_path / "ledger.jsonl")

    with pytest.raises(Inconclusive, match=r"3 runs in a row could not be judged, .* broken, .*: ClusterUnav"):
        shrinking.run()
