"""What is at an address that standards fix."""


def get_jwks(keys):
    return keys.current().public()
