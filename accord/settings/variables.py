"""The names of the environment variables."""

PREFIX = "ACCORD_"


def variable(name: str) -> str:
    """Return the variable of the setting *name*."""
    return PREFIX + name.upper().removeprefix(PREFIX)
