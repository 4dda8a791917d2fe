"""The actions that compare on a pull request: what they type, and that what may write runs nothing of others."""

import re
from pathlib import Path

import pytest
import yaml

from chaos_harness.harness.incident.ab.markdown import MARKER
from tests.fakes.actions import ACTIONS, action, run_script, script

_ROOT = Path(__file__).parents[2]
_PAGE = _ROOT / "docs" / "how-to" / "compare-two-versions.md"


@pytest.mark.parametrize(
    ("ended", "undecided", "status"), [(0, "fail", 0), (1, "pass", 1), (3, "fail", 3), (3, "pass", 0), (4, "pass", 4)]
)
def test_compares(tmp_path: Path, ended: int, undecided: str, status: int) -> None:
    """Its status is the verb's, but for an undecided comparison where that may pass; the summary has the result."""
    summary = tmp_path / "summary"
    given = {
        "A": "v3.20.1,install=chart",
        "B": "v3.23.1",
        "FILES": "a.yaml b.yaml",
        "TIMES": "4",
        "ARGUMENTS": "--pool",
    }
    body = f"echo the result > chaos-results/ab.md; exit {ended}"

    run = run_script(
        script("ab", "Compare on real clusters"),
        tmp_path,
        "python3",
        body,
        UNDECIDED=undecided,
        GITHUB_STEP_SUMMARY=str(summary),
        **given,
    )

    typed = "ab v3.20.1,install=chart v3.23.1 a.yaml b.yaml --times 4 --markdown chaos-results/ab.md --pool"
    assert run[:2] == (status, [f"-m chaos_harness {typed}"])
    assert ("::warning::" in run[2]) == (ended == 3 and undecided == "pass")
    assert summary.read_text("utf-8") == "the result\n"


@pytest.mark.parametrize(
    ("earlier", "last"),
    [
        ("", "api --method POST repos/o/n/issues/7/comments --field body=@{folder}/chaos-ab/ab.md --silent"),
        ("42", "api --method PATCH repos/o/n/issues/comments/42 --field body=@{folder}/chaos-ab/ab.md --silent"),
    ],
)
def test_comments(tmp_path: Path, earlier: str, last: str) -> None:
    """The comment of an earlier run is replaced: it begins with the marker that the result begins with."""
    post = script("ab-comment", "Post it")
    body = f'[ "$2" != --paginate ] || echo "{earlier}"'

    status, calls, _ = run_script(post, tmp_path, "gh", body, GITHUB_REPOSITORY="o/n", PULL_REQUEST="7")

    assert status == 0
    assert calls[0].startswith("api --paginate repos/o/n/issues/7/comments --jq ")
    assert f'startswith("{MARKER}")' in calls[0]
    assert calls[1:] == [last.format(folder=tmp_path)]


def test_no_pull_request(tmp_path: Path) -> None:
    """On a push there is nothing to comment on, and that is no failure."""
    status, calls, _ = run_script(
        script("ab-comment", "Post it"), tmp_path, "gh", "", GITHUB_REPOSITORY="o/n", PULL_REQUEST=""
    )

    assert (status, calls) == (0, [])


def test_the_workflow_in_the_docs() -> None:
    """The job that runs the pull request's code may only read, the one that may write checks nothing out."""
    (text,) = re.findall(r"```yaml\n(.*?)```", _PAGE.read_text("utf-8"), re.DOTALL)
    workflow = yaml.safe_load(text)

    compare, comment = workflow["jobs"]["compare"], workflow["jobs"]["comment"]
    assert workflow["permissions"] == {}
    assert compare["permissions"] == {"contents": "read"}
    assert comment["permissions"] == {"pull-requests": "write"}
    assert [step["uses"] for step in comment["steps"]] == ["OWNER/NAME/.github/actions/ab-comment@COMMIT"]
    given = compare["steps"][-1]["with"]
    inputs = action("ab")["inputs"]
    assert set(given) <= set(inputs)
    assert {name for name, one in inputs.items() if one.get("required")} <= set(given)
    named = set(re.findall(r"inputs\.([\w-]+)", (ACTIONS / "ab/action.yml").read_text("utf-8")))
    assert named == set(inputs)
