"""How log records look: a constant message and fields, as text or as one JSON object a line."""

import logging
import sys
from typing import Any, Final, TextIO

import orjson

from app.core.instants import format_rfc3339
from app.settings import Settings

#: Libraries that narrate; what goes wrong in them is heard all the same.
_TALKATIVE: Final = ("faust", "mode", "aiokafka", "aiohttp", "asyncio")
#: Its debug log has each request and answer whole: passwords, tokens, records.
_INDISCREET: Final = "aiokafka"
_STANDARD: Final = frozenset(vars(logging.makeLogRecord({}))) | {"message", "asctime", "taskName"}


def configure_logging(settings: Settings, stream: TextIO | None = None) -> None:
    """Send every record of the level and above to standard error, in the format set.

    Replaces what was configured before, so that it can be called again.
    """
    handler = logging.StreamHandler(stream or sys.stderr)
    handler.setFormatter(JsonFormatter() if settings.log_format == "json" else TextFormatter())
    level = settings.log_level.upper()
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(level)
    for name in _TALKATIVE:
        logging.getLogger(name).setLevel("DEBUG" if level == "DEBUG" else "WARNING")
    if level == "DEBUG":
        logging.getLogger(_INDISCREET).setLevel("INFO")


class TextFormatter(logging.Formatter):
    """``2026-01-31T10:00:00.000Z INFO app.worker: worker is ready action=ready``."""

    def format(self, record: logging.LogRecord) -> str:
        """One line, and the traceback after it."""
        fields = "".join(f" {name}={value}" for name, value in _fields(record).items())
        line = f"{_time(record)} {record.levelname} {record.name}: {record.getMessage()}{fields}"
        return f"{line}\n{self.formatException(record.exc_info)}" if record.exc_info else line


class JsonFormatter(logging.Formatter):
    """``time``, ``level``, ``logger``, ``message``, ``exception`` and the record's own fields."""

    def format(self, record: logging.LogRecord) -> str:
        """One line, tracebacks included."""
        obj: dict[str, Any] = _fields(record) | {
            "time": _time(record),
            "level": record.levelname.lower(),
            "logger": record.name,
            "message": record.getMessage(),
        }
        if record.exc_info:
            obj["exception"] = self.formatException(record.exc_info)
        return orjson.dumps(obj, default=str, option=orjson.OPT_NON_STR_KEYS).decode()


def _time(record: logging.LogRecord) -> str:
    return format_rfc3339(int(record.created * 1000))


def _fields(record: logging.LogRecord) -> dict[str, Any]:
    return {name: value for name, value in vars(record).items() if name not in _STANDARD}
