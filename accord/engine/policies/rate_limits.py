"""Rate limits: the rate limit policies of operations, and the headers that report them in every response."""

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
"""Returns what requests are counted by, such as an address."""
HitResult = tuple[bool, Sequence[tuple[int, float]]]
"""Whether the request was counted, and the requests used and the seconds left of each window."""

_NAME = re.compile(r"[a-z][a-z0-9-]{0,39}")
_MEMBERS = frozenset({"description", "by", "account-property", "exempt", "limits"})


@dataclass(frozen=True)
class Window:
    """
    A quota of requests in a time window, which begins with the first request.

    Windows with the same `counter` share their counts. `text` is the limit in words: `5 requests per minute`.
    """

    name: str
    counter: str
    policy: str
    quota: int
    seconds: int
    text: str
    partition_key: PartitionKey
    is_private: bool = False
    """Whether it counts by account. The caller may be another person, so headers report it only when it is full."""


class RateLimitStorage(Protocol):
    """Counts requests in windows."""

    async def hit(self, windows: Sequence[Window], partition_keys: Sequence[Hashable]) -> HitResult:
        """
        Count one request in every window, each for its own partition key, or in none if one of them is full.

        Return whether the request was counted, and for each window the requests used and the seconds until it ends.
        """
        ...


@dataclass
class RateLimitStats:
    """Granted and rejected requests by rate limit policy."""

    granted: Counter[str] = field(default_factory=Counter)
    rejected: Counter[str] = field(default_factory=Counter)


