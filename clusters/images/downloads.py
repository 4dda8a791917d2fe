"""Downloads: fetches one file of a project's release over HTTPS, and keeps it only if it is the expected one."""

import hashlib
import http.client
import ipaddress
import urllib.error
import urllib.request
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any
from urllib.parse import urljoin, urlsplit

from chaos_harness.clusters.deadline import Deadline
from chaos_harness.clusters.errors import DeadlineExceeded, ImageUnavailable
from chaos_harness.clusters.terminal.escape import escape_controls
from chaos_harness.clusters.terminal.progress import ProgressStep

__all__ = ["GITHUB_CONTENT", "Download"]

GITHUB_CONTENT = ("codeload.github.com", "objects.githubusercontent.com", "release-assets.githubusercontent.com")
"""Hosts to which github.com redirects whoever downloads a release or the source of a tag."""

_MIB = 1 << 20
_SILENT_SECONDS = 30.0
_SHORT = 200


@dataclass(frozen=True)
class Download:
    """One file to fetch: its URL, its size at most, and what is known of it.

    `sha256` is the sum in hexadecimal that it must have; "" means that whoever fetches it verifies the content.
    `redirects` are the hosts, besides its own, to which the URL's host may redirect.
    """

    url: str
    most_mib: int
    sha256: str = ""
    redirects: tuple[str, ...] = ()
    silent_seconds: float = _SILENT_SECONDS
    """How long the server may send nothing."""

    def fetch(self, target: Path, deadline: Deadline, step: ProgressStep) -> None:
        """Write the file to `target`, and tell on `step` how much of it is there.

        A proxy of the environment is used. Raises ImageUnavailable if the file cannot be had, is cut off, too large,
        or not the expected one, DeadlineExceeded if it takes too long; then `target` does not exist.
        """
        try:
            self._fetch(target, deadline, step)
        except BaseException as error:
            target.unlink(missing_ok=True)
            if isinstance(error, (OSError, http.client.HTTPException, ValueError)):
                raise self._unavailable(_reason(error)) from error
            raise

    def _fetch(self, target: Path, deadline: Deadline, step: ProgressStep) -> None:
        self._require_secure(self.url)
        opener = urllib.request.build_opener(_Redirects(self))
        wait = min(self.silent_seconds, max(deadline.remaining, 1.0))
        with opener.open(self.url, timeout=wait) as answer, target.open("wb") as file:
            expected = answer.headers.get("Content-Length")
            total = int(expected) if expected else 0
            seen, checksum = self._copy(answer, file, deadline, step, total)
        if expected and seen != int(expected):
            raise self._unavailable(f"the connection ended after {seen} of {expected} bytes")
        if self.sha256 and checksum != self.sha256:
            raise self._unavailable(
                f"expected sha256 {self.sha256}, found {checksum}: it was changed, and is not used",
                f"curl --location {self.url} | sha256sum",
            )

    def _copy(
        self, answer: Any, file: IO[bytes], deadline: Deadline, step: ProgressStep, total: int
    ) -> tuple[int, str]:
        """Copy the body, of `total` bytes if that is not 0, to `file`; return its length and its sha256."""
        seen, checksum = 0, hashlib.sha256()
        of_all = f" of {total / _MIB:.1f}" if total else ""
        while block := answer.read1(_MIB):
            seen += len(block)
            step.count(seen, total, f"{seen / _MIB:.1f}{of_all} MiB")
            if seen > self.most_mib * _MIB:
                raise self._unavailable(f"expected at most {self.most_mib} MiB, and there is more")
            checksum.update(block)
            file.write(block)
            try:
                deadline.check(f"{step.detail} of {self.url}")
            except DeadlineExceeded as error:
                raise DeadlineExceeded(f"{error}; `curl --remote-name {self.url}` shows how fast it is") from None
        return seen, checksum.hexdigest()

    def redirect_problem(self, url: str, location: str) -> str:
        """Return why the server at `url` may not redirect to `location`; "" if it may."""
        shown = escape_controls(location, most=_SHORT)
        try:
            target = urljoin(url, location)
            host = urlsplit(target).hostname
        except ValueError:
            return f"it redirects to {shown}, which is no address"
        if host not in (urlsplit(self.url).hostname, *self.redirects):
            return f"it redirects to {shown}, on a host that its project does not use"
        return "" if _is_secure(target) else f"it redirects to {shown}, without encryption"

    def _require_secure(self, url: str) -> None:
        if not _is_secure(url):
            raise self._unavailable("expected an address that begins with https://")

    def _unavailable(self, reason: str, command: str = "") -> ImageUnavailable:
        command = command or f"curl --location --head {self.url}"
        return ImageUnavailable(f"{self.url}: {reason}; `{command}` shows what this network answers")


class _Redirects(urllib.request.HTTPRedirectHandler):
    """Follows a redirect only to where the download may be redirected."""

    def __init__(self, download: Download) -> None:
        self._download = download

    def http_error_302(self, req: urllib.request.Request, fp: Any, code: int, msg: str, headers: Any) -> Any:
        """Raise URLError for a redirect to anywhere else."""
        if problem := self._download.redirect_problem(req.full_url, str(headers.get("Location"))):
            fp.close()
            raise urllib.error.URLError(problem)
        return super().http_error_302(req, fp, code, msg, headers)

    http_error_301 = http_error_303 = http_error_307 = http_error_308 = http_error_302


def _is_secure(url: str) -> bool:
    """Whether nobody between here and the server can change what it sends."""
    parts = urlsplit(url)
    try:
        return parts.scheme == "https" or ipaddress.ip_address(parts.hostname or "").is_loopback
    except ValueError:
        return False


def _reason(error: Exception) -> str:
    if isinstance(error, urllib.error.HTTPError):
        error.close()
        return f"the server answers {error.code} {escape_controls(str(error.reason), most=_SHORT)}"
    if isinstance(error, http.client.IncompleteRead):
        return f"the connection ended after {len(error.partial)} bytes of a part"
    reason = getattr(error, "reason", error)
    if isinstance(reason, TimeoutError):
        return "the server sent nothing for too long"
    return escape_controls(str(reason) or type(error).__name__, most=_SHORT)
