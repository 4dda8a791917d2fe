"""English: where code asks what a message for people says, found by following messages through each function."""

import ast
import builtins
import re
from collections.abc import Iterator, Mapping, Sequence
from typing import NamedTuple

from tests.syntax import children, statements, without_collection

__all__ = ["Reading", "readings"]

_MESSAGE_ATTRIBUTES = frozenset(
    {
        *("message", "summary", "proof", "heal_proof", "error", "detail", "problem", "problems", "evidence"),
        *("longrepr", "longreprtext", "__notes__", "strerror"),
    }
)
"""What our values and pytest's call a text, or several, that people read."""

_MESSAGE_PARAMETERS = frozenset({"message", "messages", "summary", "proof", "problem", "problems", "sentence"})
_MESSAGE_KEYS = frozenset({"msg", "proof", "summary"})
_ERROR_ATTRIBUTES = frozenset({"excinfo", "__cause__", "__context__"})
_READING = frozenset(
    {
        *("startswith", "endswith", "split", "rsplit", "partition", "rpartition", "removeprefix", "removesuffix"),
        *("find", "rfind", "index", "rindex", "count"),
    }
)
_MATCHING = frozenset({"match", "search", "fullmatch", "findall", "finditer", "split", "sub", "subn"})
_WORDED = frozenset({"str", "repr", "format", "ascii"})
_KEEPING = frozenset({"list", "tuple", "sorted", "reversed", "filter", "next", "iter", "map", "enumerate", "zip"})
_EXCEPTIONS = frozenset(
    name for name, value in vars(builtins).items() if isinstance(value, type) and issubclass(value, BaseException)
)
_PUT_TOGETHER: Mapping[type[ast.expr], tuple[str, ...]] = {
    ast.BinOp: ("left", "right"),
    ast.BoolOp: ("values",),
    ast.FormattedValue: ("value",),
    ast.GeneratorExp: ("elt",),
    ast.IfExp: ("body", "orelse"),
    ast.JoinedStr: ("values",),
    ast.List: ("elts",),
    ast.ListComp: ("elt",),
    ast.NamedExpr: ("value",),
    ast.Starred: ("value",),
    ast.Subscript: ("value",),
    ast.Tuple: ("elts",),
}
_Scope = ast.Module | ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda


class Reading(NamedTuple):
    """A place at which a message is read: `code` as it stands in the file."""

    path: str
    line: int
    code: str


def readings(sources: Mapping[str, str]) -> list[Reading]:
    """Return all places in Python sources, by their paths, where a message for people is read.

    A message is the `str` of an error, or of a class in these sources that has a `__str__` of its own, a field that
    holds one, by its name, and whatever is made of it. Read it is when it is asked how it begins or ends, cut by
    what stands in it, matched, searched, or compared with words. What one function gives to another is a message if
    its parameter has such a name, or is annotated as an error or as such a class.
    """
    with without_collection():
        trees = {path: ast.parse(source) for path, source in sources.items()}
        worded = _EXCEPTIONS | {name for tree in trees.values() for name in _worded_classes(tree)}
        return [
            Reading(path, node.lineno, ast.get_source_segment(sources[path], node) or "")
            for path, tree in trees.items()
            for node in sorted(_Follower(tree, worded).expressions(), key=lambda node: node.lineno)
        ]


def _worded_classes(tree: ast.Module) -> Iterator[str]:
    """Yield the classes whose instances have words: errors by their bases' names, and those with a `__str__`."""
    for node in statements(tree):
        if isinstance(node, ast.ClassDef):
            bases = {base.id for base in node.bases if isinstance(base, ast.Name)}
            methods = {method.name for method in node.body if isinstance(method, ast.FunctionDef)}
            if "__str__" in methods or bases & _EXCEPTIONS or any(base.endswith("Error") for base in bases):
                yield node.name


