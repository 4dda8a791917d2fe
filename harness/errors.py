"""Errors: everything this project raises on purpose, as one tree.

ChaosError
  HarnessError                        the harness, its input or its surroundings (Allure: broken)
    BadScenario                       an option, file, version or shape cannot be used; nothing was touched
    PreparationFailed                 what comes before a fault could not be brought about; the experiment had begun
    PolicyRejected                    a policy was not taken, or cannot be enforced; it is taken away again
    DeadlineExceeded                  something that was waited for did not come in time
    CommandFailed                     a command ended with a status other than 0
    NotOurs                           a container, cluster or kubeconfig without this harness's label
    ClusterUnavailable                no cluster of the wanted shape could be had
      EngineUnavailable               no container engine answers and none could be started
      ImageUnavailable                an image is neither there, nor to be pulled, nor to be built
    ApiRefused                        an API server's answer with a status other than 2xx
    ApiUnreachable                    no answer of an API server: nobody knows whether it did what it was asked
    FaultNotApplied                   a fault could not prove that it bit (that it does not heal is a claim, `heals`)
    UndoFailed                        an undo of the journal could not be done
    ProbeBroken                       a probe stopped asking, so its silence means nothing
    Inconclusive                      a claim that could not be judged: never a pass
      CheckBroken                     its check raised: nothing is said of the product, the fault is ours
  InvariantViolated(AssertionError)   the product did not do what is claimed (Allure: failed)
"""

from chaos_harness.clusters.errors import (
    ApiRefused,
    ApiUnreachable,
    BadScenario,
    ChaosError,
    ClusterUnavailable,
    CommandFailed,
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
    "CommandFailed",
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
    "UndoFailed",
]


class PreparationFailed(HarnessError):
    """What an experiment needs before its fault was not there or could not be brought about; it had begun by then.

    What it had done until then is taken back as at the end of any experiment.
    """


class PolicyRejected(HarnessError):
    """Gatekeeper, or the API server, does not take a policy, or takes it and cannot enforce it; it says why."""


class FaultNotApplied(HarnessError):
    """A fault could not prove that it took effect: what was measured meanwhile means nothing.

    Or that it is healed: whoever waits for that asks again, see `harness.experiment.healing`.
    """


class UndoFailed(HarnessError):
    """One or more undos of a journal could not be done; all of them are in the message."""


class ProbeBroken(HarnessError):
    """A probe's thread died or fell behind, so that its silence does not mean that all was well."""


class Inconclusive(HarnessError):
    """A claim could not be judged (fault not proved, too few samples); this is never a pass."""


class CheckBroken(Inconclusive):
    """A check raised instead of judging: its error is in the message, and the run fails as ours."""


class InvariantViolated(ChaosError, AssertionError):
    """A claim was judged and the product did otherwise, for better or for worse."""
