"""What a worker's data directory remembers of rules: the last good ones, and which failed.

Rules that pass validation may still fail when they decide. The worker then begins again with the
rules before them, and does so after every restart until the rules file changes.
"""

import os
from pathlib import Path
from typing import Final

from app.core.errors import InfrastructureError

_GOOD: Final = "rules.good.yaml"
_FAILED: Final = "rules.failed"


class RulesMemory:
    """Two small files in a folder. Methods that write raise InfrastructureError when they cannot.

    Used from one thread at a time.
    """

    def __init__(self, folder: Path) -> None:
        self._good: Final = folder / _GOOD
        self._failed: Final = folder / _FAILED

    def good(self) -> bytes | None:
        """The content of the rules file that last decided well; None when none is known."""
        return _read(self._good)

    def failed_version(self) -> str | None:
        """The version of the rules that failed when they decided; None when none did."""
        raw = _read(self._failed)
        return None if raw is None else raw.decode("ascii", "replace").strip()

    def keep_good(self, raw: bytes) -> None:
        """These rules have decided well."""
        _write(self._good, raw)

    def note_failure(self, version: str, good: bytes) -> None:
        """Rules of this version failed; ``good`` is to be gone back to."""
        _write(self._good, good)
        _write(self._failed, version.encode())

    def forget_failure(self) -> None:
        """The rules that failed are no longer those of the file, or are not to blame."""
        self._failed.unlink(missing_ok=True)


def _read(path: Path) -> bytes | None:
    try:
        return path.read_bytes()
    except FileNotFoundError:
        return None
    except OSError as exc:
        raise InfrastructureError(f"{path} cannot be read: {exc.strerror}") from exc


def _write(path: Path, content: bytes) -> None:
    """Replace the file as a whole."""
    part = path.with_suffix(".part")
    try:
        with part.open("wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        part.replace(path)
    except OSError as exc:
        raise InfrastructureError(f"{path} cannot be written: {exc.strerror}") from exc
