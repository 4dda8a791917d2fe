"""Serving: who is answered, and with what."""

import http.client
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from chaos_harness.reports.html.server import start_server


@pytest.fixture
def port(tmp_path: Path) -> Iterator[int]:
    """Serve a directory with a page, an attachment, and a link out of it."""
    place = tmp_path / "report"
    (place / "data" / "attachments").mkdir(parents=True)
    (place / "index.html").write_text("the page", encoding="utf-8")
    (place / "data" / "attachments" / "a.html").write_text("<script>x</script>", encoding="utf-8")
    (tmp_path / "secret").write_text("planted", encoding="utf-8")
    (place / "out").symlink_to(tmp_path / "secret")
    with start_server(place, 0) as server:
        threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True).start()
        yield server.server_address[1]
        server.shutdown()


def _asked(port: int, path: str, host: str = "") -> tuple[int, str, dict[str, str]]:
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=30)
    try:
        connection.request("GET", path, headers={"Host": host or f"127.0.0.1:{port}"})
        answer = connection.getresponse()
        return answer.status, answer.read().decode(), dict(answer.getheaders())
    finally:
        connection.close()


def test_the_page_is_served_to_this_machine(port: int) -> None:
    """By its number or as localhost, with the port."""
    for host in (f"127.0.0.1:{port}", f"localhost:{port}"):
        status, body, _ = _asked(port, "/", host)
        assert (status, body) == (200, "the page")


@pytest.mark.parametrize("host", ["rebound.example", "rebound.example:80", "127.0.0.1", "127.0.0.1:1"])
def test_another_name_of_this_machine_is_refused(port: int, host: str) -> None:
    """A page elsewhere whose name now points here reads nothing."""
    status, body, _ = _asked(port, "/index.html", host)

    assert status == 421
    assert "the page" not in body


@pytest.mark.parametrize("path", ["/out", "/../secret", "/%2e%2e/secret", "/data/", "/\0", "//etc/passwd"])
def test_nothing_else_is_served(port: int, path: str) -> None:
    """Neither what a link or dots lead to, nor a list of what is there."""
    status, body, _ = _asked(port, path.replace("\0", "%00"))

    assert status in {301, 400, 404}
    assert "planted" not in body


def test_an_attachment_can_do_nothing(port: int) -> None:
    """A page that a test attached runs no script where it could read the report; no type is guessed."""
    _, _, headers = _asked(port, "/data/attachments/a.html")

    assert headers["Content-Security-Policy"].startswith("sandbox; default-src 'none'")
    assert headers["X-Content-Type-Options"] == "nosniff"
