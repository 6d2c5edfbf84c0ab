"""Whether rules can decide: one decision of each step is made, encoded and put into a record.

What the schema and the validation accept must not fail at run time, where it would stop a worker.
"""

from collections.abc import Iterator

from app.core.context import DecisionContext
from app.core.customer.codec import encode
from app.core.customer.instance import Instance, PendingStep
from app.core.customer.record import Customer
from app.core.decisions import Decision
from app.core.recorded import Cause
from app.core.rules.model import Rules, Trigger
from app.core.rules.rates import single_partition
from app.core.rules.variants import steps_of, variant_at
from app.core.triggers.decide import decide, send_request
from app.core.validation.problems import Problem, shown
from app.formats.encode import written

_NOW_MS = 1_767_225_600_000
#: Among so many customers one falls to each variant that has a share of the buckets.
_CUSTOMERS = 20_000
_ADDRESSES = {"email": "a@example.org", "phone": "+1", "push_token": "p"}


def find_undecidable(rules: Rules) -> list[Problem]:
    """The triggers of which a step cannot be decided, encoded or kept."""
    return [problem for trigger in rules.triggers.values() for problem in _rehearse(rules, trigger)]


def _rehearse(rules: Rules, trigger: Trigger) -> Iterator[Problem]:
    for instance, customer_id in _instances(trigger):
        for number in range(len(steps_of(trigger, customer_id, instance))):
            try:
                _decide(rules, trigger, customer_id, instance, number)
            except Exception as exc:  # whatever it is, it would have stopped a worker
                path = f"triggers.{trigger.name}"
                expected = f"a step {number} that can be decided and written"
                yield Problem(path, expected, shown(str(exc)))


def _instances(trigger: Trigger) -> Iterator[tuple[Instance, str]]:
    """An instance that takes part in no experiment, and one of each variant, with whose it is."""
    experiment = trigger.experiment
    if experiment is None:
        yield _instance(trigger, _NOW_MS), "c"
        return
    yield _instance(trigger, experiment.start_ms - 1), "c"
    missing = list(experiment.variants)
    for customer_id in map(str, range(_CUSTOMERS)):
        variant = variant_at(experiment, customer_id, experiment.start_ms)
        if variant in missing:
            missing.remove(variant)
            yield _instance(trigger, experiment.start_ms, experiment.name), customer_id
        if not missing:
            return


def _instance(trigger: Trigger, anchor_ms: int, audience: str | None = None) -> Instance:
    cause = Cause("orders", None, None, "rehearsal")
    return Instance(trigger.name, "", anchor_ms, {}, cause, [], audience=audience)


def _decide(rules: Rules, trigger: Trigger, customer_id: str, like: Instance, number: int) -> None:
    customer = Customer(customer_id, profile={**_ADDRESSES, "locale": "en"})
    instance = _instance(trigger, like.anchor_ms, like.audience)
    steps = instance.steps = [PendingStep(number, _NOW_MS, _NOW_MS)]
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
    encode(customer)
