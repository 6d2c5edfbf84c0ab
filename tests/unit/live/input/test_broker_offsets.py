"""What a client answers about offsets while a broker goes and comes, and what is made of it."""

import asyncio
from collections.abc import Iterable
from concurrent.futures import Future
from typing import Any, NamedTuple

import pytest
from confluent_kafka import KafkaError, KafkaException

from app.core.errors import InfrastructureError
from app.kafka.types import TopicPartition
from app.live.input.broker_offsets import BrokerOffsets
from app.settings.load import load_settings

CHANGELOG = TopicPartition("triggers-customers-changelog", 3)
#: what librdkafka says in place of an offset that it does not have
INVALID = -1001


class Answer(NamedTuple):
    offset: int


class Admin:
    """Answers each question about an offset with the next of what it was given."""

    def __init__(self, answers: Iterable[int | KafkaError]) -> None:
        self._answers = iter(answers)

    def list_offsets(self, asked: dict[Any, Any], **_: Any) -> dict[Any, "Future[Answer]"]:
        return {each: self._answer() for each in asked}

    def _answer(self) -> "Future[Answer]":
        future: Future[Answer] = Future()
        answer = next(self._answers)
        if isinstance(answer, KafkaError):
            future.set_exception(KafkaException(answer))
        else:
            future.set_result(Answer(answer))
        return future


def end(*answers: int | KafkaError) -> int:
    """The end of the changelog, by a client that answers so."""
    admin = Admin(answers)
    offsets = BrokerOffsets(load_settings({}), lambda _: admin, retry_s=0.0)
    return asyncio.run(offsets.ends([CHANGELOG]))[CHANGELOG]


def test_an_invalid_offset_is_no_answer() -> None:
    """A recovery up to an invalid end would take a partition for recovered without its state."""
    assert end(INVALID, 473) == 473


def test_an_error_that_passes_is_waited_for() -> None:
    """The question is asked again, of a new client."""
    assert end(KafkaError(KafkaError.NOT_COORDINATOR), INVALID, 473) == 473


def test_a_right_that_is_missing_stops_the_worker() -> None:
    """The error says what was asked for."""
    with pytest.raises(InfrastructureError, match="the end of triggers-customers-changelog"):
        end(KafkaError(KafkaError.TOPIC_AUTHORIZATION_FAILED))
