"""Browser: a headless Chromium, the machine's own or Debian's, and what it shows and asks for."""

import json
import re
import shutil
import subprocess
from dataclasses import dataclass
from pathlib import Path

import pytest

from chaos_harness.clusters.errors import HarnessError
from chaos_harness.clusters.machine import apt
from chaos_harness.clusters.terminal.progress import Progress

__all__ = ["WHOLE_RUNS", "Page", "browser", "shoot", "show"]

_NAMES = ("chromium", "chromium-browser", "google-chrome")
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
_ITSELF = "not an origin"
"""Who asks, in a net log, for what no page wanted: updates of the browser, its clock."""
_AT_HOME = re.compile(r"(file|data|blob|chrome|about):|http://127\.0\.0\.1[:/]")
_SECONDS = 300

WHOLE_RUNS = ("", "beside")
"""What a run that may install a browser chooses by -m: nothing, or what `nox -s tests` chooses for its tests."""


@dataclass(frozen=True)
class Page:
    """What a browser showed in the end, as HTML, and what the page asked for that is not on this machine."""

    html: str
    abroad: list[str]


def browser(*, install: bool) -> str:
    """Return a browser; with `install` it is installed if there is none. Skips the test, and says why, if not."""
    program = _found()
    if program is None and not install:
        pytest.skip("no browser on this machine, and this run installs none; type `apt-get install chromium`")
    if program is None:
        try:
            apt.install(
                ["chromium"], Progress.terminal(), lack="no browser on this machine", elsewhere="install Chromium"
            )
        except HarnessError as error:
            pytest.skip(str(error))
        program = _found()
    return program or pytest.skip("no browser on this machine, though apt-get has installed chromium")


def show(program: str, address: str, place: Path) -> Page:
    """Let a browser show an address; `place` is a directory of its own."""
    log = place / "net.json"
    shown = _run(program, place, f"--log-net-log={log}", "--dump-dom", address)
    noted = json.loads(log.read_text(encoding="utf-8"))
    start = noted["constants"]["logEventTypes"]["URL_REQUEST_START_JOB"]
    asked = [event.get("params", {}) for event in noted["events"] if event["type"] == start]
    urls = [request["url"] for request in asked if request.get("initiator") != _ITSELF and "url" in request]
    return Page(shown, [url for url in urls if not _AT_HOME.match(url)])


def shoot(program: str, address: str, picture: Path, *, size: tuple[int, int], options: tuple[str, ...] = ()) -> None:
    """Let a browser make a picture of an address, in a window of a size."""
    window = f"--window-size={size[0]},{size[1]}"
    _run(program, picture.parent, window, "--hide-scrollbars", f"--screenshot={picture}", *options, address)


def _found() -> str | None:
    return next(filter(None, map(shutil.which, _NAMES)), None)


def _run(program: str, place: Path, *arguments: str) -> str:
    command = [program, *_OPTIONS, f"--user-data-dir={place / 'profile'}", *arguments]
    return subprocess.run(command, capture_output=True, text=True, timeout=_SECONDS, check=True).stdout
