"""Mistakes: each way in which a source is made wrong at one place."""

import ast
from collections.abc import Iterator, Sequence
from typing import NamedTuple, TypeVar

__all__ = ["Mistake", "mistakes"]

_COMPARISONS = {
    ast.Eq: "!=",
    ast.NotEq: "==",
    ast.Lt: "<=",
    ast.LtE: "<",
    ast.Gt: ">=",
    ast.GtE: ">",
    ast.In: "not in",
    ast.NotIn: "in",
    ast.Is: "is not",
    ast.IsNot: "is",
}
_ORDERS = (ast.Lt, ast.LtE, ast.Gt, ast.GtE)
_UNTOUCHED = ("annotation", "returns", "decorator_list", "bases", "type_params")
"""Fields of nodes in which a mistake changes no behaviour, or is the type checker's to find."""

_Change = tuple[ast.expr | ast.stmt, str]
"""A place in a source, and the text that replaces it."""

_Part = TypeVar("_Part")


class Mistake(NamedTuple):
    """In `line`, `old` becomes `new`; `source` is the whole file with the mistake."""

    line: int
    old: str
    new: str
    source: str


def mistakes(source: str) -> Iterator[Mistake]:
    """Yield all mistakes of a source.

    A statement or an element of a table is left out, a condition turned, `and` becomes `or`, a comparison moves by its
    edge, a number by one, a truth value turns. Texts stay: what a message says is no behaviour.
    """
    text = _Text(source)
    for statement in ast.parse(source).body:
        if not _is_no_behaviour(statement):
            replaced = (text.replaced(node, new) for node, new in _changes(statement))
            yield from (mistake for mistake in replaced if _compiles(mistake.source))


class _Text:
    """A source in which the places of nodes are replaced; an `ast` node counts columns in bytes."""

    def __init__(self, source: str) -> None:
        self._bytes = source.encode()
        self._starts = [0]
        for line in self._bytes.splitlines(keepends=True):
            self._starts.append(self._starts[-1] + len(line))

    def replaced(self, node: ast.expr | ast.stmt, new: str) -> Mistake:
        begin = self._starts[node.lineno - 1] + node.col_offset
        end = self._starts[(node.end_lineno or node.lineno) - 1] + (node.end_col_offset or 0)
        source = self._bytes[:begin] + new.encode() + self._bytes[end:]
        return Mistake(node.lineno, self._bytes[begin:end].decode(), new, source.decode())


def _compiles(source: str) -> bool:
    try:
        compile(source, "mistake", "exec")
    except SyntaxError:
        return False
    return True


def _changes(node: ast.AST) -> Iterator[_Change]:
    """Yield the changes of a node and of what is in it; the words of an error are no behaviour."""
    if isinstance(node, ast.Raise):
        yield node, "pass"
        return
    yield from _own_changes(node)
    for field, value in ast.iter_fields(node):
        if field not in _UNTOUCHED:
            for child in value if isinstance(value, list) else [value]:
                if isinstance(child, ast.AST) and not isinstance(child, ast.JoinedStr):
                    yield from _changes(child)


def _is_no_behaviour(node: ast.AST) -> bool:
    """Whether it is for whoever imports, a name of a type, or a figure that was chosen, as a number of seconds."""
    if not isinstance(node, ast.Assign) or not isinstance(node.targets[0], ast.Name):
        return False
    figure = all(isinstance(part, ast.Constant | ast.BinOp | ast.operator) for part in ast.walk(node.value))
    return node.targets[0].id == "__all__" or isinstance(node.value, ast.Subscript) or figure


def _own_changes(node: ast.AST) -> Iterator[_Change]:
    yield from _in_statement(node)
    yield from _in_condition(node)
    yield from _in_constant(node)
    yield from _in_table(node)


def _in_statement(node: ast.AST) -> Iterator[_Change]:
    match node:
        case ast.Expr(value=ast.Constant()):  # a docstring
            return
        case ast.Expr() | ast.Break() | ast.Continue() | ast.Delete() | ast.AugAssign():
            yield node, "pass"
        case ast.Assign(targets=[ast.Attribute() | ast.Subscript()]):
            yield node, "pass"
        case ast.Return(value=ast.expr() as value) if not isinstance(value, ast.Constant):
            yield node, "return None"


def _in_condition(node: ast.AST) -> Iterator[_Change]:
    match node:
        case ast.If(test=test) | ast.While(test=test) | ast.IfExp(test=test):
            yield from _negated(test)
        case ast.comprehension(ifs=tests):
            for test in tests:
                yield from _negated(test)
        case ast.Compare(left=left, ops=[operator], comparators=[right]):
            yield node, f"({ast.unparse(left)} {_COMPARISONS[type(operator)]} {ast.unparse(right)})"
        case ast.BoolOp(op=operator, values=values):
            word = " or " if isinstance(operator, ast.And) else " and "
            yield node, f"({word.join(f'({ast.unparse(value)})' for value in values)})"


def _in_constant(node: ast.AST) -> Iterator[_Change]:
    match node:
        case ast.Constant(value=bool() as truth):
            yield node, str(not truth)
        case ast.Constant(value=int() | float() as number):
            yield node, repr(number + 1)


def _in_table(node: ast.AST) -> Iterator[_Change]:
    """Yield the table without one element, for each of its constants."""
    match node:
        case ast.Tuple(elts=elements, ctx=ast.Load()) | ast.List(elts=elements, ctx=ast.Load()):
            for rest in _shortened(elements):
                yield node, f"({ast.unparse(type(node)(rest, ast.Load()))})"
        case ast.Set(elts=elements):
            for rest in _shortened(elements):
                yield node, ast.unparse(ast.Set(rest)) if rest else "set()"
        case ast.Dict(keys=keys, values=values):
            for index in range(len(keys)):
                yield node, ast.unparse(ast.Dict(_without(keys, index), _without(values, index)))


def _negated(test: ast.expr) -> Iterator[_Change]:
    """Yield the condition turned, unless a comparison in it is turned anyway."""
    turned = isinstance(test, ast.Compare) and len(test.ops) == 1 and not isinstance(test.ops[0], _ORDERS)
    if not turned and not any(isinstance(part, ast.NamedExpr) for part in ast.walk(test)):
        yield test, f"(not ({ast.unparse(test)}))"


def _shortened(elements: Sequence[ast.expr]) -> Iterator[list[ast.expr]]:
    for index, element in enumerate(elements):
        if isinstance(element, ast.Constant):
            yield _without(elements, index)


def _without(parts: Sequence[_Part], index: int) -> list[_Part]:
    return [part for number, part in enumerate(parts) if number != index]
