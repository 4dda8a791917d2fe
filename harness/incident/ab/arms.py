"""Arms: the two sides of a comparison, each a mapping of fields of a shape that replace the incident file's."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

from chaos_harness.clusters.own_gatekeeper import OwnGatekeeper, flatten
from chaos_harness.clusters.shape import Shape
from chaos_harness.clusters.suggest import did_you_mean
from chaos_harness.clusters.terminal.escape import escape_controls
from chaos_harness.harness.errors import BadScenario

__all__ = ["LABELS", "Arm", "Label", "parse_arms"]

Label = Literal["A", "B"]
LABELS: tuple[Label, Label] = ("A", "B")

_RELEASE = "gatekeeper"
_OWN = ("values", "image", "checkout", "dockerfile", "namespace")
"""What may differ from a release, each as one word; see `OwnGatekeeper`."""

_NOTHING = "none"
_YES_NO = {"true": True, "false": False}
_SHORT = 80


@dataclass(frozen=True)
class Arm:
    """One side: its label, how it was typed, and the fields of Shape that it sets, whatever fields there are."""

    label: Label
    text: str
    fields: Mapping[str, Any] = field(hash=False)

    @property
    def title(self) -> str:
        """A text for reports: "A (v3.20.1, install=chart)"."""
        return f"{self.label} ({self.text.replace(',', ', ')})"


def parse_arms(texts: Sequence[str]) -> tuple[Arm, Arm]:
    """Return the arms A and B of two texts such as "v3.20.1,install=chart".

    The release may stand alone and first: it is the field `gatekeeper`, and "none" is a cluster without it. What
    differs from a release (`values`, a `checkout` …) is named likewise; files are found from the working directory.
    Whether a value can be, an incident's shape decides. Raises BadScenario with the problems of both.
    """
    problems: list[str] = []
    arms = []
    for label, text in zip(LABELS, texts, strict=True):
        fields, wrong = _fields(text)
        arms.append(Arm(label, text, fields))
        problems += [f"{label}: {words}" for words in wrong]
    if problems:
        raise BadScenario(problems)
    return arms[0], arms[1]


def _fields(text: str) -> tuple[dict[str, Any], list[str]]:
    """Return the fields that an arm sets, and what is wrong with it."""
    fields: dict[str, Any] = {}
    problems: list[str] = []
    for place, part in enumerate(text.split(",")):
        name, equals, value = (word.strip() for word in part.partition("="))
        if not equals and not place:
            name, value = _RELEASE, name
        shown = escape_controls(repr(part), most=_SHORT)
        known = Shape.model_fields.get(name) or OwnGatekeeper.model_fields.get(name if name in _OWN else "")
        if known is None or not value:
            problems.append(f"{shown}: {_words(name, equals)}")
        elif name in fields:
            problems.append(f"{shown}: {name} is given twice")
        else:
            try:
                fields[name] = _value(value, known.default)
            except ValueError:
                problems.append(f"{shown}: expected {_kind(known.default)} for {name}")
    if own := {name: fields.pop(name) for name in _OWN if name in fields}:
        release = {"version": fields.pop(_RELEASE)} if _RELEASE in fields else {}
        install = {"install": fields.pop("install")} if "install" in fields else {}
        fields = flatten({**fields, _RELEASE: {**release, **install, **own}})
    return fields, problems


def _words(name: str, equals: str) -> str:
    if name in (*Shape.model_fields, *_OWN):
        return f"expected a value for {name}"
    if not equals:
        return "expected a release such as v3.20.1 first, then FIELD=VALUE, with commas between them"
    there = [*(name for name in Shape.model_fields if name != "own"), *_OWN]
    meant = did_you_mean(name, there)
    return f"there is no field {escape_controls(name, most=_SHORT)}; {meant}there are {', '.join(there)}"


def _value(text: str, default: object) -> Any:
    """Return a value as the field's default has it: a number, true or false, or else text. Raises ValueError."""
    if isinstance(default, bool):
        if text not in _YES_NO:
            raise ValueError
        return _YES_NO[text]
    if isinstance(default, int):
        return int(text)
    return None if text == _NOTHING else text


def _kind(default: object) -> str:
    return "true or false" if isinstance(default, bool) else "a whole number"
