"""Security schemes and security requirements: authentication of callers, and the scopes of operations."""

import base64
import binascii
import inspect
from collections.abc import Awaitable, Callable, Mapping
from itertools import chain
from typing import Any

from connexion.utils import get_function_from_name

from accord.contract.document import Document
from accord.contract.errors import error_at
from accord.engine.problems import Problem
from accord.engine.request import Caller, Request

Extract = Callable[[Request], tuple[str, ...] | None]
Verify = Callable[..., Caller | Awaitable[Caller | None] | None]

_AUTHORIZATION = b"authorization"


class SecurityScheme:
    """A security scheme: extracts credentials from a request, and verifies them with a function of the program.

    The contract names the function in an extension of Connexion (`x-bearerInfoFunc`, …). The function takes the
    credentials and, by name, dependencies. It returns the caller, or None for invalid credentials, or an awaitable of
    these.
    """

    def __init__(self, name: str, spec: dict[str, Any], dependencies: Mapping[str, Any]) -> None:
        self.name = name
        self.field, self.extract, extension, self.challenge = _describe_scheme(name, spec)
        self.header: str = spec.get("name", "Authorization")
        if extension not in spec:
            raise error_at(spec, f"security scheme {name}: {extension} must name the function that returns the caller.")
        try:
            function = get_function_from_name(spec[extension])
        except (ImportError, AttributeError, ValueError) as error:
            message = f"{extension} names {spec[extension]}, which does not exist; correct it ({error})."
            raise error_at(spec, f"security scheme {name}: {message}") from None
        names = list(inspect.signature(function).parameters)[2 if extension == "x-basicInfoFunc" else 1 :]
        if missing := [dependency for dependency in names if dependency not in dependencies]:
            message = f"{spec[extension]} takes {', '.join(missing)}, which is no dependency; add or remove it."
            raise error_at(spec, f"security scheme {name}: {message}")
        self._verify: Verify = function
        self._dependencies = {dependency: dependencies[dependency] for dependency in names}

    async def verify(self, credentials: tuple[str, ...]) -> Caller | None:
        """Return the caller with these credentials; None if they are invalid."""
        caller = self._verify(*credentials, **self._dependencies)
        if inspect.isawaitable(caller):
            return await caller
        return caller


class SecurityRequirements:
    """The Security Requirement Objects of an operation. Each has schemes that must all apply, and required scopes.

    A requirement applies to a request that has the credentials of exactly its schemes. Credentials of several
    requirements are refused, because they could belong to different callers.
    """

    def __init__(self, requirements: list[dict[str, list[str]]], schemes: Mapping[str, SecurityScheme]) -> None:
        self.is_optional = {} in requirements
        alternatives = [
            [(schemes[name], frozenset(scopes)) for name, scopes in requirement.items()]
            for requirement in requirements
            if requirement
        ]
        all_schemes = [scheme for alternative in alternatives for scheme, _ in alternative]
        self.headers = list(dict.fromkeys(scheme.header for scheme in all_schemes))
        """The names of the headers with credentials."""
        self._fields = list(dict.fromkeys(scheme.field for scheme in all_schemes))
        self._challenge = ", ".join(dict.fromkeys(scheme.challenge for scheme in all_schemes))
        self._alternatives: dict[tuple[bytes, ...], list[list[tuple[SecurityScheme, frozenset[str]]]]] = {}
        for alternative in alternatives:
            required = {scheme.field for scheme, _ in alternative}
            fields = tuple(field for field in self._fields if field in required)
            self._alternatives.setdefault(fields, []).append(alternative)

    def allows(self, scopes: frozenset[str] | None) -> bool:
        """Return whether *scopes* suffice. None is a request without credentials."""
        if self.is_optional or scopes is None:
            return self.is_optional
        return any(
            frozenset().union(*(required for _, required in alternative)) <= scopes
            for alternative in chain.from_iterable(self._alternatives.values())
        )

    async def authenticate(self, request: Request) -> Caller | None:
        """Return the caller of *request*.

        If credentials are optional, return None without credentials, and for valid ones with too few scopes.

        Raises a 401 Problem for missing credentials, and for mixed or invalid ones even if they are optional. Raises a
        403 Problem for valid credentials with too few scopes, and then sets `request.caller`.
        """
        fields = self._credential_fields(request.headers)
        if not fields and self.is_optional:
            return None
        refusal: Problem | None = None
        forbidden_caller: Caller | None = None
        for alternative in self._alternatives.get(fields, ()):
            callers: list[Caller] = []
            missing: list[str] = []
            for scheme, scopes in alternative:
                credentials = scheme.extract(request)
                if credentials is None:
                    break
                caller = await scheme.verify(credentials)
                if caller is None:
                    raise _unauthenticated(
                        "The credentials are invalid, expired or revoked.", f'{scheme.challenge}, error="invalid_token"'
                    )
                callers.append(caller)
                missing += sorted(scopes - caller.scopes)
            else:
                if not missing:
                    return callers[0]
                if refusal is None:
                    forbidden_caller = callers[0]
                    refusal = _forbidden(alternative[0][0], " ".join(missing))
        if refusal is None:
            only = " of one kind at a time" if len(fields) > 1 else ""
            raise _unauthenticated(f"This operation requires credentials{only}.", self._challenge)
        if self.is_optional:
            return None
        request.caller = forbidden_caller
        raise refusal

    def _credential_fields(self, headers: Mapping[bytes, bytes]) -> tuple[bytes, ...]:
        fields: tuple[bytes, ...] = ()
        for field in self._fields:
            if field in headers:
                fields += (field,)
        return fields


