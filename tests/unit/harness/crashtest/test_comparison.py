"""Comparison: what is declared is left out, row by row, and only that."""

from chaos_harness.clusters.pool.deviations import Trait
from chaos_harness.harness.crashtest.comparison import compare, unseen
from chaos_harness.harness.faults.leaves import Leave

UID, CONTENT = Trait("configmaps", "c", "n", "uid"), Trait("configmaps", "c", "n")
RULE = Trait("node", "w", aspect="rules: -A OUTPUT -j DROP")
LEAVE = Leave("the uid", "configmaps", "c", "n", "uid")


def test_all_that_differs_is_told_or_left_out() -> None:
    """A uid that is declared is left out; a content, a rule and an object that are new, gone or changed are not."""
    before = {UID: "1", CONTENT: "a", Trait("secrets", "s"): "x"}
    after = {UID: "2", CONTENT: "b", RULE: "there"}
    compared = compare(before, after, [LEAVE])
    assert [(str(deviation), leave) for deviation, leave in compared.left] == [
        ("changed: configmaps n/c uid (was 1, is 2)", LEAVE)
    ]
    assert list(map(str, compared.differences)) == [
        "changed: configmaps n/c (was a, is b)",
        "gone: secrets s",
        "new: node w rules: -A OUTPUT -j DROP (there)",
    ]


def test_nothing_differs() -> None:
    """Of a declared trait that did not change there is nothing to tell."""
    compared = compare({UID: "1"}, {UID: "1"}, [LEAVE])
    assert (compared.differences, compared.left) == ((), ())


def test_what_was_declared_and_never_came_about() -> None:
    """Each once, in the order of declaration."""
    assert unseen(["the uid", "restarts", "the uid", "a mount"], [("changed: x", "restarts")]) == ["the uid", "a mount"]
    assert unseen(["restarts"], [("changed: x", "restarts")]) == []
