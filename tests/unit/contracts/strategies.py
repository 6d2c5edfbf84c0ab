"""Events of every type, most of them changed somewhere, often just across a bound."""

from typing import Any

from hypothesis import strategies as st

from app.core.customer.profile import PROFILE_FIELDS
from app.core.events import DATA_FIELDS
from app.core.time.instants import MAX_MS, MIN_MS
from tests.unit.contracts.judging import SHIPPED_TYPES, shipped_example

Event = dict[str, Any]

SCALARS = (
    st.none()
    | st.booleans()
    | st.integers(-(2**63), 2**64 - 1)
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(max_size=12)
)
JSON = st.recursive(
    SCALARS,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=6), inner),
    max_leaves=6,
)
LENGTHS = st.sampled_from([0, 1, 127, 128, 129, 255, 256, 257, 1023, 1024, 1025])
LONG_TEXT = st.builds(lambda char, length: char * length, st.sampled_from("aé😀"), LENGTHS)

YEARS = st.sampled_from(
    ["0000", "0001", "1900", "2000", "2023", "2024", "2100", "8999", "9000", "9999", "99", "20245"]
)
TWO_DIGITS = st.sampled_from(
    ["00", "01", "02", "04", "12", "13", "23", "24", "28", "29", "30", "31"]
)
SIXTIES = st.sampled_from(["00", "01", "59", "60", "61"])
DATES = st.builds("-".join, st.tuples(YEARS, TWO_DIGITS, TWO_DIGITS))
TIMES = st.builds(
    "{}{}{}:{}:{}{}{}".format,
    DATES,
    st.sampled_from(["T", "t", " ", "_", ""]),
    TWO_DIGITS,
    SIXTIES,
    SIXTIES,
    st.sampled_from(["", ".1", ".123456789", ".", ",5"]),
    st.sampled_from(["Z", "z", "", "+00:00", "-23:59", "+24:00", "+05:60", "+0530", "UTC"]),
)
INSTANTS = st.sampled_from([MIN_MS - 1, MIN_MS, 0, MAX_MS, MAX_MS + 1, 1.0, 1.5]) | TIMES

PROFILE_VALUES: dict[str, st.SearchStrategy[Any]] = {
    "birthday": DATES,
    "timezone": st.sampled_from(["Europe/Berlin", "Mars/Olympus", "UTC", ""]),
    "channels": st.lists(st.sampled_from(["email", "sms", "push", "fax"]), max_size=3),
    "consent": st.dictionaries(
        st.sampled_from(["email", "sms", "push", "fax"]), st.none() | st.booleans() | SCALARS
    ),
    "attributes": st.dictionaries(st.text(max_size=3), JSON, max_size=2),
}


@st.composite
def events(draw: st.DrawFn) -> tuple[str, str, Event]:
    """(topic, type, envelope); the type is always what it says, the rest may be anything."""
    topic, name = draw(st.sampled_from(SHIPPED_TYPES))
    event = shipped_example(name)
    event["data"] = dict(event["data"])
    for _ in range(draw(st.integers(0, 3))):
        where = draw(st.sampled_from(["envelope", "data", "data", "data", "unknown", "missing"]))
        if where == "envelope":
            field = draw(st.sampled_from(["event_id", "customer_id", "occurred_at", "data"]))
            event[field] = draw(INSTANTS if field == "occurred_at" else JSON | LONG_TEXT)
        elif where == "missing":
            event.pop(draw(st.sampled_from(sorted(set(event) - {"type"}) or ["none"])), None)
        elif where == "unknown":
            event[draw(st.text(min_size=1, max_size=5))] = draw(JSON)
        elif isinstance(event.get("data"), dict):
            fields = PROFILE_FIELDS if topic == "profiles" else DATA_FIELDS | {"hard", "machine"}
            field = draw(st.sampled_from(sorted(fields | {"colour"})))
            event["data"][field] = draw(PROFILE_VALUES.get(field, JSON | LONG_TEXT) | JSON)
            if draw(st.booleans()):
                event["data"].pop(draw(st.sampled_from(sorted(event["data"]))))
    event["type"] = name
    return topic, name, event
