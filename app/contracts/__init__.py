"""What is on each topic, for the teams on the other side: JSON Schemas and an AsyncAPI document.

Made from what the engine itself reads and writes by, never by hand: ``triggers contracts``.
"""

from typing import Any, Final, TypeAlias

#: A JSON object that is a schema, or part of one.
Schema: TypeAlias = dict[str, Any]

#: AsyncAPI's own schemas are a superset of this draft.
DRAFT: Final = "http://json-schema.org/draft-07/schema#"

#: Of these documents. Up in front: something that was accepted is refused, or a key is gone; at the
#: end: keys, types or topics were added.
VERSION: Final = "2.0"


def component(name: str) -> Schema:
    """A reference to one of the AsyncAPI document's schemas."""
    return {"$ref": f"#/components/schemas/{name}"}
