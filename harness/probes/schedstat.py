"""Schedstat: how long the threads of a node's processes ran and waited for a processor, and which were starved.

Linux tells both of each thread, in nanoseconds, in /proc/<pid>/task/<tid>/schedstat (its documentation:
scheduler/sched-stats).
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

__all__ = ["ANSWERING", "SCRIPT", "Process", "Sample", "Starved", "Starving", "parse"]

ANSWERING = "manager", "kube-apiserver", "etcd"
"""The commands by which a cluster answers: Gatekeeper's, the API server's and its store's."""

SCRIPT = """
while read -rt 60 _; do
  read -r now _ </proc/uptime
  if ((left-- <= 0)); then
    known=() left=5
    for file in /proc/[0-9]*/comm; do
      read -r name <"$file" || continue
      case $name in NAMES) ;; *) continue ;; esac
      pid=${file//[!0-9]/}
      while IFS=: read -r _ kinds path; do
        case ,$kinds, in ,,) break ;; *,cpu,*) path=/cpu$path && break ;; esac
      done <"/proc/$pid/cgroup"
      known+=("$name $pid /sys/fs/cgroup$path/cpu.stat /sys/fs/cgroup${path%/*}/cpu.stat")
    done
  fi
  told="AT $now"
  for each in "${known[@]}"; do
    read -r name pid stats <<<"$each"
    held=0 seen=
    for file in $stats; do
      while read -r key count; do
        [[ $key = nr_throttled ]] && held=$((held + count))
      done <"$file"
    done
    told+=" P $name $pid $held"
    for file in /proc/$pid/task/*/schedstat; do
      read -r ran waited _ <"$file" || continue
      tid=${file#/proc/*/task/} seen=1
      told+=" ${tid%/*} $ran $waited"
    done
    [[ $seen ]] || left=0
  done
  echo "$told"
done 2>/dev/null
""".replace("NAMES", " | ".join(ANSWERING))
"""What bash does on a node: for each line that it reads, it prints one that `parse` reads; it ends when it reads none.

It starts no program, for that would cost more than all the rest. New processes are looked for when one is gone, and
each sixth time. How often a limit of its own held a process back, its container's cgroup tells, and that of its pod.
"""

_NANOSECONDS = 1e9
_STARVED_SHARE, _STARVED_SLOWER = 0.5, 8.0
_STILL_SHARE, _STILL_SLOWER = 0.25, 4.0


@dataclass(frozen=True)
class Process:
    """What is told of one process: how often it was `held` back by a limit, and of each thread what it ran and waited.

    Threads are known by their ids; both figures are seconds since a thread began.
    """

    name: str
    held: int = 0
    threads: dict[int, tuple[float, float]] = field(default_factory=dict)


@dataclass(frozen=True)
class Sample:
    """What a node told `at` a moment of its own clock, in seconds since it was booted: its processes, by their ids."""

    at: float
    processes: Mapping[int, Process]

    @property
    def blank(self) -> bool:
        """Whether there are processes, none of which ever ran: so kernels tell that do not count it."""
        threads = [thread for process in self.processes.values() for thread in process.threads.values()]
        return bool(self.processes) and not any(ran for ran, _ in threads)


@dataclass(frozen=True)
class Starved:
    """Somebody was starved for `seconds`, up to the sample that tells: `who`, by name, and how long he ran and waited.

    `ran` and `waited` are sums over the threads of who waited longest, in seconds.
    """

    seconds: float
    who: tuple[str, ...]
    ran: float
    waited: float


def parse(line: str) -> Sample:
    """Return what a line tells; raise ValueError if it is none that `SCRIPT` prints."""
    head, *parts = line.split(" P ")
    word, at = head.split(" ")
    if word != "AT":
        raise ValueError(line)
    processes = {}
    for part in parts:
        name, pid, held, *numbers = part.split(" ")
        if len(numbers) % 3:
            raise ValueError(line)
        threads = {
            int(tid): (int(ran) / _NANOSECONDS, int(waited) / _NANOSECONDS)
            for tid, ran, waited in zip(numbers[::3], numbers[1::3], numbers[2::3], strict=True)
        }
        processes[int(pid)] = Process(name, int(held), threads)
    return Sample(float(at), processes)


class Starving:
    """Decides, sample by sample of one node, whether one of its processes was starved since the one before.

    Starved is who waited for a processor for half of the time or more, summed over his threads, and eight times as
    long as he ran or more; as long as that goes on, half of each will do. Who waits since he has used up a limit of his
    own is not: that is what he was given, or a fault's doing, and no want of the machine's.
    """

    def __init__(self) -> None:
        self._before: Sample | None = None
        self._starved: set[int] = set()

    def take(self, sample: Sample) -> Starved | None:
        """Take the next sample, and return who was starved since the one before; None: nobody, as far as is known.

        What a thread waited is told when it gets the processor, so that a long wait may reach back behind the sample
        before.
        """
        before, self._before = self._before, sample
        if before is None or sample.at <= before.at:
            return None
        passed = sample.at - before.at
        grown = dict(self._grown(before, sample))
        self._starved = {pid for pid, each in grown.items() if each.starves(passed, still=pid in self._starved)}
        if not self._starved:
            return None
        starved = [grown[pid] for pid in self._starved]
        worst = max(starved, key=lambda each: each.waited)
        seconds = max(passed, *(each.longest for each in starved))
        return Starved(seconds, tuple(sorted({each.name for each in starved})), worst.ran, worst.waited)

    @staticmethod
    def _grown(before: Sample, sample: Sample) -> Iterator[tuple[int, "_Grown"]]:
        """Yield by how much the figures of each process grew that is in both samples."""
        for pid, process in sample.processes.items():
            was = before.processes.get(pid)
            if was is not None and was.name == process.name and process.held == was.held:
                yield pid, _Grown.of(was, process)


@dataclass(frozen=True)
class _Grown:
    name: str
    ran: float
    waited: float
    longest: float
    """How long one of its threads waited."""

    @classmethod
    def of(cls, was: Process, process: Process) -> "_Grown":
        """Compare; a thread that was not there before has begun since, and one whose figures shrink is another one."""
        ran, waits = 0.0, [0.0]
        for tid, (runs, wait) in process.threads.items():
            ran_before, waited_before = was.threads.get(tid, (0.0, 0.0))
            if runs >= ran_before and wait >= waited_before:
                ran += runs - ran_before
                waits.append(wait - waited_before)
        return cls(process.name, ran, sum(waits), max(waits))

    def starves(self, passed: float, *, still: bool) -> bool:
        """Whether who grew so in so many seconds was starved; `still`: he was so before."""
        share, slower = (_STILL_SHARE, _STILL_SLOWER) if still else (_STARVED_SHARE, _STARVED_SLOWER)
        return self.waited >= share * passed and self.waited + self.ran >= slower * self.ran
