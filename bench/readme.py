"""Writes the performance section of README.md from RESULTS.md, so that figures have one source."""

import re
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
README, RESULTS = ROOT / "README.md", ROOT / "bench" / "RESULTS.md"

_DATABASE = re.compile(r"^## On (\w+)\n(.*?)(?=^## )", re.MULTILINE | re.DOTALL)
_SECTION = re.compile(r"(<!-- performance: .* -->\n).*(\n<!-- /performance -->)", re.DOTALL)
_METHOD = """\
Requests per second with one worker process, and in brackets the ratio to FastAPI. Accord runs with everything on:
security, validation of requests and responses, links, audit log, rate limits, access log, metrics. Its peers have none
of the last four. [bench/RESULTS.md](bench/RESULTS.md) has processor time, latencies, versions and the method.
[`make bench`](bench/README.md) measures on your machine."""


def performance(results: str) -> str:
    """Return the section: date and machine, a table for each database, and the method."""
    conditions = results.splitlines()[2]
    tables = [_table(name, part) for name, part in _DATABASE.findall(results)]
    return "\n\n".join([f"Measured on {conditions}", *tables, _METHOD])


def _table(database: str, part: str) -> str:
    """Return a table with a row for each server and a column for each request."""
    requests: list[str] = []
    servers: dict[str, list[str]] = {}
    for line in part.splitlines():
        name, *cells = (cell.strip() for cell in line.strip("| ").split("|"))
        if cells[:2] == ["requests/s", "FastAPI = 1"]:
            requests.append(name)
        elif cells and not name.startswith("-"):
            servers.setdefault(name, []).append(f"{cells[0]} ({cells[1]})")
    rows = [[database, *requests], ["---", *["--:"] * len(requests)], *([name, *row] for name, row in servers.items())]
    return "\n".join(f"| {' | '.join(row)} |" for row in rows)


if __name__ == "__main__":
    text = README.read_text("utf-8")
    section = performance(RESULTS.read_text("utf-8"))
    README.write_text(_SECTION.sub(lambda found: found[1] + section + found[2], text), "utf-8")
