"""Upload: puts a saved image into a registry, by the protocol of the OCI distribution specification."""

import contextlib
import http.client
from collections.abc import Mapping
from typing import IO
from urllib.parse import urlsplit

from chaos_harness.clusters.deadline import Deadline
from chaos_harness.clusters.errors import CommandFailed
from chaos_harness.clusters.registry.saved import MANIFEST_TYPE, Blob, SavedImage

__all__ = ["upload"]

_SILENT_SECONDS = 60.0
"""How long the registry may take for one answer; it writes and checks a blob before it answers."""

_BLOCK = 1 << 20
_SAID = 300
_BYTES = {"Content-Type": "application/octet-stream"}
_OK, _CREATED, _ACCEPTED, _NOT_FOUND = 200, 201, 202, 404


def upload(address: str, repository: str, tag: str, image: SavedImage, authorization: str, deadline: Deadline) -> None:
    """Put an image into the registry at `address`, as `repository`:`tag`; blobs that it has already are not sent.

    The registry compares each blob with its digest. Raises CommandFailed, DeadlineExceeded.
    """
    connection = http.client.HTTPConnection(address, timeout=_SILENT_SECONDS, blocksize=_BLOCK)
    with contextlib.closing(connection):
        sender = _Sender(connection, f"/v2/{repository}", authorization, deadline)
        try:
            for blob in image.blobs:
                sender.put_blob(blob)
            sender.put_manifest(tag, image.manifest)
        except (OSError, http.client.HTTPException) as error:
            raise CommandFailed(f"{repository}:{tag} could not be pushed to {address}: {error!r}") from error


class _Sender:
    def __init__(
        self, connection: http.client.HTTPConnection, root: str, authorization: str, deadline: Deadline
    ) -> None:
        self._connection = connection
        self._root = root
        self._headers = {"Authorization": authorization}
        self._deadline = deadline

    def put_blob(self, blob: Blob) -> None:
        """Send a blob, if the registry does not have it yet."""
        status, _ = self._ask("HEAD", f"{self._root}/blobs/{blob.digest}", (_OK, _NOT_FOUND))
        if status == _OK:
            return
        _, place = self._ask("POST", f"{self._root}/blobs/uploads/", (_ACCEPTED,))
        target = urlsplit(place)
        path = f"{target.path}?{target.query}{'&' if target.query else ''}digest={blob.digest}"
        with blob.path.open("rb") as body:
            self._ask("PUT", path, (_CREATED,), body=body, headers={**_BYTES, "Content-Length": str(blob.size)})

    def put_manifest(self, tag: str, manifest: bytes) -> None:
        """Send the manifest, which gives the image its name."""
        headers = {"Content-Type": MANIFEST_TYPE}
        self._ask("PUT", f"{self._root}/manifests/{tag}", (_CREATED,), body=manifest, headers=headers)

    def _ask(
        self,
        method: str,
        path: str,
        wanted: tuple[int, ...],
        *,
        body: IO[bytes] | bytes | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> tuple[int, str]:
        """Return the status and the address in the answer, if any."""
        self._deadline.check(f"{method} {path}")
        self._connection.request(method, path, body=body, headers={**self._headers, **(headers or {})})
        with self._connection.getresponse() as answer:
            said = answer.read().decode(errors="replace")[:_SAID]
        if answer.status not in wanted:
            raise CommandFailed(f"the registry answered {answer.status} to {method} {path}: {said}", said=said)
        return answer.status, answer.headers.get("Location", "")
