"""What can be wrong with the experiments of a rules document beyond their shape."""

from collections.abc import Callable, Iterator, Mapping
from typing import Any
from zoneinfo import ZoneInfo

from app.core.rules.compile_steps import VARIED, end_ms_of, is_marketing, start_ms_of
from app.core.rules.metrics import DEFAULT_METRIC, METRICS, NEED_A_MESSAGE, metric_named
from app.core.rules.model import DEFAULT_MAX_CONCURRENT_EXPERIMENTS
from app.core.time.durations import parse_duration_ms
from app.core.time.zones import zone
from app.core.validation.conditions import Known, check_condition, check_content, known_in
from app.core.validation.problems import Problem, check_channels, check_positive
from app.core.validation.throttle import check_step_limits

Document = Mapping[str, Any]
#: (path, body with ``steps``, names) -> what is wrong with the steps
CheckSteps = Callable[[str, Document, Known], Iterator[Problem]]


def check_experiments(
    document: Document, known: Known, check_steps: CheckSteps
) -> Iterator[Problem]:
    """Their triggers, audiences, variants, metrics and times, one by one and against each other."""
    experiments: Document = document.get("experiments", {})
    try:
        timezone = zone(document.get("timezone", "UTC"))
    except ValueError:
        timezone = zone("UTC")
    varied: dict[str, str] = {}
    for name, body in experiments.items():
        path = f"experiments.{name}"
        trigger = body["trigger"]
        if trigger not in known.triggers:
            yield Problem(f"{path}.trigger", "the name of a trigger", repr(trigger))
        elif trigger in varied:
            expected = f"a trigger without an experiment (it has {varied[trigger]})"
            yield Problem(f"{path}.trigger", expected, repr(trigger))
        varied.setdefault(trigger, name)
        trigger_body = document.get("triggers", {}).get(trigger)
        about = known if trigger_body is None else known_in(known, trigger_body)
        yield from _check_variants(f"{path}.variants", body["variants"], trigger_body, about)
        for label, variant in body["variants"].items():
            if "steps" in variant and trigger_body is not None:
                own = {"kind": trigger_body["kind"], "steps": variant["steps"]}
                yield from check_steps(f"{path}.variants.{label}", own, about)
        if "when" in body:
            yield from check_condition(f"{path}.when", body["when"], about)
        yield from _check_metrics(path, body)
        yield from _check_times(path, body, timezone)
    yield from _check_concurrency(document, experiments, timezone)


def _check_variants(
    path: str, variants: Document, trigger: Document | None, known: Known
) -> Iterator[Problem]:
    for name, variant in variants.items():
        if "channels" in variant:
            yield from check_channels(f"{path}.{name}", variant, known.channels)
        yield from check_content(f"{path}.{name}", variant, known)
        both = [field for field in VARIED if field in variant and "steps" in variant]
        if both:
            expected = "nothing here, because `steps` says it all"
            yield Problem(f"{path}.{name}.{both[0]}", expected, repr(variant[both[0]]))
        if trigger is not None:
            yield from _check_windows(f"{path}.{name}", variant, trigger)
            first = trigger.get("steps", [trigger])[0]
            if "after" in variant and "before" in first:
                expected = f"`steps`, because the first step is {first['before']} before the date"
                yield Problem(f"{path}.{name}.after", expected, repr(variant["after"]))
        if trigger is None or is_marketing(trigger):
            continue
        for field in ("ghost", "cooldown", "deliver"):
            if variant.get(field):
                expected = "nothing here, because a transactional message is not held back"
                yield Problem(f"{path}.{name}.{field}", expected, repr(variant[field]))


def _check_windows(path: str, variant: Document, trigger: Document) -> Iterator[Problem]:
    """The delivery windows of a variant, together with those that it leaves of the trigger."""
    if "deliver" in variant:
        first = {**trigger.get("steps", [trigger])[0], "deliver": variant["deliver"]}
        yield from check_step_limits(path, first, None)
    for index, step in enumerate(variant.get("steps", ())):
        yield from check_step_limits(f"{path}.steps[{index}]", step, trigger.get("deliver"))


def _check_metrics(path: str, body: Document) -> Iterator[Problem]:
    """The metric and the guardrail's are recorded, and a ghost variant can have the former."""
    ghosts = [name for name, variant in body["variants"].items() if variant.get("ghost")]
    metric = metric_named(body.get("metric", DEFAULT_METRIC))
    if metric is None:
        yield Problem(f"{path}.metric", f"one of {', '.join(METRICS)}", repr(body["metric"]))
    elif metric in NEED_A_MESSAGE and ghosts:
        possible = ", ".join(sorted(METRICS.keys() - NEED_A_MESSAGE))
        expected = f"one that {ghosts[0]}, which sends nothing, can have ({possible})"
        yield Problem(f"{path}.metric", expected, repr(body["metric"]))
    if "guardrail" in body:
        named = body["guardrail"]["metric"]
        if metric_named(named) is None:
            yield Problem(f"{path}.guardrail.metric", f"one of {', '.join(METRICS)}", repr(named))


def _check_times(path: str, body: Document, timezone: ZoneInfo) -> Iterator[Problem]:
    try:
        start_ms_of(body, timezone)
    except ValueError:
        expected = "an RFC 3339 time with an offset or a date (YYYY-MM-DD)"
        yield Problem(f"{path}.start", expected, repr(body["start"]))
    if "max_duration" in body:
        yield from check_positive(f"{path}.max_duration", body["max_duration"])
        if parse_duration_ms(body.get("burn_in", 0)) >= parse_duration_ms(body["max_duration"]) > 0:
            expected = f"a duration shorter than max_duration ({body['max_duration']})"
            yield Problem(f"{path}.burn_in", expected, repr(body["burn_in"]))


def _check_concurrency(
    document: Document, experiments: Document, timezone: ZoneInfo
) -> Iterator[Problem]:
    """Whenever one starts, those that run then are counted; without max_duration it never ends."""
    most = document.get("max_concurrent_experiments", DEFAULT_MAX_CONCURRENT_EXPERIMENTS)
    times: dict[str, tuple[int, int]] = {}
    for name, body in experiments.items():
        try:
            times[name] = start_ms_of(body, timezone), end_ms_of(body, timezone)
        except ValueError:
            continue
    for start_ms, _ in sorted(times.values()):
        running = [name for name, (begin, end) in times.items() if begin <= start_ms < end]
        if len(running) > most:
            expected = f"at most {most} at once (max_concurrent_experiments)"
            yield Problem("experiments", expected, f"{len(running)}: {', '.join(running)}")
            return
