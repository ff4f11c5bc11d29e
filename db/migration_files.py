"""The files of migrations under alembic/versions, which must form one chain. They are read, and not run."""

import ast
from dataclasses import dataclass
from pathlib import Path

from db.errors import MigrationError

_FOLDER = Path(__file__).resolve().parents[1] / "alembic" / "versions"


@dataclass(frozen=True)
class _MigrationFile:
    path: str
    revision: str
    revision_line: int
    down_revision: str | None
    down_revision_line: int

    @property
    def place(self) -> str:
        return f"{self.path}:{self.down_revision_line}"


def read_revisions(folder: Path = _FOLDER) -> list[str]:
    """Return the revisions, the first one first. Raises MigrationError unless each file follows another one."""
    files = [_read(file, folder) for file in sorted(folder.glob("*.py"))]
    by_revision: dict[str, _MigrationFile] = {}
    for file in files:
        if other := by_revision.get(file.revision):
            message = f"the revision {file.revision} is also that of {other.path}; give this migration the next number."
            raise MigrationError(f"{file.path}:{file.revision_line}: {message}")
        by_revision[file.revision] = file
    following: dict[str | None, _MigrationFile] = {}
    for file in files:
        if file.down_revision is not None and file.down_revision not in by_revision:
            known = ", ".join(sorted(by_revision.keys() - {file.revision}))
            message = f"no migration has the revision {file.down_revision}; known: {known}."
            raise MigrationError(f"{file.place}: {message}")
        if other := following.get(file.down_revision):
            after = f"follows {file.down_revision}" if file.down_revision else "is the first migration"
            message = f"{other.path} {after}, too; set this down_revision to {other.revision!r}."
            raise MigrationError(f"{file.place}: {message}")
        following[file.down_revision] = file
    chain: list[str] = []
    while current := following.pop(chain[-1] if chain else None, None):
        chain.append(current.revision)
    for file in following.values():
        message = f"the migrations {', '.join(sorted(each.revision for each in following.values()))} follow each other"
        raise MigrationError(f"{file.place}: {message}; correct this down_revision.")
    return chain


def _read(file: Path, folder: Path) -> _MigrationFile:
    path = str(file.relative_to(folder.parents[1]))
    try:
        tree = ast.parse(file.read_bytes())
    except SyntaxError as error:
        raise MigrationError(f"{path}:{error.lineno}: the syntax is invalid ({error.msg}); correct it.") from None
    values: dict[str, tuple[object, int]] = {}
    for node in tree.body:
        match node:
            case (
                ast.Assign(targets=[ast.Name(id=name)], value=ast.Constant(value=value))
                | ast.AnnAssign(target=ast.Name(id=name), value=ast.Constant(value=value))
            ):
                values[name] = value, node.lineno
    for name, example in (("revision", '"0014"'), ("down_revision", '"0013"')):
        if name not in values:
            raise MigrationError(f"{path}:1: the migration has no {name}; write one, such as `{name} = {example}`.")
    functions = {node.name: node for node in tree.body if isinstance(node, ast.FunctionDef)}
    if "upgrade" not in functions:
        raise MigrationError(f"{path}:1: the migration has no function `upgrade`; write `def upgrade():`.")
    for name in ("upgrade", "downgrade"):
        if name in functions and functions[name].args.args:
            line = functions[name].lineno
            raise MigrationError(f"{path}:{line}: `{name}` must have no arguments; write `def {name}():`.")
    (revision, revision_line), (down_revision, down_line) = values["revision"], values["down_revision"]
    down = None if down_revision is None else str(down_revision)
    return _MigrationFile(path, str(revision), revision_line, down, down_line)
