"""Schedstat: how long the threads of a node's processes ran and waited for a processor, and which were starved.

Linux tells both of each thread, in nanoseconds, in /proc/<pid>/task/<tid>/schedstat (its documentation:
scheduler/sched-stats).
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

__all__ = ["ANSWERING", "SCRIPT", "Process", "Sample", "Starvation", "StarvationDetector", "parse"]

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
      read -r ran waited times <"$file" || continue
      tid=${file#/proc/*/task/} seen=1
      told+=" ${tid%/*} $ran $waited $times"
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
_SHARE = 0.25
_STARVED_SECONDS, _STILL_SECONDS = 0.025, 0.01
"""How long one wait takes, at least, on average; on two cores, up to a load of 15, it took 12 ms at most."""

_STARVED_PART, _STILL_PART = 0.9, 0.5
"""For what part of the time one thread waits, at least, however short its waits are.

An API server and its store that had to share two cores with ten loops waited for 3 ms each time, but all the time, and
thousands of requests timed out. Of 4,551 time-outs, 149 lay in no starved moment as the length of the waits tells
them, and none as both do; of 67 calm seconds at loads of 5 to 20, three were called starved.
The loops must have a session each: all processes of one are given what one process is (sched(7), autogroup).
"""


@dataclass(frozen=True)
class Process:
    """What is told of one process: how often it was `held` back by a limit, and of each thread what it ran and waited.

    Threads are known by their ids; figures are since a thread began: seconds, seconds, and how often it was let run.
    """

    name: str
    held: int = 0
    threads: dict[int, tuple[float, float, int]] = field(default_factory=dict)


@dataclass(frozen=True)
class Sample:
    """What a node told `at` a moment of its own clock, in seconds since it was booted: its processes, by their ids."""

    at: float
    processes: Mapping[int, Process]

    @property
    def blank(self) -> bool:
        """Whether there are processes, none of which ever ran: so kernels tell that do not count it."""
        threads = [thread for process in self.processes.values() for thread in process.threads.values()]
        return bool(self.processes) and not any(ran for ran, *_ in threads)


@dataclass(frozen=True)
class Starvation:
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
        if len(numbers) % 4:
            raise ValueError(line)
        threads = {
            int(tid): (int(ran) / _NANOSECONDS, int(waited) / _NANOSECONDS, int(times))
            for tid, ran, waited, times in zip(*(numbers[column::4] for column in range(4)), strict=True)
        }
        processes[int(pid)] = Process(name, int(held), threads)
    return Sample(float(at), processes)


class StarvationDetector:
    """Decides, sample by sample of one node, whether one of its processes was starved since the one before.

    Starved is whose threads had to wait 25 ms on average each time that they wanted to run, and for a quarter of the
    time or more in sum; as long as that goes on, 10 ms will do. So is he of whose threads one waited for nine tenths of
    the time, in however many waits: it always had something to do. As long as that goes on, half of the time will do.
    How long all waited in sum tells little by itself: hundreds of short waits, which nobody notices who asks, make a
    second and more of it, ten times what was run.
    Who waits since he has used up a limit of his own is not starved: that is what he was given, or a fault's doing, and
    no want of the machine's.
    """

    def __init__(self) -> None:
        self._before: Sample | None = None
        self._starved: set[int] = set()

    def take(self, sample: Sample) -> Starvation | None:
        """Take the next sample, and return who was starved since the one before; None: nobody, as far as is known.

        What a thread waited is told when it gets the processor, so that a long wait may reach back behind the sample
        before.
        """
        before, self._before = self._before, sample
        if before is None or sample.at <= before.at:
            return None
        passed = sample.at - before.at
        grown = dict(self._grown(before, sample))
        self._starved = {pid for pid, growth in grown.items() if growth.starves(passed, still=pid in self._starved)}
        if not self._starved:
            return None
        starved = [grown[pid] for pid in self._starved]
        worst = max(starved, key=lambda growth: growth.waited)
        seconds = max(passed, *(growth.longest for growth in starved))
        return Starvation(seconds, tuple(sorted({growth.name for growth in starved})), worst.ran, worst.waited)

    @staticmethod
    def _grown(before: Sample, sample: Sample) -> Iterator[tuple[int, "_Growth"]]:
        """Yield by how much the figures of each process grew that is in both samples."""
        for pid, process in sample.processes.items():
            was = before.processes.get(pid)
            if was is not None and was.name == process.name and process.held == was.held:
                yield pid, _Growth.of(was, process)


@dataclass(frozen=True)
class _Growth:
    name: str
    ran: float
    waited: float
    times: int
    longest: float
    """How long one of its threads waited, in sum."""

    @classmethod
    def of(cls, was: Process, process: Process) -> "_Growth":
        """Compare; a thread that was not there before has begun since, and one whose figures shrink is another one."""
        grown = [(0.0, 0.0, 0)]
        for tid, (runs, waits, times) in process.threads.items():
            ran, waited, before = was.threads.get(tid, (0.0, 0.0, 0))
            if runs >= ran and waits >= waited and times >= before:
                grown.append((runs - ran, waits - waited, times - before))
        ran, waited, times = (sum(column) for column in zip(*grown, strict=True))
        return cls(process.name, ran, waited, int(times), max(thread[1] for thread in grown))

    def starves(self, passed: float, *, still: bool) -> bool:
        """Whether who grew so in so many seconds was starved; `still`: he was so before."""
        wait, part = (_STILL_SECONDS, _STILL_PART) if still else (_STARVED_SECONDS, _STARVED_PART)
        waits_long = self.waited >= _SHARE * passed and self.waited >= wait * self.times
        return waits_long or self.longest >= part * passed
