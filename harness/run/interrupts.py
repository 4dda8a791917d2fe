"""Interruption: an interrupt stays one, whatever fails afterwards while things are put right."""

__all__ = ["interrupted"]


def interrupted(error: BaseException) -> bool:
    """Return whether `error` was raised while an interrupt was under way, and so would hide it.

    Healing and taking down go on after an interrupt, and may fail in their turn: a probe that fell behind, an undo
    that could not be done. Python then raises that error, and knows the interrupt only as its context.
    """
    found: list[BaseException | None] = [error]
    seen: set[int] = set()
    while found:
        each = found.pop()
        if isinstance(each, KeyboardInterrupt):
            return True
        if each is not None and id(each) not in seen:
            seen.add(id(each))
            found += [each.__cause__, each.__context__]
            found += each.exceptions if isinstance(each, BaseExceptionGroup) else ()
    return False
