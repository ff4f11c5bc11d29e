"""
URLs of PostgreSQL, read as libpq reads them (PostgreSQL documentation, section 34.1.1.2), for asyncpg.

asyncpg sends a parameter that it does not know to the server as a setting, which then refuses the connection.
"""

import re
import ssl
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import quote, unquote

SCHEMES = ("postgresql://", "postgres://", "postgresql+asyncpg://")
"""The schemes of libpq, and the one of SQLAlchemy."""

_PASSED = {
    "dbname", "gsslib", "host", "krbsrvname", "passfile", "password", "port", "service", "sslcert", "sslcrl", "sslkey",
    "sslmode", "sslnegotiation", "sslpassword", "sslrootcert", "ssl_max_protocol_version", "ssl_min_protocol_version",
    "target_session_attrs", "user",
}  # fmt: skip
"""Parameters that asyncpg reads itself."""

_IGNORED = {
    "channel_binding": "asyncpg has none; sslmode=verify-full protects from the same attack",
    "gssdelegation": "asyncpg does not delegate credentials",
    "keepalives": "the command timeout closes a connection whose server no longer responds",
    "keepalives_count": "as keepalives",
    "keepalives_idle": "as keepalives",
    "keepalives_interval": "as keepalives",
    "load_balance_hosts": "hosts are tried in their order",
    "pgbouncer": "a parameter of Prisma, which hosts put into their URLs; a pooler is detected",
    "sslcompression": "libpq ignores it as well",
    "sslsni": "asyncpg always sends the name of the host",
    "tcp_user_timeout": "as keepalives",
}
"""Parameters without an effect, with the reason why the connection is right without it."""

_VALUES = {
    "client_encoding": ("auto", "UTF8", "UTF-8", "utf8", "utf-8"),
    "gssencmode": ("disable", "prefer"),
    "sslmode": ("disable", "allow", "prefer", "require", "verify-ca", "verify-full"),
    "sslnegotiation": ("postgres", "direct"),
    "target_session_attrs": ("any", "primary", "standby", "prefer-standby", "read-write", "read-only"),
}
"""Parameters with a fixed set of values. Others of libpq would ask for what asyncpg cannot do."""

_READ = {"application_name", "connect_timeout", "fallback_application_name", "options"}
_FILES = ("sslrootcert", "sslcert", "sslkey", "sslcrl", "passfile")


@dataclass(frozen=True)
class ConnectionParameters:
    """What a URL says of a connection."""

    dsn: str = field(repr=False)
    """The URL for asyncpg, with the parameters that asyncpg reads."""
    address: str
    """Hosts, ports and database, such as `localhost:5432/shop`, for messages."""
    user: str | None
    password: str | None = field(repr=False)
    application_name: str | None
    connect_timeout: float | None
    """Seconds, or None for the default of the service."""
    settings: dict[str, str]
    """Settings of the session, from `-c name=value` in the parameter `options`."""
    options: str
    """The rest of the parameter `options`, which some hosts read: Neon expects `endpoint=…`."""
    trusts_system: bool
    """Whether the certificates that the system trusts verify the server: `sslrootcert=system`."""

    def ssl_context(self) -> ssl.SSLContext | None:
        """Return the context that verifies the server by the certificates of the system, None if asyncpg makes one."""
        return ssl.create_default_context() if self.trusts_system else None


def parse(url: str) -> ConnectionParameters:
    """Parse a URL. Raises ValueError, whose message names the parameter and has no value of it."""
    scheme = next((each for each in SCHEMES if url.startswith(each)), None)
    if scheme is None:
        raise ValueError("The URL of PostgreSQL should begin with postgresql:// or postgres://.")
    rest, _, query = url.removeprefix(scheme).partition("?")
    authority, _, database = rest.partition("/")
    credentials, _, hosts = authority.rpartition("@")
    user, _, password = credentials.partition(":")
    parameters = {
        "user": _decode(user, "user"),
        "password": _decode(password, "password"),
        "dbname": _decode(database, "database"),
    }
    parameters = {name: value for name, value in parameters.items() if value} | _parse_hosts(hosts)
    parameters |= _parse_query(query)
    _check(parameters)
    if "host" in parameters:
        parameters["host"] = ",".join(map(_bracket, parameters["host"].split(",")))
    settings, options = _parse_options(parameters.get("options", ""))
    trusts_system = parameters.get("sslrootcert") == "system"
    passed = {name: parameters[name] for name in _PASSED & parameters.keys() if parameters[name]}
    if trusts_system:
        del passed["sslrootcert"], passed["sslmode"]
    timeout = float(parameters.get("connect_timeout") or 0)
    return ConnectionParameters(
        dsn="postgresql://?" + "&".join(f"{name}={quote(value, safe='')}" for name, value in passed.items()),
        address=_address(parameters),
        user=parameters.get("user"),
        password=parameters.get("password"),
        application_name=parameters.get("application_name") or parameters.get("fallback_application_name"),
        connect_timeout=max(timeout, 2.0) if timeout > 0 else None,
        settings=settings,
        options=options,
        trusts_system=trusts_system,
    )


