"""How log records look: a constant message and fields, as text or as one JSON object a line.

No personal data: a line says where a record is (topic, partition, offset, trace) and not what is in
it. The text of an exception is shown only when it is this engine's own or about files, sockets and
Kafka; of any other there is the kind and the traceback, because it may quote what was handled.
"""

import logging
import sys
import threading
import time
import traceback
from collections.abc import Callable, Sequence
from pathlib import Path
from types import TracebackType
from typing import Any, Final, TextIO

import orjson

from app.core.errors import TriggerError
from app.core.time.instants import format_rfc3339
from app.formats.printable import printable, printable_line
from app.settings.model import Settings

#: Libraries that log much at INFO: only their warnings and errors are logged. They never get
#: DEBUG, at which some print whole records.
_TALKATIVE: Final = (
    *("faust", "mode", "aiokafka", "aiohttp", "asyncio"),
    *("httpx", "httpx2", "httpcore", "httpcore2", "opentelemetry", "urllib3"),
)
#: Calls an ERROR what it mends itself, such as a coordinator that is being chosen; what it cannot
#: mend ends the worker with an error of our own.
_TRIES_AGAIN: Final = "aiokafka"
#: Whose exceptions speak of servers, names and files.
_OPEN_ERRORS: Final = (TriggerError, OSError)
_OPEN_MODULES: Final = ("aiokafka.", "confluent_kafka.", "cimpl")
_WITHHELD: Final = "(its text may be about a customer and is not shown)"
_STANDARD: Final = frozenset(vars(logging.makeLogRecord({}))) | {"message", "asctime", "taskName"}
#: What file names of compiled code begin from.
_ROOT: Final = Path(__file__).parents[1]
_EVERY_S: Final = 10.0
#: How many different messages are remembered; beyond that, all are logged again.
_MESSAGES: Final = 1_000


class Repeats(logging.Filter):
    """Lets a message of these loggers through at most every ten seconds; then it has a field
    ``repeated``: how often it was left out. What it is about does not tell messages apart.
    """

    def __init__(
        self, loggers: Sequence[str], monotonic: Callable[[], float] = time.monotonic
    ) -> None:
        super().__init__()
        self._loggers = frozenset(loggers)
        self._monotonic = monotonic
        #: (logger, message without its arguments) -> last logged at, left out since
        self._logged: dict[tuple[str, str], tuple[float, int]] = {}

    def filter(self, record: logging.LogRecord) -> bool:
        if record.name.partition(".")[0] not in self._loggers:
            return True
        if record.levelno == logging.ERROR and record.name.partition(".")[0] == _TRIES_AGAIN:
            record.levelno, record.levelname = logging.WARNING, "WARNING"
        key, now_s = (record.name, str(record.msg)), self._monotonic()
        logged_s, left_out = self._logged.get(key, (now_s - _EVERY_S, 0))
        if now_s - logged_s < _EVERY_S:
            self._logged[key] = logged_s, left_out + 1
            return False
        if len(self._logged) >= _MESSAGES:
            self._logged.clear()
        self._logged[key] = now_s, 0
        if left_out:
            record.repeated = left_out
        return True


def configure_logging(settings: Settings, stream: TextIO | None = None) -> None:
    """Send every record of the level and above to standard error, in the format set.

    Replaces what was configured before, so that it can be called again.
    """
    handler = logging.StreamHandler(stream or sys.stderr)
    handler.setFormatter(JsonFormatter() if settings.log_format == "json" else TextFormatter())
    handler.addFilter(Repeats(_TALKATIVE))
    level = settings.log_level.upper()
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(level)
    for name in _TALKATIVE:
        logging.getLogger(name).setLevel("INFO" if level == "DEBUG" else "WARNING")
    sys.excepthook = _log_uncaught
    threading.excepthook = lambda args: _log_uncaught(
        args.exc_type, args.exc_value, args.exc_traceback
    )


class TextFormatter(logging.Formatter):
    """``2026-01-31T10:00:00.000Z INFO app.live.worker: worker is ready action=ready``."""

    def format(self, record: logging.LogRecord) -> str:
        """One line, and the traceback after it."""
        fields = "".join(f" {name}={value}" for name, value in _fields(record).items())
        line = printable_line(
            f"{_time(record)} {record.levelname} {record.name}: {_message(record)}{fields}"
        )
        error = record.exc_info[1] if record.exc_info else None
        return line if error is None else f"{line}\n{printable(exception_text(error))}"


class JsonFormatter(logging.Formatter):
    """``time``, ``level``, ``logger``, ``message``, ``exception`` and the record's own fields."""

    def format(self, record: logging.LogRecord) -> str:
        """One line, tracebacks included."""
        obj: dict[str, Any] = _fields(record) | {
            "time": _time(record),
            "level": record.levelname.lower(),
            "logger": record.name,
            "message": _message(record),
        }
        if record.exc_info and record.exc_info[1] is not None:
            obj["exception"] = exception_text(record.exc_info[1])
        return orjson.dumps(obj, default=str, option=orjson.OPT_NON_STR_KEYS).decode()


def exception_text(error: BaseException) -> str:
    """The traceback, its causes first, as Python prints it; texts that may be personal left out."""
    parts = []
    cause = error.__cause__ or (None if error.__suppress_context__ else error.__context__)
    if cause is not None:
        joint = "was the direct cause of" if error.__cause__ is cause else "was there before"
        parts += [exception_text(cause), f"\n... {joint}:\n"]
    if error.__traceback__ is not None:
        parts += ["Traceback (most recent call last):"]
        parts += [line.rstrip("\n") for line in _frames(error.__traceback__).format()]
    kind = type(error)
    name = kind.__qualname__ if kind.__module__ == "builtins" else _full_name(kind)
    is_open = isinstance(error, _OPEN_ERRORS) or f"{kind.__module__}.".startswith(_OPEN_MODULES)
    text = str(error) if is_open or not error.args else _WITHHELD
    return "\n".join([*parts, f"{name}: {text}" if text else name])


def _frames(trace: TracebackType) -> traceback.StackSummary:
    """Those of compiled code with whole file names, by which their lines are found and quoted."""
    return traceback.StackSummary.from_list(
        [
            each
            if Path(each.filename).is_absolute() or not (_ROOT / each.filename).is_file()
            else traceback.FrameSummary(str(_ROOT / each.filename), each.lineno, each.name)
            for each in traceback.extract_tb(trace)
        ]
    )


def _full_name(kind: type) -> str:
    return f"{kind.__module__}.{kind.__qualname__}"


def _log_uncaught(
    kind: type[BaseException], error: BaseException | None, trace: TracebackType | None
) -> None:
    """Uncaught exceptions are logged in the same format."""
    logging.getLogger("app").critical(
        "uncaught error", extra={"action": "uncaught"}, exc_info=error
    )


def _message(record: logging.LogRecord) -> str:
    """The message; of asyncio's own only the first line, which the future's content follows."""
    message = record.getMessage()
    return message.partition("\n")[0] if record.name == "asyncio" else message


def _time(record: logging.LogRecord) -> str:
    return format_rfc3339(int(record.created * 1000))


def _fields(record: logging.LogRecord) -> dict[str, Any]:
    return {name: value for name, value in vars(record).items() if name not in _STANDARD}
