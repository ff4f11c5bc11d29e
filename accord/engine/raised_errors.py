"""Static analysis of handlers: the errors that a handler, and the functions that it calls, can raise."""

import ast
import builtins
import inspect
import sys
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from types import FunctionType, MethodType, ModuleType
from typing import Any, get_type_hints

from accord.contract.errors import ContractError, error_at
from accord.engine.operation import Operation
from accord.engine.problems import ExceptionHandlers

Caught = tuple[type[BaseException], ...]
ErrorClass = type[BaseException]


@dataclass
class _Facts:
    """What the source of a function, or of a module's variable, mentions."""

    errors: dict[ErrorClass, str] = field(default_factory=dict)
    """The error classes, with the place of their first mention: `file:line`."""
    calls: list[tuple[Any, Caught]] = field(default_factory=list)
    """The keys of other facts, each with the error classes that are caught around the mention."""


class RaisedErrors:
    """
    The errors that functions can raise, by a reading of their source, without running it.

    A function can raise the classes of *error_classes* that it mentions, and what the functions that it mentions can
    raise. A mention is any use of a name: a call, an argument (`partial(Conflict, …)`), or a value of a module that the
    function uses (`_CONSTRAINTS`). Annotations, `isinstance` and `except` are no mentions. An `except` without a
    `raise` of the same error, or a `suppress`, removes its classes from what its `try` block can raise.

    Names are resolved as Python resolves them, in the imported modules. A method of an object of unknown type stands
    for every method of that name in *packages*, one of a known class also for those of its subclasses. A class and its
    instances stand for their special methods (`__enter__`), a container for the functions that it has. Only functions
    of *packages* are read, so that errors of libraries do not count.
    """

    def __init__(self, packages: Sequence[str], error_classes: Sequence[ErrorClass]) -> None:
        self._packages = tuple(packages)
        self._error_classes = tuple(error_classes)
        self._sources: dict[str, _Source] = {}
        self._facts: dict[Any, _Facts] = {}
        self._methods: dict[str, list[Any]] | None = None
        self._owners: dict[Any, list[type]] = {}
        """The classes that have a method."""
        self._raised: dict[Any, dict[ErrorClass, str]] = {}

    def of(self, function: Callable[..., Any]) -> dict[ErrorClass, str]:
        """Return the error classes that *function* can raise, each with the place of one mention: `file:line`."""
        key = self.unwrap(function)
        if key not in self._raised:
            self._read(key)
            self._propagate()
        return self._raised.get(key, {})

    def _propagate(self) -> None:
        """Repeat until nothing changes: a function can raise what the functions that it mentions can raise."""
        raised = {key: dict(facts.errors) for key, facts in self._facts.items()}
        is_changed = True
        while is_changed:
            is_changed = False
            for key, facts in self._facts.items():
                for called, caught in facts.calls:
                    for error_class, place in raised[called].items():
                        if error_class not in raised[key] and not issubclass(error_class, caught):
                            raised[key][error_class] = place
                            is_changed = True
        self._raised = raised

    def _read(self, key: Any) -> None:
        """Collect the facts of *key*, and of all that it mentions."""
        pending = [key]
        while pending:
            current = pending.pop()
            if current not in self._facts:
                self._facts[current] = facts = self._facts_of(current)
                pending += [called for called, _ in facts.calls]

    def _facts_of(self, key: Any) -> _Facts:
        if isinstance(key, tuple):
            module, name = key
            source = self._source(module)
            return _Reader(self, source, dict(vars(module)), {}).read(*source.assignments.get(name, ()))
        # `functools.wraps` gives a function the module and the name of another one, but not the globals and the code.
        module = sys.modules[key.__globals__["__name__"]]
        source = self._source(module)
        node = source.functions.get(key.__code__.co_qualname)
        if node is None:
            return _Facts()
        names = {**vars(module), **inspect.getclosurevars(key).nonlocals}
        return _Reader(self, source, names, self._argument_types(key, source)).read(node)

    def _argument_types(self, function: Any, source: "_Source") -> dict[str, Any]:
        """Return the types of arguments, so that their methods can be found. That of an unknown type is None."""
        try:
            types = get_type_hints(function)
        except (NameError, TypeError):
            types = {}
        owner = source.classes.get(function.__code__.co_qualname.rpartition(".")[0])
        arguments = function.__code__.co_varnames[: function.__code__.co_argcount]
        if owner and arguments:
            types[arguments[0]] = getattr(source.module, owner, None)
        return types

    def is_own(self, module: str | None) -> bool:
        """Return whether the module is one of *packages*, or in one of them."""
        return module is not None and any(module == name or module.startswith(f"{name}.") for name in self._packages)

    def is_error(self, value: Any) -> bool:
        return isinstance(value, type) and issubclass(value, self._error_classes)

    def methods(self, name: str) -> list[Any]:
        """Return all methods of this name in `packages`."""
        if self._methods is None:
            self._methods = {}
            modules = [module for name, module in sorted(sys.modules.items()) if self.is_own(name)]
            classes = [each for module in modules for each in vars(module).values() if inspect.isclass(each)]
            for each in dict.fromkeys(classes):
                for attribute, value in vars(each).items() if self.is_own(each.__module__) else ():
                    method = self.unwrap(value)
                    if isinstance(method, FunctionType):
                        self._methods.setdefault(attribute, []).append(method)
                        self._owners.setdefault(method, []).append(each)
        return [method for method in self._methods.get(name, ()) if self.is_own(method.__globals__["__name__"])]

    def overrides(self, owner: Any, name: str) -> list[Any]:
        """Return the methods of this name in subclasses of the class *owner*."""
        if not isinstance(owner, type) or not self.is_own(owner.__module__):
            return []
        methods = self.methods(name)
        return [method for method in methods if any(owner in each.__mro__ for each in self._owners[method])]

    def unwrap(self, value: Any) -> Any:
        """Return the function behind a method, a property or a decorator that is not in *packages*."""
        while True:
            match value:
                case MethodType() | classmethod() | staticmethod():
                    value = value.__func__
                case property(fget=function):
                    value = function
                case FunctionType() if self.is_own(value.__globals__.get("__name__")):
                    return value
                case _ if hasattr(value, "__wrapped__"):
                    value = value.__wrapped__
                case _:
                    return value

    def _source(self, module: ModuleType) -> "_Source":
        if module.__name__ not in self._sources:
            self._sources[module.__name__] = _Source(module)
        return self._sources[module.__name__]

    def origin(self, module: ModuleType, name: str) -> tuple[ModuleType, str] | None:
        """Return module and name of the assignment that gave *name* of *module* its value; None for one elsewhere."""
        source = self._source(module)
        if name in source.assignments:
            return module, name
        origin = source.imports.get(name)
        imported = sys.modules.get(origin[0]) if origin else None
        return self.origin(imported, origin[1]) if origin and imported and self.is_own(origin[0]) else None


