"""Verbs: the page of the verbs of nox and of the command, by the parsers that read their arguments."""

import argparse
import ast
from argparse import ArgumentParser
from collections.abc import Container, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any
from unittest.mock import patch

from chaos_harness.__main__ import main
from chaos_harness.clusters import known_versions
from chaos_harness.clusters.checkout import OPTION
from chaos_harness.harness.run.exit_status import ExitStatus
from chaos_harness.run_options import run_options
from docs.generator.markdown import safe, table

__all__ = ["parsers", "sessions", "verbs_page"]

_ROOT = Path(__file__).resolve().parents[2]
_OWN_OPTIONS = ("run",)
"""Whose arguments are pytest's."""
_KNOWN = (
    (known_versions.KUBERNETES, "the [versions](versions.md) of Kubernetes"),
    (known_versions.GATEKEEPER, "the [versions](versions.md) of Gatekeeper"),
    ((known_versions.DEFAULT_KUBERNETES,), "the default version"),
    ((known_versions.DEFAULT_GATEKEEPER,), "the default version"),
)
"""Lists of versions in help texts, and what the page says instead, so that a new version does not change it."""
_INTRODUCTION = """\
# Verbs

Made from the code by `nox -s docs`. In a checkout a verb is a session of nox: `nox -s VERB`, and its arguments after
`--`. Where the harness is installed it is a verb of the command: `chaos-harness VERB`, and its arguments. Both end with
the same status."""
_RUN = """\
## Options of a run

For `nox -s chaos --`, `chaos-harness run` and `pytest --chaos`; whatever else is given goes to pytest (`-k`, `-m`,
`-n auto`, a path). Installed, these options begin with `--chaos-` in place of `--`, since your own plugins may have an
option of the same name."""

_BISECT = """\
`repro --bisect` is for `git bisect run` and ends otherwise: 0 not reproduced, 1 reproduced, 125 cannot be judged."""


class _ParserSeen(BaseException):
    """Ends a verb at the moment at which it would read its arguments."""

    def __init__(self, parser: ArgumentParser) -> None:
        super().__init__()
        self.parser = parser


def parsers() -> dict[str, ArgumentParser]:
    """Return the parser of each verb of the command; `run` has none of its own, its arguments are pytest's."""
    return {verb: _parser_of_verb(verb) for verb in _choices(_parser_of([])) if verb not in _OWN_OPTIONS}


def sessions(source: str | None = None) -> dict[str, str]:
    """Return the sessions of the noxfile with the first sentence of each, in their order."""
    tree = ast.parse(source if source is not None else (_ROOT / "noxfile.py").read_text(encoding="utf-8"))
    return dict(_sessions_in(tree))


def verbs_page() -> str:
    """Return the page."""
    by_verb = parsers()
    parts = [_INTRODUCTION, "## Sessions of nox", table(("session", "does"), _session_rows(by_verb))]
    parts += [_RUN, table(("option", "what it does"), _option_rows(run_options()))]
    parts.append("## Verbs of the command")
    for verb, parser in by_verb.items():
        parts += [f"### {verb}", *_verb(verb, parser)]
    parts += ["## Exit statuses", _statuses()]
    return "\n\n".join(parts) + "\n"


def _parser_of(arguments: Sequence[str]) -> ArgumentParser:
    def see(parser: ArgumentParser, *_: Any, **__: Any) -> None:
        raise _ParserSeen(parser)

    with patch.object(ArgumentParser, "parse_known_args", see):
        try:
            main(arguments)
        except _ParserSeen as seen:
            return seen.parser
    raise ValueError(f"`chaos-harness {' '.join(arguments)}` reads no arguments by argparse")


def _parser_of_verb(verb: str) -> ArgumentParser:
    parser = _parser_of([verb])
    return next((choices[verb] for choices in _all_choices(parser) if verb in choices), parser)


def _choices(whole: ArgumentParser) -> Mapping[str, ArgumentParser]:
    (choices,) = _all_choices(whole)
    return choices


