"""Which starts open an instance: what every kind asks before it opens one (spec section 5).

The order of the questions: does the event name a send of the trigger itself, is it newer than the
newest start of its key (kinds whose starts replace each other), is it after the last cancel, was
this identity open before, do ``once`` and ``limit`` allow it, does ``when`` hold.
"""

from enum import StrEnum
from typing import Final

from app.core.context import EventContext
from app.core.customer.digests import digest_of
from app.core.customer.limits import MAX_IDENTITIES, MAX_STOPPED, remember
from app.core.customer.parts import StoppedStart
from app.core.customer.record import DIGEST_BYTES, Customer
from app.core.decisions import Reason
from app.core.rules.model import Trigger
from app.core.triggers.entry import entry_stop, is_new_entry
from app.core.triggers.instances import end_instance, start_instance

#: Of a record's digests for one trigger.
_MAX_BYTES: Final = MAX_IDENTITIES * DIGEST_BYTES


class Stop(StrEnum):
    """Why a start opened nothing."""

    OWN_MESSAGE = "own_message"
    STALE = "stale"
    CANCELLED = "cancelled"
    KNOWN = "identity"
    UNCHANGED = "changed"
    ONCE = "once"
    LIMIT = "limit"
    CONDITION = "when"
    PAST = "past"


#: Why in words, behind "the event opened nothing: ".
STOP_WORDS: Final[dict[str, str]] = {
    Stop.OWN_MESSAGE: "it is about a message of the trigger itself",
    Stop.STALE: "a newer start of the same key had been read",
    Stop.CANCELLED: "a cancel of the same key came after it, or just before",
    Stop.KNOWN: "the same event had opened an instance before",
    Stop.UNCHANGED: "the watched field kept its value",
    Stop.ONCE: "`once`: the customer has been in it before",
    Stop.LIMIT: "`limit`: the customer has been in it as often as it allows",
    Stop.CONDITION: "`when` did not hold",
    Stop.PAST: "no step of it would be due in the future",
}
assert STOP_WORDS.keys() == set(Stop)


def open_instance(moment: EventContext, trigger: Trigger, key: str) -> None:
    """Open another instance, anchored at the event, of a kind that allows several at a time."""
    identity = identity_of(key, moment.occurred_ms)
    stop = _stop_of(moment, trigger, key, identity)
    if stop is None and (trigger.entry or moment.unchanged):
        stop = _entry_stop(moment, trigger, key)
    if stop is not None:
        stop_start(moment, trigger, key, stop)
    elif trigger.when is None or trigger.when(moment.data, moment.customer, moment.now_ms):
        start_instance(moment, trigger, key)
        remember_identity(moment.customer, trigger.name, identity)
    else:
        stop_start(moment, trigger, key, Stop.CONDITION)


def restart(moment: EventContext, trigger: Trigger, key: str) -> None:
    """Open an instance in the place of the one of its key, whose anchor is older.

    A start that ``when`` stops closes what its key had open; any other that is stopped changes
    nothing, but for being the newest of its key.
    """
    if moment.answered is not None and _is_own_message(moment, trigger):
        stop_start(moment, trigger, key, Stop.OWN_MESSAGE)
        return
    if not _is_newest(moment, trigger, key):
        stop_start(moment, trigger, key, Stop.STALE)
        return
    current = [one for one in moment.customer.open.of(trigger.name) if one.key == key]
    for one in current:
        if moment.occurred_ms <= one.anchor_ms:
            stop_start(moment, trigger, key, Stop.STALE)
            return
    identity = identity_of(key, moment.occurred_ms)
    stop = _stop_of(moment, trigger, key, identity)
    is_limited = trigger.entry or moment.unchanged
    if stop is None and is_limited and is_new_entry(current):
        stop = _entry_stop(moment, trigger, key)
    if stop is not None:
        stop_start(moment, trigger, key, stop)
        return
    for instance in current:
        end_instance(moment, instance, Reason.SUPERSEDED)
    if trigger.when is None or trigger.when(moment.data, moment.customer, moment.now_ms):
        opened = start_instance(moment, trigger, key)
        if opened.steps or opened.decided:  # the latter: it went at once, for want of room
            remember_identity(moment.customer, trigger.name, identity)
        else:
            stop_start(moment, trigger, key, Stop.PAST)
    else:
        stop_start(moment, trigger, key, Stop.CONDITION)


