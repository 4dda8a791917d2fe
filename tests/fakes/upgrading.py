"""Upgrading by hand: a history of generated policies in which the Deployments of Gatekeeper change."""

from collections.abc import Sequence
from typing import Any, Self

from chaos_harness.harness.history.vocabulary import HARM, UPGRADED, WATCH_DEPLOYMENTS
from tests.fakes.generated import Change, Generating

__all__ = ["Upgrading"]

_ALL = (("gatekeeper-audit", 1), ("gatekeeper-controller-manager", 3))


class Upgrading(Generating):
    """A history of a Gatekeeper of two Deployments."""

    def run(self, at: float, version: str, f: Change = "MODIFIED", *, done: bool = True, gap: bool = False) -> Self:
        """Tell that both Deployments are of a version, rolled out if they are `done`."""
        for name, replicas in _ALL:
            self.deployment(at, name, replicas, version, f, done=done, gap=gap)
        return self

    def deployment(
        self,
        at: float,
        name: str,
        replicas: int,
        version: str,
        f: Change,
        *,
        done: bool = True,
        gap: bool = False,
        args: Sequence[str] = (),
    ) -> Self:
        """Tell of one Deployment."""
        self._generations[(WATCH_DEPLOYMENTS, name)] += 1
        generation = self._generations[(WATCH_DEPLOYMENTS, name)]
        containers = [{"image": f"docker.io/openpolicyagent/gatekeeper:{version}", "args": list(args)}]
        counts = dict.fromkeys(("replicas", "updatedReplicas", "availableReplicas"), replicas)
        status = {**counts, "observedGeneration": generation if done else generation - 1}
        value: dict[str, Any] = {
            "metadata": {"name": name, "uid": name, "generation": generation},
            "spec": {"replicas": replicas, "template": {"spec": {"containers": containers}}},
            "status": status,
        }
        more = {"in_gap": True} if gap else {}
        return self.add(at, "change", WATCH_DEPLOYMENTS, f, {"resource_version": "2", "object": value, **more})

    def begun(self, at: float) -> Self:
        """Tell that a pod is about to be replaced by one of another version."""
        return self.add(
            at, "info", HARM, UPGRADED, {"pod": "a", "uid": "a", "node": "n", "containers": [], "owner": "o"}
        )
