"""Customers that a history merges: one process of a backtest has to decide for all of them."""

from collections.abc import Callable, Hashable, Iterable, Iterator
from typing import Final, TypeVar

from app.backtest.history import read_arrival
from app.core.errors import ConfigError
from app.core.events import MERGE, Event, into_of

#: A line with neither of them is no merge: JSON may spell the type with escapes.
_TYPE: Final = MERGE.encode()
_ESCAPE: Final = b"\\u"

Name = TypeVar("Name", bound=Hashable)
#: A customer, and the one that they are merged into
Merge = tuple[str, str]


def find_merges(lines: Iterable[bytes]) -> Iterator[Merge]:
    """The merges in a history, one for each ``customer_merged`` that names two customers."""
    for number, line in enumerate(lines, start=1):
        if _TYPE in line or _ESCAPE in line:
            event = read_arrival(line, number).content
            if isinstance(event, Event) and (into := into_of(event)) is not None:
                yield event.customer_id, into


def without_merges(lines: Iterable[bytes], name: str) -> Iterator[bytes]:
    """The lines of what cannot be read twice. Raises ConfigError at a merge, which is known too
    late there.
    """
    for number, line in enumerate(lines, start=1):
        if any(find_merges([line])):
            raise ConfigError(
                f"{name}, line {number}: expected no customer_merged where several processes decide"
                " and the history cannot be read twice, got one; use --jobs 1, or a file"
            )
        yield line


def joined(merges: Iterable[Merge], name_of: Callable[[str], Name]) -> dict[Name, Name]:
    """The name that stands for each name in a merge: the same for all that merges connect."""
    parents: dict[Name, Name] = {}

    def root(name: Name) -> Name:
        parents.setdefault(name, name)
        while parents[name] != name:
            parents[name] = parents[parents[name]]
            name = parents[name]
        return name

    for customer_id, into in merges:
        parents[root(name_of(customer_id))] = root(name_of(into))
    return {name: root(name) for name in list(parents)}
