"""The verb: what is wrong with its options is told before anything is touched, and its table needs no cluster."""

import json
from collections.abc import Sequence
from pathlib import Path

import pytest

from chaos_harness.harness.__main__ import main
from chaos_harness.harness.crashtest import cli
from chaos_harness.harness.crashtest.ledger import FILE, Ledger, Trial, TrialKey, TrialOutcome, Variant

KEY = TrialKey(sample="kill_node", moment="lasting")


def folder(path: Path, *outcomes: TrialOutcome, variant: Variant = "harness") -> str:
    path.mkdir()
    ledger = Ledger(path / FILE)
    for number, outcome in enumerate(outcomes, 1):
        ledger.add(Trial(key=KEY.model_copy(update={"time": number, "variant": variant}), outcome=outcome))
    return str(path)


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["--fault", "kil_node"], "--fault kil_node: it has no sample; did you mean kill_node?"),
        (["--fault", "upgrade_gatekeeper"], "--fault upgrade_gatekeeper: it has no sample"),
        (["--moment", "last"], "there is no value 'last'; did you mean lasting?"),
        (["--shard", "5/4"], "expected which of how many, such as 1/4, found '5/4'"),
        (["--fault", "evict_replicas", "--moment", "undoing"], "nothing of what was chosen can be tried"),
        (["--fault", "reboot_node", "--without-undo"], "nothing of what was chosen can be tried"),
        (["--fault", "drain_node of a plane"], "or needs more control planes, as by --control-planes 3"),
        (["--control-planes", "2"], "there is no value '2'"),
        (["--keep", "always"], "crashtest takes no --keep"),
        (["--gatekeeper", "none"], "no --gatekeeper none"),
        (["--resume", "nowhere"], "cannot be read"),
        (["--times", "0"], "expected a whole number from 1 to 100"),
    ],
    ids=str,
)
def test_what_is_refused(
    words: list[str], said: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """With status 2, and nothing is written."""
    monkeypatch.chdir(tmp_path)
    try:
        status = main(["crashtest", *words])
    except SystemExit as ended:
        status = int(str(ended.code))
    assert status == 2
    assert said in " ".join(capsys.readouterr().err.split())
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("outcomes", "variant", "status"),
    [
        (["zero"], "harness", 0),
        (["zero", "differs", "broken"], "harness", 1),
        (["zero", "broken", "not proved"], "harness", 4),
        (["zero", "not reached"], "guardian", 3),
        (["differs"], "no undo", 0),
        (["zero"], "no undo", 1),
        ([], "harness", 5),
    ],
)
def test_how_it_ends(
    outcomes: list[TrialOutcome], variant: Variant, status: int, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """As every verb does; without undos a difference is what is wanted."""
    shown = folder(tmp_path / "a", *outcomes, variant=variant)
    if not outcomes:
        Path(shown, FILE).touch()
    assert main(["crashtest", "--show", shown]) == status
    assert f"of {len(outcomes)} trials" in capsys.readouterr().out


def test_shards_are_one_table(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """The trials of all folders together."""
    assert (
        main(["crashtest", "--json", "--show", folder(tmp_path / "a", "zero"), folder(tmp_path / "b", "differs")]) == 1
    )
    (row,) = json.loads(capsys.readouterr().out)["harness"]
    assert [each["outcome"] for each in row["moments"]["lasting"]] == ["zero", "differs"]


def test_a_file_is_gone_on_with_in_a_new_folder(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """What was tried on another machine is not tried again, and its file stays as it was."""
    monkeypatch.chdir(tmp_path)
    known = Path(folder(tmp_path / "known", "zero"), FILE)
    before = known.read_bytes()
    tried: list[TrialKey] = []

    def run(_: object, keys: Sequence[TrialKey], ledger: Ledger, *__: object) -> None:
        tried.extend(key for key in keys if key not in ledger.done)
        ledger.add(Trial(key=tried[0], outcome="zero"))

    monkeypatch.setattr(cli, "_run", run)
    words = ["--fault", "kill_node", "--moment", "lasting", "--moment", "undoing"]
    assert main(["crashtest", *words, "--resume", str(known)]) == 0
    assert [key.moment for key in tried] == ["undoing"]
    assert "2 of 2 trials" in capsys.readouterr().out
    [new] = tmp_path.glob("reports/out/crashtests/*")
    assert len(Ledger.read(new / FILE).trials) == 2
    assert known.read_bytes() == before


@pytest.mark.parametrize(("made", "told"), [(True, "1 of 1 trials"), (False, "")])
def test_one_that_is_interrupted_tells_what_it_has(
    made: bool, told: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Without a trial there is no table."""
    monkeypatch.chdir(tmp_path)

    def run(_: object, keys: Sequence[TrialKey], ledger: Ledger, *__: object) -> None:
        if made:
            ledger.add(Trial(key=keys[0], outcome="zero"))
        raise KeyboardInterrupt

    monkeypatch.setattr(cli, "_run", run)
    assert main(["crashtest", "--fault", "kill_node"]) == 130
    out = capsys.readouterr().out
    assert told in out if made else out == ""
