"""Interrupts: recognises an interrupt behind an error that was raised while things were put right."""

__all__ = ["hides_interrupt"]


def hides_interrupt(error: BaseException) -> bool:
    """Whether `error` was raised while an interrupt was being handled, and would hide it.

    Healing and tear-down go on after an interrupt and may fail: a late probe, a failed undo. Python then raises that
    error, and has the interrupt only as its context.
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
