"""Edits of a YAML text by place: what is not touched stays as it is, to the last comment and space.

Places come from the parser (a node says where it starts and ends), never from patterns. The
caller loads the result and compares it with what was meant: an anchor can tie places together.
"""

import json

from ruamel.yaml import YAML
from ruamel.yaml.nodes import MappingNode, Node, SequenceNode

Path = tuple[str | int, ...]


def replaced(text: str, path: Path, source: Path) -> str:
    """The value at ``path`` written as that at ``source``; a key that is not there is put in front
    of the others of its mapping.
    """
    root = _root(text)
    written = _written(text, _at(root, source))
    *outer, field = path
    mapping = _at(root, tuple(outer))
    assert isinstance(mapping, MappingNode)
    for key, value in mapping.value:
        if key.value == field:
            return text[: _start(value)] + written + text[_end(value) :]
    first = _start(mapping.value[0][0])
    column = mapping.value[0][0].start_mark.column
    gap = ", " if mapping.flow_style else "\n" + " " * column
    return f"{text[:first]}{field}: {written}{gap}{text[first:]}"


def removed(text: str, path: Path) -> str:
    """Without the key at ``path`` and its value; in block style without their lines."""
    *outer, field = path
    mapping = _at(_root(text), tuple(outer))
    assert isinstance(mapping, MappingNode)
    place = next(n for n, (key, _) in enumerate(mapping.value) if key.value == field)
    key, value = mapping.value[place]
    if mapping.flow_style:
        if place + 1 < len(mapping.value):
            return text[: _start(key)] + text[_start(mapping.value[place + 1][0]) :]
        before = _end(mapping.value[place - 1][1]) if place else _start(key)
        return text[:before] + text[_end(value) :]
    line = text.rfind("\n", 0, _start(key)) + 1
    end = text.find("\n", _end(value))
    return text[:line] + ("" if end < 0 else text[end + 1 :])


def _root(text: str) -> Node:
    node: Node = YAML(typ="rt").compose(text)
    return node


def _at(node: Node, path: Path) -> Node:
    for part in path:
        if isinstance(part, int):
            assert isinstance(node, SequenceNode)
            node = node.value[part]
        else:
            assert isinstance(node, MappingNode)
            node = next(value for key, value in node.value if key.value == part)
    return node


def _start(node: Node) -> int:
    return int(node.start_mark.index)


def _end(node: Node) -> int:
    """Behind the last character; a block node's own mark is at what follows it."""
    if isinstance(node, MappingNode) and not node.flow_style and node.value:
        return max(_end(value) for _, value in node.value)
    if isinstance(node, SequenceNode) and not node.flow_style and node.value:
        return max(_end(item) for item in node.value)
    return int(node.end_mark.index)


def _written(text: str, node: Node) -> str:
    """A value on one line: as it stands there, or, from a block, in flow style."""
    source = text[_start(node) : _end(node)]
    if "\n" not in source:
        return source
    value = YAML(typ="safe", pure=True).load(_dedented(source, node.start_mark.column))
    return json.dumps(value, ensure_ascii=False)


def _dedented(source: str, column: int) -> str:
    first, *others = source.split("\n")
    return "\n".join([first, *(line[column:] for line in others)])
