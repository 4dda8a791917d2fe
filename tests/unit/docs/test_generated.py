"""Generated: pages and pictures are as the code makes them today, and what they are made from is what it says."""

from pathlib import Path

import pytest
import yaml

from chaos_harness.harness.catalogue import KINDS, entries
from chaos_harness.harness.incident.bundle.recheck import recheck
from chaos_harness.harness.incident.load import load
from chaos_harness.reports.truth.rows import read_table, sum_counts
from chaos_harness.run_options import run_options
from docs.generator.findings import incidents
from docs.generator.incidents import incidents_page
from docs.generator.markdown import replace_block, safe, table
from docs.generator.pages import DOCS, outdated
from docs.generator.pictures import BUNDLE
from docs.generator.verbs import parsers, sessions

_ROOT = Path(__file__).parents[3]
_FENCE = "```"


def _blocks(page: Path, language: str) -> list[str]:
    """Return the blocks of code of a page in a language."""
    parts = page.read_text(encoding="utf-8").split(f"\n{_FENCE}")
    return [part.partition("\n")[2] for part in parts if part.startswith(f"{language}\n")]


def test_nothing_is_out_of_date() -> None:
    """What docs/ has is what the code would write now; `nox -s docs` writes it."""
    old = [f"docs/{path}" for path in outdated()]

    assert old == [], "type `nox -s docs`"


def test_the_bundle_of_the_pictures_is_judged_the_same() -> None:
    """The run that is drawn comes out today as it did on the cluster: the known defect, and nothing else."""
    _, _, compared = recheck(BUNDLE)

    assert [(claim.now.outcome if claim.now else None, claim.changed) for claim in compared] == [
        ("violated", False),
        ("holds", False),
        ("holds", False),
    ]


def test_the_reference_has_everything() -> None:
    """Each named part has a heading, each verb and session a line, and each incident a page."""
    reference = "".join(page.read_text(encoding="utf-8") for page in (DOCS / "reference").glob("*.md"))

    missing = [name for kind in KINDS for name in entries(kind) if f"# {name}\n" not in reference]
    missing += [verb for verb in parsers() if f"### {verb}\n" not in reference]
    missing += [name for name in sessions() if f"`{name}`" not in reference]
    missing += [name for name in run_options() if f"`{name}" not in reference]
    missing += [name for name in incidents() if not (DOCS / "findings" / f"{name}.md").is_file()]
    assert missing == []


def test_each_incident_is_listed_by_version() -> None:
    """Each file and claim has a row, with what was seen; no file that was not run seems to have been."""
    truth = read_table(_ROOT / "scenarios" / "truth.json")
    page = incidents_page(truth)
    rows = [line.split(" | ") for line in page.splitlines() if line.startswith("| [")]
    files = [load(path) for path in sorted((_ROOT / "scenarios" / "incidents").glob("*.yaml"))]
    run = {Path(row.test.partition("::")[0]).stem for row in truth.rows}

    assert len(rows) == sum(len(file.incident.claims) for file in files)
    listed = {file.name: [row for row in rows if row[0].startswith(f"| [{file.name}]")] for file in files}
    assert all(listed.values())
    assert not [name for name in listed if name not in run and " of " in str([row[2:] for row in listed[name]])]
    (exit_,) = [row for row in listed["gatekeeper-3902"] if "refused_for_at_most" in row[1]]
    assert exit_[-1].startswith("violated: 2 of 2")
    assert exit_[-2] == "violated: not run yet"


def test_sessions_are_read_from_the_noxfile() -> None:
    """Functions, the table of verbs and single verbs, each with its first sentence."""
    source = '''
_VERBS = {"a-b": "Do.\\n\\n-- FILE"}
_add_verb("c", "Go.")
@nox.session(reuse_venv=False)
def d_e(session):
    """Run.

    More.
    """
def helper(): pass
'''
    assert sessions(source) == {"a-b": "Do.", "c": "Go.", "d-e": "Run."}


def test_a_block_is_replaced() -> None:
    """The text between its marks is, and nothing else; a page without the block, or with two, is refused."""
    page = "a\n<!-- generated: x -->\nold\n<!-- end: x -->\nb\n"
    made = replace_block(page, "x", r"new \1")

    assert made == "a\n<!-- generated: x -->\n\nnew \\1\n\n<!-- end: x -->\nb\n"
    assert replace_block(made, "x", r"new \1") == made
    for wrong in ("", page + page):
        with pytest.raises(ValueError, match="expected one block"):
            replace_block(wrong, "x", "")


def test_a_cell_breaks_no_table() -> None:
    """Whatever stands in it."""
    assert table(("a",), [(safe("<b> | c\nd"),)]) == "| a |\n| --- |\n| &lt;b> \\| c d |"


@pytest.mark.parametrize(
    ("page", "text"),
    [
        (page, block)
        for page in (_ROOT / "README.md", *sorted(DOCS.rglob("*.md")))
        for block in _blocks(page, "yaml")
        if block.startswith("schema: 1\n")
    ],
)
def test_incidents_of_pages_can_be_replayed(page: Path, text: str, tmp_path: Path) -> None:
    """An incident that is shown is one that the harness takes."""
    file = tmp_path / "shown.yaml"
    file.write_text(text, encoding="utf-8")

    assert load(file, {}).incident.claims, page


def test_the_readme_is_short_and_its_examples_run() -> None:
    """It has 600 to 900 words beside its code, which runs, and says of the truth table what is in it."""
    readme = _ROOT / "README.md"
    truth = sum_counts(read_table(_ROOT / "scenarios/truth.json").counts())
    (scenario,), (incident,) = _blocks(readme, "python"), _blocks(readme, "yaml")
    prose = "".join(readme.read_text(encoding="utf-8").split(_FENCE)[::2])
    namespace: dict[str, object] = {}
    exec(compile(scenario, "README.md", "exec"), namespace)  # noqa: S102 - it is ours

    assert f"{truth.as_predicted} of {truth.decided} verdicts" in prose
    assert truth.false_alarms == 0, "the README says so"
    assert 600 <= len(prose.split()) <= 900
    assert len(incident.strip().splitlines()) <= 15
    assert yaml.safe_load(incident)["title"] in (_ROOT / "scenarios/incidents/gatekeeper-3839.yaml").read_text("utf-8")
    assert callable(namespace["test_killed_replicas_need_no_registry"])
