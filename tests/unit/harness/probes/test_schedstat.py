"""Schedstat: what nodes tell of threads is read, and who waits long each time that he wants to run is starved."""

import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from chaos_harness.clusters.deadline import Deadline
from chaos_harness.harness.probes.schedstat import SCRIPT, Starvation, StarvationDetector, parse

Threads = dict[int, tuple[float, float]]
_TIMES = 10
"""How often a thread is let run in a second."""


def line(
    at: float,
    threads: Threads,
    *,
    name: str = "manager",
    pid: int = 812,
    held: int = 0,
    times: int = 0,
    idle: float = 0.0,
    limited: int = 0,
) -> str:
    """Return a line as a node tells it, of one process; threads have seconds run and waited.

    Each of its two CPUs was `idle` for so many seconds.
    """
    times = times or round(at * _TIMES)
    figures = " ".join(
        f"{tid} {round(ran * 1e9)} {round(waited * 1e9)} {times}" for tid, (ran, waited) in threads.items()
    )
    return f"AT {at:.2f} {round(idle * 200)} 2 {limited} P {name} {pid} {held} {figures}".rstrip()


def starved(*lines: str, limit: bool = False) -> list[Starvation | None]:
    """Return what is reported for each line."""
    starving = StarvationDetector(limit=limit)
    return [starving.take(parse(text)) for text in lines]


