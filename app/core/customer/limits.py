"""Bounded memory: what one customer's record may hold at the most.

Spec section 5 speaks of "the last cancel seen for that key" and of counts by key; a record keeps
the newest of these, so that no customer's record grows for ever.
"""

from hashlib import sha256
from typing import Final, NamedTuple, TypeVar

Value = TypeVar("Value")


class Limit(NamedTuple):
    """One row: the value, what it bounds, and what happens beyond it."""

    value: int
    sentence: str


#: Every limit, in order: the reference is written from it.
LIMITS: Final[list[Limit]] = []


def _limit(value: int, sentence: str) -> int:
    LIMITS.append(Limit(value, sentence))
    return value


MAX_KEYS: Final = _limit(
    64,
    "Keys remembered per trigger (cancels, starts, counts); beyond it the oldest is forgotten.",
)
MAX_IDENTITIES: Final = _limit(
    64,
    "Identities (key and anchor) of instances remembered per trigger, in addition to those that"
    " are open; beyond it the oldest is forgotten.",
)
MAX_INSTANCES: Final = _limit(
    256,
    "Open instances of one customer; beyond it one ends, suppressed as `superseded`: the oldest"
    " anchor of the marketing ones first, then of the transactional ones.",
)
MAX_INSTANCE_BYTES: Final = _limit(
    512 * 1024,
    "Data of a customer's open instances, as msgpack; beyond it instances end in the same order.",
)
MAX_ENTERED: Final = _limit(
    500, "Instances that count for `once` and `limit`, remembered per trigger."
)
MAX_STOPPED: Final = _limit(
    8, "Starts that opened nothing, remembered per customer; beyond it the oldest is forgotten."
)
MAX_SENDS: Final = _limit(512, "Sends remembered per customer; beyond it the oldest is forgotten.")
MAX_OPENS: Final = _limit(
    128, "Opens and clicks remembered per customer; beyond it the oldest is forgotten."
)
MAX_ENGAGEMENTS: Final = _limit(8, "Opens, and clicks, of one send whose times are remembered.")
MAX_BOUNCED: Final = _limit(
    8,
    "Addresses of one channel that are remembered as bounced, or for their soft bounces; beyond it"
    " the oldest is forgotten.",
)
MAX_OLD_SENDS: Final = _limit(
    64, "Sends that are remembered for feedback however old they are, the last ones."
)
MAX_EVENT_IDS: Final = _limit(
    32, "Event ids remembered per customer: a copy that comes later is taken for a new event."
)
MAX_MERGED_EVENT_IDS: Final = _limit(
    128, "Event ids remembered of customers that were merged: those of each, the oldest go first."
)
MAX_PURCHASES: Final = _limit(
    64, "Purchases of one type that a cancellation can name, and cancelled ids that are remembered."
)
MAX_PURCHASE_ID_CHARS: Final = _limit(
    128, "A longer id of an order or booking cannot be cancelled."
)
MAX_MARKS: Final = _limit(
    64, "Marks of one milestone trigger that are remembered as reached; those below them are, too."
)
MAX_FACT_VALUES: Final = _limit(
    64, "Values of a declared fact that are kept one by one; those beyond count by whole days."
)
MAX_FACT_DAYS: Final = _limit(
    400, "Days with values of a rolling fact; beyond it the oldest two count as one."
)
MAX_FACT_BYTES: Final = _limit(
    8192,
    "Text of the values of one declared fact, bytes as UTF-8; beyond it the oldest are forgotten.",
)
MAX_FACTS: Final = _limit(32, "Facts that a rules file may declare.")
MAX_TEXT_CHARS: Final = _limit(
    1024, "Text of a data field that an instance keeps; a longer one counts as missing."
)
MAX_ITEMS_BYTES: Final = _limit(
    128 * 1024,
    "`items` that an instance keeps, as JSON; of longer ones the first that fit are kept.",
)
MAX_PROFILE_TEXT_CHARS: Final = _limit(
    4096,
    "A text field of the profile, addresses included, white space around it aside; an update with a"
    " longer one is a dead letter.",
)
MAX_ATTRIBUTES: Final = _limit(
    512, "Names of profile attributes that were ever given; an update beyond is a dead letter."
)
MAX_ATTRIBUTES_BYTES: Final = _limit(
    256 * 1024, "Values of all profile attributes, as JSON; an update beyond is a dead letter."
)
MAX_ATTRIBUTE_NAMES_BYTES: Final = _limit(
    64 * 1024,
    "Names of profile attributes that were ever given, bytes as UTF-8; an update beyond is a dead"
    " letter.",
)

MAX_RECORD_BYTES: Final = _limit(
    1 << 20,
    "A customer's record as it is written, its outbox aside; beyond it parts go, requests of sends"
    " and data of instances first (app/core/customer/bound.py).",
)

#: About how much a send adds to a record, apart from what its instance has of the event.
SEND_BYTES: Final = 4096


def remember(values: dict[str, dict[str, Value]], trigger: str, key: str, value: Value) -> None:
    """Set ``values[trigger][key]`` as the newest entry, forgetting the oldest beyond MAX_KEYS."""
    by_key = values.get(trigger)
    if by_key is None:
        by_key = values[trigger] = {}
    elif key in by_key:
        del by_key[key]
    by_key[key] = value
    if len(by_key) > MAX_KEYS:
        del by_key[next(iter(by_key))]


def shortened(text: str, chars: int) -> str:
    """What a text is remembered by where texts are only compared: of one that is longer than
    ``chars`` (64 at least) a digest of 64 characters.
    """
    return text if len(text) <= chars else sha256(text.encode()).hexdigest()
