"""Webhook link: the cut proves itself by packets and by what the API server says, and it is undone."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from chaos_harness.clusters.machine.process import CommandResult
from chaos_harness.harness.errors import BadScenario, FaultNotApplied
from chaos_harness.harness.faults.webhook.link import cut_webhook
from tests.fakes.bench import Bench
from tests.fakes.world import World

_PLANE = "w-control-plane"


class _Linked(World):
    """A world whose API server cannot call webhooks while a rule of its node catches what it sends."""

    caught = 7
    stays_cut = ""

    def docker(self, words: list[str], stdin: str | None = None) -> CommandResult:
        """Answer, and count what was caught meanwhile."""
        done = super().docker(words, stdin)
        rules = self.containers[_PLANE].rules
        self.denies = not rules and not self.stays_cut
        self.uncalled = self.stays_cut or "failed calling webhook"
        rules[:] = [(rule, count + self.caught) for rule, count in rules]
        return done


@pytest.fixture
def world() -> _Linked:
    return _Linked.inhabited()


@pytest.fixture
def bench(world: _Linked, tmp_path: Path) -> Iterator[Bench]:
    with world.cluster(tmp_path) as cluster:
        bench = Bench(cluster, tmp_path)
        yield bench
        bench.close()


@pytest.mark.parametrize(("how", "target"), [("drop", "-j DROP"), ("reject", "-j REJECT --reject-with tcp-reset")])
def test_a_cut_is_promised_proved_and_healed(bench: Bench, world: _Linked, how: str, target: str) -> None:
    """The undo stands in the journal before the rule; packets and the API server prove it; healed, no rule is left."""
    fault = cut_webhook(how)  # type: ignore[arg-type]
    bench.inject(fault)
    (undo,) = bench.pending()
    assert undo.action == "registry.drop_no_more"
    assert undo.arguments["node"] == _PLANE
    ((rule, _),) = world.containers[_PLANE].rules
    assert rule.endswith(target)
    assert "--dport 8443" in rule

    proof = bench.observed(fault)
    assert f"{_PLANE} lost" in proof
    assert "failed calling webhook" in proof

    bench.heal(fault)
    assert world.containers[_PLANE].rules == []
    assert bench.pending() == []
    assert bench.healed(fault) == f"the rules are gone from {_PLANE}; the API server says: denied"


def test_a_rule_that_counts_no_packets_proves_nothing(bench: Bench, world: _Linked) -> None:
    """That webhooks cannot be called proves nothing if the rule has caught no packet."""
    fault = cut_webhook()
    bench.inject(fault)
    world.caught = 0
    rule, _ = world.containers[_PLANE].rules[0]
    world.containers[_PLANE].rules = [(rule, 0)]

    with pytest.raises(FaultNotApplied, match=r"expected rules .* that count packets"):
        bench.observed(fault)


def test_not_healed_while_nobody_can_be_called(bench: Bench, world: _Linked) -> None:
    """That no rule is left proves nothing while the API server still cannot ask, unless there is no Pod to ask."""
    fault = cut_webhook()
    bench.inject(fault)
    bench.heal(fault)
    world.stays_cut = "failed calling webhook: permission denied, then context deadline exceeded"
    with pytest.raises(FaultNotApplied, match=r"expected the API server to say 'denied' .* deadline exceeded"):
        bench.healed(fault, 0.5)
    world.stays_cut = 'failed calling webhook: no endpoints available for service "gatekeeper-webhook-service"'
    assert "no endpoints available" in bench.healed(fault)


def test_a_rule_that_is_still_there_is_not_healed(bench: Bench, world: _Linked) -> None:
    """A rule that is still there is not healed."""
    fault = cut_webhook()
    bench.inject(fault)

    with pytest.raises(FaultNotApplied, match="expected no rule"):
        bench.healed(fault, 0.5)


def test_unknown_ways_to_cut_are_refused() -> None:
    """Another way than the two is refused before a cluster is touched."""
    with pytest.raises(BadScenario, match="expected 'drop' or 'reject'"):
        cut_webhook("delay")  # type: ignore[arg-type]