def grows(*steps: tuple[float, float], times: int = _TIMES, threads: int = 1) -> list[str]:
    """Return lines of each second of a process whose threads run and wait so long in each, in sum, so many `times`."""

    def lines() -> Iterator[str]:
        ran, waited = 5.0, 7.0
        for number, (runs, waits) in enumerate([(0.0, 0.0), *steps], start=100):
            ran, waited = ran + runs, waited + waits
            figures = dict.fromkeys(range(812, 812 + threads), (ran / threads, waited / threads))
            yield line(number, figures, times=number * times // threads)

    return list(lines())


def test_a_recorded_line() -> None:
    """A line of a control plane: its processes by their ids, and seconds of each thread."""
    sample = parse(
        "AT 25855.30 1942452 2 4 P etcd 612 0 612 176587933 142463617 95 640 1000000000 2500000000 7"
        " P kube-apiserver 623 3 623 0 0 1"
    )
    assert (sample.at, sample.idle, sample.held) == (25855.3, 9712.26, 4)
    assert {pid: (process.name, process.held) for pid, process in sample.processes.items()} == {
        612: ("etcd", 0),
        623: ("kube-apiserver", 3),
    }
    assert sample.processes[612].threads == {612: (0.176587933, 0.142463617, 95), 640: (1.0, 2.5, 7)}
    assert parse("AT 25855.30 0 1 0").processes == {}


@pytest.mark.parametrize(
    "garbage",
    [
        "",
        "AT",
        "AT soon",
        "AT soon 0 2 0",
        "AT 1.00 0 0 0",
        "AT 1.00 0 2",
        "Error response from daemon: container is not running",
        "AT 1.00 0 2 0 P etcd 612",
        "AT 1.00 0 2 0 P etcd 612 0 613 4",
        "AT 1.00 0 2 0 P etcd 612 0 613 4 5",
        "AT 1.00 0 2 0 P etcd 612 0 613 4 5 x",
        "AT 1.00 0 2 0 P etcd x 0 613 4 5 6",
        "AT 1.00 0 2 0 P ",
    ],
)
def test_garbage(garbage: str) -> None:
    """What is no such line, or is half of one, is refused."""
    with pytest.raises(ValueError):  # noqa: PT011 - all that `parse` promises
        parse(garbage)


def test_who_waits_long_is_starved() -> None:
    """Each of ten times he waited for 60 ms, and is told with what he waited and ran."""
    first, second = starved(*grows((0.02, 0.6)))
    assert first is None
    assert second is not None
    assert (second.seconds, second.who) == (1.0, ("manager",))
    assert second.ran == pytest.approx(0.02)
    assert second.waited == pytest.approx(0.6)


@pytest.mark.parametrize(
    ("waited", "times"),
    [(0.2, 4), (1.2, 150), (2.5, 1800), (0.0, 0)],
    ids=["seldom", "load 15", "load 20", "idle"],
)
def test_who_waits_seldom_or_for_moments_is_not(waited: float, times: int) -> None:
    """Hundreds of short waits are no starving, whatever their sum is: so a busy machine is, up to a load of 15."""
    assert starved(*grows(*[(0.02, waited)] * 5, times=times, threads=4)) == [None] * 6


def test_who_waits_for_moments_all_the_time_is_starved() -> None:
    """A thread that waited for 0.92 s of a second, 3 ms each time, always had something to do, and got to little."""
    _, second = starved(*grows((0.05, 0.92), times=300))
    assert second is not None
    assert (second.seconds, second.who) == (1.0, ("manager",))
    assert starved(*grows((0.05, 0.88), times=300)) == [None, None]
    assert starved(*grows((0.05, 0.92), times=300, threads=2)) == [None, None]


def test_waiting_for_moments_does_not_end_with_the_first_better_second() -> None:
    """As long as a thread waits for half of the time, it goes on; what begins so is nothing."""
    seconds = starved(*grows((0.05, 0.6), (0.05, 0.95), (0.05, 0.55), (0.05, 0.45), (0.05, 0.55), times=300))
    assert [mark is not None for mark in seconds] == [False, False, True, True, False, False]


def test_a_stretch_does_not_end_with_the_first_better_second() -> None:
    """As long as it goes on, less of it will do; what begins so is nothing."""
    less, little = (0.02, 0.26), (0.02, 0.14)
    starvations = starved(*grows(less, (0.02, 0.6), less, less, little, less, times=11))
    assert [starvation is not None for starvation in starvations] == [False, False, True, True, True, False, False]


def test_a_long_wait_reaches_back() -> None:
    """A thread that waited for three seconds is told of only then: it was starved since."""
    *_, last = starved(*grows((0.0, 0.0), (0.0, 0.0), (0.001, 2.9)))
    assert last is not None
    assert last.seconds == pytest.approx(2.9)


def test_all_threads_of_a_process_count() -> None:
    """Its threads wait side by side, and none of them for as long as it takes."""
    before, after = (dict.fromkeys(range(4), (1.0, waited)) for waited in (1.0, 1.3))
    _, starvation = starved(line(1, before), line(2, after))
    assert starvation is not None
    assert starvation.waited == pytest.approx(1.2)
    assert starvation.seconds == 1.0


def test_several_processes() -> None:
    """Each is judged by itself: a busy API server does not hide a webhook that is starved."""
    first = "AT 1.00 0 2 0 P kube-apiserver 9 0 9 5000000000 5000000000 50 P manager 8 0 8 0 0 0"
    second = "AT 2.00 0 2 0 P kube-apiserver 9 0 9 5500000000 5500000000 990 P manager 8 0 8 1000000 700000000 9"
    _, starvation = starved(first, second)
    assert starvation is not None
    assert starvation.who == ("manager",)


def test_what_was_there_before_the_first_look_is_no_growth() -> None:
    """Neither of the first line, nor of a process that has only now been found: since when, nobody knows."""
    assert starved(line(1, {812: (0.1, 50.0)}), line(2, {900: (0.1, 50.0)}, pid=900)) == [None, None]


def test_a_thread_that_begins_counts_and_one_that_ends_does_not() -> None:
    """What a new one waited it waited since; of one that is gone nothing more is known."""
    both, one = {1: (1.0, 1.0), 2: (0.01, 0.9)}, {1: (1.0, 1.0)}
    assert [starvation is not None for starvation in starved(line(1, one), line(2, both), line(3, one))] == [
        False,
        True,
        False,
    ]


@pytest.mark.parametrize("again", [{812: (0.01, 4.0)}, {812: (4.0, 0.01)}], ids=["ran less", "waited less"])
def test_figures_that_shrink_are_another_ones(again: Threads) -> None:
    """A container that was restarted may have the same pid, and counters may wrap: from there on it is counted anew."""
    assert starved(line(1, {812: (3.0, 3.0)}), line(2, again)) == [None, None]
    ran, waited = again[812]
    *_, starvation = starved(line(1, {812: (3.0, 3.0)}), line(2, again), line(3, {812: (ran, waited + 0.9)}))
    assert starvation is not None


def test_a_pid_that_is_another_commands() -> None:
    """Its figures are not compared with those of who had the pid before."""
    assert starved(line(1, {812: (0.0, 0.0)}), line(2, {812: (0.0, 0.9)}, name="etcd")) == [None, None]


def test_who_has_used_up_a_limit_of_his_own_is_not_starved() -> None:
    """That he has to wait is what a fault did to him, or his manifest: an engineer must not lose sight of it."""
    before, after = {812: (1.0, 1.0)}, {812: (1.01, 1.9)}
    assert starved(line(1, before, held=3), line(2, after, held=4)) == [None, None]
    assert starved(line(1, before, held=4), line(2, after, held=4))[1] is not None


def test_nobody_waits_while_a_cpu_is_idle() -> None:
    """The kernel counts sleep as waiting at times: in a second in which CPUs were idle for 0.5 s nobody waited 0.9."""
    before, after = {812: (1.0, 1.0)}, {812: (1.005, 1.9)}
    assert starved(line(1, before), line(2, after, idle=0.5)) == [None, None]
    assert starved(line(1, before), line(2, after, idle=0.05))[1] is not None
    assert starved(line(1, before, idle=7.0), line(2, {812: (1.005, 1.5)}, idle=7.5))[1] is not None


def test_of_many_threads_only_that_one_is_not_believed() -> None:
    """What the others waited counts."""
    before = dict.fromkeys(range(5), (1.0, 1.0))
    after = dict.fromkeys(range(5), (1.0, 1.3)) | {4: (1.0, 2.9)}
    starvation = starved(line(1, before), line(2, after, idle=0.5))[1]
    assert starvation is not None
    assert starvation.waited == pytest.approx(1.2)


def test_a_wait_that_reaches_back_is_compared_with_all_of_its_time() -> None:
    """Of four seconds the CPUs were idle for two: no thread waited three of them. What came before is not known."""
    still = [line(at, {812: (1.0, 1.0)}, idle=0.5 * at) for at in range(1, 5)]
    assert starved(*still, line(5, {812: (1.0, 4.0)}, idle=2.5))[-1] is None
    busy = [line(at, {812: (1.0, 1.0)}) for at in range(1, 5)]
    assert starved(*busy, line(5, {812: (1.0, 4.0)}, idle=0.2))[-1] is not None
    assert starved(*still[2:], line(5, {812: (1.0, 40.0)}, idle=2.5))[-1] is not None


def test_under_a_limit_threads_wait_although_cpus_are_idle() -> None:
    """Of the whole node, which its kernel tells, or of this process, which nodes may share."""
    before, after = line(1, {812: (1.0, 1.0)}), line(2, {812: (1.0, 1.95)}, idle=0.9, limited=3)
    assert starved(before, after)[1] is not None
    after = line(2, {812: (1.0, 1.95)}, idle=0.9)
    assert starved(before, after)[1] is None
    assert starved(before, after, limit=True)[1] is not None


def test_a_node_that_was_away() -> None:
    """What came in a minute is a minute's; a clock that did not go on tells nothing."""
    assert starved(line(1, {812: (1.0, 1.0)}), line(61, {812: (1.0, 3.0)})) == [None, None]
    _, starvation = starved(line(1, {812: (1.0, 1.0)}), line(61, {812: (1.0, 41.0)}))
    assert starvation is not None
    assert starvation.seconds == 60.0
    assert starved(line(2, {812: (1.0, 1.0)}), line(1, {812: (1.0, 3.0)}), line(1, {812: (1.0, 5.0)})) == [None] * 3


def test_a_kernel_that_does_not_count() -> None:
    """It is told from processes that never had to wait, and from a node without any."""
    blank = [
        parse(text).blank
        for text in (line(1, {812: (0.0, 0.0)}), line(1, {}), line(1, {812: (0.1, 0.0)}), "AT 1 0 2 0")
    ]
    assert blank == [True, True, False, False]


def test_the_script_tells_what_can_be_read() -> None:
    """On this machine, of a process with one of the names: all its lines can be read, and it ends when nobody asks."""
    with subprocess.Popen(["bash", "-c", "exec -a x sleep 60"]) as sleeper:
        try:
            for _ in Deadline.after(30, "bash to become sleep").attempts(first=0.01):  # until then it is bash
                if Path(f"/proc/{sleeper.pid}/comm").read_text(encoding="ascii") == "sleep\n":
                    break
            script = SCRIPT.replace("manager |", "sleep |")
            done = subprocess.run(
                ["bash", "-c", script], input="\n\n", capture_output=True, text=True, timeout=60, check=True
            )
        finally:
            sleeper.kill()
    samples = [parse(text) for text in done.stdout.splitlines()]
    assert len(samples) == 2
    assert samples[0].at <= samples[1].at
    processes = [sample.processes.get(sleeper.pid) for sample in samples]
    assert [process.name if process else "" for process in processes] == ["sleep", "sleep"]
    assert [list(process.threads) if process else [] for process in processes] == [[sleeper.pid]] * 2
