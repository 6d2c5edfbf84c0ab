"""Where the demo's Kafka is: an embedded broker of its own, or the viewer's cluster."""

import os
import socket
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from secrets import token_hex
from typing import Final

import msgspec

from app.core.errors import InfrastructureError
from app.kafka import topics
from app.kafka.embedded_broker import EmbeddedBroker
from app.kafka.leftovers import delete_leftovers
from app.settings.model import Settings
from app.settings.variable import PREFIX

#: What of the environment holds for the viewer's cluster: how to log in, not what to run.
_ACCESS: Final = tuple(f"{PREFIX}{part}" for part in ("SECURITY_", "SASL_", "SSL_"))
_REPLICAS: Final = f"{PREFIX}REPLICATION_FACTOR"
_ANSWER_TIMEOUT_S: Final = 2.0
#: How the topics and groups of demos begin.
_NAMES: Final = "trigger-demo-"


class Cluster(msgspec.Struct, frozen=True, kw_only=True):
    """``variables`` (TRIGGER_*) lead to it; ``introduction`` is what the viewer reads first.

    ``check`` raises InfrastructureError when it is gone; ``clean_up`` takes the demo's topics away.
    ``prepare`` deletes what demos left that were killed, and says so; it gives empty text if there
    is nothing to say.
    """

    variables: Mapping[str, str]
    introduction: str
    check: Callable[[], None]
    clean_up: Callable[[Settings], None]
    prepare: Callable[[Settings], str] = lambda _: ""


@contextmanager
def embedded_cluster() -> Iterator[Cluster]:
    """A broker that is there inside ``with``. Raises ConfigError when it is not installed."""
    with EmbeddedBroker() as broker:
        servers = broker.bootstrap_servers
        yield Cluster(
            variables={f"{PREFIX}BOOTSTRAP_SERVERS": servers, f"{PREFIX}APP_ID": "demo"},
            introduction="",
            check=lambda: _require_answer(servers),
            clean_up=lambda _: None,
        )


def own_cluster(servers: str, environ: Mapping[str, str] = os.environ) -> Cluster:
    """A cluster that runs already. Topics and group have names that nothing else has."""
    name = f"{_NAMES}{token_hex(4)}"
    access = {k: v for k, v in environ.items() if k.startswith(_ACCESS) or k == _REPLICAS}
    return Cluster(
        variables={
            **access,
            f"{PREFIX}BOOTSTRAP_SERVERS": servers,
            f"{PREFIX}APP_ID": name,
            f"{PREFIX}TOPIC_PREFIX": f"{name}.",
        },
        introduction=f"on Kafka at {servers}: topics and group {name}*, which go at the end",
        check=lambda: None,
        clean_up=topics.delete,
        prepare=_delete_leftovers,
    )


def _delete_leftovers(settings: Settings) -> str:
    found = delete_leftovers(settings, _NAMES)
    parts = []
    if found.deleted:
        parts.append(f"deleted {len(found.deleted)} topics of demos that were killed")
    if found.kept:
        parts.append(
            f"{len(found.kept)} topics {_NAMES}* are of other demos: if none runs, delete them with"
            f" kafka-topics.sh --delete --topic '{_NAMES}.*'"
        )
    return "; ".join(parts)


def _require_answer(servers: str) -> None:
    host, _, port = servers.rpartition(":")
    try:
        socket.create_connection((host, int(port)), _ANSWER_TIMEOUT_S).close()
    except OSError as exc:
        raise InfrastructureError(
            f"the embedded broker at {servers} does not answer any more: {exc}"
        ) from exc
