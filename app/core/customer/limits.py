"""Bounded memory: what one customer's record may hold at the most.

Spec section 5 speaks of "the last cancel seen for that key" and of counts by key; a record keeps
the newest of these, so that no customer's record grows for ever.
"""

from typing import Final, TypeVar

Value = TypeVar("Value")

#: Keys remembered per trigger: cancels, anchors of instances, counts by key.
MAX_KEYS: Final = 64
#: Anchors remembered per trigger and key.
MAX_ANCHORS: Final = 4
#: Open instances of one customer; beyond it the one with the oldest anchor ends.
MAX_INSTANCES: Final = 256
#: Sends remembered per customer; beyond it the oldest is forgotten.
MAX_SENDS: Final = 512
#: Opens and clicks remembered per customer.
MAX_OPENS: Final = 128
#: Opens, and clicks, of one send whose times are remembered.
MAX_ENGAGEMENTS: Final = 8
#: Event ids remembered per customer.
MAX_EVENT_IDS: Final = 32
#: Purchases of one type that a cancellation can name, and cancelled ids that are remembered.
MAX_PURCHASES: Final = 64
#: A longer id of an order or booking cannot be cancelled.
MAX_PURCHASE_ID_CHARS: Final = 128
#: Marks of one milestone trigger that are remembered as reached; those below them are, too.
MAX_MARKS: Final = 64
#: Text of a data field that an instance keeps; a longer one counts as missing.
MAX_TEXT_CHARS: Final = 1024
#: ``items`` that an instance keeps, as JSON; longer ones count as missing when a step is due.
MAX_ITEMS_BYTES: Final = 16 * 1024
#: Names of profile attributes that were ever given, and all their values, as JSON.
MAX_ATTRIBUTES: Final = 512
MAX_ATTRIBUTES_BYTES: Final = 256 * 1024


def remember(values: dict[str, dict[str, Value]], trigger: str, key: str, value: Value) -> None:
    """Set ``values[trigger][key]`` as the newest entry, forgetting the oldest beyond MAX_KEYS."""
    by_key = values.setdefault(trigger, {})
    by_key.pop(key, None)
    by_key[key] = value
    if len(by_key) > MAX_KEYS:
        del by_key[next(iter(by_key))]
