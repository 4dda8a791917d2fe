"""Vocabulary: every name of a process and of an operation that a history has, once, for writers and readers."""

__all__ = [
    "ACTED",
    "ADDED",
    "API_SERVER",
    "APPLY",
    "AUDIT",
    "BEGIN",
    "BOOKMARK",
    "CALL",
    "CANARY",
    "CLOCK",
    "CLOCK_STEP",
    "CONSTRAINTS",
    "DECIDED",
    "DELETED",
    "END",
    "EXPERIMENT",
    "FAIL_OPEN",
    "FAULT",
    "FIELDS",
    "GAP",
    "HARM",
    "HEAL",
    "HEALED",
    "HISTORY",
    "INJECT",
    "IN_FORCE",
    "JUDGE",
    "KILLED",
    "LATE",
    "LIST",
    "LISTED",
    "METRICS",
    "METRONOME",
    "MODIFIED",
    "NOT_HEALED",
    "NUMBER",
    "OBSERVED",
    "POLICIES",
    "RACE",
    "READ",
    "REGISTRY",
    "REMOVE",
    "REMOVED",
    "REPLICA",
    "REPLICAS",
    "REQUEST",
    "REQUESTS",
    "RESCHEDULED",
    "RESUMED",
    "REVIEW",
    "ROLLED_BACK",
    "SEEN",
    "TRIGGER",
    "UNDONE",
    "UNDO_DENIED",
    "UPGRADED",
    "WATCH_BINDINGS",
    "WATCH_CANARIES",
    "WATCH_DEPLOYMENTS",
    "WATCH_EVENTS",
    "WATCH_LEASES",
    "WATCH_NODES",
    "WATCH_NUMBER",
    "WATCH_PODS",
    "WATCH_POLICIES",
    "WATCH_SLICES",
    "WATCH_SYSTEM_PODS",
    "WATCH_TEMPLATES",
    "WATCH_WORKLOAD",
    "WATCH_WORKLOAD_EVENTS",
    "WRITE",
    "WRITE_LEASE",
    "is_watch",
    "numbered",
    "review_of",
    "watch",
]


def numbered(family: str, which: object) -> str:
    """Return the process of one of a family: `numbered(CANARY, 3)` is "canary 3", a thread of the admission probe."""
    return f"{family} {which}"


def watch(name: str) -> str:
    """Return the process of the watch on a list of objects: `watch("pods")` is "watch pods"."""
    return numbered("watch", name)


def review_of(question: str) -> str:
    """Return the operation of asking a replica one of several questions: `review_of("mutate pods")`."""
    return numbered(REVIEW, question)


def is_watch(process: str) -> bool:
    """Whether a process is a watch on a list of objects."""
    return process.startswith("watch ")


# The history itself, and the experiment whose history it is.
HISTORY = "history"
"""About the history itself: CLOCK_STEP (the wall clock was set by `seconds`), END (everything was written)."""

CLOCK_STEP = "clock-jump"
END = "end"

EXPERIMENT = "experiment"
"""Marks the BEGIN and the END of a phase, which the value names, and JUDGE, the moment up to which claims are judged:
after it every probe records one more sign of life before anything is judged.
"""

BEGIN, JUDGE = "begin", "judge"

# What is done to a cluster.
FAULT = "fault"
"""Processes "fault <n>": invoke INJECT, ok OBSERVED (once more at its end), invoke HEAL, ok HEALED; each has `name`.

INJECT has `one_shot`, true, if the fault is one-shot: its harm does not last, so there is nothing to heal.
"""

INJECT, OBSERVED, HEAL, HEALED = "inject", "observed", "heal", "healed"

UNDONE = "undone"
"""Between HEAL and HEALED of a lasting fault: ok, all its undos are done, and it must be healed `within` so many
seconds from here. Older histories go from HEAL to HEALED directly.
"""

NOT_HEALED = "not healed"
"""Instead of HEALED: fail, the proof was requested up to here and did not come; `said` is the last answer."""

UNDO_DENIED = "undo denied"
"""After HEAL: fail, admission denied the undo; `by` says which webhook or policy, `said` why. It is tried again, from
HEAL on, when the policies are removed.
"""

HARM = "harm"
"""Records what a fault did to one pod, or to a `node`; the operation says how: KILLED, "deleted", "drained node"."""

KILLED, RESCHEDULED = "killed", "rescheduled"
"""The pod's containers were killed; the pod was deleted so that its replacement runs on another node."""

UPGRADED, ROLLED_BACK = "upgraded", "rolled back"
"""The pod is about to be replaced by one of another version: what Gatekeeper generates may change from here on."""