def _stop_of(moment: EventContext, trigger: Trigger, key: str, identity: bytes) -> Stop | None:
    if moment.answered is not None and _is_own_message(moment, trigger):
        return Stop.OWN_MESSAGE
    if trigger.cancel and is_cancelled_since(moment.customer, trigger, key, moment.occurred_ms):
        return Stop.CANCELLED
    if is_known(moment.customer, trigger, key, moment.occurred_ms, identity):
        return Stop.KNOWN
    return None


def _entry_stop(moment: EventContext, trigger: Trigger, key: str) -> Stop | None:
    if moment.unchanged and trigger.changed is not None and trigger.name in moment.unchanged:
        return Stop.UNCHANGED
    stop = entry_stop(moment.customer, trigger, key, moment.occurred_ms)
    return None if stop is None else Stop(stop)


def _is_own_message(moment: EventContext, trigger: Trigger) -> bool:
    return moment.answered is not None and moment.answered.trigger == trigger.name


def _is_newest(moment: EventContext, trigger: Trigger, key: str) -> bool:
    """Whether the start is newer than every start read for its key; from now on it is one."""
    starts_ms = moment.customer.starts_ms
    by_key = starts_ms.get(trigger.name)
    known_ms = None if by_key is None else by_key.get(key)
    if known_ms and moment.occurred_ms <= max(known_ms):
        return False
    remember(starts_ms, trigger.name, key, [moment.occurred_ms])
    return True


def is_cancelled_since(customer: Customer, trigger: Trigger, key: str, occurred_ms: int) -> bool:
    """Whether a start at that time is not later than ``settle`` after the last cancel seen for its
    key, or for all.
    """
    if not trigger.cancel:
        return False
    start_ms = occurred_ms - trigger.kind.settle_ms
    cancelled_ms = customer.cancels_all_ms.get(trigger.name)
    if cancelled_ms is not None and start_ms <= cancelled_ms:
        return True
    by_key = customer.cancels_ms.get(trigger.name)
    if by_key is None:
        return False
    own = trigger.kind.key
    for pattern in (key,) if own is None else own.patterns_over(key):
        cancelled_ms = by_key.get(pattern)
        if cancelled_ms is not None and start_ms <= cancelled_ms:
            return True
    return False


def is_known(
    customer: Customer, trigger: Trigger, key: str, anchor_ms: int, identity: bytes
) -> bool:
    """Whether an instance of this very identity was opened before: it had its run, or has it."""
    known = customer.identities.get(trigger.name)
    if known is None:
        return False
    if known.find(identity) >= 0:  # `in` makes an error first: it asks for an integer
        return True
    if len(known) < _MAX_BYTES:
        return False
    for one in customer.open.of(trigger.name):
        if one.anchor_ms == anchor_ms and one.key == key:
            return True
    return False


def remember_identity(customer: Customer, trigger: str, identity: bytes) -> None:
    """Have the identity open no second time."""
    identities = customer.identities
    identities[trigger] = (identities.get(trigger, b"") + identity)[-_MAX_BYTES:]


def identity_of(key: str, anchor_ms: int) -> bytes:
    """What is remembered of an instance with that key and anchor."""
    return digest_of(f"{anchor_ms}|{key}")


def stop_start(moment: EventContext, trigger: Trigger, key: str, stop: Stop) -> None:
    """Count a start that opened nothing, and keep it for explanations."""
    stopped = StoppedStart(trigger.name, key, moment.occurred_ms, stop.value)
    moment.customer.stopped = [*moment.customer.stopped[1 - MAX_STOPPED :], stopped]
    moment.emit_stopped(stopped)
