"""``python -m tests.bench.compare.pinned CORES MODULE JOB``: becomes the host, on these cores.

The host is killed when the comparison ends, however it ends.
"""

import ctypes
import os
import signal
import sys
from typing import Final

#: of linux/prctl.h; kept over execve
_PR_SET_PDEATHSIG: Final = 1


def main() -> None:
    ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
    cores, module, job = sys.argv[1:]
    os.sched_setaffinity(0, {int(core) for core in cores.split(",")})
    os.execv(sys.executable, [sys.executable, "-m", module, job])


if __name__ == "__main__":
    main()
