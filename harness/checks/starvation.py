"""Starvation: whether the machine let the probes run, without which nothing that they saw late is anybody's fault."""

from harness.history import Recorded

__all__ = ["starved"]

# As harness.probes.metronome calls it; a test holds them equal, for a check must not import what probes.
_METRONOME = "metronome"
_SHARE = 0.05


def starved(recorded: Recorded) -> str:
    """Return why the probes cannot be trusted, or "": threads that wanted to run waited for a twentieth of the time."""
    waited = end = 0.0
    for entry in recorded.entries:
        end = entry.at
        if entry.process == _METRONOME:
            waited += entry.value["seconds"]
    if waited <= _SHARE * end:
        return ""
    return f"the machine was too busy: for {waited:.1f} of {end:.1f} s the probes waited to run; see `uptime`"
