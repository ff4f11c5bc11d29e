"""Writes the table of README.md from RESULTS.md, so that there is one place where figures come from."""

import re
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
README, RESULTS = ROOT / "README.md", ROOT / "bench" / "RESULTS.md"

_DATABASE = re.compile(r"^## On (\w+)\n(.*?)(?=^## )", re.MULTILINE | re.DOTALL)
_SECTION = re.compile(r"(<!-- performance: .* -->\n).*(\n<!-- /performance -->)", re.DOTALL)
_METHOD = """\
Requests a second, and in brackets how many times FastAPI's; one worker process. Accord runs with everything on:
security, validation of requests and of answers, links, the audit trail, rate limits, a line of log for each request,
metrics; its peers have none of the last four. [bench/RESULTS.md](bench/RESULTS.md) has processor time, latencies,
versions and how it was measured; [`make bench`](bench/README.md) measures on your machine."""


def performance(results: str) -> str:
    """The date and the machine, and a table for each database, of what was measured."""
    conditions = results.splitlines()[2]
    tables = [_table(name, part) for name, part in _DATABASE.findall(results)]
    return "\n\n".join([f"Measured on {conditions}", *tables, _METHOD])


def _table(database: str, part: str) -> str:
    """One row for each server, one column for each request."""
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
