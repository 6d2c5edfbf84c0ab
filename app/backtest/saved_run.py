"""The saved end of a backtest, read by ``triggers explain``.

``run.json`` has the rules, their model and now, ``customers.jsonl`` a record a line (a JSON array
as ``app.core.customer.flat`` lays it out), by their ids. Like the send requests they hold personal
data.
"""

from collections.abc import Iterable, Iterator
from operator import attrgetter
from pathlib import Path
from typing import Any, Final

import msgspec
import orjson

from app.core.compile import compile_rules
from app.core.customer import flat
from app.core.customer.record import Customer
from app.core.customer.scoring_model import Model
from app.core.errors import ConfigError
from app.core.rules.model import Rules
from app.version import ENGINE_VERSION

RUN: Final = "run.json"
CUSTOMERS: Final = "customers.jsonl"
DECISIONS: Final = "decisions.jsonl"
_DISPATCH: Final = "dispatch.jsonl"
_BUFFER_BYTES: Final = 1 << 20


class _Run(msgspec.Struct, frozen=True):
    engine_version: str
    now_ms: int | None
    rules_version: str
    rules: dict[str, Any]
    #: what the rules named as their model when they decided
    model: Model | None = None


def save_run(folder: Path, rules: Rules, now_ms: int | None, customers: Iterable[bytes]) -> None:
    """Write both files; ``customers`` are written records."""
    run = _Run(ENGINE_VERSION, now_ms, rules.version, rules.document, rules.model)
    (folder / RUN).write_bytes(msgspec.json.encode(run))
    with (folder / CUSTOMERS).open("wb", buffering=_BUFFER_BYTES) as file:
        file.writelines(customers)


def written_customers(customers: Iterable[Customer]) -> Iterator[tuple[str, bytes]]:
    """Ids and records, a line each, in the order of the ids."""
    for customer in sorted(customers, key=attrgetter("customer_id")):
        yield customer.customer_id, flat.to_json(customer) + b"\n"


def read_customers(path: Path) -> Iterator[Customer]:
    """The records of a ``customers.jsonl``. Raises ConfigError when it is none."""
    for number, line in enumerate(run_lines(path), start=1):
        yield _read_customer(path, number, line)


def _read_customer(path: Path, number: int, line: bytes) -> Customer:
    try:
        return flat.from_json(line)
    except msgspec.DecodeError as exc:
        raise ConfigError(
            f"{path}, line {number}: not a customer record of triggers backtest: {exc}"
        ) from exc


def run_lines(path: Path) -> Iterator[bytes]:
    """The lines of a file of a backtest's folder. Raises ConfigError when it cannot be read."""
    try:
        with path.open("rb", buffering=_BUFFER_BYTES) as file:
            yield from file
    except OSError as exc:
        raise ConfigError(
            f"{path}: cannot be read: {exc.strerror}; expected the --out folder of"
            " triggers backtest"
        ) from exc


class SavedRun:
    """The end of a backtest, read back. Raises ConfigError when the folder holds none."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        try:
            run = msgspec.json.decode((folder / RUN).read_bytes(), type=_Run)
        except OSError as exc:
            raise ConfigError(
                f"{folder / RUN}: cannot be read: {exc.strerror}; expected the --out folder of"
                " triggers backtest"
            ) from exc
        except msgspec.DecodeError as exc:
            raise ConfigError(f"{folder / RUN}: not what triggers backtest wrote: {exc}") from exc
        self.rules = compile_rules(run.rules, version=run.rules_version, model=run.model)
        self.now_ms = run.now_ms or 0

    def customer(self, customer_id: str) -> Customer | None:
        """The record; None for a customer who never had one, or was erased."""
        start = b"[" + msgspec.json.encode(customer_id) + b","
        path = self._folder / CUSTOMERS
        for number, line in enumerate(run_lines(path), start=1):
            if line.startswith(start):
                return _read_customer(path, number, line)
        return None

    def customers(self) -> Iterator[Customer]:
        """All records, by their ids."""
        return read_customers(self._folder / CUSTOMERS)

    def decisions(self, customer_id: str) -> list[dict[str, Any]]:
        """All decisions on the customer, in the order made."""
        return self._of(customer_id, DECISIONS)

    def requests(self, customer_id: str) -> list[dict[str, Any]]:
        """All that channel senders get for the customer, in the order made."""
        return self._of(customer_id, _DISPATCH)

    def _of(self, customer_id: str, name: str) -> list[dict[str, Any]]:
        part = b'"customer_id":' + orjson.dumps(customer_id)
        found = [orjson.loads(line) for line in run_lines(self._folder / name) if part in line]
        return [record for record in found if record["customer_id"] == customer_id]
