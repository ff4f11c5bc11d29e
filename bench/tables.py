"""Markdown tables: writes them, and reads those of RESULTS.md, so that figures have one source."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

_SECTION = re.compile(r"^## ([^\n]+)\n(.*?)(?=^## |\Z)", re.MULTILINE | re.DOTALL)
_TABLE = re.compile(r"(?:^\|.*\n?)+", re.MULTILINE)


@dataclass(frozen=True)
class Table:
    """A table of a section. Its first heading is the title, and the first cell of a row is its label."""

    section: str
    title: str
    headings: Sequence[str]
    rows: Mapping[str, Mapping[str, str]]
    """The cells of each row, by the label of the row and the heading of the column."""


def parse(text: str) -> list[Table]:
    """Return all tables of a document that has sections, in their order."""
    tables: list[Table] = []
    for section, part in _SECTION.findall(text):
        tables += [_parse_table(section, found[0]) for found in _TABLE.finditer(part)]
    return tables


def _parse_table(section: str, text: str) -> Table:
    (title, *headings), _, *lines = ([cell.strip() for cell in line.split("|")[1:-1]] for line in text.splitlines())
    return Table(section, title, headings, {line[0]: dict(zip(headings, line[1:], strict=True)) for line in lines})


def render(cells: Sequence[Sequence[str]], texts: int = 1) -> str:
    """
    Return a Markdown table whose first line is *cells[0]*, which is also readable in a terminal.

    Columns without content are left out. The first *texts* columns are aligned left.
    """
    filled = [index for index in range(len(cells[0])) if any(line[index] not in ("", "0") for line in cells[1:])]
    columns = [[line[index] for line in cells] for index in filled]
    is_text = [index < texts for index in filled]
    widths = [max(map(len, column)) for column in columns]
    lines = [
        " | ".join(
            cell.ljust(width) if left else cell.rjust(width)
            for cell, width, left in zip(line, widths, is_text, strict=True)
        )
        for line in zip(*columns, strict=True)
    ]
    rule = "|".join(
        "-" * (width + 2) if left else "-" * (width + 1) + ":" for width, left in zip(widths, is_text, strict=True)
    )
    return "\n".join([f"| {lines[0]} |", f"|{rule}|", *(f"| {line} |" for line in lines[1:])])
