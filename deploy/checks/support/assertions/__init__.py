"""What schemas cannot say about the chart's objects: one module a theme.

Each ``problems_*`` function takes all objects of one rendering and yields what is wrong, in words.
"""

from collections.abc import Callable, Iterable
from typing import Final

from deploy.checks.support.assertions.kafka import problems_access, problems_topics
from deploy.checks.support.assertions.running import (
    problems_budget,
    problems_identity,
    problems_probes,
    problems_scaling,
    problems_stopping,
    problems_volume,
)
from deploy.checks.support.assertions.security import (
    problems_network,
    problems_pod,
    problems_secrets,
)
from deploy.checks.support.assertions.settings import problems_rules, problems_settings
from deploy.checks.support.assertions.wiring import (
    problems_names,
    problems_ports,
    problems_selectors,
)
from deploy.checks.support.render import Manifest

#: What is asserted, in the words of the table.
ASSERTIONS: Final[dict[str, Callable[[list[Manifest]], Iterable[str]]]] = {
    "selectors match the pods and nothing else": problems_selectors,
    "names are unique, and what is named is there": problems_names,
    "ports that are named are there": problems_ports,
    "budgets leave one, and let one go": problems_budget,
    "grace is longer than the drain": problems_stopping,
    "volume claims survive": problems_volume,
    "workers keep their names": problems_identity,
    "probes ask what they should, and wait long enough": problems_probes,
    "scaling stays within the partitions": problems_scaling,
    "pods are restricted": problems_pod,
    "secrets come from files": problems_secrets,
    "the network policy lets Kafka and metrics through, and no more": problems_network,
    "the worker takes the settings": problems_settings,
    "rules reload instead of restarting": problems_rules,
    "Strimzi's topics are what the worker needs": problems_topics,
    "the Kafka user may do what the worker does, and no more": problems_access,
}
