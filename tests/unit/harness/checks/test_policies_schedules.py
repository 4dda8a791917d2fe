"""Schedules: what policies_match says of random histories is what counting seconds says."""

from hypothesis import example, given
from hypothesis import strategies as st

from chaos_harness.harness.checks.policies import policies_match
from chaos_harness.harness.history import History
from chaos_harness.harness.verdict import Outcome, Verdict
from tests.fakes.generated import BINDINGS, CONSTRAINTS, POLICIES, TEMPLATES, Change, Generating


def judged(recorded: History, late: float) -> Verdict:
    return policies_match(late, gatekeeper="v3.23.1")(recorded)


STEPS = st.lists(st.sampled_from("TCPB-"), max_size=24)


def scheduled(steps: str | list[str], gaps: frozenset[int] = frozenset()) -> Generating:
    """Return a history in which each second one thing changes: T, C, P and B toggle, "-" is nothing.

    In the seconds of `gaps` the watch of the thing that changes is blind, and the change comes to light at the end.
    """
    history, there = Generating().begin(), dict.fromkeys("TCPB", False)
    for at, step in enumerate(steps, start=1):
        if step == "-":
            continue
        process = {"T": TEMPLATES, "C": CONSTRAINTS, "P": POLICIES, "B": BINDINGS}[step]
        gap = at in gaps
        there[step] = not there[step]
        f: Change = "ADDED" if there[step] else "DELETED"
        moment = at + 0.5 if gap else float(at)
        if gap:
            history.gap(at - 0.25, process)
        if step == "T":
            history.template(moment, generate=True, f=f, gap=gap)
        elif step == "C":
            history.constraint(moment, f, gap=gap)
        elif step == "P":
            history.policy(moment, f, gap=gap)
        else:
            history.binding(moment, f, gap=gap)
        if gap:
            history.whole(at + 0.5, process)
    return history


def oracle(steps: str | list[str], late: float) -> Outcome:
    """Return what must be found, by counting seconds."""
    there, asked = dict.fromkeys("TCPB", False), False
    ages, kinds = dict.fromkeys(("policy", "binding"), 0), dict.fromkeys(("policy", "binding"), 0)
    longest = 0
    for step in [*steps, "-"]:
        if step != "-":
            there[step] = not there[step]
        asked = asked or there["T"]
        wanted = {"policy": there["T"], "binding": there["T"] and there["C"]}
        present = {"policy": there["P"], "binding": there["B"]}
        for what, age in list(ages.items()):
            kind = int(present[what]) - int(wanted[what])
            ages[what] = 0 if not kind else age + 1 if kind == kinds[what] else 1
            kinds[what] = kind
        longest = max(longest, *ages.values())
    if longest > late:
        return "violated"
    return "inconclusive" if any(kinds.values()) or not asked else "holds"


@given(STEPS)
@example(list("TP"))
@example(list("TPCB"))
@example(list("B----"))
def test_any_schedule(steps: list[str]) -> None:
    """Whatever comes and goes when, the check finds what counting seconds finds."""
    recorded = scheduled(steps).end(len(steps) + 2)
    assert judged(recorded, late=3.5).outcome == oracle(steps, 3.5)


@given(STEPS, st.frozensets(st.integers(1, 24), max_size=5))
def test_any_schedule_with_gaps(steps: list[str], gaps: frozenset[int]) -> None:
    """Gaps make a verdict inconclusive at most: they never turn a violation into a pass or the other way round."""
    outcome = judged(scheduled(steps, gaps).end(len(steps) + 2), late=3.5).outcome
    assert outcome in ("inconclusive", oracle(steps, 3.5))


@given(STEPS)
def test_more_time_allowed_is_never_worse(steps: list[str]) -> None:
    """What holds with less time holds with more."""
    recorded = scheduled(steps).end(len(steps) + 2)
    if judged(recorded, late=2.5).outcome == "holds":
        assert judged(recorded, late=5.5).outcome == "holds"