class _Source:
    """The syntax tree of a module, by names."""

    def __init__(self, module: ModuleType) -> None:
        file = Path(module.__file__ or "")
        depth = module.__name__.count(".") + (2 if file.stem == "__init__" else 1)
        self.module = module
        self.path = "/".join(file.parts[-depth:])
        self.functions: dict[str, ast.AST] = {}
        self.classes: dict[str, str] = {}
        self.assignments: dict[str, list[ast.AST]] = {}
        self.imports: dict[str, tuple[str, str]] = {}
        tree = ast.parse(file.read_text("utf-8"))
        self._index(tree, "")
        for node in tree.body:
            for target in _targets(node):
                self.assignments.setdefault(target, []).append(node)
            if isinstance(node, ast.ImportFrom) and node.module and not node.level:
                self.imports.update({alias.asname or alias.name: (node.module, alias.name) for alias in node.names})

    def _index(self, node: ast.AST, prefix: str) -> None:
        for child in ast.iter_child_nodes(node):
            if isinstance(child, ast.FunctionDef | ast.AsyncFunctionDef):
                self.functions[prefix + child.name] = child
                self._index(child, f"{prefix}{child.name}.<locals>.")
            elif isinstance(child, ast.ClassDef):
                self.classes[prefix + child.name] = child.name
                self._index(child, f"{prefix}{child.name}.")
            else:
                self._index(child, prefix)


