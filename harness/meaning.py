"""Meaning: a digest of what code does, independent of names, layout and the module that it is in."""

import ast
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from hashlib import sha256
from importlib.util import find_spec, resolve_name
from pathlib import Path

from chaos_harness.harness.normal_form import (
    Keyword,
    Normaliser,
    Parameter,
    Place,
    Private,
    Text,
    Token,
    bindings,
    imports,
)

__all__ = ["Code", "Source", "source_of"]

_DIGITS = 12
_EFFECTS = "(effects)"


@dataclass(frozen=True)
class Source:
    """The text of a module, and whether it is a package's `__init__`."""

    text: str
    package: bool = False


def source_of(name: str) -> Source | None:
    """Return the source of an installed module; None if there is no such module, or it has no source.

    A package without an `__init__` has an empty source.
    """
    try:
        spec = find_spec(name)
    except (ImportError, ValueError):
        return None
    package = spec is not None and spec.submodule_search_locations is not None
    if spec is None or not spec.has_location or spec.origin is None:
        return Source("", package=True) if package else None
    return Source(Path(spec.origin).read_text(encoding="utf-8"), package)


class Code:
    """Our code, as `sources` returns it; all other code, including builtins, is known only by its names.

    `silent` are dotted names of modules and definitions that raise, show or write, and so do not affect a verdict: only
    their identity counts.
    """

    def __init__(self, sources: Callable[[str], Source | None] = source_of, silent: Collection[str] = ()) -> None:
        self._sources = sources
        self._silent = silent
        self._module = cache(self._read)
        self.tokens: Callable[[Place], Sequence[Token]] = cache(self._tokens)

    def digest(self, roots: Iterable[Place]) -> str:
        """Return the digest of these definitions, in their order, and of all our definitions that they refer to.

        It does not change if a definition, a local variable, a private attribute of one class, or a parameter that no
        call passes by name is renamed; if a definition or a module moves; or if comments, docstrings, imports,
        annotations of functions or the layout change. It changes with everything else.
        """
        numbers: dict[Place, int] = {}
        for root in roots:
            numbers.setdefault(self.defined(root), len(numbers))
        reached: list[Sequence[Token]] = []
        waiting = list(numbers)
        for place in waiting:
            tokens = self.tokens(place)
            reached.append(tokens)
            for token in tokens:
                if isinstance(token, Place) and token not in numbers:
                    numbers[token] = len(numbers)
                    waiting.append(token)
        return sha256("\n".join(_lines(reached, numbers)).encode()).hexdigest()[:_DIGITS]

    def defined(self, place: Place) -> Place:
        """Return the place where a module's name is defined, following imports."""
        definition = self._resolved(place.module, place.name) if place.name.isidentifier() else place
        return definition if isinstance(definition, Place) else place

    def _read(self, name: str) -> "_Module | None":
        source = self._sources(name)
        return _parsed(name, source) if source else None

    def _tokens(self, place: Place) -> Sequence[Token]:
        module = self._module(place.module)
        if module is None or place.module in self._silent or f"{place.module}.{place.name}" in self._silent:
            return ()
        if not place.name:
            return [token for name in module.definitions for token in (Text(name), Place(place.module, name))]
        writer = Normaliser(
            lambda name: self._resolved(place.module, name), lambda dotted: self._dotted(module.absolute(dotted))
        )
        for statement in module.effects if place.name == _EFFECTS else module.statements(place.name):
            writer.write(statement)
        effects = [Place(place.module, _EFFECTS)] if module.effects and place.name != _EFFECTS else []
        return [*writer.tokens, *effects]

    def _resolved(self, module_name: str, name: str) -> "str | Place":
        """Return what a name means in a module: a definition, a module of ours, or itself if it is not ours."""
        module = self._module(module_name)
        if module is not None and name in module.definitions:
            return Place(module_name, name)
        submodule = f"{module_name}.{name}"
        imported = module.imports.get(name) if module is not None else None
        if imported is not None and imported != submodule:
            return self._dotted(imported)
        return Place(submodule, "") if self._module(submodule) else name

    def _dotted(self, name: str) -> "str | Place":
        """Return what a dotted name in an import means, following re-exports; itself if it is not ours."""
        top, *rest = name.split(".")
        if self._module(top) is None:
            return name
        module = top
        for part in rest[:-1]:
            module = f"{module}.{part}"
            if self._module(module) is None:
                return name
        return self._resolved(module, rest[-1]) if rest else Place(top, "")


