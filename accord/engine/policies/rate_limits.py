"""How often an operation may be called: the limits of its classes, told with every answer."""

import re
from collections import Counter
from collections.abc import Callable, Hashable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from hashlib import blake2b
from ipaddress import IPv6Address
from math import ceil, inf
from time import time
from typing import Any, Protocol

from limits import RateLimitItem, parse_many

from accord.contract.document import Document
from accord.contract.errors import ContractError, at
from accord.engine.headers import RawHeaders
from accord.engine.problems import Problem
from accord.engine.request import Request

Whose = Callable[[Request], Hashable]
Taken = tuple[bool, Sequence[tuple[int, float]]]

_NAME = re.compile(r"[a-z][a-z0-9-]{0,39}")
_MEMBERS = frozenset({"description", "by", "account", "exempt", "limits"})


@dataclass(frozen=True)
class Window:
    """So many requests in so many seconds, which begin with the first one; `counter` is shared by all who name it."""

    name: str
    counter: str
    rate_class: str
    amount: int
    seconds: int
    said: str
    whose: Whose
    is_private: bool = False
    """Whether it is of somebody who need not be the one who asks, and so is told only when it is full."""


class Meter(Protocol):
    """Counts requests; main gives one."""

    async def take(self, windows: Sequence[Window], whose: Sequence[Hashable]) -> Taken:
        """
        Count one request in every window, each of its own caller, or in none if one of them is full.

        Return whether it was counted, and of each window how much is used, and in how many seconds it ends.
        """
        ...


@dataclass
class Tally:
    """How many requests each class has let pass, and how many it has refused."""

    granted: Counter[str] = field(default_factory=Counter)
    refused: Counter[str] = field(default_factory=Counter)


@dataclass(frozen=True)
class _Class:
    """Limits of callers of one kind, but for those whose scopes are at least one of the sets `exempt`."""

    windows: Mapping[str, Sequence[Window]]
    exempt: Sequence[frozenset[str]]
    account: str | None

    def windows_of(self, kinds: frozenset[str], scopes: frozenset[str]) -> Iterator[Window]:
        if not any(role <= scopes for role in self.exempt):
            for by, windows in self.windows.items():
                if by in kinds:
                    yield from windows


