"""Hold breath: the text of a module with a fault that does no harm, to be put beside the others."""

__all__ = ["HOLD_BREATH"]

HOLD_BREATH = '''\
"""Nothing: a fault that does no harm, and is there all the same."""

from chaos_harness.clusters.deadline import Deadline
from chaos_harness.harness.errors import FaultNotApplied
from chaos_harness.harness.faults import Fault

__all__ = ["hold_breath"]


class _Held:
    def __init__(self, name):
        self.name = name
        self.stays = name == "stays"

    def inject(self, *_):
        for _ in Deadline.after(0.1 if self.name == "slow" else 0, "the harm").attempts():
            pass

    def observed(self, *_):
        if self.name == "unproved":
            raise FaultNotApplied(self.name)
        return "held"

    def healed(self, *_):
        return "breathing"


def hold_breath(name: str) -> Fault:
    """Return the fault that does nothing."""
    return _Held(name)
'''
