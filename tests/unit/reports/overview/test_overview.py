"""Overview: what a reader learns from the page, the Markdown and the terminal, and that all three say the same."""

import re
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import pytest

from chaos_harness.reports.overview.page import render_page
from chaos_harness.reports.overview.run import read_run
from chaos_harness.reports.overview.terminal import render_lines
from chaos_harness.reports.overview.words import describe_shapes, headline
from chaos_harness.reports.overview.write import MARKDOWN, PAGE, write_overview
from tests.fakes.canary_histories import CanaryHistory
from tests.fakes.runs import RunFolder, verdict

_KNOWN: dict[str, Any] = {"issue": "open-policy-agent/gatekeeper#3839", "because": ("image pull failed",)}
_PLANTED = "Authorization: Bearer planted-0123456789abcdef"


def _history(begin: float = 20, end: float = 22) -> CanaryHistory:
    return CanaryHistory().asks(0, begin).asks(begin, end, "fail").asks(end, 60).fault(10, 11, 40)


@pytest.fixture
def folder(tmp_path: Path) -> RunFolder:
    """Make a run: one known defect that reproduced, one experiment in which nothing was lost."""
    made = RunFolder(tmp_path / "run-1")
    made.experiment("lost", _history().written(), verdict("violated", "violated", **_KNOWN))
    made.experiment("healthy", _history(22).written(), verdict(test="test_b"))
    made.tests("scenarios/test_s.py::test_a[x]", "scenarios/test_s.py::test_b")
    made.state(ended=1_800_000_600.0, status=0, chosen=2)
    return made


class _Text(HTMLParser):
    """Keeps the words of a page, and what it would load or run."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.words: list[str] = []
        self.loads: list[str] = []
        self._in_style = False
        self.feed(page)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self._in_style = tag == "style"
        loaded = [value or "" for name, value in attrs if name == "src" or (name == "href" and tag == "link")]
        self.loads += [tag] if tag in ("script", "iframe") else loaded

    def handle_data(self, data: str) -> None:
        if not self._in_style:
            self.words.append(data)

    def __str__(self) -> str:
        return " ".join(" ".join(self.words).split())


@pytest.mark.parametrize(
    ("shape", "words"),
    [
        ({"gatekeeper": "v3.23.1", "install": "chart"}, "Gatekeeper v3.23.1, installed by chart"),
        ({"gatekeeper": None, "install": "manifest", "kubernetes": "v1.36.4"}, "no Gatekeeper, Kubernetes v1.36.4"),
        (
            {"gatekeeper": "v3.23.1", "own": {"digest": "1a2b3c4d"}},
            "Gatekeeper v3.23.1, with changes of your own (1a2b3c4d)",
        ),
    ],
)
def test_on_what_it_ran(tmp_path: Path, shape: dict[str, Any], words: str) -> None:
    """A baseline and a Gatekeeper of one's own are told from a release."""
    made = RunFolder(tmp_path / "run-1")
    made.experiment("a", _history().written(), verdict(shape=shape))
    made.tests("scenarios/test_s.py::test_a[x]")
    assert describe_shapes(read_run(made.place)) == [words]


def _page(folder: RunFolder) -> str:
    return render_page(read_run(folder.place), "index.html")


@pytest.mark.parametrize(
    ("question", "answer"),
    [
        ("how long was policy off?", "Policy was bypassed for 2 s at worst, and no compliant request was refused."),
        ("how many requests?", "Bypassed in 1 of 2 experiments; at worst 20 of 500 requests about mutate pods"),
        ("why?", "after cut registry, because of log not read (20)"),
        ("is it known?", "; known: gatekeeper#3839."),
        ("how is it replayed?", "'scenarios/test_s.py::test_a[x]' --seed 7 --kubernetes v1.36.4 --gatekeeper v3.23.1"),
        ("on which version?", "Gatekeeper v3.23.1, installed by manifest, Kubernetes v1.36.4"),
    ],
)
def test_page_answers(folder: RunFolder, question: str, answer: str) -> None:
    """What a reader asks first is answered in words."""
    assert answer in str(_Text(_page(folder))), question


def test_page_asks_nobody_and_runs_nothing(folder: RunFolder) -> None:
    """It has no script, and all that it loads is in it; a policy forbids everything else."""
    page = _page(folder)
    loads = _Text(page).loads

    assert loads, "the whole timelines are in it"
    assert [address for address in loads if not address.startswith("data:image/svg+xml;base64,")] == []
    assert "default-src 'none'; style-src 'unsafe-inline'; img-src data:" in page


def test_expected_violated_is_never_green(folder: RunFolder) -> None:
    """A known defect that reproduced has a tile, a badge and a section of its own; only what held is green."""
    page = _page(folder)

    assert "<li class='known'><a href=\"#known\"><b>▲ 1</b>known defect reproduced" in page
    assert "<li class='held'><a href=\"#experiments\"><b>✓ 1</b>held" in page
    assert '<h3><a href="https://github.com/open-policy-agent/gatekeeper/issues/3839">gatekeeper#3839</a></h3>' in page
    assert re.search(r"<article id='e1'>.*?<span class='badge known'>", page)


@pytest.mark.parametrize(
    ("line", "section"),
    [
        (verdict("violated"), "Surprises"),
        (verdict("holds", "violated", **_KNOWN), "Surprises"),
        (verdict("violated", "violated", surprise=True, **_KNOWN), "Surprises"),
        (verdict("inconclusive"), "Inconclusive, and why"),
        (verdict("inconclusive", broken="KeyError: x"), "Broken by the harness"),
        (verdict("broken", "", claim=""), "Broken by the harness"),
        (verdict("violated", "violated"), "Violated as predicted"),
    ],
)
def test_each_standing_has_its_section(tmp_path: Path, line: object, section: str) -> None:
    """What needs a look stands under a title that says what it is, and under no other."""
    folder = RunFolder(tmp_path / "run-1")
    folder.experiment("one", _history().written(), line)  # type: ignore[arg-type]
    page = _page(folder)

    titles = (
        "Surprises",
        "Inconclusive, and why",
        "Broken by the harness",
        "Known defects that",
        "Violated as predicted",
    )
    assert [title for title in titles if f"'>{title}" in page] == [section]


