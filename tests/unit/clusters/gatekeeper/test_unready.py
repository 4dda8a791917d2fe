"""Unready: why a Gatekeeper does not get ready is told by its own pods."""

from pathlib import Path
from typing import Any

import pytest

from chaos_harness.clusters.gatekeeper import unready
from chaos_harness.clusters.gatekeeper.unready import reasons
from tests.fakes.engine import FakeEngine
from tests.fakes.rest_server import cluster_on, rest_server

_PODS = "/api/v1/namespaces/gatekeeper-system/pods"
_DEPLOYMENTS = "/apis/apps/v1/namespaces/gatekeeper-system/deployments"


def _pod(name: str, *statuses: dict[str, Any], **status: Any) -> dict[str, Any]:
    return {"metadata": {"name": name}, "spec": {}, "status": {"containerStatuses": list(statuses), **status}}


def _reasons(tmp_path: Path, pods: list[dict[str, Any]], **more: Any) -> list[str]:
    with rest_server() as server:
        server.answers |= {_PODS: {"items": pods}, _DEPLOYMENTS: {"items": []}, **more}
        return reasons(cluster_on(server, FakeEngine(), tmp_path))


def test_what_pods_wait_for(tmp_path: Path) -> None:
    """An image that cannot be pulled and a pod without a node are told; a pod that just starts is not."""
    waiting = {"state": {"waiting": {"reason": "ImagePullBackOff", "message": "no such image a:1"}}}
    starting = {"state": {"waiting": {"reason": "ContainerCreating"}}}
    unplaced = {"type": "PodScheduled", "status": "False", "message": "0/3 nodes: insufficient memory"}
    pods = [_pod("a", waiting), _pod("b", starting), _pod("c", conditions=[unplaced])]

    assert _reasons(tmp_path, pods) == [
        "pod a: ImagePullBackOff: no such image a:1",
        "pod c is on no node: 0/3 nodes: insufficient memory",
    ]


def test_what_a_container_said_before_it_ended(tmp_path: Path) -> None:
    """The end of its log is the reason: a flag that this version does not have."""
    ended = {"terminated": {"exitCode": 2, "reason": "Error"}}
    waiting = {"waiting": {"reason": "CrashLoopBackOff", "message": "back-off 10s"}}
    crashed = {"state": waiting, "lastState": ended, "restartCount": 3}
    log = b"usage\n\nflag provided but not defined: -log-levle\n"

    assert _reasons(tmp_path, [_pod("a", crashed)], **{f"{_PODS}/a/log": log}) == [
        "pod a: CrashLoopBackOff: back-off 10s, its last run ended with 2",
        "pod a logged: usage",
        "pod a logged: flag provided but not defined: -log-levle",
    ]


def test_a_hook_that_fails_is_never_started_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The container of a failed hook of the chart ran once: its log is the one that there is, and no earlier one."""
    ended = {"state": {"terminated": {"exitCode": 1, "reason": "Error"}}, "restartCount": 0}
    logs = {"true": [], "false": [b"the definitions are refused"]}
    monkeypatch.setattr(unready, "stream_lines", lambda _api, _path, query, *_, **__: logs[query["previous"]])

    assert _reasons(tmp_path, [_pod("a", ended, phase="Failed")]) == [
        "pod a: ended with 1: Error",
        "pod a logged: the definitions are refused",
    ]


def test_pods_with_nothing_to_tell(tmp_path: Path) -> None:
    """One that is Ready, though its container ended once, one that is being deleted, and one that is done."""
    crashed = {"state": {"running": {}}, "lastState": {"terminated": {"exitCode": 2}}, "restartCount": 1}
    ready = _pod("a", crashed, conditions=[{"type": "Ready", "status": "True"}])
    going = _pod("b", crashed)
    going["metadata"]["deletionTimestamp"] = "2026-11-29T00:00:00Z"
    done = _pod("c", {"state": {"terminated": {"exitCode": 0, "reason": "Completed"}}}, phase="Succeeded")

    assert _reasons(tmp_path, [ready, going, done]) == []


def test_what_no_pod_can_tell(tmp_path: Path) -> None:
    """A Deployment that may create none, such as by a quota; an API server that does not answer."""
    failing = {"type": "ReplicaFailure", "status": "True", "message": "exceeded quota"}
    deployment = {"metadata": {"name": "d"}, "status": {"conditions": [failing]}}

    assert _reasons(tmp_path, [], **{_DEPLOYMENTS: {"items": [deployment]}}) == ["Deployment d: exceeded quota"]
    (told,) = _reasons(tmp_path, [], **{_DEPLOYMENTS: 503})
    assert told.startswith("nothing is known of its pods: ")
