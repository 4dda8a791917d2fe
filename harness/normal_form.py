"""Normal form: a statement as tokens that describe what it does, without texts for people or tools."""

import ast
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

__all__ = [
    "Keyword",
    "Normaliser",
    "Parameter",
    "Place",
    "Private",
    "Text",
    "Token",
    "bindings",
    "imports",
]

_Function = ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda
_Comprehension = ast.ListComp | ast.SetComp | ast.DictComp | ast.GeneratorExp
_NOT_SAID = {"annotation", "returns", "type_comment", "type_ignores", "ctx", "kind"}
_PLAIN = {"property", "classmethod", "staticmethod", "functools.cached_property"}
"""Decorators that pass nothing by a name that they read off the function."""
_READS_NAMES = {"locals", "vars", "eval", "exec", "globals", "dir"}


@dataclass(frozen=True)
class Place:
    """A definition: its module, and its name in it; "" is the whole module."""

    module: str
    name: str


@dataclass(frozen=True)
class Text:
    """A text in the code, which may be a name."""

    text: str


@dataclass(frozen=True)
class Keyword:
    """The name by which a call passes an argument."""

    name: str


@dataclass(frozen=True)
class Parameter:
    """A declared parameter; its number is that of a local variable."""

    name: str
    number: int


@dataclass(frozen=True)
class Private:
    """An attribute whose name begins with one underscore.

    `own`: of the object whose method reads or sets it, in a top-level class without bases. `binds`: the class gets it
    here.
    """

    name: str
    own: bool = False
    binds: bool = False


Token = str | Place | Text | Keyword | Parameter | Private


@dataclass
class _Scope:
    """A function, class or comprehension: the names that it binds, and their numbers."""

    kind: str
    bound: set[str] = field(default_factory=set)
    imports: dict[str, str] = field(default_factory=dict)
    elsewhere: dict[str, str] = field(default_factory=dict)
    """Names declared `global` or `nonlocal`."""
    inherits: bool = False
    """Of a class."""
    first: str = ""
    """Of a method, its first parameter: the object whose method it is."""
    numbers: dict[str, int] = field(default_factory=dict)


def bindings(node: ast.AST) -> Iterator[str]:
    """Yield the names that a statement binds in its own scope, except imports."""
    yield from _bound_by(node)
    if isinstance(node, _Comprehension):
        yield from (part.target.id for part in ast.walk(node) if isinstance(part, ast.NamedExpr))
    elif not isinstance(node, _Function | ast.ClassDef):
        for child in _children(node):
            yield from bindings(child)


def _bound_by(node: ast.AST) -> Iterator[str]:
    """Yield the name that a node binds by itself, whatever those below it bind."""
    match node:
        case ast.Name(id=name, ctx=ast.Store() | ast.Del()) | ast.MatchMapping(rest=str(name)):
            yield name
        case ast.FunctionDef() | ast.AsyncFunctionDef() | ast.ClassDef():
            yield node.name
        case ast.ExceptHandler(name=str(name)) | ast.MatchAs(name=str(name)) | ast.MatchStar(name=str(name)):
            yield name


def _children(node: ast.AST) -> Iterator[ast.AST]:
    """Yield the nodes right below one, without those that have no parts, as `ast.Load`: in half the time of `ast`'s."""
    for name in node._fields:
        below = getattr(node, name, None)
        for part in below if isinstance(below, list) else (below,):
            if isinstance(part, ast.AST) and part._fields:
                yield part


def imports(node: ast.AST) -> Iterator[tuple[str, str]]:
    """Yield the names that a statement imports into its own scope, each with the dotted name that it stands for.

    A relative name begins with dots.
    """
    match node:
        case ast.FunctionDef() | ast.AsyncFunctionDef() | ast.ClassDef() | ast.expr():
            return
        case ast.Import():
            for alias in node.names:
                top = alias.name.partition(".")[0]
                yield (alias.asname, alias.name) if alias.asname else (top, top)
        case ast.ImportFrom():
            module = "." * node.level + (f"{node.module}." if node.module else "")
            yield from ((alias.asname or alias.name, f"{module}{alias.name}") for alias in node.names)
        case _:
            for child in _children(node):
                yield from imports(child)