def _parse_hosts(text: str) -> dict[str, str]:
    """Return `host` and `port` of a list of hosts with ports, such as `a:5432,[::1]`."""
    if not text:
        return {}
    hosts, ports = [], []
    for each in text.split(","):
        found = re.fullmatch(r"(\[[^\]]+\]|[^:\[\]]*)(?::(\d*))?", each)
        if not found:
            raise ValueError("The URL of PostgreSQL has an invalid host or port.")
        hosts.append(_decode(found[1], "host"))
        ports.append(found[2] or "5432")
    return ({"host": ",".join(hosts)} if any(hosts) else {}) | ({"port": ",".join(ports)} if text.strip(",") else {})


def _address(parameters: dict[str, str]) -> str:
    hosts, ports = parameters.get("host", "localhost").split(","), parameters.get("port", "5432").split(",")
    # One port is that of all hosts.
    places = [f"{host or 'localhost'}:{port}" for host, port in zip(hosts, ports * len(hosts), strict=False)]
    return f"{','.join(places)}/{parameters.get('dbname', '')}"


def _bracket(host: str) -> str:
    """Return an IPv6 address in brackets, and other hosts as they are."""
    return f"[{host}]" if ":" in host and not host.startswith(("/", "[")) else host


def _parse_query(query: str) -> dict[str, str]:
    parameters: dict[str, str] = {}
    for pair in filter(None, query.split("&")):
        name, equals, value = pair.partition("=")
        name = _decode(name, "name of a parameter")
        if not equals:
            raise ValueError(f"The parameter {name} of the URL of PostgreSQL has no value.")
        # libpq reads this form of JDBC as well.
        if (name, value) == ("ssl", "true"):
            name, value = "sslmode", "require"
        parameters[name] = _decode(value, name)
    return parameters


def _check(parameters: dict[str, str]) -> None:
    known = _PASSED | _IGNORED.keys() | _VALUES.keys() | _READ
    for name, value in parameters.items():
        if name not in known:
            raise ValueError(f"The URL of PostgreSQL has the parameter {name}, which this service does not support.")
        if name in _VALUES and value not in _VALUES[name]:
            raise ValueError(f"The parameter {name} of the URL of PostgreSQL should be {', '.join(_VALUES[name])}.")
    if not all(each.isdecimal() and 0 < int(each) < 65_536 for each in parameters.get("port", "5432").split(",")):
        raise ValueError("The URL of PostgreSQL has an invalid port.")
    if not re.fullmatch(r"-?\d*", parameters.get("connect_timeout", "")):
        raise ValueError("The parameter connect_timeout of the URL of PostgreSQL should be a number of seconds.")
    if parameters.get("sslrootcert") == "system" and parameters.setdefault("sslmode", "verify-full") != "verify-full":
        raise ValueError("The parameter sslrootcert=system of the URL of PostgreSQL needs sslmode=verify-full.")
    if parameters.get("sslrootcert") == "system" and "sslcert" in parameters:
        raise ValueError(
            "The URL of PostgreSQL has sslcert, which sslrootcert=system excludes: name the file of its CA."
        )
    _check_files(parameters)


def _check_files(parameters: dict[str, str]) -> None:
    for name in _FILES:
        if name in parameters and parameters[name] != "system" and not Path(parameters[name]).is_file():
            raise ValueError(f"The parameter {name} of the URL of PostgreSQL names a file that does not exist.")
    verifies = parameters.get("sslmode", "").startswith("verify-")
    if verifies and "sslrootcert" not in parameters and not Path("~/.postgresql/root.crt").expanduser().is_file():
        raise ValueError(
            "The URL of PostgreSQL verifies the server without a root certificate: add sslrootcert=FILE, or "
            "sslrootcert=system for those that this machine trusts."
        )


def _parse_options(options: str) -> tuple[dict[str, str], str]:
    """Return the settings in the command-line options of a server, and the other options."""
    settings: dict[str, str] = {}
    rest = []
    words = [re.sub(r"\\(.)", r"\1", word) for word in re.findall(r"(?:\\.|[^\s\\])+", options)]
    while words:
        word = words.pop(0)
        if word == "-c" and words:
            word += words.pop(0)
        if found := re.fullmatch(r"(?:-c|--)([A-Za-z_][\w.-]*)=(.*)", word, re.DOTALL):
            settings[found[1].replace("-", "_")] = found[2]
        else:
            rest.append(re.sub(r"([\s\\])", r"\\\1", word))
    return settings, " ".join(rest)


def _decode(text: str, name: str) -> str:
    if re.search(r"%(?![0-9A-Fa-f]{2})", text):
        raise ValueError(
            f"The {name} in the URL of PostgreSQL has a % that no two hexadecimal digits follow; write %25."
        )
    return unquote(text)
