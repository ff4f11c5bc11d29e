"""Files of migrations that do not form one chain are refused with file and line, before a database is touched."""

import pytest

from db.errors import MigrationError
from db.migration_files import read_revisions

FILES = {
    "0001_first.py": '"""First."""\n\nrevision = "0001"\ndown_revision = None\n',
    "0002_second.py": '"""Second."""\n\nrevision = "0002"\ndown_revision = "0001"\n',
    "0003_third.py": '"""Third."""\n\nrevision: str = "0003"\ndown_revision: str = "0002"\n',
}
AT = "alembic/versions/"
BROKEN = {
    "two of one number": (
        {"0003_other.py": 'revision = "0003"\ndown_revision = "0002"\n'},
        f"{AT}0003_third.py:3: the revision 0003 is also that of {AT}0003_other.py; give this migration the next",
    ),
    "two after one": (
        {"0004_other.py": 'revision = "0004"\ndown_revision = "0002"\n'},
        f"{AT}0004_other.py:2: {AT}0003_third.py follows 0002, too; set this down_revision to '0003'.",
    ),
    "two first ones": (
        {"0004_other.py": 'revision = "0004"\ndown_revision = None\n'},
        f"{AT}0004_other.py:2: {AT}0001_first.py is the first migration, too; set this down_revision to '0001'.",
    ),
    "after an unknown one": (
        {"0003_third.py": 'revision = "0003"\ndown_revision = "0020"\n'},
        f"{AT}0003_third.py:2: no migration has the revision 0020; known: 0001, 0002.",
    ),
    "after itself": (
        {"0004_other.py": 'revision = "0004"\ndown_revision = "0004"\n'},
        f"{AT}0004_other.py:2: the migrations 0004 follow each other; correct this down_revision.",
    ),
    "after one that is gone": (
        {"0002_second.py": None},
        f"{AT}0003_third.py:4: no migration has the revision 0002; known: 0001.",
    ),
    "without revision": (
        {"0004_other.py": 'down_revision = "0003"\n'},
        f'{AT}0004_other.py:1: the migration has no revision; write one, such as `revision = "0014"`.',
    ),
    "without down_revision": (
        {"0004_other.py": 'revision = "0004"\n'},
        f'{AT}0004_other.py:1: the migration has no down_revision; write one, such as `down_revision = "0013"`.',
    ),
    "without upgrade": (
        {"0004_other.py": 'revision = "0004"\ndown_revision = "0003"\ndef uprgade(): ...\n'},
        f"{AT}0004_other.py:1: the migration has no function `upgrade`; write `def upgrade():`.",
    ),
    "argument of upgrade": (
        {"0004_other.py": 'revision = "0004"\ndown_revision = "0003"\ndef upgrade(op): ...\n'},
        f"{AT}0004_other.py:3: `upgrade` must have no arguments; write `def upgrade():`.",
    ),
    "invalid syntax": (
        {"0004_other.py": 'revision = "0004"\ndef upgrade(:\n'},
        f"{AT}0004_other.py:2: the syntax is invalid (invalid syntax); correct it.",
    ),
}


@pytest.fixture
def versions(tmp_path):
    def versions(files):
        folder = tmp_path / "alembic" / "versions"
        folder.mkdir(parents=True)
        for name, text in files.items():
            if text is not None:
                upgrade = "" if "def " in text else "def upgrade(): ...\n"
                folder.joinpath(name).write_text(text + upgrade, "utf-8")
        return folder

    return versions


def test_revisions_are_in_the_order_of_the_migrations(versions):
    assert read_revisions(versions(FILES)) == ["0001", "0002", "0003"]


@pytest.mark.parametrize(("files", "message"), BROKEN.values(), ids=BROKEN)
def test_migrations_that_are_no_chain_are_refused_with_file_and_line(versions, files, message):
    with pytest.raises(MigrationError) as refused:
        read_revisions(versions(FILES | files))
    assert str(refused.value).startswith(message)
