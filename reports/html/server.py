"""Server: serves a report to browsers on this machine only."""

import functools
from collections.abc import Callable
from http import HTTPStatus
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any, BinaryIO, cast

__all__ = ["serve", "start_server"]

_HEADERS = {
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Cache-Control": "no-store",
}


def serve(place: Path, port: int, say: Callable[[str], None], first: str = "") -> None:
    """Serve a directory until Ctrl-C; `port` 0 is a free one, `first` the page to open.

    Raises OSError if the port is taken.
    """
    with start_server(place, port) as server:
        say(f"serving http://127.0.0.1:{server.server_address[1]}/{first} until Ctrl-C")
        try:
            server.serve_forever()
        except KeyboardInterrupt:
            say("")


def start_server(place: Path, port: int) -> ThreadingHTTPServer:
    """Return a server of a directory that listens on this machine only."""
    return ThreadingHTTPServer(("127.0.0.1", port), functools.partial(_Report, directory=str(place.resolve())))


class _Report(SimpleHTTPRequestHandler):
    """Serves files below the directory to requests that use this machine's own name."""

    def send_head(self) -> Any:
        """Answer a request, or refuse it: a page elsewhere may point a name of its own at this machine."""
        _, port = cast("tuple[str, int]", self.server.server_address)
        if self.headers.get("Host", "") not in {f"{name}:{port}" for name in ("127.0.0.1", "localhost")}:
            self.send_error(HTTPStatus.MISDIRECTED_REQUEST, "this report is served to 127.0.0.1 only")
            return None
        if not self._within():
            self.send_error(HTTPStatus.NOT_FOUND)
            return None
        return super().send_head()

    def end_headers(self) -> None:
        """Send the browser's restrictions: the page has a policy of its own, an attachment may do nothing."""
        for name, value in _HEADERS.items():
            self.send_header(name, value)
        if Path(self.path.partition("?")[0].partition("#")[0]).parent.name == "attachments":
            self.send_header("Content-Security-Policy", "sandbox; default-src 'none'; style-src 'unsafe-inline'")
        super().end_headers()

    def list_directory(self, path: Any) -> BinaryIO | None:  # type: ignore[override]
        """Refuse to list a directory: a report has a page."""
        del path
        self.send_error(HTTPStatus.NOT_FOUND)
        return None

    def log_message(self, *_: Any) -> None:
        """Log nothing about requests: the reader is at the browser."""

    def _within(self) -> bool:
        """Whether the requested file is in the directory, links resolved."""
        try:
            return Path(self.translate_path(self.path)).resolve().is_relative_to(self.directory)
        except (OSError, ValueError, RuntimeError):
            return False
