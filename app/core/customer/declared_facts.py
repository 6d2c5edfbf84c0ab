"""Facts that a rules file derives from events (spec section 5, ``facts:``).

A fact goes by event time, whatever the order of arrival: of one time, the later to arrive is the
newer. It is exact up to ``MAX_FACT_VALUES`` values. Beyond, a rolling one counts the older values
by whole days (UTC), each as long as any of the day is inside the window, and ``distinct`` counts
the newest of as many different values.
"""

from bisect import bisect_right
from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from math import isfinite
from typing import Any, Final

from app.core.customer.limits import MAX_FACT_BYTES, MAX_FACT_DAYS, MAX_FACT_VALUES
from app.core.customer.parts import FactDay, FactState
from app.core.customer.record import Customer
from app.core.numbers import Number
from app.core.time.instants import DAY_MS

#: Shorter texts cannot fill MAX_FACT_BYTES.
_LONG_BYTES: Final = MAX_FACT_BYTES // MAX_FACT_VALUES
#: No text of so few characters is longer in UTF-8.
_SHORT_CHARS: Final = _LONG_BYTES // 4
_DECIMALS: Final = 6
#: What msgpack and JSON have integers for.
_LEAST_INT: Final = -(1 << 63)
_MOST_INT: Final = (1 << 64) - 1

#: (data of an event, its time) -> the values that it adds, the oldest first
ValuesOf = Callable[[dict[str, Any], int], tuple[Any, ...]]
#: (data of an event, customer, now) -> whether it counts
Filter = Callable[[dict[str, Any], Customer, int], bool]


def _time_of(value: tuple[int, Any]) -> int:
    return value[0]


def _insert(values: list[tuple[int, Any]], occurred_ms: int, value: Any) -> None:
    """Put a value in its place: after those of the same time."""
    if not values or values[-1][0] <= occurred_ms:
        values.append((occurred_ms, value))
    else:
        values.insert(bisect_right(values, occurred_ms, key=_time_of), (occurred_ms, value))


def _bound_text(values: list[tuple[int, Any]], added: Any) -> None:
    if type(added) is not str or len(added) <= _SHORT_CHARS:
        return
    if _text_bytes(added) > _LONG_BYTES:
        size = sum(_text_bytes(value) for _, value in values)
        while size > MAX_FACT_BYTES and len(values) > 1:
            _, gone = values.pop(0)
            size -= _text_bytes(gone)


def _text_bytes(value: object) -> int:
    if not isinstance(value, str):
        return 0
    return len(value) if value.isascii() else len(value.encode("utf-8", "surrogatepass"))


@dataclass(frozen=True, slots=True, kw_only=True)
class DeclaredFact:
    """One fact: which values of which events it takes, and what it says of them at a now.

    ``definition`` is a hash of all this: a fact that is defined otherwise starts anew.
    """

    name: str
    #: the event type that it takes
    type: str
    definition: str
    values_of: ValuesOf
    when: Filter | None
    #: rolling: only values at t > now - ``within_ms`` count
    within_ms: int | None

    def take(self, customer: Customer, occurred_ms: int, data: dict[str, Any], now_ms: int) -> None:
        """Take an event of the fact's type into the record."""
        if self.when is not None and not self.when(data, customer, now_ms):
            return
        values = self.values_of(data, occurred_ms)
        if values:
            state = customer.facts.get(self.name)
            if state is None:
                state = customer.facts[self.name] = FactState()
            self.add(state, occurred_ms, values, now_ms)

    def value(self, customer: Customer, now_ms: int) -> Any:
        """What ``customer.NAME`` is; None when nothing is known."""
        if self.name not in customer.facts:
            return self.nothing
        return self.found(customer.facts[self.name], now_ms)

    @property
    def nothing(self) -> Any:
        """What the fact says of no values."""
        return None

    def add(self, state: FactState, occurred_ms: int, values: tuple[Any, ...], now_ms: int) -> None:
        """Take values of one event."""
        raise NotImplementedError

    def absorb(self, own: FactState, other: FactState, now_ms: int) -> FactState:
        """What both have gathered, when two customers become one; of one time ``own`` is newer.

        Either may be changed.
        """
        for occurred_ms, value in own.values:
            self.add(other, occurred_ms, (value,), now_ms)
        return other

    def found(self, state: FactState, now_ms: int) -> Any:
        """What the fact says at ``now_ms``."""
        raise NotImplementedError

    def _inside(self, state: FactState, now_ms: int) -> list[Any]:
        """The values that count, the oldest first."""
        if self.within_ms is None:
            return [value for _, value in state.values]
        after_ms = now_ms - self.within_ms
        return [value for at_ms, value in state.values if at_ms > after_ms]


