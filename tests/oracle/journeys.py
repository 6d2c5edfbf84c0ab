"""Steps that count from, or ask about, earlier ones: the oracle looks through the history."""

from typing import Any

from tests.oracle.calendar import DAY_MS, duration_ms
from tests.oracle.customer import Customer, after
from tests.oracle.entering import identity
from tests.oracle.reading import is_machine

World = dict[str, Any]
Instance = dict[str, Any]
Timer = dict[str, Any]

TOUCHES = {
    "delivered": ("message_delivered",),
    "opened": ("message_opened", "message_clicked"),
    "clicked": ("message_clicked",),
}


def send_of(customer: Customer, instance: Instance, step: int) -> dict[str, Any] | None:
    """The send of a step that was not recalled."""
    for send in customer["sends"]:
        is_own = identity(send) == identity(instance) and send["step"] == step
        is_own &= send.get("opened_by") == instance.get("opened_by")
        if is_own and not send["is_recalled"]:
            return dict(send)
    return None


def flags(world: World, customer: Customer, instance: Instance) -> dict[str, bool]:
    """`step.N.opened` and so on, where they are true."""
    found = {}
    for step in range(64):
        send = send_of(customer, instance, step)
        if send is None:
            continue
        found[f"step.{step}.sent"] = True
        for name, types in TOUCHES.items():
            found[f"step.{step}.{name}"] = not send["is_ghost"] and any(
                seen["type"] in types
                and seen["data"].get("request_id") == send["request_id"]
                and not is_machine(seen)
                for seen in after(customer, send)
            )
        found[f"step.{step}.converted"] = any(
            outcome["request_id"] == send["request_id"]
            and outcome["kind"] in ("conversion", "recovery")
            for outcome in world["outcomes"]
        )
    return found


def ends(instance: Instance) -> int:
    """When what has not come can no more come."""
    return int(instance["anchor"]) + 60 * DAY_MS


def touched(customer: Customer, timer: Timer, event: dict[str, Any]) -> int | None:
    """When the step of a timer becomes due because of this event; None if not because of it."""
    wanted = timer["from"]
    send = send_of(customer, timer["instance"], wanted["step"])
    if send is None or send["is_ghost"] or is_machine(event):
        return None
    if event["type"] not in TOUCHES.get(wanted["on"], ()) or event["t"] > ends(timer["instance"]):
        return None
    if event["data"].get("request_id") != send["request_id"]:
        return None
    return int(event["t"]) + duration_ms(timer["after"])


def is_hopeless(customer: Customer, timer: Timer) -> bool:
    """Whether the named step, now decided, leads nowhere."""
    send = send_of(customer, timer["instance"], timer["from"]["step"])
    return send is None or (send["is_ghost"] and timer["from"]["on"] != "sent")
