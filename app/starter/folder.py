"""Writes the starter folder: rules, a history, and a compose file with all services."""

from pathlib import Path
from typing import Final

from app.core.errors import ConfigError

_APP: Final = Path(__file__).parents[1]
_FILES: Final = Path(__file__).parent / "files"
_DEPLOY: Final = _APP.parent / "deploy"
#: where each file goes, from where; of two places the installed one, then the checkout's
_SOURCES: Final[dict[str, tuple[Path, ...]]] = {
    "README.md": (_FILES / "README.md",),
    "rules.yaml": (_FILES / "rules.yaml",),
    "rules.schema.json": (_APP / "rules_file" / "rules.schema.json",),
    "history.jsonl": (_FILES / "history.jsonl",),
    "compose.yaml": (_FILES / "compose.yaml",),
    "prometheus/prometheus.yaml": (_FILES / "prometheus.yaml",),
    "prometheus/alerts.yaml": (_FILES / "alerts.yaml", _DEPLOY / "prometheus" / "rules.yaml"),
    "grafana/datasources/prometheus.yaml": (_FILES / "datasource.yaml",),
    "grafana/dashboards/dashboards.yaml": (_FILES / "dashboards.yaml",),
    "grafana/dashboards/operations.json": (
        _FILES / "operations.json",
        _DEPLOY / "dashboards" / "operations.json",
    ),
    "grafana/dashboards/business.json": (
        _FILES / "business.json",
        _DEPLOY / "dashboards" / "business.json",
    ),
}


def write_starter(folder: Path) -> list[Path]:
    """Write the files into ``folder``, which is made or empty, and return their paths.

    Raises ConfigError when the folder holds something, is a file or cannot be written.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True)
        if any(folder.iterdir()):
            raise ConfigError(
                f"{folder}: expected a new or an empty folder, got one with files; nothing was"
                " written: name another folder"
            )
        return [_copy(sources, folder / name) for name, sources in _SOURCES.items()]
    except FileExistsError:
        raise ConfigError(f"{folder}: expected a folder, got a file; name another one") from None
    except OSError as exc:
        raise ConfigError(f"{exc.filename}: the folder cannot be written: {exc.strerror}") from exc


def _copy(sources: tuple[Path, ...], target: Path) -> Path:
    source = next((path for path in sources if path.exists()), sources[-1])
    target.parent.mkdir(parents=True, exist_ok=True)
    target.write_bytes(source.read_bytes())
    return target
