"""Report: the real Allure 3 on a real Node.js, and what a real browser asks for when it shows the report."""

import contextlib
import json
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from reports.html import quiet
from tests.sessions import SCENARIOS, Session, run

_ROOT = Path(__file__).parents[2]
_BROWSER = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)
_OPTIONS = (
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--virtual-time-budget=20000",
    "--host-resolver-rules=MAP * ~NOTFOUND, EXCLUDE 127.0.0.1",
)
_BROWSER_ITSELF = "not an origin"
"""Who asks, in a net log, for what no page wanted: updates of the browser, its clock."""

_needs_browser = pytest.mark.skipif(_BROWSER is None, reason="no browser here: `apt-get install chromium` brings one")


@pytest.fixture(scope="module")
def told(tmp_path_factory: pytest.TempPathFactory) -> Session:
    """Run a session with a test of every kind, and make its report."""
    session = run(tmp_path_factory.mktemp("session"), SCENARIOS, "--tb=no")
    done = _reports(str(session.results.parent))
    assert done.returncode == 0, done.stderr
    return session


def _reports(*arguments: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "reports", *arguments]
    return subprocess.run(command, cwd=_ROOT, capture_output=True, text=True, timeout=900, check=False)


def _show(address: str, place: Path) -> tuple[str, list[str]]:
    """Let the browser show an address; return what it then shows, and all that the page asked for."""
    log = place / "net.json"
    command = [str(_BROWSER), *_OPTIONS, f"--user-data-dir={place / 'profile'}", f"--log-net-log={log}", "--dump-dom"]
    done = subprocess.run([*command, address], capture_output=True, text=True, timeout=300, check=True)
    noted = json.loads(log.read_text(encoding="utf-8"))
    start = noted["constants"]["logEventTypes"]["URL_REQUEST_START_JOB"]
    asked = [each.get("params", {}) for each in noted["events"] if each["type"] == start]
    return done.stdout, [each["url"] for each in asked if each.get("initiator") != _BROWSER_ITSELF and "url" in each]


def _abroad(asked: list[str]) -> list[str]:
    return [url for url in asked if not re.match(r"(file|data|blob|chrome|about):|http://127\.0\.0\.1[:/]", url)]


@contextlib.contextmanager
def _served(directory: Path) -> Iterator[str]:
    command = [sys.executable, "-m", "reports", str(directory), "--serve"]
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


@_needs_browser
@pytest.mark.parametrize("way", ["opened", "served"])
def test_no_request_leaves_the_machine(told: Session, tmp_path: Path, way: str) -> None:
    """The whole report is shown, and everything that the browser asked for lies on this machine."""
    index = told.results.parent / "report/index.html"
    with _served(told.results.parent) if way == "served" else contextlib.nullcontext(index.as_uri()) as address:
        shown, asked = _show(address, tmp_path)

    assert "test_pods_restart[Always]" in shown
    assert _abroad(asked) == []


@_needs_browser
def test_a_request_that_would_leave_is_seen(tmp_path: Path) -> None:
    """What watches the network sees a page that asks elsewhere; the report's policy keeps the same page from it."""
    asks = '<head></head><body><script>fetch("http://elsewhere.invalid/x")</script></body>'
    policy = re.search(r"<meta http-equiv.*?>", quiet(asks))
    assert policy is not None
    found = []
    for number, page in enumerate((asks, asks.replace("<head>", f"<head>{policy.group()}"))):
        place = tmp_path / str(number)
        place.mkdir()
        (place / "page.html").write_text(f"<!DOCTYPE html><html>{page}</html>", encoding="utf-8")
        found.append(_abroad(_show((place / "page.html").as_uri(), place)[1]))

    assert found == [["http://elsewhere.invalid/x"], []]


def test_report_knows_all_tests_and_findings(told: Session) -> None:
    """One file holds every test; analytics are gone; a second report of the same run is made, too."""
    index = told.results.parent / "report/index.html"
    page = index.read_text(encoding="utf-8")

    assert "googletagmanager" not in page
    assert [path.name for path in index.parent.iterdir() if path.suffix == ".html"] == ["index.html"]
    summary = json.loads((index.parent / "summary.json").read_text(encoding="utf-8"))
    assert summary["stats"]["total"] == 7
    assert _reports(str(told.results.parent)).returncode == 0


def test_run_without_tests_has_a_report(tmp_path: Path) -> None:
    """Nothing was run, and the report can be made all the same."""
    session = run(tmp_path, "def test_x(): pass\n", "-k", "nothing")
    done = _reports(str(session.results.parent))

    assert session.status == 5
    assert done.returncode == 0, done.stderr
    assert (session.results.parent / "report/index.html").is_file()
