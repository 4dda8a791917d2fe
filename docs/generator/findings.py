"""Findings: what is known of each shipped incident, by its file and by the truth table."""

from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path

from chaos_harness.harness.incident.load import LoadedIncident, load
from chaos_harness.harness.incident.model import ClaimSpec, ExpectationSpec
from chaos_harness.reports.truth.rows import Table, TruthCount, sum_counts
from docs.generator.markdown import safe, table

__all__ = ["facts", "incidents", "track_record"]

_ROOT = Path(__file__).resolve().parents[2]
_FOLDER = Path("scenarios", "incidents")
_OUTCOMES = ("holds", "violated", "inconclusive")


def incidents() -> dict[str, LoadedIncident]:
    """Return the shipped incidents that are named after an issue, by their names, in the order of its number."""
    named = (path for path in (_ROOT / _FOLDER).glob("*.yaml") if path.stem.rpartition("-")[2].isdigit())
    loaded = [load(path, {}) for path in named]
    return {incident.name: incident for incident in sorted(loaded, key=lambda one: int(one.name.rpartition("-")[2]))}


def facts(loaded: LoadedIncident, truth: Table) -> str:
    """Return what is known of an incident: its issues, what it claims, what was seen, and how it is replayed."""
    incident, file = loaded.incident, _FOLDER / loaded.path.name
    repeated = f"; its timeline is run {incident.repeat} times in a replay" if incident.repeat > 1 else ""
    claims = ((f"`{claim.check}`", _expected(claim), _issue(claim)) for claim in incident.claims)
    seen = [count for count in truth.counts() if count.rows[0].test.startswith(f"{file}::")]
    others = [count for count in truth.counts() if _claims_issue(count, loaded) and count not in seen]
    parts = [
        f"> {incident.title}.",
        table(
            ("reported in", ", ".join(f"[{_short(link)}]({link})" for link in incident.links)),
            [
                ("file", f"[{file.name}](../../{file}){repeated}"),
                ("relive it", f"`nox -s repro -- {file}`"),
            ],
        ),
        "What the file claims:",
        table(("check", "expected", "known as"), claims),
        _seen_in_runs(seen),
    ]
    if others:
        parts += ["Other scenarios that claim the same defect:", _counted(others)]
    return "\n\n".join(parts)


def track_record(truth: Table) -> str:
    """Return the table of all incidents."""
    rows = []
    for name, loaded in incidents().items():
        counts = [
            count for count in truth.counts() if _claims_issue(count, loaded) or f"/{name}.yaml::" in count.rows[0].test
        ]
        total = sum_counts(counts)
        histories = f"{total.seen} {'history' if total.seen == 1 else 'histories'}"
        seen = f"{histories}, {total.as_predicted} of {total.decided} verdicts as predicted" if counts else "none"
        rows.append(
            (f"[{_short(loaded.incident.links[0])}]({name}.md)", safe(loaded.incident.title), _versions(loaded), seen)
        )
    return table(("issue", "what goes wrong", "versions expected to have it", "counted on real clusters"), rows)


def _versions(loaded: LoadedIncident) -> str:
    ranges = [
        expectation.gatekeeper or "all"
        for claim in loaded.incident.claims
        for expectation in claim.expect
        if expectation.verdict == "violated"
    ]
    return safe(", ".join(dict.fromkeys(ranges)))


def _expected(claim: ClaimSpec) -> str:
    return "; ".join(_words(expectation) for expectation in claim.expect)


def _words(expectation: ExpectationSpec) -> str:
    where = " and ".join(filter(None, (safe(expectation.gatekeeper), safe(expectation.kubernetes))))
    return f"`{expectation.verdict}`{f' on {where}' if where else ''}"


def _issue(claim: ClaimSpec) -> str:
    because = f" ({', '.join(claim.because)})" if claim.because else ""
    return f"{_number(claim.issue)}{because}" if claim.issue else ""


def _claims_issue(count: TruthCount, loaded: LoadedIncident) -> bool:
    known = {claim.issue for claim in loaded.incident.claims if claim.issue}
    return any(row.issue in known for row in count.rows)


def _seen_in_runs(counts: Sequence[TruthCount]) -> str:
    if not counts:
        return "The [truth table](../trust.md) counts no run of this file."
    rows = (
        (f"`{safe(count.rows[0].id)}`", _where(count), str(count.seen), *map(str, map(count.count_outcome, _OUTCOMES)))
        for count in counts
    )
    head = ("claim", "on", "histories", *_OUTCOMES)
    return f"What today's checks say of the runs that are kept ([truth table](../trust.md)):\n\n{table(head, rows)}"


def _counted(counts: Iterable[TruthCount]) -> str:
    groups: dict[str, list[TruthCount]] = {}
    for count in counts:
        groups.setdefault(count.rows[0].test.rpartition("::")[0], []).append(count)
    return table(("scenario", "claims", "histories", *_OUTCOMES), _group_rows(groups))


def _group_rows(groups: dict[str, list[TruthCount]]) -> Iterator[tuple[str, ...]]:
    for file, group in groups.items():
        total = sum_counts(group)
        counted = map(str, (len(group), total.seen, *map(total.count_outcome, _OUTCOMES)))
        yield f"[{Path(file).stem.removeprefix('test_')}](../../{file})", *counted


def _where(count: TruthCount) -> str:
    row = count.rows[0]
    return f"{row.kubernetes} {row.gatekeeper} {row.install}"


def _short(link: str) -> str:
    """Return an issue's address as OWNER's repository and number."""
    repository, _, number = link.rpartition("/issues/") if "/issues/" in link else link.rpartition("/pull/")
    return f"{repository.rpartition('/')[2]}#{number}" if repository else link


def _number(issue: str) -> str:
    repository, _, number = issue.partition("#")
    return f"{repository.rpartition('/')[2]}#{number}"
