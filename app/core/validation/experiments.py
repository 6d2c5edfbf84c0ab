"""What can be wrong with the experiments of a rules document beyond their shape."""

from collections.abc import Iterator, Mapping
from typing import Any
from zoneinfo import ZoneInfo

from app.core.rules.compile_steps import end_ms_of, is_marketing, start_ms_of
from app.core.rules.model import DEFAULT_MAX_CONCURRENT_EXPERIMENTS
from app.core.time.durations import parse_duration_ms
from app.core.time.zones import zone
from app.core.validation.conditions import Known, check_content
from app.core.validation.problems import Problem, check_channels, check_positive

Document = Mapping[str, Any]


def check_experiments(document: Document, known: Known) -> Iterator[Problem]:
    """Their triggers, variants and times, one by one and against each other."""
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
        yield from _check_variants(f"{path}.variants", body["variants"], trigger_body, known)
        yield from _check_times(path, body, timezone)
    yield from _check_concurrency(document, experiments, timezone)


def _check_variants(
    path: str, variants: Document, trigger: Document | None, known: Known
) -> Iterator[Problem]:
    if len(variants) == 1:
        yield Problem(path, "two variants or more", f"one, {next(iter(variants))!r}")
    for name, variant in variants.items():
        if "channels" in variant:
            yield from check_channels(f"{path}.{name}", variant, known.channels)
        yield from check_content(f"{path}.{name}", variant, known)
        if variant.get("ghost") and trigger is not None and not is_marketing(trigger):
            expected = "nothing here, because a transactional message is not held back"
            yield Problem(f"{path}.{name}.ghost", expected, "true")


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
