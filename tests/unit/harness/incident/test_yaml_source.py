"""Source: YAML as data with places, and everything else refused with its line and column."""

from pathlib import Path

import pytest

from chaos_harness.harness.errors import BadScenario
from chaos_harness.harness.incident.yaml_source import MOST_BYTES, parse, read

_PATH = Path("a.yaml")


def test_places() -> None:
    """Each part knows its line and column; a part that is missing is where what it is missing from begins."""
    (source,) = parse("title: x\nfaults:\n  - fault: cut\n    at: 3s\n", _PATH)

    assert source.data == {"title": "x", "faults": [{"fault": "cut", "at": "3s"}]}
    assert source.problem(("faults", 0, "at"), "no") == "a.yaml:4:5: faults.0.at: no"
    assert source.problem(("faults", 0, "lasts"), "no") == "a.yaml:3:5: faults.0.lasts: no"
    assert source.problem(("claims",), "is missing") == "a.yaml:1:1: claims: is missing"


def test_values() -> None:
    """Scalars are null, truth, number or text; a date stays text, and a key is text whatever it looks like."""
    (source,) = parse("on: [null, true, 3, 4.5, 2026-01-01, 0x10, '7']", _PATH)

    assert source.data == {"on": [None, True, 3, 4.5, "2026-01-01", 16, "7"]}


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("a: &x [1]\nb: *x\n", "a.yaml:2:4: the alias *x is refused"),
        ("a: &x\n  b: *x\n", "a.yaml:2:6: the alias *x is refused"),
        ("a: !!python/object/apply:os.system [id]\n", "a.yaml:1:4: the tag tag:yaml.org,2002:python/object"),
        ("a: !env HOME\n", "a.yaml:1:4: the tag !env is refused"),
        ("a: 1\nb: 2\na: 3\n", "a.yaml:3:1: 'a' stands here twice"),
        ("? [a]\n: b\n", "a.yaml:1:3: expected a name in front of the colon"),
        ("a: .inf\n", "a.yaml:1:4: a: expected a number, found .inf"),
        (f"a: {'1' * 5000}\n", "a.yaml:1:4: expected a number, found one of 5000 characters"),
        (f"a: 0x{'f' * 5000}\n", "a.yaml:1:4: expected a number"),
        (f"a: 0{'7' * 5000}\n", "a.yaml:1:4: expected a number"),
        (f"a: 0b{'1' * 5000}\n", "a.yaml:1:4: expected a number"),
        (f"a: 1{':59' * 60_000}\n", "a.yaml:1:4: expected a number"),
        (f"a: 1{':59' * 60_000}.5\n", "a.yaml:1:4: expected a number"),
        ("a: 1:30\n", 'a.yaml:1:4: a: write it in quotes, "1:30": without them YAML reads a number to the base of 60'),
        ("a: 0x_\n", "a.yaml:1:4: a: expected a number"),
        ("a: !%1b%5d52;c x\n", "a.yaml:1:4: the tag !\\x1b]52;c is refused"),
        ('"\\e]0;x\\a": .inf\n', "a.yaml:1:13: \\x1b]0;x\\x07: expected a number, found .inf"),
        ("[" * 40 + "]" * 40, "a.yaml:1:31: nested deeper than 30 levels"),
        ("[" + "1," * 20_001 + "]", "more than 20000 values"),
        ("a: [1\n", "a.yaml:2:1: not YAML"),
        ("a: \x01\n", "a.yaml: not YAML"),
    ],
)
def test_refused(text: str, problem: str) -> None:
    """Bombs, circles, code, doubles and what is no data are refused with the place where they stand."""
    with pytest.raises(BadScenario) as error:
        parse(text, _PATH)

    assert error.value.problems[0].startswith(problem) or problem in error.value.problems[0]
    assert len(error.value.problems) == 1


def test_many_problems_below_a_long_name_stay_few_and_short() -> None:
    """What is told of a file is not longer than the file, whatever its names are: the first hundred, and how many."""
    with pytest.raises(BadScenario) as error:
        parse(f"? {'n' * 100_000}\n:\n  - .inf\n" + "  - .nan\n" * 15_000, _PATH)

    assert len(error.value.problems) == 101
    assert error.value.problems[-1] == "and 14901 more problems"
    assert len(str(error.value)) < 20_000


def test_a_bomb_is_refused_before_it_grows() -> None:
    """Nine levels of nine aliases each are refused alias by alias, not expanded."""
    levels = ["a0: &a0 [x]"] + [f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 9)}]" for n in range(1, 10)]

    with pytest.raises(BadScenario) as error:
        parse("\n".join(levels), _PATH)

    assert len(error.value.problems) == 81


@pytest.mark.parametrize(
    ("data", "problem"),
    [
        (b"a: \xff", "expected UTF-8, byte 3 is not"),
        (b"#" * (MOST_BYTES + 1), "is larger than 256 KiB"),
        (None, "cannot be read: No such file"),
    ],
)
def test_files(tmp_path: Path, data: bytes | None, problem: str) -> None:
    """A file that is missing, too large or no text is one problem."""
    path = tmp_path / "a.yaml"
    if data is not None:
        path.write_bytes(data)

    with pytest.raises(BadScenario, match=problem):
        read(path)
