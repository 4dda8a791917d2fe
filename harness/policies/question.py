"""Question: a request that the admission probe repeats, and the right answer to it."""

from dataclasses import dataclass, field, replace
from typing import Any, Literal, Self

from chaos_harness.clusters.api.objects import Object, metadata
from chaos_harness.harness.errors import BadScenario
from chaos_harness.harness.policies.wanted_parts import WantedParts

__all__ = ["AsUser", "Question", "Verb", "WantedOutcome", "is_right"]

WantedOutcome = Literal["mutated", "admitted", "denied", "denied by webhook", "denied by policy"]
"""The answer that a policy demands; "denied" is by either. All possible answers are in harness.probes.answers."""

Verb = Literal["create", "update", "delete"]
"""What is asked for; an update is a merge patch with the question's body."""

_DENIALS = ("denied by webhook", "denied by policy")


def is_right(outcome: str, wanted: str) -> bool:
    """Whether an outcome is the one that is wanted."""
    return outcome in _DENIALS if wanted == "denied" else outcome == wanted


@dataclass(frozen=True)
class AsUser:
    """Who asks, instead of the harness's administrator: by impersonation, which needs no credentials of that user."""

    user: str
    groups: tuple[str, ...] = ()


@dataclass(frozen=True)
class Question:
    """A request that the canary repeats, and the answer that one policy demands.

    `policy` is the name under which answers are counted; `f` is the operation in the history. `path` is the list to
    which the object belongs; "" until discovery knows it. The `body` is the object to create or to delete, or what to
    write into an object that is like `before`. Its metadata may have the `name`, or a `generateName`, to which a number
    is added; without both the name is generated, too.

    `names` is what a denial must mention, and `pattern` (of `re`) what it must match, so that another policy's denial
    does not count. `parts` is what a mutated object has; `shared` says that several mutators in force change such
    objects, so that a change alone does not show whose it is. `asker` is who asks (None: the harness).

    A dry run of an update or a delete is about one object, by its name, that is there all the time; a real one has an
    object of its own each time, which is created before. Raises BadScenario for an answer that cannot be checked.
    """

    f: str
    policy: str
    wanted: WantedOutcome
    path: str
    body: Object = field(hash=False)
    dry_run: bool = True
    names: str = ""
    pattern: str = ""
    parts: WantedParts | None = None
    verb: Verb = "create"
    before: Object | None = field(default=None, hash=False)
    asker: AsUser | None = None
    shared: bool = False

    def __post_init__(self) -> None:
        """Refuse what cannot be checked."""
        if (self.wanted == "mutated") != (self.parts is not None):
            raise BadScenario(f"{self.policy}: {self.f}: what is mutated has parts that are wanted; nothing else has")

    @property
    def kind(self) -> str:
        """The kind of its object."""
        return str(self.body["kind"])

    @property
    def namespace(self) -> str:
        """The namespace of its object, or "" if it has none."""
        if self.path:
            return self.path.partition("/namespaces/")[2].partition("/")[0]
        return str(metadata(self.body).get("namespace", ""))

    @property
    def base(self) -> Object | None:
        """The object that an update or a delete is about, as it is before; None for a create."""
        return None if self.verb == "create" else self.before or self.body

    @property
    def pod_parts(self) -> WantedParts | None:
        """What pods have if the policy is enforced; None if it is not about what pods have."""
        return self.parts.of_pods(self.kind) if self.parts else None

    def object_name(self, generated: str) -> str:
        """Return the name of the object of one request, for which the name `generated` is free."""
        given = metadata(self.base or self.body)
        return str(given.get("name") or f"{given.get('generateName', '')}{generated}")

    def placed(self, manifest: Object, generated: str = "") -> dict[str, Any]:
        """Return an object of one request, with its name and its namespace."""
        place = {"name": self.object_name(generated), **({"namespace": self.namespace} if self.namespace else {})}
        kept = {key: value for key, value in metadata(manifest).items() if key != "generateName"}
        return {**manifest, "metadata": {**kept, **place}}

    def at(self, path: str) -> Self:
        """Return the question with the list's path that discovery found."""
        return replace(self, path=path)
