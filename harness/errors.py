"""Errors: everything this project raises on purpose, as one tree.

ChaosError
  HarnessError                        the harness, its input or its surroundings (Allure: broken)
    BadScenario                       an option, file, version or shape cannot be used; nothing was touched
      ConsentMissing                  nobody agreed to what would be changed on this machine
    PreparationFailed                 a state that a fault needs could not be prepared; the experiment had begun
    PolicyRejected                    a policy was refused, or cannot be enforced; it is deleted again
    DeadlineExceeded                  something did not happen in time
    CommandFailed                     a command ended with a status other than 0
      CommandDenied                   what it asked the API server for was denied by an admission policy
    NotOurs                           a container, cluster or kubeconfig without this harness's label
    ClusterUnavailable                no cluster of the wanted shape is available
      EngineUnavailable               no container engine answers and none could be started
      ImageUnavailable                an image is not in the engine, and can be neither pulled nor built
    ApiRefused                        an API server's answer with a status other than 2xx
    ApiUnreachable                    no answer of an API server: it is unknown whether the request was done
    FaultNotApplied                   a fault has no proof of its effect (that it heals is a claim, `heals`)
    UndoFailed                        an undo of the journal failed
      UndoDenied                      an admission policy denied it: it can be done when the policy is gone
    ProbeBroken                       a probe stopped asking, so its silence means nothing
    StoreUnreadable                   the store of runs, or a part of it, cannot be read or written
    Inconclusive                      a claim could not be judged: never a pass
      CheckBroken                     its check raised: nothing is known of the product, the error is ours
  InvariantViolated(AssertionError)   the product does not do what is claimed (Allure: failed)
"""

from chaos_harness.clusters.errors import (
    ApiRefused,
    ApiUnreachable,
    BadScenario,
    ChaosError,
    ClusterUnavailable,
    CommandFailed,
    ConsentMissing,
    DeadlineExceeded,
    EngineUnavailable,
    HarnessError,
    ImageUnavailable,
    NotOurs,
)

__all__ = [
    "ApiRefused",
    "ApiUnreachable",
    "BadScenario",
    "ChaosError",
    "CheckBroken",
    "ClusterUnavailable",
    "CommandDenied",
    "CommandFailed",
    "ConsentMissing",
    "DeadlineExceeded",
    "EngineUnavailable",
    "FaultNotApplied",
    "HarnessError",
    "ImageUnavailable",
    "Inconclusive",
    "InvariantViolated",
    "NotOurs",
    "PolicyRejected",
    "PreparationFailed",
    "ProbeBroken",
    "StoreUnreadable",
    "UndoDenied",
    "UndoFailed",
]


class PreparationFailed(HarnessError):
    """What an experiment needs before its fault was missing or could not be prepared; the experiment had begun.

    What was done until then is undone, as at the end of any experiment.
    """


class PolicyRejected(HarnessError):
    """Gatekeeper or the API server refuses a policy, or cannot enforce it; the message has the reason."""


class FaultNotApplied(HarnessError):
    """A fault has no proof that it took effect: what was measured meanwhile means nothing.

    Or it has no proof yet that it is healed: the experiment asks again, see `harness.experiment.healing`.
    """


class UndoFailed(HarnessError):
    """One or more undos of a journal failed; all of them are in the message."""


class CommandDenied(CommandFailed):
    """An admission webhook or policy denied what a command asked for; `by` says which, the message also why."""

    def __init__(self, message: str, *, by: str) -> None:
        self.by = by
        super().__init__(message)


class UndoDenied(UndoFailed):
    """Undos failed only because admission webhooks or policies denied them; `by` says which.

    It is evidence of what they enforce, and can be done when they are gone.
    """

    def __init__(self, message: str, *, by: str) -> None:
        self.by = by
        super().__init__(message)


class ProbeBroken(HarnessError):
    """A probe died or is late, so its silence says nothing about the cluster."""


class StoreUnreadable(HarnessError):
    """The store of runs is no database, or a part of it is damaged, or it cannot be written."""


class Inconclusive(HarnessError):
    """A claim could not be judged (fault not proved, too few samples); this is never a pass."""


class CheckBroken(Inconclusive):
    """A check raised an error instead of judging: the message has it, and the run fails because of us."""


class InvariantViolated(ChaosError, AssertionError):
    """A claim was judged, and the product does not do what was expected, for better or for worse."""
