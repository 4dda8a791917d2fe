"""Command line: the verbs behind nox's sessions, and those of incidents."""

import argparse
import sys
from collections.abc import Sequence
from functools import partial
from itertools import chain
from pkgutil import resolve_name

from chaos_harness.clusters.machine import consent
from chaos_harness.clusters.terminal.command_options import CommandParser
from chaos_harness.clusters.terminal.progress import Progress
from chaos_harness.harness.errors import BadScenario
from chaos_harness.harness.run.exit_status import CANNOT_TELL, ExitStatus, run_command

__all__ = ["main"]

_COLUMN = 16
_UNDECIDED = (ExitStatus.REFUSED, ExitStatus.INCONCLUSIVE, ExitStatus.BROKEN, ExitStatus.NOTHING)
_VERBS = {
    "scenarios": {
        "run": ("run scenarios: by default the three founding incidents", ""),
        "report": ("make the report of a run again, or show it in a browser", ""),
        "nightly": ("run scenarios on a matrix of versions, in shards if so", ""),
        "truth": ("count what each check said in many runs, and how rightly", ""),
        "store": ("keep what many runs said in one database", ""),
        "compare": ("say what changed between runs, commits or weeks, beyond noise", ""),
    },
    "incidents": {
        "repro": ("replay an incident, and leave a bundle", "chaos_harness.harness.incident.cli:add_repro_options"),
        "ab": (
            "compare two releases, or two installations, on incidents",
            "chaos_harness.harness.incident.ab.cli:add_options",
        ),
        "recheck": (
            "judge a bundle again, without a cluster",
            "chaos_harness.harness.incident.cli:add_recheck_options",
        ),
        "shrink": (
            "remove from an incident what is not needed to reproduce it",
            "chaos_harness.harness.incident.cli:add_shrink_options",
        ),
        "record": (
            "draft an incident from a cluster of yours, which is only read",
            "chaos_harness.harness.incident.cli:add_record_options",
        ),
        "suite": (
            "ask the cases of gator's test suites, also under a fault",
            "chaos_harness.harness.suites.cli:add_options",
        ),
        "crashtest": (
            "kill the harness in each fault, and compare what is left",
            "chaos_harness.harness.crashtest.cli:add_options",
        ),
        "adopt": (
            "let faults be done to a kind cluster of yours, for a time",
            "chaos_harness.harness.adopt:add_adopt_options",
        ),
        "release": (
            "heal an adopted cluster, and print what is not as it was",
            "chaos_harness.harness.adopt:add_release_options",
        ),
    },
    "files": {
        "new": (
            "write a scenario or an incident to start with",
            "chaos_harness.harness.incident.cli_offline:add_new_options",
        ),
        "new-incident": (
            "the same as `new incident`",
            "chaos_harness.harness.incident.cli_offline:add_new_incident_options",
        ),
        "check": (
            "report all problems of incident files, without a cluster",
            "chaos_harness.harness.incident.cli_offline:add_check_options",
        ),
        "plan": ("show what an incident would do, need and cost", ""),
        "list": (
            "list what incident files may name, or the scenarios",
            "chaos_harness.harness.incident.cli_offline:add_list_options",
        ),
        "schema": (
            "print the JSON Schema of incident files, for editors",
            "chaos_harness.harness.incident.cli_offline:add_schema_options",
        ),
    },
    "this machine": {
        "doctor": ("report what is missing, and the command that fixes it", "chaos_harness.harness.doctor:add_options"),
        "images": (
            "prepare images ahead, or carry them to another machine",
            "chaos_harness.harness.images:add_options",
        ),
        "gc": ("heal and remove what dead runs left behind", "chaos_harness.harness.gc:add_options"),
        "uninstall": ("take back everything that the harness did here", "chaos_harness.harness.uninstall:add_options"),
    },
    "versions of Kubernetes": {
        "add-kubernetes": (
            "make a version known: recipe, lock, schema, docs",
            "chaos_harness.harness.add_kubernetes:add_options",
        ),
    },
}
"""By group, each verb: what it is for, and what adds its options ("": a module beside the harness has the verb).

Only the verb that is typed is imported.
"""


class _Verbs(CommandParser):
    """The parser of all verbs; its help has them in groups, a line each."""

    def format_help(self) -> str:
        """Return the help."""
        lines = ["usage: chaos-harness VERB ...", "", "chaos-harness VERB --help shows the options of a verb.", ""]
        for group, verbs in _VERBS.items():
            lines += [group, *(f"  {verb:{_COLUMN}}{purpose}" for verb, (purpose, _) in verbs.items()), ""]
        return "\n".join(lines)


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
    parser = _Verbs(prog="chaos-harness")
    verbs = parser.add_subparsers(required=True, metavar="verb", parser_class=CommandParser)
    for name, (purpose, options) in chain.from_iterable(group.items() for group in _VERBS.values()):
        verb = verbs.add_parser(name, help=purpose)
        if words[:1] == [name] and options:
            resolve_name(options)(verb)
        elif words[:1] == [name]:
            verb.set_defaults(verb=partial(_refer, name))
    return parser


def _refer(name: str, *_: object) -> int:
    raise BadScenario(f"the harness alone has no verb {name}; type `python -m chaos_harness {name}`")


if __name__ == "__main__":
    sys.exit(main())
