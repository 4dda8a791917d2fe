"""Report: the real Allure 3 on a real Node.js, and what a real browser asks for when it shows the report."""

import base64
import contextlib
import json
import os
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from chaos_harness.reports.allure.categories import write_categories
from chaos_harness.reports.html.generate import block_requests
from chaos_harness.reports.overview.page import render_page
from chaos_harness.reports.overview.run import read_run
from tests.browser import WHOLE_RUNS, browser, show
from tests.fakes.canary_histories import CanaryHistory
from tests.fakes.runs import RunFolder, verdict
from tests.sessions import SCENARIOS, Session, run

pytestmark = pytest.mark.beside

_ROOT = Path(__file__).parents[2]


@pytest.fixture(scope="session")
def chromium(request: pytest.FixtureRequest) -> str:
    """Give a browser, installed if this machine has none; a run of other chosen tests (-m) installs none."""
    return browser(install=request.config.option.markexpr in WHOLE_RUNS)


@pytest.fixture(scope="module")
def session(tmp_path_factory: pytest.TempPathFactory) -> Session:
    """Run a session with a test of every kind, and make its report."""
    session = run(tmp_path_factory.mktemp("session"), SCENARIOS, "--tb=no")
    done = _reports(str(session.results.parent))
    assert done.returncode == 0, done.stderr
    return session


def _reports(*arguments: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "chaos_harness.reports", *arguments]
    return subprocess.run(command, cwd=_ROOT, capture_output=True, text=True, timeout=900, check=False)


@contextlib.contextmanager
def _served(directory: Path) -> Iterator[str]:
    command = [sys.executable, "-m", "chaos_harness.reports", str(directory), "--serve"]
    with subprocess.Popen(command, cwd=_ROOT, stderr=subprocess.PIPE, text=True, env={**os.environ}) as server:
        assert server.stderr is not None
        try:
            for line in server.stderr:
                if place := re.search(r"http://127\.0\.0\.1:\d+/", line):
                    yield place.group()
                    return
            pytest.fail("the report was not served")
        finally:
            server.terminate()


@pytest.mark.parametrize("way", ["opened", "served"])
def test_no_request_leaves_the_machine(session: Session, tmp_path: Path, way: str, chromium: str) -> None:
    """The whole report is shown, and everything that the browser asked for lies on this machine."""
    index = session.results.parent / "report/index.html"
    with _served(session.results.parent) if way == "served" else contextlib.nullcontext(index.as_uri()) as address:
        page = show(chromium, address, tmp_path)

    assert "test_pods_restart[Always]" in page.html
    assert page.abroad == []


def test_a_request_that_would_leave_is_seen(tmp_path: Path, chromium: str) -> None:
    """What watches the network sees a page that asks elsewhere; the report's policy keeps the same page from it."""
    asks = '<head></head><body><script>fetch("http://elsewhere.invalid/x")</script></body>'
    policy = re.search(r"<meta http-equiv.*?>", block_requests(asks))
    assert policy is not None
    abroad = []
    for number, page in enumerate((asks, asks.replace("<head>", f"<head>{policy.group()}"))):
        place = tmp_path / str(number)
        place.mkdir()
        (place / "page.html").write_text(f"<!DOCTYPE html><html>{page}</html>", encoding="utf-8")
        abroad.append(show(chromium, (place / "page.html").as_uri(), place).abroad)

    assert abroad == [["http://elsewhere.invalid/x"], []]


def test_overview_is_shown_by_a_browser(session: Session, tmp_path: Path, chromium: str) -> None:
    """It asks nobody, though it has links, and Allure's page beside it leads to it."""
    index = session.results.parent / "report/index.html"
    overview = show(chromium, index.with_name("overview.html").as_uri(), tmp_path)

    assert "The history of 5 experiments cannot be read, so nothing is known about enforcement." in overview.html
    assert 'href="index.html"' in overview.html
    assert 'href="overview.html"' in index.read_text(encoding="utf-8")
    assert overview.abroad == []


@pytest.mark.parametrize("width", [400, 1400])
def test_overview_fits_into_the_window(tmp_path: Path, width: int, chromium: str) -> None:
    """Nothing of it lies outside of a telephone's screen or a desktop's: it is as wide as its frame."""
    folder = RunFolder(tmp_path / "run-1")
    history = CanaryHistory().asks(0, 20).asks(20, 25, "fail").asks(25, 30, "info").asks(30, 60).fault(10, 11, 40)
    for name in ("a" * 90, "b"):
        line = verdict("violated", "violated", issue="open-policy-agent/gatekeeper#3839", test=f"test_{name}")
        folder.experiment(name, history.written(), line, verdict("violated", summary="c" * 400))
    page = render_page(read_run(folder.place), "index.html")
    beyond = "let all = document.documentElement; parent.postMessage(all.scrollWidth - all.clientWidth, '*')"
    page = re.sub(r"<meta http-equiv[^>]*>", "", page).replace("</body>", f"<script>{beyond}</script></body>")
    (tmp_path / "page.html").write_text(page, encoding="utf-8")
    frame = f"<iframe src='page.html' style='width:{width}px;height:900px;border:0'></iframe><p id='beyond'>?</p>"
    listen = "<script>onmessage = told => { document.getElementById('beyond').textContent = told.data }</script>"
    (tmp_path / "frame.html").write_text(f"<!DOCTYPE html>{listen}{frame}", encoding="utf-8")

    shown = show(chromium, (tmp_path / "frame.html").as_uri(), tmp_path).html

    assert '<p id="beyond">0</p>' in shown


