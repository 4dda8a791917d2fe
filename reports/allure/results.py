"""Results: writes Allure's files without secrets, and readable only by the user, from the start."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any
from uuid import uuid4

import pluggy
from attr import asdict

from chaos_harness.clusters.terminal.escape import escape_controls
from chaos_harness.harness import private
from chaos_harness.harness.redaction import redact, redact_object
from chaos_harness.reports.allure.categories import issue_url

__all__ = ["ResultWriter", "clean_result"]

_allure = pluggy.HookimplMarker("allure")

_MOST_LETTERS = 32 * 1024 * 1024
_PROSE = (".txt", ".log")
_NO_TEXT = (".png", ".gz", ".zip", ".jpg", ".jpeg", ".gif", ".webm", ".mp4", ".pcap", ".pdf")
"""Formats that may hold a secret and are no text: look at such a file before it is attached."""


class ResultWriter:
    """Replaces Allure's own writer, which writes everything unredacted and readable by everybody."""

    def __init__(self, report_dir: str, clean: bool = False) -> None:  # noqa: ARG002 - as Allure calls it
        """Create the directory; existing files stay, since other processes of the run write there, too."""
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
        fields = clean_result(asdict(item, filter=lambda _, value: bool(value) or value is False))
        text = json.dumps(fields, ensure_ascii=False)
        private.write(self._directory / item.file_pattern.format(prefix=uuid4()), text)

    def _attach(self, body: bytes, name: str) -> None:
        if not name.endswith(_NO_TEXT):
            text = body[:_MOST_LETTERS].decode(errors="replace")
            text = redact(text) + ("\ncut here\n" if len(body) > _MOST_LETTERS else "")
            if name.endswith(_PROSE):
                text = "\t".join(escape_controls(piece, lines=True) for piece in text.split("\t"))
            body = text.encode(errors="backslashreplace")
        private.write(self._directory / name, body)


def clean_result(fields: Mapping[str, Any]) -> Any:
    """Return Allure's JSON without secrets, control characters, and links that are not http(s)."""
    cleaned = _shown(redact_object(fields))
    if isinstance(cleaned.get("links"), list):
        cleaned["links"] = [link for link in cleaned["links"] if issue_url(str(link.get("url", "")))]
    return cleaned


def _shown(value: Any) -> Any:
    match value:
        case str():
            return escape_controls(value, lines=True)
        case list():
            return [_shown(part) for part in value]
        case dict():
            return {key: _shown(part) for key, part in value.items()}
    return value
