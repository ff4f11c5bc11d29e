"""Plots of the tables of RESULTS.md: bar charts as SVG, which GitHub shows on a light and on a dark page."""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from html import escape
from pathlib import Path

from bench.tables import Table, parse

_SERIES: tuple[Sequence[str], ...] = (
    ("p50 ms", "p99 ms", "p99.9 ms"),
    ("reads/s", "writes/s"),
    ("median s",),
    ("requests/s",),
)
"""Headings of the columns that a plot shows. The first entry counts that a table has."""

_BARS, _VALUES, _TOP, _BAR, _GAP = 380, 90, 56, 14, 10
_LETTER = 8
"""Width of a bold letter, at most on average."""
# The media query is that of the reader's browser, also in an image of a page.
_STYLE = """\
text { font: 13px system-ui, sans-serif; fill: #1f2328 }
.title { font-size: 15px; font-weight: 600 }
.note { fill: #59636e }
.own { font-weight: 600 }
rect { fill: #8c959f }
rect.own { fill: #0969da }
.second { opacity: .7 }
.third { opacity: .45 }
@media (prefers-color-scheme: dark) {
  text { fill: #f0f6fc }
  .note { fill: #9198a1 }
  rect { fill: #656c76 }
  rect.own { fill: #4493f8 }
}"""
_SHADES = ("first", "second", "third")


@dataclass(frozen=True)
class Plot:
    """A bar chart of some columns of a table. `rows` has for each label the cells as the table has them."""

    name: str
    title: str
    series: Sequence[str]
    rows: Sequence[tuple[str, Sequence[str]]]

    @property
    def description(self) -> str:
        """Return all values in words, for readers that do not see the bars."""
        labels = (
            f"{label}: {', '.join(f'{cell} {name}' for cell, name in zip(cells, self.series, strict=True))}"
            for label, cells in self.rows
        )
        return "; ".join(labels) + "."

    def svg(self) -> str:
        """Return the chart. The longest bar is that of the highest value."""
        top = max((number(cell) for _, cells in self.rows for cell in cells), default=0) or 1
        labels = _LETTER * max((len(label) for label, _ in self.rows), default=0) + 10
        width = labels + _BARS + _VALUES
        y, lines = _TOP, []
        for label, cells in self.rows:
            own = " own" if label.startswith("Accord") else ""
            middle = y + _BAR * len(cells) / 2 + 4
            place = f'x="{labels - 10}" y="{middle:g}" text-anchor="end"'
            lines.append(f'<text class="label{own}" {place}>{escape(label)}</text>')
            for shade, cell in zip(_SHADES, cells, strict=False):
                length = max(1.0, number(cell) / top * _BARS)
                lines += [
                    f'<rect class="{shade}{own}" x="{labels}" y="{y}" width="{length:.1f}" height="{_BAR - 2}"/>',
                    f'<text x="{labels + length + 6:.1f}" y="{y + _BAR - 4}">{escape(cell)}</text>',
                ]
                y += _BAR
            y += _GAP
        size = f'viewBox="0 0 {width} {y}" width="{width}" height="{y}"'
        parts = [
            f'<svg xmlns="http://www.w3.org/2000/svg" {size} role="img" aria-labelledby="title description">',
            f'<title id="title">{escape(self.title)}</title>',
            f'<desc id="description">{escape(self.description)}</desc>',
            f"<style>\n{_STYLE}\n</style>",
            f'<text class="title" x="0" y="18">{escape(self.title)}</text>',
            f'<text class="note" x="0" y="38">{escape(" · ".join(self.series))}</text>',
            *lines,
            "</svg>\n",
        ]
        return "\n".join(parts)


def plots(results: str) -> list[Plot]:
    """Return the plot of each table of RESULTS.md that has figures to compare."""
    return [plot for table in parse(results) if (plot := _plot(table))]


def write(results: str, folder: Path) -> Path:
    """Write the plots into this folder and delete all others in it, and return the folder."""
    folder.mkdir(exist_ok=True)
    for file in folder.glob("*.svg"):
        file.unlink()
    for plot in plots(results):
        folder.joinpath(f"{plot.name}.svg").write_text(plot.svg(), "utf-8")
    return folder


def number(cell: str) -> float:
    """Return the number of a cell such as `1,234` or `66% ¹`, and 0 for one without a number."""
    found = re.match(r"[\d,.]+", cell)
    return float(found[0].replace(",", "")) if found else 0.0


def _plot(table: Table) -> Plot | None:
    memory: Sequence[str] = [heading for heading in table.headings if heading.startswith("PSS")]
    series = memory or next((names for names in _SERIES if set(names) <= {*table.headings}), ())
    if not series:
        return None
    section = table.section.removeprefix("On ")
    is_on_database = section != table.section
    short = re.split(r"[:,;] ", table.title.replace("`", ""))[0]
    name = re.sub(r"[^a-z0-9]+", "-", f"{section if is_on_database else ''} {short}".lower()).strip("-")
    title = f"{table.title.replace('`', '')}, on {section}" if is_on_database else table.title.replace("`", "")
    rows = [(label.replace("**", ""), [cells[heading] for heading in series]) for label, cells in table.rows.items()]
    return Plot(name, title, series, rows)
