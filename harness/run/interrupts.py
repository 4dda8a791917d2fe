"""Interruption: an interrupt stays one, whatever fails afterwards while things are put right."""

__all__ = ["hides_interrupt"]


def hides_interrupt(error: BaseException) -> bool:
    """Return whether `error` was raised while an interrupt was under way, and so would hide it.

    Healing and taking down go on after an interrupt, and may fail in their turn: a probe that fell behind, an undo
    that could not be done. Python then raises that error, and knows the interrupt only as its context.
    """
    unseen: list[BaseException | None] = [error]
    seen: set[int] = set()
    while unseen:
        cause = unseen.pop()
        if isinstance(cause, KeyboardInterrupt):
            return True
        if cause is not None and id(cause) not in seen:
            seen.add(id(cause))
            unseen += [cause.__cause__, cause.__context__]
            unseen += cause.exceptions if isinstance(cause, BaseExceptionGroup) else ()
    return False
