"""Command line: `chaos-harness report` makes the report of a run, and serves it."""

import argparse
import os
import sys
from pathlib import Path

from chaos_harness.clusters.checkout import OUT
from chaos_harness.clusters.terminal.escape import escape_controls
from chaos_harness.harness.errors import BadScenario, HarnessError
from chaos_harness.reports.allure import killed_runs
from chaos_harness.reports.allure.categories import viewer_command
from chaos_harness.reports.html import allure_cli, generate, server
from chaos_harness.reports.overview.run import read_run
from chaos_harness.reports.overview.write import PAGE, write_overview
from chaos_harness.reports.run_directory import read_state

__all__ = ["main"]

_RESULTS = "results"
_LATEST = OUT / "latest"
_MOST_PORT = 65_535
_REFUSED = 2


def main(arguments: list[str]) -> int:
    """Make the report; return 0, 2 if there are no results, or 1 if they stay: then one line says how to read them."""
    parser = argparse.ArgumentParser(prog="chaos-harness report", description=__doc__, allow_abbrev=False)
    parser.add_argument(
        "run", nargs="?", type=Path, default=_LATEST, help=f"a run's directory, or results in it (default: {_LATEST})"
    )
    parser.add_argument("--serve", action="store_true", help="serve the report on this machine until Ctrl-C")
    parser.add_argument("--port", type=int, default=0, help="port to serve on (default: a free one)")
    options = parser.parse_args(arguments)
    if not 0 <= options.port <= _MOST_PORT:
        parser.error(f"--port: expected 0 to {_MOST_PORT}, found {options.port}")
    run = Path(os.path.realpath(options.run))
    try:
        if run.name == _RESULTS and not (run / _RESULTS).exists():
            run = run.parent
        generate.require_results(run)
    except (BadScenario, OSError) as error:
        _say(f"error: {error}")
        return _REFUSED
    named = options.run if options.run == _LATEST else run
    try:
        for sentence in killed_runs.rescue(run):
            _say(sentence)
        state, overview = read_state(run), read_run(run)
        page = write_overview(run, overview)
        _say(f"overview: {named / PAGE}")
        index = generate.generate(run, allure_cli.allure_command(_say))
        if read_state(run) != state:  # it has ended meanwhile
            overview = read_run(run)
        write_overview(run, overview)  # in the new folder, with a link to Allure's page
    except (HarnessError, OSError) as error:
        _say(f"no HTML report: {error}")
        if (run / _RESULTS).is_dir():
            _say(
                f"results: {named / _RESULTS}; to read them on a machine that can install npm and Python packages, "
                f"copy {named} there and type, in a checkout of this: {viewer_command(Path(run.name))}"
            )
        return 1
    _say(f"report: {named / 'report' / index.name}")
    if options.serve:
        server.serve(index.parent, options.port, _say, page.name)
    return 0


def _say(line: str) -> None:
    print(escape_controls(line), file=sys.stderr, flush=True)  # noqa: T201 - this is what a verb does


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
