"""Worlds: checks are right on worlds whose truth is known; a small sample of what `python -m tests.worlds` judges."""

import ast
import itertools
import json
from collections import Counter
from collections.abc import Iterable
from dataclasses import replace
from functools import cache
from pathlib import Path

import pytest

import tests.worlds
from chaos_harness.harness.history import History
from chaos_harness.harness.history.vocabulary import (
    BOOKMARK,
    DELETED,
    GAP,
    JUDGE,
    READ,
    REQUEST,
    REQUESTS,
    RESUMED,
    WATCH_PODS,
)
from chaos_harness.harness.meaning import Source, source_of
from tests.thorough import examples
from tests.worlds import metamorphic, mutants
from tests.worlds.__main__ import main
from tests.worlds.claimed import Claimed
from tests.worlds.elsewhere import ELSEWHERE
from tests.worlds.hiding import Hiding
from tests.worlds.judging import catalogue, digest, digest_of_worlds, judge
from tests.worlds.mutants import mutated
from tests.worlds.mutated import MUTANTS, Mutant
from tests.worlds.scoring import Score, row, run
from tests.worlds.taken_back import ROWS
from tests.worlds.truths import TRUTHS, world
from tests.worlds.unfound import LIVES

_SEEDS = (0, 1, 3, 4)  # one that holds and one that is violated, with nothing hidden, and with something
_FEWEST = 5
_NO_ROWS = {"3.7", "3.9"}  # no mistake has these numbers
_FOLDER = Path(tests.worlds.__file__).parent

each_check = pytest.mark.parametrize("check", list(TRUTHS))


@each_check
def test_no_verdict_is_wrong(check: str) -> None:
    """A verdict is the truth, or inconclusive where something that the claim needs was hidden."""
    wrong = [judged for seed in _SEEDS if (judged := judge(world(check, seed))).wrong]
    assert not wrong, f"python -m tests.worlds --check {check} --show {wrong[0].seed}: {wrong[0].wrong}"


