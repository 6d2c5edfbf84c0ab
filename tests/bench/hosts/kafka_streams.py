"""Kafka Streams on the JVM: the Java program in ``streams/``, built with Maven once.

RocksDB store with Streams' own cache and its changelog, one thread, a heap of 1 GB. By hand it has
the transactional answers, abandonment of carts and itineraries, purchase milestones, and cooldown,
caps, quiet hours, consent and expiry. It leaves out: all other triggers (frequency, inactivity,
anniversaries, review requests, later booking stages), rules from a file and their conditions,
holdout, arbitration, fatigue, experiments, recalls, suppression, outcomes and the reasoning on each
decision, dead letters, customers' channel order, late and misrouted events. So it does less.
"""

import os
import shutil
from pathlib import Path
from typing import Final

import msgspec

from tests.bench.hosts.job import given_job
from tests.kafka import jars

_PROJECT: Final = Path(__file__).with_name("streams")
_JAVA_OPTIONS: Final = (
    "-Xmx1g",
    "-XX:+ExitOnOutOfMemoryError",
    "-Djava.net.preferIPv4Stack=true",
    "-Dorg.slf4j.simpleLogger.defaultLogLevel=error",
)


def command(job: str) -> list[str]:
    """What runs the job. Raises KafkaMissing where it cannot be had."""
    libraries = jars.resolved("streams", _PROJECT, "compile")
    classes = libraries.parent / "target" / "classes"
    return [jars.java(), *_JAVA_OPTIONS, "-cp", f"{classes}:{libraries}/*", "bench.Main", job]


def why_missing() -> str | None:
    """Why it cannot be run here; None when it can. Builds it the first time."""
    if shutil.which("javac") is None:
        return "no javac: install a JDK, the program is compiled with it once"
    try:
        command("")
    except jars.KafkaMissing as exc:
        return str(exc)
    return None


if __name__ == "__main__":
    found = command(msgspec.json.encode(given_job()).decode())
    os.execv(found[0], found)
