"""Browser: where it comes from, and why a test that needs it is skipped."""

import os
import subprocess
from pathlib import Path

import pytest

from chaos_harness.clusters.machine import apt as distribution
from tests import browser


@pytest.fixture
def machine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Make a machine whose apt-get brings a chromium."""
    apt = f"#!/bin/sh\ncase \"$*\" in *' install '*) /bin/cp {tmp_path}/apt-get {tmp_path}/chromium ;; esac\n"
    (tmp_path / "apt-get").write_text(apt, encoding="utf-8")
    (tmp_path / "apt-get").chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.setattr(distribution, "_POLICY", tmp_path / "policy-rc.d")
    monkeypatch.setattr(os, "geteuid", lambda: 0)
    return tmp_path


def _skipped(*, install: bool) -> str:
    with pytest.raises(pytest.skip.Exception) as raised:
        browser.browser(install=install)
    return str(raised.value)


def test_browser_is_installed_if_there_is_none(machine: Path) -> None:
    """The distribution's is installed once; the second time it is there."""
    assert browser.browser(install=True) == str(machine / "chromium")
    (machine / "apt-get").unlink()
    assert browser.browser(install=True) == browser.browser(install=False) == str(machine / "chromium")


def test_reason_to_skip_has_the_command_to_type(machine: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A run that installs nothing, another user than root, and an apt that fails each say what to type."""
    assert "type `apt-get install chromium`" in _skipped(install=False)
    (machine / "apt-get").write_text("#!/bin/sh\necho E: no route >&2; exit 100\n", encoding="utf-8")
    assert "E: no route" in _skipped(install=True)
    monkeypatch.setattr(os, "geteuid", lambda: 1000)
    assert "type `sudo sh -c 'apt-get update && apt-get install" in _skipped(install=True)


def test_what_is_asked_abroad_is_told(machine: Path) -> None:
    """Only a page's requests to other machines are reported, and none of the browser's own."""
    asked = [
        ("file:///x", "null"),
        ("http://127.0.0.1:80/x", "null"),
        ("https://elsewhere.invalid/", "null"),
        ("https://update.invalid/", "not an origin"),
    ]
    events = ", ".join(f'{{"type": 5, "params": {{"url": "{url}", "initiator": "{who}"}}}}' for url, who in asked)
    log = f'{{"constants": {{"logEventTypes": {{"URL_REQUEST_START_JOB": 5}}}}, "events": [{events}]}}'
    (machine / "chromium").write_text(
        f"#!/bin/bash\nfor word in \"$@\"; do case $word in --log-net-log=*) echo '{log}' > ${{word#*=}};; esac; done\n"
        'echo "<p>$*</p>"\n',
        encoding="utf-8",
    )
    (machine / "chromium").chmod(0o755)

    page = browser.show(str(machine / "chromium"), "file:///x", machine)

    assert page.abroad == ["https://elsewhere.invalid/"]
    assert page.html.rstrip().endswith("--dump-dom file:///x</p>")


def test_browser_that_fails_is_no_picture(machine: Path) -> None:
    """A browser that ends with an error fails the test that asked it."""
    with pytest.raises(subprocess.CalledProcessError):
        browser.shoot("/bin/false", "file:///x", machine / "x.png", size=(1000, 800))
