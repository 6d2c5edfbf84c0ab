"""``triggers demo`` as its viewer starts it, and as it is stopped: nothing of it stays."""

import os
import re
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest
from confluent_kafka import ConsumerGroupState
from confluent_kafka.admin import AdminClient

from app.kafka.embedded_broker import EmbeddedBroker
from app.kafka.leftovers import delete_leftovers
from app.settings.load import load_settings
from tests.kafka.cluster import KafkaCluster
from tests.process.running import wait_for

_ROOT = Path(__file__).parents[2]
_SEND = re.compile(r"^ *[\d.]+s  send ", re.MULTILINE)


class RunningDemo:
    """A demo that writes into a pipe, its temporary folders under ``folder``."""

    def __init__(self, folder: Path, seconds: int, *options: str) -> None:
        self.folder = folder
        self.process = subprocess.Popen(
            [sys.executable, "-m", "app.cli", "demo", "--seconds", str(seconds), *options],
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            cwd=_ROOT,
            env={**os.environ, "TMPDIR": str(folder), "TRIGGER_GRACE": "1h"},
        )
        self.descendants: list[psutil.Process] = []
        #: Standard output up to the first send.
        self.beginning = ""

    def read_until_send(self) -> None:
        """Return when a send was shown: everything runs then."""
        assert self.process.stdout is not None
        for line in self.process.stdout:
            self.beginning += line
            if _SEND.match(line):
                self.descendants = psutil.Process(self.process.pid).children(recursive=True)
                return
        raise AssertionError(f"it ended before anything was sent: {self.process.communicate()[1]}")

    def descendant(self, *words: str) -> psutil.Process:
        """The one program of the demo, guards aside, with all of these on its command line."""
        found = [
            each
            for each in self.descendants
            if all(word in " ".join(each.cmdline()) for word in words)
            and not any("guard.py" in word for word in each.cmdline())
        ]
        assert len(found) == 1
        return found[0]

    def end(self) -> tuple[int, str, str]:
        """Exit code, standard output that was not read yet, standard error."""
        out, errors = self.process.communicate(timeout=300)
        return self.process.returncode, out, errors

    def leaves_nothing(self) -> bool:
        """No process, and soon no folder; those of a killed one end a moment later."""
        gone = not psutil.wait_procs(self.descendants, 120)[1]
        wait_for("an empty folder", lambda: not any(self.folder.iterdir()))
        return gone

    def close(self) -> None:
        """Stop it if it still runs; its guards take the rest with them."""
        if self.process.poll() is None:
            self.process.kill()
        self.process.communicate()


@pytest.fixture
def demo(tmp_path: Path) -> Iterator[RunningDemo]:
    """One that would go on for long."""
    running = RunningDemo(tmp_path, seconds=300)
    yield running
    running.close()


def test_it_shows_what_the_engine_does_and_ends_by_itself(tmp_path: Path) -> None:
    """Sends soon, every kind of decision, a recall, dead letters and duplicates; exit code 0."""
    demo = RunningDemo(tmp_path, seconds=15)
    try:
        demo.read_until_send()
        code, out, errors = demo.end()
    finally:
        demo.close()

    assert (code, errors) == (0, "")
    assert demo.leaves_nothing()
    for outcome in ("send", "suppress", "defer", "recall", "holdout"):
        assert re.search(rf"^ *[\d.]+s  {outcome} ", out, re.MULTILINE), outcome
    counts = dict(re.findall(r"^(recalls|dead letters|duplicates) +(\d+)", out, re.MULTILINE))
    assert all(int(count) > 0 for count in counts.values())
    assert len(counts) == 3
    assert re.search(r"http://localhost:\d+/metrics", out)
    assert "triggers backtest" in out


