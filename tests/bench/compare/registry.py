"""Which hosts are compared, and why one cannot be."""

import importlib
import importlib.util
from collections.abc import Callable
from typing import Final

import msgspec

from tests.bench.hosts import kafka_streams


def _installed(library: str, more: str = "") -> Callable[[], str | None]:
    def why_missing() -> str | None:
        if importlib.util.find_spec(library) is not None:
            return None
        return f"{library} is not installed: pip install '.[bench]'{more}"

    return why_missing


def _always() -> None:
    return None


class Host(msgspec.Struct, frozen=True, kw_only=True):
    """A host: the module that is run, and what to know about it."""

    name: str
    module: str
    about: str
    variables: dict[str, str] = {}
    why_missing: Callable[[], str | None] = _always
    #: whether it commits its position to Kafka; otherwise it writes a changelog entry per event
    commits: bool = True


#: The host that the others are compared with.
OURS: Final = "ours"

HOSTS: Final = (
    Host(
        name=OURS,
        module="tests.bench.hosts.ours",
        about="`triggers worker`, at least once",
        variables={"TRIGGER_GUARANTEE": "at_least_once"},
    ),
    Host(
        name="ours_exactly_once",
        module="tests.bench.hosts.ours",
        about="`triggers worker`, exactly once",
        variables={"TRIGGER_GUARANTEE": "exactly_once"},
    ),
    Host(
        name="ours_gzip",
        module="tests.bench.hosts.ours",
        about="`triggers worker`, at least once, compressing by gzip",
        variables={"TRIGGER_GUARANTEE": "at_least_once", "TRIGGER_COMPRESSION": "gzip"},
    ),
    Host(
        name="faust_agent",
        module="tests.bench.hosts.faust_agent",
        about="the same core in an ordinary Faust agent, table[key] = record",
    ),
    Host(
        name="quix",
        module="tests.bench.hosts.quix",
        about="the same core in Quix Streams, stateful apply, RocksDB, changelog topics",
        why_missing=_installed("quixstreams"),
    ),
    Host(
        name="bytewax",
        module="tests.bench.hosts.bytewax_flow",
        about="the same core in Bytewax, records in memory, changelog written by the flow",
        why_missing=_installed("bytewax", ", on Python up to 3.12: newer ones have no wheel"),
        commits=False,
    ),
    Host(
        name="kafka_streams",
        module="tests.bench.hosts.kafka_streams",
        about="Kafka Streams on the JVM, a part of the rules written by hand in Java",
        why_missing=kafka_streams.why_missing,
    ),
    Host(
        name="floor",
        module="tests.bench.hosts.floor",
        about="a hand-written loop that reads and writes and decides nothing",
    ),
)
