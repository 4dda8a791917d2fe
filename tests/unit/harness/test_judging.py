"""Judging: the digest of what judges, and a claim that is judged again from its id and its history."""

import ast
import itertools
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from functools import cache
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import chaos_harness.harness.checks
import chaos_harness.harness.history
from chaos_harness.harness import judging
from chaos_harness.harness.catalogue import entries
from chaos_harness.harness.checks import Check
from chaos_harness.harness.checks.control_plane import control_plane_unharmed, leases_renewed
from chaos_harness.harness.checks.fail_open import fail_open_window
from chaos_harness.harness.checks.pulls import no_request_during
from chaos_harness.harness.checks.undisturbed import undisturbed
from chaos_harness.harness.checks.unmutated import never_unmutated
from chaos_harness.harness.errors import BadScenario
from chaos_harness.harness.history import HistoryWriter, read
from chaos_harness.harness.judging import again, check_of, faults_of, judge_of, today
from chaos_harness.harness.meaning import Code, Source, source_of
from chaos_harness.harness.normal_form import Place, bindings, imports
from chaos_harness.harness.verdict import Verdict
from tests.thorough import examples, thorough
from tests.worlds.mutants import mutated
from tests.worlds.mutated import MUTANTS, Mutant
from tests.worlds.taken_back import ROWS

_WORDS = st.text(st.characters(codec="ascii", categories=("L", "N", "P", "S", "Zs")), max_size=12)


@pytest.mark.parametrize(
    "check",
    [
        control_plane_unharmed(),
        leases_renewed(60, spare=["a", "b, c"]),
        fail_open_window(7.5, fault="kill node", policies=["deny by cel (webhook)", "mutate pods"]),
        (fail_open_window(60, fault="x") & undisturbed()).within(30),
        (undisturbed() & no_request_during()).within(30, after="cut registry") & never_unmutated(at_most=0.05),
    ],
    ids=lambda check: check.id,
)
def test_an_id_is_read_back(check: Check) -> None:
    """The check that an id names has the same id, and so the same parameters."""
    assert check_of(check.id).id == check.id
    assert check_of(check.id).__name__ == check.__name__


@given(name=_WORDS.filter(lambda word: word.strip() == word), listed=st.lists(_WORDS, max_size=3))
def test_any_word_is_read_back(name: str, listed: Sequence[str]) -> None:
    """Words with an id's own signs, numbers as words, and empty ones come back as they were."""
    check = leases_renewed(60, spare=[name, *listed])
    assert check_of(check.id).id == check.id


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("gone(1)", "there is no check gone"),
        ("undisturbed(", "expected a value at character 13"),
        ("undisturbed() and more", "expected the end"),
        ("(undisturbed()).until(3)", r"expected '\).within\('"),
        ("undisturbed(never=1)", "takes no such parameter"),
        ("", "expected a check's name"),
    ],
)
def test_another_id_is_refused(text: str, problem: str) -> None:
    """An id of another version names what there is not (any more), and says so."""
    with pytest.raises(BadScenario, match=problem):
        check_of(text)


def test_each_check_has_a_digest() -> None:
    """What judges is known for every check that there is, and for one that a scenario made itself."""
    digests = {name: today(f"{name}()") for name in entries("check")}
    assert all(len(digest) == 12 for digest in digests.values())
    assert digests["undisturbed"] != digests["fail_open_window"]
    assert judge_of(undisturbed()) == digests["undisturbed"]
    own = Check(lambda _recorded: Verdict("holds", "it does"))
    assert judge_of(own) not in digests.values()


@pytest.mark.parametrize(
    ("module", "old", "new", "other"),
    [
        ("chaos_harness.harness.checks.undisturbed", "_NOTICED_SECONDS = 10.0", "_NOTICED_SECONDS = 11.0", True),
        (
            "chaos_harness.harness.history.harms",
            "harm.uid == uid if harm.uid else",
            "harm.uid == uid if harm.pod else",
            True,
        ),
        ("chaos_harness.harness.history.following", "if take is not None", "if take is not None and readers", True),
        ("chaos_harness.harness.history.recorded", "_MARKED = 2", "_MARKED = 3", True),
        ("chaos_harness.harness.verdict", "and bool(self.because)", "and True", True),
        ("chaos_harness.harness.checks.pulls", "_SHOWN = 5", "_SHOWN = 6", False),
        ("chaos_harness.harness.checks.undisturbed", '"""Whether a pod was Ready', '"""If a pod was Ready', False),
        ("chaos_harness.harness.verdict", "Undecided: see above", "Not known: see", False),
        ("chaos_harness.clusters.errors", "class BadScenario(HarnessError)", "class BadScenario(ChaosError)", False),
        ("chaos_harness.harness.history.writer", "def append(", "def add(", False),
        ("harness", "__version__ = ", '__version__ = "9" + ', False),
    ],
)
def test_a_digest_is_of_what_judges(module: str, old: str, new: str, *, other: bool) -> None:
    """It changes with the check and whatever that uses of the model, however far away, and with nothing else."""
    source = _source(module)
    assert source.text.count(old) == 1
    changed = replace(source, text=source.text.replace(old, new))
    assert (_digest("undisturbed", {module: changed}) != today("undisturbed()")) is other