class RateLimits:
    """
    The classes of a contract, its `x-rate-limits`.

    Who is counted says `by`: the `address` of callers without credentials, a `caller` with an
    access token, an `api-key`, or the `account` that the body names in the member `account`,
    whoever sends it. Roles that are `exempt` are those of the security schemes.

    Raises ContractError for what cannot be enforced.
    """

    def __init__(self, document: Document, meter: Meter | None, tally: Tally, fold: Callable[[str], str]) -> None:
        """*fold* returns what spellings of one account have in common."""
        self._document, self._meter, self._tally, self._fold = document, meter, tally, fold
        spec: Any = document.raw.get("x-rate-limits", {})
        schemes = document.raw.get("components", {}).get("securitySchemes", {}).values()
        roles = [document.follow(scheme).get("x-roles", {}) for scheme in schemes]
        self._roles = {role: frozenset(scopes) for granted in roles for role, scopes in granted.items()}
        self._classes = {name: self._class(name, each) for name, each in spec.get("classes", {}).items()}
        self._inherited: list[str] = spec.get("inherited", [])

    def of(self, spec: dict[str, Any]) -> "RateLimit | None":
        """Return what limits the operation: the classes in its `x-rate-limit`, or the inherited ones; None if none."""
        names, operation = spec.get("x-rate-limit", self._inherited), spec["operationId"]
        if unknown := [name for name in names if name not in self._classes]:
            known = ", ".join(self._classes) or "none"
            raise at(spec, f"{operation} is of the rate limit {', '.join(unknown)}, which is none; there are {known}.")
        classes = [self._classes[name] for name in names]
        members = {each.account for each in classes if each.account}
        if any(member not in self._body_members(spec) for member in members):
            raise at(spec, f"{operation} is limited by {', '.join(members)} of its body, which it does not have.")
        if not classes:
            return None
        if self._meter is None:
            raise at(spec, f"{operation} has rate limits; give Contract a meter that counts.")
        return RateLimit(classes, members, self._meter, self._tally)

    def _body_members(self, spec: dict[str, Any]) -> set[str]:
        """Return the members that every body of the operation has."""
        follow = self._document.follow
        contents = follow(spec.get("requestBody", {})).get("content", {}).values()
        required = [set(follow(content.get("schema", {})).get("required", ())) for content in contents]
        return set.intersection(*required) if required else set()

    def _class(self, name: str, spec: dict[str, Any]) -> _Class:
        account, exempt, by = spec.get("account"), spec.get("exempt", []), spec.get("by", [])
        whose: dict[str, Whose] = {"address": _address, "caller": _caller, "api-key": _api_key}
        if account:
            whose["account"] = self._account(account)
        if not _NAME.fullmatch(name):
            raise at(spec, f"rate limit {name}: a name is of small letters, digits and hyphens.")
        if unknown := sorted(spec.keys() - _MEMBERS):
            raise at(spec, f"rate limit {name}: {', '.join(unknown)} is not known here.")
        if not by or any(kind not in whose for kind in by) or (account and "account" not in by):
            known = "address, caller, api-key, or account with the member of the body that names one in `account`"
            raise at(spec, f"rate limit {name}: by must list whose requests are counted: {known}.")
        if strangers := [role for role in exempt if role not in self._roles]:
            raise at(spec, f"rate limit {name} exempts {', '.join(strangers)}, which no x-roles has.")
        try:
            items = _items(spec.get("limits"))
        except ValueError as error:
            raise at(spec, f"rate limit {name}: {error}") from None
        windows = {
            kind: [_window(name, kind, item, len(by) > 1, len(items) > 1, whose[kind]) for item in items] for kind in by
        }
        return _Class(windows, [self._roles[role] for role in exempt], account)

    def _account(self, member: str) -> Whose:
        def account(request: Request) -> Hashable:
            # Not the name itself: somebody may have typed a password there.
            return blake2b(self._fold(str(request.body[member])).encode(), digest_size=16).hexdigest()

        return account


class RateLimit:
    """What limits one operation."""

    def __init__(self, classes: Sequence[_Class], members: set[str], meter: Meter, tally: Tally) -> None:
        self.reads_body = bool(members)
        """Whether the body says who is counted."""
        self._classes, self._meter, self._tally = classes, meter, tally
        self._plan = lru_cache(maxsize=256)(self._planned)

    async def take(self, request: Request) -> None:
        """Count the request, and keep in its `allowance` what is left; raises a 429 Problem if nothing was."""
        caller = request.caller
        if caller is None:
            plan = self._plan("address", frozenset(), self.reads_body and request.body is not None)
        else:
            kind = "caller" if caller.key is None else "api-key"
            plan = self._plan(kind, caller.scopes, self.reads_body and request.body is not None)
        if plan is None:
            return
        granted, seen = await self._meter.take(plan.windows, [window.whose(request) for window in plan.windows])
        request.allowance = plan.allowance(seen)
        if granted:
            counted = self._tally.granted
            for name in plan.names:
                counted[name] += 1
            return
        taken = zip(plan.windows, seen, strict=True)
        full = [(left, window) for window, (used, left) in taken if used >= window.amount]
        for name in {window.rate_class for _, window in full}:
            self._tally.refused[name] += 1
        left, window = max(full, key=lambda each: each[0])
        detail = f"There may be {window.said} of {window.rate_class}; try again in {ceil(left)} seconds."
        raise Problem(429, detail, headers={"Retry-After": str(ceil(left))})

    def _planned(self, kind: str, scopes: frozenset[str], has_account: bool) -> "_Plan | None":
        kinds = frozenset({kind, "account"} if has_account else {kind})
        windows = [window for each in self._classes for window in each.windows_of(kinds, scopes)]
        return _Plan(windows) if windows else None


