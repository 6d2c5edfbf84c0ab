"""How far a file has been read, on a terminal; nothing elsewhere."""

import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final

from app.formats.json_lines import LineReader

_EVERY_S: Final = 0.2


@contextmanager
def show_progress(lines: LineReader) -> Iterator[None]:
    """A bar on standard error while ``lines`` is being read; it goes when done."""
    total = lines.total_bytes
    if total is None or not sys.stderr.isatty():
        yield
        return
    from rich.console import Console
    from rich.progress import Progress

    done = threading.Event()
    with Progress(console=Console(stderr=True), transient=True) as progress:
        bar = progress.add_task(lines.name, total=total)

        def follow() -> None:
            while not done.wait(_EVERY_S):
                progress.update(bar, completed=lines.read_bytes)

        thread = threading.Thread(target=follow, daemon=True)
        thread.start()
        try:
            yield
        finally:
            done.set()
            thread.join()
