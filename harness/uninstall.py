"""The verb uninstall: says what will go, asks, and tells what went and what stays."""

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

from chaos_harness.clusters.adoption.record import records
from chaos_harness.clusters.checkout import command_line
from chaos_harness.clusters.engine import Engine, Layout
from chaos_harness.clusters.machine import consent
from chaos_harness.clusters.terminal.progress import Progress
from chaos_harness.clusters.terminal.width import columns_of, wrap
from chaos_harness.clusters.uninstall import Uninstallation
from chaos_harness.harness.errors import BadScenario, ConsentMissing, HarnessError
from chaos_harness.harness.undo import journal

__all__ = ["add_options", "uninstall"]


def add_options(verb: argparse.ArgumentParser) -> None:
    """Add the options of the verb to its parser."""
    verb.add_argument("--keep-caches", action="store_true", help="keep images, tools and downloads")
    verb.add_argument("--yes", action="store_true", help=f"do not ask, as {consent.YES}=1 does")
    verb.set_defaults(verb=lambda chosen, progress: uninstall(progress, keep_caches=chosen.keep_caches))


def uninstall(progress: Progress, *, keep_caches: bool = False, layout: Layout | None = None) -> int:
    """Uninstall the harness after it was asked whether it may; return the exit status.

    Raises BadScenario if something is in use, ConsentMissing, HarnessError with everything that could not be removed,
    after the rest was. Typed again, it goes on with what is left.
    """
    planned = Uninstallation(layout or Layout.default(), progress, undo=_undo)
    planned.require_unused()
    if adopted := [str(adoption) for adoption in records()]:
        words = f"; give back what is adopted: `{command_line('release --')} NAME`; then type this again"
        raise BadScenario(f"nothing is removed, because {'; '.join(adopted)}{words}")
    _require_yes(planned.notice())
    report = planned.run(keep_caches=keep_caches or not consent.ask("Remove the caches, too?"))
    for word, lines in (("removed", report.removed), ("left", report.left)):
        for line in lines:
            sys.stdout.write(wrap(f"{word} {line}\n", columns_of(sys.stdout)))
    if report.problems:
        raise HarnessError("\n".join(["not everything is gone:", *report.problems, "type the same again after that"]))
    return 0


def _undo(path: Path, engine: Engine) -> Sequence[str]:
    return list(journal.replay(path, engine=engine))


def _require_yes(notice: str) -> None:
    answer = consent.ask(f"{notice}\n\nGo on?")
    if not answer:
        why = "nobody can be asked here" if answer is None else "nothing was removed"
        raise ConsentMissing(f"{notice}\n\n{why}; this line agrees:\n  {consent.line_that_agrees()}")
