"""What can go wrong in the business, said without HTTP."""

from collections.abc import Container, Iterator, Sequence
from contextlib import contextmanager
from typing import ClassVar, TypeVar
from uuid import UUID

T = TypeVar("T")


class ServiceError(Exception):
    """
    The base of everything a service refuses.

    The message is written for the caller of the API. `pointer` names the member of the
    body that is at fault, as a JSON pointer (RFC 6901), and `parameter` the parameter,
    where there is one to name. `each` has the faults, where there are several. `code` is what
    the error is called in the API.
    """

    code: ClassVar[str]

    def __init__(
        self,
        message: str,
        *,
        pointer: str | None = None,
        parameter: str | None = None,
        each: Sequence["ServiceError"] = (),
    ) -> None:
        super().__init__(message)
        self.pointer = pointer
        self.parameter = parameter
        self.each = each


class Unauthenticated(ServiceError):
    """The credentials do not name anybody who may come in."""

    code = "unauthenticated"


class NotFound(ServiceError):
    """There is no such thing, or none that the caller may know of."""

    code = "notfound"


class Conflict(ServiceError):
    """The change collides with the current state."""

    code = "conflict"


class Invalid(ServiceError):
    """The request is well-formed and asks for what cannot be."""

    code = "invalid"


def require(noun: str, found: T | None) -> T:
    """Return what was found by an id; raises NotFound, which names the *noun*, for None."""
    if found is None:
        raise NotFound(f"There is no {noun} with this id.")
    return found


def require_all(noun: str, ids: Sequence[UUID], found: Container[UUID]) -> None:
    """Raise NotFound unless all the *ids*, which the parameter `id` has, are found; it names each that is not."""
    missing = [NotFound(f"There is no {noun} with the id {one}.", parameter="id") for one in ids if one not in found]
    if missing:
        raise NotFound(str(missing[0]), each=missing)


def taken_conflict(noun: str, taken: Sequence[tuple[str | None, str]]) -> Conflict:
    """Return the Conflict for unique members that another *noun* has; *taken* is what `db.rows.flush_unique` gives."""
    errors = [
        Conflict(f"Another {noun} has this {member}.", pointer=None if pointer is None else f"{pointer}/{member}")
        for pointer, member in taken
    ]
    return errors[0] if len(errors) == 1 else Conflict(str(errors[0]), each=errors)


@contextmanager
def without_pointers() -> Iterator[None]:
    """Let the message alone say what is refused in here: the request has no body to point into."""
    try:
        yield
    except ServiceError as error:
        raise type(error)(" ".join(map(str, error.each or [error]))) from error