class _Reader:
    """Reads one function or assignment for the names that it mentions."""

    def __init__(
        self, analysis: RaisedErrors, source: _Source, names: dict[str, Any], argument_types: dict[str, Any]
    ) -> None:
        self.analysis = analysis
        self.source = source
        self.names = dict(names)
        self.argument_types = argument_types
        self.facts = _Facts()
        self.locals: set[str] = set()

    def read(self, *nodes: ast.AST) -> _Facts:
        for node in nodes:
            match node:
                case ast.FunctionDef() | ast.AsyncFunctionDef():
                    self._visit_function(node, ())
                case ast.Assign(value=value) | ast.AugAssign(value=value) | ast.AnnAssign(value=ast.expr() as value):
                    self._visit(value, ())
        return self.facts

    def _visit_function(self, node: ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda, caught: Caught) -> None:
        for default in [*node.args.defaults, *filter(None, node.args.kw_defaults)]:
            self._visit(default, caught)
        outer = self.locals
        self.locals = outer | _local_names(node)
        for part in [node.body] if isinstance(node, ast.Lambda) else node.body:
            self._visit(part, caught)
        self.locals = outer

    def _visit(self, node: ast.AST, caught: Caught) -> None:
        match node:
            case ast.Try():
                self._visit_try(node, caught)
            case ast.With() | ast.AsyncWith():
                self._visit_with(node, caught)
            case ast.AnnAssign(value=value):
                self._visit(value or ast.Pass(), caught)
            case ast.Call(func=ast.Name(id="isinstance" | "issubclass"), args=[subject, *_]):
                self._visit(subject, caught)
            case ast.FunctionDef() | ast.AsyncFunctionDef() | ast.Lambda():
                self._visit_function(node, caught)
            case ast.ImportFrom(module=str(module), names=aliases):
                imported = sys.modules.get(module)
                self.names |= {alias.asname or alias.name: getattr(imported, alias.name, None) for alias in aliases}
            case ast.Name(ctx=ast.Load()) | ast.Attribute(ctx=ast.Load()):
                self._mention(node, caught)
                if isinstance(node, ast.Attribute):
                    self._visit(node.value, caught)
            case _:
                for child in ast.iter_child_nodes(node):
                    self._visit(child, caught)

    def _visit_try(self, node: ast.Try, caught: Caught) -> None:
        handled: list[ErrorClass] = []
        for handler in node.handlers:
            if not _reraises(handler):
                handled += self._classes(handler.type)
        for child in node.body:
            self._visit(child, (*caught, *handled))
        for handler in node.handlers:
            for child in handler.body:
                self._visit(child, caught)
        for child in [*node.orelse, *node.finalbody]:
            self._visit(child, caught)

    def _visit_with(self, node: ast.With | ast.AsyncWith, caught: Caught) -> None:
        for item in node.items:
            match item.context_expr:
                case ast.Call(func=function, args=arguments) if self._value(function) is suppress:
                    caught = (*caught, *(each for argument in arguments for each in self._classes(argument)))
                case expression:
                    self._visit(expression, caught)
        for child in node.body:
            self._visit(child, caught)

    def _classes(self, node: ast.expr | None) -> list[ErrorClass]:
        if node is None:
            return [BaseException]
        parts = node.elts if isinstance(node, ast.Tuple) else [node]
        values = [self._value(part) for part in parts]
        return [value for value in values if isinstance(value, type) and issubclass(value, BaseException)]

    def _mention(self, node: ast.Name | ast.Attribute, caught: Caught) -> None:
        value = self._value(node)
        if self.analysis.is_error(value):
            if not issubclass(value, caught):
                self.facts.errors.setdefault(value, f"{self.source.path}:{node.lineno}")
            return
        if value is _UNKNOWN:
            if isinstance(node, ast.Attribute):
                self.facts.calls += [(method, caught) for method in self.analysis.methods(node.attr)]
            return
        self.facts.calls += [(key, caught) for key in self._keys(value)]
        owner = self._value(node.value) if isinstance(node, ast.Attribute) else self.source.module
        if isinstance(owner, _Instance) and isinstance(node, ast.Attribute):
            self.facts.calls += [(method, caught) for method in self.analysis.overrides(owner.type, node.attr)]
        if isinstance(owner, ModuleType) and not isinstance(value, FunctionType | type | ModuleType | _Instance):
            name = node.attr if isinstance(node, ast.Attribute) else node.id
            origin = self.analysis.origin(owner, name) if self.analysis.is_own(owner.__name__) else None
            if origin:
                self.facts.calls.append((origin, caught))

    def _keys(self, value: Any) -> Iterator[Any]:
        """Yield the functions that run when *value*, or an item of it, is used: called, entered, added, iterated."""
        value = self.analysis.unwrap(value)
        if isinstance(value, FunctionType):
            if self.analysis.is_own(value.__globals__["__name__"]):
                yield value
        elif isinstance(value, partial):
            yield from self._keys(value.func)
        elif isinstance(value, type):
            yield from self._special_methods(value)
        elif isinstance(value, _Instance):
            if isinstance(value.type, type):
                yield from self._special_methods(value.type, _CONSTRUCTORS)
        elif type(value) in (dict, list, tuple, set, frozenset):
            for item in value.values() if isinstance(value, dict) else value:
                if isinstance(item, FunctionType | MethodType | partial):
                    yield from self._keys(item)
        else:
            yield from self._special_methods(type(value), _CONSTRUCTORS)

    def _special_methods(self, owner: type, without: frozenset[str] = frozenset()) -> Iterator[Any]:
        for each in owner.__mro__ if self.analysis.is_own(owner.__module__) else ():
            for name, method in vars(each).items() if self.analysis.is_own(each.__module__) else ():
                if name.startswith("__") and name.endswith("__") and name not in without:
                    function = self.analysis.unwrap(method)
                    if isinstance(function, FunctionType):
                        yield from self._keys(function)

    def _value(self, node: ast.AST) -> Any:
        """Return the value of a name or of an attribute in the imported modules, or _UNKNOWN."""
        if isinstance(node, ast.Name):
            if node.id in self.argument_types:
                return _Instance(self.argument_types[node.id])
            if node.id in self.locals:
                return _UNKNOWN
            return self.names.get(node.id, getattr(builtins, node.id, _UNKNOWN))
        if isinstance(node, ast.Attribute):
            owner = self._value(node.value)
            if isinstance(owner, _Instance):
                return _attribute(owner.type, node.attr)
            return _UNKNOWN if owner is _UNKNOWN else getattr(owner, node.attr, _UNKNOWN)
        return _UNKNOWN


