"""The texts that describe every setting: `.env.example` and docs/settings.md."""

from pydantic.fields import FieldInfo

from accord.settings import Settings
from accord.settings.production import DEMANDS
from accord.settings.variables import variable

_ABOUT = """\
# Settings

Made by `main.py settings` from `accord/settings`, which reads them once, at start, from environment variables and a
file `.env` beside `main.py`; the environment wins. `.env.example` has them all. What is wrong is said at start, in a
line for each variable, without its value; a variable that begins with `ACCORD_` in `.env` and is none of these is
wrong, too.

With `ACCORD_ENVIRONMENT=production`, what the last column asks for must be so, or nothing starts. `main.py check` says
of a development what production would refuse. In production there are no `seed` and no `serve --reload`.

"""


def example() -> str:
    """Return the text of `.env.example`: every setting with its meaning and its default."""
    lines = ["# Settings of Accord. Copy to .env and take the # off what you change."]
    for name, field in Settings.model_fields.items():
        lines += ["", f"# {field.description}", f"# {variable(name)}={_default(field)}"]
    return "\n".join(lines) + "\n"


def document() -> str:
    """Return the text of docs/settings.md: every setting with its default, its meaning and what production demands."""
    rows = ["variable | default | meaning | in production", "--- | --- | --- | ---"]
    for name, field in Settings.model_fields.items():
        default = f"`{_default(field)}`" if _default(field) else ""
        _, demand = DEMANDS.get(name, (None, ""))
        rows.append(f"`{variable(name)}` | {default} | {field.description} | {demand}")
    return _ABOUT + "".join(f"| {row} |\n" for row in rows)


def _default(field: FieldInfo) -> str:
    return "" if field.default is None else str(field.default)