@dataclass(frozen=True, slots=True, kw_only=True)
class Newest(DeclaredFact):
    """``last`` (with ``keep`` a list of different values, the newest first) and ``distinct``."""

    limit: int
    is_list: bool = False
    is_count: bool = False

    def add(self, state: FactState, occurred_ms: int, values: tuple[Any, ...], now_ms: int) -> None:
        if self.limit == 1:
            if not state.values or state.values[0][0] <= occurred_ms:
                state.values = [(occurred_ms, values[-1])]
            return
        for value in values:
            self._add_one(state.values, occurred_ms, value)

    def _add_one(self, known: list[tuple[int, Any]], occurred_ms: int, value: Any) -> None:
        """A value that is known moves to its newest place."""
        for index, (at_ms, other) in enumerate(known):
            if other == value and (type(other) is bool) == (type(value) is bool):
                if at_ms > occurred_ms:
                    return
                del known[index]
                break
        _insert(known, occurred_ms, value)
        if len(known) > self.limit:
            del known[0]
        _bound_text(known, value)

    def found(self, state: FactState, now_ms: int) -> Any:
        inside = self._inside(state, now_ms)
        if self.is_count:
            return len(inside)
        if self.is_list:
            return inside[::-1] or None
        return inside[-1] if inside else None


@dataclass(frozen=True, slots=True, kw_only=True)
class Distinct(Newest):
    """``distinct``: how many different values."""

    @property
    def nothing(self) -> Any:
        return 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Most(DeclaredFact):
    """``most``: the most frequent of the last values; of a tie the newer."""

    def add(self, state: FactState, occurred_ms: int, values: tuple[Any, ...], now_ms: int) -> None:
        for value in values:
            _insert(state.values, occurred_ms, value)
            if len(state.values) > MAX_FACT_VALUES:
                del state.values[0]
            _bound_text(state.values, value)

    def found(self, state: FactState, now_ms: int) -> Any:
        # true is not 1; of equals the first counted comes first, here the newest
        inside = [(type(value) is bool, value) for value in self._inside(state, now_ms)[::-1]]
        return Counter(inside).most_common(1)[0][0][1] if inside else None


@dataclass(frozen=True, slots=True, kw_only=True)
class First(DeclaredFact):
    """``first`` of all times."""

    def add(self, state: FactState, occurred_ms: int, values: tuple[Any, ...], now_ms: int) -> None:
        if not state.values or occurred_ms < state.values[0][0]:
            state.values = [(occurred_ms, values[0])]

    def absorb(self, own: FactState, other: FactState, now_ms: int) -> FactState:
        return DeclaredFact.absorb(self, other, own, now_ms)

    def found(self, state: FactState, now_ms: int) -> Any:
        return state.values[0][1] if state.values else None


@dataclass(frozen=True, slots=True, kw_only=True)
class CountAll(DeclaredFact):
    """``count`` of all times."""

    @property
    def nothing(self) -> Any:
        return 0

    def add(self, state: FactState, occurred_ms: int, values: tuple[Any, ...], now_ms: int) -> None:
        state.count += len(values)

    def absorb(self, own: FactState, other: FactState, now_ms: int) -> FactState:
        own.count += other.count
        return own

    def found(self, state: FactState, now_ms: int) -> Any:
        return state.count


@dataclass(frozen=True, slots=True, kw_only=True)
class Total(DeclaredFact):
    """``sum mean min max`` of all times."""

    op: str

    def add(self, state: FactState, occurred_ms: int, values: tuple[Any, ...], now_ms: int) -> None:
        op, total, count = self.op, state.total, state.count
        for value in values:
            if op == "sum" or op == "mean":
                total = _sum(total, value)
            elif count == 0 or (value < total if op == "min" else value > total):
                total = value
            count += 1
        state.total, state.count = total, count

    def absorb(self, own: FactState, other: FactState, now_ms: int) -> FactState:
        if other.count:
            count = own.count + other.count
            self.add(own, 0, (other.total,), now_ms)
            own.count = count
        return own

    def found(self, state: FactState, now_ms: int) -> Any:
        return _finite(state.total / state.count if self.op == "mean" else state.total)