class _Module:
    """A module's definitions by statement, its imports, and the effects of importing it."""

    def __init__(self, name: str, source: Source) -> None:
        self.definitions: dict[str, list[ast.stmt]] = {}
        self.effects: list[ast.stmt] = []
        self.imports: dict[str, str] = {}
        self._package = name if source.package else name.rpartition(".")[0]
        for statement in ast.parse(source.text, name).body:
            self.imports |= {bound: self.absolute(dotted) for bound, dotted in imports(statement)}
            self._take(statement, [bound for bound in bindings(statement) if bound != "__all__"])

    def absolute(self, dotted: str) -> str:
        """Return the absolute form of a dotted name that may be relative to this module's package."""
        return resolve_name(dotted, self._package) if dotted.startswith(".") else dotted

    def statements(self, name: str) -> list[ast.stmt]:
        """Return the statements that define a name, or a method by "Class.method"."""
        class_, _, method = name.partition(".")
        statements = self.definitions[class_]
        bodies = (part for statement in statements if isinstance(statement, ast.ClassDef) for part in statement.body)
        return [part for part in bodies if getattr(part, "name", "") == method] if method else statements

    def _take(self, statement: ast.stmt, bound: Iterable[str]) -> None:
        names = dict.fromkeys(bound)
        if isinstance(statement, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
            inner = (node.names for node in ast.walk(statement) if isinstance(node, ast.Global))
            names |= dict.fromkeys(name for changed in inner for name in changed)
        for name in names:
            self.definitions.setdefault(name, []).append(statement)
        if not names and not _is_idle(statement):
            self.effects.append(statement)
        elif isinstance(statement, ast.If | ast.For | ast.While | ast.With | ast.Try | ast.Match):
            self.effects += [] if _is_idle(statement) else [statement]


_parsed = cache(_Module)


def _is_idle(statement: ast.stmt) -> bool:
    """Whether a module's statement only imports, documents, or lists what is exported."""
    match statement:
        case ast.Import() | ast.ImportFrom() | ast.Pass() | ast.Expr(value=ast.Constant()):
            return True
        case ast.Assign(targets=[ast.Name(id="__all__")]) | ast.AugAssign(target=ast.Name(id="__all__")):
            return True
        case ast.AnnAssign(target=ast.Name(), value=None):
            return True
        case ast.If():
            return all(map(_is_idle, [*statement.body, *statement.orelse]))
    return False


def _lines(reached: Sequence[Sequence[Token]], numbers: Mapping[Place, int]) -> Iterator[str]:
    """Yield the tokens of definitions, with numbers in place of names that do not matter."""
    tokens = {token for one in reached for token in one}
    spoken = {token.text for token in tokens if isinstance(token, Text)}
    begins = tuple(text for text in spoken if text.startswith("_"))
    spoken |= {token.name for token in tokens if isinstance(token, Keyword)}
    private = [token for token in tokens if isinstance(token, Private)]
    kept = spoken | {token.name for token in private if not token.own or token.name.startswith(begins)}
    for one in reached:
        own = {token.name for token in one if isinstance(token, Private) and token.binds} - kept
        attributes: dict[str, int] = {}
        yield "begin"
        for token in one:
            match token:
                case Place():
                    yield f"definition {numbers[token]}"
                case Parameter(name, number):
                    yield f"parameter {name if name in spoken else number}"
                case Private(name) if name in own:
                    yield f"private {attributes.setdefault(name, len(attributes))}"
                case Private(name) | Keyword(name):
                    yield f"name {name}"
                case Text(text):
                    yield f"text {text!r}"
                case _:
                    yield token
