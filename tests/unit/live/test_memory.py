"""The memory of large buffers, by the pages that the system hands out for them."""

import platform
import subprocess
import sys

PAGES = """
import resource, sys
from app.live import memory

def pages(size):
    before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
    for _ in range(20):
        b"x" * size
    return (resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before) // 20

size = int(sys.argv[1]) << 20
for name in sys.argv[2:]:
    getattr(memory, name)()
    pages(size)
    print(pages(size))
"""
CALLS = ["give_memory_back", "keep_memory", "give_memory_back"]
IS_GLIBC = platform.libc_ver()[0] == "glibc"


def _pages(mebibytes: int) -> list[int]:
    """The new pages of each buffer of that size, after each of the calls."""
    found = subprocess.run(
        [sys.executable, "-c", PAGES, str(mebibytes), *CALLS],
        check=True,
        capture_output=True,
        text=True,
    ).stdout
    return list(map(int, found.split()))


def test_a_recovery_keeps_the_memory_of_its_buffers_and_gives_it_back_afterwards() -> None:
    """A buffer of 24 MiB has 6,144 new pages of 4 KiB, or none; glibc alone is told."""
    first, kept, after = _pages(24)
    assert kept < min(first, after) / 4 or not IS_GLIBC


def test_the_buffers_of_a_unit_are_kept_at_all_times() -> None:
    """A buffer of a MiB has 256 pages."""
    assert max(_pages(1)) < 64 or not IS_GLIBC
