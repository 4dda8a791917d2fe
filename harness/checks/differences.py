"""Differences: when the policies and bindings that there were differed from those that were asked for."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from harness.checks.generated import PREFIX, Binding, Rules, generates
from harness.history import Entry, Recorded

__all__ = ["Difference", "Differences", "Kind"]

# The watches of a history, as harness.probes.objects calls them; a test holds them equal.
_TEMPLATES = "watch constrainttemplates"
_POLICIES = "watch validatingadmissionpolicies"
_BINDINGS = "watch validatingadmissionpolicybindings"
_CONSTRAINTS = "watch constraints "
_WATCH = "watch "
_NOT_SERVED = "404"

Object = Mapping[str, Any]


class Kind(NamedTuple):
    """What differs: an "orphan policy" is there and nobody asks for it, a "missing binding" is asked for, and so on."""

    how: str
    name: str

    def __str__(self) -> str:
        """Return it in words."""
        return f"{self.how} {self.name}"


@dataclass
class Difference:
    """One difference, in seconds of the history: `since` when at most, `until` when; `over` if it was seen to end.

    `certain` is how long it was seen at least: what may have changed in a gap of a watch does not count.
    """

    kind: Kind
    since: float
    until: float
    over: bool
    certain: float

    @property
    def orphan(self) -> bool:
        """Whether something is there that nobody asks for."""
        return self.kind.how.startswith("orphan")

    @property
    def age(self) -> float:
        """How long it lasted, at most."""
        return self.until - self.since

    def __str__(self) -> str:
        """Return it in words."""
        end = f"until {self.until:.1f} s" if self.over else "and still"
        return f"{self.kind}: since {self.since:.1f} s {end}, {self.age:.1f} s old"


@dataclass
class _List:
    """What one watch has seen; `whole`: and that this is all."""

    objects: dict[str, Object] = field(default_factory=dict)
    whole: bool = False


@dataclass
class _Open:
    """A difference that there is; `run` is since when it was there without a doubt."""

    since: float
    run: float
    certain: float = 0.0


class Differences:
    """A history, read for what was asked for and what there was.

    `all` are the differences in the order of their ends. `unwatched` are the lists that had to be watched and were
    not: also the constraints of each template that can ask for a policy. `asked` is all that was ever asked for.
    `began` is when first all was seen (None: never), `longest_gap` the longest time after that in which not all was.
    """

    def __init__(self, recorded: Recorded, rules: Rules) -> None:
        self.all: list[Difference] = []
        self.asked: set[str] = set()
        self.began: float | None = None
        self.longest_gap = 0.0
        self.end = 0.0
        self._rules = rules
        self._lists: dict[str, _List] = {}
        self._needed = {_TEMPLATES, _POLICIES, _BINDINGS}
        self._open: dict[Kind, _Open] = {}
        self._blind: float | None = None
        self._missed = False
        for entry in recorded.entries:
            self.end = entry.at
            if entry.process in (_TEMPLATES, _POLICIES, _BINDINGS) or entry.process.startswith(_CONSTRAINTS):
                self._take(entry)
                self._look(entry.at)
        self.unwatched = {each.removeprefix(_WATCH) for each in self._needed - self._lists.keys()}
        if self._blind is not None:
            self.longest_gap = max(self.longest_gap, self.end - self._blind)
        for kind in list(self._open):
            self._close(kind, self.end, self.end if self._blind is None else self._blind, over=False)

    def at(self, moment: float) -> list[Difference]:
        """Return the differences that there were at a moment."""
        return [each for each in self.all if each.since <= moment and (moment < each.until or not each.over)]

    def _take(self, entry: Entry) -> None:
        found = self._lists.setdefault(entry.process, _List())
        value = entry.value
        if entry.f == "GAP":
            found.whole = value["why"] == _NOT_SERVED
            if found.whole:
                found.objects.clear()
        elif "object" not in value:
            found.whole = found.whole or entry.f == "LISTED"
        else:
            late = bool(value.get("in_gap"))
            found.whole = found.whole and not late and entry.f != "LISTED"
            self._missed = self._missed or late
            self._fold(found, entry)

    def _fold(self, found: _List, entry: Entry) -> None:
        each = entry.value["object"]
        name = each["metadata"]["name"]
        if entry.f == "DELETED" or (entry.process == _TEMPLATES and not generates(each)):
            found.objects.pop(name, None)
        else:
            found.objects[name] = each
            if entry.process == _TEMPLATES:
                self._needed.add(f"{_CONSTRAINTS}{name}")

    def _look(self, at: float) -> None:
        """Compare, if all that is needed can be seen."""
        needed = {_TEMPLATES, _POLICIES, _BINDINGS, *(f"{_CONSTRAINTS}{name}" for name in self._objects(_TEMPLATES))}
        if not all(name in self._lists and self._lists[name].whole for name in needed):
            if self.began is not None and self._blind is None:
                self._blind = at
            return
        if self.began is None:
            self.began, self._missed = at, False
        gap, self._blind = self._blind, None
        if gap is not None:
            self.longest_gap = max(self.longest_gap, at - gap)
            self._doubt(gap, at)
        now = set(self._compare())
        for kind in self._open.keys() - now:
            self._close(kind, at, at if gap is None else gap, over=True)
        for kind in now - self._open.keys():
            self._open[kind] = _Open(since=at if gap is None else gap, run=at)

    def _doubt(self, gap: float, at: float) -> None:
        """Let what was there before and after a gap begin anew, if anything changed in the gap."""
        if self._missed:
            for each in self._open.values():
                each.certain, each.run = max(each.certain, gap - each.run), at
        self._missed = False

    def _close(self, kind: Kind, until: float, seen: float, *, over: bool) -> None:
        found = self._open.pop(kind)
        certain = max(found.certain, seen - found.run)
        self.all.append(Difference(kind, found.since, until, over, certain))

    def _compare(self) -> Iterator[Kind]:
        templates = self._objects(_TEMPLATES)
        constraints = [each for name in templates for each in self._objects(f"{_CONSTRAINTS}{name}").values()]
        policies = {name for name in self._objects(_POLICIES) if name.startswith(PREFIX)}
        bindings = {
            Binding(name, each["spec"]["policyName"])
            for name, each in self._objects(_BINDINGS).items()
            if name.startswith(PREFIX)
        }
        for what, asked, there in (
            ("policy", self._rules.policies(templates.values()), policies),
            ("binding", self._rules.bindings(templates.values(), constraints), bindings),
        ):
            self.asked |= {f"{what} {each}" for each in asked}
            yield from (Kind(f"orphan {what}", str(each)) for each in there - asked)
            yield from (Kind(f"missing {what}", str(each)) for each in asked - there)

    def _objects(self, process: str) -> dict[str, Object]:
        return self._lists[process].objects if process in self._lists else {}
