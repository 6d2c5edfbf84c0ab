"""Events: the built-in types with their fields, and what the values of a field are."""

from typing import Final

from app.contracts.fields import FIELDS, READ
from app.core.events import ANSWER_FIELDS, BUILT_IN_FIELDS, MERGE, PROFILES, TYPES
from deploy.checks.support.reference.markdown import code, table

_HEAD: Final = """\
# Events and fields

The built-in types, and the fields that the contract gives each. A rule names a field as
`event.NAME`; more types, fields and topics are declared in the rules
([events of your own](../rules.md#events-and-facts-of-your-own)).

"""
_NOTES: Final = """
A condition about an event of `engagement` also has, of the message that it names,
{answers}; its `channel` is then the one that the message
went by. `profiles` carries `profile_updated`, whose fields are `profile.NAME` in rules, and
`{merge}`, which no rule names.

## Fields

A condition may name any of them for any type, whether or not it is listed with it.

"""


def events() -> str:
    """The page."""
    types = table(
        ("topic", "type", "fields"),
        (
            (code(topic), code(name), ", ".join(map(code, sorted(FIELDS[name]))))
            for topic, names in TYPES.items()
            if topic != PROFILES
            for name in sorted(names)
        ),
    )
    fields = table(
        ("field", "type", "what it is"),
        ((code(name), kind, READ[name][1]) for name, kind in sorted(BUILT_IN_FIELDS.items())),
    )
    answers = ", ".join(code(f"event.{name}") for name in sorted(ANSWER_FIELDS))
    return _HEAD + types + _NOTES.format(answers=answers, merge=MERGE) + fields
