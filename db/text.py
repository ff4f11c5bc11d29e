"""Case folding of text."""

from unicodedata import normalize


def casefold(text: str) -> str:
    """
    Return the text, normalized with NFKC and case-folded, so that texts that differ only in case become equal.

    Comparisons of the result are the same on both databases, although their rules for case differ. The result may be
    longer than the text.
    """
    return normalize("NFKC", normalize("NFKC", text).casefold())
