"""What must hold between an operation of the contract and its function before either runs."""

from collections.abc import Callable, Iterable, Mapping
from inspect import Parameter as Argument
from inspect import signature
from typing import Any

from accord.contract.errors import error_at
from accord.engine.parsers.parameters import Parameter, ParameterParser
from accord.engine.renderers.response import ResponseDefinition
from accord.engine.routing import PathItem

PARTIAL = 206


def check_path_parameters(spec: dict[str, Any], path: PathItem, every: list[Parameter]) -> None:
    """Raise ContractError unless the parameters are those of the path, and each is an argument of its own."""
    name = spec["operationId"]
    declared = {parameter.name for parameter in every if parameter.place == "path"}
    if declared != set(path.names):
        differing = ", ".join(sorted(declared ^ set(path.names)))
        raise error_at(spec, f"{name}: the path is {path.template}, but {differing} is not in both.")
    arguments = [parameter.argument for parameter in every]
    if twice := {argument for argument in arguments if arguments.count(argument) > 1}:
        raise error_at(spec, f"{name}: two parameters are the argument {', '.join(twice)}; rename one.")


def only_success(spec: dict[str, Any], responses: Mapping[int, ResponseDefinition]) -> ResponseDefinition:
    """Return the one response of 2xx, beside a 206; raises ContractError if there is none, or several."""
    successes = [response for status, response in responses.items() if 200 <= status < 300 and status != PARTIAL]
    if len(successes) != 1:
        raise error_at(spec, f"{spec['operationId']} has {len(successes)} responses of 2xx; an operation has one.")
    return successes[0]


def check_arguments(
    spec: dict[str, Any],
    function: Callable[..., Any],
    parameters: ParameterParser,
    *,
    has_body: bool,
    tools: Mapping[str, Any],
) -> None:
    """Raise ContractError unless *function* takes what the contract has, and nothing that nobody gives it."""
    name, where = spec["operationId"], f"{function.__module__}.{function.__name__}"
    body = {"body"} if has_body else set()
    wanted = signature(function).parameters.values()
    if any(argument.kind not in (Argument.POSITIONAL_OR_KEYWORD, Argument.KEYWORD_ONLY) for argument in wanted):
        raise error_at(spec, f"{where} must name its arguments, without * and **.")
    names = {argument.name for argument in wanted}
    offered = parameters.by_argument.keys() | body | tools.keys() | {"session", "caller"}
    if unknown := sorted(names - offered):
        raise error_at(spec, f"{where} takes {', '.join(unknown)}, which the contract of {name} does not have.")
    queried = {p.argument for p in parameters.every if p.place != "header" and p.argument != "fields"}
    if unused := sorted((queried | body) - names):
        raise error_at(spec, f"{name} has {', '.join(unused)}, which {where} does not take.")
    for argument in wanted:
        parameter = parameters.by_argument.get(argument.name)
        optional = parameter and not parameter.required and not parameter.has_default
        if optional and argument.default is Argument.empty:
            raise error_at(spec, f"{where}: {argument.name} may be missing in the request; give it a default.")


def check_statuses(spec: dict[str, Any], possible: Iterable[int], declares: Callable[[int], bool]) -> None:
    """Raise ContractError unless every status that is possible is declared."""
    if missing := [str(status) for status in possible if not declares(status)]:
        raise error_at(spec, f"{spec['operationId']} can answer {', '.join(missing)}; declare what these answers are.")
