"""Reads `dispatch` for a channel sender: committed records only, each once and in time, recalls
honoured.
"""

import json
import sqlite3
import time
from collections.abc import Callable
from datetime import UTC, datetime

from confluent_kafka import Consumer


class Requests:
    """Requests that wait to be sent, and those that were. Survives a crash of the sender."""

    def __init__(self, path: str, send: Callable[[dict], None], hold_s: float) -> None:
        self._send, self._hold_s = send, hold_s
        self._db = sqlite3.connect(path)
        self._db.execute("CREATE TABLE IF NOT EXISTS r (id PRIMARY KEY, state, at, body)")

    def take(self, record: dict) -> None:
        """Keep a record: a copy changes nothing, a recall stops what is not sent yet."""
        state = "waits" if record["kind"] == "send" else "recalled"
        row = (record["request_id"], state, time.time() + self._hold_s, json.dumps(record))
        self._db.execute("INSERT OR IGNORE INTO r VALUES (?, ?, ?, ?)", row)
        if state == "recalled":
            stop = "UPDATE r SET state = 'recalled' WHERE id = ? AND state = 'waits'"
            self._db.execute(stop, row[:1])
        self._db.commit()

    def send_due(self) -> None:
        """Send what has waited long enough, and is not past its `expires_at`.

        The provider gets the id, to drop a second copy.
        """
        due = "SELECT id, body FROM r WHERE state = 'waits' AND at <= ?"
        for request_id, body in self._db.execute(due, (time.time(),)).fetchall():
            record, state = json.loads(body), "expired"
            if datetime.now(UTC) <= datetime.fromisoformat(record["expires_at"]):
                self._send(record)
                state = "sent"
            self._db.execute("UPDATE r SET state = ? WHERE id = ?", (state, request_id))
            self._db.commit()


def run(consumer: Consumer, requests: Requests, is_over: Callable[[], bool]) -> None:
    """Read until it is over. Offsets are committed after the record is kept."""
    while not is_over():
        message = consumer.poll(0.2)
        if message is not None and message.error() is None:
            requests.take(json.loads(message.value()))
            consumer.commit(message, asynchronous=False)
        requests.send_due()
