"""``python -m tests.bench.compare.pinned CORES MODULE JOB``: becomes the host, on these cores."""

import os
import sys


def main() -> None:
    cores, module, job = sys.argv[1:]
    os.sched_setaffinity(0, {int(core) for core in cores.split(",")})
    os.execv(sys.executable, [sys.executable, "-m", module, job])


if __name__ == "__main__":
    main()
