"""Add Kubernetes: makes a version of Kubernetes known everywhere, in one step or not at all."""

import argparse
import os
import re
import shutil
import sys
import tempfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from chaos_harness.clusters import known_versions
from chaos_harness.clusters.checkout import command_line
from chaos_harness.clusters.deadline import Deadline
from chaos_harness.clusters.errors import CommandFailed, ImageUnavailable
from chaos_harness.clusters.images import compose as composing
from chaos_harness.clusters.images import lock
from chaos_harness.clusters.images.catalogue import NODE
from chaos_harness.clusters.images.lock_file import read_lock
from chaos_harness.clusters.machine.process import run
from chaos_harness.clusters.machine.removal import remove_folder
from chaos_harness.clusters.terminal.progress import Progress
from chaos_harness.harness.errors import BadScenario

__all__ = ["Request", "add", "add_options", "list_versions"]

Compose = Callable[[str, Path], Path]
"""Writes the recipe of a version into a folder, and returns its path."""

_ROOT = Path(__file__).resolve().parents[1]
_RECIPES = Path("clusters/images/go/kubernetes")
_LOCK = Path("clusters/images/lock.yaml")
_SCHEMA = Path("scenarios/incidents/schema.json")
_LIST = Path("docs/reference/versions.md")
_SOURCES = Path("src/chaos_harness")
"""Where the package is put together from folders of the checkout, by links."""
_FILES = ("go.mod", "go.sum")

_REPOSITORY = "docker.io/kindest/node"
_DIGEST = re.compile(r"sha256:[0-9a-f]{64}")
_LISTED = re.compile(r"^Kubernetes v[^;\n]*;", re.MULTILINE)
_SECONDS = 120.0


@dataclass(frozen=True)
class Request:
    """The version to add, the digest of its node image, and the version that it replaces."""

    version: str
    digest: str
    replace: str | None = None


def add_options(verb: argparse.ArgumentParser) -> None:
    """Add the options of the verb to its parser."""
    verb.add_argument("version", metavar="VERSION", help="in full, such as v1.36.5")
    verb.add_argument("--digest", required=True, metavar="sha256:…", help="of kindest/node, from kind's release notes")
    verb.add_argument("--replace", metavar="VERSION", help="a version that goes, such as the patch before")
    verb.set_defaults(verb=_add)


def _add(chosen: argparse.Namespace, progress: Progress) -> int:
    lines = add(Request(chosen.version, chosen.digest, chosen.replace), progress)
    sys.stdout.writelines(f"{line}\n" for line in lines)
    return 0


def add(request: Request, progress: Progress, *, root: Path = _ROOT, compose: Compose = composing.compose) -> list[str]:
    """Add a version to the checkout in `root`, and return what was done, line by line.

    Everything is made in a temporary copy first, so that a failure leaves nothing behind. Raises BadScenario with all
    problems of the request, ImageUnavailable if the version's modules cannot be downloaded.
    """
    problems = _problems(request, root)
    if problems:
        raise BadScenario(problems)
    version = _full(request.version)
    replaced = (
        known_versions.resolve_version(request.replace, known_versions.recipes(root / _RECIPES))
        if request.replace
        else None
    )
    with tempfile.TemporaryDirectory(prefix="chaos-harness-adding-") as folder:
        stage = Path(folder)
        _copy(root, stage)
        with progress.step(f"compose go.mod and go.sum of Kubernetes {version}"):
            _compose(compose, version, stage)
        locked = read_lock(stage / _LOCK) | {f"{NODE}{version}": f"{_REPOSITORY}@{request.digest}"}
        if replaced:
            remove_folder(stage / _RECIPES / replaced)
            locked.pop(f"{NODE}{replaced}", None)
        lock.write(locked, stage / _LOCK)
        _write_listed(stage)
        with progress.step("regenerate the schema of incident files"):
            _write_schema(stage)
        made = [_RECIPES / version / name for name in _FILES]
        gone = [_RECIPES / replaced / name for name in _FILES] if replaced else []
        _move(stage, root, [*made, _LOCK, _SCHEMA, _LIST], gone)
    return [
        *(f"wrote {name}" for name in (_RECIPES / version, _LOCK, _SCHEMA, _LIST)),
        *([f"removed {_RECIPES / replaced} and its entry in the lock"] if replaced else []),
        (
            f'next: `nox -s tests -- -m "not cluster"`, `{command_line("images --")} --kubernetes {version}`, '
            "a line in CHANGELOG.md"
        ),
    ]


def list_versions(there: Sequence[str]) -> str:
    """Return the available versions as the docs list them."""
    default = known_versions.resolve_version(known_versions.DEFAULT_MINOR, there)
    return ", ".join(f"{version} (default)" if version == default else version for version in there)


def _full(version: str) -> str:
    return f"v{version.removeprefix('v')}"


