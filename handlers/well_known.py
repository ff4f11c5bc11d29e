"""What is at an address that standards fix."""


def get_jwks(signing_keys):
    return signing_keys.current().public_jwks()
