"""Functions from generated source; the one place that calls `exec`."""

import linecache
from collections.abc import Callable
from itertools import count
from typing import Any
from weakref import finalize

_numbers = count(1)


def define(name: str, source: str, namespace: dict[str, Any]) -> Callable[..., Any]:
    """
    Return the function *name* that *source* defines with the names of *namespace*. The other definitions go there.

    Tracebacks show the lines of the source as long as the function exists. Callers generate the source. Names of the
    contract and of columns are in it as literals only, and no value of a request is in it.
    """
    file = f"<generated {name} {next(_numbers)}>"
    exec(compile(source, file, "exec"), namespace)  # noqa: S102  # ADR 4 has the reason.
    function: Callable[..., Any] = namespace[name]
    linecache.cache[file] = (len(source), None, source.splitlines(keepends=True), file)
    finalize(function, linecache.cache.pop, file, None).atexit = False
    return function
