"""The three ways in which something can be wrong, by who has to act."""

from typing import Self


class TriggerError(Exception):
    """The trigger engine cannot go on with this; the text says why."""


class ConfigError(TriggerError):
    """The configuration or rules are wrong: the engine refuses to start until they are mended."""


class EventError(TriggerError):
    """The record cannot be understood: it goes to dead letters, the stream goes on.

    ``reason`` is a short code from a bounded set, fit for a metric label.
    """

    def __init__(self, reason: str, message: str) -> None:
        super().__init__(message)
        self.reason = reason

    def detached(self) -> Self:
        """Return the error without traceback and context: kept as a value, it would keep all that
        the functions which raised it had at hand, often in a cycle.
        """
        self.__cause__ = self.__context__ = None
        return self.with_traceback(None)


class InfrastructureError(TriggerError):
    """Kafka or the disk failed: the worker stops, is restarted and reads the batch again."""
