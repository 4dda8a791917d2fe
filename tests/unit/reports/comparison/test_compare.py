"""Comparison: what changed between runs made by hand, in words, as data, and as the status of the verb."""

import json
import re
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

from benchmarks.simulated_nights import count_found, count_worse
from chaos_harness.reports.comparison.render import MARKER
from chaos_harness.reports.store.importer import import_runs
from chaos_harness.run_comparison import main
from tests.fakes.runs import SHAPE, RunFolder, verdict
from tests.thorough import thorough

_DAY = 86_400
_FIRST = 1_790_000_000.0


@pytest.fixture(autouse=True)
def store(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    """Keep locks in a place of the test's own; return where its store is."""
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))
    return tmp_path / "store.duckdb"


def _night(place: Path, label: str, outcomes: Sequence[str], seconds: float | None = None, **more: Any) -> Path:
    """Make a run a day with one claim each, whose recovery varies a little around `seconds`."""
    for number, outcome in enumerate(outcomes):
        id_ = f"202611{number + 1:02}T010203Z-{label}"
        folder = RunFolder(place / label / id_)
        figures = {} if seconds is None else {"recovered_seconds": seconds + number / 10}
        line = verdict(outcome, run=id_, id="recovers_within(60)", figures=figures, **{"commit": label, **more})
        folder.verdicts([json.loads(json.dumps(vars(line)))])
        folder.state(started=_FIRST + number * _DAY, ended=_FIRST + number * _DAY + 60, status=0)
    return place / label


def _compare(capsys: pytest.CaptureFixture[str], *words: str | Path) -> tuple[int, str]:
    status = main(list(map(str, words)))
    return status, capsys.readouterr().out


@pytest.mark.parametrize(
    ("a", "b", "status", "words"),
    [
        (["holds"], ["holds"], 0, "as before: of 1 claims that both have, nothing is worse"),
        (["holds"] * 3, ["holds", "violated"], 1, "worse: of 1 claims that both have, 1 no longer hold"),
        (["violated"], ["holds"], 0, "as before: of 1 claims that both have, 1 are violated no longer"),
        (["holds"], ["inconclusive"], 3, "undecided: of 1 claims that both have, 1 are undecided"),
        (["inconclusive"], ["violated"], 3, "undecided: of 1 claims"),
        (["holds", "violated"] * 3, ["violated"], 0, "as before: of 1 claims"),
        (["holds"] * 19 + ["violated"], ["violated"] * 8, 1, "worse: of 1 claims"),
    ],
    ids=["same", "worse", "better", "undecided", "was undecided", "was so before", "more often"],
)
def test_verdicts(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], a: list[str], b: list[str], status: int, words: str
) -> None:
    """A claim that always held is worse if it is violated once; one that did not, if that is no chance."""
    ended, said = _compare(capsys, _night(tmp_path, "aaaa", a), _night(tmp_path, "bbbb", b))
    assert ended == status
    assert words in " ".join(said.split())


@pytest.mark.parametrize(
    ("runs", "before", "after", "status"),
    [
        ((10, 10), 20.0, 30.0, 1),
        ((10, 10), 20.0, 20.2, 0),
        ((10, 10), 30.0, 20.0, 0),
        ((10, 1), 20.0, 60.0, 1),
        ((10, 1), 20.0, 22.0, 0),
        ((4, 4), 20.0, 600.0, 0),
    ],
    ids=["slower", "below a second", "faster", "one run slower", "one run within noise", "too few runs"],
)
def test_figures(
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    runs: tuple[int, int],
    before: float,
    after: float,
    status: int,
) -> None:
    """A figure is worse beyond the noise of runs and by what matters; of few runs nothing is said."""
    a, b = (
        _night(tmp_path, label, ["holds"] * count, seconds)
        for label, count, seconds in zip(("aaaa", "bbbb"), runs, (before, after), strict=True)
    )
    ended, said = _compare(capsys, a, b)
    assert ended == status, said
    assert ("worse beyond noise" in said) == bool(status)