def test_worst_comes_first(tmp_path: Path) -> None:
    """Experiments and faults are in the order of what was lost."""
    folder = RunFolder(tmp_path / "run-1")
    for name, end in (("short", 21), ("long", 30), ("none", 20)):
        folder.experiment(name, _history(20, end).written(), verdict(test=f"test_{name}"))
    run = read_run(folder.place)

    assert [experiment.name for experiment in run.experiments] == ["long", "short", "none"]
    assert [experiment.name for experiment, _ in run.effects] == ["long", "short", "none"]
    assert "1 faults after which nothing was lost and everything was seen" in _page(folder)


def test_unseen_time_is_said_and_no_zero(tmp_path: Path) -> None:
    """Where the probes did not see, the page says so, in the first sentence, too."""
    folder = RunFolder(tmp_path / "run-1")
    history = CanaryHistory().asks(0, 20).asks(20, 25, "info").asks(25, 60).fault(10, 11, 40)
    folder.experiment("one", history.written(), verdict())
    page = str(_Text(_page(folder)))

    assert "No policy was bypassed and no compliant request was refused in 1 experiment, as far as was seen." in page
    assert "5.1 s were not seen" in page
    assert "Bypassed Refused" in page
    assert page.count("none seen") == 2
    assert re.search(r"\b0 of [\d,]+ requests", page) is None


def test_run_that_was_interrupted_says_what_is_missing(tmp_path: Path) -> None:
    """How many tests ended, in which it stopped, and an experiment without a verdict is drawn as far as it went."""
    folder = RunFolder(tmp_path / "run-1")
    folder.experiment("done", _history().written(), verdict())
    folder.experiment("stopped", _history().written(ended=False))
    folder.tests("scenarios/test_s.py::test_a[x]", unfinished="scenarios/test_s.py::test_b")
    folder.state(ended=1_800_000_600.0, status=2, chosen=9)
    page = str(_Text(_page(folder)))

    said = "The run was interrupted: 1 of 9 tests came to their end; it stopped in scenarios/test_s.py::test_b."
    assert said in page
    assert "no verdict: its test did not come to its end" in page
    assert "The history is cut off: what happened after it is not known." in page


def test_history_that_cannot_be_read_is_a_gap(folder: RunFolder) -> None:
    """The others are shown; nothing is claimed about this one."""
    path = folder.place / folder.experiment("broken", _history().written(), verdict(test="test_c"))
    path.write_text("{}\n")
    page = str(_Text(_page(folder)))

    assert "Its history cannot be read: BadScenario" in page
    assert "Policy was bypassed for 2 s at worst, and no compliant request was refused, as far as was seen." in page


def test_run_without_anything_says_so(tmp_path: Path) -> None:
    """An empty directory is no good news."""
    assert headline(read_run(tmp_path)) == "No experiment left a history, so nothing is known about enforcement"


def test_no_secret_and_no_markup_of_others_is_shown(tmp_path: Path) -> None:
    """What claims and tests contain is text, without secrets, in all three forms."""
    folder = RunFolder(tmp_path / "run-1")
    line = verdict("violated", summary=f"<script>alert(1)</script> {_PLANTED}", evidence=(_PLANTED,))
    folder.experiment("one", _history().written(), line)
    run = read_run(folder.place)
    write_overview(folder.place, run)
    page, text = ((folder.place / name).read_text(encoding="utf-8") for name in (PAGE, MARKDOWN))

    assert [shown for shown in (page, text, "\n".join(render_lines(run))) if "planted-0123" in shown] == []
    assert "<script" not in page
    assert "\\<script" in text


def test_terminal_has_80_columns(folder: RunFolder) -> None:
    """The summary fits into a plain terminal, and says what the page says first."""
    lines = render_lines(read_run(folder.place))

    assert max(map(len, lines)) <= 80
    words = " ".join(" ".join(lines).split())
    assert words.startswith("Policy was bypassed for 2 s at worst, and no compliant request was refused.")
    assert "2 claims: no surprise, 1 known defect reproduced, 1 held. known: gatekeeper#3839." in words


def test_markdown_says_the_same(folder: RunFolder) -> None:
    """The first sentence, the table of faults and the commands stand in the text file, too."""
    overview = read_run(folder.place)
    assert write_overview(folder.place, overview) == folder.place / PAGE
    text = (folder.place / MARKDOWN).read_text(encoding="utf-8")

    assert text.startswith(f"# {headline(overview)}")
    assert "| cut registry (test\\_a\\[x\\]) | mutate pods: 1.9 to 2.1 s, 20 of 500 requests | 0 of 500 |" in text
    assert "nox -s chaos -- 'scenarios/test_s.py::test_a[x]' --seed 7" in text


def test_timelines_that_no_page_has_room_for_are_left_out(folder: RunFolder, monkeypatch: pytest.MonkeyPatch) -> None:
    """The small ones stay, and the page says where the whole ones are."""
    monkeypatch.setattr("chaos_harness.reports.overview.run._MOST_PICTURE_BYTES", 10)
    page = _page(folder)

    assert "data:image" not in page
    assert page.count("The page has no room for the whole timeline") == 2
    assert page.count("class='strips'") == 2
