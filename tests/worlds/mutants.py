"""Mutants: whether worlds find a check that was made wrong on purpose, in a copy of the sources."""

import json
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from tempfile import TemporaryDirectory

from tests.worlds.elsewhere import ELSEWHERE
from tests.worlds.judging import digest, digest_of_all
from tests.worlds.mutated import MUTANTS, Mutant
from tests.worlds.taken_back import ROWS
from tests.worlds.truths import TRUTHS

__all__ = ["finders", "mutated", "rows", "survivors"]

_ROOT = Path(__file__).parents[2]
_COPIED = ("harness", "reports", "src", "tests")
_SECONDS = 6 * 3600
_SAMPLES = [["--seeds", "0:240"], ["--seeds", "0:40", "--metamorphic"], ["--seeds", "240:1600"]]
"""What is tried, one after the other, until a mutant is found; of one that is known to live, the first alone."""
_WORLD = re.compile(r"(?:wrong \w+|needless inconclusive): (\d+)$")


def mutated(source: str, mutant: Mutant) -> str:
    """Return the source of a file made wrong. Raises ValueError if the old text does not stand there exactly once."""
    if source.count(mutant.old) != 1:
        raise ValueError(f"{mutant.file}: {mutant.old!r} stands there {source.count(mutant.old)} times")
    return source.replace(mutant.old, mutant.new)


def finders(mutant: Mutant, first: Iterable[str] = ()) -> dict[str, str]:
    """Return, for each check that a mutant makes wrong, how worlds found that, or that its test did; "" if none did.

    The worlds `first` are tried first: those that found it when checks or worlds were others.
    """
    with TemporaryDirectory() as folder:
        root = Path(folder)
        for name in _COPIED:
            shutil.copytree(_ROOT / name, root / name, symlinks=True, ignore=shutil.ignore_patterns("__pycache__"))
        for entry in _ROOT.iterdir():
            if entry.name not in _COPIED and not entry.name.startswith("."):
                (root / entry.name).symlink_to(entry)
        path = root / mutant.file
        path.write_text(mutated(path.read_text(encoding="utf-8"), mutant), encoding="utf-8")
        if mutant.test:
            return {"": _fails(root, mutant.test)}
        samples = [["--seeds", f"{seed}:{int(seed) + 1}"] for seed in first]
        samples += _SAMPLES[:1] if mutant.lives else _SAMPLES
        return {check: _how(root, check, samples) for check in mutant.checks}


def _how(root: Path, check: str, samples: Iterable[Iterable[str]]) -> str:
    return next(filter(None, (_wrong(root, check, sample) for sample in samples)), "")


def _wrong(root: Path, check: str, sample: Iterable[str]) -> str:
    """Return the first wrong verdict with its seed, or ""; that a check raises proves nothing but a bad mutant."""
    command = [sys.executable, "-m", "tests.worlds", "--check", check, "--first", *sample]
    environment = {**os.environ, "PYTHONDONTWRITEBYTECODE": "1", "PYTHONPATH": str(root / "src")}
    done = subprocess.run(
        command, cwd=root, env=environment, capture_output=True, text=True, timeout=_SECONDS, check=False
    )
    if done.returncode not in (0, 1) or done.stderr:
        raise RuntimeError(done.stderr[-500:])
    return done.stdout.strip().removeprefix(f"{check}: ") if done.returncode else ""


def _fails(root: Path, test: str) -> str:
    """Return that a unit test fails, or ""."""
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", test]
    environment = {**os.environ, "PYTHONDONTWRITEBYTECODE": "1", "PYTHONPATH": str(root / "src")}
    done = subprocess.run(
        command, cwd=root, env=environment, capture_output=True, text=True, timeout=_SECONDS, check=False
    )
    if done.returncode not in (0, 1):
        raise RuntimeError(done.stdout[-500:])
    return f"{test} fails" if done.returncode else ""


def survivors(
    checks: Iterable[str], *, jobs: int = 1, store: Path | None = None, rows: bool = False
) -> Iterator[tuple[Mutant, str, str]]:
    """Yield each mutant of these checks, with the check and how it was found ("": it was not).

    What `store`, a file of JSON lines, has of the same checks and worlds is not tried again, and what it has of others
    is tried first. With `rows`, only the mistakes are put back that checks once made.
    """
    wanted, lines = set(checks), _stored(store)
    known = {key: how for key, how, digest_then in lines if digest_then == _digest(key)}
    worlds_then: dict[tuple[str, ...], list[str]] = {}
    for key, how, _ in lines:
        worlds_then.setdefault(key, []).extend(_WORLD.findall(how))
    worlds = [*ROWS, *(() if rows else MUTANTS)]
    every = [mutant._replace(checks=(check,)) for mutant in worlds for check in mutant.checks if check in wanted]
    every = [*(mutant for mutant in every if mutant.row), *ELSEWHERE, *(mutant for mutant in every if not mutant.row)]
    untried = list({_key(mutant): mutant for mutant in every if _key(mutant) not in known}.values())
    with ThreadPoolExecutor(jobs) as pool:
        trying = pool.map(finders, untried, [dict.fromkeys(worlds_then.get(_key(mutant), ())) for mutant in untried])
        for mutant in every:
            key = _key(mutant)
            if key not in known:
                ((_, known[key]),) = next(trying).items()
                _store(store, key, known[key])
            yield mutant, next(iter(mutant.checks), "unit tests"), known[key]


def _key(mutant: Mutant) -> tuple[str, ...]:
    return (*mutant.checks, mutant.file, mutant.old, mutant.new)


def _digest(key: tuple[str, ...]) -> str:
    return digest(key[0]) if key[0] in TRUTHS else digest_of_all()


def _stored(store: Path | None) -> list[tuple[tuple[str, ...], str, str]]:
    """Return what the store has of mutants: their keys, how each was found, and the digest of then."""
    if store is None or not store.exists():
        return []
    lines = [json.loads(line) for line in store.read_text(encoding="utf-8").splitlines()]
    return [(tuple(line["mutant"]), line["how"], line["digest"]) for line in lines if "mutant" in line]


def _store(store: Path | None, key: tuple[str, ...], how: str) -> None:
    if store is not None:
        with store.open("a", encoding="utf-8") as file:
            file.write(json.dumps({"digest": _digest(key), "mutant": key, "how": how}) + "\n")


def rows(done: Iterable[tuple[Mutant, str, str]]) -> list[str]:
    """Return a table: the mistakes that checks once made, by the number of their kind, and who finds each."""
    lines = [(mutant.row, f"`{_short(mutant)}`", f"{check}: {how}") for mutant, check, how in done]
    numbered = sorted(lines, key=lambda line: [int(part) for part in line[0].split(".")])
    return [
        "",
        "| row | the mistake put back | found by |",
        "| --- | --- | --- |",
        *(f"| {' | '.join(line)} |" for line in numbered),
    ]


def _short(mutant: Mutant) -> str:
    old, new = (" ".join(text.split()) for text in (mutant.old, mutant.new))
    return f"{Path(mutant.file).name}: {old} → {new or 'nothing'}".replace("|", "\\|")
