"""
Imports Connexion without the packages that it imports and the service never calls: HTTP clients and a test client.

They would take a seventh of the memory of a worker and of the time of its start. Import this module before Connexion.
"""

import sys
from collections.abc import Callable
from importlib import import_module
from types import ModuleType
from typing import Any

# Connexion 3.3 calls functions and classes of them, to fetch documents and tokens, and in `test_client`.
_NAMES = ("httpx", "requests", "starlette.testclient")


class _DeferredModule(ModuleType):
    """Stands for a module until one of its functions or classes is called."""

    def __getattr__(self, name: str) -> Callable[..., Any]:
        if name.startswith("__"):
            raise AttributeError(name)

        def call(*arguments: Any, **options: Any) -> Any:
            return getattr(import_module(self.__name__), name)(*arguments, **options)

        return call


if "connexion" not in sys.modules:
    _deferred = {name: _DeferredModule(name) for name in _NAMES if name not in sys.modules}
    sys.modules.update(_deferred)
    try:
        import_module("connexion")
    finally:
        # Other importers get the modules themselves.
        for _name in _deferred:
            del sys.modules[_name]
