"""Command line: the verbs behind nox's sessions, and those of incidents."""

import argparse
import sys
from collections.abc import Sequence
from pkgutil import resolve_name

from chaos_harness.clusters.machine import consent
from chaos_harness.clusters.terminal.command_options import CommandParser
from chaos_harness.clusters.terminal.progress import Progress
from chaos_harness.harness.run.exit_status import CANNOT_TELL, ExitStatus, run_command

__all__ = ["main"]

_UNDECIDED = (ExitStatus.REFUSED, ExitStatus.INCONCLUSIVE, ExitStatus.BROKEN, ExitStatus.NOTHING)
_VERBS = {
    "doctor": (
        "report what this machine lacks, and the command that fixes it",
        "chaos_harness.harness.doctor:add_options",
    ),
    "gc": (
        "heal and remove what dead runs left behind; stop our engine when nobody uses it",
        "chaos_harness.harness.gc:add_options",
    ),
    "images": ("prepare the images of clusters in advance", "chaos_harness.harness.images:add_options"),
    "adopt": (
        "let faults be done to a kind cluster of yours, on this machine, for a time",
        "chaos_harness.harness.adopt:add_adopt_options",
    ),
    "release": (
        "give an adopted cluster back: heal it, and print what is not as it was",
        "chaos_harness.harness.adopt:add_release_options",
    ),
    "uninstall": (
        "take back everything that the harness did to this machine",
        "chaos_harness.harness.uninstall:add_options",
    ),
    "add-kubernetes": (
        "make a version of Kubernetes known: recipe, lock, schema, docs",
        "chaos_harness.harness.add_kubernetes:add_options",
    ),
    "repro": ("replay an incident, and leave a bundle", "chaos_harness.harness.incident.cli:add_repro_options"),
    "ab": (
        "compare two releases, or ways to install, on the same incidents",
        "chaos_harness.harness.incident.ab.cli:add_options",
    ),
    "recheck": ("judge a bundle again, without a cluster", "chaos_harness.harness.incident.cli:add_recheck_options"),
    "shrink": (
        "remove from an incident what is not needed to reproduce it",
        "chaos_harness.harness.incident.cli:add_shrink_options",
    ),
    "record": (
        "draft an incident from a cluster of yours, which is only read",
        "chaos_harness.harness.incident.cli:add_record_options",
    ),
    "check": (
        "read incident files, and report all their problems, without a cluster",
        "chaos_harness.harness.incident.cli_offline:add_check_options",
    ),
    "list": (
        "list what incident files may name, with parameters, or the scenarios",
        "chaos_harness.harness.incident.cli_offline:add_list_options",
    ),
    "new": (
        "write a scenario or an incident to start with",
        "chaos_harness.harness.incident.cli_offline:add_new_options",
    ),
    "new-incident": (
        "the same as `new incident`",
        "chaos_harness.harness.incident.cli_offline:add_new_incident_options",
    ),
    "schema": (
        "print the JSON Schema of incident files, for editors",
        "chaos_harness.harness.incident.cli_offline:add_schema_options",
    ),
    "suite": (
        "ask the cases of gator's test suites of a cluster, also under a fault",
        "chaos_harness.harness.suites.cli:add_options",
    ),
}
"""Each verb: what it is for, and what adds its options; only the verb that is typed is imported."""


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one verb and return the exit status, see `harness.run.exit_status.ExitStatus`."""
    words = list(sys.argv[1:] if arguments is None else arguments)
    chosen = _parser(words).parse_args(words)
    if getattr(chosen, "yes", False):
        consent.agree()
    status = run_command(lambda: int(chosen.verb(chosen, Progress.terminal())))
    bisecting = getattr(chosen, "bisect", False) and status in _UNDECIDED
    return CANNOT_TELL if bisecting else status


def _parser(words: Sequence[str]) -> argparse.ArgumentParser:
    """Return the parser of all verbs, with the options of the one that these words begin with."""
    parser = CommandParser(
        prog="chaos-harness",
        description="Looks after engine and images, and replays incidents.",
        epilog="`run` runs scenarios, `report` shows what they left, `truth` counts verdicts, `plan` shows what an "
        "incident would do and cost.",
    )
    verbs = parser.add_subparsers(required=True, metavar="verb")
    for name, (purpose, options) in _VERBS.items():
        verb = verbs.add_parser(name, help=purpose)
        if words[:1] == [name]:
            resolve_name(options)(verb)
    return parser


if __name__ == "__main__":
    sys.exit(main())