def _all_choices(whole: ArgumentParser) -> Iterator[Mapping[str, ArgumentParser]]:
    return (action.choices for action in _actions(whole) if isinstance(action.choices, Mapping))


def _sessions_in(tree: ast.Module) -> Iterator[tuple[str, str]]:
    for statement in tree.body:
        match statement:
            case ast.FunctionDef(name=name, decorator_list=[decorator, *_]) if "nox.session" in ast.unparse(decorator):
                yield name.replace("_", "-"), _sentence(ast.get_docstring(statement) or "")
            case ast.Expr(ast.Call(ast.Name("_add_verb"), [ast.Constant(str(name)), ast.Constant(str(text)), *_])):
                yield name, _sentence(text)
            case ast.Assign([ast.Name("_VERBS")], verbs):
                yield from ((name, _sentence(text)) for name, text in ast.literal_eval(verbs).items())


def _sentence(docstring: str) -> str:
    return docstring.partition("\n")[0]


def _session_rows(verbs: Container[str]) -> Iterator[tuple[str, str]]:
    for name, sentence in sessions().items():
        linked = f"[`{name}`](#{name})" if name in verbs else f"`{name}`"
        yield linked, safe(sentence)


def _verb(verb: str, parser: ArgumentParser) -> Iterator[str]:
    positional = [action for action in _actions(parser) if not action.option_strings]
    words = [name if action.nargs != "?" else f"[{name}]" for action in positional for name in [_metavar(action)]]
    yield f"`{' '.join(['chaos-harness', verb, *words])}`"
    if rows := [(f"`{_spelling(action)}`", _help(action.help or "", action.default)) for action in _shown(parser)]:
        yield table(("argument", "what it is"), rows)


def _actions(parser: ArgumentParser) -> list[argparse.Action]:
    return parser._actions  # noqa: SLF001 - argparse has no public list


def _shown(parser: ArgumentParser) -> Iterator[argparse.Action]:
    for action in _actions(parser):
        if action.help != argparse.SUPPRESS and "--help" not in action.option_strings:
            yield action


def _spelling(action: argparse.Action) -> str:
    if not action.option_strings:
        return _metavar(action)
    value = "" if action.nargs == 0 else f" {_metavar(action)}"
    return f"{action.option_strings[-1]}{value}" + (" (needed)" if action.required else "")


def _metavar(action: argparse.Action) -> str:
    if action.choices is not None and action.metavar is None:
        return "/".join(map(str, action.choices))
    return str(action.metavar or action.dest.upper())


def _option_rows(options: Mapping[str, Mapping[str, Any]]) -> Iterator[tuple[str, str]]:
    for name, how in options.items():
        if not name.startswith("--"):
            continue  # an option of pytest's file of settings
        value = "/".join(how["choices"]) if "choices" in how else how.get("metavar", "")
        shown = name if OPTION == "--" else f"--{name.removeprefix(OPTION)}"
        yield f"`{' '.join(filter(None, [shown, value]))}`", _help(how.get("help", ""))


def _help(words: str, default: object = None) -> str:
    """Return a help text as a cell, without lists of versions."""
    words = safe(words.replace("%(default)s", str(default)).replace("%%", "%"))
    for versions, meaning in _KNOWN:
        words = words.replace(", ".join(versions), meaning)
    return words


def _statuses() -> str:
    lines = (ExitStatus.__doc__ or "").split("\n\n", 1)[-1]
    meanings = " ".join(lines.split())
    rows = []
    for status in ExitStatus:
        _, _, rest = meanings.partition(f"{status.name}: ")
        ends = [rest.find(f"{other.name}: ") for other in ExitStatus if f"{other.name}: " in rest]
        rows.append((f"{int(status)}", rest[: min(ends, default=len(rest))].strip()))
    return f"{table(('status', 'meaning'), rows)}\n\n{_BISECT}"
