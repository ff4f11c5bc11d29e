"""A status that a handler can cause by the errors of services is declared, or `check` names it (OpenAPI 3.1, 4.8.16.1).

OpenAPI: "The documentation is expected to cover a successful operation response and any known errors."
"""

import sys

import pytest

from accord.app.container import Container
from accord.app.exception_handlers import ERRORS
from accord.engine.raised_errors import RaisedErrors, undeclared_statuses
from accord.settings import Settings

CONTAINER = Container(Settings())
OPERATIONS = CONTAINER.contract.operations
OF_THE_SERVER = {408, 414, 431}
"""Statuses that the server sends before it knows the operation, so that all operations declare them."""
DECLARED = [
    pytest.param(operation, status, id=f"{operation.id}-{operation.path_item.template.split('/')[2:3]}-{status}")
    for operation in OPERATIONS
    for status in operation.responses
    if status >= 400 and status not in OF_THE_SERVER
]


@pytest.mark.parametrize(("operation", "status"), DECLARED)
def test_declared_error_is_missed_when_it_is_removed(operation, status, monkeypatch):
    """Each declared 4xx is one that the engine or the services can cause, and none of them is overlooked."""
    without = {other: response for other, response in operation.responses.items() if other != status}
    monkeypatch.setattr(operation, "responses", without)
    missing = [each for each in operation.possible_statuses() if not operation.declares_status(each)]
    named = [str(error) for error in undeclared_statuses([operation], ERRORS, CONTAINER.raised_errors)]
    assert missing == [status] or any(f"{operation.id} can respond with {status}, because" in line for line in named)
    assert all(line.startswith("openapi/paths/") and ".py:" in line for line in named)


def test_all_that_handlers_can_raise_is_declared():
    assert [*undeclared_statuses(OPERATIONS, ERRORS, CONTAINER.raised_errors)] == []


class Missing(Exception):
    pass


class Taken(Exception):
    pass


class TakenName(Taken):
    pass


