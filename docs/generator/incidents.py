"""Incidents: the page with every shipped incident file, what it expects of each version, and what was seen there."""

from collections.abc import Iterator, Sequence
from pathlib import Path

from chaos_harness.clusters.known_versions import GATEKEEPER
from chaos_harness.harness.incident.judge import check_of
from chaos_harness.harness.incident.load import LoadedIncident, load
from chaos_harness.harness.incident.model import ClaimSpec
from chaos_harness.reports.truth.rows import Table, TruthCount, sum_counts
from docs.generator.markdown import safe, table

__all__ = ["incidents_page"]

_ROOT = Path(__file__).resolve().parents[2]
_FOLDER = Path("scenarios", "incidents")
_PAGE = """\
# Incidents by version

Every file in [scenarios/incidents](../../scenarios/incidents), what each of its claims expects of a version of
Gatekeeper, and what came out there: k of n runs as expected, by [today's checks](../trust.md). A prediction that no
run has tried says *not run yet*; a dash is a version of which the file expects nothing. The story and the sources of an
incident are in its file. Made from the files and the truth table by `nox -s docs`."""
_NOTHING = "-"


def incidents_page(truth: Table) -> str:
    """Return the page."""
    counts = truth.counts()
    loaded = [load(path, {}) for path in sorted((_ROOT / _FOLDER).glob("*.yaml"))]
    rows = [row for one in loaded for row in _rows(one, counts)]
    return f"{_PAGE}\n\n{table(('incident', 'claim', *GATEKEEPER), rows)}\n"


def _rows(loaded: LoadedIncident, counts: Sequence[TruthCount]) -> Iterator[tuple[str, ...]]:
    file = _FOLDER / loaded.path.name
    mine = [count for count in counts if count.rows[0].test.startswith(f"{file}::")]
    name = f"[{loaded.name}](../../{file})"
    for claim in loaded.incident.claims:
        check = check_of(claim).id
        seen = [count for count in mine if count.rows[0].id == check]
        yield name, f"`{safe(check)}`", *(_cell(loaded, claim, seen, version) for version in GATEKEEPER)


def _cell(loaded: LoadedIncident, claim: ClaimSpec, counts: Sequence[TruthCount], version: str) -> str:
    """Return what is expected of a version, and how often it came out like this."""
    fixed = "gatekeeper" in loaded.given and loaded.shape.gatekeeper != version
    shape = loaded.shape.model_copy(update={"gatekeeper": version})
    expected = None if fixed else claim.expected(shape)
    if expected is None:
        return _NOTHING
    total = sum_counts([count for count in counts if count.rows[0].gatekeeper == version])
    if not total.verdicts:
        return f"{expected}: not run yet"
    race = ", a race" if claim.race else ""
    return f"{expected}: {total.count_outcome(expected)} of {len(total.verdicts)}{race}"
