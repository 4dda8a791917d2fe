"""Schedstat: how long the threads of a node's processes ran and waited for a CPU, and which processes were starved.

Linux has both for each thread, in nanoseconds, in /proc/<pid>/task/<tid>/schedstat (see scheduler/sched-stats in its
documentation). At times it counts time in which a thread slept as waiting: on 6.18 a thread of an idle webhook pod had
waited for 43.9 s at once. So what a thread waited is compared with the time in which a CPU had nothing to do.
"""

from collections import deque
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

__all__ = ["SCRIPT", "Starvation", "StarvationDetector", "parse"]

ANSWERING = "manager", "kube-apiserver", "etcd"
"""The commands that answer requests: Gatekeeper, the API server and its store."""

SCRIPT = """
while read -rt 60 _; do
  read -r now _ </proc/uptime
  read -r _ _ _ _ idle waiting _ </proc/stat
  if ((left-- <= 0)); then
    known=() left=5 cpus=0
    while read -r name _; do
      [[ $name = cpu[0-9]* ]] && ((++cpus))
    done </proc/stat
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
  held=0
  while read -r key count; do
    [[ $key = nr_throttled ]] && held=$count
  done </sys/fs/cgroup/cpu.stat
  line="AT $now $((idle + waiting)) $cpus $held"
  for process in "${known[@]}"; do
    read -r name pid stats <<<"$process"
    held=0 seen=
    for file in $stats; do
      while read -r key count; do
        [[ $key = nr_throttled ]] && held=$((held + count))
      done <"$file"
    done
    line+=" P $name $pid $held"
    for file in /proc/$pid/task/*/schedstat; do
      read -r ran waited times <"$file" || continue
      tid=${file#/proc/*/task/} seen=1
      line+=" ${tid%/*} $ran $waited $times"
    done
    [[ $seen ]] || left=0
  done
  echo "$line"
done 2>/dev/null
""".replace("NAMES", " | ".join(ANSWERING))
"""The bash script on a node: for each line of input it prints one line for `parse`; it ends at the end of input.

It starts no program, which would cost more than all the rest. It looks for new processes when one is gone, and every
sixth time. How often a process was throttled comes from the cgroups of its container and its pod.
"""

_NANOSECONDS = 1e9
_TICKS = 100.0
"""The unit of /proc/stat is a hundredth of a second on every Linux (USER_HZ)."""

_KEPT = 120
_SLACK_SECONDS, _EPSILON_SECONDS = 0.05, 0.001
_SHARE = 0.25
_STARVED_SECONDS, _STILL_SECONDS = 0.025, 0.01
"""Least average wait of a starved process; on two cores, at loads up to 15, it was at most 12 ms."""

_STARVED_PART, _STILL_PART = 0.9, 0.5
"""Least part of the time that one thread of a starved process waits, however short its waits are.

An API server and its store that shared two cores with ten busy loops waited only 3 ms each time, but all the time, and
thousands of requests timed out. Of 4,551 time-outs, 149 were outside of starvation by the length of waits alone, and
none by both criteria; of 67 calm seconds at loads of 5 to 20, three were called starved. To repeat this, give each loop
its own session: all processes of one session share the time of one process (sched(7), autogroup).
"""


@dataclass(frozen=True)
class Process:
    """Figures of one process: how often a limit throttled it (`held`), and for each thread how long it ran and waited.

    `threads` maps a thread's id to (seconds run, seconds waited, times scheduled), each since the thread started.
    """

    name: str
    held: int = 0
    threads: dict[int, tuple[float, float, int]] = field(default_factory=dict)


@dataclass(frozen=True)
class Sample:
    """The processes of a node, by their ids, `at` a time of its own clock (seconds since boot).

    `idle` is for how many seconds a CPU of the machine had nothing to do until then, on average of all CPUs; `held` is
    how often a limit of the whole node held its threads back, where its kernel tells that in the node.
    """

    at: float
    idle: float
    held: int
    processes: Mapping[int, Process]

    @property
    def blank(self) -> bool:
        """Whether there are processes but none ever ran: the kernel does not count."""
        threads = [thread for process in self.processes.values() for thread in process.threads.values()]
        return bool(self.processes) and not any(ran for ran, *_ in threads)


@dataclass(frozen=True)
class Starvation:
    """Processes were starved for `seconds`, up to the current sample; `who` are their names.

    `ran` and `waited` are sums over the threads of the process that waited longest, in seconds.
    """

    seconds: float
    who: tuple[str, ...]
    ran: float
    waited: float


