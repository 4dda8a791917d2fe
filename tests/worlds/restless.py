"""Restless: how the check that nobody writes at rest would be wrong (see `mutated`)."""

__all__ = ["RESTLESS"]

_REST = ("nobody_writes_at_rest",)

RESTLESS: dict[str, list[tuple[tuple[str, ...], str, str]]] = {
    "harness/checks/quiescence.py": [
        (_REST, "if often > at_most):", "if often > at_most + 1):"),
        (_REST, "if covers(rest.sure, write.earliest, write.latest)]", "]"),
        (_REST, "_at_most_often(writes) > at_most", "_at_most_often(writes) > 99"),
        (_REST, "    for process, spans in rest.unseen().items():", "    for process, spans in ():"),
        (_REST, "    if lasted < _LEAST_REST_SECONDS:", "    if lasted < 0:"),
        (_REST, "bisect_left(earliest, write.latest - _MINUTE)", "0"),
        (_REST, "bisect_left(latest, write.earliest - _MINUTE)", "bisect_left(latest, write.earliest)"),
        (_REST, "objects.setdefault(write.object, [])", 'objects.setdefault("", [])'),
    ],
    "harness/history/rest.py": [
        (_REST, "- done - (changed - unsure)", "- (changed - unsure)"),
        (_REST, "- done - (changed - unsure)", "- done"),
        (_REST, "sure - changed - unsure - _wrote(", "sure - changed - _wrote("),
        (_REST, "- _wrote(self.writes, seconds, sure=True)", ""),
        (_REST, "if coverage.ended else inf\n        done", "\n        done"),
    ],
    "harness/history/writes.py": [
        (_REST, "[one.field for one in EXCEPTED if process.startswith(one.watches)]", "[]"),
        (_REST, "_without(before, self._excepted) != _without(there, self._excepted)", "False"),
        (_REST, "entry.at - LAG if self._gap is None else self._gap", "entry.at - LAG"),
    ],
}
"""For each file which checks become wrong, an old text, and the new one."""
