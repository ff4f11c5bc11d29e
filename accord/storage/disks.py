"""Free space of the disks that the service writes to."""

import os
from collections.abc import Mapping
from pathlib import Path

# The size of the largest upload. A disk of less than a hundred times that needs a hundredth of its size.
_NEEDED_SPACE = 16 * 1024 * 1024


def disk_error(folders: Mapping[str, Path]) -> str | None:
    """Return which of the folders, by their content such as "files", cannot be written; None if all can.

    It asks the file system for its numbers, and writes nothing.
    """
    errors = {content: _folder_error(folder) for content, folder in folders.items()}
    return " ".join(f"The disk of the {content} {error}." for content, error in errors.items() if error) or None


def _folder_error(folder: Path) -> str | None:
    try:
        status = os.statvfs(folder)
    except OSError:
        return "cannot be read"
    if status.f_flag & os.ST_RDONLY:
        return "is read-only"
    needed = min(_NEEDED_SPACE, status.f_blocks * status.f_frsize // 100)
    is_full = status.f_bavail * status.f_frsize < needed or (status.f_files and not status.f_favail)
    return "is full" if is_full else None
