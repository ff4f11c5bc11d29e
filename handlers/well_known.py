"""Operations at well-known paths (RFC 8615)."""


def get_jwks(signing_keys):
    return signing_keys.current().public_jwks()
