"""Validation of operations: parameters, arguments of handlers, and statuses must match before the service starts."""

from collections.abc import Callable, Iterable, Mapping
from inspect import Parameter as Argument
from inspect import signature
from typing import Any

from accord.contract.errors import error_at
from accord.engine.parsers.parameters import Parameter, ParameterParser
from accord.engine.routing import PathItem

PARTIAL = 206


def check_path_parameters(spec: dict[str, Any], path_item: PathItem, parameters: list[Parameter]) -> None:
    """Raise ContractError unless the path parameters are those of the template, and argument names are unique."""
    name = spec["operationId"]
    declared = {parameter.name for parameter in parameters if parameter.location == "path"}
    if declared != set(path_item.names):
        differing = ", ".join(sorted(declared ^ set(path_item.names)))
        message = f"{name}: {differing} must be both in the path {path_item.template} and among the path parameters."
        raise error_at(spec, message)
    arguments = [parameter.argument for parameter in parameters]
    if duplicates := {argument for argument in arguments if arguments.count(argument) > 1}:
        raise error_at(spec, f"{name}: two parameters have the argument {', '.join(duplicates)}; rename one.")


def only_success(spec: dict[str, Any], statuses: Iterable[int]) -> int:
    """Return the status 2xx other than 206. Raises ContractError unless there is exactly one."""
    successes = [status for status in statuses if 200 <= status < 300 and status != PARTIAL]
    if len(successes) != 1:
        raise error_at(
            spec, f"{spec['operationId']} has {len(successes)} responses of status 2xx; declare exactly one."
        )
    return successes[0]


def check_arguments(
    spec: dict[str, Any],
    function: Callable[..., Any],
    parameters: ParameterParser,
    *,
    has_body: bool,
    dependencies: Mapping[str, Any],
) -> None:
    """Raise ContractError unless *function* takes what the operation declares, and otherwise only dependencies."""
    name, where = spec["operationId"], f"{function.__module__}.{function.__name__}"
    body = {"body"} if has_body else set()
    arguments = signature(function).parameters.values()
    if any(argument.kind not in (Argument.POSITIONAL_OR_KEYWORD, Argument.KEYWORD_ONLY) for argument in arguments):
        raise error_at(spec, f"{where} must have named arguments; remove * and **.")
    names = {argument.name for argument in arguments}
    available = parameters.by_argument.keys() | body | dependencies.keys() | {"session", "caller"}
    if unknown := sorted(names - available):
        message = f"{where} takes {', '.join(unknown)}, which {name} does not declare; declare or remove it."
        raise error_at(spec, message)
    required = {p.argument for p in parameters.every if p.location != "header" and p.argument != "fields"}
    if unused := sorted((required | body) - names):
        raise error_at(spec, f"{name} declares {', '.join(unused)}, which {where} does not take; add the argument.")
    for argument in arguments:
        parameter = parameters.by_argument.get(argument.name)
        optional = parameter and not parameter.required and not parameter.has_default
        if optional and argument.default is Argument.empty:
            raise error_at(spec, f"{where}: {argument.name} is optional in the request; give it a default.")


def check_statuses(spec: dict[str, Any], possible: Iterable[int], declares: Callable[[int], bool]) -> None:
    """Raise ContractError unless every possible status is declared."""
    if missing := [str(status) for status in possible if not declares(status)]:
        raise error_at(spec, f"{spec['operationId']} can respond with {', '.join(missing)}; declare these responses.")
