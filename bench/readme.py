"""Writes plots and the performance section of README.md from RESULTS.md, so that figures have one source."""

import re
from pathlib import Path

from bench import plots
from bench.tables import Table, parse

ROOT = Path(__file__).resolve().parent.parent
README, RESULTS = ROOT / "README.md", ROOT / "bench" / "RESULTS.md"
BENCH_README = RESULTS.with_name("README.md")
PLOTS = RESULTS.with_name("plots")

_SECTION = re.compile(r"(?<= -->\n)(?:(?!<!--).)*(?=\n<!-- /performance -->)", re.DOTALL)
_METHOD = """\
Requests per second with one worker process, and in brackets the ratio to FastAPI. {spread}Accord runs with everything
on: security, validation of requests and responses, links, audit log, rate limits, access log, metrics. Its peers have
none of the last four. [bench/RESULTS.md](bench/RESULTS.md) has processor time, latencies, versions and the method.
[`make bench`](bench/README.md) measures on your machine."""
_SPREAD = "Mixed traffic has two workers. ± is half the difference of the highest and lowest round. "


def performance(results: str) -> str:
    """Return the section of README.md: date and machine, a table for each database, plots, and the method."""
    conditions = results.splitlines()[2]
    tables = parse(results)
    databases = dict.fromkeys(table.section for table in tables if table.section.startswith("On "))
    throughput = [_table(name, [table for table in tables if table.section == name]) for name in databases]
    shown = [plot for plot in plots.plots(results) if not plot.name.startswith(("sqlite", "main-py"))]
    return "\n\n".join([f"Measured on {conditions}", *throughput, images(shown, "bench/plots"), _method(tables)])


def all_plots(results: str) -> str:
    """Return the section of bench/README.md, with the plot of each table."""
    return images(plots.plots(results), "plots")


def images(shown: list[plots.Plot], folder: str) -> str:
    """Return the plots as images, with their values in words as the alternative text."""
    return "\n\n".join(f"![{plot.title}. {plot.description}]({folder}/{plot.name}.svg)" for plot in shown)


def _table(section: str, tables: list[Table]) -> str:
    """Return a table with a row for each server and a column for each request."""
    requests = [table for table in tables if {"requests/s", "FastAPI = 1"} <= {*table.headings}]
    servers = dict.fromkeys(label for table in requests for label in table.rows)
    rows = [
        [section.removeprefix("On "), *(table.title for table in requests)],
        ["---", *["--:"] * len(requests)],
        *([label, *(_cell(table, label) for table in requests)] for label in servers),
    ]
    return "\n".join(f"| {' | '.join(row)} |" for row in rows)


def _cell(table: Table, label: str) -> str:
    row = table.rows.get(label)
    if not row:
        return ""
    spread = f" ±{row['±']}" if "±" in row else ""
    return f"{row['requests/s']}{spread} ({row['FastAPI = 1']})"


def _method(tables: list[Table]) -> str:
    return _METHOD.format(spread=_SPREAD if any("±" in table.headings for table in tables) else "")


if __name__ == "__main__":
    text = RESULTS.read_text("utf-8")
    plots.write(text, PLOTS)
    for file, section in ((README, performance(text)), (BENCH_README, all_plots(text))):
        before, after = _SECTION.split(file.read_text("utf-8"), maxsplit=1)
        file.write_text(before + section + after, "utf-8")
