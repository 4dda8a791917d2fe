"""Written: puts on the disk what Allure has to say, without secrets and for nobody else to read, from the start."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any
from uuid import uuid4

import pluggy
from attr import asdict

from chaos_harness.clusters.terminal.escape import shown
from chaos_harness.harness import private
from chaos_harness.harness.redaction import redact, redact_object
from chaos_harness.reports.allure.categories import address

__all__ = ["Writer", "clean"]

_allure = pluggy.HookimplMarker("allure")

_MOST_LETTERS = 32 * 1024 * 1024
_PROSE = (".txt", ".log")
_NO_TEXT = (".png", ".gz", ".zip", ".jpg", ".jpeg", ".gif", ".webm", ".mp4", ".pcap", ".pdf")
"""What may hold a secret, but no text; who attaches such a thing looks at it first."""


class Writer:
    """Stands for Allure's own writer of files, which writes everything as it is, for everybody."""

    def __init__(self, report_dir: str, clean: bool = False) -> None:  # noqa: ARG002 - as Allure calls it
        """Make the directory; what is in it stays, for other processes of the run write there, too."""
        self._directory = private.directory(Path(report_dir).absolute())

    @_allure
    def report_result(self, result: Any) -> None:
        """Write a test's result."""
        self._write(result)

    @_allure
    def report_container(self, container: Any) -> None:
        """Write a fixture's result."""
        self._write(container)

    @_allure
    def report_globals(self, globals_item: Any) -> None:
        """Write what belongs to no test."""
        self._write(globals_item)

    @_allure
    def report_attached_file(self, source: str, file_name: str) -> None:
        """Write a file that a test attached, without its secrets."""
        with Path(source).open("rb") as file:
            self._attach(file.read(_MOST_LETTERS + 1), file_name)

    @_allure
    def report_attached_data(self, body: str | bytes, file_name: str) -> None:
        """Write data that a test attached, or that pytest captured, without its secrets."""
        self._attach(body.encode(errors="backslashreplace") if isinstance(body, str) else body, file_name)

    def _write(self, item: Any) -> None:
        fields = clean(asdict(item, filter=lambda _, value: bool(value) or value is False))
        text = json.dumps(fields, ensure_ascii=False)
        private.write(self._directory / item.file_pattern.format(prefix=uuid4()), text)

    def _attach(self, body: bytes, name: str) -> None:
        if not name.endswith(_NO_TEXT):
            text = body[:_MOST_LETTERS].decode(errors="replace")
            text = redact(text) + ("\ncut here\n" if len(body) > _MOST_LETTERS else "")
            if name.endswith(_PROSE):
                text = "\t".join(shown(piece, lines=True) for piece in text.split("\t"))
            body = text.encode(errors="backslashreplace")
        private.write(self._directory / name, body)


def clean(fields: Mapping[str, Any]) -> Any:
    """Return what Allure writes as JSON without secrets, controls, and links that are none to the web."""
    cleaned = _shown(redact_object(fields))
    if isinstance(cleaned.get("links"), list):
        cleaned["links"] = [link for link in cleaned["links"] if address(str(link.get("url", "")))]
    return cleaned


def _shown(value: Any) -> Any:
    match value:
        case str():
            return shown(value, lines=True)
        case list():
            return [_shown(part) for part in value]
        case dict():
            return {key: _shown(part) for key, part in value.items()}
    return value
