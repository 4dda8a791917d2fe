"""Adopt and release: nothing is adopted that was not named twice, and what is given back is healed."""

from collections.abc import Callable
from pathlib import Path

import pytest

from chaos_harness.clusters import engine as engines
from chaos_harness.clusters.adoption import record
from chaos_harness.clusters.garbage import JOURNAL
from chaos_harness.clusters.machine import consent
from chaos_harness.clusters.pool.deviations import Trait
from chaos_harness.harness import __main__ as command
from chaos_harness.harness import adopt
from chaos_harness.harness.undo.journal import Journal, Undo
from tests.fakes.engine import FakeEngine
from tests.fakes.users import adopted, kind_cluster

_ADOPT = ["adopt", "kind", "dev", "--for", "2h"]


@pytest.fixture
def engine(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> FakeEngine:
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path))
    monkeypatch.setenv("CI", "true")
    engine = FakeEngine()
    kind_cluster(engine)
    monkeypatch.setattr(engines, "find", lambda *_: engine)
    monkeypatch.setattr(consent, "ask_for_text", lambda _: None)
    return engine


@pytest.fixture
def examined(monkeypatch: pytest.MonkeyPatch, engine: FakeEngine) -> Callable[[dict[Trait, str]], None]:
    """Let the cluster be what its record says; give who says what its traits are from now on."""
    now = dict(adopted().fingerprint)
    monkeypatch.setattr(adopt, "reach", lambda *_: None)
    monkeypatch.setattr(adopt, "examine", lambda *_: adopted().shape)
    monkeypatch.setattr(adopt, "wait_settled", lambda *_: None)
    monkeypatch.setattr(adopt, "fingerprint", lambda *_: dict(now))
    monkeypatch.setattr(adopt, "_delete_number", lambda *_: None)
    return now.update


def _said(capsys: pytest.CaptureFixture[str]) -> str:
    told = capsys.readouterr()
    return " ".join((told.out + told.err).split())


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["adopt", "k3d", "dev", "--for", "2h"], "only kind clusters of this machine are adopted; `nox -s record"),
        ([*_ADOPT, "--yes-adopt", "dve"], "--yes-adopt 'dve': expected the same name again, 'dev'"),
        (["adopt", "kind", "dve", "--for", "2h"], "did you mean dev? there is dev"),
        (_ADOPT, "nobody can be asked here; this line names it twice: nox -s adopt -- kind dev --for 120m --yes-adopt"),
        (["release", "dev"], "kind cluster 'dev' is not adopted; adopted is none"),
    ],
)
def test_what_is_refused(
    engine: FakeEngine, capsys: pytest.CaptureFixture[str], arguments: list[str], words: str
) -> None:
    """With the next command, status 2, and no record; that CI agrees to installing things agrees to nothing here."""
    assert command.main(arguments) == 2
    assert words in _said(capsys)
    assert list(record.records()) == []


@pytest.mark.parametrize("given", ["30s", "25h", "soon"])
def test_for_how_long(engine: FakeEngine, capsys: pytest.CaptureFixture[str], given: str) -> None:
    """An adoption has an end, within a day."""
    with pytest.raises(SystemExit):
        command.main(["adopt", "kind", "dev", "--for", given])
    assert "--for: expected" in _said(capsys)


def test_a_paused_cluster_is_refused(engine: FakeEngine, capsys: pytest.CaptureFixture[str]) -> None:
    """It is told before anybody is asked."""
    kind_cluster(engine, status="paused")
    assert command.main([*_ADOPT, "--yes-adopt", "dev"]) == 2
    assert "dev-worker of kind cluster dev is paused, expected running" in _said(capsys)


