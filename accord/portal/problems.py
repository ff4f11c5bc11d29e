"""Problem types: the explanation of each, at the anchor that the `type` of a problem refers to."""

from dataclasses import dataclass
from itertools import pairwise


@dataclass(frozen=True)
class ProblemTypes:
    """The explanation of the problem types, and their anchors."""

    html: str
    slugs: list[str]


def render_problem_types(text: str) -> ProblemTypes:
    """Return the Markdown *text* as HTML. Each second-level heading gets an anchor of the same name."""
    from markdown_it import MarkdownIt  # noqa: PLC0415  # Only this page needs it, at its first view.

    markdown = MarkdownIt("commonmark")
    tokens = markdown.parse(text)
    slugs = []
    for heading, inline in pairwise(tokens):
        if heading.type == "heading_open" and heading.tag == "h2":
            heading.attrSet("id", inline.content)
            slugs.append(inline.content)
    return ProblemTypes(markdown.renderer.render(tokens, markdown.options, {}), slugs)
