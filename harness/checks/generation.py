"""Generation: a check on how long Gatekeeper takes to generate the binding that a new constraint asks for."""

from harness.checks import Checked
from harness.history import Recorded
from harness.verdict import Verdict

__all__ = ["generated_within"]

_CONSTRAINTS, _BINDINGS = "watch constraints ", "watch validatingadmissionpolicybindings"


def generated_within(seconds: float, constraint: str) -> Checked:
    """Return the check that the binding of `constraint` is seen within `seconds` of the constraint itself.

    Its figure `generation_seconds` is how long it took, whenever that was. Inconclusive: the constraint was never seen,
    the watch of bindings had a gap meanwhile, or ended before the time.
    """

    def check(recorded: Recorded) -> Verdict:
        asked: float | None = None
        generated: float | None = None
        end, blind = 0.0, False
        for entry in recorded.entries:
            end = entry.at
            name = entry.value["object"]["metadata"]["name"] if _tells(entry.process, entry.value) else ""
            if entry.process.startswith(_CONSTRAINTS) and name == constraint and entry.f != "DELETED":
                asked = entry.at if asked is None else asked
            elif entry.process == _BINDINGS and asked is not None and generated is None:
                blind = blind or entry.f == "GAP"
                generated = entry.at if name.endswith(f"-{constraint}") and entry.f != "DELETED" else None
        if asked is None:
            return Verdict("inconclusive", f"constraint {constraint} was never seen")
        if blind:
            return Verdict("inconclusive", "bindings were not watched all the time until then")
        if generated is None and end - asked < seconds:
            return Verdict("inconclusive", f"bindings were watched for only {end - asked:.1f} of {seconds:g} s")
        if generated is None:
            words = f"no binding of {constraint} for {end - asked:.1f} s, to the end of the history"
            return Verdict("violated", words, at=asked + seconds)
        took = round(generated - asked, 3)
        words = f"the binding of {constraint} was generated {took:.1f} s after the constraint was made"
        figures = {"generation_seconds": took}
        if took <= seconds:
            return Verdict("holds", words, (), figures)
        return Verdict("violated", words, (), figures, asked + seconds)

    check.__name__ = f"the binding of {constraint} is generated within {seconds:g} s"
    return Checked(check)


def _tells(process: str, value: object) -> bool:
    return process.startswith((_CONSTRAINTS, _BINDINGS)) and isinstance(value, dict) and "object" in value
