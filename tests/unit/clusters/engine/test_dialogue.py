"""Dialogue: a command that runs on answers lines, and ends with the block, whatever it does."""

import select
from contextlib import suppress

import pytest

from chaos_harness.clusters.deadline import Deadline
from chaos_harness.clusters.engine.dialogue import Dialogue, start_dialogue
from chaos_harness.clusters.errors import HarnessError
from chaos_harness.clusters.machine.orphans import members

_ECHO = ["bash", "-c", 'while read -r line; do echo "$$ $line"; done']


def heard(spoken: Dialogue) -> list[str]:
    """Return the next lines that are told."""
    deadline = Deadline.after(10, "a line")
    while not deadline.expired:
        select.select([spoken], [], [], deadline.remaining)
        if (lines := spoken.hear()) or spoken.ended:
            return lines
    raise deadline.error()


def test_lines_are_answered_one_by_one() -> None:
    """What is said is read at once, and nothing is told that nobody asked for."""
    with start_dialogue(_ECHO) as spoken:
        for word in ("one", "two"):
            spoken.say(word)
            assert [line.split()[1] for line in heard(spoken)] == [word]
        assert spoken.hear() == []
        assert not spoken.ended


def test_half_a_line_is_kept_until_it_is_whole() -> None:
    """A line is never told in two."""
    with start_dialogue(["bash", "-c", "printf one; read -r; echo two; read -r; printf three"]) as spoken:
        select.select([spoken], [], [], 10)
        assert spoken.hear() == []
        spoken.say("")
        assert heard(spoken) == ["onetwo"]
        spoken.say("")
        lines: list[str] = []
        while not spoken.ended:
            lines += heard(spoken)
        assert lines == ["three"]


def test_who_can_read_no_more_ends() -> None:
    """A command that ends when its input does leaves in peace."""
    with start_dialogue(_ECHO) as spoken:
        spoken.say("")
        pid = int(heard(spoken)[0])
    assert members(pid) == []


@pytest.mark.parametrize("error", [None, ZeroDivisionError])
def test_who_does_not_end_is_ended(error: type[Exception] | None) -> None:
    """Neither does a command outlive the block that reads nothing, nor one whose block fails."""
    pid = 0
    with suppress(ZeroDivisionError), start_dialogue(["bash", "-c", "echo $$; sleep 600; echo"]) as spoken:
        pid = int(heard(spoken)[0])
        assert members(pid)
        if error:
            raise error
    assert members(pid) == []


def test_an_end_is_heard() -> None:
    """What a command says last, of errors too, is told with its end; what is said to it then is lost."""
    with start_dialogue(["bash", "-c", "echo no such thing >&2; exit 3"]) as spoken:
        lines: list[str] = []
        while not spoken.ended:
            lines += heard(spoken)
        spoken.say("hello?")
        assert lines == ["no such thing"]


def test_a_program_that_is_missing() -> None:
    """It is told by name."""
    with (
        pytest.raises(HarnessError, match="no-such-program: no such program on PATH"),
        start_dialogue(["no-such-program"]),
    ):
        pass
