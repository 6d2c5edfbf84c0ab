"""Reading a file that the rules name: a regular one, and no more of it than allowed."""

import errno
import os
import stat
from pathlib import Path


def read_regular_file(path: Path, size: int) -> bytes:
    """At most ``size`` bytes of the file. Raises OSError, also for what is not a regular file: a
    pipe or a device could block the reader or never end.
    """
    descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
    with open(descriptor, "rb") as file:
        if not stat.S_ISREG(os.fstat(descriptor).st_mode):
            raise OSError(errno.EINVAL, "not a regular file", str(path))
        return file.read(size)
