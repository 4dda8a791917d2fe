"""Pages: everything that is generated below docs/, by its path."""

from pathlib import Path

from chaos_harness.reports.truth.page import by_check, how_often, last_line
from chaos_harness.reports.truth.rows import read_table
from chaos_harness.scenarios.registry_cut.table import markdown
from docs.generator.crashes import crashes_page
from docs.generator.findings import facts, incidents, track_record
from docs.generator.incidents import incidents_page
from docs.generator.markdown import replace_block
from docs.generator.pictures import draw_all
from docs.generator.reference import incident_page, parts_page
from docs.generator.verbs import verbs_page

__all__ = ["DOCS", "generate", "outdated"]

DOCS = Path(__file__).resolve().parents[1]
_TRUTH = DOCS.parent / "scenarios" / "truth.json"
_CRASHES = DOCS.parent / "scenarios" / "crashtest.jsonl"


def generate() -> dict[Path, str]:
    """Return the text of each page and picture that is made from the code, by its path below docs/."""
    truth = read_table(_TRUTH)
    made = {
        Path("reference", "verbs.md"): verbs_page(),
        Path("reference", "incident.md"): incident_page(),
        Path("reference", "incidents.md"): incidents_page(truth),
        Path("reference", "faults.md"): parts_page("fault"),
        Path("reference", "crash-test.md"): crashes_page(_CRASHES),
        Path("reference", "checks.md"): parts_page("check"),
        Path("reference", "probes.md"): parts_page("probe"),
        Path("reference", "policies.md"): parts_page("policy", "preparation"),
    }
    blocks = {
        Path("trust.md"): {"truth": f"{last_line(truth)}.\n\n{by_check(truth)}\n\n{how_often(truth)}"},
        Path("findings", "index.md"): {"track record": track_record(truth)},
        **{Path("findings", f"{name}.md"): {"facts": facts(loaded, truth)} for name, loaded in incidents().items()},
    }
    blocks[Path("findings", "gatekeeper-3839.md")]["matrix"] = markdown()
    for path, texts in blocks.items():
        page = (DOCS / path).read_text(encoding="utf-8")
        for name, text in texts.items():
            page = replace_block(page, name, text)
        made[path] = page
    return made | {Path("pictures", name): picture for name, picture in draw_all(truth).items()}


def outdated() -> dict[Path, str]:
    """Return what is not in docs/ as the code would make it now."""
    return {path: text for path, text in generate().items() if not _is_there(path, text)}


def _is_there(path: Path, text: str) -> bool:
    file = DOCS / path
    return file.is_file() and file.read_text(encoding="utf-8") == text
