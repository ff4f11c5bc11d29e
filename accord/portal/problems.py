"""Problem types: the explanation of each, at the anchor that the `type` of a problem refers to."""

from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path

from markdown_it import MarkdownIt


@dataclass(frozen=True)
class ProblemTypes:
    """The explanation of the problem types, and their anchors."""

    html: str
    slugs: list[str]


def load_problem_types(file: Path) -> ProblemTypes:
    """Return the Markdown *file* as HTML. Each second-level heading gets an anchor of the same name."""
    markdown = MarkdownIt("commonmark")
    tokens = markdown.parse(file.read_text("utf-8"))
    slugs = []
    for heading, text in pairwise(tokens):
        if heading.type == "heading_open" and heading.tag == "h2":
            heading.attrSet("id", text.content)
            slugs.append(text.content)
    return ProblemTypes(markdown.renderer.render(tokens, markdown.options, {}), slugs)
