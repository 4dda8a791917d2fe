"""Command line: `chaos VERB`, where the harness is installed; nox's sessions are the same verbs in a checkout."""

import importlib
import sys
from collections.abc import Sequence

__all__ = ["main"]

_REPORTS = {"report": "chaos_harness.reports.__main__", "truth": "chaos_harness.reports.truth.__main__"}
"""Verbs that are about runs, by their modules; all others are the harness's."""


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the verb, with the arguments of the command line or these, and return its exit status."""
    words = list(sys.argv[1:] if arguments is None else arguments)
    module = _REPORTS.get(words[0]) if words else None
    chosen = importlib.import_module(module or "chaos_harness.harness.__main__")
    return int(chosen.main(words[1:] if module else words))


if __name__ == "__main__":
    sys.exit(main())
