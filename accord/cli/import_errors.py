"""Errors at the import of this program's modules, in words.

This module imports nothing of ours, because the module that cannot be imported may be any.
"""

import traceback
from pathlib import Path

_ROOT = Path(__file__).resolve().parents[2]
_FOLDERS = ("accord", "alembic", "db", "handlers", "services")


def describe_import_error(error: BaseException) -> str | None:
    """Return a sentence on an exception that the import of a module of ours raised; None for other exceptions."""
    if isinstance(error, SyntaxError) and error.filename and (file := _own_file(error.filename)):
        return f"{file}:{error.lineno}: the syntax is invalid ({error.msg}); correct it."
    for frame in reversed(traceback.extract_tb(error.__traceback__)):
        file = _own_file(frame.filename)
        # Alembic runs `env.py` for each command, so that it is in the traceback of all errors of migrations.
        if file and frame.name == "<module>" and file != Path("alembic/env.py"):
            reason = " ".join(str(error).split()).rstrip(".")
            return f"{file}:{frame.lineno}: {type(error).__name__} ({reason}); correct this line."
    return None


def _own_file(filename: str) -> Path | None:
    """Return the file relative to the program; None for one of another program."""
    path = Path(filename).resolve()
    file = path.relative_to(_ROOT) if path.is_relative_to(_ROOT) else None
    return file if file and file.parts[0] in _FOLDERS else None
