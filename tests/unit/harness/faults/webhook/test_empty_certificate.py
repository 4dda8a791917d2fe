"""Certificate: an emptied Secret is proved by its fingerprint, and filled again if Gatekeeper does not do it."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from chaos_harness.clusters.machine.process import CommandResult
from chaos_harness.harness.errors import CommandFailed, FaultNotApplied
from chaos_harness.harness.faults.webhook import empty_certificate
from chaos_harness.harness.faults.webhook.empty_certificate import blank_certificate, refill
from tests.fakes.bench import Bench
from tests.fakes.grammar import Call
from tests.fakes.kubectl import Kubectl
from tests.fakes.world import World, WorldEngine

_FULL = {"ca.crt": "Y2E=", "tls.crt": "Y3J0", "tls.key": "cGxhbnRlZA=="}


class Secrets:
    """The one Secret; `filled` is what Gatekeeper fills it with at once."""

    def __init__(self) -> None:
        self.data: dict[str, str] | None = dict(_FULL)
        self.filled: dict[str, str] | None = None
        self.restarted = 0
        self.said = "failed calling webhook: x509"

    def request(self, _api: object, _method: str, path: str) -> Any:
        assert path.endswith("/secrets/gatekeeper-webhook-server-cert")
        return {"metadata": {"resourceVersion": "8"}, "data": self.data}

    def merge(self, api: object, path: str, body: Any) -> Any:
        assert body == {"data": None}
        self.data = self.filled
        return self.request(api, "GET", path)

    def kubectl(self, call: Call) -> CommandResult:
        if call.verb == "get":
            return CommandResult(json.dumps({"data": self.data}), "", 0)
        self.restarted += 1
        self.data = dict(_FULL)
        return CommandResult("", "", 0)


@pytest.fixture
def secrets(monkeypatch: pytest.MonkeyPatch) -> Secrets:
    secrets = Secrets()
    monkeypatch.setattr(empty_certificate, "request", secrets.request)
    monkeypatch.setattr(empty_certificate, "merge_patch", secrets.merge)
    named = {"metadata": {"name": "gatekeeper-controller-manager"}, "spec": {}}
    monkeypatch.setattr(empty_certificate, "webhook_deployment", lambda *_: named)
    monkeypatch.setattr(Kubectl, "run", lambda _, call, __: secrets.kubectl(call))
    monkeypatch.setattr("chaos_harness.harness.faults.webhook.call.ask", lambda _: secrets.said)
    return secrets


@pytest.fixture
def on(tmp_path: Path) -> Callable[[Callable[[Bench], None]], None]:
    """Return who does something on a bench."""

    def on(work: Callable[[Bench], None]) -> None:
        with World().cluster(tmp_path) as cluster:
            bench = Bench(cluster, tmp_path)
            work(bench)
            bench.close()

    return on


@pytest.mark.parametrize("filled", [None, {**_FULL, "ca.crt": "b3RoZXI="}])
def test_an_emptied_secret_is_proved_and_filled_again(
    secrets: Secrets, on: Callable[..., None], tmp_path: Path, filled: dict[str, str] | None
) -> None:
    """It is proved whether or not Gatekeeper has filled it meanwhile, and in the end there is a certificate."""
    secrets.filled = filled

    def work(bench: Bench) -> None:
        fault = blank_certificate()
        bench.inject(fault)
        assert [undo.action for undo in bench.pending()] == ["certificate.refill"]
        proof = bench.observed(fault)
        assert "was emptied in version 8" in proof
        assert proof.endswith("the API server said: failed calling webhook: x509")
        secrets.said = "denied"
        assert bench.observed(fault) == proof
        bench.heal(fault)
        assert bench.pending() == []
        assert "holds a certificate again" in bench.healed(fault)

    on(work)
    assert secrets.restarted == (filled is None)
    assert "cGxhbnRlZA" not in (tmp_path / "journal.jsonl").read_text(encoding="utf-8")


def test_webhooks_that_are_trusted_on(secrets: Secrets, on: Callable[..., None]) -> None:
    """An emptied Secret is no proved fault until a webhook call fails because of it."""
    secrets.said = "denied"

    def work(bench: Bench) -> None:
        fault = blank_certificate()
        bench.inject(fault)
        with pytest.raises(FaultNotApplied, match="expected the API server to say 'failed calling webhook'"):
            bench.observed(fault, 0.3)

    on(work)


def test_a_secret_that_stays_empty_is_not_healed(secrets: Secrets, on: Callable[..., None]) -> None:
    """A Secret that stays empty is not healed."""

    def work(bench: Bench) -> None:
        fault = blank_certificate()
        bench.inject(fault)
        with pytest.raises(FaultNotApplied, match="expected Gatekeeper to fill Secret"):
            bench.healed(fault, 0.3)

    on(work)


@pytest.mark.parametrize(
    ("said", "raises"),
    [(None, False), ("Error from server (NotFound): deployments", False), ("connection refused", True)],
)
def test_after_a_crash(monkeypatch: pytest.MonkeyPatch, said: str | None, raises: bool) -> None:
    """The undo succeeds where there is nothing to undo it on, and says what kept it from being done."""
    world = World()
    if said is None:
        del world.containers["w-control-plane"]
    monkeypatch.setattr(world.kubectl, "run", lambda *_: CommandResult("", said or "", 1))
    if raises:
        with pytest.raises(CommandFailed, match="connection refused"):
            refill(WorldEngine(world=world), control_plane="w-control-plane")
    else:
        refill(WorldEngine(world=world), control_plane="w-control-plane")
