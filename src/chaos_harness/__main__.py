"""Command line: `chaos-harness VERB`, where it is installed; in a checkout nox's sessions are the same verbs."""

import importlib
import sys
from collections.abc import Sequence

__all__ = ["main"]

_WITH_REPORTS = {
    "plan": "chaos_harness.plans",
    "run": "chaos_harness.scenario_runs",
    "report": "chaos_harness.reports.__main__",
    "nightly": "chaos_harness.nights",
    "truth": "chaos_harness.reports.truth.__main__",
    "store": "chaos_harness.run_store",
    "compare": "chaos_harness.run_comparison",
}
"""Verbs that need reports beside the harness, by their modules; all others are the harness's."""


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the verb, with the arguments of the command line or these, and return its exit status."""
    words = list(sys.argv[1:] if arguments is None else arguments)
    module = _WITH_REPORTS.get(words[0]) if words else None
    chosen = importlib.import_module(module or "chaos_harness.harness.__main__")
    return int(chosen.main(words[1:] if module else words))


if __name__ == "__main__":
    sys.exit(main())
