"""How records are written: what another release wrote is read."""

from pathlib import Path
from typing import Any, Final

import msgspec
import pytest

from app.core.customer.columns import StoredInstance, StoredStep
from app.core.customer.flat import values_of
from app.core.customer.instance import Instance, PendingStep
from app.core.customer.parts import (
    Entered,
    FactDay,
    FactState,
    Purchase,
    Purchases,
    Sent,
    StoppedStart,
)
from app.core.customer.record import FIELDS, Customer
from app.core.errors import InfrastructureError
from app.core.recorded import Cause, SendRequest
from tables import records

CAUSE: Final = Cause("orders", 0, 7, "e", "00-trace-01")
#: as release 1.2 wrote ``customer()``
VERSION_1: Final = Path(__file__).parent / "record_version_1.bin"


def customer() -> Customer:
    """A record with something in every field."""
    return Customer(
        customer_id="ann",
        applied={"orders": 7, "profiles/3": 9},
        outbox=[b"line"],
        seen=b"12345678",
        profile={"email": "a@example.com", "attributes": {"tier": 2}},
        profile_ms={"email": 3, "attributes.tier": 4},
        address_ms={"email": 3},
        consent_given_ms={"email": 1},
        unsubscribed_ms={"sms": 2},
        bounced_ms={"sms": 3},
        complained_ms={"push": 4},
        counts={"order_placed": 2},
        sums={"order_placed.value": 12.5},
        first_order_ms=1,
        last_order_ms=2,
        last_purchase_ms=3,
        views_ms=[4, 5],
        instances=[
            Instance(
                "cart",
                "k",
                5,
                {"value": 3},
                CAUSE,
                [PendingStep(0, 6, 6, True, False, ("sms", 8), True, True)],
                True,
                1,
                1,
                [2],
                9,
                "bob",
                "all",
            )
        ],
        cancels_ms={"cart": {"k": 4}},
        cancels_all_ms={"cart": 3},
        frequencies_ms={"often": {"sku": [1, 2]}},
        fired_years={"birthday": 2025},
        sends=[
            Sent(
                9,
                6,
                "cart",
                "cart",
                "k",
                5,
                0,
                "email",
                True,
                False,
                "r",
                CAUSE,
                is_opened=True,
                experiment=("x", "a"),
                template="t",
                delivered_order="o",
                recorded=3,
                opened_ms=[10],
                clicked_ms=[11],
                segments=["new"],
                cluster="c",
                design="d",
                address="a@example.com",
                request=SendRequest("send", "a@example.com", "en", {"name": "Ann"}),
                machine_opens=1,
                opened_by="bob",
            )
        ],
        starts_ms={"cart": {"k": [5]}},
        due_ms=6,
        opened_minutes=[10],
        discounted=1,
        purchases={
            "order_placed": Purchases([Purchase("o", 2, {"value": 1.5}, True)], {"p": 3}, 1, 2)
        },
        last_seen_ms=8,
        facts={"f": FactState(1, 2.5, [(3, "v")], [FactDay(1, 2, 3.0, 1.0, 2.0, (5, "w"))])},
        facts_version="f=1",
        reached={"tenth": [10.0]},
        has_profile=True,
        bounced={"email": ["b@example.com"]},
        soft_bounces_ms={"email": {"a@example.com": [3]}},
        mail_taken_ms={"email": 7},
        identities={"cart": b"abcdefgh"},
        entered={"cart": [Entered("k", 5, 1)]},
        stopped=[StoppedStart("cart", "k", 5, "once")],
        decide_from_ms=1,
        merged_into="eve",
        merged_at_ms=2,
        erased_ms=3,
    )


def cut(value: bytes) -> bytes:
    """The record of version 1 as a release wrote it that did not know of outcomes."""
    record: list[Any] = msgspec.msgpack.decode(value[1:])
    for instance in record[FIELDS.index("instances")]:
        del instance[StoredInstance.__struct_fields__.index("is_delivery") :]
    for sent in record[FIELDS.index("sends")]:
        del sent[Sent.__struct_fields__.index("delivered_order") :]
    return value[:1] + msgspec.msgpack.encode(record)


