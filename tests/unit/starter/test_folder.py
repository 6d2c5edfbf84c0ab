"""``triggers init``: what it writes works, and what is there is left alone."""

import gzip
import json
import re
import shlex
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import jsonschema
import pytest
from ruamel.yaml import YAML

from app.cli import main
from tests.needs import program

_ROOT = Path(__file__).parents[3]
_SCHEMA = Path(__file__).with_name("compose-spec.schema.json.gz")


@pytest.fixture
def folder(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> Path:
    """A folder that the command has written."""
    path = tmp_path / "shop"
    assert main(["init", str(path)]) == 0
    assert f"wrote {path / 'rules.yaml'}\n" in capsys.readouterr().out
    return path


def read_yaml(path: Path) -> Any:
    """The document in the file."""
    return YAML(typ="safe", pure=True).load(path)


def test_a_folder_with_files_is_refused(
    folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """With 2, what to do, and every file as it was; a file in the folder's place too."""
    rules = folder / "rules.yaml"
    rules.write_text("mine")
    assert main(["init", str(folder)]) == 2
    assert f"{folder}: expected a new or an empty folder" in capsys.readouterr().err
    assert main(["init", str(rules)]) == 2
    assert f"{rules}: expected a folder, got a file" in capsys.readouterr().err
    assert rules.read_text() == "mine"


def test_an_empty_folder_is_filled(tmp_path: Path) -> None:
    """As a fresh repository's is."""
    assert main(["init", str(tmp_path)]) == 0
    assert (tmp_path / "compose.yaml").is_file()


def test_the_rehearsals_of_its_readme_work(
    folder: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Each command of the first two blocks, in the folder; Ann is explained."""
    monkeypatch.chdir(folder)
    blocks = re.findall(r"```sh\n(.*?)```", (folder / "README.md").read_text(), re.DOTALL)
    commands = [shlex.split(line) for block in blocks[:2] for line in block.splitlines()]
    assert [words[1] for words in commands if words[0] == "triggers"] == [
        *("validate", "backtest", "explain", "plan")
    ]
    for words in commands:
        if words[0] == "cp":
            shutil.copy(*words[1:])
        else:
            assert main(words[1:]) == 0
    shown = capsys.readouterr().out
    assert "sent by" in shown
    assert "in quiet hours" in shown
    assert (folder / "out" / "dead-letters.jsonl").read_text() == ""


def test_editors_find_the_schema(folder: Path) -> None:
    """The first line of the rules names a schema file in the same folder."""
    first = (folder / "rules.yaml").read_text().splitlines()[0]
    name = first.removeprefix("# yaml-language-server: $schema=")
    jsonschema.validate(read_yaml(folder / "rules.yaml"), json.loads((folder / name).read_text()))


def test_the_compose_file_follows_the_specification(folder: Path) -> None:
    """Its schema, ports on this machine only, and folders that are there."""
    compose = read_yaml(folder / "compose.yaml")
    schema = json.loads(gzip.decompress(_SCHEMA.read_bytes()))
    jsonschema.Draft7Validator(schema).validate(compose)
    services = compose["services"]
    assert set(services) == {"kafka", "topics", "engine", "prometheus", "grafana"}
    for service in services.values():
        assert all(port.startswith("127.0.0.1:") for port in service.get("ports", []))
        for volume in service.get("volumes", []):
            source = volume.split(":")[0]
            assert source in compose["volumes"] or (folder / source).is_dir()


def test_prometheus_and_grafana_get_what_ships(folder: Path) -> None:
    """The alerts and dashboards of the project, byte for byte."""
    config = read_yaml(folder / "prometheus" / "prometheus.yaml")
    (alerts,) = config["rule_files"]
    deployed = _ROOT / "deploy" / "prometheus" / "rules.yaml"
    assert (folder / "prometheus" / alerts).read_bytes() == deployed.read_bytes()
    for name in ("operations", "business"):
        written = folder / "grafana" / "dashboards" / f"{name}.json"
        deployed = _ROOT / "deploy" / "dashboards" / f"{name}.json"
        assert written.read_bytes() == deployed.read_bytes()
        assert read_yaml(written.parent / "dashboards.yaml")["providers"][0]["type"] == "file"
    (source,) = read_yaml(folder / "grafana" / "datasources" / "prometheus.yaml")["datasources"]
    assert source["type"] == "prometheus"


@pytest.mark.needs_prometheus
def test_prometheus_takes_its_configuration(folder: Path) -> None:
    """With the alert rules that it names."""
    promtool = program("prometheus", "promtool")
    config = folder / "prometheus" / "prometheus.yaml"
    done = subprocess.run(
        [promtool, "check", "config", str(config)], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    assert "rules found" in done.stdout


def test_the_files_are_those_of_the_package() -> None:
    """What hatch copies into a wheel is named in pyproject.toml as the code looks for it."""
    text = (_ROOT / "pyproject.toml").read_text()
    sources = re.findall(r'^"(deploy/\S+)" = "app/starter/files/(\S+)"$', text, re.MULTILINE)
    assert {target for _, target in sources} == {"alerts.yaml", "operations.json", "business.json"}
    assert all((_ROOT / source).is_file() for source, _ in sources)


def test_it_runs_as_a_program(tmp_path: Path) -> None:
    """In a process of its own."""
    done = subprocess.run(
        [sys.executable, "-m", "app.cli", "init", str(tmp_path / "new")],
        cwd=_ROOT,
        capture_output=True,
        text=True,
        check=True,
    )
    assert done.stdout.count("wrote ") == 11