@pytest.mark.parametrize("typed", [True, False])
def test_a_cluster_is_adopted(
    engine: FakeEngine,
    examined: object,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
    typed: bool,
) -> None:
    """Its name is given twice, its nodes are shown with ids and images; a second adoption is refused."""
    asked: list[str] = []

    def type_name(notice: str) -> str:
        asked.append(notice)
        return "dev"

    monkeypatch.setattr(consent, "ask_for_text", type_name)
    assert command.main([*_ADOPT, *([] if typed else ["--yes-adopt", "dev"])]) == 0
    shown = " ".join(asked) if typed else _said(capsys)
    assert "control-plane dev-control-plane id-dev-contr kindest/node:v1.36.4" in " ".join(shown.split())
    adoption = record.read("dev")
    assert (adoption.nodes, adoption.until - adoption.since) == (adopted().nodes, 7200)
    assert command.main([*_ADOPT, "--yes-adopt", "dev"]) == 2
    assert "`nox -s release -- dev` first" in _said(capsys)


def test_another_name_adopts_nothing(
    engine: FakeEngine, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Neither does "y"."""
    monkeypatch.setattr(consent, "ask_for_text", lambda _: "y")
    assert command.main(_ADOPT) == 2
    assert "that is not its name, and nothing was adopted" in _said(capsys)
    assert list(record.records()) == []


def test_what_fails_leaves_no_record(
    engine: FakeEngine, examined: object, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """A cluster that cannot be examined is not adopted, and nothing of it is kept."""
    monkeypatch.setattr(adopt, "fingerprint", lambda *_: 1 / 0)
    assert command.main([*_ADOPT, "--yes-adopt", "dev"]) == 4
    assert list((tmp_path / "chaos-harness" / "adopted").iterdir()) == []


def test_a_cluster_is_released(
    engine: FakeEngine, examined: Callable[[dict[Trait, str]], None], capsys: pytest.CaptureFixture[str]
) -> None:
    """What was left broken is healed first; as it was, it is forgotten with status 0, and stays."""
    record.write(adopted(left=-1))
    journal = Journal(record.folder_of("dev") / JOURNAL)
    journal.record(Undo("nodes.resume", {"node": "dev-worker"}))
    journal.close()
    assert command.main(["release", "dev"]) == 0
    assert "undone: on kind cluster dev: nodes.resume" in (said := _said(capsys))
    assert "released dev: it is as it was" in said
    assert "unpause dev-worker" in engine.asked
    assert list(record.records()) == []
    assert engine.names() == ["dev-control-plane", "dev-worker"]


def test_what_is_not_as_it_was(
    engine: FakeEngine, examined: Callable[[dict[Trait, str]], None], capsys: pytest.CaptureFixture[str]
) -> None:
    """Pods that were replaced, which a fault does, are told apart from differences, which have status 1."""
    for trait, words, status in (
        (Trait("pods", "ReplicaSet g", "s"), "pods that were replaced or restarted meanwhile: new: pods of s/Re", 0),
        (Trait("nodes", "dev-worker2"), "not as it was: new: nodes dev-worker2 (x)", 1),
    ):
        record.write(adopted())
        examined({trait: "x"})
        assert command.main(["release", "dev"]) == status
        assert words in _said(capsys)


def test_a_deleted_cluster_is_forgotten(engine: FakeEngine, capsys: pytest.CaptureFixture[str]) -> None:
    """Nothing can be compared any more, and that is said."""
    record.write(adopted())
    engine.things.clear()
    assert command.main(["release", "dev"]) == 1
    assert "its containers changed: dev-control-plane, dev-worker deleted" in _said(capsys)
    assert list(record.records()) == []


def test_gc_names_what_is_adopted(engine: FakeEngine, capsys: pytest.CaptureFixture[str]) -> None:
    """It heals, and removes neither the cluster nor its record, even with --all."""
    record.write(adopted())
    assert command.main(["gc", "--all"]) == 0
    assert "left kind cluster dev, adopted by ada from" in _said(capsys)
    assert engine.names() == ["dev-control-plane", "dev-worker"]
    assert record.read("dev")
