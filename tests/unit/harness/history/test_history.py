"""History: every entry once, in its order, whatever happens to the writer."""

import json
import resource
import signal
import subprocess
import sys
import tempfile
import threading
import time
import tomllib
import tracemalloc
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from chaos_harness import harness
from chaos_harness.harness.errors import BadScenario, HarnessError
from chaos_harness.harness.history import SCHEMA, Entry, HistoryWriter, read, recorded
from tests.thorough import examples

JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=8,
)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "history.jsonl"


@pytest.fixture
def history(path: Path) -> Iterator[HistoryWriter]:
    history = HistoryWriter(path, "run-1")
    yield history
    history.close()


def test_header(history: HistoryWriter, path: Path) -> None:
    """The first line says which schema it is, whose run, since when, and which version wrote it."""
    header = read(path).header
    assert (header.schema, header.run, header.harness) == (SCHEMA, "run-1", harness.__version__)
    assert json.loads(path.read_text().splitlines()[0])["started"] == header.started


def test_version() -> None:
    """The version in the header is the package's."""
    project = Path(__file__).parents[4] / "pyproject.toml"
    assert tomllib.loads(project.read_text())["project"]["version"] == harness.__version__


@given(values=st.lists(st.tuples(st.text(), st.text(), JSON), max_size=5))
@settings(max_examples=examples(50))
def test_round_trip(values: list[tuple[str, str, Any]]) -> None:
    """What is appended is read back, whatever JSON it is."""
    with tempfile.TemporaryDirectory() as directory:
        path = Path(directory, "history.jsonl")
        history = HistoryWriter(path)
        written = [history.append("info", process, f, value) for process, f, value in values]
        history.close()
        assert list(read(path).entries) == written


