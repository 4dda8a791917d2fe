"""Attachments: the files of a test's result, without secrets and limited in size."""

import base64
import gzip
import hashlib
import io
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Self

from chaos_harness.harness.errors import ChaosError
from chaos_harness.harness.experiment.record import Record
from chaos_harness.harness.history import read
from chaos_harness.harness.redaction import redact
from chaos_harness.reports.picture.draw import draw_timeline, find_close_up
from chaos_harness.reports.picture.read_history import read_story
from chaos_harness.reports.picture.story import Story

__all__ = ["AllureAttachment", "Budget", "Files", "attach_file", "draw_pictures", "load_story"]

_SMALL_BYTES = 4 * 1024
_LARGE_BYTES = 256 * 1024
_MOST_BYTES = 4 * 1024 * 1024
_MOST_AT_ONCE = 32 * 1024 * 1024
_MOST_OF_RUN = 256 * 1024 * 1024
_SVG = "image/svg+xml"


@dataclass(frozen=True)
class AllureAttachment:
    """One attachment, ready to be written."""

    name: str
    body: bytes
    kind: str
    suffix: str

    @property
    def address(self) -> str:
        """The body as a data URL, for a page that contains it."""
        return f"data:{self.kind};base64,{base64.b64encode(self.body).decode()}"

    @property
    def digest(self) -> str:
        """A name for the content: equal contents have equal names."""
        return hashlib.sha256(self.body).hexdigest()[:32]


class Budget:
    """The number of bytes that a run may attach; the second half is for tests with an unexpected outcome.

    Attachments shared by the tests of one experiment go to the first of them, and to those with an unexpected outcome.
    Each time it is a new file: if several tests name one file, Allure 3 shows it in one of them only.
    """

    def __init__(self, most: int) -> None:
        self._left = most
        self._kept = most // 2
        self._where: dict[str, str] = {}

    @classmethod
    def of_one(cls, workers: int) -> Self:
        """Return the share of one of the `workers` that make a run together."""
        return cls(_MOST_OF_RUN // workers)

    def select(self, offered: list[AllureAttachment], record: Record) -> list[AllureAttachment]:
        """Return the attachments that fit for a record, in the order given, and one that says where the rest is."""
        matters = any(not claim.as_expected for claim in record.claims)
        chosen, left_out = [], []
        elsewhere: dict[str, list[str]] = {}
        for attachment in offered:
            digest = attachment.digest
            first = self._where.get(digest)
            if first and not matters and len(attachment.body) > _SMALL_BYTES:
                elsewhere.setdefault(first, []).append(attachment.name)
            elif len(attachment.body) <= self._left - (0 if matters else self._kept):
                self._left -= len(attachment.body)
                self._where.setdefault(digest, record.name)
                chosen.append(attachment)
            else:
                left_out.append(f"{attachment.name}, {len(attachment.body):,} bytes\n")
        if elsewhere:
            lines = [f"{', '.join(names)}: attached to {test}\n" for test, names in elsewhere.items()]
            chosen.append(
                _text_attachment("elsewhere", "What is the same in another test of this experiment:\n", lines)
            )
        if left_out:
            said = f"The run has attached enough; what was left out here lies in {Path(record.history).parent}:\n"
            chosen.append(_text_attachment("left out", said, left_out))
        return chosen


def _text_attachment(name: str, head: str, lines: list[str]) -> AllureAttachment:
    return AllureAttachment(name, (head + "".join(lines)).encode(), "text/plain", "txt")


def load_story(record: Record) -> Story | None:
    """Return the story of a record's history, or None if no history can be read."""
    try:
        return read_story(read(Path(record.history)))
    except (ChaosError, KeyError, TypeError, ValueError, OSError):
        return None


def draw_pictures(record: Record, story: Story) -> list[AllureAttachment]:
    """Return the timeline, and a close-up if that shows the losses better."""
    drawn = [AllureAttachment("timeline", draw_timeline(story, record.name, record.claims).encode(), _SVG, "svg")]
    window = find_close_up(story)
    if window:
        name = f"close-up, {window[0]:.1f} to {window[1]:.1f} s"
        picture = draw_timeline(story, record.name, record.claims, window)
        drawn.append(AllureAttachment(name, picture.encode(), _SVG, "svg"))
    return drawn


class Files:
    """The files that belong to records; a file shared by several tests is read and redacted once."""

    def __init__(self) -> None:
        self._known: dict[tuple[str, str, int, int], AllureAttachment] = {}

    def of(self, record: Record) -> list[AllureAttachment]:
        """Return the attachments of a record."""
        wanted = [
            ("history", record.history, "application/jsonl"),
            ("journal", record.journal, "application/jsonl"),
            *((attachment.name, attachment.path, attachment.type) for attachment in record.attachments),
        ]
        files = {_identity(name, Path(path)): (name, Path(path), kind) for name, path, kind in wanted}
        self._known = {key: self._known.get(key) or attach_file(*wanted_file) for key, wanted_file in files.items()}
        return list(self._known.values())


def attach_file(name: str, path: Path, kind: str) -> AllureAttachment:
    """Return a file without its secrets: compressed if it is large, cut with a note if it is very large.

    If it cannot be read, the attachment says that it is missing.
    """
    suffix = path.suffix.lstrip(".") or "txt"
    try:
        if path.stat().st_size <= _LARGE_BYTES:
            text = redact(path.read_text(encoding="utf-8", errors="replace"))
            return AllureAttachment(name, text.encode(), kind, suffix)
        body, cut = _compress(path)
    except OSError as error:
        return AllureAttachment(f"{name} (missing)", f"{path}: {error.strerror}".encode(), "text/plain", "txt")
    shown = f"{name}, the first {cut:,} lines.gz" if cut else f"{name}.gz"
    return AllureAttachment(shown, body, "application/gzip", f"{suffix}.gz")


def _identity(name: str, path: Path) -> tuple[str, str, int, int]:
    try:
        status = path.stat()
    except OSError:
        return name, str(path), -1, -1
    return name, str(path), status.st_size, status.st_mtime_ns


def _compress(path: Path) -> tuple[bytes, int]:
    """Return a file compressed, and the number of its lines that were kept if it is too large to be complete."""
    packed, number = io.BytesIO(), 0
    with gzip.GzipFile(fileobj=packed, mode="wb") as into:
        for line in _clean_lines(path):
            into.write(line.encode())
            number += 1
            if packed.tell() > _MOST_BYTES:
                into.write(f"cut here; the whole is {path}\n".encode())
                cut = number
                break
        else:
            cut = 0
    return packed.getvalue(), cut


def _clean_lines(path: Path) -> Iterator[str]:
    """Yield a file's lines without secrets; JSON lines one by one, since a secret never spans two of them."""
    with path.open(encoding="utf-8", errors="replace") as lines:
        if path.suffix == ".jsonl":
            yield from map(redact, lines)
            return
        text = redact(lines.read(_MOST_AT_ONCE))
        yield from text.splitlines(keepends=True)
        if lines.read(1):
            yield f"cut here; the whole is {path}\n"
