"""YAML from outside, bounded before anything is built of it.

First the events are counted as they are scanned, which ends a file that is too deep or too long
where it becomes so; then the nodes, with what aliases and merge keys repeat counted each time they
stand for it. Only plain values are built: no tag makes an object.
"""

from typing import Any, Final, NamedTuple

from ruamel.yaml import YAML
from ruamel.yaml.constructor import SafeConstructor
from ruamel.yaml.error import MarkedYAMLError, YAMLError
from ruamel.yaml.events import (
    AliasEvent,
    CollectionEndEvent,
    CollectionStartEvent,
    ScalarEvent,
)
from ruamel.yaml.nodes import MappingNode, Node, ScalarNode, SequenceNode

MAX_FILE_BYTES: Final = 1024 * 1024
MAX_DEPTH: Final = 32
#: Scalars, lists and objects, keys included.
MAX_VALUES: Final = 50_000
_BOUNDS: Final = f"at most {MAX_DEPTH} levels and {MAX_VALUES} values"
_MAX_ERROR_CHARS: Final = 500


class UnreadableYaml(ValueError):
    """The document cannot be had: ``expected`` and ``found`` say why, ``line`` and ``column`` where
    (from 1; 0: not known).
    """

    def __init__(self, expected: str, found: str, line: int = 0, column: int = 0) -> None:
        super().__init__(f"expected {expected}, found {found}")
        self.expected = expected
        self.found = found
        self.line = line
        self.column = column


class Place(NamedTuple):
    """Where a value stands in the file, from 1, and how a number is written (else empty)."""

    line: int
    column: int
    number: str


def read_yaml(raw: bytes) -> Any:
    """The only document in ``raw``, YAML 1.2. Raises UnreadableYaml."""
    return read_yaml_with_places(raw)[0]


def read_yaml_with_places(raw: bytes) -> tuple[Any, dict[str, Place]]:
    """The same, and the place of every value by its path (``triggers.a.steps[1].after``)."""
    if len(raw) > MAX_FILE_BYTES:
        raise UnreadableYaml(f"at most {MAX_FILE_BYTES} bytes", "more")
    try:
        _bound_events(raw)
        root = _yaml().compose(raw)
        if root is None:
            return None, {}
        _bound_nodes(root, 1, {}, set())
        # this puts what merge keys bring into the nodes, so that it has places too
        document = _yaml().constructor.construct_document(root)
        places: dict[str, Place] = {}
        _find_places("", root, places)
        return document, places
    except UnreadableYaml:
        raise
    except MarkedYAMLError as exc:
        raise _syntax_error(exc) from None
    except (YAMLError, ValueError) as exc:
        found = " ".join(str(exc).split())[:_MAX_ERROR_CHARS] or type(exc).__name__
        raise UnreadableYaml("a YAML document", found) from None


def _syntax_error(exc: MarkedYAMLError) -> UnreadableYaml:
    """What the parser says, in one sentence, with the place apart."""
    message = " ".join(str(exc.problem or exc.context or type(exc).__name__).split())
    found = (
        message.removeprefix("found ") if message.startswith("found ") else f"an error: {message}"
    )
    if exc.problem and exc.context:
        found += f", {exc.context}"
        if exc.context_mark is not None:
            found += f" that begins in line {exc.context_mark.line + 1}"
    mark = exc.problem_mark or exc.context_mark
    line, column = (0, 0) if mark is None else (mark.line + 1, mark.column + 1)
    return UnreadableYaml("a YAML document", found[:_MAX_ERROR_CHARS], line, column)


def _find_places(path: str, node: Node, places: dict[str, Place], key: Node | None = None) -> None:
    """The place of a value in an object is its key's."""
    mark = (node if key is None else key).start_mark
    is_number = isinstance(node, ScalarNode) and str(node.tag).endswith((":float", ":int"))
    places[path] = Place(mark.line + 1, mark.column + 1, node.value if is_number else "")
    if isinstance(node, MappingNode):
        for inner_key, inner in node.value:
            name = str(inner_key.value)
            _find_places(f"{path}.{name}" if path else name, inner, places, inner_key)
    elif isinstance(node, SequenceNode):
        for index, inner in enumerate(node.value):
            _find_places(f"{path}[{index}]", inner, places)


class _TextForTimes(SafeConstructor):
    """Leaves a date or a time without quotes the text that it is."""


_TextForTimes.add_constructor("tag:yaml.org,2002:timestamp", SafeConstructor.construct_yaml_str)


def _yaml() -> YAML:
    yaml = YAML(typ="safe", pure=True)
    yaml.Constructor = _TextForTimes
    return yaml


def _bound_events(raw: bytes) -> None:
    depth = values = 0
    for event in _yaml().parse(raw):
        match event:
            case CollectionStartEvent():
                depth += 1
                values += 1
            case CollectionEndEvent():
                depth -= 1
            case ScalarEvent() | AliasEvent():
                values += 1
        if depth > MAX_DEPTH or values > MAX_VALUES:
            raise UnreadableYaml(_BOUNDS, "more")


def _bound_nodes(
    node: Node, level: int, known: dict[int, tuple[int, int]], above: set[int]
) -> tuple[int, int]:
    """How many values the node stands for and how many levels it has, in ``known`` from then on.

    ``above`` holds the nodes that it is inside of: an alias of one of these has no end.
    """
    found = known.get(id(node))
    if found is None:
        if id(node) in above:
            raise UnreadableYaml("a YAML document", "an alias of what it is inside of")
        above.add(id(node))
        values, levels = 1, 0
        for inner in _inner(node):
            if level == MAX_DEPTH:
                raise UnreadableYaml(_BOUNDS, "more")
            inner_values, inner_levels = _bound_nodes(inner, level + 1, known, above)
            values += inner_values
            levels = max(levels, inner_levels)
        above.discard(id(node))
        found = known[id(node)] = values, levels + 1
    if found[0] > MAX_VALUES or level + found[1] - 1 > MAX_DEPTH:
        raise UnreadableYaml(_BOUNDS, "more (aliases count each time)")
    return found


def _inner(node: Node) -> list[Node]:
    if isinstance(node, MappingNode):
        return [each for pair in node.value for each in pair]
    return list(node.value) if isinstance(node, SequenceNode) else []
