"""Topics of demos that were killed on a cluster before they could delete them."""

from concurrent.futures import Future
from typing import Final

import msgspec
from confluent_kafka import ConsumerGroupState, KafkaError, KafkaException

from app.core.errors import InfrastructureError
from app.kafka.clients import Admin
from app.settings.model import Settings

_TIMEOUT_S: Final = 15.0
#: deleted by another demo meanwhile
_GONE: Final = (KafkaError.UNKNOWN_TOPIC_OR_PART, KafkaError.GROUP_ID_NOT_FOUND)


class Leftovers(msgspec.Struct, frozen=True, kw_only=True):
    """Names of topics with the demo's prefix."""

    deleted: tuple[str, ...]
    #: of demos that run, that just start, or whose group the cluster has forgotten
    kept: tuple[str, ...]


def delete_leftovers(settings: Settings, prefix: str) -> Leftovers:
    """Delete the topics and groups of demos that no longer run: those whose consumer group, which
    the names of their topics begin with, begins with ``prefix`` and has no member.

    Raises InfrastructureError when the cluster does not answer or refuses.
    """
    admin = Admin(settings)
    try:
        topics = sorted(
            name for name in admin.list_topics(timeout=_TIMEOUT_S).topics if name.startswith(prefix)
        )
        if not topics:
            return Leftovers(deleted=(), kept=())
        listed = admin.list_consumer_groups(request_timeout=_TIMEOUT_S).result().valid
        ended = {
            group.group_id
            for group in listed
            if group.group_id.startswith(prefix) and group.state is ConsumerGroupState.EMPTY
        }
        deleted = tuple(name for name in topics if name.startswith(tuple(ended)))
        if ended:
            groups = admin.delete_consumer_groups(sorted(ended), request_timeout=_TIMEOUT_S)
            gone = admin.delete_topics(list(deleted), request_timeout=_TIMEOUT_S) if deleted else {}
            for future in (*groups.values(), *gone.values()):
                _finish(future)
    except KafkaException as exc:
        raise InfrastructureError(
            f"Kafka at {settings.bootstrap_servers}: what earlier demos left cannot be deleted:"
            f" {admin.reason() or exc.args[0].str()}; check the address and the credentials"
        ) from exc
    return Leftovers(deleted=deleted, kept=tuple(name for name in topics if name not in deleted))


def _finish(future: Future[None]) -> None:
    try:
        future.result()
    except KafkaException as exc:
        if exc.args[0].code() not in _GONE:
            raise
