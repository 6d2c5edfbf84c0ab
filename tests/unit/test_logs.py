"""Log lines: readable as text, parseable as JSON."""

import io
import logging
import sys
import threading
from collections.abc import Iterator
from importlib.machinery import ExtensionFileLoader
from pathlib import Path

import orjson
import pytest

from app.core.errors import ConfigError, InfrastructureError
from app.logs import configure_logging, exception_text
from app.settings.model import Settings

ROOT = Path(__file__).parents[2]


@pytest.fixture(autouse=True)
def _restored() -> Iterator[None]:
    """The root logger as pytest set it up, before and after."""
    root = logging.getLogger()
    handlers, level = root.handlers[:], root.level
    hooks = sys.excepthook, threading.excepthook
    yield
    root.handlers[:] = handlers
    root.setLevel(level)
    sys.excepthook, threading.excepthook = hooks


def logged(settings: Settings) -> list[str]:
    """The lines of a few records."""
    stream = io.StringIO()
    configure_logging(settings, stream)
    log = logging.getLogger("app.live.worker")
    log.debug("not shown")
    log.info("worker is ready", extra={"action": "ready", "partitions": [0, 1]})
    logging.getLogger("faust.app").info("not shown either")
    try:
        raise ConfigError("no such thing")
    except ConfigError:
        log.error("worker failed", exc_info=sys.exc_info())
    return stream.getvalue().splitlines()


def test_text_is_one_line_and_the_traceback() -> None:
    """Time, level, logger, message, fields."""
    first, second, *trace = logged(Settings())

    assert first.endswith("Z INFO app.live.worker: worker is ready action=ready partitions=[0, 1]")
    assert second.endswith("Z ERROR app.live.worker: worker failed")
    assert trace[-1] == "app.core.errors.ConfigError: no such thing"


def test_json_is_one_object_a_line() -> None:
    """Fields and message are members of it, and the traceback is one of the fields."""
    first, second = map(orjson.loads, logged(Settings(log_format="json")))

    assert first.pop("time").endswith("Z")
    assert first == {
        "level": "info",
        "logger": "app.live.worker",
        "message": "worker is ready",
        "action": "ready",
        "partitions": [0, 1],
    }
    assert second["exception"].endswith("app.core.errors.ConfigError: no such thing")


def fails(error: BaseException, cause: BaseException | None = None) -> BaseException:
    """The error, raised and caught."""
    try:
        raise error from cause
    except BaseException as exc:
        return exc


def test_the_text_of_an_error_is_shown_only_when_it_is_ours() -> None:
    """What Python itself says may quote what was handled; kind and place say enough."""
    cause = fails(KeyError("grace@example.org"))
    told = exception_text(fails(InfrastructureError("Kafka is gone"), cause))

    assert "grace@example.org" not in told
    assert "KeyError: (its text may be about a customer and is not shown)" in told
    assert "was the direct cause of" in told
    assert told.endswith("app.core.errors.InfrastructureError: Kafka is gone")
    assert exception_text(fails(FileNotFoundError(2, "No such file", "x"))).endswith(
        "FileNotFoundError: [Errno 2] No such file: 'x'"
    )
    assert exception_text(fails(ZeroDivisionError())).splitlines()[-1] == "ZeroDivisionError"


def test_an_error_while_handling_another_is_logged_with_it() -> None:
    """Unless it was raised from None."""

    def replace() -> None:
        try:
            raise KeyError("a")
        except KeyError:
            raise OSError("b")  # noqa: B904  # what is asked about

    with pytest.raises(OSError, match="b") as caught:
        replace()
    told = exception_text(caught.value)
    assert told.index("KeyError: (its") < told.index("was there before") < told.index("OSError: b")
    caught.value.__suppress_context__ = True
    assert "KeyError: (its" not in exception_text(caught.value)


def test_lines_of_compiled_code_are_quoted(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """It names its file from the root of the packages, wherever the worker was started, and its
    loader has no source.
    """
    monkeypatch.chdir(tmp_path)
    code = compile("\n\nfail()", "app/logs.py", "exec")
    path = str(ROOT / "app" / "logs.so")
    loader = ExtensionFileLoader("app.logs", path)
    with pytest.raises(ZeroDivisionError) as caught:
        exec(code, {"__name__": "app.logs", "__loader__": loader, "fail": lambda: 1 / 0})  # noqa: S102
    lines = exception_text(caught.value).splitlines()
    found = lines.index(f'  File "{ROOT / "app" / "logs.py"}", line 3, in <module>')
    assert lines[found + 1].strip() == (ROOT / "app" / "logs.py").read_text().splitlines()[2]


def test_libraries_never_get_debug() -> None:
    """aiokafka prints whole fetches there."""
    stream = io.StringIO()
    configure_logging(Settings(log_level="debug"), stream)
    logging.getLogger("aiokafka.conn").debug("a fetch with everything in it")
    logging.getLogger("asyncio").error("Task failed\nfuture: <Task exception=KeyError('grace')>")
    logging.getLogger("app.live.partition.processor").debug("ours")

    assert "everything" not in stream.getvalue()
    assert "grace" not in stream.getvalue()
    assert "Task failed" in stream.getvalue()
    assert "ours" in stream.getvalue()


def test_an_uncaught_exception_is_in_the_log() -> None:
    """Of the process and of its threads, without its text."""
    stream = io.StringIO()
    configure_logging(Settings(log_format="json"), stream)
    error = fails(ValueError("grace"))
    sys.excepthook(type(error), error, error.__traceback__)
    nobody: dict[str, str] = {}
    thread = threading.Thread(target=lambda: nobody["grace"])
    thread.start()
    thread.join()

    first, second = map(orjson.loads, stream.getvalue().splitlines())
    for line, kind in ((first, "ValueError"), (second, "KeyError")):
        assert (line["level"], line["action"]) == ("critical", "uncaught")
        assert f"{kind}: (its text" in line["exception"]
        assert "grace" not in line["exception"].replace('["grace"]', "")


def test_no_level_lets_the_kafka_client_write_requests_out() -> None:
    """They hold passwords, tokens and people's data."""
    stream = io.StringIO()
    configure_logging(Settings(log_level="debug"), stream)
    logging.getLogger("aiokafka.conn").debug("Request: SaslAuthenticateRequest(b'hunter2')")
    logging.getLogger("faust.app").info("shown")

    assert "shown" in stream.getvalue()
    assert "hunter2" not in stream.getvalue()
