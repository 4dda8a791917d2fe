"""Run comparison: `chaos-harness compare A B` says what changed between two groups of runs, beyond noise."""

import sys
from collections.abc import Sequence
from contextlib import ExitStack
from pathlib import Path

from chaos_harness.clusters.terminal.command_options import CommandParser
from chaos_harness.harness.run.exit_status import ExitStatus, run_command
from chaos_harness.reports.comparison.compare import compare
from chaos_harness.reports.comparison.render import as_json, as_markdown, as_text
from chaos_harness.reports.comparison.samples import read_samples
from chaos_harness.reports.comparison.selection import select_both
from chaos_harness.run_store import STORE

__all__ = ["main"]

_STATUS = {
    "worse": ExitStatus.OTHERWISE,
    "undecided": ExitStatus.INCONCLUSIVE,
    "as before": ExitStatus.AS_EXPECTED,
}
_MEANING = (
    "runs: a directory with runs, or of the store a run's id or its first letters, a commit, `latest`, or a time span "
    "(2026-11-01..2026-11-15, 7d, 14d..7d; UTC)"
)


def main(arguments: Sequence[str]) -> int:
    """Print what changed from A to B; return an ExitStatus: OTHERWISE if B is worse, INCONCLUSIVE if undecided."""
    parser = CommandParser(
        prog="chaos-harness compare",
        description="Say which verdicts changed from A to B, and which figures are worse beyond noise.",
    )
    parser.add_argument("a", metavar="A", help=f"the earlier {_MEANING}")
    parser.add_argument("b", metavar="B", help="the later runs, in the same words")
    parser.add_argument("--store", type=Path, default=STORE, metavar="FILE", help=f"the database (default: {STORE})")
    form = parser.add_mutually_exclusive_group()
    form.add_argument("--markdown", action="store_true", help="as the comment of a pull request")
    form.add_argument("--json", action="store_true", help="for scripts: as JSON")
    chosen = parser.parse_args(arguments)

    def show() -> ExitStatus:
        with ExitStack() as open_:
            comparison = compare(read_samples(select_both([chosen.a, chosen.b], chosen.store, open_)))
        if chosen.json or chosen.markdown:
            sys.stdout.write(f"{(as_json if chosen.json else as_markdown)(comparison).rstrip()}\n")
        else:
            sys.stdout.writelines(f"{line}\n" for line in as_text(comparison))
        return _STATUS[comparison.judgement]

    return run_command(show)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
