"""Astray: how checks on what each webhook pod decides by itself would be wrong (see `mutated`)."""

__all__ = ["ASTRAY"]

_AGREE = ("replicas_agree",)

ASTRAY: dict[str, list[tuple[tuple[str, ...], str, str]]] = {
    "harness/checks/agreement.py": [
        (_AGREE, "surely.longer_than(self._seconds)", "surely.longer_than(2 * self._seconds)"),
        (_AGREE, "        if again:\n", "        if again and False:\n"),
        (_AGREE, "        if bad.longest > self._seconds:", "        if bad.longest > 2 * self._seconds:"),
        (_AGREE, 'f"perhaps again, from {again}" if again else ""', '""'),
        (_AGREE, "        if unasked or service", "        if service"),
        (_AGREE, "end + self._seconds) for begin, end in [(self._begin", "end) for begin, end in [(self._begin"),
        (_AGREE, "self._settled([*self._scene.marked(), *pods])", "self._settled(pods)"),
    ],
    "harness/history/in_service.py": [
        (_AGREE, "((ready & routed) - pods", "((ready | routed) - pods"),
        (_AGREE, "return pod.ready and not pod.deleted", "return not pod.deleted"),
    ],
}
"""For each file which checks become wrong, an old text, and the new one."""
