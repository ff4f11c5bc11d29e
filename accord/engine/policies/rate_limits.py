"""Rate limits of operations: their rate limit policies, told with every response."""

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
from accord.contract.errors import ContractError, error_at
from accord.engine.headers import RawHeaders
from accord.engine.problems import Problem
from accord.engine.request import Request

PartitionKey = Callable[[Request], Hashable]
HitResult = tuple[bool, Sequence[tuple[int, float]]]

_NAME = re.compile(r"[a-z][a-z0-9-]{0,39}")
_MEMBERS = frozenset({"description", "by", "account-property", "exempt", "limits"})


@dataclass(frozen=True)
class Window:
    """So many requests in so many seconds, which begin with the first one; `counter` is shared by all who name it."""

    name: str
    counter: str
    policy: str
    quota: int
    seconds: int
    text: str
    partition_key: PartitionKey
    is_private: bool = False
    """Whether it is of somebody who need not be the one who asks, and so is told only when it is full."""


class RateLimitStorage(Protocol):
    """Counts requests; main gives one."""

    async def hit(self, windows: Sequence[Window], partition_keys: Sequence[Hashable]) -> HitResult:
        """
        Count one request in every window, each of its own caller, or in none if one of them is full.

        Return whether it was counted, and of each window how much is used, and in how many seconds it ends.
        """
        ...


@dataclass
class RateLimitStats:
    """How many requests each class has let pass, and how many it has refused."""

    granted: Counter[str] = field(default_factory=Counter)
    rejected: Counter[str] = field(default_factory=Counter)


@dataclass(frozen=True)
class _Policy:
    """Limits of callers of one kind, but for those whose scopes are at least one of the sets `exempt`."""

    windows: Mapping[str, Sequence[Window]]
    exempt: Sequence[frozenset[str]]
    account: str | None

    def windows_of(self, kinds: frozenset[str], scopes: frozenset[str]) -> Iterator[Window]:
        if not any(role <= scopes for role in self.exempt):
            for by, windows in self.windows.items():
                if by in kinds:
                    yield from windows


class RateLimitPolicies:
    """
    The rate limit policies of a contract, its `x-rate-limits`: `default` names those of an operation without
    `x-rate-limit`, `policies` has them all by name.

    `by` lists what requests are counted by: the `address` of a request without credentials, the `caller` of an access
    token, the `api-key`, or the `account` that the body names in the property `account-property`, for all callers
    together. Requests of the roles in `exempt`, which are those of the security schemes, are not counted.

    Raises ContractError for a policy that cannot be enforced.
    """

    def __init__(
        self,
        document: Document,
        storage: RateLimitStorage | None,
        stats: RateLimitStats,
        casefold: Callable[[str], str],
    ) -> None:
        """*fold* returns what spellings of one account have in common."""
        self._document, self._storage, self._stats, self._casefold = document, storage, stats, casefold
        spec: Any = document.raw.get("x-rate-limits", {})
        schemes = document.raw.get("components", {}).get("securitySchemes", {}).values()
        roles = [document.resolve(scheme).get("x-roles", {}) for scheme in schemes]
        self._roles = {role: frozenset(scopes) for granted in roles for role, scopes in granted.items()}
        self._policies = {name: self._policy(name, each) for name, each in spec.get("policies", {}).items()}
        self._inherited: list[str] = spec.get("default", [])

    def for_operation(self, spec: dict[str, Any]) -> "RateLimit | None":
        """Return what limits the operation: the policies in its `x-rate-limit`, or the default ones; None if none."""
        names, operation = spec.get("x-rate-limit", self._inherited), spec["operationId"]
        if unknown := [name for name in names if name not in self._policies]:
            known = ", ".join(self._policies) or "none"
            raise error_at(spec, f'{operation}: unknown rate limit policy "{", ".join(unknown)}"; known: {known}.')
        classes = [self._policies[name] for name in names]
        members = {each.account for each in classes if each.account}
        if any(member not in self._body_members(spec) for member in members):
            of_body = ", ".join(members)
            raise error_at(
                spec, f"{operation}: its rate limits count by {of_body} of the body; make it required there."
            )
        if not classes:
            return None
        if self._storage is None:
            raise error_at(spec, f"{operation} has rate limits; give Contract a meter that counts.")
        return RateLimit(classes, members, self._storage, self._stats)

    def _body_members(self, spec: dict[str, Any]) -> set[str]:
        """Return the members that every body of the operation has."""
        follow = self._document.resolve
        contents = follow(spec.get("requestBody", {})).get("content", {}).values()
        required = [set(follow(content.get("schema", {})).get("required", ())) for content in contents]
        return set.intersection(*required) if required else set()

    def _policy(self, name: str, spec: dict[str, Any]) -> _Policy:
        account, exempt, by = spec.get("account-property"), spec.get("exempt", []), spec.get("by", [])
        whose: dict[str, PartitionKey] = {"address": _address, "caller": _caller, "api-key": _api_key}
        if account:
            whose["account"] = self._account(account)
        if not _NAME.fullmatch(name):
            raise error_at(
                spec, f'rate limit policy "{name}": the name must consist of lower-case letters, digits and hyphens.'
            )
        if unknown := sorted(spec.keys() - _MEMBERS):
            raise error_at(
                spec,
                f'rate limit policy "{name}": unknown key {", ".join(unknown)}; known: {", ".join(sorted(_MEMBERS))}.',
            )
        if not by or any(kind not in whose for kind in by) or (account and "account" not in by):
            known = "address, caller, api-key, or account, whose property of the body is in `account-property`"
            raise error_at(spec, f'rate limit policy "{name}": `by` must list what requests are counted by: {known}.')
        if strangers := [role for role in exempt if role not in self._roles]:
            raise error_at(
                spec, f'rate limit policy "{name}": unknown role {", ".join(strangers)} in `exempt`; no x-roles has it.'
            )
        try:
            items = _items(spec.get("limits"))
        except ValueError as error:
            raise error_at(spec, f'rate limit policy "{name}": {error}') from None
        windows = {
            kind: [_window(name, kind, item, len(by) > 1, len(items) > 1, whose[kind]) for item in items] for kind in by
        }
        return _Policy(windows, [self._roles[role] for role in exempt], account)

    def _account(self, member: str) -> PartitionKey:
        def account(request: Request) -> Hashable:
            # Not the name itself: somebody may have typed a password there.
            return blake2b(self._casefold(str(request.body[member])).encode(), digest_size=16).hexdigest()

        return account