@dataclass(frozen=True)
class _Policy:
    """Windows by partition key. Callers whose scopes include one of the sets in `exempt` are not counted."""

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
    The rate limit policies of a contract, its `x-rate-limits`.

    `policies` has all of them by name. `default` lists those of operations without `x-rate-limit`. The `by` of a policy
    lists its partition keys: the `address` of a request without credentials, the `caller` of an access token, the
    `api-key`, or the `account` that the body has in the property `account-property`, for all callers together. Requests
    of the roles in `exempt`, which are those of the security schemes, are not counted.

    Raises ContractError for a policy that cannot be enforced.
    """

    def __init__(
        self,
        document: Document,
        storage: RateLimitStorage | None,
        stats: RateLimitStats,
        casefold: Callable[[str], str],
    ) -> None:
        """*casefold* maps all spellings of one account to the same text."""
        self._document, self._storage, self._stats, self._casefold = document, storage, stats, casefold
        spec: Any = document.raw.get("x-rate-limits", {})
        schemes = document.raw.get("components", {}).get("securitySchemes", {}).values()
        roles = [document.resolve(scheme).get("x-roles", {}) for scheme in schemes]
        self._roles = {role: frozenset(scopes) for granted in roles for role, scopes in granted.items()}
        self._policies = {name: self._policy(name, each) for name, each in spec.get("policies", {}).items()}
        self._default: list[str] = spec.get("default", [])

    def for_operation(self, spec: dict[str, Any]) -> "RateLimit | None":
        """Return the rate limit by the policies in `x-rate-limit` or the default ones, or None if there are none."""
        names, operation = spec.get("x-rate-limit", self._default), spec["operationId"]
        if unknown := [name for name in names if name not in self._policies]:
            known = ", ".join(self._policies) or "none"
            raise error_at(spec, f'{operation}: unknown rate limit policy "{", ".join(unknown)}"; known: {known}.')
        policies = [self._policies[name] for name in names]
        properties = {each.account for each in policies if each.account}
        if any(name not in self._required_properties(spec) for name in properties):
            counted_by = ", ".join(properties)
            raise error_at(
                spec, f"{operation}: its rate limits count by {counted_by} of the body; make it required there."
            )
        if not policies:
            return None
        if self._storage is None:
            raise error_at(spec, f"{operation} has rate limits; pass Contract a rate limit storage.")
        return RateLimit(policies, properties, self._storage, self._stats)

    def _required_properties(self, spec: dict[str, Any]) -> set[str]:
        """Return the properties that every body of the operation has."""
        resolve = self._document.resolve
        contents = resolve(spec.get("requestBody", {})).get("content", {}).values()
        required = [set(resolve(content.get("schema", {})).get("required", ())) for content in contents]
        return set.intersection(*required) if required else set()

    def _policy(self, name: str, spec: dict[str, Any]) -> _Policy:
        account, exempt, by = spec.get("account-property"), spec.get("exempt", []), spec.get("by", [])
        partition_keys: dict[str, PartitionKey] = {"address": _address, "caller": _caller, "api-key": _api_key}
        if account:
            partition_keys["account"] = self._account(account)
        if not _NAME.fullmatch(name):
            raise error_at(
                spec, f'rate limit policy "{name}": the name must consist of lower-case letters, digits and hyphens.'
            )
        if unknown := sorted(spec.keys() - _MEMBERS):
            raise error_at(
                spec,
                f'rate limit policy "{name}": unknown key {", ".join(unknown)}; known: {", ".join(sorted(_MEMBERS))}.',
            )
        if not by or any(kind not in partition_keys for kind in by) or (account and "account" not in by):
            known = "address, caller, api-key, or account, which is the property of the body in `account-property`"
            raise error_at(spec, f'rate limit policy "{name}": `by` must list what requests are counted by: {known}.')
        if others := [role for role in exempt if role not in self._roles]:
            raise error_at(
                spec,
                f'rate limit policy "{name}": unknown role {", ".join(others)} in `exempt`; no x-roles has it.',
            )
        try:
            items = _items(spec.get("limits"))
        except ValueError as error:
            raise error_at(spec, f'rate limit policy "{name}": {error}') from None
        windows = {kind: _windows(name, kind, items, partition_keys[kind], names_kind=len(by) > 1) for kind in by}
        return _Policy(windows, [self._roles[role] for role in exempt], account)

    def _account(self, member: str) -> PartitionKey:
        def account(request: Request) -> Hashable:
            # The storage gets a digest, because users type passwords into the field of the name by mistake.
            return blake2b(self._casefold(str(request.body[member])).encode(), digest_size=16).hexdigest()

        return account


class RateLimit:
    """The rate limit of one operation."""

    def __init__(
        self, policies: Sequence[_Policy], properties: set[str], storage: RateLimitStorage, stats: RateLimitStats
    ) -> None:
        self.reads_body = bool(properties)
        """Whether a partition key is in the body."""
        self._policies, self._storage, self._stats = policies, storage, stats
        self._plan = lru_cache(maxsize=256)(self._build_plan)

    async def check(self, request: Request) -> None:
        """Count the request, and set its `rate_limit_headers`. Raises a 429 Problem if a window is full."""
        caller = request.caller
        if caller is None:
            plan = self._plan("address", frozenset(), self.reads_body and request.body is not None)
        else:
            kind = "caller" if caller.api_key_id is None else "api-key"
            plan = self._plan(kind, caller.scopes, self.reads_body and request.body is not None)
        if plan is None:
            return
        granted, usage = await self._storage.hit(
            plan.windows, [window.partition_key(request) for window in plan.windows]
        )
        request.rate_limit_headers = plan.headers(usage)
        if granted:
            counts = self._stats.granted
            for name in plan.names:
                counts[name] += 1
            return
        windows = zip(plan.windows, usage, strict=True)
        full = [(left, window) for window, (used, left) in windows if used >= window.quota]
        for name in {window.policy for _, window in full}:
            self._stats.rejected[name] += 1
        left, window = max(full, key=lambda each: each[0])
        detail = f'Rate limit "{window.policy}" exceeded: {window.text}. Retry in {ceil(left)} seconds.'
        raise Problem(429, detail, headers={"Retry-After": str(ceil(left))})

    def _build_plan(self, kind: str, scopes: frozenset[str], has_account: bool) -> "_WindowPlan | None":
        kinds = frozenset({kind, "account"} if has_account else {kind})
        windows = [window for each in self._policies for window in each.windows_of(kinds, scopes)]
        return _WindowPlan(windows) if windows else None


class _WindowPlan:
    """The windows that requests of one kind of caller are counted in, and their headers."""

    def __init__(self, windows: list[Window]) -> None:
        self.windows = windows
        self.names = list(dict.fromkeys(window.policy for window in windows))
        policy = ", ".join(f'"{window.name}";q={window.quota};w={window.seconds}' for window in windows)
        self._policy = (b"ratelimit-policy", policy.encode())
        self._quotas = [(window.quota, f'"{window.name}";r=', window.is_private) for window in windows]

    def headers(self, usage: Sequence[tuple[int, float]]) -> RawHeaders:
        """
        Return the response headers for *usage*, the requests used and the seconds left of each window.

        `RateLimit` and `RateLimit-Policy` are those of draft-ietf-httpapi-ratelimit-headers-11. The older `X-RateLimit`
        headers are about the tightest window.
        """
        items: list[str] = []
        least, longest, tightest = inf, 0.0, 0
        for (quota, prefix, is_private), (used, left) in zip(self._quotas, usage, strict=True):
            if is_private and used < quota:
                continue
            remaining = quota - used if used < quota else 0
            items.append(f"{prefix}{remaining};t={ceil(left)}")
            if remaining < least or (remaining == least and left > longest):
                least, longest, tightest = remaining, left, quota
        if not items:
            return [self._policy]
        return [
            self._policy,
            (b"ratelimit", ", ".join(items).encode()),
            (b"x-ratelimit-limit", b"%d" % tightest),
            (b"x-ratelimit-remaining", b"%d" % least),
            (b"x-ratelimit-reset", b"%d" % ceil(time() + longest)),
        ]


def override_limits(document: Document, limits: Mapping[str, Sequence[str]]) -> None:
    """Replace the limits of policies of *document*. Raises ContractError for an unknown policy or an invalid limit."""
    spec = document.raw.get("x-rate-limits")
    # The form of the document is validated later.
    policies = spec.get("policies") if isinstance(spec, dict) else None
    for name, texts in limits.items():
        if not isinstance(policies, dict) or name not in policies:
            raise ContractError(f'unknown rate limit policy "{name}"; known: {", ".join(policies or ()) or "none"}.')
        try:
            _items(texts)
        except ValueError as error:
            raise ContractError(f'rate limit policy "{name}": {error}') from None
        policies[name]["limits"] = list(texts)


def _items(limits: Any) -> list[RateLimitItem]:
    """Return the parsed *limits*, each like `10 per minute`. Raises ValueError for none, or an invalid one."""
    items = []
    for text in limits if isinstance(limits, list) else [limits]:
        try:
            (item,) = parse_many(text)
        except ValueError:
            raise ValueError(f"{text!r} is not a limit; write one like `10 per minute`.") from None
        if item.amount < 1 or item.get_expiry() < 1:
            raise ValueError(f"{text!r} allows no request; it must be at least 1.")
        items.append(item)
    if len({item.get_expiry() for item in items}) != len(items) or not items:
        raise ValueError("limits must have at least one entry, and no two of the same duration.")
    return items


def _windows(
    policy: str, kind: str, items: list[RateLimitItem], partition_key: PartitionKey, *, names_kind: bool
) -> list[Window]:
    names_time = len(items) > 1
    return [_window(policy, kind, item, names_kind, names_time, partition_key) for item in items]


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
    """Return the network of one subscriber: of IPv6 the /64, in which a client can choose any address."""
    try:
        address = IPv6Address(host)
    except ValueError:
        return host[:64]
    return str(address.ipv4_mapped or IPv6Address(int(address) >> 64 << 64))


def _caller(request: Request) -> Hashable:
    return request.caller.id if request.caller else None


def _api_key(request: Request) -> Hashable:
    return request.caller.api_key_id if request.caller else None