def test_forms(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """A terminal gets 80 columns, a pull request a marked comment without links of others', a script all values."""
    a = _night(tmp_path, "aaaa", ["holds"] * 8, 20.0, claim="pods | recover @all <b>" + " in time" * 20)
    b = _night(tmp_path, "bbbb", ["violated"] * 8, 40.0, claim="pods | recover @all <b>" + " in time" * 20)
    status, text = _compare(capsys, a, b)
    assert status == 1
    assert max(map(len, text.splitlines())) < 80
    assert re.search(r"p50 20\.3 s \(20\.\d to 20\.\d\), then 40\.3 s \(", " ".join(text.split()))
    _, markdown = _compare(capsys, a, b, "--markdown")
    assert markdown.startswith(f"{MARKER}\n\n### worse: ")
    assert "@all" not in markdown
    assert r"pods \| recover" in markdown
    _, written = _compare(capsys, a, b, "--json")
    told = json.loads(written)
    assert (told["judgement"], told["claims"][0]["judgement"]) == ("worse", "worse")
    assert told["figures"][0]["percentiles"]["b_p50"][0] == pytest.approx(40.3)


def test_two_versions_are_compared_where_all_else_is_the_same(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """What all cells of A are and none of B is no part of what they have in common, and is said."""
    a = _night(tmp_path, "aaaa", ["holds"], shape={**SHAPE, "gatekeeper": "v3.20.1"})
    status, said = _compare(capsys, a, _night(tmp_path, "bbbb", ["violated"]))
    assert status == 1
    assert "A: " in said
    assert "v3.20.1" in said.partition("B: ")[0]


@pytest.mark.parametrize("word", ["20261103T010203Z-bbbb", "20261103", "bbbb", "latest", "2026-09-23..2026-09-30"])
def test_words_for_runs_of_the_store(
    tmp_path: Path, store: Path, capsys: pytest.CaptureFixture[str], word: str
) -> None:
    """An id, its begin, a commit, the latest run, and a time span."""
    import_runs(store, [_night(tmp_path, "bbbb", ["holds", "holds", "violated"])], str)
    a = _night(tmp_path, "aaaa", ["holds"])
    status, said = _compare(capsys, a, word, "--store", store)
    assert (status, f"B: {word}: " in said) == (1, True)


def test_all_bad_words_are_said_at_once(tmp_path: Path, store: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """What means no run, and what is no time; nothing is compared."""
    import_runs(store, [_night(tmp_path, "bbbb", ["holds"])], str)
    assert main(["20261101T010203Z-bbbc", "2026-13-40..", "--store", str(store)]) == 2
    said = capsys.readouterr().err
    assert "did you mean 20261101T010203Z-bbbb?" in said
    assert "found '2026-13-40'" in said
    assert main(["latest", "bbbb", "--store", str(store)]) == 2
    assert "a run cannot be compared with itself" in capsys.readouterr().err


@pytest.mark.parametrize(("figures", "pairs", "found"), [(1, 60, 54), pytest.param(100, 12, 9, marks=thorough)])
def test_simulated_nights(figures: int, pairs: int, found: int) -> None:
    """Of pairs of nights with a slower recovery most are found, and of as many without none; see the benchmark."""
    assert count_found(pairs, figures) >= found
    assert count_worse(pairs, figures) <= 1


def test_help_imports_no_database() -> None:
    """Who wants a list of verbs, or another verb, waits neither for DuckDB nor for pytest."""
    program = (
        "import sys\nfrom chaos_harness.__main__ import main\n"
        "try: main(['-h'])\nexcept SystemExit: pass\n"
        "print(sum(name.startswith('chaos_harness') for name in sys.modules), 'duckdb' in sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    ours, has_duckdb = done.stdout.split()[-2:]
    assert (int(ours) <= 60, has_duckdb) == (True, "False")
