"""The names of the environment variables."""

PREFIX = "ACCORD_"


def variable(name: str) -> str:
    """Return the environment variable of the setting *name*: of `port`, `ACCORD_PORT`."""
    return PREFIX + name.upper().removeprefix(PREFIX)
