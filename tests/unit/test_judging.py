"""Judging: the digest of what judges, and a claim that is judged again from its id and its history."""

import shutil
from collections.abc import Sequence
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness import judging
from harness.catalogue import entries
from harness.checks import Checked
from harness.checks.control_plane import control_plane_unharmed, leases_renewed
from harness.checks.fail_open import fail_open_window
from harness.checks.pulls import no_request_during
from harness.checks.undisturbed import undisturbed
from harness.checks.unmutated import never_unmutated
from harness.errors import BadScenario
from harness.history import History, read
from harness.judging import again, check_of, judge_of, today
from harness.verdict import Verdict

_WORDS = st.text(st.characters(codec="ascii", categories=("L", "N", "P", "S", "Zs")), max_size=12)


@pytest.mark.parametrize(
    "check",
    [
        control_plane_unharmed(),
        leases_renewed(60, spare=["a", "b, c"]),
        fail_open_window(7.5, fault="kill node", policies=["deny by cel (webhook)", "mutate pods"]),
        (fail_open_window(60, fault="x") & undisturbed()).within(30),
        (undisturbed() & no_request_during()).within(30, after="cut registry") & never_unmutated(at_most=0.05),
    ],
    ids=lambda check: check.id,
)
def test_an_id_is_read_back(check: Checked) -> None:
    """The check that an id names has the same id, and so the same parameters."""
    assert check_of(check.id).id == check.id
    assert check_of(check.id).__name__ == check.__name__


@given(name=_WORDS.filter(lambda word: word.strip() == word), listed=st.lists(_WORDS, max_size=3))
def test_any_word_is_read_back(name: str, listed: Sequence[str]) -> None:
    """Words with an id's own signs, numbers as words, and empty ones come back as they were."""
    check = leases_renewed(60, spare=[name, *listed])
    assert check_of(check.id).id == check.id


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("gone(1)", "there is no check gone"),
        ("undisturbed(", "expected a value at its letter 13"),
        ("undisturbed() and more", "expected the end"),
        ("(undisturbed()).until(3)", r"expected '\).within\('"),
        ("undisturbed(never=1)", "takes no such parameter"),
        ("", "expected a check's name"),
    ],
)
def test_another_id_is_refused(text: str, told: str) -> None:
    """An id of another version names what there is not (any more), and says so."""
    with pytest.raises(BadScenario, match=told):
        check_of(text)


def test_each_check_has_a_digest() -> None:
    """What judges is known for every check that there is, and for one that a scenario made itself."""
    digests = {name: today(f"{name}()") for name in entries("check")}
    assert all(len(each) == 12 for each in digests.values())
    assert digests["undisturbed"] != digests["fail_open_window"]
    assert judge_of(undisturbed()) == digests["undisturbed"]
    own = Checked(lambda _recorded: Verdict("holds", "it does"))
    assert judge_of(own) not in digests.values()


@pytest.mark.parametrize(
    ("changed", "other"),
    [
        ("harness/checks/undisturbed.py", True),
        ("harness/history/harms.py", True),
        ("harness/history/following.py", True),
        ("harness/checks/pulls.py", False),
        ("harness/history/writer.py", False),
        ("harness/faults/pods.py", False),
    ],
)
def test_a_digest_is_of_what_judges(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, changed: str, *, other: bool
) -> None:
    """It changes with the check and whatever that imports of the model, however far away, and with nothing else."""
    before = today("undisturbed()")
    for folder in ("harness", "clusters"):
        shutil.copytree(Path(__file__).parents[2] / folder, tmp_path / folder, ignore=shutil.ignore_patterns("*.pyc"))
    with (tmp_path / changed).open("a") as file:
        file.write("\nMORE = 1\n")
    monkeypatch.setattr(judging, "_ROOT", tmp_path)
    judging._digest.cache_clear()
    try:
        assert (today("undisturbed()") != before) is other
    finally:
        judging._digest.cache_clear()


def test_a_history_is_judged_again_as_far_as_it_was_written(tmp_path: Path) -> None:
    """What came after the verdict does not change it."""
    path = tmp_path / "history.jsonl"
    history = History(path)
    history.append("mark", "experiment", "steady")
    first = leases_renewed(60)(read(path, so_far=True))
    until = history.end
    history.append("invoke", "fault 1", "inject", {"name": "kill node"})
    history.finish()
    assert again(leases_renewed(60), path, until) == first
    with pytest.raises(BadScenario, match="no history can be read"):
        again(leases_renewed(60), tmp_path / "none.jsonl")
