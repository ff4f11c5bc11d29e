"""What is at an address that standards fix."""


def get_signing_keys(keys):
    return keys.current().public()
