"""Unready: how the check that pods in service answer as policies demand would be wrong (see `mutated`)."""

__all__ = ["UNREADY"]

_READY = ("ready_means_enforcing",)

UNREADY: dict[str, list[tuple[tuple[str, ...], str, str]]] = {
    "harness/checks/readiness.py": [
        (_READY, "    if certain:\n        return Verdict(", "    if False:\n        return Verdict("),
        (_READY, "self._since(uid, answer) if _in(sure, answer) else None", "0.0"),
        (_READY, "self._in_force.sure(name) - self._changed - ", "self._in_force.sure(name) - "),
        (_READY, "sure = self._in_force.sure(name)", "sure = self._in_force.maybe(name)"),
        (_READY, "self._service.sure(uid) & sure", "self._service.maybe(uid) & sure"),
        (_READY, "apart = max(soon, self._unasked)", "apart = max(soon, 60.0)"),
        (_READY, "soon if begin in begins else apart", "apart"),
        (_READY, "self.coverage.until if self.coverage.ended else inf", "self.coverage.until"),
        (_READY, "if fault.one_shot else end) + late", "if fault.one_shot else end)"),
        (_READY, "    if scene.coverage.lost:\n", "    if False:\n"),
    ],
    "harness/history/demanded.py": [
        (_READY, "if answer.right is not False:", "if answer.right:"),
        (_READY, "right = None if unreached else", "right ="),
        (_READY, 'asked is None or entry.kind == "info" or', "asked is None or"),
    ],
}
"""For each file which checks become wrong, an old text, and the new one."""
