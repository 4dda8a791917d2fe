"""Selection: which collected tests a run runs, and in which order."""

from collections.abc import Sequence
from pathlib import Path

import pytest

__all__ = ["runs_founding", "select", "summarize_selection"]

EXTENDED = "extended"
"""The marker of scenarios that only run when -m or -k selects them, or their id is given."""

FOUNDING = "founding"
"""The marker of scenarios that run by --founding, with their place in that run: the lowest is first."""

_OPTION = "chaos_founding"
_LEFT_OUT = pytest.StashKey[int]()


def runs_founding(config: pytest.Config) -> bool:
    """Whether --founding decides what runs: -k and -m go before it."""
    return bool(getattr(config.option, _OPTION, False)) and not _has_expression(config)


def select(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Deselect what nobody asked for, and sort the founding tests if only they run.

    Where no test is marked as founding, --founding leaves all of them.
    """
    founding = [test for test in items if test.get_closest_marker(FOUNDING)]
    if runs_founding(config) and founding:
        chosen = sorted(founding, key=_place)
    elif _has_expression(config):
        return
    else:
        named = _named_ids(config)
        chosen = [test for test in items if not test.get_closest_marker(EXTENDED) or _is_named(test, named)]
    kept = set(chosen)
    left_out = [test for test in items if test not in kept]
    if left_out:
        config.hook.pytest_deselected(items=left_out)
    config.stash[_LEFT_OUT] = len(left_out)
    items[:] = chosen


def summarize_selection(config: pytest.Config) -> list[str]:
    """Return a line that says how to run what --founding left out, if anything."""
    left_out = config.stash.get(_LEFT_OUT, 0)
    if not (runs_founding(config) and left_out):
        return []
    return [f"the founding incidents only; --all, a path, -k or an id runs others ({left_out} tests)"]


def _has_expression(config: pytest.Config) -> bool:
    return bool(config.option.markexpr or config.option.keyword)


def _place(test: pytest.Item) -> int:
    marker = test.get_closest_marker(FOUNDING)
    return int(marker.args[0]) if marker and marker.args else 0


def _named_ids(config: pytest.Config) -> Sequence[tuple[Path, str]]:
    """Return the ids on the command line, by file and by what follows it."""
    arguments = [argument.partition("::") for argument in config.args if "::" in argument]
    return [(config.invocation_params.dir / path, name) for path, _, name in arguments]


def _is_named(test: pytest.Item, named: Sequence[tuple[Path, str]]) -> bool:
    """Whether an id means the test: its own, or that of its function or class."""
    own = test.nodeid.partition("::")[2]
    return any(
        test.path == path.resolve() and (own == name or own.startswith((f"{name}[", f"{name}::")))
        for path, name in named
    )
