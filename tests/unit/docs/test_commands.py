"""Commands: each line of README and docs that a reader may type is one that the tool takes."""

import re
import shlex
from argparse import ArgumentParser
from collections.abc import Iterator, Sequence
from functools import cache
from pathlib import Path
from unittest.mock import patch

import pytest
from nox import registry

import noxfile  # noqa: F401 - it registers the sessions
from chaos_harness.run_options import run_options
from docs.generator.verbs import parsers

_ROOT = Path(__file__).parents[3]
_GENERATED = "docs/reference/verbs.md"
"""Written by the parsers that read the commands here."""
_PAGES = [
    page
    for page in (_ROOT / "README.md", _ROOT / ".github/CONTRIBUTING.md", *sorted((_ROOT / "docs").rglob("*.md")))
    if page.relative_to(_ROOT).as_posix() != _GENERATED
]
_FENCED = re.compile(r"^( *)```(\w*)\n(.*?)^\1```$", re.MULTILINE | re.DOTALL)
_SPAN = re.compile(r"(?<!`)`([^`]+)`(?!`)")
_COMMAND = re.compile(r"^\s*(?:[A-Z_]+=\S+ )*((?:nox -s|chaos-harness) [^\s].*)")
_END = re.compile(r"\s+#\s.*|; .*| \\$|  .*| > .*")
_PLACEHOLDER = re.compile(r"[A-Z_]+|…|\.\.\.")

_SOURCES = {
    "truth": "noxfile.py",
    "lock": "noxfile.py",
    "bench": "benchmarks/__main__.py",
    "worlds": "tests/worlds/__main__.py",
    "mutation": "tests/mutation/__main__.py",
}
"""Where sessions that are no verbs of the tool name their options."""
_OF_PYTEST = ("-k", "-m", "-n", "-x", "--collect-only", "--pdb")
_OF_ALL_SCENARIOS = "--all"
"""Taken out of the arguments before pytest sees them: all scenarios, not the founding ones alone."""
_MADE = ("reports/out", "chaos-results", "dist/", "build/", "e2e")
"""Where what a command makes, or a reader has, begins."""

_EXAMPLES = {
    name
    for page in (_ROOT / "docs/contributing").glob("*.md")
    for name in re.findall(r"^```(?:python|yaml)\n# (\S+)$", page.read_text(encoding="utf-8"), re.MULTILINE)
}
"""Files that a reader of a page on contributing writes; tests/processes/test_contributing.py puts them there."""


class _RefusedError(Exception):
    """What a parser says of a command."""


def _commands(text: str) -> Iterator[list[str]]:
    """Yield the words of each command in a page: in blocks of shell commands, and in single words of code."""
    blocks = [body for _, language, body in _FENCED.findall(text) if language in ("sh", "")]
    lines = [line for block in blocks for line in block.splitlines()]
    lines += [" ".join(span.split()) for span in _SPAN.findall(_FENCED.sub("", text))]
    for line in lines:
        for part in line.split(" && "):
            if command := _COMMAND.search(part):
                yield shlex.split(_END.sub("", command[1]))


def _problem(words: Sequence[str]) -> str:
    """Return what is wrong with a command, "" if nothing is."""
    if words[0] == "nox":
        verb, given = words[2], list(words[3:])
        if given and given[0] == "--":
            given = given[1:]
        elif given:
            return f"{given[0]} comes before --"
        known = set(registry.get())
    else:
        verb, given, known = words[1], list(words[2:]), {*_parsers(), "run"}
    if _PLACEHOLDER.fullmatch(verb):
        return ""
    if verb not in known:
        return f"there is no verb {verb}"
    return _argument_problem(verb, given, installed=words[0] != "nox") or _path_problem(given)


def _argument_problem(verb: str, given: list[str], *, installed: bool) -> str:
    named = [word.partition("=")[0] for word in given if word.startswith("-") and word != "-"]
    if verb in ("chaos", "run"):
        own = [name.replace("--", "--chaos-", 1) if installed else name for name in run_options()]
        allowed = {*own, *_OF_PYTEST, _OF_ALL_SCENARIOS}
        return next((f"a run has no option {name}" for name in named if name not in allowed), "")
    if verb in _SOURCES:
        source = (_ROOT / _SOURCES[verb]).read_text(encoding="utf-8")
        return next(
            (f"{verb} has no option {name}" for name in named if f'"{name}"' not in source and name not in _OF_PYTEST),
            "",
        )
    if verb not in _parsers() or not given:
        return ""
    try:
        parser = _parsers()[verb]
        with patch.object(type(parser), "error", _refuse), patch.object(ArgumentParser, "exit", _refuse):
            parser.parse_args([word for word in given if word not in ("…", "...")])
    except _RefusedError as error:
        return str(error)
    return ""


@cache
def _parsers() -> dict[str, ArgumentParser]:
    return parsers()


def _refuse(_parser: ArgumentParser, *message: object) -> None:
    raise _RefusedError(*message)


def _path_problem(given: Sequence[str]) -> str:
    """Return which of the paths in a command is not there; what commands make, or readers have, is left out."""
    for word in given:
        path = word.partition("::")[0]
        ours = "/" in path and not path.startswith((*_MADE, "~", "$", "/", "-")) and not re.search(r"[A-Z]{3}|…", path)
        if ours and path not in _EXAMPLES and not list(_ROOT.glob(path)):
            return f"{path} is not there"
    return ""


@pytest.mark.parametrize("page", _PAGES, ids=lambda page: page.relative_to(_ROOT).as_posix())
def test_each_command_can_be_typed(page: Path) -> None:
    """Its verb is there, takes these options, and the files that it names exist."""
    wrong = [
        f"{shlex.join(words)}: {problem}"
        for words in _commands(page.read_text(encoding="utf-8"))
        if (problem := _problem(words))
    ]

    assert "\n".join(wrong) == ""


def test_there_are_commands() -> None:
    """What the test above reads is there."""
    commands = [words for page in _PAGES for words in _commands(page.read_text(encoding="utf-8"))]

    assert len(commands) > 100
    assert ["nox", "-s", "recheck", "--", "docs/pictures/gatekeeper-3839.zip"] in commands
    assert any(words[:2] == ["chaos-harness", "run"] for words in commands)


@pytest.mark.parametrize(
    ("line", "problem"),
    [
        ("nox -s cahos", "there is no verb cahos"),
        ("nox -s chaos --pool", "--pool comes before --"),
        ("nox -s chaos -- --pol", "a run has no option --pol"),
        ("chaos-harness run --seed 7", "a run has no option --seed"),
        (
            "nox -s repro -- scenarios/incidents/gatekeeper-3839.yaml --tmies 3",
            "unrecognized arguments: --tmies 3; did you mean --times?",
        ),
        ("nox -s repro -- scenarios/incidents/gatekeeper-1.yaml", "scenarios/incidents/gatekeeper-1.yaml is not there"),
        ("nox -s worlds -- --sed 1:2", "worlds has no option --sed"),
        ("nox -s images -- --save a --load b", "argument --load: not allowed with argument --save"),
    ],
)
def test_a_wrong_command_is_told(line: str, problem: str) -> None:
    """A planted mistake of each kind is, in a block and in a word of code."""
    for text in (f"```sh\n{line}    # does something\n```\n", f"Type `{line}` there."):
        (words,) = _commands(text)
        assert _problem(words) == problem
