"""
Imports packages without the modules that they import and the service never calls, such as HTTP and test clients.

They would take a fifth of the time of a start, and a tenth of the memory of a worker. Import this module before the
packages.
"""

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from importlib import import_module
from types import ModuleType
from typing import Any

# Each package calls functions and classes of these modules only when it does what its comment says. pyproject.toml has
# an upper bound on the versions of the packages.
_NAMES = (
    # PyJWT: keys in certificates, and keys from other hosts.
    "cryptography.x509",
    "jwt.jwks_client",
    # limits: storages and strategies, unlike `parse_many`.
    "limits.aio",
    "limits.storage",
    "limits.strategies",
    # Connexion: tokens and documents from other hosts, and `test_client`.
    "httpx",
    "requests",
    "starlette.testclient",
    # Connexion: documents and their validation, which the engine does.
    "connexion.spec",
    "connexion.validators",
    "jsonschema.exceptions",
    "yaml",
    # marshmallow: validators, which none of our fields has.
    "marshmallow.validate",
    # Werkzeug: development server and test client.
    "werkzeug.serving",
    "werkzeug.test",
)
_PACKAGES = ("connexion", "jwt", "limits", "marshmallow")


class _DeferredModule(ModuleType):
    """Stands for a module until one of its functions or classes is called."""

    def __getattr__(self, name: str) -> Callable[..., Any]:
        if name.startswith("__"):
            raise AttributeError(name)

        def call(*arguments: Any, **options: Any) -> Any:
            return getattr(import_module(self.__name__), name)(*arguments, **options)

        return call


@contextmanager
def _stand_ins() -> Iterator[None]:
    deferred = {name: _DeferredModule(name) for name in _NAMES if name not in sys.modules}
    if exceptions := deferred.get("jsonschema.exceptions"):
        # Connexion has a class that derives from this one.
        vars(exceptions)["ValidationError"] = type("ValidationError", (Exception,), {})
    sys.modules.update(deferred)
    try:
        yield
    finally:
        # Other importers get the modules themselves.
        for name in deferred:
            del sys.modules[name]


with _stand_ins():
    for _package in _PACKAGES:
        import_module(_package)
