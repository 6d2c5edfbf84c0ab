"""Two rules files, compared by what they mean: spelling and written-out defaults are no change."""

from collections.abc import Iterator, Mapping
from typing import Any, Final

import msgspec

from app.core.rules.model import DEFAULT_CHANNELS, DEFAULT_PRIORITY, Rules
from app.core.time.durations import parse_duration_ms

Document = Mapping[str, Any]
_STEP_FIELDS: Final = ("after", "template", "channels", "send_time")
#: Lists whose order says nothing, and that may be one bare value.
_SETS: Final = frozenset({"on", "start", "since", "cancel"})
_DEFAULTS: Final[Document] = {
    "category": "marketing",
    "priority": DEFAULT_PRIORITY,
    "expires": "24h",
    "cancel": [],
}


class FieldChange(msgspec.Struct, frozen=True):
    """One field by its path, before and after; None stands for not there."""

    path: str
    before: Any
    after: Any


class RulesDiff(msgspec.Struct, frozen=True):
    """Triggers by name, and what else of the file means something else now."""

    new: list[str]
    gone: list[str]
    changed: dict[str, list[FieldChange]]
    others: list[FieldChange]
    #: facts that are new or defined otherwise: they start with the first event read under NEW
    facts_from_nothing: list[str]

    @property
    def is_empty(self) -> bool:
        """Whether the two files mean the same."""
        return not (self.new or self.gone or self.changed or self.others)


def diff_rules(old: Rules, new: Rules) -> RulesDiff:
    """What NEW says that OLD does not. Both are valid."""
    before, after = _triggers(old), _triggers(new)
    changed = {
        name: changes
        for name in sorted(before.keys() & after.keys())
        if (changes := list(_changes("", before[name], after[name])))
    }
    return RulesDiff(
        new=sorted(after.keys() - before.keys()),
        gone=sorted(before.keys() - after.keys()),
        changed=changed,
        others=list(_changes("", _others(old), _others(new))),
        facts_from_nothing=[
            name
            for name, fact in new.facts.items()
            if name not in old.facts or old.facts[name].definition != fact.definition
        ],
    )


def _triggers(rules: Rules) -> dict[str, Document]:
    return {
        name: _written_out(name, body) for name, body in rules.document.get("triggers", {}).items()
    }


def _written_out(name: str, body: Document) -> Document:
    """A trigger with its defaults, always with ``steps``."""
    full = {**_DEFAULTS, "family": name, **body}
    if "steps" not in full:
        full["steps"] = [{field: full.pop(field) for field in _STEP_FIELDS if field in full}]
    full["steps"] = [{"after": "0s", **step} for step in full["steps"]]
    for field in _SETS & full.keys():
        value = full[field]
        items = [value] if isinstance(value, str | Mapping) else value
        has_conditions = any(isinstance(item, Mapping) for item in items)
        full[field] = items if has_conditions else sorted(set(items))
    return full


def _others(rules: Rules) -> Document:
    full = {"timezone": "UTC", "channels": DEFAULT_CHANNELS, **rules.document}
    return {name: value for name, value in full.items() if name not in ("triggers", "version")}


def _changes(path: str, before: Any, after: Any) -> Iterator[FieldChange]:
    if isinstance(before, Mapping) and isinstance(after, Mapping):
        for name in dict.fromkeys([*before, *after]):
            inner = f"{path}.{name}" if path else str(name)
            yield from _changes(inner, before.get(name), after.get(name))
    elif _is_list_of_objects(before) and _is_list_of_objects(after):
        for index in range(max(len(before), len(after))):
            yield from _changes(f"{path}[{index}]", _at(before, index), _at(after, index))
    elif not _is_same(before, after):
        yield FieldChange(path, before, after)


def _is_list_of_objects(value: Any) -> bool:
    return isinstance(value, list) and all(isinstance(item, Mapping) for item in value)


def _at(values: list[Any], index: int) -> Any:
    return values[index] if index < len(values) else None


def _is_same(before: Any, after: Any) -> bool:
    if before == after:
        return isinstance(before, bool) == isinstance(after, bool)
    try:
        return parse_duration_ms(before) == parse_duration_ms(after)
    except ValueError:
        return False
