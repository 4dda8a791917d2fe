"""Ending: every step is tried, and the first error is raised with the others in its notes."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager

import pytest

from chaos_harness.clusters.machine.try_all import CleanupStack, raise_first


def _raises(error: BaseException) -> Callable[[], None]:
    def step() -> None:
        raise error

    return step


def test_all_steps_are_tried_newest_first() -> None:
    """A step that fails keeps no other from being done; the first error comes out, and its notes tell the others."""
    done: list[str] = []

    @contextmanager
    def block() -> Iterator[str]:
        yield "entered"
        done.append("left")

    ending = CleanupStack()
    ending.callback(lambda: done.append("last"))
    ending.callback(_raises(OSError("full")))
    assert ending.enter_context(block()) == "entered"
    ending.callback(_raises(ValueError("no node")))
    with pytest.raises(ValueError, match="no node") as caught:
        ending.close()
    assert done == ["left", "last"]
    assert caught.value.__notes__ == ["and besides: OSError: full"]
    ending.close()
    assert done == ["left", "last"]


def test_an_interrupt_comes_before_all_others() -> None:
    """Whoever stopped a run is told so, and what failed besides, each error once."""
    with pytest.raises(KeyboardInterrupt) as caught:
        raise_first([OSError("full"), KeyboardInterrupt(), OSError("full")])
    assert caught.value.__notes__ == ["and besides: OSError: full"]


def test_nothing_is_raised_for_nothing() -> None:
    """Without an error there is none."""
    raise_first([])
