"""Errors of the business rules, independent of HTTP."""

from collections.abc import Container, Iterator, Sequence
from contextlib import contextmanager
from typing import ClassVar, TypeVar
from uuid import UUID

T = TypeVar("T")


class ServiceError(Exception):
    """
    The base class of the errors that services raise.

    The message is written for the client. `pointer` is a JSON pointer (RFC 6901) to the invalid member of the body, or
    None. `parameter` is the name of the invalid parameter, or None. `errors` has the single errors if there are
    several. `code` is the public name of the class.
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


def require(resource: str, row: T | None) -> T:
    """Return the row of an id. Raises NotFound for None; *resource* is its name in the message, such as "order"."""
    if row is None:
        raise NotFound(f"There is no {resource} with this id.")
    return row


def require_all(resource: str, ids: Sequence[UUID], rows: Container[UUID]) -> None:
    """Raise NotFound, with an error for each id of the parameter `id` that is missing in *rows*."""
    errors = [NotFound(f"There is no {resource} with the id {id_}.", parameter="id") for id_ in ids if id_ not in rows]
    if errors:
        raise NotFound(str(errors[0]), errors=errors)


def taken_conflict(resource: str, taken: Sequence[tuple[str | None, str]]) -> Conflict:
    """Return the Conflict for unique members that another row has; *taken* comes from `db.rows.flush_unique`."""
    errors = [
        Conflict(f"Another {resource} has this {member}.", pointer=None if pointer is None else f"{pointer}/{member}")
        for pointer, member in taken
    ]
    return errors[0] if len(errors) == 1 else Conflict(str(errors[0]), errors=errors)


@contextmanager
def without_pointers() -> Iterator[None]:
    """Raise the ServiceErrors of the block without pointers, because the request has no body."""
    try:
        yield
    except ServiceError as error:
        raise type(error)(" ".join(map(str, error.errors or [error]))) from error