@each_check
def test_who_sees_less_is_less_sure(check: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """A verdict stays, or becomes inconclusive, when more is hidden; what a claim does not name changes nothing."""
    monkeypatch.setattr(metamorphic, "_TIMES", 2 * examples(2))
    assert metamorphic.broken(check, [1]) == []


def test_every_check_has_worlds() -> None:
    """Who adds a check says what is true of its claims."""
    assert set(TRUTHS) == set(catalogue()) - {"judged"}


@each_check
def test_worlds_are_of_both_kinds(check: str) -> None:
    """Of three worlds one is truly violated and one truly holds."""
    truths = Counter(world(check, seed).truth for seed in range(8) if seed % 3 < 2)
    assert truths["holds"] >= 2
    assert truths["violated"] >= 2


def test_half_of_the_worlds_hide_nothing() -> None:
    """Of six seeds three hide nothing but, in one world of thirty, a step of the clock."""
    hidden = [bool(world("leases_renewed", seed).hidings) for seed in range(60)]
    wrong = [seed for seed, some in enumerate(hidden) if some != (seed // 3 % 2 == 1)]
    assert len(wrong) <= 4


def test_a_seed_is_a_world() -> None:
    """The same seed gives the same history, line by line."""
    one, other = (list(world("undisturbed", 10).recorded().entries) for _ in range(2))
    assert one == other
    assert one != list(world("undisturbed", 11).recorded().entries)


def test_the_truth_knows_no_check() -> None:
    """Only the module that judges imports checks; the others import the form of a history, and pure data."""
    allowed = {
        "chaos_harness.harness.history",
        "chaos_harness.harness.history.vocabulary",
        "chaos_harness.harness.policies",
    }
    for path in _FOLDER.glob("*.py"):
        if path.name == "judging.py":
            continue
        nodes = ast.walk(ast.parse(path.read_text(encoding="utf-8")))
        modules = [node.module or "" for node in nodes if isinstance(node, ast.ImportFrom)]
        ours = [module for module in modules if module.startswith("chaos_harness.")]
        assert [module for module in ours if module not in allowed] == []


def _pods(claimed: Claimed, *hidings: Hiding) -> History:
    return replace(claimed, hidings=hidings).recorded()


def test_a_half_open_watch_is_told_late() -> None:
    """After its last sign of life nothing comes until the gap is told; then what came meanwhile, and RESUMED."""
    claimed = world("undisturbed", 0)
    recorded = _pods(claimed, Hiding(WATCH_PODS, 20.0, 30.0, "silent", late=15.0))
    seen = [entry for entry in recorded.entries if entry.process == WATCH_PODS]
    gap = next(index for index, entry in enumerate(seen) if entry.f == GAP)
    after = [entry.f for entry in seen[gap + 1 :] if not entry.value.get("in_gap")]
    assert 15.0 <= seen[gap].at - seen[gap - 1].at < 15.1
    assert after[0] == RESUMED


def test_a_list_that_is_not_served_is_empty() -> None:
    """All that there was is told to be gone, then that it is still so; what there truly is comes with the next list."""
    claimed = world("undisturbed", 0)
    recorded = _pods(claimed, Hiding(WATCH_PODS, 30.0, 60.0, "404", resumed=False))
    events = [entry.f for entry in recorded.entries if entry.process == WATCH_PODS and 29.9 < entry.at < 59.0]
    assert events[0] == GAP
    assert set(events[1:]) == {DELETED, BOOKMARK}


def _audited(nodes: int, *hidings: Hiding) -> History:
    """Return the history of a world with so many audit logs, of which these are hidden."""
    return replace(_with_audits(nodes), hidings=hidings).recorded()


@cache
def _with_audits(nodes: int) -> Claimed:
    every = (world("outlasts", seed) for seed in itertools.count())
    return next(claimed for claimed in every if len(claimed.drawn.stage.audits) == nodes and not claimed.hidings)


def _told(recorded: History) -> set[str]:
    """Return the ids of the requests of which audit logs tell."""
    entries = [entry for entry in recorded.entries if entry.process.startswith("audit ")]
    alike = {audit_id for entry in entries if entry.f == REQUESTS for audit_id in entry.value["audit_ids"]}
    return alike | {entry.value["audit_id"] for entry in entries if entry.f == REQUEST}


@pytest.mark.parametrize("nodes", [1, 3])
def test_audit_logs_tell_of_each_request(nodes: int) -> None:
    """What was asked up to the mark stands in one of the logs; what was not read for a while is read later."""
    recorded = _audited(nodes)
    judge = next(entry.at for entry in recorded.entries if entry.f == JUDGE)
    asked = {
        entry.value["audit_id"] for entry in recorded.entries if entry.at < judge and "late" in (entry.value or {})
    }
    hidden = [Hiding(f"audit {node}", 10.0, 40.0, "unread") for node in "abc"]
    assert asked <= _told(recorded)
    assert asked <= _told(_audited(nodes, *hidden))


@pytest.mark.parametrize(("how", "kinds"), [("rotated", "ok info"), ("cut", "ok info"), ("absent", "")])
def test_what_an_audit_log_lacks_is_told(how: str, kinds: str) -> None:
    """Who was rotated away unread, or broken, leaves a reading that says so; without a log nothing is read."""
    recorded = _audited(1, Hiding("audit a", 30.0, 41.0, how))
    lost = _told(_audited(1)) - _told(recorded)
    readings = [entry for entry in recorded.entries if entry.process == "audit a" and entry.f == READ]
    assert len(lost) == 1 if how == "cut" else len(lost) > 20
    assert {entry.kind for entry in readings if 30 <= entry.at < 50} == set(kinds.split())


def test_a_call_that_times_out_alone_is_one_requests() -> None:
    """Each is the call for one request of all, however the moments of the questions are rounded."""
    claimed = world("never_unmutated", 1056)
    entries = claimed.recorded().entries
    asked = {
        entry.value["seq"]: entry.at
        for entry in entries
        if entry.process.startswith("canary") and "late" in entry.value
    }
    late = [entry for entry in entries if entry.kind == "fail" and entry.at - asked[entry.value["seq"]] > 1]
    assert len(late) == 5


def test_the_command_prints_a_table_and_a_world(capsys: pytest.CaptureFixture[str]) -> None:
    """It prints a line for each check, and one world with its truth, its history in words, and its verdict."""
    main(["--check", "outlasts", "--seeds", "0:2"])
    main(["--check", "outlasts", "--show", "4"])
    printed = capsys.readouterr().out
    assert "| outlasts | 2 |" in printed
    assert "\ntruth: " in printed
    assert "mark history end" in printed


def test_what_is_judged_is_kept(tmp_path: Path) -> None:
    """Who goes on with a file judges only what it has not; lines of other checks or other sources do not count."""
    store = tmp_path / "verdicts.jsonl"
    run("outlasts", range(2), store=store)
    judged: list[int] = []

    def count(check: str, seed: int):  # type: ignore[no-untyped-def]  # noqa: ANN202
        judged.append(seed)
        return judge(world(check, seed))

    verdicts = run("outlasts", range(3), store=store, judge_one=count)
    assert judged == [2]
    assert [verdict.seed for verdict in verdicts] == [0, 1, 2]
    assert row(Score("outlasts", verdicts)).startswith("| outlasts | 3 |")


@pytest.mark.parametrize(
    ("module", "old", "new", "changed"),
    [
        ("healing", "def heals(", "_MORE = 1\n\n\ndef heals(", set()),
        ("truths", '"heals": healing.heals', '"heals": healing.heals, "again": healing.heals', set()),
        ("healing", "return Drawn(", "return Drawn(*(), ", {"heals"}),
        ("dice", "return self.random() <", "return self.random() <=", {"heals", "field_stays"}),
    ],
)
def test_a_digest_is_of_what_draws(module: str, old: str, new: str, changed: set[str]) -> None:
    """What is drawn for one check leaves the figures of the others as they are."""

    def other(name: str) -> Source | None:
        source = source_of(name)
        if name != f"tests.worlds.{module}" or source is None:
            return source
        return Source(mutated(source.text, Mutant(module, (), old, new)), source.package)

    checks = ("heals", "field_stays")
    assert {check for check in checks if digest_of_worlds(check, other) != digest_of_worlds(check)} == changed


def test_the_world_that_found_a_mutant_is_tried_first(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What a store has of other checks than today's is no answer, but tells where to look; today's is one."""
    one, other = [mutant for mutant in MUTANTS if mutant.checks and not mutant.test][:2]
    store = tmp_path / "mutants.jsonl"
    lines = [
        {
            "digest": digest_then,
            "mutant": [mutant.checks[0], mutant.file, mutant.old, mutant.new],
            "how": "wrong holds: 7",
        }
        for mutant, digest_then in ((one, "of then"), (other, digest(other.checks[0])))
    ]
    store.write_text("".join(f"{json.dumps(line)}\n" for line in lines), encoding="utf-8")
    tried: dict[tuple[str, str], list[str]] = {}

    def find(mutant: Mutant, first: Iterable[str]) -> dict[str, str]:
        tried[mutant.checks[0], mutant.old] = list(first)
        return {mutant.checks[0]: "wrong holds: 8"}

    monkeypatch.setattr(mutants, "finders", find)
    monkeypatch.setattr(mutants, "MUTANTS", (one, other))
    monkeypatch.setattr(mutants, "ROWS", ())
    monkeypatch.setattr(mutants, "ELSEWHERE", ())
    found = {mutant.old: how for mutant, check, how in mutants.survivors([one.checks[0], other.checks[0]], store=store)}
    assert tried[one.checks[0], one.old] == ["7"]
    assert (other.checks[0], other.old) not in tried
    assert (found[one.old], found[other.old]) == ("wrong holds: 8", "wrong holds: 7")


def test_mutants_can_be_made() -> None:
    """The text that each mutant changes stands once in its file, and what becomes of it can be read."""
    root = _FOLDER.parents[1]
    every = [*MUTANTS, *ROWS, *ELSEWHERE]
    for file in {mutant.file for mutant in every}:
        source = made = (root / file).read_text(encoding="utf-8")
        for mutant in (mutant for mutant in every if mutant.file == file):
            alone = mutated(source, mutant)
            if made.count(mutant.old) != 1:  # several that do not touch each other are read at once
                ast.parse(made, file)
                made = source
            made = alone if made == source else mutated(made, mutant)
        ast.parse(made, file)


def test_each_mend_of_the_review_is_taken_back() -> None:
    """Each row has a mutant."""
    there = {mutant.row for mutant in (*ROWS, *ELSEWHERE)}
    rows = [f"{chapter}.{row}" for chapter, last in ((1, 6), (2, 13), (3, 13)) for row in range(1, last + 1)]
    assert there == set(rows) - _NO_ROWS


def test_what_finds_a_mutant_is_there() -> None:
    """Each unit test that holds what no world shows is one, by its name."""
    for mutant in (*ELSEWHERE, *(mutant for mutant in MUTANTS if mutant.test)):
        path, _, name = mutant.test.partition("::")
        assert f"def {name}" in (_FOLDER.parents[1] / path).read_text(encoding="utf-8")


def test_checks_have_mutants() -> None:
    """At least five for each check that has any; each of `lives` is of a mutant that there is."""
    count = Counter(check for mutant in MUTANTS for check in mutant.checks)
    assert min(count.values()) >= _FEWEST
    assert {mutant.old for mutant in MUTANTS if mutant.lives} == set(LIVES)
