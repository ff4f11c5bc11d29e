"""Resolution of operations to handlers, by `operationId` and `x-openapi-router-controller`."""

import importlib
import inspect
import pkgutil
import sys
from collections.abc import Callable, Iterator
from difflib import get_close_matches
from typing import Any

from connexion.exceptions import ResolverError
from connexion.resolver import Resolver

from accord.contract.document import Document
from accord.contract.errors import ContractError, error_at


def missing_modules(document: Document) -> Iterator[ContractError]:
    """Yield an error for each module of handlers that does not exist. Raises what the import of a module raises."""
    operations: dict[str, list[dict[str, Any]]] = {}
    for _, _, spec in document.operations():
        if module := spec.get("x-openapi-router-controller"):
            operations.setdefault(module, []).append(spec)
    for module, specs in operations.items():
        if not _exists(module):
            names = ", ".join(str(spec.get("operationId")) for spec in specs)
            siblings = [f"{package}.{name}" for package in _parents(module) for name in _submodules(package)]
            nearest = get_close_matches(module, siblings, 1)
            remedy = f"; or did you mean {nearest[0]}?" if nearest else "."
            message = f"the module {module} does not exist; write it with the functions {names}{remedy}"
            yield error_at(specs[0], message, "x-openapi-router-controller")


def function_of(spec: dict[str, Any], resolver: Resolver) -> Callable[..., Any]:
    """Return the handler of the operation *spec*. Raises ContractError if there is none."""
    name, module = spec["operationId"], spec.get("x-openapi-router-controller")
    try:
        function: Any = resolver.resolve(_ResolvableOperation(spec)).function
    except ResolverError:
        if module:
            message = (
                f"the contract declares {name}, but {module} has no such function; write it, or remove the operation."
            )
        else:
            message = f"{name} has no x-openapi-router-controller; add the module of its handler."
        raise error_at(spec, message) from None
    if not callable(function) or isinstance(function, type):
        raise error_at(spec, f"{module}.{name} is no function; write the handler of {name} as one.")
    if inspect.iscoroutinefunction(function) or inspect.isasyncgenfunction(function):
        raise error_at(spec, f"{module}.{name} is async, and handlers are not; write `def` instead of `async def`.")
    handler: Callable[..., Any] = function
    return handler


def public_functions(modules: set[str]) -> set[tuple[str, str]]:
    """Return module and name of every public function of *modules* and of the other modules in their packages."""
    packages = {module.rpartition(".")[0] for module in modules} - {""}
    siblings = {f"{package}.{module}" for package in packages for module in _submodules(package)}
    return {
        (module, name)
        for module in modules | siblings
        for name, function in inspect.getmembers(importlib.import_module(module), inspect.isfunction)
        if function.__module__ == module and not name.startswith("_")
    }


def _exists(module: str) -> bool:
    """Import the module, and return whether it exists."""
    if not all(part.isidentifier() for part in module.split(".")):
        return False
    try:
        importlib.import_module(module)
    except ModuleNotFoundError as error:
        if error.name is None or not f"{module}.".startswith(f"{error.name}."):
            raise
        return False
    return True


def _parents(module: str) -> list[str]:
    package = module.rpartition(".")[0]
    return [package] if package and _exists(package) and hasattr(sys.modules[package], "__path__") else []


def _submodules(package: str) -> list[str]:
    return [module.name for module in pkgutil.iter_modules(importlib.import_module(package).__path__)]


class _ResolvableOperation:
    """The attributes of a Connexion operation that resolvers read."""

    def __init__(self, spec: dict[str, Any]) -> None:
        self.operation_id = spec["operationId"]
        self.router_controller = spec.get("x-openapi-router-controller")
