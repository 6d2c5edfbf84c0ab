"""The folder of a worker's state: what is wrong with it is said before Kafka is asked anything."""

import os
import stat
from collections.abc import Iterator
from pathlib import Path

import pytest

from app.core.errors import ConfigError, InfrastructureError
from app.live.data_dir import DataDir


def modes(folder: Path) -> set[int]:
    return {stat.S_IMODE(each.stat().st_mode) for each in [folder, *folder.rglob("*")]}


@pytest.fixture(autouse=True)
def _umask() -> Iterator[None]:
    before = os.umask(0o022)
    yield
    os.umask(before)


def test_state_is_for_its_user_alone(tmp_path: Path) -> None:
    """Files of an earlier release too."""
    old = tmp_path / "data" / "customers-0"
    old.mkdir(parents=True)
    (old / "000001.sst").write_bytes(b"x")
    DataDir(tmp_path / "data").release()
    (tmp_path / "data" / "new").write_bytes(b"")
    assert modes(tmp_path / "data") == {0o700, 0o600}


def test_a_folder_in_use_is_refused_until_it_is_free(tmp_path: Path) -> None:
    """The error names the setting."""
    first = DataDir(tmp_path)
    with pytest.raises(InfrastructureError, match=r"TRIGGER_DATA_DIR: .* in use by another worker"):
        DataDir(tmp_path)
    first.release()
    DataDir(tmp_path).release()


def test_what_cannot_be_a_folder_is_a_wrong_setting(tmp_path: Path) -> None:
    """A file in its place, and a folder below a file."""
    (tmp_path / "file").write_bytes(b"")
    for path in (tmp_path / "file", tmp_path / "file" / "below"):
        with pytest.raises(ConfigError, match=r"TRIGGER_DATA_DIR: got .* expected a folder"):
            DataDir(path)


def test_a_full_volume_is_reported(tmp_path: Path) -> None:
    """A device on which every write finds no space stands for the volume."""
    (tmp_path / "probe").symlink_to("/dev/full")
    with pytest.raises(InfrastructureError, match=r"the volume of .* is full"):
        DataDir(tmp_path)
    DataDir(tmp_path).release()
