"""What can go wrong in the business, said without HTTP."""

from collections.abc import Container, Iterator, Sequence
from contextlib import contextmanager
from uuid import UUID


class ServiceError(Exception):
    """
    The base of everything a service refuses.

    The message is written for the caller of the API. `pointer` names the member of the
    body that is at fault, as a JSON pointer (RFC 6901), and `parameter` the parameter,
    where there is one to name. `each` has the faults, where there are several.
    """

    def __init__(
        self,
        message: str,
        *,
        pointer: str | None = None,
        parameter: str | None = None,
        errors: Sequence["ServiceError"] = (),
    ) -> None:
        super().__init__(message)
        self.pointer = pointer
        self.parameter = parameter
        self.errors = errors


class Unauthenticated(ServiceError):
    """The credentials do not name anybody who may come in."""


class NotFound(ServiceError):
    """There is no such thing, or none that the caller may know of."""


class Conflict(ServiceError):
    """The change collides with the current state."""


class Invalid(ServiceError):
    """The request is well-formed and asks for what cannot be."""


def require_all(noun: str, ids: Sequence[UUID], found: Container[UUID]) -> None:
    """Raise NotFound unless all the *ids*, which the parameter `id` has, are found; it names each that is not."""
    missing = [NotFound(f"There is no {noun} with the id {one}.", parameter="id") for one in ids if one not in found]
    if missing:
        raise NotFound(str(missing[0]), errors=missing)


@contextmanager
def without_pointers() -> Iterator[None]:
    """Let the message alone say what is refused in here: the request has no body to point into."""
    try:
        yield
    except ServiceError as error:
        raise type(error)(" ".join(map(str, error.errors or [error]))) from error
