"""Errors of the business rules, independent of HTTP."""

from collections.abc import Container, Iterator, Sequence
from contextlib import contextmanager
from typing import ClassVar, TypeVar
from uuid import UUID

T = TypeVar("T")


class ServiceError(Exception):
    """
    The base of the errors that services raise.

    The message is written for the client. `pointer` is a JSON pointer (RFC 6901) to the invalid
    member of the body, `parameter` the name of the invalid parameter, if there is one. `each` has
    the single errors if there are several. `code` is the public name of the class of error.
    """

    code: ClassVar[str]

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
    """The credentials are not those of an active user."""

    code = "unauthenticated"


class NotFound(ServiceError):
    """The row does not exist, or the caller may not see it."""

    code = "notfound"


class Conflict(ServiceError):
    """The request conflicts with the current state of the data."""

    code = "conflict"


class Invalid(ServiceError):
    """The request is well-formed, but a value in it is invalid."""

    code = "invalid"


def require(noun: str, found: T | None) -> T:
    """Return what was found by its id; raises NotFound, which names the *noun*, for None."""
    if found is None:
        raise NotFound(f"There is no {noun} with this id.")
    return found


def require_all(noun: str, ids: Sequence[UUID], found: Container[UUID]) -> None:
    """Raise NotFound, with an error for each id of the parameter `id` that is missing in *found*."""
    missing = [NotFound(f"There is no {noun} with the id {one}.", parameter="id") for one in ids if one not in found]
    if missing:
        raise NotFound(str(missing[0]), errors=missing)


def taken_conflict(noun: str, taken: Sequence[tuple[str | None, str]]) -> Conflict:
    """Return the Conflict for unique members that another *noun* has; *taken* is what `db.rows.flush_unique` gives."""
    errors = [
        Conflict(f"Another {noun} has this {member}.", pointer=None if pointer is None else f"{pointer}/{member}")
        for pointer, member in taken
    ]
    return errors[0] if len(errors) == 1 else Conflict(str(errors[0]), errors=errors)


@contextmanager
def without_pointers() -> Iterator[None]:
    """Raise the ServiceErrors of the block without pointers, for a request that has no body to point into."""
    try:
        yield
    except ServiceError as error:
        raise type(error)(" ".join(map(str, error.errors or [error]))) from error
