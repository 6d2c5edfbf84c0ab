"""What somebody on the same machine, in the log archive or on the network can see of a worker."""

from collections.abc import Iterable
from contextlib import suppress
from pathlib import Path
from typing import Final

import psutil

from tests.process.running import DEADLINE_S, RunningWorker

#: The worker's own paths.
ANSWERING: Final = (
    "/live",
    "/startup",
    "/ready",
    "/metrics",
    "/explain/c0",
    "/explain/c0?format=text",
    "/customers/c0",
)
#: Those of Faust's web server, and what else somebody would try: none is there.
_TRIED: Final = (
    "/",
    "/explain",
    "/explain/",
    "/customers",
    "/customers/",
    "/table",
    "/table/",
    "/table/customers",
    "/table/customers/",
    "/table/customers/c0/",
    "/router",
    "/router/",
    "/router/customers/",
    "/router/customers/c0/",
    "/graph",
    "/graph/",
    "/stats",
    "/stats/",
    "/stats/assignment/",
    "/production/index/",
    "/schema/",
    "/static/",
    "/debug",
    "/config",
    "/settings",
    "/.env",
    "/static/../../etc/passwd",
    "/%2e%2e/%2e%2e/etc/passwd",
)


def everything(worker: RunningWorker) -> dict[str, str]:
    """Place -> what is to be seen there."""
    seen = {"log": worker.log}
    if worker.process.poll() is None:
        for path in (*ANSWERING, *_TRIED):
            status, text = worker.get(path, DEADLINE_S)
            seen[f"GET {path} {status}"] = text
        with suppress(psutil.NoSuchProcess, OSError):  # it may end meanwhile
            process = psutil.Process(worker.process.pid)
            for each in (process, *process.children(recursive=True)):
                seen[f"command line of {each.pid}"] = " ".join(each.cmdline())
                environ = Path(f"/proc/{each.pid}/environ").read_bytes()
                seen[f"environment of {each.pid}"] = environ.decode(errors="replace")
    return seen


def assert_hidden(texts: Iterable[str], seen: dict[str, str]) -> None:
    """None of these is anywhere, as it is or as bytes are shown."""
    for text in texts:
        assert text
        for place, what in seen.items():
            assert text not in what, f"{text[:3]}... is in {place}"
