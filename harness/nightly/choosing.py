"""Choosing: the cells of a matrix that somebody named, and no others."""

from collections.abc import Iterable, Iterator, Mapping, Sequence

from chaos_harness.clusters.problem_words import shorten
from chaos_harness.clusters.suggest import did_you_mean
from chaos_harness.harness.errors import BadScenario
from chaos_harness.harness.nightly.cells import Cell, LeftOut
from chaos_harness.harness.nightly.matrix import AS_RELEASED, AXES, Axis

__all__ = ["choose"]

_MOST_SHOWN = 6


def choose(
    cells: Sequence[Cell], left_out: Sequence[LeftOut], words: Sequence[str]
) -> tuple[list[Cell], list[LeftOut]]:
    """Return the cells that `words` name, and what is left out besides `left_out`: the others.

    A word is a file or folder as a plan names it, the id of a cell, or AXIS=VALUE, where a version may be a minor. Of
    words of one kind any may be true of a cell, and of each kind one must. Without words all cells are named.
    Raises BadScenario with each word that names nothing, or if no cell is all that was named.
    """
    if not words:
        return list(cells), []
    files: list[str] = []
    by_axis: dict[Axis, list[str]] = {}
    problems: list[str] = []
    for word in words:
        if axis := _axis(word):
            by_axis.setdefault(axis, []).append(word.partition("=")[2])
            problems += _unknown_value(axis, word, cells)
        else:
            files.append(word)
            problems += _unknown_file(word, cells, left_out)
    if problems:
        raise BadScenario(problems)
    named = [cell for cell in cells if not files or any(_is_in(cell, word) for word in files)]
    chosen = [cell for cell in named if _is_of(cell, by_axis)]
    if not chosen:
        raise BadScenario(f"--only {' '.join(words)}: no cell is all of that; there are {_shown(_ids(named))}")
    others = (cell for cell in cells if cell not in chosen)
    return chosen, [LeftOut(cell.target, cell.axes, "not named", "--only does not name it") for cell in others]


def _axis(word: str) -> Axis | None:
    """Return the axis of a word such as install=chart; None if it is none."""
    name, equals, _ = word.partition("=")
    return next((axis for axis in AXES if equals and axis == name), None)


def _is_in(cell: Cell, word: str) -> bool:
    """Whether a word is the cell, its file, or a folder with its file."""
    file = cell.target.partition("::")[0]
    return word in (cell.id, cell.target, file) or file.startswith(f"{word.rstrip('/')}/")


def _is_of(cell: Cell, by_axis: Mapping[Axis, Sequence[str]]) -> bool:
    return all(any(_is_value(axis, cell.axes[axis], value) for value in values) for axis, values in by_axis.items())


def _is_value(axis: Axis, there: str, given: str) -> bool:
    """Whether a cell's value of an axis is the given one, which may be a version in part."""
    if axis == "values":
        return given == (there or AS_RELEASED)
    if axis not in ("kubernetes", "gatekeeper"):
        return given == there
    version, meant = there.removeprefix("v"), given.removeprefix("v")
    return version == meant or version.startswith(f"{meant}.")


def _unknown_file(word: str, cells: Sequence[Cell], left_out: Sequence[LeftOut]) -> Iterator[str]:
    """Yield that a word is neither a file nor a cell, with what was probably meant, or why it is left out."""
    targets = list(dict.fromkeys(cell.target for cell in cells))
    if any(_is_in(cell, word) for cell in cells):
        return
    why = next((each.words for each in left_out if each.target == word), None)
    if why is not None:
        yield f"--only {shorten(word)}: is left out: {why}"
        return
    near = did_you_mean(word, [*targets, *_ids(cells), *_pairs(cells)])
    yield f"--only {shorten(word)}: is no cell of the matrix; {near}there are {_shown(targets) or 'none'}"


def _unknown_value(axis: Axis, word: str, cells: Sequence[Cell]) -> Iterator[str]:
    given = word.partition("=")[2]
    if not any(_is_value(axis, cell.axes[axis], given) for cell in cells):
        there = [pair for pair in _pairs(cells) if _axis(pair) == axis]
        near = did_you_mean(word, there)
        yield f"--only {shorten(word)}: no cell has it; {near}there are {_shown(there) or 'none'}"


def _ids(cells: Iterable[Cell]) -> list[str]:
    return [cell.id for cell in cells]


def _pairs(cells: Iterable[Cell]) -> list[str]:
    """Return each AXIS=VALUE that a cell has."""
    pairs = {
        f"{axis}={value}": None
        for cell in cells
        for axis in AXES
        if (value := cell.axes[axis] or (AS_RELEASED if axis == "values" else ""))
    }
    return list(pairs)


def _shown(words: Sequence[str]) -> str:
    more = len(words) - _MOST_SHOWN
    return ", ".join([*words[:_MOST_SHOWN], *([f"and {more} more"] if more > 0 else [])])
