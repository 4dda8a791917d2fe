"""English: no module asks what a message for people says; what one tells another is a value."""

from pathlib import Path

import pytest

from tests.english import readings

_ROOT = Path(__file__).parents[2]
_FOLDERS = ("clusters", "harness", "reports", "scenarios")

_ALLOWED = {
    ("harness/history/faults.py", "self.heal_proof.startswith(_NOTHING)"): (
        "histories written before INJECT had `one_shot` said it in no other way"
    ),
    ("reports/records.py", 'report.longrepr[2].removeprefix("Skipped: ")'): (
        "pytest gives a report of a skipped test the reason in this form only"
    ),
}
"""What reads a message all the same, with the reason; what is not there any more must not stand here."""


def _read_in(function: str) -> list[str]:
    return [reading.code for reading in readings({"a.py": function})]


def test_nobody_reads_english() -> None:
    """A better wording changes nothing but words."""
    paths = [path for folder in _FOLDERS for path in sorted((_ROOT / folder).rglob("*.py"))]
    assert paths, "looked in the wrong place"
    read = readings({path.relative_to(_ROOT).as_posix(): path.read_text(encoding="utf-8") for path in paths})

    known = {(reading.path, reading.code) for reading in read}
    problems = [f"{path}:{line}: {code}" for path, line, code in read if (path, code) not in _ALLOWED]
    assert "\n".join(problems) == ""
    assert _ALLOWED.keys() - known == set(), "these are allowed, and gone"


@pytest.mark.parametrize(
    ("planted", "code"),
    [
        ("def f(lived): return lived.error.startswith('BadScenario')", "lived.error.startswith('BadScenario')"),
        ("def f(band): return band.heal_proof.endswith('heal')", "band.heal_proof.endswith('heal')"),
        ("def f(verdict): first, *_ = verdict.summary.split('; ')", "verdict.summary.split('; ')"),
        ("def f(summary): return summary.partition('; ')", "summary.partition('; ')"),
        ("def f(claim): return 'lost' in claim.summary", "'lost' in claim.summary"),
        ("def f(run): return run.error == 'no cluster'", "run.error == 'no cluster'"),
        ("def f(run): return 'no cluster' != run.error", "'no cluster' != run.error"),
        ("import re\ndef f(message): return re.search('lost', message)", "re.search('lost', message)"),
        ("def f(test): return _PRODUCT.match(test.message)", "_PRODUCT.match(test.message)"),
        ("try:\n    g()\nexcept OSError as error:\n    a = 'full' in str(error)", "'full' in str(error)"),
        ("try:\n    g()\nexcept OSError as why:\n    a = f'{why}'.rsplit(':')", "f'{why}'.rsplit(':')"),
        ("try:\n    g()\nexcept OSError as why:\n    a = why.args[0].split(':')", "why.args[0].split(':')"),
        (
            "try:\n    g()\nexcept OSError as error:\n    last = str(error)\n    if 'full' in last: pass",
            "'full' in last",
        ),
        ("def f(error: Exception): return repr(error).find('full')", "repr(error).find('full')"),
        ("def f(error: 'ValueError | None'): return str(error).count('a')", "str(error).count('a')"),
        ("def f(errors: list[Exception]):\n for one in errors: str(one).index('a')", "str(one).index('a')"),
        ("def f(call): return 'full' in str(call.excinfo.value)", "'full' in str(call.excinfo.value)"),
        ("def f(call): return call.excinfo.exconly().startswith('a')", "call.excinfo.exconly().startswith('a')"),
        (
            "def f(problem): return problem['msg'].removeprefix('Value error, ')",
            "problem['msg'].removeprefix('Value error, ')",
        ),
        (
            "def f(entry): return entry.value.get('proof').lower().split(',')",
            "entry.value.get('proof').lower().split(',')",
        ),
        ("def f(message):\n for line in message.splitlines(): line.startswith(' ')", "line.startswith(' ')"),
        ("def f(run): return [w for w in run.error.splitlines() if w.endswith('.')]", "w.endswith('.')"),
        ("def f(a): return ', '.join(c.summary for c in a).split(';')", "', '.join(c.summary for c in a).split(';')"),
        ("def f(message):\n match message.lower():\n  case 'lost': return 1", "message.lower()"),
        ("def f(a, message): return (a or message).strip().startswith('b')", "(a or message).strip().startswith('b')"),
        (
            "def f(found): return getattr(found, 'summary').split()[0] == 'none'",
            "getattr(found, 'summary').split()[0] == 'none'",
        ),
        (
            "class Kind:\n def __str__(self): return 'a of b'\ndef f(kind: Kind): return str(kind).rpartition(' of ')",
            "str(kind).rpartition(' of ')",
        ),
        (
            "class Kind:\n def __str__(self): return 'a'\ndef f(k: list[Kind]): return ['a' in w for w in map(str, k)]",
            "'a' in w",
        ),
        ("def f(message):\n  def g(): return 'lost' in message\n  return g", "'lost' in message"),
    ],
)
def test_a_reader_of_english_is_found(planted: str, code: str) -> None:
    """However the message came there: a field, an error, a parameter, or what was made of one."""
    assert _read_in(planted) == [code]


@pytest.mark.parametrize(
    "harmless",
    [
        "def f(path): return path.name.startswith('a')",
        "def f(done): return 'No such container' in done.stderr",
        "def f(event): return event.get('message', '').startswith('Error: ')",
        "def f(run): return run.reason == 'refused'",
        "def f(run): return '; '.join([run.error, run.error.strip()])",
        "def f(run): return run.error == ''",
        "def f(run): return run.error is not None",
        "def f(problem): return problem['type'] == 'missing'",
        "try:\n    g()\nexcept OSError as error:\n    a = error.errno == 2 and ' '.join(str(error).split())",
        "def f(errors, said): return [one for one in errors if str(one) not in said]",
        "def f(message):\n  def g(message2): return 'lost' in message2\n  return g",
        "def f(value): return str(value['image']).partition('@')",
    ],
)
def test_values_and_what_other_programs_write_may_be_read(harmless: str) -> None:
    """Also an error's number, and a message that is shown."""
    assert _read_in(harmless) == []
