"""Webhook link: the cut proves itself by packets and by what the API server says, and it is undone."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

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


_ONE = "10.244.1.1"


@pytest.fixture
def three(world: _Linked) -> None:
    """Give the world three webhook pods, "a" to "c", each with an address."""
    for number, name in enumerate("abc", start=1):
        pod = world.pod(name, "w-worker", container=f"c{number}")
        pod["status"] |= {"podIP": f"10.244.1.{number}", "conditions": [{"type": "Ready", "status": "True"}]}


@pytest.mark.usefixtures("three")
def test_one_of_three_is_cut_off(bench: Bench, world: _Linked) -> None:
    """The rule is for the one address; that nobody connects to it proves the cut, and that it answers the healing."""
    fault = cut_webhook(count=1)
    bench.inject(fault)
    ((rule, _),) = world.containers[_PLANE].rules
    assert f"-d {_ONE} -p tcp --dport 8443" in rule
    assert "no connection to a" in bench.observed(fault)

    bench.heal(fault)
    assert world.containers[_PLANE].rules == []
    assert bench.healed(fault) == f"the rules are gone from {_PLANE}; the API server says: denied"


@pytest.mark.usefixtures("three")
def test_pods_by_their_names(bench: Bench, world: _Linked) -> None:
    """Each of the pods that are named has its rule."""
    bench.inject(cut_webhook("reject", pods=["b", "c", "b"]))
    rules = [rule for rule, _ in world.containers[_PLANE].rules]
    assert [[f"10.244.1.{number} " in rule for number in (1, 2, 3)] for rule in rules] == [
        [False, False, True],
        [False, True, False],
    ]


@pytest.mark.usefixtures("three")
def test_a_pod_that_answers_is_not_cut_off(bench: Bench, world: _Linked) -> None:
    """Packets that a rule has met prove nothing while the pod is reached all the same."""
    fault = cut_webhook(count=1)
    bench.inject(fault)
    rule, met = world.containers[_PLANE].rules[0]
    world.containers[_PLANE].rules = [(rule.replace(_ONE, "10.244.1.9"), met)]

    with pytest.raises(FaultNotApplied, match="reached a from w-control-plane"):
        bench.observed(fault)


@pytest.mark.usefixtures("three")
def test_a_replaced_pod_fades(bench: Bench, world: _Linked) -> None:
    """The pod that is there in its place is another one, and was never cut off."""
    fault = cut_webhook(count=1)
    bench.inject(fault)
    world.pods["a"]["metadata"]["uid"] = "another"

    with pytest.raises(FaultNotApplied, match="faded: a is gone"):
        bench.observed(fault)


@pytest.mark.usefixtures("three")
@pytest.mark.parametrize(
    ("values", "said"),
    [
        ({"pods": ["d"]}, "no webhook pod d; there are a, b, c"),
        ({"count": 4}, "expected 4 webhook pods or more, there are 3"),
    ],
)
def test_pods_that_are_not_there(bench: Bench, world: _Linked, values: dict[str, Any], said: str) -> None:
    """More pods than there are, or another name, is refused before any rule is made."""
    with pytest.raises(BadScenario, match=said):
        bench.inject(cut_webhook(**values))
    assert world.containers[_PLANE].rules == []


@pytest.mark.parametrize(
    ("values", "said"),
    [
        ({"count": 0}, "expected 1 to 50 pods"),
        ({"count": 51}, "expected 1 to 50 pods"),
        ({"pods": ["a"], "count": 1}, "found both"),
    ],
)
def test_pods_that_cannot_be(values: dict[str, Any], said: str) -> None:
    """Counts out of range, and two ways of choosing, are refused before a cluster is touched."""
    with pytest.raises(BadScenario, match=said):
        cut_webhook(**values)
