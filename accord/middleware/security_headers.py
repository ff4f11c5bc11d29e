"""Security headers of every response."""

from accord.engine.headers import RawHeaders

SECURITY_HEADERS: RawHeaders = [
    (b"x-content-type-options", b"nosniff"),
    (b"x-frame-options", b"DENY"),
    (b"content-security-policy", b"default-src 'none'; frame-ancestors 'none'"),
    (b"referrer-policy", b"no-referrer"),
]
HSTS_HEADERS: RawHeaders = [*SECURITY_HEADERS, (b"strict-transport-security", b"max-age=31536000")]
"""The security headers over TLS. Browsers then use TLS only, for a year (RFC 6797)."""
