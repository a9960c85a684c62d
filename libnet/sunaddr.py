"""Unix socket addresses longer than the kernel's sun_path."""

from __future__ import annotations

import os
from typing import Final

MAX_SUN_PATH: Final = 107


def unix_address(path: str) -> tuple[str, int | None]:
    """Return what to give bind() or connect() for *path*, however long it is.

    A path beyond sun_path is reached through an open directory: the second value is that descriptor,
    to be closed afterwards.
    """
    if len(os.fsencode(path)) <= MAX_SUN_PATH:
        return path, None
    fd = os.open(os.path.dirname(path), os.O_PATH | os.O_DIRECTORY | os.O_CLOEXEC)
    return f"/proc/self/fd/{fd}/{os.path.basename(path)}", fd
