"""What is said of the disks that the service writes to."""

import os
from types import SimpleNamespace

import pytest

from accord.storage.disks import disk_error

MIB = 1024 * 1024


@pytest.fixture
def status(monkeypatch):
    """The numbers of a file system, as a test wants them: of 100 GiB, half of it free."""
    numbers = SimpleNamespace(
        f_flag=0, f_frsize=4096, f_blocks=25 * 1024 * 1024, f_bavail=12 * 1024 * 1024, f_files=1000, f_favail=500
    )
    monkeypatch.setattr(os, "statvfs", lambda folder: numbers)
    return numbers


def test_disk_of_this_folder_can_be_written(tmp_path):
    assert disk_error({"files": tmp_path}) is None


def test_each_folder_that_cannot_be_written_is_named(tmp_path):
    error = disk_error({"files": tmp_path, "database": tmp_path / "none", "temporary files": tmp_path / "none"})
    assert error == "The disk of the database cannot be read. The disk of the temporary files cannot be read."


@pytest.mark.parametrize(
    ("numbers", "error"),
    [
        ({}, None),
        ({"f_bavail": 4096}, None),
        ({"f_bavail": 4095}, "is full"),
        ({"f_bavail": 0}, "is full"),
        ({"f_blocks": 25_600, "f_bavail": 256}, None),
        ({"f_blocks": 25_600, "f_bavail": 255}, "is full"),
        ({"f_favail": 0}, "is full"),
        ({"f_files": 0, "f_favail": 0}, None),
        ({"f_flag": os.ST_RDONLY}, "is read-only"),
    ],
)
def test_disk_is_full_without_space_for_the_largest_file_or_a_hundredth_of_it(status, tmp_path, numbers, error):
    """Some file systems do not count files, and then have none."""
    status.__dict__.update(numbers)
    assert disk_error({"files": tmp_path}) == (error and f"The disk of the files {error}.")
