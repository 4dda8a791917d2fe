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
    "CREATE_VIOLATING",
    "DECIDED",
    "DELETED",
    "END",
    "EXPERIMENT",
    "FAIL_OPEN",
    "FAULT",
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
    "SEEN",
    "TRIGGER",
    "UNDONE",
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
"""Tells of the history: CLOCK_STEP (the wall clock was set by `seconds`), END (all was written)."""

CLOCK_STEP = "clock-jump"
END = "end"

EXPERIMENT = "experiment"
"""Marks where a phase, which the value names, has its BEGIN and its END, and the moment up to which is to JUDGE:
every probe gives one more sign of life after that, before anything is judged.
"""

BEGIN, JUDGE = "begin", "judge"

# What is done to a cluster.
FAULT = "fault"
"""Processes "fault <n>": invoke INJECT, ok OBSERVED (once more at its end), invoke HEAL, ok HEALED; each has `name`.

INJECT has `one_shot`, true, if the harm lasts no longer than the blow.
"""

INJECT, OBSERVED, HEAL, HEALED = "inject", "observed", "heal", "healed"

UNDONE = "undone"
"""Between HEAL and HEALED of a fault that lasts: ok, all its undos are done, and it is to be healed `within` so many
seconds from here. Histories of before it was written go from HEAL to HEALED.
"""

NOT_HEALED = "not healed"
"""In the place of HEALED: fail, up to here the proof was asked for again and again; what was `said` last is none."""

HARM = "harm"
"""Tells what a fault did to one pod, or to a `node`; the operation is how: KILLED, "deleted", "drained node"."""

KILLED, RESCHEDULED = "killed", "rescheduled"
"""Its containers were killed and it goes on; it was deleted so that another node gets its replacement."""

POLICIES = "policies"
"""Invoke APPLY, ok IN_FORCE (with `proof`), invoke REMOVE, ok REMOVED.

Each has `policies`, their names, and `parts`: the policy's name by each other name under which it is asked about.
"""

APPLY, IN_FORCE, REMOVE, REMOVED = "apply", "in force", "remove", "removed"

RACE = "race"
"""Marks DECIDED: from here on nothing more is asked to change in this repetition."""

DECIDED = "decided"

TRIGGER = "trigger"
"""Processes "trigger <kind>": invoke SEEN, then ok or fail ACTED, with how long after."""

SEEN, ACTED = "seen", "acted"

# Who asks.
CANARY = "canary"
"""Processes "canary <n>", the threads of the admission probe; ok means that a policy did what it must."""

CREATE_VIOLATING = "create violating pod"
"""Asks for a pod that a policy must deny."""

REPLICAS = "replicas"
"""Tells why the webhook pods could not be listed (LIST), so that none was asked in that round."""

REPLICA = "replica"
"""Processes "replica <pod>" ask one webhook pod for a REVIEW of the label that only exempt namespaces may carry, and
for one of each policy in force, `review_of(policy)`; the value has `pod` and `uid`, and the latter's the `question`.
"""

LIST, REVIEW = "list", "review"

API_SERVER = "api server"
"""Is asked to READ, and to WRITE_LEASE as a dry run; ok and fail have `seconds`."""

READ, WRITE_LEASE = "read", "write lease"

NUMBER = "number"
"""Is asked once a second to WRITE the next `number` into an object of ours, which WATCH_NUMBER then tells of."""

WRITE = "write"

METRICS = "metrics"
"""Processes "metrics <whose>" READ what the API server, or a pod of Gatekeeper, counts."""

# Who copies a log.
REGISTRY = "registry"
"""Copies what the registry logged: one REQUEST a line; ok READ: all `until` then is copied."""

FAIL_OPEN = "fail open"
"""Copies what the API server logged of webhooks that it did without: one CALL a line; ok READ: all from `since`
to `until` is copied."""

AUDIT = "audit"
"""Processes "audit <node>" copy what its API server logged of requests that it decided: one REQUEST each, or REQUESTS
for all of our own that were decided alike at one READ; ok READ: all from `since` to `until` is copied."""

REQUEST, REQUESTS, CALL = "request", "requests", "call"

# Who looks after the clocks, and after this machine.
CLOCK = "clock"
"""Processes "clock <node>" READ a node's clock; ok has how many seconds it is ahead (`offset`), `uncertainty`, and
whether it is the `same` clock as this machine's, because both have one kernel.
"""

METRONOME = "metronome"
"""Tells by LATE when a thread that wanted to run came `seconds` too late."""

LATE = "late"

# Who watches objects. Operations are those of clusters.watching.watch.Change.
ADDED, MODIFIED, DELETED = "ADDED", "MODIFIED", "DELETED"
LISTED, GAP, RESUMED, BOOKMARK = "LISTED", "GAP", "RESUMED", "BOOKMARK"
"""LISTED without an object: from here on the state is whole, and all is told as it happens. GAP: nothing is seen from
here on, because of `why`; if that is NOT_SERVED, there is nothing: all that there was is DELETED, `in_gap`, and it is
so up to the last sign of life before something else is told. RESUMED: as LISTED, and all that came in the gap stands
between, in its order. BOOKMARK: a sign of life; all that came before it was told."""

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
"""Pods that the admission probe really created: `canary-<seq>`, whether `mutated`, and nothing more."""

WATCH_NUMBER = watch("number")
"""The object that NUMBER writes: its `number`, and nothing more."""

WATCH_WORKLOAD = watch("workload")
WATCH_WORKLOAD_EVENTS = watch("workload events")

CONSTRAINTS = watch("constraints ")
"""How the watches on the constraints of one template begin: "watch constraints <plural>"."""
