"""When the worker gives the memory of large buffers back to the system: batches, fetches, values.

By default glibc keeps it for later ones once the first was freed, in a heap of each thread: several
times what is in use. To get it anew from the system each time costs as much as what is done in it
while a recovery does little else, and a commit unit's buffers each time cost 3 % of a worker's CPU:
so some is kept. Nothing here does anything where the C library is another one.
"""

import ctypes
from typing import Final

#: Parameters of glibc's ``mallopt``: what is larger than so many bytes is given back to the system
#: when it is freed; and so is what is free at the end of a heap.
_M_TRIM_THRESHOLD: Final = -1
_M_MMAP_THRESHOLD: Final = -3


def give_memory_back() -> None:
    """Give back what is freed from now on, but for what a unit needs, and what is free now."""
    _set(trim=16 << 20, mmap=16 << 20)
    trim = getattr(ctypes.CDLL(None), "malloc_trim", None)
    if trim is not None:
        trim(0)


def keep_memory() -> None:
    """Keep what is freed for what comes next, until ``give_memory_back``: for a recovery."""
    _set(trim=64 << 20, mmap=32 << 20)


def _set(*, trim: int, mmap: int) -> None:
    mallopt = getattr(ctypes.CDLL(None), "mallopt", None)
    if mallopt is not None:
        mallopt(_M_TRIM_THRESHOLD, trim)
        mallopt(_M_MMAP_THRESHOLD, mmap)
