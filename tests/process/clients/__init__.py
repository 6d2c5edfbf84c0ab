"""Kafka's clients in other languages, each a small program that publishes and reads."""

import base64
import os
import shutil
import subprocess
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Final, NamedTuple

from tests.kafka.jars import classpath
from tests.kafka.wanted import require_kafka
from tests.needs import program, skip_without

_HERE: Final = Path(__file__).parent
_BUILD_TIMEOUT_S: Final = 1800
#: Of a client that reads until it has all.
_READ_TIMEOUT_S: Final = 300

Record = tuple[bytes, bytes]


class Received(NamedTuple):
    """A record as the client got it."""

    partition: int
    key: bytes
    value: bytes


class Client:
    """A built client program."""

    def __init__(self, command: Sequence[str]) -> None:
        self._command = command

    def publish(self, servers: str, topic: str, records: Iterable[Record]) -> None:
        """Send records with the client's own partitioner."""
        lines = (b"\t".join(map(base64.b64encode, record)) + b"\n" for record in records)
        self._run("publish", servers, topic, lines=b"".join(lines))

    def read(self, servers: str, topic: str, count: int) -> list[Received]:
        """The first records of the topic, as many as asked for."""
        lines = self._run("read", servers, topic, str(count)).splitlines()
        parts = [line.split(b"\t") for line in lines]
        return [Received(int(p), base64.b64decode(k), base64.b64decode(v)) for p, k, v in parts]

    def _run(self, *arguments: str, lines: bytes = b"") -> bytes:
        done = subprocess.run(
            [*self._command, *arguments],
            input=lines,
            capture_output=True,
            timeout=_READ_TIMEOUT_S,
            env={**os.environ, "KAFKAJS_NO_PARTITIONER_WARNING": "1"},
            check=False,
        )
        assert done.returncode == 0, done.stderr.decode(errors="replace")
        return done.stdout


def build(name: str, folder: Path) -> Client:
    """The client of that name, built in a folder; the test is skipped where that cannot be."""
    return {"kafkajs": _kafkajs, "franz": _franz, "java": _java}[name](folder)


def _kafkajs(folder: Path) -> Client:
    node, npm = program("node", "node"), program("node", "npm")
    shutil.copytree(_HERE / "kafkajs", folder, dirs_exist_ok=True)
    _make("node", folder, npm, "ci", "--no-audit", "--no-fund")
    return Client([node, str(folder / "client.js")])


def _franz(folder: Path) -> Client:
    go = program("go", "go")
    shutil.copytree(_HERE / "franz", folder, dirs_exist_ok=True)
    _make("go", folder, go, "build", "-o", "client", ".")
    return Client([str(folder / "client")])


def _java(folder: Path) -> Client:
    require_kafka()
    java, javac = program("javac", "java"), program("javac", "javac")
    source = _HERE / "java" / "Client.java"
    _make("javac", folder, javac, "-cp", classpath(), "-d", ".", str(source))
    quiet = "-Dorg.slf4j.simpleLogger.defaultLogLevel=error"
    return Client([java, quiet, "-cp", f"{classpath()}{os.pathsep}{folder}", "Client"])


def _make(need: str, folder: Path, *command: str) -> None:
    done = subprocess.run(
        command, cwd=folder, capture_output=True, text=True, timeout=_BUILD_TIMEOUT_S, check=False
    )
    if done.returncode:
        skip_without(need, f"{Path(command[0]).name} could not: {done.stderr.strip()[-300:]}")
