"""Skeleton: an incident file to start with, whose comments list what it may contain, and a scenario in Python."""

import re

from chaos_harness.clusters import known_versions
from chaos_harness.clusters.checkout import command_line
from chaos_harness.harness.catalogue import KINDS, PartKind, entries
from chaos_harness.harness.incident.references import SYNTAX
from chaos_harness.harness.incident.watches import names

__all__ = ["scenario_skeleton", "skeleton"]

_HEAD = """\
# yaml-language-server: $schema=schema.json
# An incident; replay it with `{repro} THIS_FILE`. In a folder incidents/ of scenarios it is a test of `{chaos}`, too.
# An editor that knows YAML schemas completes the names. Durations are such as 250ms, 30s, 5m.
schema: 2
title: What went wrong, in one sentence
links: []           # the issue, the post-mortem: https://…
story: |
  What was seen, by whom, and what was found out since.

# The cluster. --gatekeeper, --kubernetes, --install and --workers set what is left out here.
shape:
  workers: 2
  install: manifest # or chart
  # gatekeeper: {gatekeeper}   # one of {known_gatekeeper}, or a minor in quotes
  # kubernetes: {kubernetes}   # one of {known_kubernetes}, or a minor in quotes
  # images: []      # of your workload, such as ghcr.io/acme/web:1.2, which the engine must hold
  # kind: kind.yaml # a kind configuration of yours, beside this file: nodes, patches, feature gates, mounts
# seed: 7           # of every random choice; without it each run takes a new one, and reports it
budget: 10m         # the most that the timeline may take

# extended: true    # for `{chaos}` only when it is selected
# setup: []         # - file: {name}/operator.yaml, or - chart: {name}/operator: must be Ready before the policies
# preparations: [{{preparation: place_gatekeeper, with: {{on: $worker, webhooks: 3, audit: true}}}}]
# Objects that are applied before the timeline starts and deleted at the end: written here, or in a file beside this.
policies: []        # - policy: mutate_pods, or - file: {name}/policies.yaml
#   asks: [{{ask: NAME, object: {{apiVersion: v1, kind: Pod, …}}, answer: denied}}]   # of objects of yours
watch: []           # what else is written down: {watches}
workload: []        # - object: {{apiVersion: v1, kind: Namespace, metadata: {{name: chaos-a}}}}

# What is done, and when: `at` a moment, `when` an object changes or has a value in a field, or `after` another step has
# proved itself. A step may `wait` for a time or an object instead of doing harm; `jitter` is drawn from the seed.
# A step that `lasts` is healed at its end; any other is one-shot, and what it leaves is healed when all is over.
# In parameters these words stand for things in the cluster:
#   {syntax}
faults:
  - id: cut
    fault: cut_registry
    with: {{how: stop}}
    at: 2s
    lasts: 80s
  - fault: kill_containers
    with: {{selector: gatekeeper.sh/operation=webhook}}
    after: cut
  # - fault: kill_containers
  #   with: {{selector: gatekeeper.sh/operation=audit}}
  #   when: {{kind: ValidatingAdmissionPolicyBinding, event: ADDED, name: "gatekeeper-*", within: 2m}}
  # - {{wait: {{kind: Pod, name: "gatekeeper-audit-*", field: "{{.status.phase}}", value: Running}}, id: up, at: 2s}}
# for_each: [stop, drop]   # a turn of the timeline for each value, which stands where a parameter of a step is $each

# What is claimed: of steps by their id, or by their fault where a single step does it.
# A claim that is expected to be violated is a symptom: the incident is reproduced when all are seen.
claims:
  - check: recovers_within
    with: {{seconds: 60s, how: killed}}
    expect: holds   # or violated, or by version: [{{verdict: violated, gatekeeper: "<3.22.1"}}, {{verdict: holds}}]
    # issue: open-policy-agent/gatekeeper#1

# All names, with their parameters (those in brackets are optional):
"""


def skeleton(name: str) -> str:
    """Return the text of an incident file that runs as it is, to be edited."""
    head = _HEAD.format(
        name=name,
        repro=command_line("repro --"),
        chaos=command_line("chaos"),
        syntax=SYNTAX,
        watches=", ".join(names()),
        gatekeeper=known_versions.DEFAULT_GATEKEEPER,
        kubernetes=known_versions.DEFAULT_KUBERNETES,
        known_gatekeeper=", ".join(known_versions.GATEKEEPER),
        known_kubernetes=", ".join(known_versions.KUBERNETES),
    )
    return head + "".join(_listed(kind) for kind in KINDS)


def _listed(kind: PartKind) -> str:
    lines = [f"# {kind.replace('policy', 'policie')}s:"]
    for name, entry in entries(kind).items():
        fields = entry.parameters.model_fields
        words = [parameter if field.is_required() else f"[{parameter}]" for parameter, field in fields.items()]
        lines.append(f"#   {name} {' '.join(words)}".rstrip())
    return "\n".join(lines) + "\n"


_SCENARIO = '''\
"""{title}: what is done to the cluster, and what is claimed of it."""

import pytest

from chaos_harness.harness.checks.recovery import recovers_within
from chaos_harness.harness.checks.undisturbed import undisturbed
from chaos_harness.harness.experiment.lifecycle import Experiment
from chaos_harness.harness.faults.registry.cut import cut_registry
from chaos_harness.harness.faults.workloads.kill_containers import kill_containers

pytestmark = pytest.mark.shape(workers=2, install="chart")  # options set what is left out here


def test_{name}(experiment: Experiment) -> None:
    """An audit pod that crashes while the registry is away is back in a minute: its image is on the node."""
    with experiment.fault(cut_registry()):
        experiment.act(kill_containers(selector="gatekeeper.sh/operation=audit"))
        experiment.hold(60)
        experiment.claim(recovers_within(45, "killed"))
        experiment.claim(undisturbed())
'''


def scenario_skeleton(name: str) -> str:
    """Return the text of a scenario in Python that runs as it is, to be edited; `name` is that of its file."""
    words = re.sub(r"\W+", "_", name).strip("_").lower() or "scenario"
    return _SCENARIO.format(title=words.replace("_", " ").capitalize(), name=words)
