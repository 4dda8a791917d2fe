"""Model: a test suite of gator's, as `gator verify` reads it, with the objects that its files hold."""

import re
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

from chaos_harness.clusters.api.objects import Object, metadata

__all__ = ["TARGET", "Assertion", "Case", "Suite", "SuiteTest"]

TARGET = "admission.k8s.gatekeeper.sh"
"""The only target of a ConstraintTemplate that Gatekeeper and gator know."""

_REVIEW = "AdmissionReview"
_REVIEW_GROUP = "admission.k8s.io/"


@dataclass(frozen=True)
class Assertion:
    """How many violations there must be whose message the regular expression `pattern` matches; "" matches all.

    `violations` is "yes" (at least one), "no" (none) or their number.
    """

    violations: Literal["yes", "no"] | int = "yes"
    pattern: str = ""

    @property
    def words(self) -> str:
        """The assertion as a reader would say it."""
        count = {"yes": "violations", "no": "no violation"}.get(str(self.violations), f"{self.violations} violations")
        count = "1 violation" if self.violations == 1 else count
        return f"{count} matching {self.pattern!r}" if self.pattern else count

    def judge(self, seen: list[str], unseen: int = 0) -> bool | None:
        """Return whether violations with these messages satisfy it.

        None: it depends on up to `unseen` further violations, whose messages were not told.
        """
        least = sum(re.search(self.pattern, told) is not None for told in seen)
        possible = {self._satisfied(least + more) for more in range(unseen + 1)}
        return possible.pop() if len(possible) == 1 else None

    def _satisfied(self, count: int) -> bool:
        if isinstance(self.violations, int):
            return count == self.violations
        return (count > 0) == (self.violations == "yes")


@dataclass(frozen=True)
class Case:
    """One object, and what reviewing it must yield. `place` is where it stands: file and line.

    `inventory` are the objects that the constraint's rule finds in data.inventory.
    """

    name: str
    place: str
    object: Object = field(default_factory=dict, hash=False)
    inventory: tuple[Object, ...] = field(default=(), hash=False)
    assertions: tuple[Assertion, ...] = ()
    skip: bool = False

    @property
    def review(self) -> Object | None:
        """The request of an AdmissionReview; None if the object itself is to be created."""
        is_review = str(self.object.get("apiVersion")).startswith(_REVIEW_GROUP) and self.object["kind"] == _REVIEW
        request: Object = self.object["request"] if is_review else {}
        return request if is_review else None

    @property
    def reviewed(self) -> tuple[Object, ...]:
        """The objects that a constraint is matched with: the object, or the new and the old one of an AdmissionReview.

        A request without a namespace of its own has its object's.
        """
        request = self.review
        if request is None:
            return (self.object,)
        kind = request.get("kind") or {}
        group, version = kind.get("group"), kind.get("version")
        given = {"apiVersion": f"{group}/{version}" if group else version, "kind": kind.get("kind")}
        given = {name: value for name, value in given.items() if value}
        return tuple({**given, **thing} for name in ("object", "oldObject") if (thing := request.get(name)))

    @property
    def wanted(self) -> str:
        """What its assertions want, in words."""
        return " and ".join(assertion.words for assertion in self.assertions)

    @property
    def wants_denial(self) -> bool:
        """Whether its assertions can only be satisfied by at least one violation."""
        return any(assertion.judge([]) is False for assertion in self.assertions)


@dataclass(frozen=True)
class SuiteTest:
    """A template with one constraint of it, and the cases that are reviewed by that; `suite` is the suite's file.

    `invalid`: the constraint must be refused because it does not fit the template's schema; there are no cases then.
    """

    suite: Path
    name: str
    place: str
    template: Object = field(default_factory=dict, hash=False)
    constraint: Object = field(default_factory=dict, hash=False)
    expansion: tuple[Object, ...] = field(default=(), hash=False)
    cases: tuple[Case, ...] = ()
    invalid: bool = False
    skip: bool = False

    @property
    def constraint_name(self) -> str:
        """The name of the constraint, which stands in its denials."""
        return str(metadata(self.constraint).get("name", ""))


@dataclass(frozen=True)
class Suite:
    """One suite: its file, its tests, and all files that were read for it."""

    path: Path
    tests: tuple[SuiteTest, ...]
    files: tuple[Path, ...] = ()