class Normaliser:
    """Writes the statements of one definition as tokens.

    It drops comments, docstrings and other unused texts, annotations of functions and variables (fields of classes keep
    theirs, which dataclasses and pydantic read), and the layout. A local variable becomes a number, in order of
    appearance. A module's name becomes what it stands for, however it is imported.
    """

    def __init__(self, resolved: Callable[[str], str | Place], dotted: Callable[[str], str | Place]) -> None:
        self.tokens: list[Token] = []
        self._resolved = resolved
        self._dotted = dotted
        self._scopes: list[_Scope] = []
        self._count = 0
        self._named = False
        """Whether what is written may read the names of its own variables."""

    def write(self, statement: ast.stmt) -> None:
        """Write a top-level statement of a module."""
        names = {node.id for node in ast.walk(statement) if isinstance(node, ast.Name)}
        self._named = bool(names & _READS_NAMES)
        self._write(statement)

    def _write(self, node: ast.AST) -> None:  # noqa: C901, PLR0912 - one case for each kind of node that is special
        match node:
            case ast.Expr(value=ast.Constant()) | ast.Pass():
                pass
            case ast.Constant(value=str(text)):
                self.tokens.append(Text(text))
            case ast.Constant():
                self.tokens.append(f"{type(node.value).__name__} {node.value!r}")
            case ast.Name():
                self._name(node.id, binds=not isinstance(node.ctx, ast.Load))
            case ast.Attribute():
                self._attribute(node)
            case ast.keyword():
                self.tokens.append(Keyword(node.arg) if node.arg else "**")
                self._write(node.value)
            case ast.AnnAssign():
                self._annotated(node)
            case ast.FunctionDef() | ast.AsyncFunctionDef() | ast.Lambda():
                self._function(node)
            case ast.ClassDef():
                self._class(node)
            case ast.ListComp() | ast.SetComp() | ast.DictComp() | ast.GeneratorExp():
                self._comprehension(node)
            case ast.Import() | ast.ImportFrom():
                self._imports(node)
            case ast.Global() | ast.Nonlocal():
                self.tokens.append(type(node).__name__)
                for name in node.names:
                    self._name(name, binds=True)
            case ast.ExceptHandler(name=str(name)) | ast.MatchAs(name=str(name)) | ast.MatchStar(name=str(name)):
                self._name(name, binds=True)
                self._fields(node, {"name"})
            case ast.MatchMapping(rest=str(name)):
                self._name(name, binds=True)
                self._fields(node, {"rest"})
            case _:
                self._fields(node)

    def _fields(self, node: ast.AST, without: Iterable[str] = ()) -> None:
        """Write a node's kind and fields; empty fields are left out, because Python versions differ in them."""
        self.tokens.append(f"({type(node).__name__}")
        for name, value in ast.iter_fields(node):
            if name not in _NOT_SAID and name not in without and value is not None and value != []:
                self.tokens.append(f"{name}:")
                self._value(value)
        self.tokens.append(")")

    def _value(self, value: object) -> None:
        if isinstance(value, list):
            self.tokens.append("[")
            for part in value:
                self._value(part)
            self.tokens.append("]")
        elif isinstance(value, ast.AST):
            self._write(value)
        else:
            self.tokens.append(repr(value))

    def _name(self, name: str, *, binds: bool) -> None:
        """Write what a name stands for: a local variable, a member of the enclosing class, or a name of the module.

        Before a class binds a name, the name may mean one of an outer scope.
        """
        for scope in reversed(self._scopes):
            if scope.kind == "class" and scope is not self._scopes[-1]:
                continue
            if scope.elsewhere.get(name) == "global":
                break
            if name in scope.bound and scope.kind == "class":
                self._member(name, own=scope is self._scopes[0] and not scope.inherits, binds=True)
                if binds:
                    return
            elif name in scope.bound:
                self.tokens.append(f"local {name if self._named else self._number(scope, name)}")
                return
            elif name in scope.imports:
                self.tokens.append(self._dotted(scope.imports[name]))
                return
        self.tokens.append(self._resolved(name))

    def _number(self, scope: _Scope, name: str) -> int:
        if name not in scope.numbers:
            scope.numbers[name] = self._count
            self._count += 1
        return scope.numbers[name]

    def _static(self, node: ast.AST) -> str | Place | None:
        """Return what a name, or a chain of a module's attributes, stands for without running code."""
        if isinstance(node, ast.Name):
            scope = next((scope for scope in reversed(self._scopes) if self._has(scope, node.id)), None)
            if scope is None:
                return self._resolved(node.id)
            return self._dotted(scope.imports[node.id]) if node.id not in scope.bound else None
        if not isinstance(node, ast.Attribute):
            return None
        base = self._static(node.value)
        if isinstance(base, Place):
            return self._dotted(f"{base.module}.{node.attr}") if not base.name else None
        return f"{base}.{node.attr}" if base is not None else None

    def _has(self, scope: _Scope, name: str) -> bool:
        if scope.kind == "class" and scope is not self._scopes[-1]:
            return False
        return name in scope.bound or name in scope.imports

    def _attribute(self, node: ast.Attribute) -> None:
        static = self._static(node)
        if static is not None:
            self.tokens.append(static)
            return
        self.tokens.append("(Attribute")
        self._write(node.value)
        own = isinstance(node.value, ast.Name) and self._is_own(node.value.id)
        self._member(node.attr, own=own, binds=own and isinstance(node.ctx, ast.Store))
        self.tokens.append(")")

    def _is_own(self, name: str) -> bool:
        """Whether a variable is the object of this method, in a top-level class without bases."""
        scope = next((scope for scope in reversed(self._scopes) if self._has(scope, name)), None)
        return scope is not None and scope.first == name

    def _member(self, name: str, *, own: bool, binds: bool) -> None:
        private = name.startswith("_") and not name.startswith("__")
        self.tokens.append(Private(name, own, binds) if private else f"name {name}")

    def _annotated(self, node: ast.AnnAssign) -> None:
        if self._scopes and self._scopes[-1].kind == "class":
            self.tokens.append("(field")
            self._write(node.target)
            self._annotation(node.annotation)
            if node.value is not None:
                self._write(node.value)
            self.tokens.append(")")
        elif node.value is not None:
            self._write(ast.Assign(targets=[node.target], value=node.value))

    def _annotation(self, node: ast.expr) -> None:
        if isinstance(node, ast.Constant) and isinstance(node.value, str):
            node = ast.parse(node.value, mode="eval").body
        self._write(node)

    def _function(self, node: _Function) -> None:
        self.tokens.append(f"({type(node).__name__}")
        decorators = [] if isinstance(node, ast.Lambda) else node.decorator_list
        if not isinstance(node, ast.Lambda):
            self._name(node.name, binds=True)
            self._value(decorators)
        self._value([*node.args.defaults, "keyword only", *node.args.kw_defaults])
        plain = {self._static(decorator) for decorator in decorators} <= _PLAIN
        static = any(self._static(decorator) == "staticmethod" for decorator in decorators)
        body = [node.body] if isinstance(node, ast.Lambda) else node.body
        scope = _scope("function", body, [parameter.arg for parameter in _all_of(node.args)])
        if plain and not static and len(self._scopes) == 1 and self._scopes[0].kind == "class":
            scope.first = "" if self._scopes[0].inherits else _unchanged(node.args, body)
        with self._scope(scope):
            self._parameters(node.args, scope, named=self._named or not plain)
            self._value(body)
        self.tokens.append(")")

    def _parameters(self, arguments: ast.arguments, scope: _Scope, *, named: bool) -> None:
        for kind, parameters in _kinds(arguments):
            for parameter in parameters:
                number = self._number(scope, parameter.arg)
                self.tokens += [kind, f"name {parameter.arg}" if named else Parameter(parameter.arg, number)]

    def _class(self, node: ast.ClassDef) -> None:
        self.tokens.append("(ClassDef")
        self._name(node.name, binds=True)
        self._value([*node.decorator_list, "bases", *node.bases, *node.keywords])
        scope = _scope("class", node.body, [])
        scope.inherits = bool(node.bases or node.keywords)
        with self._scope(scope):
            self._value(node.body)
        self.tokens.append(")")

    def _comprehension(self, node: _Comprehension) -> None:
        self.tokens.append(f"({type(node).__name__}")
        self._write(node.generators[0].iter)
        names = {name for part in node.generators for name in bindings(part.target)}
        with self._scope(_Scope("comprehension", names)):
            for number, part in enumerate(node.generators):
                self._fields(part, {"iter"} if number == 0 else ())
            self._fields(node, {"generators"})
        self.tokens.append(")")

    def _imports(self, node: ast.Import | ast.ImportFrom) -> None:
        """Write an import only if something else is bound to the same name; else the name itself says what it means."""
        bound = self._scopes[-1].bound if self._scopes else set()
        for name, dotted in imports(node):
            if name in bound or not self._scopes:
                self._name(name, binds=True)
                self.tokens.append(self._dotted(dotted))

    @contextmanager
    def _scope(self, scope: _Scope) -> Iterator[None]:
        self._scopes.append(scope)
        yield
        self._scopes.pop()