class RateLimit:
    """What limits one operation."""

    def __init__(
        self, policies: Sequence[_Policy], members: set[str], storage: RateLimitStorage, stats: RateLimitStats
    ) -> None:
        self.reads_body = bool(members)
        """Whether the body says who is counted."""
        self._policies, self._storage, self._stats = policies, storage, stats
        self._plan = lru_cache(maxsize=256)(self._planned)

    async def check(self, request: Request) -> None:
        """Count the request, and keep in its `allowance` what is left; raises a 429 Problem if nothing was."""
        caller = request.caller
        if caller is None:
            plan = self._plan("address", frozenset(), self.reads_body and request.body is not None)
        else:
            kind = "caller" if caller.api_key_id is None else "api-key"
            plan = self._plan(kind, caller.scopes, self.reads_body and request.body is not None)
        if plan is None:
            return
        granted, seen = await self._storage.hit(
            plan.windows, [window.partition_key(request) for window in plan.windows]
        )
        request.rate_limit_headers = plan.headers(seen)
        if granted:
            counted = self._stats.granted
            for name in plan.names:
                counted[name] += 1
            return
        taken = zip(plan.windows, seen, strict=True)
        full = [(left, window) for window, (used, left) in taken if used >= window.quota]
        for name in {window.policy for _, window in full}:
            self._stats.rejected[name] += 1
        left, window = max(full, key=lambda each: each[0])
        detail = f'Rate limit "{window.policy}" exceeded: {window.text}. Retry in {ceil(left)} seconds.'
        raise Problem(429, detail, headers={"Retry-After": str(ceil(left))})

    def _planned(self, kind: str, scopes: frozenset[str], has_account: bool) -> "_Plan | None":
        kinds = frozenset({kind, "account"} if has_account else {kind})
        windows = [window for each in self._policies for window in each.windows_of(kinds, scopes)]
        return _Plan(windows) if windows else None


class _Plan:
    """The windows that a caller of one kind is counted in."""

    def __init__(self, windows: list[Window]) -> None:
        self.windows = windows
        self.names = list(dict.fromkeys(window.policy for window in windows))
        policy = ", ".join(f'"{window.name}";q={window.quota};w={window.seconds}' for window in windows)
        self._policy = (b"ratelimit-policy", policy.encode())
        self._quotas = [(window.quota, f'"{window.name}";r=', window.is_private) for window in windows]

    def headers(self, seen: Sequence[tuple[int, float]]) -> RawHeaders:
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


def override_limits(document: Document, limits: Mapping[str, Sequence[str]]) -> None:
    """Replace the limits of policies of *document*; raises ContractError for an unknown policy or an invalid limit."""
    classes = document.raw.get("x-rate-limits", {}).get("policies", {})
    for name, given in limits.items():
        if name not in classes:
            raise ContractError(f'unknown rate limit policy "{name}"; known: {", ".join(classes)}.')
        try:
            _items(given)
        except ValueError as error:
            raise ContractError(f'rate limit policy "{name}": {error}') from None
        classes[name]["limits"] = list(given)


def _items(limits: Any) -> list[RateLimitItem]:
    """Return the parsed *limits*, each like `10 per minute`; raises ValueError for none, or for an invalid one."""
    items = []
    for said in limits if isinstance(limits, list) else [limits]:
        try:
            (item,) = parse_many(said)
        except ValueError:
            raise ValueError(f"{said!r} is not a limit; write one like `10 per minute`.") from None
        if item.amount < 1 or item.get_expiry() < 1:
            raise ValueError(f"{said!r} allows no request; it must be at least 1.")
        items.append(item)
    if len({item.get_expiry() for item in items}) != len(items) or not items:
        raise ValueError("limits must have at least one entry, and no two of the same duration.")
    return items


def _window(
    policy: str, kind: str, item: RateLimitItem, names_kind: bool, names_time: bool, partition_key: PartitionKey
) -> Window:
    unit, number, seconds = item.GRANULARITY.name, item.multiples, item.get_expiry()
    per = unit if number == 1 else f"{number} {unit}s"
    parts = [policy, kind if names_kind else "", per.replace(" ", "-") if names_time else ""]
    return Window(
        name="-".join(filter(None, parts)),
        counter=f"{policy}:{kind}:{seconds}",
        policy=policy,
        quota=item.amount,
        seconds=seconds,
        text=f"{item.amount} requests per {per}",
        partition_key=partition_key,
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
    return request.caller.api_key_id if request.caller else None
