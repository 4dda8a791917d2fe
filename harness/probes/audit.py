"""Audit: copies what the API servers' audit logs say of requests into a history, separately for each node."""

import json
import re
from collections.abc import Iterable, Mapping
from contextlib import suppress
from datetime import UTC, datetime
from typing import Any

from chaos_harness.clusters.kind.audit_log import AUDIT_DIRECTORY, AUDIT_LOG
from chaos_harness.harness.history import HistoryWriter
from chaos_harness.harness.history.vocabulary import AUDIT, READ, REQUEST, REQUESTS, numbered
from chaos_harness.harness.probes.node_logs import NodeLogs

__all__ = ["AUDIT_LOGS", "NodeAudit", "is_audit"]

AUDIT_LOGS = f"{AUDIT_DIRECTORY}/audit*.log"
"""Shell pattern of the audit logs on a node: the current one and rotated ones, oldest first."""

_ANNOTATION = "webhook.admission.k8s.io/"
_CALLED = f"mutation.{_ANNOTATION}"
_WITHOUT = f"failed-open.mutation.{_ANNOTATION}", f"failed-open.validating.{_ANNOTATION}"
_SECONDS = {
    "apiserver.latency.k8s.io/mutating-webhook": "mutating",
    "apiserver.latency.k8s.io/validating-webhook": "validating",
}
_BEGIN = '{"kind":"Event","apiVersion":"audit.k8s.io/'
_ENDED = ("ResponseComplete", "Panic")
_DENIED = re.compile(
    r"admission webhook \"([^\"]+)\" denied the request|ValidatingAdmissionPolicy '([^']+)' with .* denied request"
)
_CREATED, _CHANGED = 201, 200
_SHORT = 300
_DURATION = re.compile(r"([\d.]+)(h|ms|m|s|µs|us|ns)")
_UNITS = {"h": 3600.0, "m": 60.0, "s": 1.0, "ms": 1e-3, "µs": 1e-6, "us": 1e-6, "ns": 1e-9}


def is_audit(path: str) -> bool:
    """Whether a file of a node is an audit log."""
    return path.startswith(f"{AUDIT_DIRECTORY}/")


class NodeAudit:
    """The audit log of one control plane, as the process "audit <node>" of a history.

    An entry `info request` describes one request: `audit_id`, `verb`, `resource`, `namespace`, `name`, `uid` (of a
    created pod), `who`, `code`, `said` (the message of a refusal), `denied_by` (webhook or ValidatingAdmissionPolicy),
    `received` and `decided` (unix seconds by the node's clock), `called` (mutating webhook -> whether it mutated),
    `failed_open` (webhooks that failed open), and, for a slow request, the `seconds` spent on "mutating" and
    "validating" webhooks.

    An entry `info requests` groups all of our own questions in one reading that were decided at once and alike: `code`,
    `called`, `denied_by`, the `verb` if they are no creates, and their `audit_ids`.

    `ok read`: everything decided from `since` to `until` (unix seconds) is copied; `info read`: it is not (`said`).
    """

    def __init__(self, history: HistoryWriter, node: str) -> None:
        self._history = history
        self._process = numbered(AUDIT, node)
        self._since: float | None = None

    def note_unread(self, said: str) -> None:
        """Record that the log could not be read."""
        self._history.append("info", self._process, READ, {"said": said[:_SHORT]})

    def read(self, lines: Iterable[str], logs: NodeLogs, began: float) -> None:
        """Record the lines of a reading that `began` at this time (unix seconds)."""
        broken = self._write(lines)
        if AUDIT_LOG not in logs.paths:
            self.note_unread(f"there is no {AUDIT_LOG}")
            return
        if self._since is None:
            self._since = began = datetime.now(UTC).timestamp()
        elif AUDIT_LOG in logs.cut:
            began = self._since
        lost = [f"{broken} lines are broken"] if broken else []
        lost += ["the log that was read before is gone"] if AUDIT_LOG in logs.lost else []
        stretch = {"since": self._since, "until": began, **({"said": "; ".join(lost)} if lost else {})}
        self._since = began
        self._history.append("info" if lost else "ok", self._process, READ, stretch)

    def _write(self, lines: Iterable[str]) -> int:
        """Record the requests in the lines; return how many lines are broken."""
        broken = 0
        plain: dict[str, dict[str, Any]] = {}
        for line in lines:
            event, whole = _event(line)
            broken += not whole
            if event is None or event.get("stage") not in _ENDED:
                continue
            request = _summarise(event)
            if event.get("level") == "Metadata" and _is_plain(request):
                same = {name: request[name] for name in ("code", "called", "denied_by")}
                same |= {} if request["verb"] == "create" else {"verb": request["verb"]}
                plain.setdefault(repr(same), {**same, "audit_ids": []})["audit_ids"].append(request["audit_id"])
            else:
                self._history.append("info", self._process, REQUEST, request)
        for group in plain.values():
            self._history.append("info", self._process, REQUESTS, group)
        return broken


