"""Lines: the answer to one request, line by line as it comes, given up in time whatever the server does."""

import contextlib
import threading
from collections.abc import Callable, Iterator, Mapping
from http import HTTPStatus
from queue import Empty, SimpleQueue

import urllib3
from kubernetes.client import ApiClient
from urllib3.exceptions import ConnectTimeoutError, HTTPError, NewConnectionError, ReadTimeoutError

__all__ = ["Gap", "Over", "lines"]

_TICK_SECONDS = 0.05
_MESSAGE_LENGTH = 200


class Gap(Exception):
    """The answer broke off, or never came: `why` in a word or a status code, `detail` as it was said."""

    def __init__(self, why: str, detail: str = "") -> None:
        super().__init__(why, detail)
        self.why = why
        self.detail = detail


class Over(Exception):
    """The caller's time is over."""


def lines(
    api: ApiClient, path: str, query: Mapping[str, str], timeout: tuple[float, float], over: Callable[[], bool]
) -> Iterator[bytes]:
    """GET `path` and yield the lines of the answer, each with its line feed; `timeout` is (connect, read) in seconds.

    `over` is asked every 50 ms. Raises Over soon after it is true, and Gap for whatever else ends the answer
    before its end: "refused", "timeout" (no connection), "silent" (nothing came for the read time-out),
    "broken" (cut in the middle) or a status code other than 200.
    """
    reader = _Reader(api, path, query, timeout)
    reader.start()
    try:
        while True:
            with contextlib.suppress(Empty):
                line = reader.lines.get(timeout=_TICK_SECONDS)
                if line is None:
                    return
                if isinstance(line, Exception):
                    raise line
                yield line
            if over():
                raise Over
    finally:
        reader.leave()


class _Reader(threading.Thread):
    """Puts each line into `lines`, then None or the exception that ended the answer.

    It is a thread since a read in urllib3 heeds neither a `stop` nor, given a byte now and then, the time.
    """

    def __init__(self, api: ApiClient, path: str, query: Mapping[str, str], timeout: tuple[float, float]) -> None:
        super().__init__(name=f"GET {path}", daemon=True)
        self.lines: SimpleQueue[bytes | Exception | None] = SimpleQueue()
        self._pool = api.rest_client.pool_manager
        _, self._url, self._headers, *_ = api.param_serialize(
            "GET",
            path,
            query_params=list(query.items()),
            header_params={"Accept": "application/json"},
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
            self.lines.put(Gap(_why(error), str(error)))
        except Exception as error:  # noqa: BLE001 - raised again by the thread that takes the lines
            self.lines.put(error)

    def leave(self) -> None:
        """Let the thread end: at once if there is an answer, else when a time-out passes."""
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
                raise Gap(str(response.status), response.read(_MESSAGE_LENGTH).decode(errors="replace"))
            for line in () if self._left else response:
                self.lines.put(line)
        finally:
            response.close()


def _why(error: HTTPError) -> str:
    if isinstance(error, NewConnectionError):
        return "refused"
    if isinstance(error, ConnectTimeoutError):
        return "timeout"
    return "silent" if isinstance(error, ReadTimeoutError) else "broken"
