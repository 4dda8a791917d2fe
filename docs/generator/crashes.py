"""Crashes: the page with what the crash test found, out of the trials that are kept."""

from collections.abc import Iterator, Sequence
from pathlib import Path

from chaos_harness.harness.crashtest.ledger import Ledger, Trial
from chaos_harness.harness.crashtest.samples import NOT_SAMPLED, SAMPLES
from chaos_harness.harness.crashtest.table import as_markdown
from docs.generator.markdown import safe

__all__ = ["crashes_page"]

_PAGE = """\
# What is left after kill -9

The harness is killed in the middle of a fault, garbage is collected, and cluster and machine are compared with what
they were before: [how that is done, and how to read the tables](../how-to/crash-test.md). The trials were made on real
clusters; they are in [scenarios/crashtest.jsonl](../../scenarios/crashtest.jsonl), from which `nox -s docs` makes this
page."""


def crashes_page(path: Path) -> str:
    """Return the page for the ledger at `path`. Raises BadScenario if it is none."""
    trials = Ledger.read(path).trials
    tables = as_markdown(trials, counted=True).partition("\n")[2].strip()
    return "\n\n".join([_PAGE, tables, "## Not tried", "\n".join(_untried(trials))]) + "\n"


def _untried(trials: Sequence[Trial]) -> Iterator[str]:
    tried = {trial.key.sample for trial in trials}
    yield from (f"- `{name}`: {safe(why)}" for name, why in NOT_SAMPLED.items())
    if names := [f"`{name}`" for name in SAMPLES if name not in tried]:
        yield f"- not yet: {', '.join(names)}"