POLICIES = "policies"
"""Invoke APPLY, ok IN_FORCE (with `proof`), invoke REMOVE, ok REMOVED.

Each has `policies`, their names, `parts`: the policy's name by each other name that probes use for it, and `mutates`:
what pods must have, as values by path, by the name of the policy or of its part. Old histories have no `mutates`.
"""

APPLY, IN_FORCE, REMOVE, REMOVED = "apply", "in force", "remove", "removed"

RACE = "race"
"""Marks DECIDED: from here on nothing more is requested to change in this repetition."""

DECIDED = "decided"

TRIGGER = "trigger"
"""Processes "trigger <kind>": invoke SEEN, then ok or fail ACTED, with the delay between them."""

SEEN, ACTED = "seen", "acted"

# Probes that send requests.
CANARY = "canary"
"""Processes "canary <n>", the threads of the admission probe; ok means that a policy did what it must."""

REPLICAS = "replicas"
"""Records why the webhook pods could not be listed (LIST), so that none was asked in that round."""

REPLICA = "replica"
"""Processes "replica <pod>" ask one webhook pod for a REVIEW of the label that only exempt namespaces may carry, and
for one of each policy in force, `review_of(policy)`; the value has `pod` and `uid`, the latter's the `question`, and
today's the number of the `round`, in which all pods are asked the same.
"""

LIST, REVIEW = "list", "review"

API_SERVER = "api server"
"""Requests to the API server: READ, and WRITE_LEASE as a dry run; ok and fail have `seconds`."""

READ, WRITE_LEASE = "read", "write lease"

NUMBER = "number"
"""Once a second: WRITE the next `number` into an object of the harness, which WATCH_NUMBER then reports."""

WRITE = "write"

METRICS = "metrics"
"""Processes "metrics <source>" READ the counters of the API server, or of a pod of Gatekeeper."""

# Probes that copy a log.
REGISTRY = "registry"
"""Copies the registry's log: one REQUEST for each line; ok READ: everything `until` that moment is copied."""

FAIL_OPEN = "fail open"
"""Copies the API server's log of webhook calls that failed open: one CALL for each line; ok READ: everything from
`since` to `until` is copied."""

AUDIT = "audit"
"""Processes "audit <node>" copy the audit log of the node's API server: one REQUEST for each decision, or REQUESTS for
all requests of the harness with the same decision in one READ; ok READ: all from `since` to `until` is copied."""

REQUEST, REQUESTS, CALL = "request", "requests", "call"

# Probes of the clocks, and of this machine.
CLOCK = "clock"
"""Processes "clock <node>" READ a node's clock; ok has how many seconds it is ahead (`offset`), `uncertainty`, and
whether it is the `same` clock as this machine's, because both share one kernel.
"""

METRONOME = "metronome"
"""Records LATE when a thread that wanted to run was scheduled `seconds` too late."""

LATE = "late"

# Watches on objects. Operations are those of clusters.watching.watch.Change.
ADDED, MODIFIED, DELETED = "ADDED", "MODIFIED", "DELETED"
LISTED, GAP, RESUMED, BOOKMARK = "LISTED", "GAP", "RESUMED", "BOOKMARK"
"""LISTED without an object: from here on the state is complete, and every change is reported as it happens. GAP:
nothing is seen from here on, because of `why`; if that is NOT_SERVED, nothing exists: all objects are DELETED,
`in_gap`, and that is so up to the last sign of life before the next report. RESUMED: as LISTED, and all changes of the
gap are reported between the two, in order. BOOKMARK: a sign of life; all earlier changes were reported."""

NOT_SERVED = "404"

WATCH_PODS = watch("pods")
WATCH_EVENTS = watch("events")
WATCH_DEPLOYMENTS = watch("deployments")
WATCH_SLICES = watch("endpointslices")
WATCH_NODES = watch("nodes")
WATCH_TEMPLATES = watch("constrainttemplates")
WATCH_POLICIES = watch("validatingadmissionpolicies")
WATCH_BINDINGS = watch("validatingadmissionpolicybindings")
WATCH_LEASES = watch("leases")
WATCH_SYSTEM_PODS = watch("system pods")
WATCH_CANARIES = watch("canaries")
"""Pods that the admission probe really created, reduced to their names and to the names of the policies that they are
`mutated_for`; in old histories to whether they are `mutated`."""

WATCH_NUMBER = watch("number")
"""The object that NUMBER writes, reduced to its `number`."""

WATCH_WORKLOAD = watch("workload")
WATCH_WORKLOAD_EVENTS = watch("workload events")

CONSTRAINTS = watch("constraints ")
"""How the watches on the constraints of one template begin: "watch constraints <plural>"."""

FIELDS = watch("field ")
"""How the watches on one field of one object begin: "watch field <name>"; the object is reduced to what was `found`."""
