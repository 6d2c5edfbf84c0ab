"""Instances and sends of a record that was read, which stay as stored until they are asked for."""

from dataclasses import dataclass
from typing import Any, Final

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.core.customer.codec import decode, encode
from app.core.customer.instance import Instance, PendingStep
from app.core.customer.parts import Sent
from app.core.customer.record import Customer
from app.core.errors import InfrastructureError
from app.core.recorded import Cause

CAUSE: Final = Cause("orders", 0, 7, "e")
TRIGGERS: Final = st.sampled_from(["cart", "often", "quiet"])
TIMES: Final = st.integers(0, 9)


@st.composite
def instances(draw: st.DrawFn) -> Instance:
    """One with up to two steps; several may be alike."""
    steps = [
        PendingStep(step, draw(TIMES), draw(TIMES), parked=draw(st.booleans()))
        for step in range(draw(st.integers(0, 2)))
    ]
    key = draw(st.sampled_from("ab"))
    return Instance(draw(TRIGGERS), key, draw(TIMES), {"value": 1}, CAUSE, steps)


def sent_at(decided_ms: int, trigger: str, *, is_marketing: bool) -> Sent:
    """A send of that time."""
    return Sent(
        decided_ms, 0, trigger, trigger, "k", 5, 0, "email", is_marketing, False, "r", CAUSE
    )


SENDS: Final = st.builds(sent_at, TIMES, TRIGGERS, is_marketing=st.booleans())
#: What can be asked of a record, with what it is asked about.
QUESTIONS: Final = st.one_of(
    st.tuples(st.just("of"), TRIGGERS),
    st.tuples(st.just("timer"), TIMES),
    st.tuples(st.just("add"), instances()),
    st.tuples(st.just("remove"), TRIGGERS),
    st.tuples(st.just("since"), TIMES),
    st.tuples(st.just("sent of"), st.tuples(TRIGGERS, TIMES)),
    st.tuples(st.just("first"), st.none()),
    st.tuples(st.just("sent"), SENDS),
    st.tuples(st.just("change"), TRIGGERS),
    st.tuples(st.just("all"), st.none()),
)


def answer(customer: Customer, question: str, about: Any) -> object:
    """What the record says, or what is in it after the change."""
    opened, log = customer.open, customer.send_log
    match question:
        case "of":
            return [instance.array() for instance in opened.of(about)]
        case "timer":
            return [
                (instance.array(), step.array())
                for instance in opened.with_timer_at(about)
                for step in instance.steps
                if step.fire_ms == about
            ]
        case "add":
            opened.add(copy_of(about))
        case "remove":
            for instance in opened.of(about)[:1]:
                opened.remove(instance)
        case "since":
            return [msgspec.to_builtins(sent) for sent in log.since(about)]
        case "sent of":
            trigger, after_ms = about
            found = [sent for sent in log.of(trigger, after_ms) if sent.trigger == trigger]
            return [msgspec.to_builtins(sent) for sent in found]
        case "first":
            return log.first_ms() if log.count() else None
        case "sent":
            log.add(msgspec.structs.replace(about), 6)
        case "change":
            for instance in opened.of(about):
                instance.sent += 1
                instance.data = {"changed": instance.data}
        case "all":
            return [instance.array() for instance in customer.instances], customer.sends
    return (
        opened.count(),
        opened.pending(),
        opened.earliest_ms(),
        opened.has_parked(),
        log.count(),
    )


def copy_of(instance: Instance) -> Instance:
    """Another one that is alike: each record has its own."""
    trigger, key, anchor_ms, data, cause, steps = instance.array()[:6]
    return Instance(
        trigger, key, anchor_ms, dict(data), cause, [PendingStep(*step) for step in steps]
    )


@dataclass
class Pair:
    """A record in memory, and the same one read."""

    live: Customer
    read: Customer

    def bytes_are_equal(self) -> bool:
        """Whether both are written alike, and are what a record that is all read is."""
        return encode(self.live) == encode(self.read) == encode(decode(encode(self.read)))


def pair_of(opened: list[Instance], sends: list[Sent]) -> Pair:
    """With these."""
    live = Customer("ann", instances=opened, sends=sorted(sends, key=lambda each: each.decided_ms))
    live.due_ms = live.open.earliest_ms()
    return Pair(live, decode(encode(live)))


@given(
    st.lists(instances(), max_size=6),
    st.lists(SENDS, max_size=6),
    st.lists(QUESTIONS, max_size=8),
)
def test_a_record_that_was_read_answers_as_one_in_memory(
    opened: list[Instance], sends: list[Sent], questions: list[tuple[str, Any]]
) -> None:
    """Whatever was asked, added, changed and taken out before; and is written the same."""
    pair = pair_of(opened, sends)
    for question, about in questions:
        assert plain(answer(pair.read, question, about)) == plain(
            answer(pair.live, question, about)
        )
    assert pair.bytes_are_equal()


def plain(value: object) -> object:
    """As msgpack has it, what an instance keeps of its event included."""
    return msgspec.msgpack.decode(msgspec.msgpack.encode(value))


def test_what_is_not_asked_for_stays_as_it_is() -> None:
    """A send that cannot be read harms nobody who asks about later ones."""
    sends = [sent_at(at_ms, "cart", is_marketing=True) for at_ms in (1, 2, 3)]
    written = encode(Customer("ann", sends=sends))
    damaged = written.replace(b"\xa5email", b"\xa5\xffmail", 1)
    read = decode(damaged)
    assert [sent.decided_ms for sent in read.send_log.since(1)] == [2, 3]
    assert read.send_log.first_ms() == 1
    assert encode(read) == damaged
    with pytest.raises(InfrastructureError, match="a customer record cannot be read"):
        assert read.sends
    with pytest.raises(InfrastructureError, match="a customer record cannot be read"):
        assert read.sends
