"""Command line of the truth table: adds up the verdicts of many runs, with rates and their intervals."""

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

from chaos_harness.harness.errors import BadScenario
from chaos_harness.reports.truth.page import by_check, by_claim, last_line, page
from chaos_harness.reports.truth.rows import gather_rows, merge_rows, sum_counts
from chaos_harness.reports.truth.verdict_lines import FILE

__all__ = ["main"]


def main(arguments: Sequence[str] | None = None) -> int:
    """Print the table of runs, and of tables written before; write it if asked; return the exit status.

    Verdicts of other versions of the checks are judged again if their histories exist, and do not count otherwise. 0:
    there are verdicts that count, and all are as expected; 1: not; 2: there is nothing to read.
    """
    parser = argparse.ArgumentParser(prog="chaos-harness truth", description="Prints the truth table of runs.")
    help_text = f"directory of a run, with its {FILE}, or a table's JSON"
    parser.add_argument("runs", nargs="+", type=Path, metavar="RUN", help=help_text)
    parser.add_argument("--write", type=Path, metavar="FILE", help="write the table as JSON, and beside it a page")
    chosen = parser.parse_args(arguments)
    if chosen.write and chosen.write.suffix != ".json":
        parser.error(
            f"argument --write: expected a name that ends in .json (was {chosen.write}); the page goes beside it"
        )
    if chosen.write and not chosen.write.parent.is_dir():
        parser.error(f"argument --write: there is no folder {chosen.write.parent}")
    try:
        table = merge_rows(gather_rows(chosen.runs, lambda line: sys.stderr.write(f"{line}\n")))
    except BadScenario as error:
        sys.stderr.write(f"error: {error}\n")
        return 2
    sys.stdout.write(f"{by_claim(table)}\n\n{by_check(table)}\n\n{last_line(table)}\n")
    if chosen.write:
        chosen.write.write_text(table.json(), encoding="utf-8")
        chosen.write.with_suffix(".md").write_text(page(table), encoding="utf-8")
    total = sum_counts(table.counts())
    return int(total.as_predicted == 0 or total.as_predicted < len(total.verdicts) or table.broken > 0)


if __name__ == "__main__":
    sys.exit(main())