MODULE = """
from contextlib import contextmanager, suppress
from functools import cache, partial, wraps
from ERRORS import Missing, Taken, TakenName

_TAKEN = partial(Taken, "It is taken.")
_CONSTRAINTS: dict = {"uq": _TAKEN}

class Store:
    def __init__(self): self.check()
    def check(self): raise Missing
    def lookup(self): raise Taken
    @property
    def first(self): raise TakenName

class Quiet:
    def __init__(self): pass
    def read(self): raise Missing

_STORE = Quiet()

class Guard:
    def __enter__(self): raise Taken
    def __exit__(self, *error): pass
    def __call__(self): raise Missing

class StoreOfNames(Store): pass

class Step:
    def run(self): return self.perform()
    def perform(self): pass

class LastStep(Step):
    def perform(self): raise TakenName

def guarded(function):
    @wraps(function)
    def inner():
        if not function: raise Taken
        return function()
    return inner

_GUARD = Guard()
_BY_NAME = {}

def named(function):
    _BY_NAME[function.__name__] = function
    return function

@named
def first(): raise Missing

@guarded
def guarded_by_a_decorator(): return None
@guarded
def decorated_and_raises(): return raises()
def makes_an_object_of_a_subclass(): return StoreOfNames()
def enters():
    with Guard(): pass
def calls_an_object(): return _GUARD()
def calls_an_argument(guard: Guard): return guard()
def calls_a_method_that_a_subclass_has(step: Step): return step.run()
def calls_what_registered_itself(name): return _BY_NAME[name]()
def suppresses():
    with suppress(Missing): raises()
def suppresses_another():
    with suppress(Taken): raises()
def catches_every_exception():
    try: return raises()
    except Exception: return None

def calls(): return raises()
def raises(): raise Missing("It is not there.")
def returns_class(): return Taken
def in_a_constant(): return list(_CONSTRAINTS)
def in_a_branch(found): return found or raises()
def in_a_lambda(): return lambda: raises()
def in_a_nested_function():
    def inner(): raise Taken
    return inner
def in_a_default(make=_TAKEN): return make
def in_a_comprehension(ids): return [raises() for _ in ids]
def as_an_argument(run): return run(raises)
def decorated():
    with context(): return cached()
@cache
def cached(): raise Missing
@contextmanager
def context():
    try: yield
    except Taken as error: raise type(error)("It is taken.")
def makes_an_object(): return Store()
def calls_a_method_of_a_global(): return _STORE.read()
def calls_a_method_of_an_argument(store: Store): return store.lookup()
def reads_a_property(store: Store): return store.first
def calls_a_method_of_something(store): return store.lookup()
def recursive(n): return other(n) if n else raises()
def other(n): return recursive(n - 1)
def local_import():
    from ERRORS import Taken as Conflict
    raise Conflict
def catches():
    try: return raises()
    except Missing: return None
def catches_the_base_class():
    try: raise TakenName
    except Taken: return None
def catches_another():
    try: return raises()
    except Taken: return None
def catches_and_raises_another():
    try: return raises()
    except Missing as error: raise Taken from error
def catches_and_asserts():
    try: return raises()
    except Missing as error: raise AssertionError("It is there.") from error
def catches_and_raises_again():
    try: return raises()
    except Missing: raise
def catches_and_raises_it():
    try: return raises()
    except Missing as error: raise error
def raises_in_else():
    try: pass
    except Missing: pass
    else: raises()
def asks(error): return isinstance(error, Missing)
def annotates(error: Missing) -> Taken: other_error: Taken = error
def shadows(raises): return raises()
def quiet(): return Quiet()
def library(): return sorted([3])
"""
RAISED = {
    "calls": {Missing}, "raises": {Missing}, "returns_class": {Taken}, "in_a_constant": {Taken},
    "in_a_branch": {Missing}, "in_a_lambda": {Missing}, "in_a_nested_function": {Taken}, "in_a_default": {Taken},
    "in_a_comprehension": {Missing}, "as_an_argument": {Missing}, "decorated": {Missing}, "makes_an_object": {Missing},
    "calls_a_method_of_a_global": {Missing}, "calls_a_method_of_an_argument": {Taken},
    "reads_a_property": {TakenName}, "calls_a_method_of_something": {Taken}, "recursive": {Missing},
    "other": {Missing}, "local_import": {Taken}, "catches": set(), "catches_the_base_class": set(),
    "catches_another": {Missing}, "catches_and_raises_another": {Taken}, "catches_and_asserts": set(),
    "catches_and_raises_again": {Missing}, "catches_and_raises_it": {Missing}, "raises_in_else": {Missing},
    "guarded_by_a_decorator": {Taken}, "decorated_and_raises": {Missing, Taken},
    "makes_an_object_of_a_subclass": {Missing}, "enters": {Missing, Taken}, "calls_an_object": {Missing, Taken},
    "calls_an_argument": {Missing, Taken}, "calls_a_method_that_a_subclass_has": {TakenName},
    "calls_what_registered_itself": {Missing}, "suppresses": set(), "suppresses_another": {Missing},
    "catches_every_exception": set(),
    "asks": set(), "annotates": set(), "shadows": set(), "quiet": set(), "library": set(),
}  # fmt: skip


@pytest.fixture(scope="module")
def module(tmp_path_factory):
    """A module of services with a function for each way to raise an error."""
    folder = tmp_path_factory.mktemp("raised")
    folder.joinpath("ways_to_raise.py").write_text(MODULE.replace("ERRORS", __name__), "utf-8")
    with pytest.MonkeyPatch.context() as patch:
        patch.syspath_prepend(folder)
        __import__("ways_to_raise")
        yield sys.modules.pop("ways_to_raise")


@pytest.mark.parametrize("name", RAISED)
def test_errors_of_a_function_are_found(module, name, monkeypatch):
    monkeypatch.setitem(sys.modules, "ways_to_raise", module)
    raised = RaisedErrors(["ways_to_raise"], [Missing, Taken]).of(getattr(module, name))
    assert set(raised) == RAISED[name]
    assert all(place.startswith("ways_to_raise.py:") for place in raised.values())


def test_place_is_that_of_the_error(module, monkeypatch):
    monkeypatch.setitem(sys.modules, "ways_to_raise", module)
    line = MODULE.splitlines().index('def raises(): raise Missing("It is not there.")') + 1
    assert RaisedErrors(["ways_to_raise"], [Missing]).of(module.calls) == {Missing: f"ways_to_raise.py:{line}"}


def test_error_class_without_a_status_is_named(module, monkeypatch):
    monkeypatch.setitem(sys.modules, "ways_to_raise", module)
    monkeypatch.setattr(OPERATIONS[0], "function", module.calls)
    (error,) = undeclared_statuses(OPERATIONS[:1], ERRORS, RaisedErrors(["ways_to_raise"], [Missing]))
    assert "Missing has no status; add it to the exception handlers." in str(error)
