"""The embedded broker: there when asked for, gone when its starter is."""

import os
import signal
import socket
import subprocess
import sys
import textwrap
from pathlib import Path

import psutil
import pytest
from confluent_kafka import Consumer, Producer, TopicPartition
from confluent_kafka.admin import AdminClient

from app.core.errors import ConfigError
from app.kafka import embedded_broker
from app.kafka.clients import admin_config, consumer_config, producer_config
from app.kafka.embedded_broker import EmbeddedBroker
from app.kafka.topics import create
from app.settings.load import load_settings
from tests.process.running import wait_for


def is_running(pid: int) -> bool:
    """Whether the process lives; one that has ended and waits to be reaped does not."""
    try:
        return bool(psutil.Process(pid).status() != psutil.STATUS_ZOMBIE)
    except psutil.NoSuchProcess:
        return False


def wait_until_gone(pids: list[int]) -> None:
    """Until all of these processes have ended."""
    wait_for("the processes' end", lambda: not any(map(is_running, pids)))


def test_it_answers_once_started_and_is_gone_once_stopped() -> None:
    """Without leaving a process or a folder behind."""
    me = psutil.Process()
    before = {child.pid for child in me.children(recursive=True)}
    with EmbeddedBroker() as broker:
        settings = load_settings({"TRIGGER_BOOTSTRAP_SERVERS": broker.bootstrap_servers})
        pids = [c.pid for c in me.children(recursive=True) if c.pid not in before]
        folder = broker.folder

        assert AdminClient(admin_config(settings)).list_topics(timeout=60).brokers
        assert broker.start() is broker
        assert len(pids) == 2
        assert folder.exists()

    wait_until_gone(pids)
    assert not folder.exists()
    broker.stop()


def test_records_survive_a_restart_in_a_chosen_folder(tmp_path: Path) -> None:
    """On the same port, so that clients find it again."""
    broker = EmbeddedBroker(tmp_path / "broker")
    with broker:
        address = broker.bootstrap_servers
        settings = load_settings({"TRIGGER_BOOTSTRAP_SERVERS": address})
        create(settings)
        producer = Producer(producer_config(settings))
        for number in range(100):
            producer.produce("orders", b"%d" % number, partition=1)
        assert producer.flush(10) == 0
        del producer
    with broker:
        assert broker.bootstrap_servers == address
        consumer = Consumer(consumer_config(settings))
        try:
            assert consumer.get_watermark_offsets(TopicPartition("orders", 1), 5) == (0, 100)
        finally:
            consumer.close()


STARTER = """
    import os, sys, time
    from app.kafka.embedded_broker import EmbeddedBroker
    broker = EmbeddedBroker().start()
    print(broker.bootstrap_servers, broker.folder, flush=True)
    {then}
"""


def start_elsewhere(then: str) -> tuple["subprocess.Popen[str]", list[int], Path]:
    """A process that starts a broker and does ``then``; its descendants, and the folder."""
    starter = subprocess.Popen(
        [sys.executable, "-c", textwrap.dedent(STARTER).format(then=then)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        cwd=Path(embedded_broker.__file__).parents[2],
    )
    assert starter.stdout is not None
    _, folder = starter.stdout.readline().split()
    pids = [child.pid for child in psutil.Process(starter.pid).children(recursive=True)]
    assert len(pids) == 2
    return starter, pids, Path(folder)


@pytest.mark.parametrize(
    ("then", "number"),
    [
        ("time.sleep(600)", signal.SIGKILL),
        ("time.sleep(600)", signal.SIGTERM),
        ("sys.stdin.readline()", None),
        ("sys.stdin.readline(); os._exit(3)", None),
        ("sys.stdin.readline(); sys.exit('tired')", None),
    ],
)
def test_it_ends_with_its_starter(then: str, number: int | None) -> None:
    """Killed, told to stop, or returning without a word: no process and no folder stays."""
    starter, pids, folder = start_elsewhere(then)
    with starter:
        if number is not None:
            starter.send_signal(number)
        _, errors = starter.communicate("\n", timeout=300)

    wait_until_gone(pids)
    assert "GLIBC" not in errors
    wait_for("the folder's end", lambda: not folder.exists())


@pytest.mark.skipif(sys.platform != "linux", reason="the kernel's help is Linux's")
def test_it_ends_when_its_guard_is_killed() -> None:
    """The kernel stops the broker when the process that guards it is killed."""
    starter, pids, _ = start_elsewhere("sys.stdin.readline()")
    with starter:
        guard = next(p for p in pids if psutil.Process(p).ppid() == starter.pid)
        os.kill(guard, signal.SIGKILL)

        wait_until_gone([pid for pid in pids if pid != guard])

        starter.communicate("\n", timeout=300)


def test_ctrl_c_does_not_reach_it() -> None:
    """A worker that is asked to stop still needs its broker: it is in a session of its own."""
    starter, pids, _ = start_elsewhere("sys.stdin.readline()")
    with starter:
        assert os.getsid(starter.pid) not in {os.getsid(pid) for pid in pids}
        starter.communicate("\n", timeout=300)


def test_a_port_in_use_is_refused() -> None:
    """The error names the port."""
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]

        with pytest.raises(ConfigError, match=f"port {port} cannot be used"):
            EmbeddedBroker(port=port).start()


def test_a_broker_that_ends_at_once_says_why(tmp_path: Path) -> None:
    """The last lines of its log are in the error, the harmless warning is not."""
    (tmp_path / "data").write_text("not a folder")

    with pytest.raises(
        ConfigError, match=r"did not start: it ended with code 1\n  .*error"
    ) as caught:
        EmbeddedBroker(tmp_path).start()
    assert "GLIBC" not in str(caught.value)


def test_without_the_extra_it_says_how_to_install_it(tmp_path: Path) -> None:
    """In a process that has only this project on its path."""
    (tmp_path / "noida_db.py").write_text("raise ModuleNotFoundError('no broker here')")
    root = Path(embedded_broker.__file__).parents[2]
    script = (
        "from app.kafka.embedded_broker import EmbeddedBroker\n"
        "from app.core.errors import ConfigError\n"
        "try:\n    EmbeddedBroker().start()\nexcept ConfigError as exc:\n    print(exc)"
    )
    done = subprocess.run(
        [sys.executable, "-c", script],
        env={**os.environ, "PYTHONPATH": f"{tmp_path}{os.pathsep}{root}"},
        capture_output=True,
        text=True,
        check=True,
        timeout=300,
    )

    assert "pip install '.[demo]'" in done.stdout


def test_it_has_no_address_before_it_is_started() -> None:
    """A port that was never taken would be somebody else's."""
    with pytest.raises(ConfigError, match="start it first"):
        _ = EmbeddedBroker().bootstrap_servers
