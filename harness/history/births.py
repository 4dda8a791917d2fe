"""Births: which webhook endpoints there were when a pod was created, and whether that excuses a missing mutation."""

from collections.abc import Sequence
from typing import Literal

from chaos_harness.harness.causes import Cause
from chaos_harness.harness.history.coverage import Coverage
from chaos_harness.harness.history.node_loss import NodeLoss
from chaos_harness.harness.history.node_scene import Scene
from chaos_harness.harness.history.vocabulary import WATCH_PODS, WATCH_SLICES

__all__ = ["Excuses", "asked", "cause_of", "is_excused"]

Excuse = Literal["nobody in rotation", "endpoint on the lost node"]
Excuses = tuple[Excuse, ...]

_LAG_SECONDS = 2.0
"""By how many seconds a call, or kube-proxy, may lag behind the EndpointSlices."""


def is_excused(scene: Scene, loss: NodeLoss, birth: float, seen: float, excused: Excuses) -> bool | None:
    """Whether something excuses that a pod lacks the mutation; None if that cannot be known."""
    if not excused:
        return False
    begin = birth - _LAG_SECONDS
    coverage, streams = (
        scene.coverage,
        [WATCH_SLICES, *([WATCH_PODS] if "endpoint on the lost node" in excused else [])],
    )
    unseen = coverage.unseen(streams, begin, seen)
    if coverage.unknown(streams, begin, seen) or not scene.rotation.between(begin, seen):
        return None
    wide = _near(coverage, streams, begin, seen) if unseen else (begin, seen)
    if not set(excused) & _excuses(scene, loss, *wide):
        return False
    certain = birth == seen and not unseen and bool(set(excused) & _excuses(scene, loss, begin, seen))
    return True if certain else None


def _near(coverage: Coverage, streams: Sequence[str], begin: float, end: float) -> tuple[float, float]:
    """Return the two moments, moved outwards over the time around them in which these streams are uncertain."""
    around = [span for span in coverage.unseen(streams, 0.0, coverage.end) if span[0] <= end and span[1] >= begin]
    return min([begin, *(first for first, _ in around)]), max([end, *(last for _, last in around)])


def _excuses(scene: Scene, loss: NodeLoss, begin: float, end: float) -> set[Excuse]:
    """Return what may excuse that a pod was created without the mutation."""
    states = scene.rotation.between(begin, end)
    dead = any(scene.rotation.nodes.get(uid) == loss.node for uids in states for uid in uids)
    nobody: set[Excuse] = set() if all(states) else {"nobody in rotation"}
    return nobody | ({"endpoint on the lost node"} if dead else set())


def cause_of(scene: Scene, loss: NodeLoss, at: float) -> Cause | None:
    """Return why no webhook endpoint could mutate at a moment; None if one could, or if that is not known."""
    rotation = scene.rotation.at(at)
    if rotation is None:
        return None
    if not rotation:
        return "nobody in rotation"
    dead = {uid for uid in rotation if scene.rotation.nodes.get(uid) == loss.node}
    return "endpoint on the lost node" if dead else None


def asked(scene: Scene, loss: NodeLoss, at: float) -> str:
    """Return, in words, the webhook endpoints at a moment, and how many webhook pods were lost with the node."""
    rotation = scene.rotation.at(at)
    webhooks = scene.rotation.webhooks(at)
    dead = [uid for uid in webhooks if scene.rotation.nodes[uid] == loss.node]
    where = f"{len(dead)} of {len(webhooks)} webhook pods were on the lost node"
    if rotation is None:
        return f"which webhook pods were in rotation when they were admitted is not known, {where}"
    if not rotation:
        return f"no webhook pod was in rotation when they were admitted, {where}"
    if stale := len(rotation.intersection(dead)):
        return f"{stale} of {len(rotation)} endpoints of the webhook led to the lost node when they were admitted"
    return f"{len(rotation)} webhook pods were in rotation when they were admitted, {where}"
