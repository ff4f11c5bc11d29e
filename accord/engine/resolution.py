"""Resolution of operations to handlers, by `operationId` and `x-openapi-router-controller`."""

import importlib
import inspect
import pkgutil
from collections.abc import Callable
from typing import Any

from connexion.exceptions import ResolverError
from connexion.resolver import Resolver

from accord.contract.errors import error_at


def function_of(spec: dict[str, Any], resolver: Resolver) -> Callable[..., Any]:
    """Return the handler of the operation *spec*. Raises ContractError if there is none."""
    try:
        function: Callable[..., Any] = resolver.resolve(_ResolvableOperation(spec)).function
    except ResolverError as error:
        name, module = spec["operationId"], spec.get("x-openapi-router-controller", "x-openapi-router-controller")
        message = f"the contract declares {name}, but {module} has no such function; write it, or remove the operation"
        raise error_at(spec, f"{message} ({error}).") from None
    return function


def public_functions(modules: set[str]) -> set[tuple[str, str]]:
    """Return module and name of every public function of *modules* and of the other modules in their packages."""
    packages = {module.rpartition(".")[0] for module in modules} - {""}
    siblings = {
        f"{package}.{module.name}"
        for package in packages
        for module in pkgutil.iter_modules(importlib.import_module(package).__path__)
    }
    return {
        (module, name)
        for module in modules | siblings
        for name, function in inspect.getmembers(importlib.import_module(module), inspect.isfunction)
        if function.__module__ == module and not name.startswith("_")
    }


class _ResolvableOperation:
    """The attributes of a Connexion operation that resolvers read."""

    def __init__(self, spec: dict[str, Any]) -> None:
        self.operation_id = spec["operationId"]
        self.router_controller = spec.get("x-openapi-router-controller")
