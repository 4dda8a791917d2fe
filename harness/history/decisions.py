"""Decisions: what the webhook pods decided of one review in one round, in which all of them were asked the same."""

from collections.abc import Mapping
from typing import Any, NamedTuple

from chaos_harness.harness.history.following import Reader, Take
from chaos_harness.harness.history.recorded import Entry
from chaos_harness.harness.history.vocabulary import REPLICA, REVIEW

__all__ = ["Decisions", "ReviewRound"]

_NOT_REACHED = "trying to reach service"
"""Part of the API server's proxy error for a pod that did not accept the question."""

_ERROR = 500


class Decision(NamedTuple):
    """What one pod answered: when it was asked and answered (seconds), and what it `said`.

    "": it was not reached, so it decided nothing; None: it is not known what it decided.
    """

    asked: float
    answered: float
    said: str | None


class ReviewRound:
    """The decisions of one round, by the pods' uids."""

    def __init__(self) -> None:
        self.by: dict[str, Decision] = {}

    @property
    def begin(self) -> float:
        """When the first pod was asked."""
        return min(decision.asked for decision in self.by.values())

    @property
    def end(self) -> float:
        """When the last pod had answered."""
        return max(decision.answered for decision in self.by.values())


class Decisions(Reader):
    """The decisions of webhook pods, by question ("" is the label review) and round; a reader (see `following`).

    Those without a number, as older probes recorded them, belong to no round.
    """

    def __init__(self) -> None:
        self.first: dict[str, float] = {}
        """When each question was first asked of any pod."""
        self._rounds: dict[str, dict[tuple[int, int], ReviewRound]] = {}
        self._latest = (0, 0)
        self._open: dict[str, float] = {}

    @property
    def questions(self) -> list[str]:
        """The questions that pods were asked."""
        return sorted(self.first)

    def rounds(self, question: str, until: float) -> list[ReviewRound]:
        """Return the rounds of a question that were asked before a moment, in their order."""
        numbered = self._rounds.get(question, {})
        return [numbered[number] for number in sorted(numbered) if numbered[number].begin < until]

    def takes(self, process: str) -> Take | None:
        """Return the function that takes the entries of a process, or None."""
        return self._take if process.startswith(f"{REPLICA} ") else None

    def _take(self, entry: Entry) -> None:
        value = entry.value or {}
        if not entry.f.startswith(REVIEW) or "uid" not in value:
            return
        question = value.get("question", "")
        if entry.kind == "invoke":
            self._open[entry.process] = entry.at
            self.first.setdefault(question, entry.at)
            return
        asked = self._open.pop(entry.process, None)
        if asked is None or "round" not in value:
            return
        decision = Decision(asked, entry.at, _said(entry.kind, value))
        rounds, uid = self._rounds.setdefault(question, {}), value["uid"]
        series, number = self._latest
        again = (series, value["round"]) in rounds and uid in rounds[series, value["round"]].by
        if again or value["round"] < number:  # another probe took the place of the one before
            series += 1
        self._latest = series, value["round"]
        rounds.setdefault(self._latest, ReviewRound()).by[uid] = decision


def _said(kind: str, value: Mapping[str, Any]) -> str | None:
    said = str(value.get("said", ""))
    if kind == "info" or int(value.get("code") or 0) >= _ERROR:
        return None
    if value.get("status") is not None:
        return "" if _NOT_REACHED in said else None
    return said or None
