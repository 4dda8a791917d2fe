"""Judging: what today's checks say of a world. The one module that knows checks, and it knows them by name only."""

import importlib
import inspect
import pkgutil
import signal
import traceback
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from functools import cache
from hashlib import sha256
from pathlib import Path
from typing import Any, NamedTuple

import chaos_harness.harness.checks
import chaos_harness.harness.history
from chaos_harness.harness.history import History
from chaos_harness.harness.judging import today
from chaos_harness.harness.meaning import Code, Source, source_of
from chaos_harness.harness.normal_form import Place
from chaos_harness.harness.verdict import Verdict
from tests.worlds import truths
from tests.worlds.claimed import Claimed
from tests.worlds.hiding import Hiding

__all__ = ["Judged", "catalogue", "digest", "digest_of_all", "digest_of_worlds", "judge", "verdict"]

_LONGEST_SECONDS = 30
_OURS = {"chaos_harness", "tests"}
_JUDGING = (
    Place("tests.worlds.truths", "world"),
    Place("tests.worlds.judging", "judge"),
    Place("tests.worlds.metamorphic", "broken"),
)
_OF_ALL = ("tests.worlds.truths.TRUTHS", "tests.worlds.judging.catalogue")
"""What is there for all checks, so that another one changes it."""
_TELLING = {
    "__main__.py",
    "scoring.py",
    "telling.py",
    "mutants.py",
    "mutated.py",
    "unfound.py",
    "astray.py",
    "unready.py",
    "restless.py",
    "unbundled.py",
    "compared.py",
    "misread.py",
    "taken_back.py",
    "elsewhere.py",
}


class Judged(NamedTuple):
    """A verdict beside the truth, and what of it is wrong: "" if nothing is."""

    check: str
    seed: int
    truth: str
    outcome: str
    hidden: bool
    wrong: str
    summary: str
    evidence: tuple[str, ...] = ()


@cache
def catalogue() -> dict[str, Callable[..., Any]]:
    """Return the public functions that return a check, by their names."""
    functions: dict[str, Callable[..., Any]] = {}
    for module in pkgutil.iter_modules(chaos_harness.harness.checks.__path__, "chaos_harness.harness.checks."):
        loaded = importlib.import_module(module.name)
        for name in getattr(loaded, "__all__", ()):
            function = getattr(loaded, name)
            if inspect.isfunction(function) and function.__module__ == module.name:
                returns = inspect.signature(function).return_annotation
                if getattr(returns, "__name__", returns) == "Check":
                    functions[name] = function
    return functions


@cache
def digest(check: str) -> str:
    """Return the digest of what judges the worlds of a check: its code, what that reads with, and the worlds' own.

    It stays while other checks and other worlds change; how worlds are counted and told is not in it.
    """
    return sha256(f"{today(f'{check}()')} {digest_of_worlds(check)}".encode()).hexdigest()[:16]


def digest_of_worlds(check: str, sources: Callable[[str], Source | None] = source_of) -> str:
    """Return the digest of what draws the worlds of a check, and hides parts of them."""
    drawing = truths.TRUTHS[check]
    code = Code(lambda name: sources(name) if name.partition(".")[0] in _OURS else None, _OF_ALL)
    return code.digest([Place(drawing.__module__, drawing.__qualname__), *_JUDGING])


@cache
def digest_of_all() -> str:
    """Return the digest of the sources of all checks, the read model and the worlds, for what unit tests find."""
    roots = [Path(package.__path__[0]) for package in (chaos_harness.harness.checks, chaos_harness.harness.history)]
    every = [path for root in (*roots, Path(__file__).parent) for path in sorted(root.glob("*.py"))]
    sources = [path for path in every if path.name not in _TELLING]
    return sha256(b"\0".join(path.read_bytes() for path in sources)).hexdigest()[:16]


def verdict(claimed: Claimed, recorded: History) -> Verdict | None:
    """Return what the check says of a history of a claim's world; None if there is no such check."""
    check = catalogue().get(claimed.check)
    if check is None:
        return None
    with _limited():
        judged: Verdict = check(**claimed.drawn.parameters)(recorded)
    return judged


@contextmanager
def _limited() -> Iterator[None]:
    """Raise TimeoutError in a check that does not end."""

    def ring(*_: object) -> None:
        raise TimeoutError(f"it does not end within {_LONGEST_SECONDS} s of processor")

    before = signal.signal(signal.SIGVTALRM, ring)
    signal.setitimer(signal.ITIMER_VIRTUAL, _LONGEST_SECONDS)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_VIRTUAL, 0)
        signal.signal(signal.SIGVTALRM, before)


def judge(claimed: Claimed, more: Iterable[Hiding] = ()) -> Judged:
    """Return the verdict on a world, and whether it is wrong."""
    try:
        checked = verdict(claimed, claimed.recorded(more))
        outcome, summary = (checked.outcome, checked.summary) if checked else ("missing", "no such check")
        evidence = tuple(checked.evidence) if checked else ()
    except Exception as error:  # noqa: BLE001 - that a check raises is what is looked for
        last = traceback.extract_tb(error.__traceback__)[-1]
        outcome, summary = "raised", f"{error!r} in {Path(last.filename).name}:{last.lineno}"
        evidence = ()
    excuses = claimed.excuses()
    wrong = _wrong(claimed.truth, outcome, excused=bool(excuses))
    return Judged(claimed.check, claimed.seed, claimed.truth, outcome, bool(excuses), wrong, summary, evidence)


def _wrong(truth: str, outcome: str, *, excused: bool) -> str:
    if outcome in ("raised", "missing"):
        return outcome
    if truth in ("borderline", outcome):
        return ""
    if outcome == "inconclusive":
        return "" if excused else "needless inconclusive"
    return f"wrong {outcome}"
