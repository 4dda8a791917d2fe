"""Downloads from a real server on loopback: nothing broken, changed or diverted is kept."""

import hashlib
import socket
from collections.abc import Iterator
from pathlib import Path

import pytest

from chaos_harness.clusters.deadline import Deadline
from chaos_harness.clusters.errors import DeadlineExceeded, ImageUnavailable
from chaos_harness.clusters.images.downloads import Download
from chaos_harness.clusters.terminal.progress import ProgressStep
from tests.fakes.file_server import Answer, FileServer

_BODY = b"a program" * 1000
_SUM = hashlib.sha256(_BODY).hexdigest()


@pytest.fixture
def files(monkeypatch: pytest.MonkeyPatch) -> Iterator[FileServer]:
    """Serve nothing yet, without a proxy in between."""
    monkeypatch.setenv("no_proxy", "*")
    with FileServer().serve() as server:
        yield server


def _fetch(download: Download, target: Path, seconds: float = 20) -> ProgressStep:
    step = ProgressStep("download")
    download.fetch(target, Deadline.after(seconds, "the download"), step)
    return step


def test_a_complete_file_of_the_right_sum_is_kept(files: FileServer, tmp_path: Path) -> None:
    """And the step says how much of it was there."""
    files.answers["/kind"] = Answer(_BODY)
    step = _fetch(Download(f"{files.address}/kind", 1, _SUM), tmp_path / "kind")

    assert (tmp_path / "kind").read_bytes() == _BODY
    assert step.detail == "0.0 of 0.0 MiB"


def test_a_redirect_to_a_host_of_the_project_is_followed(files: FileServer, tmp_path: Path) -> None:
    """As github.com does with whatever belongs to a release."""
    files.answers |= {
        "/kind": Answer(status=302, location=f"{files.address.replace('127.0.0.1', '127.0.0.2')}/file"),
        "/own": Answer(status=302, location="/file"),
        "/file": Answer(_BODY),
    }
    _fetch(Download(f"{files.address}/own", 1, _SUM), tmp_path / "own")
    with pytest.raises(ImageUnavailable, match="refused"):  # nobody listens there, but it was asked
        _fetch(Download(f"{files.address}/kind", 1, _SUM, ("127.0.0.2",)), tmp_path / "kind")
    assert files.asked == ["/own", "/file", "/kind"]


@pytest.mark.parametrize(
    ("answer", "problem"),
    [
        (Answer(_BODY[:-1]), f"expected sha256 {_SUM}, found "),
        (Answer(_BODY, length=len(_BODY) + 5), f"ended after {len(_BODY)} of {len(_BODY) + 5} bytes"),
        (Answer(b"gone", 404), "the server answers 404 Not Found"),
        (Answer(b"", 503), "the server answers 503 Service Unavailable"),
        (Answer(b"0" * (2 << 20)), "expected at most 1 MiB"),
        (
            Answer(status=302, location="https://elsewhere.invalid/kind"),
            "redirects to https://elsewhere.invalid/kind, on a host",
        ),
        (Answer(status=302, location="https://x\x1b.invalid/"), r"https://x\x1b.invalid/, on a host"),
        (Answer(status=302, location="https://[x/"), "redirects to https://[x/, which is no address"),
        (Answer(_BODY, silent_after=100), "the server sent nothing for too long"),
    ],
    ids=["changed", "cut off", "404", "503", "too large", "another host", "escapes", "no address", "silent"],
)
def test_what_is_wrong_leaves_no_file(files: FileServer, tmp_path: Path, answer: Answer, problem: str) -> None:
    """Each is one line that names the file, what is wrong with it, and the next command to type."""
    files.answers["/kind"] = answer
    with pytest.raises(ImageUnavailable) as refused:
        _fetch(Download(f"{files.address}/kind", 1, _SUM, silent_seconds=0.3), tmp_path / "kind")

    assert problem in str(refused.value)
    assert str(refused.value).startswith(f"{files.address}/kind: ")
    assert "`curl --location" in str(refused.value)
    assert str(refused.value).isprintable()
    assert list(tmp_path.iterdir()) == []


def test_a_slow_file_ends_with_its_time(files: FileServer, tmp_path: Path) -> None:
    """A server that is never silent for long, but sends a byte now and then, holds nobody for hours."""
    files.answers["/kind"] = Answer(_BODY, pause=0.05)
    with pytest.raises(
        DeadlineExceeded, match=r"waited 0 s for the download; last seen: 0\.0 of 0\.0 MiB of .*; `curl"
    ):
        _fetch(Download(f"{files.address}/kind", 1, _SUM), tmp_path / "kind", seconds=0.2)
    assert list(tmp_path.iterdir()) == []


def test_nobody_there(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A refused connection is told with its reason."""
    monkeypatch.setenv("no_proxy", "*")
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
    with pytest.raises(ImageUnavailable, match="Connection refused"):
        _fetch(Download(f"http://127.0.0.1:{port}/kind", 1, _SUM), tmp_path / "kind")


@pytest.mark.parametrize("url", ["http://example.invalid/kind", "file:///etc/passwd", "ftp://127.0.0.1.invalid/x"])
def test_only_what_cannot_be_changed_on_its_way_is_asked(tmp_path: Path, url: str) -> None:
    """Neither plain HTTP beyond this machine nor a file of it."""
    with pytest.raises(ImageUnavailable, match="expected an address that begins with https://"):
        _fetch(Download(url, 1, _SUM), tmp_path / "kind")


def test_a_redirect_may_not_leave_encryption(tmp_path: Path) -> None:
    """The same host without https is another one."""
    download = Download("https://github.invalid/kind", 1, _SUM)
    assert download.redirect_problem(download.url, "https://github.invalid/file") == ""
    assert download.redirect_problem(download.url, "/file") == ""
    assert "without encryption" in download.redirect_problem(download.url, "http://github.invalid/file")
