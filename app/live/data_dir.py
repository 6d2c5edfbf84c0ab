"""The folder of a worker's state: made, checked and locked before anything is asked of Kafka.

A worker that cannot use its folder must not join the group: the others would give partitions up to
it and take them back.
"""

import errno
import fcntl
import os
from pathlib import Path
from typing import Final

from app.core.errors import ConfigError, InfrastructureError

_LOCK: Final = "worker.lock"
_PROBE: Final = "probe"
#: As much as a database writes when it is opened, and some.
_PROBE_BYTES: Final = 1 << 20
_OF_OTHERS: Final = 0o077
_FULL: Final = frozenset({errno.ENOSPC, errno.EDQUOT})


class DataDir:
    """Holds the folder's lock until the process ends or ``release`` is called."""

    def __init__(self, path: Path) -> None:
        """Raises ConfigError for a folder that cannot be used, and InfrastructureError for one
        that another worker uses or that has no room: those pass without a change of settings.
        """
        os.umask(_OF_OTHERS)
        try:
            path.mkdir(parents=True, exist_ok=True)
            self._lock = os.open(path / _LOCK, os.O_CREAT | os.O_RDWR | os.O_CLOEXEC, 0o600)
        except OSError as exc:
            raise _unusable(path, exc) from exc
        try:
            fcntl.flock(self._lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as exc:
            os.close(self._lock)
            raise InfrastructureError(
                f"TRIGGER_DATA_DIR: {path} is in use by another worker: give each worker its own"
                " folder, or stop the other one"
            ) from exc
        try:
            _probe(path / _PROBE)
        except OSError as exc:
            self.release()
            raise _unusable(path, exc) from exc
        _close_to_others(path)

    def release(self) -> None:
        """Let another worker have the folder."""
        os.close(self._lock)


def _probe(path: Path) -> None:
    """Write as a database will. Raises OSError."""
    try:
        with path.open("wb") as file:
            file.write(bytes(_PROBE_BYTES))
            file.flush()
            os.fsync(file.fileno())
    finally:
        path.unlink(missing_ok=True)


def _close_to_others(path: Path) -> None:
    """Take the rights of other users away from what an earlier release wrote.

    What belongs to another user, such as a mounted volume's root, is left as it is.
    """
    for folder, _, files in os.walk(path):
        for each in (Path(folder), *(Path(folder, name) for name in files)):
            try:
                mode = each.stat().st_mode
                if mode & _OF_OTHERS:
                    each.chmod(mode & 0o700)
            except OSError:
                continue


def _unusable(path: Path, exc: OSError) -> ConfigError | InfrastructureError:
    if exc.errno in _FULL:
        return InfrastructureError(
            f"TRIGGER_DATA_DIR: the volume of {path} is full: make room on it, or enlarge it;"
            " nothing is lost, the worker goes on from what was committed last"
        )
    return ConfigError(
        f"TRIGGER_DATA_DIR: got {path}, expected a folder that this user may write to:"
        f" {exc.strerror}"
    )
