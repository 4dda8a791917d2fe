"""Worker ends: gives workers of xdist time to heal and remove what is theirs before the controller ends them.

xdist and execnet give a worker ten seconds after an interrupt; the faults and clusters of a run need more.
"""

import os
import signal
from collections.abc import Iterable
from typing import Any

from chaos_harness.clusters.deadline import Deadline
from chaos_harness.clusters.machine.signals import defer_interrupts

__all__ = ["wait_for_workers"]

_SECONDS = 900.0


def wait_for_workers(nodes: Iterable[Any]) -> None:
    """Send SIGTERM to the workers of `nodes`, and wait until each has ended what it was doing."""
    deadline = Deadline.after(_SECONDS, "the workers to heal and to remove their clusters")
    running = [node.channel for node in nodes if hasattr(node, "channel") and not _wait_for_end(node.channel, 0.0)]
    if not running:
        return
    with defer_interrupts(deadline.what, _SECONDS):
        for channel in running:
            process = getattr(getattr(channel.gateway, "_io", None), "popen", None)  # of one on another machine none
            if process is not None and process.poll() is None:
                os.kill(process.pid, signal.SIGTERM)
        for channel in running:
            _wait_for_end(channel, deadline.remaining)


def _wait_for_end(channel: Any, seconds: float) -> bool:
    """Return whether a worker ends within `seconds`, with or without an error."""
    try:
        channel.waitclose(seconds)
    except channel.TimeoutError:
        return False
    except (channel.RemoteError, EOFError):
        return True
    return True
