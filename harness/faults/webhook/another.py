"""Another webhook: the fault that adds a webhook that nobody answers, before or after Gatekeeper's."""

import time
from typing import Annotated, Any, Literal, get_args

from kubernetes.client import ApiClient
from pydantic import Field

from chaos_harness.clusters.api.rest import request
from chaos_harness.clusters.cluster import Cluster
from chaos_harness.clusters.deadline import Deadline
from chaos_harness.harness.errors import ApiRefused, BadScenario, FaultNotApplied
from chaos_harness.harness.faults import Fault
from chaos_harness.harness.faults.injection import Injection
from chaos_harness.harness.faults.objects.remembered import is_gone
from chaos_harness.harness.undo.iptables import Rule, new_comment
from chaos_harness.harness.undo.put_object import put

__all__ = ["add_webhook"]

Place = Literal["before", "after"]
FailurePolicy = Literal["Ignore", "Fail"]

_ROOT = "/apis/admissionregistration.k8s.io/v1/mutatingwebhookconfigurations"
_NAMES = {"before": "aaa-chaos-silent", "after": "zzz-chaos-silent"}
_WEBHOOK = "silent.chaos-harness.example.com"
_NOBODY = "192.0.2.1"
"""An address of RFC 5737, which nobody has."""
_SILENT = f"https://{_NOBODY}/silent"

_SECONDS = 20.0
_LONGEST = 10


def add_webhook(
    place: Place = "before",
    *,
    failure_policy: FailurePolicy = "Ignore",
    timeout: Annotated[int, Field(ge=1, le=10)] = 5,
    namespace: Annotated[str, Field(examples=["chaos-canary"])] = "chaos-canary",
) -> Fault:
    """Return the fault that adds a mutating webhook for pods of a namespace which nobody answers.

    The API server calls mutating webhooks one after the other, by the names of their configurations: this one comes
    before or after Gatekeeper's, and its `timeout` in seconds adds up with theirs. With the `failure_policy` Fail no
    such pod is admitted. Its address is 192.0.2.1, and control planes drop what they would send there: many a network
    refuses it at once. Healing deletes webhook and rules. It is proved by a dry run in that namespace, which waits for
    so long and is refused, if it is, for this webhook. Raises BadScenario.
    """
    right = place in get_args(Place) and failure_policy in get_args(FailurePolicy) and 1 <= timeout <= _LONGEST
    if not right or not namespace:
        raise BadScenario(
            f"add_webhook({place!r}, failure_policy={failure_policy!r}, timeout={timeout}, namespace={namespace!r}): "
            f"expected before or after, Ignore or Fail, 1 to {_LONGEST} s, and a namespace"
        )
    return _AnotherWebhook(place, failure_policy, timeout, namespace)


class _AnotherWebhook:
    name = "add webhook"

    def __init__(self, place: Place, policy: FailurePolicy, timeout: int, namespace: str) -> None:
        self._configuration = _NAMES[place]
        self._policy = policy
        self._timeout = timeout
        self._namespace = namespace
        self._comment = new_comment()

    def inject(self, injection: Injection) -> None:
        with injection.cluster.client() as api:
            if not is_gone(api, f"{_ROOT}/{self._configuration}"):
                raise BadScenario(f"there is a configuration {self._configuration} already: the same fault lasts")
        configuration = {
            "apiVersion": "admissionregistration.k8s.io/v1",
            "kind": "MutatingWebhookConfiguration",
            "metadata": {"name": self._configuration},
            "webhooks": [self._webhook()],
        }
        deadline = Deadline.after(_SECONDS, "the webhook to be added")
        for node in injection.cluster.control_planes:
            rule = Rule(node, "OUTPUT", ["-d", _NOBODY], self._comment)
            rule.register(injection.undos)
            rule.insert(injection.cluster, deadline)
        put(injection.cluster, injection.undos, configuration, deadline)

    def observed(self, cluster: Cluster, deadline: Deadline) -> str:
        seconds, said = 0.0, ""
        with cluster.client() as api:
            for _ in deadline.attempts(first=0.2):
                seconds, said = self._ask(api)
                if seconds >= self._timeout and (self._policy == "Ignore" or self._is_blamed(said)):
                    return (
                        f"a dry run in {self._namespace} took {seconds:.1f} s{f' and was refused: {said}' * bool(said)}"
                    )
        raise FaultNotApplied(
            f"expected a dry run in {self._namespace} to wait {self._timeout} s for {_WEBHOOK}, it took {seconds:.1f} s"
            f"{f': {said}' if said else ''}"
        )

    def healed(self, cluster: Cluster, deadline: Deadline) -> str:
        deadline.check(f"no dry run in {self._namespace} was made")
        with cluster.client() as api:
            there = not is_gone(api, f"{_ROOT}/{self._configuration}")
            seconds, said = self._ask(api)
        if there or self._is_blamed(said):
            raise FaultNotApplied(f"expected {_WEBHOOK} to be gone, it is {'there' if there else f'called: {said}'}")
        return f"{self._configuration} is gone, and a dry run in {self._namespace} took {seconds:.1f} s"

    def _webhook(self) -> dict[str, Any]:
        rule = {"apiGroups": [""], "apiVersions": ["v1"], "operations": ["CREATE"], "resources": ["pods"]}
        return {
            "name": _WEBHOOK,
            "clientConfig": {"url": _SILENT},
            "rules": [rule],
            "failurePolicy": self._policy,
            "timeoutSeconds": self._timeout,
            "sideEffects": "None",
            "admissionReviewVersions": ["v1"],
            "namespaceSelector": {"matchLabels": {"kubernetes.io/metadata.name": self._namespace}},
        }

    def _ask(self, api: ApiClient) -> tuple[float, str]:
        """Make a dry run; return how long it took, in seconds, and in what words it was refused, "" if it was not."""
        body = {"metadata": {"generateName": "chaos-"}, "spec": {"containers": [{"name": "none", "image": "none"}]}}
        path, began = f"/api/v1/namespaces/{self._namespace}/pods", time.monotonic()
        try:
            request(api, "POST", path, query={"dryRun": "All"}, body=body)
        except ApiRefused as error:
            return time.monotonic() - began, error.brief
        return time.monotonic() - began, ""

    def _is_blamed(self, said: str) -> bool:
        return f'failed calling webhook "{_WEBHOOK}"' in said
