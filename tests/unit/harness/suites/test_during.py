"""The fault under which suites are asked is chosen by its name, with parameters."""

import pytest

from chaos_harness.clusters.shape import Shape
from chaos_harness.harness.errors import BadScenario
from chaos_harness.harness.suites.during import ChosenFault


def test_a_fault_is_chosen() -> None:
    """Defaults are the fault's own; a parameter is read as in a file."""
    assert ChosenFault.parse("scale_to_zero", 30, Shape()) == ChosenFault("scale_to_zero", 30)
    chosen = ChosenFault.parse("kill_node:node=$worker", 20, Shape())
    assert (chosen.values, chosen.words) == ({"node": "$worker"}, "kill_node:node=$worker")
    assert ChosenFault.parse("flap_webhook:every=5s", 20, Shape()).values == {"every": 5.0}
    assert ChosenFault.parse("throttle:selector=2026-01-01,cpu=0.5", 20, Shape()).values["selector"] == "2026-01-01"


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("kill_nod", "no such fault 'kill_nod'; did you mean kill_node?"),
        ("kill_node", "kill_node needs the parameter node"),
        ("kill_node:nodes=$worker", "kill_node takes no such parameter; did you mean node?"),
        ("kill_node:node=[a", "node: expected a value of YAML, found '[a'"),
        ("kill_node:node=@a", "node: expected a value of YAML, found '@a'"),
        ("kill_node:node=$worker,node=$worker2", "node: given twice"),
        ("kill_containers", "expected either names of pods or a selector"),
        ("throttle:selector=a=b,cpu=.nan", "cpu"),
        ("kill_node:node=$worker9", "node: $worker9: "),
        ("kill_node:node=$control-plane", "node: it is the only control plane"),
        ("kill_node:node=worker", "node: 'worker' is a node of another cluster"),
        ("flap_webhook:every=5", "every: write 5s: a time has its unit"),
    ],
)
def test_a_wrong_fault(text: str, problem: str) -> None:
    """What is wrong with it is told before a cluster is made."""
    with pytest.raises(BadScenario) as caught:
        ChosenFault.parse(text, 30, Shape(workers=2))
    assert problem in str(caught.value)
