"""One thing that happens in the demo, as it is published."""

from typing import Any

import msgspec
import orjson

from app.core.time.instants import format_rfc3339


class EventBody(msgspec.Struct, frozen=True, kw_only=True):
    """The envelope (spec section 3), its customer aside."""

    event_id: str
    type: str
    occurred_ms: int
    data: dict[str, Any]


class Happening(msgspec.Struct, frozen=True, kw_only=True):
    """Published at ``at_ms`` (epoch ms); what it tells of may have happened earlier.

    ``body`` is an event, bytes that are none, or None: the customer asks to be forgotten.
    """

    at_ms: int
    topic: str
    customer_id: str
    body: EventBody | bytes | None

    def value(self) -> bytes | None:
        """The record's value."""
        body = self.body
        if not isinstance(body, EventBody):
            return body
        return orjson.dumps(
            {
                "event_id": body.event_id,
                "type": body.type,
                "customer_id": self.customer_id,
                "occurred_at": format_rfc3339(body.occurred_ms),
                "data": body.data,
            }
        )