def _scope(kind: str, body: Iterable[ast.AST], names: Iterable[str]) -> _Scope:
    scope = _Scope(kind, set(names))
    for statement in body:
        scope.bound |= set(bindings(statement))
        scope.imports |= dict(imports(statement))
        for node in _own(statement):
            if isinstance(node, ast.Global | ast.Nonlocal):
                scope.elsewhere |= dict.fromkeys(node.names, type(node).__name__.lower())
    scope.bound -= scope.elsewhere.keys()
    return scope


def _own(node: ast.AST) -> Iterator[ast.AST]:
    """Yield a statement and all below it that are of the same scope; expressions aside."""
    yield node
    if not isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef | ast.expr):
        for child in _children(node):
            yield from _own(child)


def _unchanged(arguments: ast.arguments, body: Iterable[ast.AST]) -> str:
    """Return the first parameter if it is never bound again, else ""."""
    first = next((parameter.arg for parameter in (*arguments.posonlyargs, *arguments.args)), "")
    bound = {name for statement in body for node in ast.walk(statement) for name in _bound_by(node)}
    return "" if first in bound else first


def _kinds(arguments: ast.arguments) -> Iterator[tuple[str, list[ast.arg]]]:
    yield "positional", arguments.posonlyargs
    yield "parameter", arguments.args
    yield "*", [arguments.vararg] if arguments.vararg else []
    yield "keyword only", arguments.kwonlyargs
    yield "**", [arguments.kwarg] if arguments.kwarg else []


def _all_of(arguments: ast.arguments) -> list[ast.arg]:
    return [parameter for _, parameters in _kinds(arguments) for parameter in parameters]