@dataclass(frozen=True, slots=True, kw_only=True)
class Rolling(DeclaredFact):
    """``count sum mean min max first`` within a time."""

    op: str

    def add(self, state: FactState, occurred_ms: int, values: tuple[Any, ...], now_ms: int) -> None:
        assert self.within_ms is not None
        after_ms = now_ms - self.within_ms
        known = state.values
        for value in values:
            if not known or known[-1][0] <= occurred_ms:
                known.append((occurred_ms, value))
            else:
                _insert(known, occurred_ms, value)
            if known[0][0] <= after_ms:
                del known[: bisect_right(known, after_ms, key=_time_of)]
            elif len(known) > MAX_FACT_VALUES:
                _fold(state.days, *known.pop(0))
            _bound_text(known, value)
        days = state.days
        while days and (days[0].day + 1) * DAY_MS <= after_ms:
            del days[0]

    def absorb(self, own: FactState, other: FactState, now_ms: int) -> FactState:
        for day in own.days:
            _add_day(other.days, day)
        return DeclaredFact.absorb(self, own, other, now_ms)

    def value(self, customer: Customer, now_ms: int) -> Any:
        state = customer.facts.get(self.name)
        return self.found(_NO_VALUES if state is None else state, now_ms)

    def found(self, state: FactState, now_ms: int) -> Any:
        assert self.within_ms is not None
        inside = self._inside(state, now_ms)
        after_ms = now_ms - self.within_ms
        days = [day for day in state.days if (day.day + 1) * DAY_MS > after_ms]
        count = len(inside) + sum(day.count for day in days)
        if self.op == "count":
            return count
        if count == 0:
            return None
        if self.op == "first":
            oldest = [day.first for day in days[:1]]
            oldest += [value for value in state.values if value[0] > after_ms][:1]
            return min(oldest, key=_time_of)[1]
        if self.op == "min":
            return min([*inside, *(day.least for day in days)])
        if self.op == "max":
            return max([*inside, *(day.most for day in days)])
        total: Number = 0
        for value in (*(day.total for day in days), *inside):
            total = _sum(total, value)
        return _finite(total / count if self.op == "mean" else total)


_NO_VALUES: Final = FactState()


def _fold(days: list[FactDay], at_ms: int, value: Any) -> None:
    """Add a value to its day; beyond MAX_FACT_DAYS the oldest two become one."""
    number = value if type(value) in (int, float) else 0
    _add_day(days, FactDay(at_ms // DAY_MS, 1, number, number, number, (at_ms, value)))


def _add_day(days: list[FactDay], added: FactDay) -> None:
    index = bisect_right(days, added.day, key=lambda each: each.day)
    if index and days[index - 1].day == added.day:
        _add_to_day(days[index - 1], added)
        return
    days.insert(index, added)
    if len(days) > MAX_FACT_DAYS:
        oldest = days.pop(0)
        _add_to_day(days[0], oldest)


def _add_to_day(day: FactDay, added: FactDay) -> None:
    day.count += added.count
    day.total = _sum(day.total, added.total)
    day.least, day.most = min(day.least, added.least), max(day.most, added.most)
    day.first = min(day.first, added.first, key=_time_of)


def _sum(one: Any, other: Any) -> Any:
    """Both, rounded: an integer while both are, as far as records and messages have integers.

    ``Any``: of numbers that are ``float | int`` compiled code would make a ``float``.
    """
    total = round(one + other, _DECIMALS)
    is_held = type(total) is float or _LEAST_INT <= total <= _MOST_INT
    return total if is_held else float(total)


def _finite(value: Number) -> Number | None:
    return value if isfinite(value) else None


def forget_undeclared(
    customer: Customer, version: str, definitions: Mapping[str, DeclaredFact]
) -> None:
    """Drop what other declarations gathered; a fact that stayed the same goes on.

    ``Customer.facts_version`` is ``NAME=DEFINITION`` of each declared fact, separated by spaces.
    """
    before = dict(each.split("=") for each in customer.facts_version.split())
    customer.facts = {
        name: state
        for name, state in customer.facts.items()
        if name in definitions and before.get(name) == definitions[name].definition
    }
    customer.facts_version = version


def under(customer: Customer, version: str, definitions: Mapping[str, DeclaredFact]) -> Customer:
    """The record as these declarations know it; the one that is given stays as it is."""
    if customer.facts_version == version:
        return customer
    known = customer.copy()
    forget_undeclared(known, version, definitions)
    return known


def merge_facts(
    customer: Customer,
    gone: Customer,
    version: str,
    definitions: Mapping[str, DeclaredFact],
    now_ms: int,
) -> None:
    """Put what the facts of ``gone`` have gathered into those of ``customer``."""
    for one in (customer, gone):
        if one.facts_version != version:
            forget_undeclared(one, version, definitions)
    for name, state in gone.facts.items():
        own = customer.facts.get(name)
        both = state if own is None else definitions[name].absorb(own, state, now_ms)
        customer.facts[name] = both
