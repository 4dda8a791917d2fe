"""Command line of mutation testing: `python -m tests.mutation --help`."""

import argparse
import hashlib
import sys
import time
from pathlib import Path

from tests.mutation.mistakes import Mistake, mistakes
from tests.mutation.packages import PACKAGES, Package
from tests.mutation.store import Store
from tests.mutation.trial import Trial

_ROOT = Path(__file__).parents[2]
_REASONS = Path(__file__).with_name("survivors.md")
_SHORT = 100


def main() -> int:
    """Try the mistakes of the packages, and print those that no test finds; return 1 if one has no reason."""
    parser = argparse.ArgumentParser(prog="python -m tests.mutation", allow_abbrev=False)
    parser.add_argument("--package", choices=sorted(PACKAGES), action="append", help="by default all in turn")
    parser.add_argument("--store", type=Path, required=True, help="file of JSON lines: what it has is not tried again")
    parser.add_argument("--seconds", type=float, default=float("inf"), help="begin no trial after this time")
    options = parser.parse_args()
    end = time.monotonic() + options.seconds
    missing = [_try(name, PACKAGES[name], options.store, end) for name in options.package or PACKAGES]
    return int(any(missing))


def _try(name: str, package: Package, path: Path, end: float) -> int:
    """Try what the store has not; print the survivors, and return how many have no reason in survivors.md."""
    store = Store(path, package)
    places = list(_places(package))
    untried = sorted((place for place in places if store.test_of(*place) is None), key=_order)
    with Trial.of(package) as trial:
        file = places[0][0]
        if failed := trial.found(file, (_ROOT / file).read_text(encoding="utf-8")):
            raise SystemExit(f"{name}: {failed} fails without any mistake")
        for file, mistake in untried:
            if time.monotonic() < end:
                store.add(file, mistake, trial.found(file, mistake.source))
    tests = [store.test_of(*place) for place in places]
    reasons = _REASONS.read_text(encoding="utf-8").splitlines()
    rows = [row_of(*place) for place, test in zip(places, tests, strict=True) if test == ""]
    without = [row for row in rows if not any(reason.startswith(row) for reason in reasons)]
    tried = sum(test is not None for test in tests)
    score = f"{len(places)} mistakes, {tried} tried, {tried - len(rows)} found, {len(without)} survive without a reason"
    sys.stdout.write("".join(f"{line}\n" for line in [*without, f"{name} at {store.made}: {score}"]))
    sys.stdout.flush()
    return len(without)


def _order(place: tuple[str, Mistake]) -> bytes:
    """Return where in the order a mistake is tried: a run that is stopped has tried a sample of all files."""
    file, mistake = place
    return hashlib.sha256(f"{file} {mistake.line} {mistake.new}".encode()).digest()


def _places(package: Package) -> list[tuple[str, Mistake]]:
    sources = {file: (_ROOT / file).read_text(encoding="utf-8") for file in package.files()}
    return [(file, mistake) for file, source in sources.items() for mistake in mistakes(source)]


def row_of(file: str, mistake: Mistake) -> str:
    """Return the begin of a mistake's row in survivors.md, to which the reason is to be added.

    The line is in it as it is with the mistake: the same number may stand in many places of a file.
    """
    line = mistake.source.splitlines()[mistake.line - 1]
    old, new, line = (" ".join(text.split())[:_SHORT] for text in (mistake.old, mistake.new, line))
    words = f"{old} → {new}: {line}".replace("|", "\\|").replace("`", "'")
    return f"| {file} | `{words}` |"


if __name__ == "__main__":
    sys.exit(main())
