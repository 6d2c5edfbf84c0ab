"""Values that decisions and customers' records share, written by msgspec as parts of a record."""

from typing import Any

import msgspec


class Cause(msgspec.Struct, frozen=True, array_like=True, gc=False):
    """The event that anchors an instance, by where it was read. Unknown places are null.

    ``traceparent`` is the trace context that the event carried, if any: it goes out again as a
    header of what is decided because of the event, however much later.
    """

    topic: str
    partition: int | None
    offset: int | None
    event_id: str
    traceparent: str | None = None


class SendRequest(msgspec.Struct, frozen=True, gc=False):
    """What goes onto ``dispatch`` beyond what the decision says itself: ``kind`` is ``send`` or
    ``recall``, ``address`` the profile field of the channel.
    """

    kind: str
    address: str | None
    locale: str | None
    tokens: dict[str, Any]
