"""Tests of harness.workers: the scarcest thing decides how many clusters there are at once."""

import pytest

from clusters.shape import Shape
from harness.workers import at_once, bearable

_PLENTY = {"free_mib": 64_000, "cores": 32, "inotify_instances": 8192}


@pytest.mark.parametrize(
    ("scarce", "expected"),
    [
        ({}, 4),
        ({"free_mib": 1024 + 2 * Shape().memory_mib}, 2),
        ({"free_mib": 100}, 1),
        ({"cores": 2}, 1),
        ({"cores": 6}, 3),
        ({"inotify_instances": 700}, 2),
        ({"inotify_instances": 128}, 1),
        ({"inotify_instances": None}, 4),
    ],
)
def test_the_scarcest_thing_decides(scarce: dict[str, int | None], expected: int) -> None:
    """Memory, cores, inotify instances, and how many nodes kind can boot; one cluster is tried in any case."""
    assert bearable(Shape(), **{**_PLENTY, **scarce}) == expected  # type: ignore[arg-type]  # None for one of them


def test_this_machine_bears_at_least_one() -> None:
    """What is read of this machine makes sense."""
    assert 1 <= at_once(Shape()) <= 4