def _unauthenticated(detail: str, challenge: str) -> Problem:
    return Problem(401, detail, headers={"WWW-Authenticate": challenge})


def _forbidden(scheme: SecurityScheme, scopes: str) -> Problem:
    challenge = f'{scheme.challenge}, error="insufficient_scope", scope="{scopes}"'
    detail = f"The credentials lack a scope that this operation requires: {scopes}."
    return Problem(403, detail, headers={"WWW-Authenticate": challenge})


def load_schemes(document: Document, dependencies: Mapping[str, Any]) -> dict[str, SecurityScheme]:
    """Return the security schemes of *document* by name. Raises ContractError if one cannot be enforced."""
    return {name: SecurityScheme(name, spec, dependencies) for name, spec in document.security_schemes().items()}


def _describe_scheme(name: str, spec: dict[str, Any]) -> tuple[bytes, Extract, str, str]:
    """Return the header of the credentials, its extractor, the extension with the function, and the challenge.

    The challenge is the value of `WWW-Authenticate` (RFC 9110, section 11.6.1).
    """
    match spec:
        case {"type": "http", "scheme": str(scheme)} if scheme.lower() == "bearer":
            return _AUTHORIZATION, _bearer, "x-bearerInfoFunc", 'Bearer realm="api"'
        case {"type": "http", "scheme": str(scheme)} if scheme.lower() == "basic":
            return _AUTHORIZATION, _basic, "x-basicInfoFunc", 'Basic realm="api", charset="UTF-8"'
        case {"type": "oauth2" | "openIdConnect"}:
            return _AUTHORIZATION, _bearer, "x-tokenInfoFunc", 'Bearer realm="api"'
        case {"type": "apiKey", "in": "header", "name": str(field)}:
            key = field.lower().encode("latin-1")
            return key, _in_header(key), "x-apikeyInfoFunc", f'ApiKey realm="api", header="{field}"'
    raise error_at(
        spec,
        f"security scheme {name} cannot be enforced; use http, oauth2, openIdConnect, or apiKey in a header.",
    )


def _bearer(request: Request) -> tuple[str, ...] | None:
    header = request.headers.get(_AUTHORIZATION)
    if header is None or header[:7].lower() != b"bearer ":
        return None
    return (header[7:].strip(b" ").decode("latin-1"),)


def _basic(request: Request) -> tuple[str, ...] | None:
    header = request.headers.get(_AUTHORIZATION)
    if header is None or header[:6].lower() != b"basic ":
        return None
    try:
        name, colon, password = base64.b64decode(header[6:].strip(b" "), validate=True).decode().partition(":")
    except (binascii.Error, UnicodeDecodeError):
        return "", ""
    return (name, password) if colon else ("", "")


def _in_header(field: bytes) -> Extract:
    def extract(request: Request) -> tuple[str, ...] | None:
        header = request.headers.get(field)
        return None if header is None else (header.decode("latin-1"),)

    return extract
