"""Knows the caller, by the security schemes of the contract and the functions they name."""

import base64
import binascii
import inspect
from collections.abc import Awaitable, Callable, Mapping
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
    """One security scheme: where its credentials are, and which function says whose they are.

    The function is named in the contract as Connexion names it (`x-bearerInfoFunc`, …). It
    takes the credentials and, by name, what the program has for it; it returns the
    caller, or None for credentials that are not valid. It may return an awaitable.
    """

    def __init__(self, name: str, spec: dict[str, Any], dependencies: Mapping[str, Any]) -> None:
        self.name = name
        self.field, self.extract, word, self.challenge = _describe_scheme(name, spec)
        self.header: str = spec.get("name", "Authorization")
        if word not in spec:
            raise error_at(spec, f"security scheme {name}: {word} must name the function that knows the caller.")
        try:
            function = get_function_from_name(spec[word])
        except (ImportError, AttributeError, ValueError) as error:
            raise error_at(
                spec, f"security scheme {name}: {word} names {spec[word]}, which is not there ({error})."
            ) from None
        wanted = list(inspect.signature(function).parameters)[2 if word == "x-basicInfoFunc" else 1 :]
        if missing := [tool for tool in wanted if tool not in dependencies]:
            raise error_at(
                spec, f"security scheme {name}: {spec[word]} takes {', '.join(missing)}, which nobody gives it."
            )
        self._verify: Verify = function
        self._dependencies = {tool: dependencies[tool] for tool in wanted}

    async def verify(self, credentials: tuple[str, ...]) -> Caller | None:
        found = self._verify(*credentials, **self._dependencies)
        if inspect.isawaitable(found):
            return await found
        return found


class SecurityRequirements:
    """The alternatives of one operation: each is schemes that must all hold, with the scopes they must grant.

    A request is held to the alternatives for which it brings the credentials, no fewer and no more: those of several
    are refused, because nobody could say as whom it is meant.
    """

    def __init__(self, requirements: list[dict[str, list[str]]], schemes: Mapping[str, SecurityScheme]) -> None:
        self.is_optional = {} in requirements
        alternatives = [
            [(schemes[name], frozenset(scopes)) for name, scopes in requirement.items()]
            for requirement in requirements
            if requirement
        ]
        every = [scheme for alternative in alternatives for scheme, _ in alternative]
        self.headers = list(dict.fromkeys(scheme.header for scheme in every))
        """The header fields that say who calls."""
        self._fields = list(dict.fromkeys(scheme.field for scheme in every))
        self._challenge = ", ".join(dict.fromkeys(scheme.challenge for scheme in every))
        self._alternatives: dict[tuple[bytes, ...], list[list[tuple[SecurityScheme, frozenset[str]]]]] = {}
        for alternative in alternatives:
            taken = {scheme.field for scheme, _ in alternative}
            brought = tuple(field for field in self._fields if field in taken)
            self._alternatives.setdefault(brought, []).append(alternative)

    def allows(self, scopes: frozenset[str] | None) -> bool:
        """Return whether a caller with these scopes, or nobody, would be let in."""
        if self.is_optional or scopes is None:
            return self.is_optional
        every = (alternative for alternatives in self._alternatives.values() for alternative in alternatives)
        return any(all(wanted <= scopes for _, wanted in alternative) for alternative in every)

    async def authenticate(self, request: Request) -> Caller | None:
        """Return who calls; None for nobody, where the contract allows that, and for whose scopes do not reach there.

        Raises a 401 Problem for credentials that are missing, mixed or not valid, also where
        they are optional, and a 403 for valid ones whose scopes do not reach; the request has their
        caller then.
        """
        brought = self._presented(request.headers)
        if not brought and self.is_optional:
            return None
        refusal: Problem | None = None
        known: Caller | None = None
        for alternative in self._alternatives.get(brought, ()):
            callers: list[Caller] = []
            short: list[str] = []
            for scheme, scopes in alternative:
                credentials = scheme.extract(request)
                if credentials is None:
                    break
                caller = await scheme.verify(credentials)
                if caller is None:
                    raise _unauthenticated(
                        "The credentials are not valid, or no longer.", f'{scheme.challenge}, error="invalid_token"'
                    )
                callers.append(caller)
                short += sorted(scopes - caller.scopes)
            else:
                if not short:
                    return callers[0]
                if refusal is None:
                    known = callers[0]
                    refusal = _forbidden(alternative[0][0], " ".join(short))
        if refusal is None:
            only = " of one kind at a time" if len(brought) > 1 else ""
            raise _unauthenticated(f"This operation takes credentials{only}.", self._challenge)
        if self.is_optional:
            return None
        request.caller = known
        raise refusal

    def _presented(self, headers: Mapping[bytes, bytes]) -> tuple[bytes, ...]:
        brought: tuple[bytes, ...] = ()
        for field in self._fields:
            if field in headers:
                brought += (field,)
        return brought


def _unauthenticated(detail: str, challenge: str) -> Problem:
    return Problem(401, detail, headers={"WWW-Authenticate": challenge})


def _forbidden(scheme: SecurityScheme, lacking: str) -> Problem:
    challenge = f'{scheme.challenge}, error="insufficient_scope", scope="{lacking}"'
    detail = f"The credentials do not reach this operation; it takes the scope {lacking}."
    return Problem(403, detail, headers={"WWW-Authenticate": challenge})


def load_schemes(document: Document, dependencies: Mapping[str, Any]) -> dict[str, SecurityScheme]:
    """Return the security schemes of *document* by name; raises ContractError if one cannot work."""
    return {name: SecurityScheme(name, spec, dependencies) for name, spec in document.security_schemes().items()}


def _describe_scheme(name: str, spec: dict[str, Any]) -> tuple[bytes, Extract, str, str]:
    """Return the header of the credentials, what finds them in it, the word that names the function, and the challenge.

    The challenge is as RFC 9110, section 11.6.1, has it.
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
        f"security scheme {name}: this cannot be enforced; http, oauth2, openIdConnect and apiKey in a header can.",
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
    def find(request: Request) -> tuple[str, ...] | None:
        header = request.headers.get(field)
        return None if header is None else (header.decode("latin-1"),)

    return find
