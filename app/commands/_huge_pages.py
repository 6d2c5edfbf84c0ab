"""Huge pages for a process that keeps all its customers in memory.

With a hundred thousand records on pages of 4 KiB a backtest spends a fifth of its time on finding
pages. Where the kernel gives huge pages to those who ask (``madvise``), glibc's allocator can ask
for them, but it reads that wish, and Python which allocator to use, at the start of the process
only: so the process starts itself anew, once, with both.
"""

import os
import platform
import sys
from pathlib import Path
from typing import Final

#: The first glibc that can ask.
_GLIBC: Final = (2, 35)
_MODE: Final = Path("/sys/kernel/mm/transparent_hugepage/enabled")
_WISH: Final = {"GLIBC_TUNABLES": "glibc.malloc.hugetlb=1", "PYTHONMALLOC": "malloc"}


def use_huge_pages() -> None:
    """Start this process anew with huge pages where that can be had and the user has not chosen
    otherwise by the same variables; return where it cannot, or has happened. Input that was read
    before is lost, so it comes first.
    """
    if all(os.environ.get(name) == value for name, value in _WISH.items()):
        for name in _WISH:
            del os.environ[name]
        return
    if not _can_ask() or os.environ.keys() & _WISH.keys():
        return
    os.execve(sys.executable, [sys.executable, *sys.orig_argv[1:]], {**os.environ, **_WISH})


def _can_ask() -> bool:
    libc, version = platform.libc_ver()
    if libc != "glibc" or tuple(int(part) for part in version.split(".")[:2]) < _GLIBC:
        return False
    try:
        return "[madvise]" in _MODE.read_text()
    except OSError:
        return False
