"""Carried: the files of a night that each of its machines gets, out of one ConfigMap."""

import os
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path

from chaos_harness.harness.errors import BadScenario

__all__ = ["carry", "write_below"]

_MOST_BYTES = 1_000_000
"""A ConfigMap takes 1 MiB with its keys: https://kubernetes.io/docs/concepts/configuration/configmap/"""
_LARGEST_SHOWN = 5


def carry(matrix: Path, others: Iterable[Path]) -> tuple[str, Mapping[str, bytes]]:
    """Return the name of the matrix among its files, and the files by their names, relative to a folder of all.

    Of a folder all files are carried, but hidden ones and bytecode. Raises BadScenario if one cannot be read, or they
    are too large together.
    """
    paths = sorted({path for each in (matrix, *others) for path in _files(each.resolve())})
    root = Path(os.path.commonpath([path.parent for path in paths]))
    try:
        carried = {path.relative_to(root).as_posix(): path.read_bytes() for path in paths}
    except OSError as error:
        raise BadScenario(f"{error.filename}: cannot be read: {error.strerror}") from error
    size = sum(len(content) + len(name) for name, content in carried.items())
    if size > _MOST_BYTES:
        largest = sorted(carried, key=lambda name: -len(carried[name]))[:_LARGEST_SHOWN]
        raise BadScenario(
            f"the files of the night are {size // 1024} KiB, and a ConfigMap takes {_MOST_BYTES // 1024}: name fewer "
            f"in `run`, or single files; the largest are {', '.join(largest)}"
        )
    return matrix.resolve().relative_to(root).as_posix(), carried


def write_below(folder: Path, carried: Mapping[str, bytes]) -> None:
    """Write the files as `carry` named them below a folder. Raises OSError."""
    for name, content in carried.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)


def _files(path: Path) -> Iterator[Path]:
    if not path.is_dir():
        yield path
        return
    for file in path.rglob("*"):
        parts = file.relative_to(path).parts
        if file.is_file() and not any(part.startswith(".") or part == "__pycache__" for part in parts):
            yield file
