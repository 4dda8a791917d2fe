"""Asks: the questions about the author's own policies, as far as they can be understood without a cluster."""

import json
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from pydantic import ValidationError

from chaos_harness.clusters.api.objects import Object
from chaos_harness.harness.catalogue import entries
from chaos_harness.harness.errors import BadScenario
from chaos_harness.harness.incident.ask_model import AskSpec
from chaos_harness.harness.incident.object_files import OwnFiles, problems_of_manifest
from chaos_harness.harness.incident.yaml_source import Location, Problem, YamlSource
from chaos_harness.harness.policies import (
    ADMIT,
    CANARIES,
    IGNORE_LABEL,
    AsUser,
    Question,
    WantedOutcome,
    WantedParts,
)

__all__ = ["AskNames", "asks_of", "own_policy_names", "questions_of"]

_MOST = 200
_WANTED: Mapping[str | None, WantedOutcome] = {
    None: "denied",
    "webhook": "denied by webhook",
    "generated policy": "denied by policy",
}
_CONSTRAINTS = "constraints.gatekeeper.sh/"
_MUTATORS = "mutations.gatekeeper.sh/"
AskNames = dict[str, bool]
"""The names of all that is asked, and whether it is about a mutation."""


def asks_of(data: Any) -> AskNames:
    """Return the names of a file's own questions, even if parts of it are wrong."""
    names: AskNames = {}
    for _, ask in _all(data):
        if isinstance(ask.get("ask"), str):
            answer = ask.get("answer")
            names[ask["ask"]] = isinstance(answer, dict) and answer.get("mutated") is not None
    return names


def own_policy_names(objects: Sequence[Object]) -> list[str]:
    """Return the names of constraints and mutators among these objects, which the author may mean by a policy."""
    return [
        str(manifest["metadata"]["name"])
        for manifest in objects
        if str(manifest["apiVersion"]).startswith((_CONSTRAINTS, _MUTATORS))
    ]


def questions_of(source: YamlSource, files: OwnFiles) -> tuple[list[tuple[Question, ...]], list[str]]:
    """Return the questions of each policy item, and all problems, with their places."""
    questions: dict[int, list[Question]] = {}
    problems: list[str] = []
    taken = {ADMIT, IGNORE_LABEL, *_shipped_names(source.data)}
    for place, ask in _all(source.data):
        try:
            question = _Ask(source, place, ask, files).question(taken)
        except BadScenario as error:
            problems += error.problems
        else:
            if question:
                questions.setdefault(int(place[1]), []).append(question)
    items = source.data.get("policies")
    count = min(len(items), _MOST) if isinstance(items, list) else 0
    return [tuple(questions.get(index, ())) for index in range(count)], problems


def _all(data: Any) -> Iterator[tuple[Location, Mapping[str, Any]]]:
    items = data.get("policies") if isinstance(data, dict) else None
    for index, item in enumerate(items[:_MOST] if isinstance(items, list) else ()):
        asks = item.get("asks") if isinstance(item, dict) else None
        for number, ask in enumerate(asks[:_MOST] if isinstance(asks, list) else ()):
            if isinstance(ask, dict):
                yield ("policies", index, "asks", number), ask


def _shipped_names(data: Mapping[str, Any]) -> Iterator[str]:
    """Yield the names under which answers about the harness's own policies in a file are counted."""
    items = data.get("policies")
    named = (item.get("policy") for item in (items if isinstance(items, list) else ()) if isinstance(item, dict))
    for name in named:
        entry = entries("policy").get(name) if isinstance(name, str) else None
        if entry:
            policy = entry.make({})
            yield from (policy.name, *(question.policy for question in policy.questions))


