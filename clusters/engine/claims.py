"""Claims: volumes in the engine that show which runs are alive, to every client, by the engine's own clock.

Labels cannot be changed, so a claim is renewed by creating a new volume and then removing the older one. A claim older
than its life (in its label) has expired: its run is dead for everybody who cannot see its process. The volumes are
never mounted; every Docker engine can create, list and remove them quickly.
"""

import json
import math
import re
import threading
import time
from contextlib import suppress
from dataclasses import dataclass, replace
from datetime import datetime
from secrets import token_hex
from typing import TYPE_CHECKING, Any

from chaos_harness.clusters.deadline import Deadline
from chaos_harness.clusters.errors import CommandFailed, HarnessError
from chaos_harness.clusters.machine.owner import PREFIX, RUN, Owner
from chaos_harness.clusters.machine.paths import runtime_dir

if TYPE_CHECKING:
    from chaos_harness.clusters.engine import Engine

__all__ = [
    "CLAIM",
    "KEPT_SECONDS",
    "LIFE_SECONDS",
    "Register",
    "RunClaim",
    "held_runs",
    "hold",
    "read_register",
    "release",
    "renew_last",
]

CLAIM = f"{PREFIX}.claim"
"""The label that makes a volume a claim; its value is the claim's life in seconds."""

LIFE_SECONDS = 900.0
"""Life of a claim; its run renews it after a third of that time."""

KEPT_SECONDS = 30 * 24 * 3600.0
"""Life of the claim for clusters that are kept for their user."""

_TICK_SECONDS = 10.0
_COMMAND_SECONDS = 120.0
_AHEAD_SECONDS = 60.0
_JUMP_SECONDS = 30.0


@dataclass(frozen=True)
class RunClaim:
    """One claim: its owner, its age by the engine's clock, and its life, both in seconds."""

    name: str
    owner: Owner
    age: float
    life: float
    keep: bool = False

    @property
    def expired(self) -> bool:
        """Whether the claim is older than its life."""
        return self.age > self.life

    def alive(self) -> bool:
        """Whether the holder's process runs; if that cannot be known, whether the claim has not expired."""
        running = self.owner.is_running()
        return not self.expired if running is None else running


@dataclass(frozen=True)
class Register:
    """All claims of an engine at the moment when it was asked."""

    claims: tuple[RunClaim, ...]

    def of(self, run: str) -> list[RunClaim]:
        """Return the claims of one run."""
        return [claim for claim in self.claims if claim.owner.run == run]


def read_register(engine: "Engine", deadline: Deadline) -> Register:
    """Return the claims that the engine holds.

    A claim from the future, as after a clock that was set back, has no known age: it is created again, so that it
    expires unless somebody renews it. Raises CommandFailed if the engine does not answer.
    """
    names = _names(engine, deadline)
    if not names:
        return Register(())
    inspected = engine.run(["inspect", "--type", "volume", *names], deadline, check=False).stdout
    now = _now(engine, deadline)
    claims = []
    for volume in json.loads(inspected or "[]"):
        labels = volume.get("Labels") or {}
        if CLAIM not in labels or RUN not in labels:  # gone, and another of its name there
            continue
        owner = Owner.from_labels(labels)
        age = _age(str(volume.get("CreatedAt") or ""), now, owner)
        if age < -_AHEAD_SECONDS:
            _make(engine, labels, deadline)
            engine.run(["volume", "rm", volume["Name"]], deadline, check=False)
        life = float(labels[CLAIM]) if re.fullmatch(r"[0-9]{1,9}", labels[CLAIM]) else LIFE_SECONDS
        claims.append(RunClaim(volume["Name"], owner, max(age, 0.0), life, f"{PREFIX}.keep" in labels))
    return Register(tuple(claims))


def hold(engine: "Engine", owner: Owner) -> None:
    """Claim the engine for a run of this process, and renew the claim in a thread until `release` or `renew_last`.

    A killed process renews nothing any more. Raises CommandFailed if the engine does not accept the claim.
    """
    with _lock:
        key = (engine.host, owner.run)
        renewal = _renewals.get(key)
        if renewal is None or renewal.owner != owner:
            if renewal:
                renewal.end()
            renewal = _Renewal(engine, owner)
        renewal.renew()
        if key not in _renewals or _renewals[key] is not renewal:
            _renewals[key] = renewal
            renewal.start()


def held_runs() -> frozenset[str]:
    """Return the names of the runs whose claims this process holds."""
    with _lock:
        return frozenset(run for _, run in _renewals)


