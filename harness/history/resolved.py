"""Resolved: what became of unanswered creates, by the watch on the objects that they create."""

from dataclasses import dataclass
from typing import Any, Literal

from chaos_harness.harness.history.coverage import Coverage
from chaos_harness.harness.history.following import Reader, Take
from chaos_harness.harness.history.recorded import Entry
from chaos_harness.harness.history.vocabulary import ADDED, CANARY, LISTED, WATCH_CANARIES, numbered

__all__ = ["Became", "Create", "UnansweredCreates"]

Became = Literal["mutated", "unmutated", "nothing", "unknown"]
"""The result of a create: an object with the mutation, an object without it, no object, or unknown."""

_SERVED_SECONDS = 35.0
"""The API server gives up a create after 34 s: an object that does not exist by then is never created."""


@dataclass
class Create:
    """A create of the admission probe without a conclusive answer; moments in seconds.

    `seq` is the question's number, `policy` the policy that it asks about, `answered` when the probe gave up (None: not
    known). `uid` and `mutated` describe the object that it created, `seen` is when that was reported; all None if there
    was none. What is not `watched` is reported by no watch.
    """

    seq: int
    policy: str
    asked: float
    answered: float | None = None
    uid: str | None = None
    mutated: bool | None = None
    seen: float | None = None
    watched: bool = True


class UnansweredCreates(Reader):
    """The creates, other than dry runs, that were not answered; a reader (see `following`).

    An object belongs to the last question with its name, which contains the question's number: a probe that is started
    again counts from the start. Answered questions are dropped.
    """

    def __init__(self, coverage: Coverage) -> None:
        """Prepare to read; `coverage` must be read in the same pass, or before."""
        self._coverage = coverage
        self._open: dict[int, Create] = {}
        self._given_up: list[Create] = []
        self._last: dict[str, Create] = {}

    @property
    def creates(self) -> list[Create]:
        """Those without an answer, in the order of their questions."""
        return sorted((*self._given_up, *self._open.values()), key=lambda create: create.asked)

    def became(self, create: Create) -> Became:
        """Return the result of a create.

        "nothing" only if the watch misses nothing until the API server must have given it up.
        """
        if create.seen is not None and create.mutated is not None:
            return "mutated" if create.mutated else "unmutated"
        end = create.asked + _SERVED_SECONDS
        missed = (
            not create.watched
            or end > self._coverage.until
            or self._coverage.unknown([WATCH_CANARIES], create.asked, end)
        )
        return "unknown" if missed or create.seen is not None else "nothing"

    def takes(self, process: str) -> Take | None:
        """Return the function that takes the entries of a process, or None."""
        if process == WATCH_CANARIES:
            return self._take_object
        return self._take_question if process.startswith(numbered(CANARY, "")) else None

    def _take_question(self, entry: Entry) -> None:
        value: dict[str, Any] = entry.value or {}
        if value.get("dry_run", True) or "seq" not in value:
            return
        seq = value["seq"]
        if entry.kind == "invoke":
            if left := self._open.pop(seq, None):
                self._given_up.append(left)
            watched = not value.get("unwatched", False)
            self._open[seq] = create = Create(seq, value.get("policy", ""), entry.at, watched=watched)
            if watched:
                self._last[_name(value)] = create
        elif asked := self._open.pop(seq, None):
            if entry.kind == "info":
                asked.answered = entry.at
                self._given_up.append(asked)
            else:
                self._last.pop(_name(value), None)

    def _take_object(self, entry: Entry) -> None:
        canary = (entry.value or {}).get("object")
        if entry.f not in (ADDED, LISTED) or canary is None:
            return
        metadata = canary.get("metadata", {})
        create = self._last.get(metadata.get("name", ""))
        if create is not None and create.seen is None:
            create.uid, create.seen = metadata.get("uid"), entry.at
            create.mutated = (
                create.policy in canary["mutated_for"] if "mutated_for" in canary else canary.get("mutated")
            )


def _name(question: dict[str, Any]) -> str:
    """Return the name of the object of a question; it is recorded if it does not follow from the number."""
    return str(question.get("name") or f"{CANARY}-{question['seq']}")
