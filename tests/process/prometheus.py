"""A Prometheus under test: the real server, on loopback, with the real rules in a hurry."""

import json
import re
import subprocess
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, Final, Self
from urllib.parse import urlencode
from urllib.request import urlopen

from tests.needs import program
from tests.process.running import wait_for
from tests.process.test_worker_explain import free_ports

RULES: Final = Path(__file__).parents[2] / "deploy" / "prometheus" / "rules.yaml"

_SECONDS: Final = {"s": 1, "m": 60, "h": 3600, "d": 86_400, "w": 604_800}
#: where a rules file says how long: a wait, a range, its step, an offset; a threshold in seconds
_DURATION: Final = re.compile(r"(for: |\[|offset |(?<=\d[smhdw]):)(\d+)([smhdw])")
_THRESHOLD: Final = re.compile(r"(_seconds\)? > |\], )(\d+)")
#: No scrape may take longer than its interval: one that does is a target that is down.
_CONFIG: Final = """\
global: {scrape_interval: 1s, evaluation_interval: 500ms}
rule_files: [rules.yaml]
scrape_configs:
  - job_name: triggers
    static_configs: [{targets: [TARGETS]}]
"""
#: Between two looks at its alerts.
_LOOK_S: Final = 0.5
#: For an answer of a server on a busy machine.
_ANSWER_S: Final = 60.0


def _nothing() -> None:
    """The cause of an alert that lasts."""


def require_prometheus() -> None:
    """Skip the test where there is no Prometheus."""
    for name in ("prometheus", "promtool"):
        program("prometheus", name)


def hurried(rules: str, factor: int) -> str:
    """The same rules with every duration divided by ``factor``, and nothing else changed."""

    def duration(found: re.Match[str]) -> str:
        ms = int(found[2]) * _SECONDS[found[3]] * 1000 // factor
        return f"{found[1]}{ms}ms"

    def threshold(found: re.Match[str]) -> str:
        return f"{found[1]}{int(found[2]) / factor:g}"

    return _THRESHOLD.sub(threshold, _DURATION.sub(duration, rules))


def write_config(folder: Path, targets: Sequence[str], rules: str) -> Path:
    """Make the folder, with a configuration that scrapes ``targets`` (host:port) every second and
    evaluates ``rules``.
    """
    folder.mkdir()
    (folder / "rules.yaml").write_text(rules)
    config = folder / "config.yaml"
    config.write_text(_CONFIG.replace("TARGETS", ", ".join(targets)))
    return config


class RunningPrometheus:
    """Runs with the configuration file, which it keeps its data beside, inside ``with``."""

    def __init__(self, config: Path, lookback_s: int = 300) -> None:
        self._config = config
        self._folder = config.parent
        self._lookback_s = lookback_s

    def __enter__(self) -> Self:
        (port,) = free_ports(1)
        self._url = f"http://127.0.0.1:{port}"
        with (self._folder / "prometheus.log").open("wb") as log:
            self._process = subprocess.Popen(
                [
                    "prometheus",
                    f"--config.file={self._config}",
                    f"--storage.tsdb.path={self._folder / 'data'}",
                    f"--web.listen-address=127.0.0.1:{port}",
                    f"--query.lookback-delta={self._lookback_s}s",
                    "--log.level=warn",
                ],
                cwd=self._folder,
                stdout=log,
                stderr=log,
            )
        wait_for(f"Prometheus answers\n{self.log}", self._is_up)
        return self

    def __exit__(self, *_: object) -> None:
        self._process.kill()
        self._process.wait()

    @property
    def log(self) -> str:
        """What it has complained about."""
        return (self._folder / "prometheus.log").read_text(errors="replace")

    def query(self, promql: str) -> list[dict[str, Any]]:
        """The series that the query returns now. AssertionError when it cannot be parsed."""
        return self._get("query", query=promql)["result"]  # type: ignore[no-any-return]

    def rules(self) -> list[dict[str, Any]]:
        """All rules that were loaded, with their health."""
        return [rule for group in self._get("rules")["groups"] for rule in group["rules"]]

    def alerts(self) -> dict[str, dict[str, Any]]:
        """The alerts that fire now, by name; of several with one name the last."""
        found = self._get("alerts")["alerts"]
        return {each["labels"]["alertname"]: each for each in found if each["state"] == "firing"}

    def wait_for_alert(self, name: str, cause: Callable[[], None] = _nothing) -> dict[str, Any]:
        """The alert, once it fires; ``cause`` sets it off again before each look.

        What happens once is not seen where a busy machine scrapes too seldom.
        """

        def firing() -> dict[str, Any] | None:
            cause()
            return self.alerts().get(name)

        found: dict[str, Any] = wait_for(f"{name} fires", firing, poll_s=_LOOK_S)
        return found

    def wait_for_silence(self) -> None:
        """Until a worker is scraped, and no alert fires."""
        wait_for(
            "no alert fires",
            lambda: self.query("trigger_ready == 1") and not self.alerts(),
            poll_s=_LOOK_S,
        )

    def _get(self, what: str, **parameters: str) -> Any:
        url = f"{self._url}/api/v1/{what}?{urlencode(parameters)}"
        try:
            with urlopen(url, timeout=_ANSWER_S) as answer:
                return json.load(answer)["data"]
        except OSError as exc:
            raise AssertionError(f"{url}: {exc}: {_text(exc)}") from exc

    def _is_up(self) -> bool:
        assert self._process.poll() is None, self.log
        try:
            with urlopen(f"{self._url}/-/ready", timeout=2) as answer:
                return bool(answer.status == 200)
        except OSError:
            return False


def _text(error: OSError) -> str:
    read = getattr(error, "read", None)
    return read().decode() if read else ""