def parse(line: str) -> Sample:
    """Return the sample in a line; raise ValueError if `SCRIPT` did not print it."""
    head, *parts = line.split(" P ")
    word, at, idle, cpus, limited = head.split(" ")
    if word != "AT" or int(cpus) < 1:
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
    return Sample(float(at), int(idle) / _TICKS / int(cpus), int(limited), processes)


class StarvationDetector:
    """Decides, sample by sample of one node, whether a process was starved since the sample before.

    A process is starved if its threads waited 25 ms on average per time scheduled, and for a quarter of the time or
    more in total; while that lasts, 10 ms are enough. It is also starved if one of its threads waited for nine tenths
    of the time, in however many waits; while that lasts, half of the time is enough. The total of all waits says little
    alone: hundreds of short waits, which no request notices, add up to a second and more, ten times the time run. A
    process that waits because it used up its own limit is not starved: the limit, or a fault, wants that, and not the
    machine.

    A thread does not wait while a CPU has nothing to do. One that waited for longer than all CPUs were busy, if they
    were not busy nearly all the time, is left out: the kernel has counted its sleep. Under a limit of the node, or if
    this process has a `limit` of CPUs, which nodes may share, threads wait although CPUs are idle: all are believed.
    """

    def __init__(self, *, limit: bool = False) -> None:
        self._before: Sample | None = None
        self._starved: set[int] = set()
        self._limit = limit
        self._idle: deque[tuple[float, float]] = deque(maxlen=_KEPT)

    def take(self, sample: Sample) -> Starvation | None:
        """Take the next sample, and return the starvation since the one before; None if none is known.

        A thread's wait is counted when the thread gets the CPU, so a long wait may have begun before the sample before.
        """
        before, self._before = self._before, sample
        if before is not None and sample.at <= before.at:
            before = None
            self._idle.clear()
        self._idle.append((sample.at, sample.idle))
        if before is None:
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

    def _grown(self, before: Sample, sample: Sample) -> Iterator[tuple[int, "_Growth"]]:
        """Yield the growth of the figures of each process that is in both samples."""
        for pid, process in sample.processes.items():
            was = before.processes.get(pid)
            if was is not None and was.name == process.name and process.held == was.held:
                threads = _threads_grown(was, process)
                believed = [thread for thread in threads if self._believe(thread[1], before, sample)]
                yield pid, _Growth.of(process.name, believed)

    def _believe(self, waited: float, before: Sample, sample: Sample) -> bool:
        """Whether a thread can have waited that long until a sample: see the class."""
        if waited <= _SLACK_SECONDS or self._limit or sample.held != before.held:
            return True
        window = max(sample.at - before.at, waited)
        idle = next(idle for at, idle in self._idle if at >= sample.at - window - _EPSILON_SECONDS)
        possible = window - (sample.idle - idle)
        return possible >= _STARVED_PART * window or waited <= possible + _SLACK_SECONDS


@dataclass(frozen=True)
class _Growth:
    name: str
    ran: float
    waited: float
    times: int
    longest: float
    """How long one of its threads waited, in sum."""

    @classmethod
    def of(cls, name: str, threads: list[tuple[float, float, int]]) -> "_Growth":
        """Add up what the threads of a process ran, waited, and how often they were scheduled."""
        ran, waited, times = (sum(column) for column in zip((0.0, 0.0, 0), *threads, strict=True))
        return cls(name, ran, waited, int(times), max((thread[1] for thread in threads), default=0.0))

    def starves(self, passed: float, *, still: bool) -> bool:
        """Whether this growth within `passed` seconds is starvation; `still`: the process was starved before."""
        wait, part = (_STILL_SECONDS, _STILL_PART) if still else (_STARVED_SECONDS, _STARVED_PART)
        waits_long = self.waited >= _SHARE * passed and self.waited >= wait * self.times
        return waits_long or self.longest >= part * passed


def _threads_grown(was: Process, process: Process) -> Iterator[tuple[float, float, int]]:
    """Compare two samples of a process; a new thread counts from 0, one whose figures shrink is another thread."""
    for tid, (runs, waits, times) in process.threads.items():
        ran, waited, before = was.threads.get(tid, (0.0, 0.0, 0))
        if runs >= ran and waits >= waited and times >= before:
            yield runs - ran, waits - waited, times - before
