"""Misread: how checks on one field, on what is generated and by whom, and on healing would be wrong (see `mutated`)."""

__all__ = ["MISREAD"]

_FIELD = ("field_stays",)

MISREAD: dict[str, list[tuple[tuple[str, ...], str, str]]] = {
    "harness/checks/fields.py": [
        (_FIELD, "other.possible.within(*window)", "other.yes.within(*window)"),
        (_FIELD, "longer_than(certain, but_for, ", "longer_than(certain, but_for / 3, "),
        (_FIELD, "coverage.until if coverage.ended else inf", "coverage.until"),
        (_FIELD, "fitting.no - listed.unknown", "fitting.no"),
        (_FIELD, "    if doubtful or (possible", "    if doubtful and (possible"),
        (_FIELD, "if doubtful or (possible and possible.parts[-1][1] == window[1]):", "if doubtful:"),
        (_FIELD, "bool(found) and all(", "bool(found) and any("),
        (_FIELD, "bool(found) and all(", "all("),
        (_FIELD, '">=": operator.ge', '">=": operator.gt'),
        (_FIELD, '"<": operator.lt', '"<": operator.le'),
        (_FIELD, "_is_number(found) and _ORDERED", "_ORDERED"),
        (_FIELD, 'self.wanted) == (self.sign == "")', "self.wanted)"),
    ],
    "harness/checks/generation.py": [
        (("generated_within",), "if appears[0] - made <= seconds:", "if appears[0] - made <= 2 * seconds:"),
        (("generated_within",), "and self.coverage.until < self.made + seconds", "and self.coverage.until > 0"),
        (
            ("generated_within",),
            "return _unseen(coverage, lists, processes, constraint, seconds) or verdict",
            "return verdict",
        ),
        (("generated_within",), "late = self.span[0], self.span[0] + seconds", "late = self.span[0], self.span[0]"),
    ],
    "harness/checks/generators.py": [
        (("has_generator",), "asked & ~deployed.generating()", "asked & asked"),
        (
            ("has_generator",),
            "longer_than(certain, late, coverage.blind)",
            "longer_than(certain, late / 3, coverage.blind)",
        ),
        (("has_generator",), "asking.no - templates.unknown)", "asking.no)"),
        (("has_generator",), "end = coverage.until if coverage.ended else inf", "end = coverage.until"),
        (("has_generator",), "lacking.possible.within(*window)", "lacking.yes.within(*window)"),
        (("has_generator",), "    if not asked.yes.within(*window):", "    if False:"),
    ],
    "harness/checks/heals.py": [
        (("heals",), "begin = fault.healing if fault.undone is None else fault.undone", "begin = fault.healing"),
        (("heals",), "self._coverage.blind | Spans.of(other.harm for other in others)", "self._coverage.blind"),
        (("heals",), "certain = 0.0 if lost or fault.undone is None else", "certain ="),
        (("heals",), "worst = inf if fault.healed is None else end - begin", "worst = end - begin"),
        (("heals",), "bounded(certain, worst, seconds)", "bounded(certain, certain, seconds)"),
        (("heals",), "bounded(certain, worst, seconds)", "bounded(worst, worst, seconds)"),
        (("heals",), "if fault.one_shot:\n            return Verdict(", "if False:\n            return Verdict("),
        (("heals",), "if fault.proved is None:\n", "if False:\n"),
    ],
}
"""By file: which checks become wrong, an old text, and the new one."""
