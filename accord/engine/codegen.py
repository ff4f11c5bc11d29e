"""Functions from generated source; the one place of the engine that calls `exec`."""

import linecache
from collections.abc import Callable
from itertools import count
from typing import Any
from weakref import finalize

_numbers = count(1)


def define(name: str, source: str, namespace: dict[str, Any]) -> Callable[..., Any]:
    """
    Return the function *name* that *source* defines, with the names of *namespace*, which gets what else it defines.

    Tracebacks show the lines of the source as long as the function is there. The source is written by the engine
    and holds names of the contract only as literals.
    """
    file = f"<generated {name} {next(_numbers)}>"
    exec(compile(source, file, "exec"), namespace)  # noqa: S102  # See above; ADR 4 has the reason.
    function: Callable[..., Any] = namespace[name]
    linecache.cache[file] = (len(source), None, source.splitlines(keepends=True), file)
    finalize(function, linecache.cache.pop, file, None).atexit = False
    return function
