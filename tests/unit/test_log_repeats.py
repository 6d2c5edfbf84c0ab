"""What a library repeats is heard once in a while; what the engine says, always."""

import logging
from io import StringIO

import pytest

from app.live.partition.broker_outage import BrokerOutageLog
from app.logs import Repeats, TextFormatter


class Heard:
    """A log with a clock by hand."""

    def __init__(self) -> None:
        self.now_s = 0.0
        self._stream = StringIO()
        self._handler = logging.StreamHandler(self._stream)
        self._handler.setFormatter(TextFormatter())
        self._handler.addFilter(Repeats(["aiokafka"], lambda: self.now_s))

    def say(self, logger: str, message: str, *about: object) -> None:
        record = logging.LogRecord(logger, logging.ERROR, "", 0, message, about, None)
        if self._handler.filter(record):
            self._handler.emit(record)

    def lines(self) -> list[str]:
        """Without their times."""
        return [line.partition(" ")[2] for line in self._stream.getvalue().splitlines()]


def test_a_message_of_a_library_is_logged_every_ten_seconds() -> None:
    """Each of its messages by itself, whatever it is about."""
    heard = Heard()
    for tick in range(150):
        heard.now_s = tick / 10
        heard.say("aiokafka.conn", "no connection to %s: %s", tick % 3, "refused")
        heard.say("aiokafka", "no metadata")
    assert heard.lines() == [
        "WARNING aiokafka.conn: no connection to 0: refused",
        "WARNING aiokafka: no metadata",
        "WARNING aiokafka.conn: no connection to 1: refused repeated=99",
        "WARNING aiokafka: no metadata repeated=99",
    ]


def test_messages_of_the_engine_are_always_logged_and_memory_is_bounded() -> None:
    """Only repeated messages of libraries are held back."""
    heard = Heard()
    for number in range(3_000):
        heard.say("app.live.worker", "once more")
        heard.say("aiokafka", f"written out {number}")
    assert len(heard.lines()) == 6_000


def test_a_broker_outage_is_logged_now_and_then_and_so_is_its_end(
    caplog: pytest.LogCaptureFixture,
) -> None:
    """At its start, every thirty seconds, and when the broker answers again."""
    caplog.set_level(logging.INFO)
    silence = BrokerOutageLog()
    for second in range(70):
        silence.look(second * 1000, 4_000 if 4 <= second < 60 else second * 1000)
    said = [(record.getMessage()[:21], vars(record).get("silent_s")) for record in caplog.records]
    assert said == [
        ("Kafka does not answer", 5),
        ("Kafka does not answer", 35),
        ("Kafka answers again", None),
    ]
