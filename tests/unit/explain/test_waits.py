"""What is said of steps that wait until their partition is current."""

from app.core.customer.instance import Instance, PendingStep
from app.core.customer.record import Customer
from app.core.recorded import Cause
from app.explain.explain import explain
from app.explain.written import explanation_text
from app.rules_file.load import parse_rules

T0_MS = 1_767_225_600_000
RULES = parse_rules(b"""
version: 1
channels: {email: {requires: email}}
triggers:
  hello: {kind: event, on: [subscribed], template: hello, channels: [email]}
""")


def test_explain_says_what_a_parked_step_waits_for() -> None:
    """The topics of the partition that are not read up to their end, and the step itself."""
    customer = Customer("ann")
    cause = Cause("orders", 0, 0, "e1", None)
    step = PendingStep(0, T0_MS, T0_MS, parked=True)
    customer.instances = [Instance("hello", "k", T0_MS, {}, cause, [step])]
    found = explain(customer, RULES, T0_MS + 1, [], waits_for=["orders"])
    text = explanation_text(found)
    assert "marketing steps wait: the partition is not read up to its end yet in orders" in text
    assert "step 0, hello: waits until its partition is read up to its end, was due" in text
