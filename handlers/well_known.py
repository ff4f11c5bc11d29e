"""Operations at well-known paths (RFC 8615)."""


def get_signing_keys(keys):
    return keys.current().public()
