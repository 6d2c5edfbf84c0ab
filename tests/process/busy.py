"""A busy machine: loops that take processor time beside what is tested."""

import subprocess
import sys
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from typing import Final

#: A loop ends by itself after so long, whatever becomes of its parent.
_LONGEST_S: Final = 300
_LOOP: Final = (
    f"import time\nend = time.monotonic() + {_LONGEST_S}\nwhile time.monotonic() < end: pass"
)


@contextmanager
def busy_loops(count: int) -> Iterator[None]:
    """So many processes compute all the time inside ``with``."""
    with ExitStack() as stack:
        for _ in range(count):
            process = stack.enter_context(subprocess.Popen([sys.executable, "-c", _LOOP]))
            stack.callback(process.kill)
        yield