def test_a_record_comes_back_as_it_was() -> None:
    """Every field has a value of its own here, and comes back."""
    whole, empty = customer(), Customer("")
    assert [name for name in FIELDS if getattr(whole, name) == getattr(empty, name)] == []
    assert records.decode(records.encode(whole)) == whole
    assert records.decode(records.encode(Customer("bob"))) == Customer("bob")


@pytest.mark.parametrize("name", FIELDS)
def test_a_field_that_is_set_is_written(name: str) -> None:
    """Also when it was not read before, and the others of its column are as they were."""
    read = records.decode(records.encode(customer()))
    setattr(read, name, getattr(Customer("x"), name))
    expected = customer().copy(**{name: getattr(Customer("x"), name)})
    assert records.decode(records.encode(read)) == expected


@pytest.mark.parametrize("name", FIELDS)
def test_a_field_that_is_changed_in_place_is_written(name: str) -> None:
    """Lists and dictionaries are changed in place."""
    read = records.decode(records.encode(customer()))
    value = getattr(read, name)
    if isinstance(value, list | dict):
        value.clear()
        expected = customer().copy(**{name: type(value)()})
        assert records.decode(records.encode(read)) == expected


def test_what_is_not_asked_for_is_not_decoded() -> None:
    """The bytes of such a column go into the next record as they came, whatever they are."""
    written = records.encode(customer())
    damaged = written.replace(b"\xa5email", b"\xc1email")
    read = records.decode(damaged)
    assert read.purchases
    assert records.encode(read) == damaged
    with pytest.raises(InfrastructureError, match="a customer record cannot be read"):
        assert read.profile


def test_what_a_record_has_of_an_instance_is_all_of_it() -> None:
    """In the same order."""
    assert StoredInstance.__struct_fields__ == tuple(
        name.removeprefix("_") for name in Instance.__annotations__
    )
    assert StoredStep.__struct_fields__ == tuple(PendingStep.__annotations__)


def test_a_record_of_version_1_is_read() -> None:
    """As release 1.2 wrote it, and written as version 2."""
    before = VERSION_1.read_bytes()
    assert before[0] == 1
    assert records.decode(before) == customer()
    assert records.encode(records.decode(before)) == records.encode(customer())


def test_an_older_record_lacks_what_was_not_known() -> None:
    """New fields are at the end and have defaults, each record lists of its own."""
    old = records.decode(cut(VERSION_1.read_bytes()))
    (instance,), (sent,) = old.instances, old.sends
    assert (instance.trigger, instance.is_delivery) == ("cart", False)
    assert (sent.request_id, sent.delivered_order, sent.recorded) == ("r", None, 0)
    sent.opened_ms.append(1)
    assert records.decode(cut(VERSION_1.read_bytes())).sends[0].opened_ms == []


def test_an_unknown_version_is_refused() -> None:
    """With what to do about it."""
    with pytest.raises(InfrastructureError, match="deploy the release that wrote it"):
        records.decode(b"\x63" + records.encode(customer())[1:])


@pytest.mark.parametrize("length", [0, 1, 20, 40, 300])
def test_a_record_that_was_cut_off_is_refused(length: int) -> None:
    """Wherever it ends."""
    with pytest.raises(InfrastructureError, match="a customer record"):
        values_of(records.decode(records.encode(customer())[:length]))


def test_what_an_instance_keeps_is_decoded_when_it_is_asked_for() -> None:
    """Of a damaged event the instance still says whose it is."""
    written = records.encode(customer())
    (read,) = records.decode(written.replace(b"\xa5value\x03", b"\xa5\xffalue\x03")).instances
    assert (read.trigger, read.cause) == ("cart", CAUSE)
    with pytest.raises(InfrastructureError, match="a customer record cannot be read"):
        assert read.data
    (read,) = records.decode(written.replace(b"\x95\xa6orders", b"\x95\xa6\xffrders", 1)).instances
    assert read.data == {"value": 3}
    with pytest.raises(InfrastructureError, match="a customer record cannot be read"):
        assert read.cause


def test_a_damaged_column_is_refused_when_it_is_asked_for() -> None:
    """What else there is can be read."""
    written = records.encode(Customer("ann", profile={"email": "a@example.com"}))
    damaged = written.replace(b"\xa5email", b"\xc1email")
    with pytest.raises(InfrastructureError, match="a customer record cannot be read"):
        assert records.decode(damaged).profile
