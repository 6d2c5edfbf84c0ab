"""Runs a program that must not outlive the process that started it. Run as a script, not imported.

    python guard.py FOLDER PROGRAM ARGUMENT...

The starter holds the other end of standard input and never writes to it: when it closes it, or
dies in whatever way, the kernel ends the stream and the program is stopped. FOLDER is then removed
unless it is ``-``. The program's process id is printed on standard output. Exits with the code of
the program when that ends by itself, and leaves FOLDER alone then. Standard library only.
"""

import ctypes
import os
import shutil
import signal
import subprocess
import sys
import threading

_STOP_TIMEOUT_S = 5.0
_PR_SET_PDEATHSIG = 1


def _die_with_guard() -> None:
    """Linux only: should the guard itself be killed, the kernel kills the program."""
    ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)


def main(folder: str, command: list[str]) -> int:
    """Run ``command`` until it ends or standard input does."""
    child = subprocess.Popen(
        command,
        stdin=subprocess.DEVNULL,
        stdout=sys.stderr,
        preexec_fn=_die_with_guard if sys.platform == "linux" else None,
    )
    print(child.pid, flush=True)
    asked = threading.Event()

    def stop_at_end_of_input() -> None:
        while os.read(0, 64):
            pass
        asked.set()
        child.terminate()
        try:
            child.wait(_STOP_TIMEOUT_S)
        except subprocess.TimeoutExpired:
            child.kill()

    threading.Thread(target=stop_at_end_of_input, daemon=True).start()
    code = child.wait()
    if asked.is_set():
        code = 0
        if folder != "-":
            shutil.rmtree(folder, ignore_errors=True)
    return code if code >= 0 else 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1], sys.argv[2:]))
