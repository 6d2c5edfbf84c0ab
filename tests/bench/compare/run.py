"""One run of one host: profiles read, then the events, measured."""

import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Final

import msgspec

from app.kafka import topics
from app.settings.load import load_settings
from app.settings.model import Settings, default_rules_path
from tests.bench.compare.brokers import Broker
from tests.bench.compare.inputs import Inputs, publish
from tests.bench.compare.process import HostProcess, busy_s
from tests.bench.compare.registry import Host
from tests.bench.compare.watch import Watch
from tests.bench.hosts.job import Job

PARTITIONS: Final = 4
#: Between the last profile and the first event: compactions and the like end.
_SETTLE_S: Final = 1.0


class Run(msgspec.Struct, frozen=True, kw_only=True):
    """What one run came to."""

    cpu_us_per_event: float
    #: the same with the events that came before those measured; None without any
    cold_us_per_event: float | None
    events_per_s: float
    peak_rss_mb: float
    sends: int
    decisions: int
    changelog_records: int
    digest: str
    load_s: float
    #: where its threads were allowed to run
    cores: list[int]
    #: share of the time in which these cores did something else, in percent
    others_percent: float


def run(
    host: Host, name: str, inputs: Inputs, broker: Broker, cores: Sequence[int], warm_up: int = 0
) -> Run:
    """Run the host once on ``cores``, under the name ``name``, and leave the broker empty.

    The first ``warm_up`` events are handled before the others come, which are measured. Raises
    HostFailed when it does not do the job.
    """
    settings = load_settings(
        {
            "TRIGGER_BOOTSTRAP_SERVERS": broker.bootstrap_servers,
            "TRIGGER_APP_ID": name,
            "TRIGGER_TOPIC_PREFIX": f"{name}-",
            "TRIGGER_PARTITIONS": str(PARTITIONS),
        }
    )
    topics.create(settings)
    with tempfile.TemporaryDirectory(prefix="trigger-bench-") as folder:
        job = _job(host, settings, Path(folder) / "state")
        watch = Watch(settings, job)
        try:
            publish(settings, inputs.profiles)
            with HostProcess(host.module, job, Path(folder) / "log", cores) as process:
                return _measured(host, inputs, settings, watch, process, warm_up)
        finally:
            watch.close()
            broker.clear(settings)


def _job(host: Host, settings: Settings, folder: Path) -> Job:
    return Job(
        bootstrap_servers=settings.bootstrap_servers,
        group=settings.app_id,
        inputs=settings.input_topics,
        changelog=settings.changelog_topic,
        dispatch=settings.topic("dispatch"),
        decisions=settings.topic("decisions"),
        partitions=settings.partitions,
        folder=str(folder),
        rules=str(default_rules_path()),
        variables=host.variables,
    )


def _measured(
    host: Host,
    inputs: Inputs,
    settings: Settings,
    watch: Watch,
    process: HostProcess,
    warm_up: int,
) -> Run:
    """The events, once the profiles are read and the events before them handled."""

    def done() -> int:
        if host.commits:
            return watch.committed()
        return watch.records(watch.changelogs())

    started_s = time.monotonic()
    loaded = len(inputs.profiles)
    watch.wait(process, done, loaded)
    load_s = time.monotonic() - started_s
    time.sleep(_SETTLE_S)
    cold_s = -process.cpu_s()
    if warm_up:
        publish(settings, inputs.events[:warm_up])
        watch.wait(process, done, loaded + warm_up)
        time.sleep(_SETTLE_S)
    changelog_before = watch.records(watch.changelogs())
    pinned = process.cores()
    busy_before_s = busy_s(pinned)
    cpu_before_s, began_s = process.cpu_s(), time.monotonic()
    publish(settings, inputs.events[warm_up:])
    count = len(inputs.events) - warm_up
    ended_s = watch.wait(process, done, loaded + warm_up + count)
    cpu_s, wall_s = process.cpu_s() - cpu_before_s, time.monotonic() - began_s
    cold_s += cpu_before_s + cpu_s
    others_s = busy_s(pinned) - busy_before_s - cpu_s
    written = watch.written()
    return Run(
        cpu_us_per_event=cpu_s * 1e6 / count,
        cold_us_per_event=cold_s * 1e6 / (warm_up + count) if warm_up else None,
        events_per_s=count / (ended_s - began_s),
        peak_rss_mb=process.peak_rss_mb(),
        sends=written.sends,
        decisions=written.decisions,
        changelog_records=watch.records(watch.changelogs()) - changelog_before,
        digest=written.digest,
        load_s=load_s,
        cores=pinned,
        others_percent=max(0.0, others_s / wall_s / len(pinned) * 100),
    )