def _problems(request: Request, root: Path) -> list[str]:
    """Return all problems of the request and of the checkout."""
    missing = [str(name) for name in (_RECIPES, _LOCK, _SCHEMA, _LIST) if not (root / name).exists()]
    if missing:
        return [f"{root} is no checkout of the project: {', '.join(missing)} is missing; type it in a clone of it"]
    there, locked = known_versions.recipes(root / _RECIPES), read_lock(root / _LOCK)
    problems = [*_of_version(request, there), *_of_digest(request, locked), *_of_replaced(request, there)]
    if shutil.which("go") is None:
        problems.append(
            f"no `go` on PATH, which resolves the recipe: install Go 1.26 or newer; see `{command_line('doctor')}`"
        )
    if len(_LISTED.findall((root / _LIST).read_text(encoding="utf-8"))) != 1:
        problems.append(f"{_LIST}: expected one line `Kubernetes {list_versions(there)};`, to write the versions there")
    return problems


def _of_version(request: Request, there: Sequence[str]) -> Iterator[str]:
    version = _full(request.version)
    if not known_versions.FULL.fullmatch(version):
        yield f"version {request.version!r}: expected a full one, such as v1.36.5; there are {', '.join(there)}"
    elif version in there:
        build = f"`{command_line('images --')} --kubernetes {version}`"
        yield f"{version} is there already, with its digest in {_LOCK}: {build}"


def _of_digest(request: Request, locked: Mapping[str, str]) -> Iterator[str]:
    if not _DIGEST.fullmatch(request.digest):
        yield (
            f"digest {request.digest!r}: expected sha256: and 64 digits 0-9a-f, as the notes of kind's release name "
            "them behind kindest/node"
        )
    elif same := [name for name, reference in locked.items() if reference.endswith(request.digest)]:
        yield f"digest {request.digest}: is that of {', '.join(same)} already, in {_LOCK}"


def _of_replaced(request: Request, there: Sequence[str]) -> Iterator[str]:
    if request.replace is None:
        return
    replaced = known_versions.resolve_version(request.replace, there)
    if replaced is None:
        yield f"--replace {request.replace}: there is no recipe of it; there are {', '.join(there)}"
        return
    left = [version for version in (*there, _full(request.version)) if version != replaced]
    if not known_versions.resolve_version(known_versions.DEFAULT_MINOR, filter(known_versions.FULL.fullmatch, left)):
        yield (
            f"--replace {request.replace}: nothing of the default minor {known_versions.DEFAULT_MINOR} would be left; "
            "change DEFAULT_MINOR in clusters/known_versions.py first"
        )


def _copy(root: Path, stage: Path) -> None:
    """Copy the code that makes the schema, and the files to change."""
    for name in ("clusters", "harness"):
        shutil.copytree(root / name, stage / name, ignore=shutil.ignore_patterns("__pycache__"))
    shutil.copytree(root / _SOURCES, stage / _SOURCES, symlinks=True)
    for file in (_SCHEMA, _LIST):
        (stage / file).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(root / file, stage / file)


def _compose(compose: Compose, version: str, stage: Path) -> None:
    try:
        compose(version, stage / _RECIPES)
    except (CommandFailed, ImageUnavailable) as error:
        raise ImageUnavailable(
            f"Kubernetes {version} is not added, nothing was written: {error}\n"
            "`go list -m -versions k8s.io/kubernetes` names the versions that there are"
        ) from error


def _write_listed(stage: Path) -> None:
    """Write the list of versions into the docs."""
    text = (stage / _LIST).read_text(encoding="utf-8")
    line = f"Kubernetes {list_versions(known_versions.recipes(stage / _RECIPES))};"
    (stage / _LIST).write_text(_LISTED.sub(line, text), encoding="utf-8")


def _write_schema(stage: Path) -> None:
    """Write the schema that the staged code prints; its default version may have changed."""
    deadline = Deadline.after(_SECONDS, "the schema of incident files")
    environment = {**os.environ, "PYTHONPATH": str(stage / _SOURCES.parent)}
    schema = run([sys.executable, "-m", "chaos_harness.harness", "schema"], deadline, cwd=stage, env=environment).stdout
    (stage / _SCHEMA).write_text(schema, encoding="utf-8")


def _move(stage: Path, root: Path, written: Sequence[Path], removed: Sequence[Path]) -> None:
    """Move files from the stage into the checkout, and remove others; if one step fails, undo all."""
    before = {name: (root / name).read_bytes() if (root / name).exists() else None for name in (*written, *removed)}
    try:
        for name in written:
            (root / name).parent.mkdir(exist_ok=True)
            _put(root / name, (stage / name).read_bytes())
        for name in removed:
            _remove(root / name)
    except BaseException:
        for name, content in before.items():
            if content is None:
                _remove(root / name)
            else:
                (root / name).parent.mkdir(exist_ok=True)
                _put(root / name, content)
        raise


def _put(path: Path, content: bytes) -> None:
    """Write a file completely or not at all."""
    unfinished = path.with_name(f".{path.name}.unfinished")
    try:
        unfinished.write_bytes(content)
        unfinished.replace(path)
    finally:
        unfinished.unlink(missing_ok=True)


def _remove(path: Path) -> None:
    """Remove a file that may be gone already, and its folder if it is empty then."""
    path.unlink(missing_ok=True)
    if path.parent.is_dir() and not any(path.parent.iterdir()):
        path.parent.rmdir()