@pytest.mark.slow
def test_on_another_cluster_it_leaves_no_topic_and_no_group(
    broker: EmbeddedBroker | KafkaCluster, tmp_path: Path
) -> None:
    """Names of its own while it runs, taken away at the end; the lines are those of a pipe."""
    servers = broker.bootstrap_servers
    demo = RunningDemo(tmp_path, 12, "--kafka", servers, "--plain")
    try:
        demo.read_until_send()
        admin = AdminClient({"bootstrap.servers": servers})
        during = set(admin.list_topics(timeout=30).topics)
        code, out, errors = demo.end()
    finally:
        demo.close()

    assert (code, errors) == (0, "")
    assert demo.leaves_nothing()
    assert "\x1b" not in out
    assert {name.split(".")[-1] for name in during} >= {"orders", "dispatch", "decisions"}
    wait_for("topics to be gone", lambda: not _of_demos(admin))


@pytest.mark.slow
def test_what_a_killed_demo_left_on_a_cluster_goes_with_the_next_one(
    broker: EmbeddedBroker | KafkaCluster, tmp_path: Path
) -> None:
    """Its topics and its group; those of a demo that still runs stay."""
    servers = broker.bootstrap_servers
    admin = AdminClient({"bootstrap.servers": servers})
    killed = RunningDemo(tmp_path, 12, "--kafka", servers, "--plain")
    try:
        killed.read_until_send()
        killed.process.kill()
        killed.end()
    finally:
        killed.close()
    left = set(_of_demos(admin))
    assert len(left) > 2
    wait_for("its group to be empty", lambda: _are_empty(admin))
    running = RunningDemo(tmp_path, 12, "--kafka", servers, "--plain")
    try:
        running.read_until_send()
        assert left.isdisjoint(_of_demos(admin))
        during = set(_of_demos(admin))
        variables = {"TRIGGER_BOOTSTRAP_SERVERS": servers}
        found = delete_leftovers(load_settings(variables), "trigger-demo-")
        assert found.deleted == ()
        assert set(found.kept) < during
        code, _, errors = running.end()
    finally:
        running.close()
    assert (code, errors) == (0, "")
    assert re.search(r"deleted \d+ topics of demos that were killed", running.beginning)
    wait_for("topics to be gone", lambda: not _of_demos(admin))


def _are_empty(admin: AdminClient) -> bool:
    groups = admin.list_consumer_groups().result().valid
    states = [each.state for each in groups if each.group_id.startswith("trigger-demo-")]
    return set(states) == {ConsumerGroupState.EMPTY}


def _of_demos(admin: AdminClient) -> list[str]:
    """Topics and groups of demos that are on the cluster."""
    groups = admin.list_consumer_groups().result().valid
    names = [*admin.list_topics(timeout=30).topics, *(each.group_id for each in groups)]
    return [name for name in names if name.startswith("trigger-demo-")]


@pytest.mark.slow
@pytest.mark.parametrize(
    ("number", "code", "words"),
    [
        (signal.SIGINT, 130, "stopped"),
        (signal.SIGTERM, 1, "told to stop"),
        (signal.SIGKILL, -signal.SIGKILL, ""),
    ],
)
def test_stopped_midway_it_leaves_nothing(
    demo: RunningDemo, number: signal.Signals, code: int, words: str
) -> None:
    """By Ctrl-C, by the system, or without being asked."""
    demo.read_until_send()
    demo.process.send_signal(number)
    got, _, errors = demo.end()

    assert got == code
    assert words in errors
    assert "Traceback" not in errors
    assert demo.leaves_nothing()


@pytest.mark.slow
@pytest.mark.parametrize(
    ("program", "words"),
    [
        (("app.cli", "worker"), "the worker ended with exit code"),
        (("kafka",), "the embedded broker"),
    ],
)
def test_a_part_that_dies_ends_it(demo: RunningDemo, program: tuple[str, ...], words: str) -> None:
    """With 1, and the reason."""
    demo.read_until_send()
    demo.descendant(*program).kill()
    code, _, errors = demo.end()

    assert code == 1
    assert words in errors
    assert "Traceback" not in errors.partition("the end of its log:")[0]
    assert demo.leaves_nothing()
