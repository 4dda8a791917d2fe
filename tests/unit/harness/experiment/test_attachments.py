"""Evidence: what a reader gets who does not want to read the history."""

import json
from pathlib import Path

from chaos_harness.harness.experiment.attachments import write
from tests.fakes.canary_histories import CanaryHistory
from tests.fakes.histories import HistoryBuilder


def test_files(tmp_path: Path) -> None:
    """Events, the last state of each pod, and the registry's log are written, with what was done in between."""
    history = HistoryBuilder().fault(9, 10, 80).pod(1, "a").pod(20, "a", ready=False).harm(15, "killed", "a")
    history.event(16, "Pulling", "a", "Pulling image").request(85, "/v2/x/manifests/v1")
    attachments = {attachment.name: attachment for attachment in write(history.recorded(), tmp_path)}
    events = Path(attachments["events"].path).read_text(encoding="utf-8").splitlines()
    assert [line.split()[0] for line in events] == ["9.000", "10.000", "15.000", "16.000", "80.000", "80.000"]
    assert "killed: a on worker" in events[2]
    assert "Pulling image" in events[3]
    pods = json.loads(Path(attachments["pods"].path).read_text(encoding="utf-8"))
    assert [(pod["metadata"]["name"], pod["seconds"]) for pod in pods] == [("a", 20)]
    log = Path(attachments["registry log"].path).read_text(encoding="utf-8").splitlines()
    assert "heal" in log[-2]
    assert log[-1].split()[-1] == "200"


def test_failed_calls(tmp_path: Path) -> None:
    """What the API server said of webhooks that it did without is written at the moment at which it said it."""
    history = CanaryHistory().fault(9, 10, 80).call(15, "connection refused").call(90, "EOF")
    [attachment] = [
        attachment for attachment in write(history.recorded(), tmp_path) if attachment.name == "failed webhook calls"
    ]
    lines = Path(attachment.path).read_text(encoding="utf-8").splitlines()
    assert [line.split()[0] for line in lines] == ["9.000", "10.000", "15.000", "80.000", "80.000", "90.000"]
    assert lines[2].endswith("connection refused")


def test_nothing_to_write(tmp_path: Path) -> None:
    """A history without events, pods and requests leaves no empty file."""
    assert write(HistoryBuilder().recorded(), tmp_path) == []
    assert list(tmp_path.iterdir()) == []


def test_harm_to_a_node(tmp_path: Path) -> None:
    """What was done to a node is told without a pod."""
    history = (
        HistoryBuilder().pod(1, "a").event(1, "Started", "a").add(5, "info", "harm", "killed node", {"node": "worker"})
    )
    write(history.recorded(), tmp_path)
    assert "--- killed node: worker\n" in (tmp_path / "events.txt").read_text(encoding="utf-8")


def test_how_late_a_watch_was(tmp_path: Path) -> None:
    """The attachment has the proved lag, the times at which it was too long or unknown, and the clocks' readings."""
    value = {"offset": 2.0, "uncertainty": 0.05, "measured": 2.0, "round_trip": 0.1, "same": False}
    history = HistoryBuilder().add(0.5, "ok", "clock w", "read", value)
    history.add(0.6, "change", "watch number", "LISTED", {"resource_version": "1"})
    for number in (*range(1, 10), *range(20, 30)):
        history.add(number, "invoke", "number", "write", {"number": number})
        history.add(number + 0.1, "ok", "number", "write", {"number": number})
        at = number + (3.5 if number == 25 else 0.2)
        if number not in (26, 27, 28):
            history.add(at, "change", "watch number", "MODIFIED", {"object": {"number": number}})
    write(history.recorded(), tmp_path)
    assert (tmp_path / "lag.txt").read_text(encoding="utf-8").splitlines() == [
        "The watch on the numbered object saw 19 numbers, each within 3.400 s.",
        "Later than 1 s: 25.1 to 29.2 s.",
        "Its lag is not known: 9.0 to 20.0 s, 24.0 to 29.2 s.",
        "Each watch has its own connection: this is the lag of this one, and an estimate for the others.",
        "    0.500 s  clock w: +2.000 s ahead (give or take 0.050 s; read in 0.100 s)",
    ]


def test_a_node_with_another_clock(tmp_path: Path) -> None:
    """What it said is written at the moment at which it came, by this machine's clock."""
    value = {"offset": -5.0, "uncertainty": 0.05, "measured": -5.0, "round_trip": 0.1, "same": False}
    history = CanaryHistory().add(0.5, "ok", "clock w", "read", value).call(10, "EOF")
    write(history.recorded(), tmp_path)
    assert (tmp_path / "webhooks.txt").read_text(encoding="utf-8").startswith("   15.000 s  ")
