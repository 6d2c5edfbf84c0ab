"""What keeps a worker from starting is said in one line, and disturbs no other worker."""

from pathlib import Path

import pytest

from app.settings.model import Settings
from tests.process.conftest import Instance
from tests.process.running import RunningWorker, wait_for


def said(worker: RunningWorker) -> str:
    """The last line, in which the worker says why it does not start."""
    assert "Traceback" not in worker.log
    return worker.log.splitlines()[-1]


def test_a_healthy_start_logs_no_error(instance: Instance) -> None:
    """Nor does a healthy stop."""
    with instance.worker() as worker:
        worker.wait_until_ready()
        assert worker.stop() == 0
        assert " ERROR " not in worker.log
        assert "Traceback" not in worker.log


@pytest.mark.parametrize("broker", ["embedded"], indirect=True)
def test_a_data_directory_that_is_a_file(instance: Instance, tmp_path: Path) -> None:
    """A wrong setting: exit code 2."""
    (tmp_path / "file").write_bytes(b"")
    with instance.worker(TRIGGER_DATA_DIR=str(tmp_path / "file")) as worker:
        assert worker.wait() == 2
        assert "TRIGGER_DATA_DIR" in said(worker)


@pytest.mark.parametrize("broker", ["embedded"], indirect=True)
def test_a_data_directory_in_use_leaves_its_worker_undisturbed(instance: Instance) -> None:
    """The second worker ends with 1 before it joins the group."""
    with instance.worker() as first:
        first.wait_until_ready()
        with instance.worker(TRIGGER_INSTANCE_ID="another") as second:
            assert second.wait() == 1
            assert "in use by another worker" in said(second)
        assert first.get("/ready")[0] == 200
        assert first.log.count("action=assigned") == 1


@pytest.mark.parametrize("broker", ["kafka"], indirect=True)
def test_tls_to_a_plain_port_is_named_as_the_cause(instance: Instance) -> None:
    """Not only that no broker answers."""
    with instance.worker(TRIGGER_SECURITY_PROTOCOL="SSL") as worker:
        assert worker.wait() == 1
        assert "SSL" in said(worker)
        assert "PLAINTEXT" in said(worker)


@pytest.mark.parametrize("broker", ["kafka"], indirect=True)
def test_of_two_workers_with_one_instance_id_one_ends_and_names_the_setting(
    instance: Instance, settings: Settings, tmp_path: Path
) -> None:
    """It ends with 1, most often the older one; the other goes on."""
    variables = {
        "TRIGGER_DATA_DIR": str(tmp_path / "other"),
        "TRIGGER_RULES": str(tmp_path / "rules.yaml"),
    }
    with instance.worker() as older:
        older.wait_until_ready()
        with RunningWorker(settings, tmp_path / "newer.log", variables) as newer:
            both = {older, newer}
            wait_for("end of one", lambda: any(each.process.poll() is not None for each in both))
            (ended,) = (each for each in both if each.process.poll() is not None)
            assert ended.wait() == 1
            assert "TRIGGER_INSTANCE_ID" in ended.log
            (left,) = both - {ended}
            left.wait_until_ready()
            assert left.stop() == 0
