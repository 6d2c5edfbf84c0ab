"""Whether rules can decide: one decision of each step is made, encoded and put into a record.

What the schema and the validation accept must not fail at run time, where it would stop a worker.
"""

from collections.abc import Iterator

import msgspec

from app.core.context import DecisionContext
from app.core.customer.record import Customer, Instance, PendingStep
from app.core.decisions import Cause, Decision
from app.core.rules.model import Rules, Trigger
from app.core.rules.rates import single_partition
from app.core.triggers.decide import decide, send_request
from app.core.validation.problems import Problem, shown
from app.formats.encode import written

_NOW_MS = 1_767_225_600_000
_ADDRESSES = {"email": "a@example.org", "phone": "+1", "push_token": "p"}


def find_undecidable(rules: Rules) -> list[Problem]:
    """The triggers of which a step cannot be decided, encoded or kept."""
    return [problem for trigger in rules.triggers.values() for problem in _rehearse(rules, trigger)]


def _rehearse(rules: Rules, trigger: Trigger) -> Iterator[Problem]:
    variants = () if trigger.experiment is None else trigger.experiment.variants
    count = max(len(trigger.steps), *(len(variant.steps) for variant in variants), 0)
    for number in range(min(count, len(trigger.steps))):
        try:
            _decide(rules, trigger, number)
        except Exception as exc:  # whatever it is, it would have stopped a worker
            path = f"triggers.{trigger.name}"
            yield Problem(path, f"a step {number} that can be decided and written", shown(str(exc)))


def _decide(rules: Rules, trigger: Trigger, number: int) -> None:
    customer = Customer("c", profile={**_ADDRESSES, "locale": "en"})
    steps = [PendingStep(number, _NOW_MS, _NOW_MS)]
    instance = Instance(
        trigger.name, "", _NOW_MS, {}, Cause("orders", None, None, "rehearsal"), steps
    )
    customer.instances.append(instance)
    made: list[Decision] = []
    context = DecisionContext(
        rules=rules,
        customer=customer,
        now_ms=_NOW_MS,
        emit=made.append,
        rates=single_partition(),
    )
    decide(context, trigger, instance, steps[0])
    for channel in rules.channels:
        made[-1].dispatch = send_request(context, trigger, channel, {})
        written(made[-1])
    msgspec.msgpack.encode(customer)
