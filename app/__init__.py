"""The trigger engine: configuration, transport, processing, command line."""

from pathlib import Path


def _refuse_pytables(folder: Path) -> None:
    """PyTables installs a package ``tables`` too: in one folder, one has overwritten the other.

    Raises ImportError.
    """
    for found in folder.glob("tables-*.dist-info"):
        raise ImportError(
            f"trigger-engine and PyTables ({found.stem}) are installed in one environment,"
            f" {folder}, and both have a package `tables`: install trigger-engine into an"
            " environment of its own (python3 -m venv, or pipx), or use its image"
        )


_refuse_pytables(Path(__file__).parents[1])

from app.compiled import obey_environment  # noqa: E402 (what stands above says more than its error)

obey_environment()