@settings(max_examples=examples(24))
@given(mutant=st.sampled_from([mutant for mutant in (*MUTANTS, *ROWS) if mutant.checks]))
def test_every_mutant_has_another_digest(mutant: Mutant) -> None:
    """What makes a check wrong in worlds is never taken for the check."""
    path = mutant.file.removesuffix(".py").removesuffix("/__init__")
    name = chaos_harness.harness.__name__.removesuffix("harness") + path.replace("/", ".")
    changed = {name: replace(_source(name), text=mutated(_source(name).text, mutant))}
    assert [check for check in mutant.checks if _digest(check, changed) == today(f"{check}()")] == []


@settings(max_examples=examples(24))
@given(number=st.integers(min_value=0, max_value=10**6), check=st.sampled_from(["undisturbed", "never_unmutated"]))
def test_every_constant_and_sign_counts(number: int, check: str) -> None:
    """A number, a text, an operator or a comparison that is another one anywhere in what is reached is noticed."""
    reached = _reached(check)
    name, place = reached[number % len(reached)]
    tree = ast.parse(_source(name).text)
    _change(next(itertools.islice(_changeable(tree), place, None)))
    assert _digest(check, {name: replace(_source(name), text=ast.unparse(tree))}) != today(f"{check}()")


@thorough
def test_a_digest_outlives_that_everything_is_called_otherwise() -> None:
    """Where modules stand, names, docstrings and annotations of functions are not what judges."""

    def moved(name: str) -> Source | None:
        if f"{name}." in ("prefix.", _PREFIX):
            return Source("", package=True)
        source = _sources(name.removeprefix(_PREFIX)) if name.startswith(_PREFIX) else None
        return _otherwise(source) if source else None

    code = Code(moved, [f"{_PREFIX}{silent}" for silent in judging._NO_JUDGES])
    assert {name: code.digest(_roots(name, _PREFIX)) for name in entries("check")} == {
        name: today(f"{name}()") for name in entries("check")
    }


def test_importing_a_judge_does_nothing() -> None:
    """No decorator registers anything, and no statement does: what no check refers to changes none."""
    plain = {"cached_property", "classmethod", "dataclass", "functools.wraps", "identified", "property"}
    for package in (chaos_harness.harness.checks, chaos_harness.harness.history):
        for path in Path(package.__path__[0]).rglob("*.py"):
            tree = ast.parse(path.read_text(encoding="utf-8"))
            made_by = [made for node in ast.walk(tree) for made in getattr(node, "decorator_list", [])]
            names = {ast.unparse(made.func if isinstance(made, ast.Call) else made) for made in made_by}
            assert names <= plain, path
            assert [node for node in tree.body[1:] if isinstance(node, ast.Expr) and not _is_text(node)] == [], path


def test_a_history_is_judged_again_as_far_as_it_was_written(tmp_path: Path) -> None:
    """What came after the verdict does not change it."""
    path = tmp_path / "history.jsonl"
    history = HistoryWriter(path)
    history.append("mark", "experiment", "steady")
    first = leases_renewed(60)(read(path, so_far=True))
    until = history.end
    history.append("invoke", "fault 1", "inject", {"name": "kill node"})
    history.finish()
    assert again(leases_renewed(60), path, until) == first
    with pytest.raises(BadScenario, match="no history can be read"):
        again(leases_renewed(60), tmp_path / "none.jsonl")


_PREFIX = "prefix.of_all."


@cache
def _source(name: str) -> Source:
    source = source_of(name)
    assert source is not None
    return source


def _roots(check: str, prefix: str = "") -> list[Place]:
    made = [judging._place(entries("check")[check].factory), *judging._model()]
    return [Place(f"{prefix}{place.module}", place.name) for place in made]


def _digest(check: str, changed: Mapping[str, Source]) -> str:
    """Return the digest of a check of which some modules were changed; of the others is kept what they say."""
    (name,) = changed
    code = Code(lambda module: changed.get(module) or _sources(module), judging._NO_JUDGES)
    tokens = code.tokens
    code.tokens = lambda place: tokens(place) if place.module == name else _code().tokens(place)
    return code.digest(_roots(check))


@cache
def _code() -> Code:
    return Code(_sources, judging._NO_JUDGES)


def _sources(module: str) -> Source | None:
    return source_of(module) if module.partition(".")[0] in judging._OURS else None


@cache
def _reached(check: str) -> list[tuple[str, int]]:
    """Return what can be changed of all that a check reaches: its module, and which of its nodes it is."""
    places = dict.fromkeys(_roots(check))
    waiting = list(places)
    for place in waiting:
        more = [token for token in _code().tokens(place) if isinstance(token, Place) and token not in places]
        places |= dict.fromkeys(more)
        waiting += dict.fromkeys(more)
    reachable = []
    for module in dict.fromkeys(place.module for place in places):
        tree = ast.parse(_source(module).text)
        read = _code()._module(module)
        here = [place for place in places if place.module == module and _code().tokens(place)]
        statements = [statement for place in here for statement in read.statements(place.name)] if read else []
        within = [range(node.lineno, (node.end_lineno or 0) + 1) for node in statements]
        nodes = enumerate(_changeable(tree))
        reachable += [(module, number) for number, node in nodes if any(node.lineno in lines for lines in within)]
    return reachable


