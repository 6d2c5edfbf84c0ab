"""Log lines: readable as text, parseable as JSON."""

import io
import logging
import sys
from collections.abc import Iterator

import orjson
import pytest

from app.logs import configure_logging
from app.settings import Settings


@pytest.fixture(autouse=True)
def _restored() -> Iterator[None]:
    """The root logger as pytest set it up, before and after."""
    root = logging.getLogger()
    handlers, level = root.handlers[:], root.level
    yield
    root.handlers[:] = handlers
    root.setLevel(level)


def logged(settings: Settings) -> list[str]:
    """The lines of a few records."""
    stream = io.StringIO()
    configure_logging(settings, stream)
    log = logging.getLogger("app.worker")
    log.debug("not shown")
    log.info("worker is ready", extra={"action": "ready", "partitions": [0, 1]})
    logging.getLogger("faust.app").info("not shown either")
    try:
        raise ValueError("no such thing")
    except ValueError:
        log.error("worker failed", exc_info=sys.exc_info())
    return stream.getvalue().splitlines()


def test_text_is_one_line_and_the_traceback() -> None:
    """Time, level, logger, message, fields."""
    first, second, *trace = logged(Settings())

    assert first.endswith("Z INFO app.worker: worker is ready action=ready partitions=[0, 1]")
    assert second.endswith("Z ERROR app.worker: worker failed")
    assert trace[-1] == "ValueError: no such thing"


def test_json_is_one_object_a_line() -> None:
    """Fields beside the message, the traceback in one of them."""
    first, second = map(orjson.loads, logged(Settings(log_format="json")))

    assert first.pop("time").endswith("Z")
    assert first == {
        "level": "info",
        "logger": "app.worker",
        "message": "worker is ready",
        "action": "ready",
        "partitions": [0, 1],
    }
    assert second["exception"].endswith("ValueError: no such thing")


def test_no_level_lets_the_kafka_client_write_requests_out() -> None:
    """They hold passwords, tokens and people's data."""
    stream = io.StringIO()
    configure_logging(Settings(log_level="debug"), stream)
    logging.getLogger("aiokafka.conn").debug("Request: SaslAuthenticateRequest(b'hunter2')")
    logging.getLogger("faust.app").debug("shown")

    assert "shown" in stream.getvalue()
    assert "hunter2" not in stream.getvalue()
