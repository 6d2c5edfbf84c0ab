"""The optional packages, and what to do without them."""

from importlib.util import find_spec
from typing import Final

from app.core.errors import ConfigError

#: import name -> name on the package index
_PACKAGES: Final = {
    "duckdb": "duckdb",
    "numpy": "numpy",
    "scipy": "scipy",
    "sklearn": "scikit-learn",
}


def require(command: str) -> None:
    """Raises ConfigError, naming the pip command, when a package is missing."""
    missing = [name for module, name in _PACKAGES.items() if find_spec(module) is None]
    if missing:
        raise ConfigError(
            f"{command} needs {', '.join(missing)}: run"
            " pip install 'trigger-engine[analysis]' (in a checkout: pip install '.[analysis]')"
        )