def test_report_knows_all_tests_and_findings(session: Session) -> None:
    """One file holds every test; analytics are gone; a second report of the same run is made, too."""
    index = session.results.parent / "report/index.html"
    page = index.read_text(encoding="utf-8")

    assert "googletagmanager" not in page
    assert sorted(path.name for path in index.parent.glob("*.html")) == ["index.html", "overview.html"]
    summary = json.loads((index.parent / "summary.json").read_text(encoding="utf-8"))
    assert summary["stats"]["total"] == 7
    assert _reports(str(session.results.parent)).returncode == 0


def test_every_attachment_can_be_opened(session: Session) -> None:
    """Also what several tests of one experiment have: Allure calls a file that a second one names missed."""
    text = (session.results.parent / "report/index.html").read_text(encoding="utf-8")
    test_results = [
        base64.b64decode(encoded).decode() for encoded in re.findall(r'"data/test-results/\w+\.json","([^"]*)"', text)
    ]

    assert sum(test_result.count('"type":"attachment"') for test_result in test_results) > len(test_results)
    assert [test_result for test_result in test_results if '"missed":true' in test_result] == []


def test_a_run_without_tests_leaves_nothing_to_report(tmp_path: Path) -> None:
    """Nothing was run: there is no directory, and who asks for its report learns that there is none."""
    session = run(tmp_path, "def test_x(): pass\n", "-k", "nothing")
    done = _reports(str(session.results.parent))

    assert (session.status, session.results.parent.exists()) == (5, False)
    assert done.returncode == 2
    assert "expected a run's directory with results in it" in done.stderr


@pytest.mark.parametrize(("seconds", "met"), [(62.0, True), (12.0, False)])
def test_quality_gate_tells_what_the_run_must_meet(tmp_path: Path, seconds: float, met: bool, chromium: str) -> None:
    """The tab shows that all claims came out as expected, and whether a figure is worse than before, beyond noise."""
    test = "scenarios/test_registry.py::test_pods_restart[Always]"
    key = f"{test} | v1.36.4 | pods ready within 60 s | recovered_seconds"
    trend = tmp_path / "reports/out/trend.jsonl"
    trend.parent.mkdir(parents=True)
    earlier = [{"name": f"run {number}", "started": number, "figures": {key: seconds}} for number in range(6)]
    trend.write_text("".join(f"{json.dumps(past_run)}\n" for past_run in earlier), encoding="utf-8")
    session = run(tmp_path, SCENARIOS, "-k", "restart and Always")
    done = _reports(str(session.results.parent))
    assert done.returncode == 0, done.stderr

    index = session.results.parent / "report/index.html"
    shown = show(chromium, f"{index.as_uri()}#qualityGate", tmp_path).html

    assert "1 of 1 claims came out as expected" in shown
    assert ("none of 1 figures is worse than in earlier runs" in shown) == met
    assert ("62, worse: 12 in 6 earlier runs" in shown) == (not met)
    assert shown.count('data-success="true"') == 1 + met


def test_five_thousand_tests_are_one_report(tmp_path: Path) -> None:
    """A report of very many tests is made, knows all of them, and names those that did not pass."""
    run_ = tmp_path / "out" / "many"
    (run_ / "results").mkdir(parents=True)
    write_categories(run_ / "results")
    for number in range(5_000):
        status = "failed" if number % 1_000 == 0 else "passed"
        times = {"start": 1_000 * number, "stop": 1_000 * number + 500}
        named = {
            "uuid": f"u{number}",
            "historyId": f"h{number}",
            "name": f"test_{number}",
            "fullName": f"many#{number}",
        }
        result = {**named, **times, "status": status, "labels": [{"name": "suite", "value": f"suite {number % 40}"}]}
        (run_ / "results" / f"u{number}-result.json").write_text(json.dumps(result), encoding="utf-8")

    done = _reports(str(run_))

    assert done.returncode == 0, done.stderr
    stats = json.loads((run_ / "report/summary.json").read_text(encoding="utf-8"))["stats"]
    assert (stats["total"], stats["failed"]) == (5_000, 5)