def renew_last(engine: "Engine", owner: Owner, life: float, *, keep: bool = False) -> None:
    """Renew a run's claim for the last time, for `life` seconds: its clusters go on without a process.

    `keep` means that they are kept for their user. Raises CommandFailed if the engine does not accept the claim.
    """
    _end(engine, owner.run)
    deadline = Deadline.after(_COMMAND_SECONDS, f"a claim of {owner.run}")
    _replace(engine, replace(owner, pid=0), life, deadline, keep=keep)


def release(engine: "Engine", run: str) -> None:
    """Stop renewing a run's claim, and remove it from the engine if that answers."""
    _end(engine, run)
    with suppress(HarnessError):
        deadline = Deadline.after(_COMMAND_SECONDS, f"the claim of {run} to go")
        for name in _names(engine, deadline, run):
            engine.run(["volume", "rm", name], deadline, check=False)


class _Renewal:
    """The claim of one run, renewed by a thread that ends with its process."""

    def __init__(self, engine: "Engine", owner: Owner) -> None:
        self.owner = owner
        self._engine = engine
        self._renewed = self._clock = 0.0
        self._over = threading.Event()
        self._busy = threading.Lock()

    def start(self) -> None:
        threading.Thread(target=self._run, name=f"claim of {self.owner.run}", daemon=True).start()

    def renew(self) -> None:
        with self._busy:
            if not self._over.is_set():
                begun, clock = _elapsed(), time.time()
                deadline = Deadline.after(_COMMAND_SECONDS, f"a claim of {self.owner.run}")
                _replace(self._engine, self.owner, LIFE_SECONDS, deadline)
                self._renewed, self._clock = begun, clock - begun

    def end(self) -> None:
        """Stop renewing; wait for a renewal that is under way, so that it does not replace a later claim."""
        self._over.set()
        with self._busy:
            pass

    def _run(self) -> None:
        while not self._over.wait(_TICK_SECONDS):
            age = _elapsed() - self._renewed
            jumped = abs(time.time() - _elapsed() - self._clock)  # by as much, others may take the claim to be older
            if age >= LIFE_SECONDS / 3 or jumped > _JUMP_SECONDS:
                with suppress(HarnessError, OSError):  # an engine that does not answer now is asked again
                    self.renew()


_lock = threading.Lock()
_renewals: dict[tuple[str, str], _Renewal] = {}


def _end(engine: "Engine", run: str) -> None:
    with _lock:
        renewal = _renewals.pop((engine.host, run), None)
    if renewal:
        renewal.end()


def _replace(engine: "Engine", owner: Owner, life: float, deadline: Deadline, *, keep: bool = False) -> None:
    """Create a new claim in the engine, and then remove the older ones of the run."""
    directory = (
        runtime_dir("runs") / owner.run / "claim"
    )  # earlier versions look beside it for the owner of a pooled run
    labels = {**owner.labels(keep=keep), CLAIM: f"{life:.0f}", f"{PREFIX}.directory": str(directory)}
    new = _make(engine, labels, deadline)
    for name in _names(engine, deadline, owner.run):
        if name != new:
            engine.run(["volume", "rm", name], deadline, check=False)


def _make(engine: "Engine", labels: dict[str, str], deadline: Deadline) -> str:
    name = f"{PREFIX}-claim-{labels[RUN]}-{token_hex(4)}"
    words = [word for label, value in labels.items() for word in ("--label", f"{label}={value}")]
    engine.run(["volume", "create", *words, name], deadline)
    return name


def _names(engine: "Engine", deadline: Deadline, run: str = "") -> list[str]:
    only = ["--filter", f"label={RUN}={run}"] if run else []
    return engine.run(["volume", "ls", "--quiet", "--filter", f"label={CLAIM}", *only], deadline).stdout.split()


def _now(engine: "Engine", deadline: Deadline) -> float:
    """Return the engine's clock in unix seconds."""
    answer = engine.run(["info", "--format", "{{.SystemTime}}"], deadline).stdout.strip()
    try:
        return _unix(answer)
    except ValueError as error:
        raise CommandFailed(
            f"expected the engine at {engine.host} to report its time, found {answer[:80]!r}; "
            f"try `docker --host {engine.host} info`"
        ) from error


def _age(created: str, now: float, owner: Owner) -> float:
    """Return the age of a claim in seconds; if the engine does not report it, by its owner's own clock."""
    try:
        return now - _unix(created)
    except ValueError:
        return 0.0 if owner.alive() else math.inf


def _unix(moment: str) -> float:
    """Return the unix seconds of a time as Go writes it: with nanoseconds, and `Z` or the engine's own offset."""
    return datetime.fromisoformat(moment).timestamp()


def _elapsed() -> float:
    """Return the seconds of a clock that runs while the machine sleeps, if there is one."""
    boottime: Any = getattr(time, "CLOCK_BOOTTIME", time.CLOCK_MONOTONIC)
    return time.clock_gettime(boottime)