class _Follower:
    """Follows messages through one scope and those inside it, which know its names."""

    def __init__(self, scope: _Scope, worded: frozenset[str], outer: "_Follower | None" = None) -> None:
        self._scope = scope
        self._worded = worded
        self._messages: set[str] = set(outer._messages) if outer else set()
        self._errors: set[str] = set(outer._errors) if outer else set()
        self._nodes = list(_inside(scope))
        if not isinstance(scope, ast.Module):
            self._take_parameters(scope.args)

    def expressions(self) -> Iterator[ast.expr]:
        """Yield the expressions that read a message."""
        known = (-1, -1)
        while known != (len(self._messages), len(self._errors)):
            known = (len(self._messages), len(self._errors))
            for node in self._nodes:
                self._bind(node)
        for node in self._nodes:
            if isinstance(node, ast.expr) and self._reads(node):
                yield node
            elif isinstance(node, ast.Match) and self._is_message(node.subject):
                yield node.subject
            if isinstance(node, _Scope):
                yield from _Follower(node, self._worded, self).expressions()

    def _take_parameters(self, arguments: ast.arguments) -> None:
        for argument in [*arguments.posonlyargs, *arguments.args, *arguments.kwonlyargs]:
            self._messages.discard(argument.arg)
            self._errors.discard(argument.arg)
            if argument.annotation is not None and _names(argument.annotation) & self._worded:
                self._errors.add(argument.arg)
            elif argument.arg in _MESSAGE_PARAMETERS:
                self._messages.add(argument.arg)

    def _bind(self, node: ast.AST) -> None:
        """Take notice of the names that are bound to messages, or to what has words."""
        match node:
            case ast.ExceptHandler(name=str(name)):
                self._errors.add(name)
            case ast.Assign(targets=targets, value=value):
                for target in targets:
                    self._bind_all(target, value)
            case ast.AnnAssign(target=target, annotation=annotation, value=value):
                if _names(annotation) & self._worded:
                    self._errors |= _names(target) if isinstance(target, ast.Name) else set()
                elif value is not None:
                    self._bind_all(target, value)
            case ast.AugAssign(target=target, value=value) | ast.NamedExpr(target=target, value=value):
                self._bind_all(target, value)
            case ast.For(target=target, iter=value) | ast.comprehension(target=target, iter=value):
                self._bind_all(target, value)

    def _bind_all(self, target: ast.expr, value: ast.expr) -> None:
        names = {node.id for node in ast.walk(target) if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store)}
        if self._is_message(value):
            self._messages |= names
        elif self._has_words(value):
            self._errors |= names

    def _reads(self, node: ast.expr) -> bool:
        match node:
            case ast.Call(func=ast.Attribute(attr="split"), args=[], keywords=[]):
                return False  # at blanks, which are no words
            case ast.Call(func=ast.Attribute(value=receiver, attr=attribute), args=arguments):
                return (attribute in _READING and self._is_message(receiver)) or (
                    attribute in _MATCHING and any(map(self._is_message, arguments))
                )
            case ast.Compare(left=left, ops=operators, comparators=rights):
                sides = [left, *rights]
                return any(
                    self._compares(operator, *pair) for operator, *pair in zip(operators, sides, rights, strict=False)
                )
        return False

    def _compares(self, operator: ast.cmpop, left: ast.expr, right: ast.expr) -> bool:
        if isinstance(operator, ast.In | ast.NotIn):
            return self._is_message(right)
        return isinstance(operator, ast.Eq | ast.NotEq) and (
            (self._is_message(left) and _is_text(right)) or (self._is_message(right) and _is_text(left))
        )

    def _has_words(self, node: ast.expr) -> bool:
        """Whether the `str` of it is a message: an error, or an object of ours that has words."""
        match node:
            case ast.Name(id=name):
                return name in self._errors
            case ast.Attribute(value=owner, attr=attribute):
                return attribute in _ERROR_ATTRIBUTES or (attribute == "value" and self._has_words(owner))
            case ast.Call(func=ast.Name(id=name), args=arguments):
                return name in self._worded or (name in _KEEPING and any(map(self._has_words, arguments)))
            case ast.Subscript(value=owner):
                return self._has_words(owner)
            case ast.List(elts=parts) | ast.Tuple(elts=parts):
                return any(map(self._has_words, parts))
        return False

    def _is_message(self, node: ast.expr) -> bool:
        match node:
            case ast.Name(id=name):
                return name in self._messages
            case ast.Attribute(value=owner, attr=attribute):
                return attribute in _MESSAGE_ATTRIBUTES or (attribute == "args" and self._has_words(owner))
            case ast.Subscript(slice=ast.Constant(value=str(key))):
                return key in _MESSAGE_KEYS
            case ast.Call(func=ast.Name(id=name), args=arguments):
                return self._gives_message(name, arguments)
            case ast.Call(func=ast.Attribute(value=receiver, attr=method), args=arguments):
                return self._method_gives_message(receiver, method, arguments)
        shown = isinstance(node, ast.FormattedValue) and self._has_words(node.value)
        return shown or any(map(self._is_message, _parts(node)))

    def _gives_message(self, function: str, arguments: Sequence[ast.expr]) -> bool:
        """Whether what a function returns is a message: `str` of what has words, or what keeps messages as they are."""
        match function, arguments:
            case "getattr", [_, ast.Constant(value=str(attribute)), *_]:
                return attribute in _MESSAGE_ATTRIBUTES
            case "map", [ast.Name(id=applied), *rest] if applied in _WORDED:
                return self._gives_message(applied, rest)
        if function in _WORDED and any(map(self._has_words, arguments)):
            return True
        return function in _WORDED | _KEEPING and any(map(self._is_message, arguments))

    def _method_gives_message(self, receiver: ast.expr, method: str, arguments: Sequence[ast.expr]) -> bool:
        match method, arguments:
            case "get", [ast.Constant(value=str(key)), *_]:
                return key in _MESSAGE_KEYS
            case "join", [parts]:
                return self._is_message(parts)
        return method == "exconly" or (hasattr(str, method) and self._is_message(receiver))


def _inside(scope: _Scope) -> Iterator[ast.AST]:
    """Yield what stands in a scope, and the scopes in it, but not what stands in those."""
    waiting: list[ast.AST] = list(children(scope))
    while waiting:
        node = waiting.pop()
        yield node
        if not isinstance(node, _Scope):
            waiting += children(node)


def _parts(node: ast.expr) -> Iterator[ast.expr]:
    """Yield the expressions of which a text, or several, is put together."""
    for field in _PUT_TOGETHER.get(type(node), ()):
        part = getattr(node, field)
        yield from part if isinstance(part, list) else [part]


def _names(annotation: ast.expr) -> frozenset[str]:
    """Return the names in an annotation, also in one that is a string."""
    nodes = list(ast.walk(annotation))
    written = [node.value for node in nodes if isinstance(node, ast.Constant) and isinstance(node.value, str)]
    names = {node.id for node in nodes if isinstance(node, ast.Name)}
    return frozenset(names.union(*(re.findall(r"\w+", words) for words in written)))


def _is_text(node: ast.expr) -> bool:
    return isinstance(node, ast.Constant) and isinstance(node.value, str) and bool(node.value)
