"""Streams: what cannot be written is lost, and nothing else."""

import io
import os
import subprocess
import sys
from pathlib import Path

import pytest

from chaos_harness.clusters.terminal.lossy_stream import LossyStream, open_copy
from chaos_harness.clusters.terminal.progress import Progress


def _pipe() -> LossyStream:
    """Return a stream on a pipe that nobody reads any more."""
    reading, writing = os.pipe()
    os.close(reading)
    return LossyStream(os.fdopen(writing, "w", buffering=1))


def test_a_reader_that_has_gone() -> None:
    """Steps go on, their errors come out, and closing the stream raises nothing."""
    stream = _pipe()
    progress, done = Progress(stream.as_text()), []

    def remove() -> None:
        with progress.step("remove"):
            done.append("removed")
            raise ValueError("ours")

    with pytest.raises(ValueError, match="ours"):
        remove()
    progress.say("done")
    assert done == ["removed"]
    assert isinstance(stream.lost, BrokenPipeError)
    stream.close()


def test_a_full_disk() -> None:
    """The error is kept for whoever asks, and later text goes nowhere."""
    with Path("/dev/full").open("w", encoding="utf-8") as file:
        stream = LossyStream(file)
        stream.writelines(["a\n", "b\n"])
        stream.flush()
        assert isinstance(stream.lost, OSError)
        stream.write("more")


def test_a_closed_stream() -> None:
    """Text for a stream that somebody closed is lost."""
    stream = io.StringIO()
    stream.close()
    lossy = LossyStream(stream)
    assert lossy.write("text") == 4
    assert isinstance(lossy.lost, ValueError)


def test_a_small_alphabet() -> None:
    """What an encoding lacks is a question mark, and the rest is written."""
    written = io.BytesIO()
    stream = LossyStream(io.TextIOWrapper(written, encoding="ascii"))
    Progress(stream.as_text()).say("✓ done")
    assert (written.getvalue(), stream.lost) == (b"? done\n", None)


def test_a_copy_of_a_closed_descriptor_leads_nowhere() -> None:
    """A run whose standard error was closed has somewhere to tell."""
    program = (
        "import os; os.close(2)\n"
        "from chaos_harness.clusters.terminal.lossy_stream import open_copy\n"
        "s = open_copy(2); s.write('x'); s.flush()\n"
        "print(s.lost)"
    )
    root = Path(__file__).parents[4]
    done = subprocess.run([sys.executable, "-c", program], cwd=root, capture_output=True, text=True, check=True)
    assert done.stdout == "None\n"


def test_a_copy_is_ones_own(capfd: pytest.CaptureFixture[str]) -> None:
    """Closing it leaves the original open."""
    copy = open_copy(1)
    copy.write("told\n")
    copy.close()
    os.write(1, b"more\n")
    assert capfd.readouterr().out == "told\nmore\n"
