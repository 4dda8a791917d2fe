"""The fault under which suites are asked is chosen by its name, with parameters."""

import pytest

from chaos_harness.harness.errors import BadScenario
from chaos_harness.harness.suites.during import ChosenFault


def test_a_fault_is_chosen() -> None:
    """Defaults are the fault's own; a parameter is read as in a file."""
    assert ChosenFault.parse("scale_to_zero", 30) == ChosenFault("scale_to_zero", 30)
    chosen = ChosenFault.parse("kill_node:node=$worker", 20)
    assert (chosen.values, chosen.words) == ({"node": "$worker"}, "kill_node:node=$worker")


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("kill_nod", "no such fault 'kill_nod'; did you mean kill_node?"),
        ("kill_node", "kill_node needs the parameter node"),
        ("kill_node:nodes=$worker", "kill_node takes no such parameter; did you mean node?"),
    ],
)
def test_a_wrong_fault(text: str, problem: str) -> None:
    """What is wrong with it is told before a cluster is made."""
    with pytest.raises(BadScenario) as caught:
        ChosenFault.parse(text, 30)
    assert problem in str(caught.value)