def _event(line: str) -> tuple[dict[str, Any] | None, bool]:
    """Return the event of a line, and whether the line holds nothing else: a killed writer leaves half a line."""
    begin = max(line.rfind(_BEGIN), 0)
    try:
        event = json.loads(line[begin:])
    except ValueError:
        return None, False
    return (event, begin == 0) if isinstance(event, dict) else (None, False)


def _summarise(event: Mapping[str, Any]) -> dict[str, Any]:
    """Return the fields of an event that the history keeps."""
    where, status = event.get("objectRef") or {}, event.get("responseStatus") or {}
    made = (event.get("responseObject") or {}).get("metadata") or {}
    notes = event.get("annotations") or {}
    code = status.get("code", 0)
    said = "" if code == _CREATED else str(status.get("message", ""))
    denied = _DENIED.search(said)
    return {
        "audit_id": event.get("auditID", ""),
        "verb": event.get("verb", ""),
        "resource": where.get("resource", ""),
        "namespace": where.get("namespace", ""),
        "name": made.get("name") or where.get("name", ""),
        "uid": made.get("uid", ""),
        "who": (event.get("user") or {}).get("username", ""),
        "code": code,
        "said": said[:_SHORT],
        "denied_by": (denied[1] or denied[2]) if denied else "",
        "received": _moment(event.get("requestReceivedTimestamp")),
        "decided": _moment(event.get("stageTimestamp")),
        "called": _read_called(notes),
        "failed_open": sorted({note for key, note in notes.items() if key.startswith(_WITHOUT)}),
        "seconds": {name: _seconds(notes[key]) for key, name in _SECONDS.items() if key in notes},
    }


def _read_called(notes: Mapping[str, str]) -> dict[str, bool]:
    """Return the mutating webhooks that were called, and whether a call changed the object; some are called twice."""
    called: dict[str, bool] = {}
    for key, note in notes.items():
        if key.startswith(_CALLED):
            with suppress(ValueError, KeyError, TypeError):
                call = json.loads(note)
                called[call["webhook"]] = called.get(call["webhook"], False) or bool(call["mutated"])
    return called


def _is_plain(request: Mapping[str, Any]) -> bool:
    """Whether a request was decided at once, by every webhook that had to be called."""
    changed = request["verb"] != "create" and request["code"] == _CHANGED and not request["said"]
    decided = request["code"] == _CREATED or changed or request["denied_by"]
    return bool(decided) and not request["failed_open"] and not request["seconds"]


def _moment(text: object) -> float:
    """Return a time stamp in unix seconds; 0 if there is none."""
    try:
        return datetime.fromisoformat(str(text)).timestamp()
    except ValueError:
        return 0.0


def _seconds(text: str) -> float:
    """Return the seconds of a Go duration, such as "1.5s" or "980.2ms"."""
    return sum(float(number) * _UNITS[unit] for number, unit in _DURATION.findall(text))