class _Plan:
    """The windows that a caller of one kind is counted in."""

    def __init__(self, windows: list[Window]) -> None:
        self.windows = windows
        self.names = list(dict.fromkeys(window.rate_class for window in windows))
        policy = ", ".join(f'"{window.name}";q={window.amount};w={window.seconds}' for window in windows)
        self._policy = (b"ratelimit-policy", policy.encode())
        self._quotas = [(window.amount, f'"{window.name}";r=', window.is_private) for window in windows]

    def allowance(self, seen: Sequence[tuple[int, float]]) -> RawHeaders:
        """Return the fields of draft-ietf-httpapi-ratelimit-headers-11, and the older ones, of the tightest window."""
        told: list[str] = []
        least, longest, tightest = inf, 0.0, 0
        for (quota, beginning, is_private), (used, left) in zip(self._quotas, seen, strict=True):
            if is_private and used < quota:
                continue
            remaining = quota - used if used < quota else 0
            told.append(f"{beginning}{remaining};t={ceil(left)}")
            if remaining < least or (remaining == least and left > longest):
                least, longest, tightest = remaining, left, quota
        if not told:
            return [self._policy]
        return [
            self._policy,
            (b"ratelimit", ", ".join(told).encode()),
            (b"x-ratelimit-limit", b"%d" % tightest),
            (b"x-ratelimit-remaining", b"%d" % least),
            (b"x-ratelimit-reset", b"%d" % ceil(time() + longest)),
        ]


def override(document: Document, limits: Mapping[str, Sequence[str]]) -> None:
    """Let classes of *document* have these limits instead; raises ContractError for a class or limit that is none."""
    classes = document.raw.get("x-rate-limits", {}).get("classes", {})
    for name, given in limits.items():
        if name not in classes:
            raise ContractError(f"there is no class {name}; there are {', '.join(classes)}.")
        try:
            _items(given)
        except ValueError as error:
            raise ContractError(f"{name}: {error}") from None
        classes[name]["limits"] = list(given)


def _items(limits: Any) -> list[RateLimitItem]:
    """Return the limits that are said as in `10 per minute`; raises ValueError if there is none, or one is not good."""
    items = []
    for said in limits if isinstance(limits, list) else [limits]:
        try:
            (item,) = parse_many(said)
        except ValueError:
            raise ValueError(f"{said!r} is no limit; say one as in `10 per minute`.") from None
        if item.amount < 1 or item.get_expiry() < 1:
            raise ValueError(f"{said!r} lets nobody pass; it must be at least 1.")
        items.append(item)
    if len({item.get_expiry() for item in items}) != len(items) or not items:
        raise ValueError("limits must have at least one, and no two for the same time.")
    return items


def _window(
    rate_class: str, kind: str, item: RateLimitItem, names_kind: bool, names_time: bool, whose: Whose
) -> Window:
    unit, number, seconds = item.GRANULARITY.name, item.multiples, item.get_expiry()
    per = unit if number == 1 else f"{number} {unit}s"
    parts = [rate_class, kind if names_kind else "", per.replace(" ", "-") if names_time else ""]
    return Window(
        name="-".join(filter(None, parts)),
        counter=f"{rate_class}:{kind}:{seconds}",
        rate_class=rate_class,
        amount=item.amount,
        seconds=seconds,
        said=f"{item.amount} requests per {per}",
        whose=whose,
        is_private=kind == "account",
    )


def _address(request: Request) -> Hashable:
    client = request.scope.get("client")
    host: str = client[0] if client else ""
    return _network(host) if ":" in host else host[:64]


@lru_cache(maxsize=4096)
def _network(host: str) -> str:
    """Return what one subscriber has: of IPv6 a /64, out of which addresses are free to choose."""
    try:
        address = IPv6Address(host)
    except ValueError:
        return host[:64]
    return str(address.ipv4_mapped or IPv6Address(int(address) >> 64 << 64))


def _caller(request: Request) -> Hashable:
    return request.caller.id if request.caller else None


def _api_key(request: Request) -> Hashable:
    return request.caller.key if request.caller else None
