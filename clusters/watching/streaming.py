"""Streaming: yields an answer line by line as it arrives, and stops in time whatever the server does."""

import contextlib
import threading
from collections.abc import Callable, Generator, Iterator, Mapping
from http import HTTPStatus
from queue import Empty, SimpleQueue

import urllib3
from kubernetes.client import ApiClient
from urllib3.exceptions import ConnectTimeoutError, HTTPError, NewConnectionError, ReadTimeoutError

__all__ = ["OPEN", "StreamBroken", "WatchStopped", "read_lines", "stream_lines"]

OPEN = b""
"""The first value of `stream_lines`: the server accepted the request, and everything from here on is its answer."""

_TICK_SECONDS = 0.05
_MESSAGE_LENGTH = 200


class StreamBroken(Exception):
    """The answer broke off or never came: `why` is a word or a status code, `detail` the message.

    `pause` is the server's Retry-After in seconds, 0 if it sent none.
    """

    def __init__(self, why: str, detail: str = "", pause: float = 0.0) -> None:
        super().__init__(why, detail)
        self.why = why
        self.detail = detail
        self.pause = pause


class WatchStopped(Exception):
    """The caller's time is over."""


def read_lines(
    api: ApiClient, path: str, query: Mapping[str, str], timeout: tuple[float, float], over: Callable[[], bool]
) -> Iterator[bytes]:
    """GET `path` and yield the lines of the answer, each with its line feed; the rest is as in `stream_lines`."""
    for line in stream_lines(api, path, query, timeout, over):
        if line:
            yield line


def stream_lines(
    api: ApiClient,
    path: str,
    query: Mapping[str, str],
    timeout: tuple[float, float],
    over: Callable[[], bool],
    *,
    accept: str = "application/json",
) -> Generator[bytes | None, None, None]:
    """GET `path` and yield OPEN, then the lines of the answer, and None after each 50 ms without data.

    `timeout` is (connect, read) in seconds; `over` is called as often. Raises WatchStopped soon after it returns true,
    and StreamBroken for everything else that ends the answer early: "refused", "timeout" (no connection), "silent" (no
    data for the read time-out), "broken" (cut in the middle) or a status code other than 200.
    """
    reader = _LineReader(api, path, query, timeout, accept)
    reader.start()
    try:
        while True:
            line: bytes | Exception | None
            try:
                line = reader.lines.get(timeout=_TICK_SECONDS)
            except Empty:
                yield None
            else:
                if line is None:
                    return
                if isinstance(line, Exception):
                    raise line
                yield line
            if over():
                raise WatchStopped
    finally:
        reader.stop()


class _LineReader(threading.Thread):
    """Puts OPEN and each line into `lines`, then None or the exception that ended the answer.

    It is a thread because a read of urllib3 cannot be stopped, and a byte now and then keeps its time-out from firing.
    """

    def __init__(
        self, api: ApiClient, path: str, query: Mapping[str, str], timeout: tuple[float, float], accept: str
    ) -> None:
        super().__init__(name=f"GET {path}", daemon=True)
        self.lines: SimpleQueue[bytes | Exception | None] = SimpleQueue()
        self._pool = api.rest_client.pool_manager
        _, self._url, self._headers, *_ = api.param_serialize(
            "GET",
            path,
            query_params=list(query.items()),
            header_params={"Accept": accept},
            auth_settings=["BearerToken"],
        )
        self._timeout = urllib3.Timeout(connect=timeout[0], read=timeout[1])
        self._response: urllib3.BaseHTTPResponse | None = None
        self._left = False

    def run(self) -> None:
        try:
            self._read()
            self.lines.put(None)
        except HTTPError as error:
            self.lines.put(StreamBroken(_why(error), str(error)))
        except Exception as error:  # noqa: BLE001 - raised again by the thread that takes the lines
            self.lines.put(error)

    def stop(self) -> None:
        """Let the thread end: at once if there is an answer, else at the next time-out."""
        self._left = True
        if self._response:
            with contextlib.suppress(ValueError, RuntimeError, OSError):  # its thread has just closed it
                self._response.shutdown()

    def _read(self) -> None:
        response = self._pool.request(
            "GET", self._url, headers=self._headers, timeout=self._timeout, retries=False, preload_content=False
        )
        self._response = response
        try:
            if response.status != HTTPStatus.OK:
                said = response.read(_MESSAGE_LENGTH).decode(errors="replace")
                raise StreamBroken(str(response.status), said, _pause(response.headers.get("Retry-After")))
            self.lines.put(OPEN)
            for line in () if self._left else response:
                self.lines.put(line)
        finally:
            response.close()


def _pause(retry_after: str | None) -> float:
    """Return the seconds of a Retry-After header; API servers send no dates."""
    return float(retry_after) if retry_after and retry_after.isdecimal() else 0.0


def _why(error: HTTPError) -> str:
    if isinstance(error, NewConnectionError):
        return "refused"
    if isinstance(error, ConnectTimeoutError):
        return "timeout"
    return "silent" if isinstance(error, ReadTimeoutError) else "broken"
