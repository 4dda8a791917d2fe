"""Recheck: the same history gives the same verdicts, and changes are reported."""

import json
from pathlib import Path

import pytest

from chaos_harness.clusters import known_versions
from chaos_harness.harness.catalogue import entries
from chaos_harness.harness.checks import Check
from chaos_harness.harness.errors import BadScenario
from chaos_harness.harness.incident.bundle.recheck import recheck, report
from chaos_harness.harness.incident.bundle.write import MANIFEST
from chaos_harness.harness.verdict import Verdict
from tests.fakes.incidents import bundled


@pytest.mark.parametrize("answered", [True, False])
def test_same(tmp_path: Path, answered: bool) -> None:
    """With the checks that judged it first, a bundle gives the same verdicts, as a zip too."""
    folder = bundled(tmp_path, answered=answered)

    for path in (folder, folder.with_suffix(".zip")):
        _, _, (compared,) = recheck(path)
        assert not compared.changed
        assert compared.now
        assert compared.now.outcome == ("violated" if answered else "holds")


def test_lines(tmp_path: Path) -> None:
    """The report names versions, verdicts, expected verdicts, and the number of changes."""
    folder = bundled(tmp_path)
    text = "\n".join(report(folder, *recheck(folder)))

    assert f", seed 7, on Gatekeeper v3.23.1 by its manifest, Kubernetes {known_versions.DEFAULT_KUBERNETES}" in text
    assert " ✓ runs/1: the registry answers nothing during cut registry: violated (expected violated)" in text
    assert "1 claims judged again, none changed" in text


def test_a_version_that_was_replaced(tmp_path: Path) -> None:
    """A bundle of a version that nobody can make any more is judged as before: no cluster is needed."""
    folder = bundled(tmp_path)
    manifest = folder / MANIFEST
    text = manifest.read_text(encoding="utf-8")
    manifest.write_text(text.replace(known_versions.DEFAULT_KUBERNETES, "v1.30.1"), encoding="utf-8")

    rechecked = recheck(folder)
    assert "Kubernetes v1.30.1" in "\n".join(report(folder, *rechecked))
    assert not rechecked[2][0].changed


def test_changed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A check that judges otherwise today is a change, with both verdicts."""
    folder = bundled(tmp_path)

    def check(_: object) -> Verdict:
        return Verdict("holds", "today all is well")

    check.__name__ = "the registry answers nothing during cut registry"
    entry = entries("check")["no_request_during"]
    monkeypatch.setattr(
        "chaos_harness.harness.incident.judge.check_of", lambda *_: Check(check, id_="no_request_during()")
    )

    rechecked = recheck(folder)
    assert entry
    assert rechecked[2][0].changed
    assert "≠ runs/1: the registry answers nothing during cut registry: holds, was violated" in "\n".join(
        report(folder, *rechecked)
    )


def test_a_claim_that_older_bundles_lack(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A claim that faults imply today, and did not when the bundle was written, is new: no verdict has changed."""
    folder = bundled(tmp_path)
    verdict = Verdict("holds", "proved")
    healed = Check(lambda _: verdict, id_="heals(5, cut registry)")
    monkeypatch.setattr("chaos_harness.harness.incident.judge.implied", lambda *_: [(healed, verdict)])

    rechecked = recheck(folder)
    text = "\n".join(report(folder, *rechecked))
    assert [claim.changed for claim in rechecked[2]] == [False, False]
    assert "holds, was not claimed (expected holds)" in text
    assert "2 claims judged again, none changed" in text


def test_a_check_that_is_gone(tmp_path: Path) -> None:
    """An incident that names what this version does not have is refused, with the line in the bundle's file."""
    folder = bundled(tmp_path)
    file = folder / "incident/a.yaml"
    text = file.read_text(encoding="utf-8").replace("no_request_during", "no_request_durink")
    file.write_text(text, encoding="utf-8")
    manifest = json.loads((folder / MANIFEST).read_text(encoding="utf-8"))
    import hashlib  # noqa: PLC0415

    manifest["files"]["incident/a.yaml"] = {
        "bytes": len(text.encode()),
        "sha256": hashlib.sha256(text.encode()).hexdigest(),
    }
    (folder / MANIFEST).write_text(json.dumps(manifest), encoding="utf-8")

    with pytest.raises(BadScenario) as error:
        recheck(folder)
    assert "its incident cannot be read by this version" in error.value.problems[0]
    assert error.value.problems[1].startswith("incident/a.yaml:")
    assert "did you mean no_request_during?" in error.value.problems[1]


def test_nothing_to_judge(tmp_path: Path) -> None:
    """A bundle of runs that all broke has nothing to judge, and says why they did."""
    folder = bundled(tmp_path)
    manifest = json.loads((folder / MANIFEST).read_text(encoding="utf-8"))
    manifest["runs"][0] |= {"verdicts": [], "seen": "broken", "error": "ClusterUnavailable: no way"}
    (folder / MANIFEST).write_text(json.dumps(manifest), encoding="utf-8")

    with pytest.raises(
        BadScenario, match="no run in it has a history that could be judged: ClusterUnavailable: no way"
    ):
        recheck(folder)


def test_what_is_not_named_is_not_judged(tmp_path: Path) -> None:
    """A history that the manifest does not name, above all a link out of the bundle, has no verdict."""
    folder = bundled(tmp_path)
    manifest = json.loads((folder / MANIFEST).read_text(encoding="utf-8"))
    del manifest["files"]["runs/1/history.jsonl"]
    (folder / MANIFEST).write_text(json.dumps(manifest), encoding="utf-8")
    (folder / "runs/1/history.jsonl").unlink()
    (folder / "runs/1/history.jsonl").symlink_to("/etc/passwd")

    with pytest.raises(BadScenario, match="no run in it has a history that could be judged"):
        recheck(folder)


def test_what_strangers_wrote_is_shown(tmp_path: Path) -> None:
    """Nothing that a manifest says reaches a terminal as it is, nor at any length."""
    folder = bundled(tmp_path)
    manifest = json.loads((folder / MANIFEST).read_text(encoding="utf-8"))
    evil = "\x1b]52;c;cm0gLXJm\x07\x1b[2J\u202e\n"
    manifest |= {"created": evil * 1000, "harness": evil * 1000}
    manifest["runs"][0]["verdicts"][0] |= {"name": evil * 1000, "id": evil, "summary": evil * 1000}
    (folder / MANIFEST).write_text(json.dumps(manifest), encoding="utf-8")

    lines = list(report(folder, *recheck(folder)))
    assert all(line.isprintable() for line in lines)
    assert max(map(len, lines)) < 6000
    assert any(r"\x1b]52;c;cm0gLXJm\x07" in line for line in lines)
