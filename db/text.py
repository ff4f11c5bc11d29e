"""Case folding of text."""

from unicodedata import normalize


def casefold(text: str) -> str:
    """
    Return the text normalized with NFKC and case-folded, so that texts which differ in case only become equal.

    It makes comparisons the same on both databases, whose rules of case differ. The result may be longer.
    """
    return normalize("NFKC", normalize("NFKC", text).casefold())
