"""Reading: what node loss reads of webhook pods, until it reads the history itself."""

from harness.history import Recorded
from harness.history.following import follow
from harness.history.pods import Pods
from harness.history.rotation import Rotation

__all__ = ["Reading"]


class Reading:
    """The pods of Gatekeeper and who was in rotation, read once."""

    def __init__(self, recorded: Recorded) -> None:
        pods, rotation = Pods(), Rotation()
        follow(recorded, pods, rotation)
        self.pods = pods.lives
        self.endpoints = rotation.changes
