"""How records are written: what another release wrote is read."""

from typing import Any

import msgspec
import pytest

from app.core.customer.record import Customer, Instance, PendingStep, Sent
from app.core.decisions import Cause
from app.core.errors import InfrastructureError
from tables import records

CAUSE = Cause("orders", 0, 7, "e")
CUSTOMER = Customer(
    customer_id="ann",
    instances=[Instance("cart", "k", 5, {"value": 3}, CAUSE, [PendingStep(0, 6, 6)], True)],
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
            delivered_order="o",
            recorded=3,
            opened_ms=[10],
            clicked_ms=[11],
        )
    ],
)


def cut(value: bytes) -> bytes:
    """The record as the release wrote it that did not know of outcomes."""
    record: list[Any] = msgspec.msgpack.decode(value[1:])
    fields = Customer.__struct_fields__
    for instance in record[fields.index("instances")]:
        del instance[Instance.__struct_fields__.index("is_delivery") :]
    for sent in record[fields.index("sends")]:
        del sent[Sent.__struct_fields__.index("delivered_order") :]
    return value[:1] + msgspec.msgpack.encode(record)


def test_a_record_comes_back_as_it_was() -> None:
    """Encoding and decoding keeps every field."""
    assert records.decode(records.encode(CUSTOMER)) == CUSTOMER


def test_an_older_record_lacks_what_was_not_known() -> None:
    """New fields are at the end and have defaults, each record lists of its own."""
    old = records.decode(cut(records.encode(CUSTOMER)))
    (instance,), (sent,) = old.instances, old.sends
    assert (instance.trigger, instance.is_delivery) == ("cart", False)
    assert (sent.request_id, sent.delivered_order, sent.recorded) == ("r", None, 0)
    sent.opened_ms.append(1)
    assert records.decode(cut(records.encode(CUSTOMER))).sends[0].opened_ms == []


def test_an_unknown_version_is_refused() -> None:
    """With what to do about it."""
    with pytest.raises(InfrastructureError, match="deploy the release that wrote it"):
        records.decode(b"\x63" + records.encode(CUSTOMER)[1:])