@dataclass(frozen=True)
class _Ask:
    """One question as it is written at a place of the file."""

    source: YamlSource
    place: Location
    given: Mapping[str, Any]
    files: OwnFiles

    def question(self, taken: set[str]) -> Question | None:
        """Return the question, whose name is `taken` from now on; None if the model refuses it. Raises BadScenario."""
        try:
            ask = AskSpec.model_validate_json(json.dumps(self.given))
        except ValidationError:
            return None
        objects = self._objects(ask)
        problems = [*self._problems(ask, taken), *self._problems_of_answer(ask)]
        taken.add(ask.ask)
        if objects:
            misshapen = list(_misshapen(objects[0], ask.before or {}))
            problems += misshapen or self._problems_of_object(ask, objects)
        if problems or not objects:
            raise BadScenario([self.source.problem((*self.place, *at), words) for at, words in problems])
        parts = WantedParts(ask.answer.mutated) if ask.answer.mutated else None
        denied = ask.answer.denied
        wanted: WantedOutcome = "mutated" if parts else _WANTED[denied.by] if denied else "admitted"
        return Question(
            f"{ask.verb} {objects[0]['kind']}",
            ask.ask,
            wanted,
            "",
            _placed(objects[0], ask.namespace),
            ask.dry_run,
            names=(denied.constraint or "") if denied else "",
            pattern=(denied.message or "") if denied else "",
            parts=parts,
            verb=ask.verb,
            before=_placed(ask.before, ask.namespace) if ask.before else None,
            asker=AsUser(ask.as_.user, tuple(ask.as_.groups)) if ask.as_ else None,
        )

    def _objects(self, ask: AskSpec) -> Sequence[Object]:
        item = {name: value for name, value in (("object", ask.object), ("file", ask.file)) if value is not None}
        if len(item) != 1:
            raise BadScenario(self.source.problem(self.place, "expected one of object, file: what is asked about"))
        objects = self.files.objects(self.source, self.place, item, named=False)
        if len(objects) != 1:
            words = f"expected one object, which is asked about, found {len(objects)}"
            raise BadScenario(self.source.problem((*self.place, "file"), words))
        return objects

    def _problems(self, ask: AskSpec, taken: set[str]) -> Iterator[Problem]:
        if "policy" in self._item:
            yield (), "the harness's own policies have questions of their own; ask in an item with `object` or `file`"
        if ask.ask in taken:
            yield ("ask",), f"{ask.ask!r} is the name of another question; claims could not tell them apart"
        if ask.before is not None:
            if ask.verb != "update":
                yield ("before",), f"a {ask.verb} has no object before it but `object`; only an update has"
            yield from ((("before", *at), words) for at, words in problems_of_manifest(ask.before, named=False))

    def _problems_of_answer(self, ask: AskSpec) -> Iterator[Problem]:
        answers = [name for name in ("admitted", "denied", "mutated") if getattr(ask.answer, name) is not None]
        if len(answers) != 1:
            yield ("answer",), f"expected one of admitted, denied, mutated, found {' and '.join(answers) or 'none'}"
        if ask.answer.denied and ask.answer.denied.message:
            try:
                re.compile(ask.answer.denied.message)
            except re.error as error:
                yield ("answer", "denied", "message"), f"no pattern of a message: {error}"
        if ask.answer.mutated:
            try:
                WantedParts(ask.answer.mutated)
            except BadScenario as error:
                yield from ((("answer", "mutated"), problem) for problem in error.problems)
            if ask.verb == "delete":
                yield ("answer",), "what is deleted cannot be mutated"

    def _problems_of_object(self, ask: AskSpec, objects: Sequence[Object]) -> Iterator[Problem]:
        """Yield why the answer to a question about this object could not be checked."""
        manifest = objects[0]
        metadata = manifest.get("metadata") or {}
        named, kind = metadata.get("name"), str(manifest.get("kind"))
        if ask.before and (ask.before.get("kind"), ask.before.get("apiVersion")) != (kind, manifest.get("apiVersion")):
            yield ("before",), f"expected the same kind as in the object, {kind} of {manifest.get('apiVersion')}"
        if ask.before and (ask.before.get("metadata") or {}).get("name", named) != named:
            yield ("before",), "an update cannot give an object another name"
        if ask.dry_run and ask.verb != "create" and not named:
            yield (
                (),
                f"a dry run of a {ask.verb} is about one object that is there all the time: give it metadata.name",
            )
        if not ask.dry_run and named:
            yield (), f"a real {ask.verb} needs another name each time: leave metadata.name out, or say generateName"
        if not ask.dry_run and ask.verb == "update":
            if ask.before is None:
                yield (), "a real update needs `before`: what it is that is created, and then updated"
            if ask.answer.mutated:
                yield ("answer",), "what was mutated before it was updated shows nothing: ask by a dry run"
        namespace = metadata.get("namespace") or ask.namespace
        if not ask.dry_run and namespace not in (None, CANARIES) and namespace not in self._namespaces:
            words = f"a real request makes objects in {namespace}, which is no namespace of this file"
            yield (), f"{words}: add the Namespace to an item before, or leave `namespace` out"
        if not ask.dry_run and kind == "Namespace":
            yield (), "a real request makes no namespaces: they are slow to go; ask by a dry run"

    @property
    def _item(self) -> Mapping[str, Any]:
        item: Mapping[str, Any] = self.source.data["policies"][self.place[1]]
        return item

    @property
    def _namespaces(self) -> set[str]:
        return {str(manifest["metadata"]["name"]) for manifest in self.files.loaded if manifest["kind"] == "Namespace"}


def _placed(manifest: Object, namespace: str | None) -> Object:
    """Return an object of a question, in a namespace if one is given and it says none itself."""
    metadata = dict(manifest.get("metadata") or {})
    return {**manifest, "metadata": {**({"namespace": namespace} if namespace else {}), **metadata}}


def _misshapen(manifest: Object, before: Mapping[str, Any]) -> Iterator[Problem]:
    """Yield why what is asked about, or was there before, is no object: its metadata are no fields."""
    for place, one in (((), manifest), (("before",), before)):
        metadata = one.get("metadata") or {}
        if not isinstance(metadata, dict):
            yield place, f"metadata: expected fields such as name and namespace, found {str(metadata)[:20]!r}"
