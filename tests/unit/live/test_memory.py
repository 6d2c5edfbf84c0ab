"""The memory of large buffers, by the pages that the system hands out for them."""

import platform
import subprocess
import sys

PAGES = """
import resource, sys
from app.live import memory

def pages():
    before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
    for _ in range(50):
        b"x" * (1 << 20)
    return resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before

for name in sys.argv[1:]:
    getattr(memory, name)()
    pages()
    print(pages() // 50)
"""


def test_a_recovery_keeps_the_memory_of_its_buffers_and_gives_it_back_afterwards() -> None:
    """Each buffer of a MiB has 256 new pages of 4 KiB, or none; glibc alone is told."""
    calls = ["give_memory_back", "keep_memory", "give_memory_back"]
    found = subprocess.run(
        [sys.executable, "-c", PAGES, *calls], check=True, capture_output=True, text=True
    ).stdout
    first, kept, after = map(int, found.split())
    assert kept < min(first, after) / 4 or platform.libc_ver()[0] != "glibc"