def test_threads(history: HistoryWriter, path: Path) -> None:
    """What eight threads append is all there, each once, and the order of indices is that of the file."""

    def work(process: str) -> None:
        for number in range(200):
            history.append("invoke", process, "ask", number)

    threads = [threading.Thread(target=work, args=(f"probe-{number}",)) for number in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    entries = list(read(path).entries)
    assert [entry.index for entry in entries] == list(range(1600))
    assert [entry.at for entry in entries] == sorted(entry.at for entry in entries)
    for number in range(8):
        assert [entry.value for entry in entries if entry.process == f"probe-{number}"] == list(range(200))


def test_both_clocks(history: HistoryWriter, path: Path) -> None:
    """An entry has the seconds since the beginning and the time of day."""
    entry = history.append("mark", "experiment", "steady")
    assert 0 <= entry.at < 60
    assert entry.wall - read(path).header.started == pytest.approx(entry.at, abs=5)


class Clock:
    """A wall clock that a test sets."""

    def __init__(self) -> None:
        self.now = 1_700_000_000.0

    def __call__(self) -> float:
        return self.now


@pytest.mark.parametrize("seconds", [3600, -3600, 0.5])
def test_clock_jump(path: Path, seconds: float) -> None:
    """A jump of the wall clock stands in front of the entry that noticed it, once."""
    clock = Clock()
    history = HistoryWriter(path, wall=lambda: clock() + time.monotonic())
    history.append("mark", "experiment", "before")
    clock.now += seconds
    for name in ("after", "later"):
        history.append("mark", "experiment", name)
    history.close()
    entries = list(read(path).entries)
    assert [(entry.kind, entry.f) for entry in entries] == [
        ("mark", "before"),
        ("info", "clock-jump"),
        ("mark", "after"),
        ("mark", "later"),
    ]
    assert entries[1].value["seconds"] == pytest.approx(seconds, abs=0.1)


def test_a_writer_that_is_held_up_at_its_begin_saw_no_jump(path: Path) -> None:
    """Between its first two looks at the clocks the machine may do something else for a while."""
    clock, held_up = Clock(), [0.15]

    def wall() -> float:
        if held_up:
            threading.Event().wait(held_up.pop())
        return clock() + time.monotonic()

    history = HistoryWriter(path, wall=wall)
    history.append("mark", "experiment", "first")
    history.close()
    assert [entry.f for entry in read(path).entries] == ["first"]


def test_clock_drift(path: Path) -> None:
    """A wall clock that is set right little by little has not jumped."""
    clock = Clock()
    history = HistoryWriter(path, wall=lambda: clock() + time.monotonic())
    for _ in range(9):
        clock.now += 0.04
        history.append("mark", "experiment", "step")
    history.close()
    assert {entry.f for entry in read(path).entries} == {"step"}


def test_a_history_says_that_it_is_whole(history: HistoryWriter, path: Path) -> None:
    """A history that was finished has ended; one that was left, or cut anywhere, has not, but for its own writer."""
    history.append("mark", "experiment", "step")
    assert not read(path).ended
    assert read(path, so_far=True).ended
    history.finish()
    assert read(path).ended
    path.write_bytes(path.read_bytes()[:-1])
    assert not read(path).ended


def test_an_old_history_had_no_end_mark(history: HistoryWriter, path: Path) -> None:
    """A history of schema 1 has ended unless it is cut."""
    history.append("mark", "experiment", "step")
    path.write_text(path.read_text().replace(f'"schema":{SCHEMA}', '"schema":1', 1))
    assert read(path).ended
    path.write_bytes(path.read_bytes()[:-1])
    assert not read(path).ended


def test_kill(path: Path) -> None:
    """After kill -9 every entry whose append returned is in the file."""
    program = (
        "import sys; from pathlib import Path; from chaos_harness.harness.history import HistoryWriter\n"
        "history = HistoryWriter(Path(sys.argv[1]))\n"
        "while True: print(history.append('info', 'p', 'f', 'x' * 500).index, flush=True)\n"
    )
    with subprocess.Popen([sys.executable, "-c", program, path], stdout=subprocess.PIPE, text=True) as writer:
        assert writer.stdout
        last = [int(writer.stdout.readline()) for _ in range(300)][-1]
        writer.send_signal(signal.SIGKILL)
    assert len(list(read(path).entries)) > last


@given(st.integers(0, 200))
def test_torn_line(lost: int) -> None:
    """A file cut off anywhere gives the entries before the cut, and says that it is cut off."""
    with tempfile.TemporaryDirectory() as directory:
        path = Path(directory, "history.jsonl")
        history = HistoryWriter(path)
        header = path.stat().st_size
        for number in range(3):
            history.append("info", "p", "f", number)
        history.close()
        content = path.read_bytes()
        size = max(header, len(content) - lost)
        path.write_bytes(content[:size])
        recorded = read(path)
        whole = content[:size].count(b"\n") - 1
        assert [entry.value for entry in recorded.entries] == list(range(whole))
        assert recorded.truncated == (not content[:size].endswith(b"\n"))


def _line(**other: Any) -> bytes:
    fields = {"index": 1, "kind": "info", "process": "p", "f": "f", "value": None, "at": 1.0, "wall": 1.0}
    return json.dumps(fields | other).encode()


@pytest.mark.parametrize(
    "line",
    [
        b"{broken",
        b"[]",
        b"7",
        b"\xff",
        b"",
        b"[" * 100_000,
        b'{"index":1,"kind":"info","process":"p","f":"f","value":' + b'{"a":' * 100_000,
        b'{"index":1,"kind":"info","process":"p","f":"f","value":' + b"9" * 5000 + b',"at":1.0,"wall":1.0}',
        b'{"index":1,"kind":"info"}',
        *(_line(**{field: []}) for field in ("index", "kind", "process", "f", "at", "wall")),
        *(_line(**{field: True}) for field in ("index", "at", "wall")),
        b'{"index":1,"kind":"info","process":"p","f":"f","value":null,"at":1.0,"wall":1.0,"more":1}',
        b'{"index":1,"kind":"info","process":"p","f":"f","value":null,"at":1.0,"wall":1.0} {}',
    ],
)
def test_broken_in_the_middle(history: HistoryWriter, path: Path, line: bytes) -> None:
    """A broken line that is not the last, or one that is no entry and nothing else, is an error that names it."""
    history.append("info", "p", "f")
    with path.open("ab") as file:
        file.write(line + b"\n")
    history.append("info", "p", "f")
    with pytest.raises(HarnessError, match=r"history.jsonl:3: expected an entry, found b'") as error:
        list(read(path).entries)
    assert str(line[:80]).removeprefix("b'").removesuffix("'") in str(error.value)


def test_read_again_and_again(history: HistoryWriter, path: Path) -> None:
    """What is recorded can be iterated again, and stays as it was when it was read."""
    history.append("info", "p", "before")
    recorded = read(path)
    history.append("info", "p", "after")
    assert [entry.f for entry in recorded.entries] == ["before"]
    assert [entry.f for entry in recorded.entries] == ["before"]


def test_memory(history: HistoryWriter, path: Path) -> None:
    """Reading takes memory for an entry, not for the file."""
    for _ in range(2000):
        history.append("info", "p", "f", "x" * 2000)
    tracemalloc.start()
    try:
        assert sum(1 for _ in read(path).entries) == 2000
        assert tracemalloc.get_traced_memory()[1] < 500_000 < path.stat().st_size
    finally:
        tracemalloc.stop()


def test_newer_schema(path: Path) -> None:
    """A history of a newer schema is refused, with the version that wrote it."""
    path.write_text(json.dumps({"schema": SCHEMA + 1, "run": "r", "started": 0, "harness": "9.9"}) + "\n")
    with pytest.raises(BadScenario, match=rf"schema {SCHEMA + 1}, written by chaos-harness 9\.9"):
        read(path)


@pytest.mark.parametrize(
    "content",
    [
        "",
        '{"schema": 1, "ru',
        "[]\n",
        "hello\n",
        "[" * 100_000,
        '{"schema": "2", "run": "r", "started": 0, "harness": "9.9"}',
        '{"schema": true, "run": "r", "started": 0, "harness": "9.9"}',
        '{"schema": 2, "run": ["r"], "started": 0, "harness": "9.9"}',
        '{"schema": 2, "run": "r", "started": "0", "harness": "9.9"}',
        '{"schema": 2, "run": "r", "started": 0, "harness": {}}',
    ],
)
def test_no_header(path: Path, content: str) -> None:
    """A file that does not begin as a history is refused, with what it begins with."""
    path.write_text(content)
    with pytest.raises(BadScenario, match="expected a history's header in line 1"):
        read(path)


def test_a_stranger_s_version_is_shown(path: Path) -> None:
    """What a history of a newer schema calls its version is short and harms no terminal."""
    path.write_text(json.dumps({"schema": 10**4000, "run": "", "started": 0, "harness": "\x1b]52;c;cm0=\x07" * 9}))
    with pytest.raises(BadScenario, match=r"written by chaos-harness \\x1b\]52") as error:
        read(path)
    assert str(error.value).isprintable()
    assert len(str(error.value)) < 500


@pytest.mark.parametrize("end", [b"", b"\n"])
def test_a_giant_line_is_refused(
    history: HistoryWriter, path: Path, monkeypatch: pytest.MonkeyPatch, end: bytes
) -> None:
    """Of a line without an end no more is read than the longest that there can be; it is named, wherever it stands."""
    monkeypatch.setattr(recorded, "_MOST_BYTES", 1 << 20)
    history.append("info", "p", "f")
    with path.open("ab") as file:
        file.write(b'"' + b"x" * (10 << 20) + end)
    tracemalloc.start()
    try:
        with pytest.raises(HarnessError, match=r"history.jsonl:3: expected an entry"):
            list(read(path).entries)
        assert tracemalloc.get_traced_memory()[1] < 4 << 20
    finally:
        tracemalloc.stop()


def test_no_file(path: Path) -> None:
    """A history that is not there is said to be not there."""
    with pytest.raises(BadScenario, match="no history can be read: No such file"):
        read(path)


def test_one_run(history: HistoryWriter, path: Path) -> None:
    """A history never goes on in a file of another run."""
    with pytest.raises(HarnessError, match="belongs to one run"):
        HistoryWriter(path)


@pytest.mark.parametrize("value", [object(), float("nan"), {1j: 1}])
def test_not_json(history: HistoryWriter, path: Path, value: object) -> None:
    """A value that is not JSON is the caller's mistake and leaves no trace."""
    with pytest.raises((TypeError, ValueError)):
        history.append("info", "p", "f", value)
    assert history.append("info", "p", "f").index == 0
    assert len(list(read(path).entries)) == 1


def test_full_disk(history: HistoryWriter, path: Path) -> None:
    """A line that the disk takes in part is taken back, and the history goes on where there is room."""
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (path.stat().st_size + 20, limits[1]))
    try:
        with pytest.raises(HarnessError, match=r"took 20 of \d+ bytes; see `df "):
            history.append("info", "p", "f", "lost")
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
    entry = history.append("info", "p", "f", "kept")
    assert list(read(path).entries) == [entry]
    assert entry == Entry(0, "info", "p", "f", "kept", entry.at, entry.wall)


def test_no_room_at_all(history: HistoryWriter, path: Path) -> None:
    """A disk that takes nothing is an error that names the file."""
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (path.stat().st_size, limits[1]))
    try:
        with pytest.raises(HarnessError, match=r"history.jsonl: cannot be written: File too large; see `df "):
            history.append("info", "p", "f", "lost")
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)


def test_closed(history: HistoryWriter) -> None:
    """A closed history takes nothing."""
    history.close()
    with pytest.raises(HarnessError, match="closed"):
        history.append("info", "p", "f")
