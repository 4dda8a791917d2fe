"""Less seen: whoever sees less of what is generated becomes less sure at most, and never changes the verdict's side."""

from dataclasses import replace
from itertools import pairwise

from hypothesis import given, settings
from hypothesis import strategies as st

from chaos_harness.harness.checks.generation import generated_within
from chaos_harness.harness.checks.policies import policies_match
from chaos_harness.harness.checks.races import never_orphaned, no_orphan_stays
from chaos_harness.harness.history import History
from chaos_harness.harness.history.vocabulary import DECIDED, END, LATE, LISTED, METRONOME, RACE, RESUMED
from tests.fakes.generated import LISTS, Change, Generating, gapped, new, silenced
from tests.thorough import examples

BOUND, SECONDS, LONGEST = 3.5, 2, 40
CHECKS = [
    policies_match(BOUND, gatekeeper="v3.23.1"),
    never_orphaned(BOUND, gatekeeper="v3.23.1"),
    no_orphan_stays(BOUND, gatekeeper="v3.23.1"),
    generated_within(BOUND, "c"),
]
ANY = st.lists(st.sampled_from("TCPBFDE---"), max_size=LONGEST // SECONDS)
STEPS = ANY | st.lists(st.sampled_from("FBDE-----"), max_size=LONGEST // SECONDS - 4).map(
    lambda steps: [*"TPCB", *steps]
)


def world(steps: list[str]) -> History:
    """Return a history in which every 2 s one thing changes.

    T, C, P, B: template, constraint, policy or binding comes or goes. F: the template asks, or refuses. E: somebody
    edits the binding. D: a repetition is decided.
    """
    history, there, asks, action = Generating().begin(), dict.fromkeys("TCPB", False), True, "Deny"
    for at, step in enumerate(steps, start=1):
        moment = float(at * SECONDS)
        if step == "D":
            history.add(moment, "mark", RACE, DECIDED, {})
        elif step == "E" and there["B"]:
            action = "Audit" if action == "Deny" else "Deny"
            history.binding(moment, "MODIFIED", action=action)
        elif step == "F" and there["T"]:
            asks = not asks
            history.template(moment, generate=asks)
        elif step in there:
            there[step] = not there[step]
            f: Change = "ADDED" if there[step] else "DELETED"
            if step == "T":
                history.template(moment, generate=asks, f=f)
            elif step == "C":
                history.constraint(moment, f)
            elif step == "P":
                history.policy(moment, f)
            else:
                history.binding(moment, f)
    return new(history, (len(steps) + 1) * SECONDS)


def surer(less: History, whole: History) -> list[str]:
    """Return the checks whose verdict on less is neither that on the whole nor none."""
    return [check.__name__ for check in CHECKS if check(less).outcome not in ("inconclusive", check(whole).outcome)]


HOW = st.sampled_from([(LISTED, "silent"), (LISTED, "404"), (RESUMED, "refused")])
MOMENTS = st.floats(0.1, LONGEST + 5)
PROCESSES = st.sampled_from(LISTS)


@settings(max_examples=examples(25))
@given(STEPS, PROCESSES)
def test_without_a_stream(steps: list[str], process: str) -> None:
    """Nobody watched one list."""
    whole = world(steps)
    assert surer(silenced(whole, process, 0), whole) == []


@settings(max_examples=examples(25))
@given(STEPS, PROCESSES, MOMENTS)
def test_half_open(steps: list[str], process: str, moment: float) -> None:
    """A watch gives no sign any more, and no gap."""
    whole = world(steps)
    assert surer(silenced(whole, process, moment), whole) == []


@settings(max_examples=examples(25))
@given(
    STEPS,
    PROCESSES,
    MOMENTS,
    st.floats(0.1, 20),
    st.sampled_from([LISTED, RESUMED]),
    st.sampled_from(["silent", "404"]),
)
def test_gap(steps: list[str], process: str, begin: float, lasts: float, how: str, why: str) -> None:
    """A watch saw nothing for a while, and then listed, or went on where it was."""
    whole = world(steps)
    assert surer(gapped(whole, process, begin, begin + lasts, how=how[0], why=how[1]), whole) == []


@settings(max_examples=examples(25))
@given(STEPS, st.integers(0, 200))
def test_cut(steps: list[str], lines: int) -> None:
    """The file ends after any line."""
    whole = world(steps)
    entries = list(whole.entries)[:lines]
    ended = bool(entries) and entries[-1].f == END
    assert surer(replace(whole, entries=entries, ended=ended), whole) == []


@settings(max_examples=examples(25))
@given(STEPS, st.integers(0, 200))
def test_missing_line(steps: list[str], line: int) -> None:
    """A line is missing."""
    whole = world(steps)
    less = replace(whole, entries=[entry for entry in whole.entries if entry.index != line])
    assert surer(less, whole) == []


@settings(max_examples=examples(25))
@given(STEPS, MOMENTS)
def test_starved(steps: list[str], moment: float) -> None:
    """Nothing was seen as it happened for some seconds, for this machine was too busy, and all of it at their end."""
    whole, late = world(steps), moment + 3
    history = Generating()
    for entry in whole.entries:
        hidden = entry.kind == "change" and moment < entry.at < late
        history.add(late if hidden else entry.at, entry.kind, entry.process, entry.f, entry.value)
    history.add(late, "info", METRONOME, LATE, {"seconds": 3.0})
    assert surer(replace(history.recorded(), header=whole.header), whole) == []


def seconds(steps: list[str]) -> list[tuple[bool, bool, bool]]:
    """Return of each second whether the template asked, and whether a policy and a binding were there for nobody."""
    there, asks, states = dict.fromkeys("TCPB", False), True, []
    for step in ["-", *steps]:
        if step in there:
            there[step] = not there[step]
        asks = asks != (step == "F" and there["T"])
        asked = there["T"] and asks
        states += SECONDS * [(asked, there["P"] and not asked, there["B"] and not (asked and there["C"]))]
    return [*states, states[-1]]


def orphaned(states: list[tuple[bool, bool, bool]]) -> bool:
    """Whether an orphan was there for too long, until the template asked once more."""
    runs, longest, refused = [0, 0], 0, False
    for asked, *orphans in states[:-1]:
        if refused and asked:
            break
        refused = refused or not asked
        runs = [run + 1 if orphan else 0 for run, orphan in zip(runs, orphans, strict=True)]
        longest = max(longest, *runs)
    return longest > BOUND


@settings(max_examples=examples(200))
@given(STEPS)
def test_orphans_of_repetitions(steps: list[str]) -> None:
    """What the check finds when all is seen is what counting seconds finds."""
    states, end = seconds(steps), (len(steps) + 1) * SECONDS
    marks = [at * SECONDS for at, step in enumerate(steps, start=1) if step == "D"]
    times = list(pairwise([*marks, end]))
    left = [orphaned(states[begin : until + 1]) for begin, until in times]
    short = [until - begin < BOUND for begin, until in times]
    verdict = CHECKS[1](world(steps))
    assert verdict.figures.get("orphaned", 0) == sum(left)
    doubt = not times or any(short)
    assert verdict.outcome == ("violated" if any(left) else "inconclusive" if doubt else "holds")
