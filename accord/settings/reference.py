"""The generated texts that describe all settings: `.env.example` and docs/settings.md."""

from pydantic.fields import FieldInfo

from accord.settings import Settings
from accord.settings.production import DEMANDS
from accord.settings.variables import variable

_INTRODUCTION = """\
# Settings

`main.py settings` generates this page from `accord/settings`. The service reads its settings once, at start, from
environment variables and from a file `.env` beside `main.py`; the environment wins. `.env.example` has all of them.
Errors are reported at start, in a line for each variable, without its value. An unknown variable that begins with
`ACCORD_` is an error, too.

With `ACCORD_ENVIRONMENT=production`, settings that do not meet the demand in the last column are refused, and nothing
starts. In development, `main.py check` reports them. `seed` and `serve --reload` do not run in production.

"""


def example() -> str:
    """Return the text of `.env.example`: each setting with its description and default."""
    lines = ["# Settings of Accord. Copy this file to .env, and remove the # of the settings that you change."]
    for name, field in Settings.model_fields.items():
        lines += ["", f"# {field.description}", f"# {variable(name)}={_default(field)}"]
    return "\n".join(lines) + "\n"


def document() -> str:
    """Return the text of docs/settings.md: each setting with its default, its description and production's demand."""
    rows = ["variable | default | description | in production", "--- | --- | --- | ---"]
    for name, field in Settings.model_fields.items():
        default = f"`{_default(field)}`" if _default(field) else ""
        _, demand = DEMANDS.get(name, (None, ""))
        rows.append(f"`{variable(name)}` | {default} | {field.description} | {demand}")
    return _INTRODUCTION + "".join(f"| {row} |\n" for row in rows)


def _default(field: FieldInfo) -> str:
    return "" if field.default is None else str(field.default)
