"""Bring back: makes objects again that were deleted, as they were, from the journal alone."""

import json
from collections.abc import Mapping, Sequence
from typing import Any

from chaos_harness.clusters.deadline import Deadline
from chaos_harness.clusters.engine import Engine
from chaos_harness.harness.errors import CommandDenied, CommandFailed, DeadlineExceeded
from chaos_harness.harness.undo.actions import undo
from chaos_harness.harness.undo.commands import undo_by_kubectl

__all__ = ["DEFINITION", "bring_back", "own_fields"]

DEFINITION = "CustomResourceDefinition"

_GONE_SECONDS = 60.0
"""How long an object that is still being deleted is waited for."""

_SERVED_SECONDS = 30.0
_OWN = ("name", "namespace", "labels", "annotations", "finalizers", "ownerReferences")
_DELETING = ("foregroundDeletion", "orphan")
"""Finalizers that a deletion brings along."""


def own_fields(there: Mapping[str, Any]) -> dict[str, Any]:
    """Return an object as somebody would write it: without its status, and what the API server gives it itself."""
    metadata = {name: value for name, value in there["metadata"].items() if name in _OWN}
    metadata["finalizers"] = [name for name in metadata.get("finalizers", ()) if name not in _DELETING]
    metadata = {name: value for name, value in metadata.items() if value}
    return {name: value for name, value in there.items() if name not in ("metadata", "status")} | {"metadata": metadata}


@undo
def bring_back(
    engine: Engine, *, control_plane: str, manifests: Sequence[Mapping[str, Any]], others: Sequence[str] = ()
) -> None:
    """Create, in their order, those of these objects that are not there; one that is being deleted is waited for.

    A definition is established before what comes after it. What was owned by an object that was made again is owned by
    the new one; by one that is gone, by nobody: the garbage collector would take it. If the namespace of an object is
    gone, there is nothing to bring back. Raises CommandFailed with everything that was refused; CommandDenied if that
    was by admission policies alone.
    """
    refused: list[Exception] = []
    for manifest in manifests:
        again = _Again(engine, (control_plane, others), manifest)
        try:
            again.make()
        except (CommandFailed, DeadlineExceeded) as error:
            refused.append(error)
            if manifest["kind"] == DEFINITION:
                break
    denied = [error for error in refused if isinstance(error, CommandDenied)]
    said = "\n".join(map(str, refused))
    if denied and len(denied) == len(refused):
        raise CommandDenied(said, by=", ".join(dict.fromkeys(error.by for error in denied)))
    if refused:
        raise CommandFailed(said)


class _Again:
    """One object that is to be there again."""

    def __init__(self, engine: Engine, planes: tuple[str, Sequence[str]], manifest: Mapping[str, Any]) -> None:
        self._engine = engine
        self._planes = planes
        self._manifest = manifest
        self._metadata = manifest["metadata"]
        self._place = _place(manifest["apiVersion"], manifest["kind"], self._metadata["name"])
        namespace = self._metadata.get("namespace")
        self._where = ("--namespace", namespace) if namespace else ()
        self._what = f"{manifest['kind']} {self._metadata['name']}"

    def make(self) -> None:
        there = self._await_chance()
        owners = self._owners()
        if there is None:
            if not self._create(owners):
                return
        elif {owner["uid"] for owner in owners} - _uids(there):
            patch = json.dumps({"metadata": {"ownerReferences": owners}})
            self._kubectl("patch", *self._place, *self._where, "--type", "merge", "--patch", patch)
        if self._manifest["kind"] == DEFINITION:
            self._await_established()

    def _await_chance(self) -> Mapping[str, Any] | None:
        """Return the object that is there, and is not being deleted; None if there is none."""
        deadline = Deadline.after(_GONE_SECONDS, f"{self._what}, which is being deleted, to be gone")
        there: Mapping[str, Any] | None = None
        for _ in deadline.attempts(first=0.2):
            there = self._read(self._place)
            if there is None or "deletionTimestamp" not in there["metadata"]:
                return there
        held = ", ".join((there or self._manifest)["metadata"].get("finalizers") or ()) or "no finalizer"
        raise CommandFailed(str(deadline.error(f"it is held by {held}")))

    def _create(self, owners: Sequence[Mapping[str, Any]]) -> bool:
        """Create it; return whether it is there then. It is not, and need not be, if its namespace is gone."""
        metadata = {name: value for name, value in self._metadata.items() if name != "ownerReferences"}
        manifest = {**self._manifest, "metadata": metadata | ({"ownerReferences": list(owners)} if owners else {})}
        said = ""
        for _ in Deadline.after(_SERVED_SECONDS, f"the kind of {self._what} to be served").attempts(first=0.2):
            done = undo_by_kubectl(
                self._engine, self._planes[0], self._planes[1], "create", "--filename", "-", stdin=json.dumps(manifest)
            )
            if done is None:
                return False
            said = done.stderr.strip()
            if not done.returncode or "(AlreadyExists)" in said:
                return True
            if f'namespaces "{self._metadata.get("namespace")}" not found' in said:
                return False
        raise CommandFailed(f"{self._what} could not be made again: {said}")

    def _owners(self) -> list[dict[str, Any]]:
        """Return the references to its owners by the uids that they have now, without those who are gone."""
        owners = []
        for owner in self._metadata.get("ownerReferences") or ():
            there = self._read(_place(owner["apiVersion"], owner["kind"], owner["name"]))
            if there is not None:
                owners.append({**owner, "uid": there["metadata"]["uid"]})
        return owners

    def _await_established(self) -> None:
        deadline = Deadline.after(_SERVED_SECONDS, f"{self._what} to be established")
        for _ in deadline.attempts(first=0.1):
            there = self._read(self._place) or {}
            conditions = there.get("status", {}).get("conditions") or ()
            if any(one["type"] == "Established" and one["status"] == "True" for one in conditions):
                return
        raise deadline.error()

    def _read(self, place: tuple[str, str]) -> Mapping[str, Any] | None:
        said = self._kubectl("get", *place, *self._where, "--ignore-not-found", "--output", "json")
        there: Mapping[str, Any] | None = json.loads(said) if said.strip() else None
        return there

    def _kubectl(self, *words: str) -> str:
        done = undo_by_kubectl(self._engine, self._planes[0], self._planes[1], *words)
        return "" if done is None or done.returncode else done.stdout


def _place(version: str, kind: str, name: str) -> tuple[str, str]:
    group, _, number = version.rpartition("/")
    return f"{kind}.{number}.{group}" if group else kind, name


def _uids(there: Mapping[str, Any]) -> set[str]:
    return {owner["uid"] for owner in there["metadata"].get("ownerReferences") or ()}
