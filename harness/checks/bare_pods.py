"""Bare pods: which workload pods without the mutation count as violations, and which are excused."""

from collections.abc import Collection, Sequence
from math import inf

from chaos_harness.harness.checks.lasting import Loss, Read
from chaos_harness.harness.history.coverage import LAG
from chaos_harness.harness.history.excuses import standing
from chaos_harness.harness.history.in_force import Creation
from chaos_harness.harness.history.spans import Spans

__all__ = ["BarePods", "between"]

_MUTATION = "mutation.gatekeeper.sh"


class BarePods:
    """Pods without the mutation: `counted`, `excused`, or of unknown cause (`unread`); `whys` has their causes."""

    def __init__(self, read: Read, loss: Loss, pods: Sequence[Creation], excused: Collection[str]) -> None:
        self.counted: list[Creation] = []
        self.excused: list[Creation] = []
        self.unread: list[Creation] = []
        self.whys = {pod: read.failures.why_of_pod(pod.uid, _MUTATION, pod.after, pod.at) for pod in pods}
        trusted = not (excused and read.mistrust(_MUTATION))
        lists = {"counted": self.counted, "excused": self.excused, "unread": self.unread}
        for pod, why in self.whys.items():
            how = standing(why, _MUTATION, inf, excused, trusted=trusted) if excused else "counted"
            lists[how if how == "counted" or _alone(pod, pods, loss) else "counted"].append(pod)


def between(pod: Creation) -> Spans:
    """Return when a pod was created: the watch delivered it up to LAG seconds later."""
    return Spans.of([(min(pod.after, pod.at - LAG), pod.at)])


def _alone(pod: Creation, pods: Sequence[Creation], loss: Loss) -> bool:
    """Whether this is isolated: canaries just before and after it were mutated, and so were all other pods then."""
    near = Spans.of([(begin - 2 * loss.interval, end + 2 * loss.interval) for begin, end in between(pod)])
    others = [other for other in pods if other is not pod and near & between(other)]
    return not others and not any(Spans.of([run.possible]) & between(pod) for run in loss.heard.runs["lost"])
