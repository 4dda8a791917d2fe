"""Verdicts: the lines in which a run's claims are kept for whoever counts over runs."""

import re
import subprocess
from pathlib import Path

import pytest

from chaos_harness.harness.errors import BadScenario
from chaos_harness.reports.truth.commit import commit
from chaos_harness.reports.truth.verdict_lines import BROKEN, FILE, VerdictLine, read_verdicts
from tests.sessions import Session, run

_REPEATED = """
import pytest
@pytest.mark.parametrize("time", [1, 2], ids=["time_1", "time_2"])
@pytest.mark.parametrize("row", ["Always"])
def test_row(leave, row, time):
    leave(seed=time)
@pytest.mark.parametrize("time", [1], ids=["time_1"])
def test_alone(leave, time):
    leave()
"""


def test_each_claim_is_a_line(every_kind: Session) -> None:
    """What was claimed, expected and seen, of which shape, and how long the experiment took."""
    (line,) = [line for line in _lines(every_kind) if "[IfNotPresent]" in line.test]
    assert (line.claim, line.expected, line.outcome) == ("pods ready within 60 s", "violated", "violated")
    assert (line.issue, line.seed) == ("open-policy-agent/gatekeeper#3839", 7)
    assert line.shape == {"kubernetes": "v1.36.4", "install": "manifest"}
    assert (line.seconds, line.figures["asked_seconds"]) == (72.0, 1.5)


def test_a_line_tells_where_it_comes_from(every_kind: Session) -> None:
    """All lines of a run have its name; each has the history that was judged, and what judged it up to when."""
    lines = _lines(every_kind)
    assert len({line.run for line in lines}) == 1
    (line,) = [line for line in lines if "[IfNotPresent]" in line.test]
    assert (line.judge, line.until, line.known) == ("0123456789ab", 72.0, "version")
    assert (every_kind.results.parent / line.history).name == "history.jsonl"


def test_a_run_has_a_name_of_its_own(every_kind: Session, tmp_path: Path) -> None:
    """Two runs are told apart wherever their lines come together."""
    (other,) = {line.run for line in _lines(run(tmp_path, _REPEATED))}
    assert other not in {line.run for line in _lines(every_kind)}


def test_the_commit_is_told(tmp_path: Path) -> None:
    """A checkout has its commit, one that was changed is marked, and where there is none, nothing is said."""
    assert commit(tmp_path) == ""
    repository = tmp_path / "repository"
    git = ["git", "-c", "user.name=a", "-c", "user.email=a@b.c", "-C", str(repository)]
    subprocess.run(["git", "init", "--quiet", str(repository)], check=True)
    (repository / "file").write_text("1")
    subprocess.run([*git, "add", "file"], check=True)
    subprocess.run([*git, "commit", "--quiet", "--message", "first"], check=True)
    head = commit(repository)
    assert re.fullmatch(r"[0-9a-f]{12}", head)
    (repository / "file").write_text("2")
    assert commit(repository) == f"{head}+"


@pytest.mark.parametrize(
    ("test", "outcomes"),
    [
        ("test_product", ["violated"]),
        ("test_undecided", ["inconclusive"]),
        ("test_mended", ["violated", BROKEN]),
        ("test_harness", [BROKEN]),
        ("test_skipped", []),
    ],
)
def test_what_went_wrong_beside_the_claims_is_a_line(every_kind: Session, test: str, outcomes: list[str]) -> None:
    """A test that failed for another reason than a claim is told as broken, also if it left no record."""
    assert [line.outcome for line in _lines(every_kind) if f"::{test}" in line.test] == outcomes


def test_repetitions_are_of_one_test(tmp_path: Path) -> None:
    """The part of a test's id that counts repetitions is left out, the rest stays."""
    lines = _lines(run(tmp_path, _REPEATED))
    assert [(line.test.partition("::")[2], line.seed) for line in lines] == [
        ("test_row[Always]", 1),
        ("test_row[Always]", 2),
        ("test_alone", 7),
    ]


def test_a_torn_last_line_does_not_count(tmp_path: Path) -> None:
    """A run that was killed while it wrote leaves what it had written."""
    path = tmp_path / FILE
    line = '{"test":"t","claim":"c","expected":"holds","outcome":"holds","issue":null,"seed":1,"shape":{},'
    path.write_text(f'{line}"seconds":1,"summary":"s"}}\n{line}', encoding="utf-8")
    assert read_verdicts(path) == [VerdictLine("t", "c", "holds", "holds", None, 1, {}, 1.0, "s")]


def test_what_is_no_verdict_is_refused(tmp_path: Path) -> None:
    """A missing file and a broken line are named."""
    path = tmp_path / FILE
    with pytest.raises(BadScenario, match="no verdicts can be read"):
        read_verdicts(path)
    path.write_text("{}\n", encoding="utf-8")
    with pytest.raises(BadScenario, match=rf"{FILE}:1: expected a verdict"):
        read_verdicts(path)


def _lines(session: Session) -> list[VerdictLine]:
    return read_verdicts(session.results.parent / FILE)
