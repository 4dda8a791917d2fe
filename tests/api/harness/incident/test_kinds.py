"""Kinds: those that an incident file may name without bringing them are the server's, in its groups."""

from kubernetes.client import ApiClient

from chaos_harness.clusters.api.rest import read
from chaos_harness.clusters.deadline import Deadline
from chaos_harness.harness.incident.kinds import KINDS, groups_of


def test_kinds_are_in_the_groups_of_the_server(api: ApiClient) -> None:
    """What can be created and listed is known, and no group of it is missing."""
    deadline = Deadline.after(60, "the kinds of the server")
    groups = read(api, "/apis", deadline)["groups"]
    roots = {"": "/api/v1", **{group["name"]: f"/apis/{group['preferredVersion']['groupVersion']}" for group in groups}}
    served = {
        (resource["kind"], group)
        for group, root in roots.items()
        for resource in read(api, root, deadline)["resources"]
        if {"create", "list"} <= set(resource["verbs"])
    }
    assert {kind for kind, _ in served} <= set(KINDS)
    assert [(kind, group) for kind, group in sorted(served) if group not in groups_of(kind)] == []
