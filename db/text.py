"""Text that is compared without regard to case."""

from unicodedata import normalize


def casefold(text: str) -> str:
    """
    What two texts have in common when they differ in case or in compatible characters only.

    The same on both databases, whose own ideas of case differ. It may be longer than the text.
    """
    return normalize("NFKC", normalize("NFKC", text).casefold())