_UNKNOWN: Any = object()
_CONSTRUCTORS = frozenset({"__init__", "__new__", "__post_init__"})


@dataclass(frozen=True)
class _Instance:
    """A value of which only the type is known."""

    type: Any


def _attribute(owner: Any, name: str) -> Any:
    """Return the attribute of the instances of a class, or _UNKNOWN."""
    return inspect.getattr_static(owner, name, _UNKNOWN) if isinstance(owner, type) else _UNKNOWN


def _targets(node: ast.AST) -> list[str]:
    """Return the names that a statement of a module assigns to."""
    match node:
        case ast.Assign(targets=targets):
            return [target.id for target in targets if isinstance(target, ast.Name)]
        case ast.AnnAssign(target=ast.Name(id=name)) | ast.AugAssign(target=ast.Name(id=name)):
            return [name]
    return []


def _reraises(handler: ast.ExceptHandler) -> bool:
    """Return whether the handler raises the error that it caught, or one of its class."""
    for node in ast.walk(handler):
        match node:
            case ast.Raise(exc=ast.Name(id=name)) if name != handler.name:
                pass
            case ast.Raise(exc=ast.Call(func=ast.Name() | ast.Attribute())):
                pass
            case ast.Raise():
                return True
    return False


def _local_names(function: ast.AST) -> set[str]:
    """Return the arguments and variables of a function, without those of functions within it."""
    names: set[str] = set()
    pending = list(ast.iter_child_nodes(function))
    while pending:
        node = pending.pop()
        match node:
            case ast.arg(arg=name) | ast.Name(id=name, ctx=ast.Store()):
                names.add(name)
        if not isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda):
            pending += ast.iter_child_nodes(node)
    return names


def undeclared_statuses(
    operations: Iterable[Operation], exception_handlers: ExceptionHandlers, raised_errors: RaisedErrors
) -> Iterator[ContractError]:
    """Yield an error for each status that the handler of an operation can cause and the operation does not declare.

    An error class without a status is an error as well.
    """
    for operation in operations:
        missing: dict[int, str] = {}
        for error_class, place in raised_errors.of(operation.function).items():
            status = exception_handlers.status_of(error_class)
            if status is None:
                yield ContractError(f"{place}: {error_class.__name__} has no status; add it to the exception handlers.")
            elif not operation.declares_status(status):
                missing.setdefault(status, f"{error_class.__name__} at {place}")
        for status, cause in sorted(missing.items()):
            message = f"{operation.id} can respond with {status}, because its handler can raise {cause}"
            yield error_at(operation.spec, f"{message}; declare this response, or catch the error.")
