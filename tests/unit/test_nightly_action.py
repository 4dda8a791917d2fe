"""The action that runs a night in another repository: what it types, what it leaves, and from where it goes on."""

import re
from pathlib import Path

import pytest
import yaml

from tests.fakes.actions import ACTIONS, action, run_script, script

_ROOT = Path(__file__).parents[2]
_PAGE = _ROOT / "docs" / "how-to" / "nightly.md"
_LEAVE = f"bash {ACTIONS}/nightly/leave.sh nights night"
_VERBS = """case "$*" in
  *nightly*) mkdir -p "${@: -1}"; echo "the night" > "${@: -1}/summary.md"; exit $MERGED ;;
  *) exit $IMPORTED ;;
esac"""


def test_runs_the_matrix(tmp_path: Path) -> None:
    """Within its budget, in a folder that is no night that the next one remembers, with the status of the night."""
    given = {"MATRIX": "chaos/matrix.yaml", "BUDGET": "2h", "ARGUMENTS": "--only install=chart"}
    run = run_script(script("nightly", "Break real clusters"), tmp_path, "python3", "exit 3", **given)
    typed = "nightly chaos/matrix.yaml --budget 2h --out chaos-results/night --only install=chart"
    assert run[:2] == (3, [f"-m chaos_harness {typed}"])


@pytest.mark.parametrize(
    ("merged", "imported", "status"), [(0, 0, 0), (1, 0, 1), (3, 1, 3), (0, 1, 4), (4, 0, 4)], ids=str
)
def test_what_is_left(tmp_path: Path, merged: int, imported: int, status: int) -> None:
    """One night of what was found, on the page of the job and in the store; its status is that of the night."""
    summary = tmp_path / "page"
    given = {"MERGED": str(merged), "IMPORTED": str(imported), "GITHUB_STEP_SUMMARY": str(summary)}
    ended, calls, _ = run_script(_LEAVE, tmp_path, "python3", _VERBS, **given)
    assert ended == status
    merge, store = calls
    assert re.fullmatch(r"-m chaos_harness nightly --merge night --out nights/\d{8}-\d{6}", merge)
    assert store == "-m chaos_harness store import night --store nights/store.duckdb"
    assert summary.read_text("utf-8") == "the night\n"


def test_a_night_of_which_nothing_is_left(tmp_path: Path) -> None:
    """Where the merge is refused there is no summary to show, and the status is the refusal's."""
    given = {"GITHUB_STEP_SUMMARY": str(tmp_path / "page")}
    assert run_script(_LEAVE, tmp_path, "python3", "exit 2", **given)[0] == 2
    assert not (tmp_path / "page").exists()


def test_sixty_nights_are_kept(tmp_path: Path) -> None:
    """The oldest go; the store is no night."""
    for number in range(62):
        (tmp_path / f"nights/20260101-{number:06}").mkdir(parents=True)
    (tmp_path / "nights/store.duckdb").touch()
    given = {"MERGED": "0", "IMPORTED": "0", "GITHUB_STEP_SUMMARY": str(tmp_path / "page")}
    assert run_script(_LEAVE, tmp_path, "python3", _VERBS, **given)[0] == 0
    left = sorted(path.name for path in (tmp_path / "nights").iterdir())
    assert (len(left), left[0], left[-1]) == (61, "20260101-000003", "store.duckdb")


def test_the_nights_of_this_repository_are_left_by_the_same_script(tmp_path: Path) -> None:
    """By the sessions of nox, with `--` before what belongs to the verb."""
    workflow = yaml.safe_load((_ROOT / ".github/workflows/nightly.yml").read_text("utf-8"))
    (step,) = (one for one in workflow["jobs"]["night"]["steps"] if "leave.sh" in one.get("run", ""))
    (tmp_path / ".github").symlink_to(_ROOT / ".github")
    given = {"MERGED": "0", "IMPORTED": "0", "GITHUB_STEP_SUMMARY": str(tmp_path / "page")}
    ended, (merge, store), _ = run_script(step["run"], tmp_path, "nox", _VERBS, **step["env"], **given)
    assert ended == 0
    assert merge.startswith("-s nightly -- --merge shards --out reports/out/nights/")
    assert store == "-s store -- import shards --store reports/out/nights/store.duckdb"


def test_it_goes_on_from_the_last_night_of_its_own_workflow(tmp_path: Path) -> None:
    """Whatever the workflow is called; nothing is downloaded but what was found to be believed."""
    text = script("nightly", "Find the last night of this workflow")
    given = {
        "GITHUB_ACTION_PATH": str(ACTIONS / "nightly"),
        "GITHUB_REPOSITORY": "o/r",
        "GITHUB_WORKFLOW_REF": "o/r/.github/workflows/every@night.yml@refs/heads/main",
        "ARTIFACT": "nights",
    }
    status, calls, said = run_script(text, tmp_path, "gh", '[ "$2" != repos/o/r ] || echo main', **given)
    assert status == 0
    assert calls[1].startswith("api repos/o/r/actions/workflows/every@night.yml/runs?branch=main&status=completed")
    assert "this is the first" in said
    (download,) = (one for one in action("nightly")["runs"]["steps"] if "download-artifact" in one.get("uses", ""))
    assert download["if"] == "steps.last.outputs.run != ''"
    assert download["with"]["run-id"] == "${{ steps.last.outputs.run }}"


def test_the_workflow_in_the_docs() -> None:
    """One job that may only read, with what the action asks for; each input is used."""
    texts = re.findall(r"```yaml\n(.*?)```", _PAGE.read_text("utf-8"), re.DOTALL)
    blocks = [block for text in texts for block in yaml.safe_load_all(text)]
    (workflow,) = (block for block in blocks if "jobs" in block)
    assert workflow["permissions"] == {}
    (job,) = workflow["jobs"].values()
    assert job["permissions"] == {"actions": "read", "contents": "read"}
    assert "pull_request" not in workflow[True]
    assert job["steps"][-1]["uses"] == "OWNER/NAME/.github/actions/nightly@COMMIT"
    given, inputs = job["steps"][-1]["with"], action("nightly")["inputs"]
    assert set(given) <= set(inputs)
    assert {name for name, one in inputs.items() if one.get("required")} <= set(given)
    named = set(re.findall(r"inputs\.([\w-]+)", (ACTIONS / "nightly/action.yml").read_text("utf-8")))
    assert named == set(inputs)