def _changeable(tree: ast.Module) -> Iterator[ast.Constant | ast.BinOp | ast.Compare | ast.BoolOp]:
    """Yield what can be changed, without texts for people, and without annotations."""
    said = {part for node in ast.walk(tree) for part in _said(node)}
    of_functions = [node for node in ast.walk(tree) if isinstance(node, ast.FunctionDef)]
    annotations = [node.returns for node in of_functions]
    annotations += [
        part.annotation for node in ast.walk(tree) if isinstance(node, ast.FunctionDef) for part in _all(node)
    ]
    annotations += [node.annotation for node in ast.walk(tree) if isinstance(node, ast.AnnAssign)]
    said |= {part for annotation in annotations if annotation for part in ast.walk(annotation)}
    for node in ast.walk(tree):
        if isinstance(node, ast.Constant | ast.BinOp | ast.Compare | ast.BoolOp) and node not in said:
            yield node


def _all(node: ast.FunctionDef) -> list[ast.arg]:
    extra = [part for part in (node.args.vararg, node.args.kwarg) if part]
    return [*node.args.posonlyargs, *node.args.args, *node.args.kwonlyargs, *extra]


def _said(node: ast.AST) -> Iterator[ast.AST]:
    if isinstance(node, ast.Expr) and _is_text(node):
        yield node.value
    if isinstance(node, ast.Assign) and ast.unparse(node.targets[0]) == "__all__":
        yield from ast.walk(node)


def _is_text(node: ast.Expr) -> bool:
    return isinstance(node.value, ast.Constant) and isinstance(node.value.value, str)


def _change(node: ast.Constant | ast.BinOp | ast.Compare | ast.BoolOp) -> None:
    match node:
        case ast.Constant(value=bool(value)):
            node.value = not value
        case ast.Constant(value=str(value)):
            node.value = f"{value}x"
        case ast.Constant(value=int(value) | float(value)):
            node.value = value + 1
        case ast.Constant():
            node.value = "another"
        case ast.BinOp():
            node.op = ast.Sub() if isinstance(node.op, ast.Add) else ast.Add()
        case ast.BoolOp():
            node.op = ast.Or() if isinstance(node.op, ast.And) else ast.And()
        case ast.Compare():
            node.ops[0] = ast.Lt() if isinstance(node.ops[0], ast.LtE) else ast.LtE()


def _otherwise(source: Source) -> Source:
    """Return a module that stands elsewhere, with other names and other docstrings."""
    tree = ast.parse(source.text)
    renamed = _renamed(tree)
    for node in ast.walk(tree):
        match node:
            case ast.Name() if node.id in renamed:
                node.id = f"{node.id}_called_otherwise"
            case ast.FunctionDef() | ast.ClassDef() if node in tree.body and node.name in renamed:
                node.name = f"{node.name}_called_otherwise"
            case ast.ImportFrom(module=str(module)) if module.partition(".")[0] in judging._OURS:
                node.module = f"{_PREFIX}{module}"
            case ast.Expr() if _is_text(node):
                node.value = ast.Constant("Said otherwise.")
        if isinstance(node, ast.FunctionDef):
            node.returns = ast.Name("object")
    return replace(source, text=ast.unparse(tree))


def _renamed(tree: ast.Module) -> set[str]:
    """Return the names of local variables, and of what is private to a module, that are names of nothing else in it."""
    nodes = list(ast.walk(tree))
    functions = [node for node in nodes if isinstance(node, ast.FunctionDef | ast.Lambda)]
    within = [node for function in functions for node in ast.walk(function) if isinstance(node, ast.Name)]
    local = {node.id for node in within if isinstance(node.ctx, ast.Store)}
    at_top = {name for statement in tree.body for name in bindings(statement)}
    private = {name for name in at_top if name.startswith("_") and not name.startswith("__")}
    members = {
        name for node in nodes if isinstance(node, ast.ClassDef) for part in node.body for name in bindings(part)
    }
    named = {node.arg for node in nodes if isinstance(node, ast.arg)} | {
        bound for node in nodes for bound, _ in imports(node)
    }
    return (local ^ private) - members - named - (at_top - private)


def test_of_which_faults_claims_speak() -> None:
    """By this check, alone or in a part of a claim, by name or by id; an id that nobody can read speaks of none."""
    ids = [
        "heals(60, kill node)",
        "heals(60, [fault 1, fault 2]) & undisturbed()",
        "(heals(60, cut)).within(10)",
        "recovers_after(60, killed, fault=drain)",
        "some_check",
        "heals(60",
    ]
    assert faults_of("heals", ids) == {"kill node", "fault 1", "fault 2", "cut"}
