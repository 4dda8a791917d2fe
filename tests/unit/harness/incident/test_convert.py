"""Convert: a file of schema 1 becomes one of schema 2 with the same meaning, and its comments stay."""

import json
from pathlib import Path

import pytest

from chaos_harness.harness import __main__ as command
from chaos_harness.harness.errors import BadScenario
from chaos_harness.harness.incident.bundle.recheck import recheck
from chaos_harness.harness.incident.convert import convert
from chaos_harness.harness.incident.judge import check_of
from chaos_harness.harness.incident.load import load

_BUNDLE = Path(__file__).parents[4] / "docs" / "pictures" / "gatekeeper-3839.zip"
_OLD = """\
# a comment
schema: 1  # the first
title: "Pods, unmutated: a file as they were written"
budget: 600

policies:
  - policy: mutate_pods   # by the webhook
faults:
  - fault: kill_containers
    at: 5
    with: {selector: "a=b"}
  - {fault: kill_containers, at: 10s, with: {selector: c=d}} # again
  - id: gone
    fault: kill_node
    with:
      node: $worker
    at: 0
    lasts: 90
recovery: 0
claims:
  - check: never_unmutated
    with: {during: kill node, policy: "mutate pods", at_most: 0.1}
  - check: recovers_after
    with:
      seconds: 60    # a minute
      how: killed
      fault: kill containers
  - {check: undisturbed, with: {during: [fault 2, kill node]}}
  - check: recovers
    with:
      fault:
        - kill node       # the node's
        - kill containers # both
      # and so on
      seconds: 1.5
      how: killed
  - check: undisturbed
    with:
      during:
        - kill node       # the node's
        - fault 3
"""
_NEW = """\
# a comment
schema: 2  # the first
title: "Pods, unmutated: a file as they were written"
budget: 600s

policies:
  - policy: mutate_pods   # by the webhook
faults:
  - id: kill-containers-1
    fault: kill_containers
    at: 5s
    with: {selector: "a=b"}
  - {id: kill-containers-2, fault: kill_containers, at: 10s, with: {selector: c=d}} # again
  - id: gone
    fault: kill_node
    with:
      node: $worker
    at: 0
    lasts: 90s
recovery: 0
claims:
  - check: never_unmutated
    with: {during: gone, policy: mutate_pods, at_most: 0.1}
  - check: recovers_after
    with:
      seconds: 60s    # a minute
      how: killed
      fault: [kill-containers-1, kill-containers-2]
  - {check: undisturbed, with: {during: [kill-containers-1, gone]}}
  - check: recovers
    with:
      fault:
        [gone, kill-containers-1, kill-containers-2] # both
      # and so on
      seconds: 1.5s
      how: killed
  - check: undisturbed
    with:
      during:
        - gone       # the node's
        - kill-containers-2
"""


def test_words_change_and_nothing_else(tmp_path: Path) -> None:
    """Times get their unit, faults and policies their names, steps the ids that claims need."""
    assert convert(_OLD, tmp_path / "a.yaml") == _NEW


def test_claims_stay_the_same(tmp_path: Path) -> None:
    """A converted claim has its id, unless it named a step by its number, which is by its place in the file now."""
    ids = []
    for name, text in (("old.yaml", _OLD), ("new.yaml", _NEW)):
        (tmp_path / name).write_text(text, encoding="utf-8")
        ids.append([check_of(claimed).id for claimed in load(tmp_path / name).incident.claims])
    old, new = ids

    assert old[:2] == [
        "never_unmutated(during=kill node, at_most=0.1)",
        "recovers_after(60, killed, fault=kill containers)",
    ]
    assert new[0] == old[0]
    assert (old[2], new[2]) == ("undisturbed(during=[fault 2, kill node])", "undisturbed(during=[fault 1, kill node])")


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        (_NEW, "expected a file of schema 1 to convert"),
        (
            _OLD.replace("    at: 5\n", "    when: {kind: Pod}\n"),
            "a.yaml:28:33: claims.2.with.during: which step 'fault 2' is shows only when it is run: name its",
        ),
    ],
)
def test_what_cannot_be_converted(tmp_path: Path, text: str, problem: str) -> None:
    """What only a run shows is told, and nothing is written."""
    with pytest.raises(BadScenario) as refused:
        convert(text, tmp_path / "a.yaml")
    assert problem in str(refused.value)


def test_the_verb(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """It writes each file of schema 1 anew, once; if one has problems, none."""
    for name, text in (("a.yaml", _OLD), ("b.yaml", _NEW), ("c.yaml", _OLD.replace("90", "many"))):
        (tmp_path / name).write_text(text, encoding="utf-8")

    assert command.main(["check", "--convert", str(tmp_path)]) == 2
    assert "c.yaml" in capsys.readouterr().err
    assert (tmp_path / "a.yaml").read_text(encoding="utf-8") == _OLD
    (tmp_path / "c.yaml").unlink()
    assert command.main(["check", "--convert", str(tmp_path)]) == 0
    assert capsys.readouterr().out == f"wrote {tmp_path}/a.yaml: schema 2\n"
    assert (tmp_path / "a.yaml").read_text(encoding="utf-8") == _NEW
    assert command.main(["check", "--convert", str(tmp_path)]) == 0
    assert capsys.readouterr().out == "nothing to do: all are of schema 2\n"


@pytest.mark.parametrize("end", ["\n", "\r\n"])
def test_line_ends_stay(tmp_path: Path, end: str) -> None:
    """Also in a line that is new, and whatever machine wrote them."""
    path = tmp_path / "a.yaml"
    path.write_text(_OLD, encoding="utf-8", newline=end)
    assert command.main(["check", "--convert", str(path)]) == 0
    assert path.read_bytes() == _NEW.replace("\n", end).encode()


def test_the_verb_for_scripts(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """JSON says of each file what is wrong with it, and whether it was written."""
    files = {name: tmp_path / f"{name}.yaml" for name in "abc"}
    for name, text in (("a", _OLD), ("b", _NEW), ("c", _OLD.replace("90", "many"))):
        files[name].write_text(text, encoding="utf-8")

    assert command.main(["check", "--convert", "--json", str(tmp_path)]) == 2
    told = capsys.readouterr()
    assert [(each["file"], bool(each["problems"]), each["written"]) for each in json.loads(told.out)] == [
        (str(files["a"]), False, False),
        (str(files["b"]), False, False),
        (str(files["c"]), True, False),
    ]
    assert (told.err, files["a"].read_text(encoding="utf-8")) == ("", _OLD)
    files["c"].unlink()
    assert command.main(["check", "--convert", "--json", str(tmp_path)]) == 0
    assert [each["written"] for each in json.loads(capsys.readouterr().out)] == [True, False]
    assert files["a"].read_text(encoding="utf-8") == _NEW


def test_a_bundle_of_schema_1() -> None:
    """A bundle that an older version left is read, and judged as it was then."""
    manifest, loaded, compared = recheck(_BUNDLE)

    assert loaded.incident.schema_ == 1
    assert all(judged.until is None for run in manifest.runs for judged in run.verdicts)
    assert compared
    assert not any(claim.changed for claim in compared)
