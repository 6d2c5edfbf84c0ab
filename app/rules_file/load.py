"""Reading a rules file: YAML 1.2 in, compiled rules or every problem at once out."""

import hashlib
import json
from collections.abc import Iterator
from importlib.resources import files
from pathlib import Path
from typing import Any, Final

import jsonschema
from jsonschema.exceptions import ValidationError

from app.core.compile import compile_rules
from app.core.customer.scoring_model import MAX_MODEL_BYTES, Model, parse_model
from app.core.errors import ConfigError
from app.core.rules.model import DEFAULT_CHANNELS, Rules
from app.core.validation.document import check
from app.core.validation.problems import Problem, nearest, shown
from app.core.validation.writable import mended
from app.rules_file.odd_parts import OddPart, find_odd_parts
from app.rules_file.places import Places, placed
from app.rules_file.regular_file import read_regular_file
from app.rules_file.rehearsal import find_undecidable
from app.rules_file.yaml_reader import MAX_FILE_BYTES, UnreadableYaml, read_yaml_with_places

SCHEMA: Final[dict[str, Any]] = json.loads(
    files("app.rules_file").joinpath("rules.schema.json").read_text(encoding="utf-8")
)
#: The keyword takes 2.0 for an integer; the code that counts with it does not.
_TYPES: Final = jsonschema.Draft202012Validator.TYPE_CHECKER.redefine(
    "integer", lambda _, value: type(value) is int
)
_VALIDATOR: Final = jsonschema.validators.extend(  # type: ignore[no-untyped-call]
    jsonschema.Draft202012Validator, type_checker=_TYPES
)(SCHEMA)
#: What the keywords that bound a size count.
_COUNTED: Final = {"maxItems": "entries", "maxProperties": "entries", "maxLength": "characters"}


class RulesError(ConfigError):
    """The rules file is wrong; ``problems`` says everything that is."""

    def __init__(self, source: str, problems: list[Problem]) -> None:
        self.problems = problems
        lines = "\n".join(f"  {problem}" for problem in problems)
        count = f"{len(problems)} problem{'s' if len(problems) != 1 else ''}"
        super().__init__(f"{source}: {count}\n{lines}")


def load_rules(path: Path) -> Rules:
    """The rules in a file. Raises ConfigError when it cannot be read, RulesError when wrong."""
    return load_rules_with_warnings(path)[0]


def load_rules_with_warnings(path: Path) -> tuple[Rules, list[OddPart]]:
    """The same, and what is odd in it."""
    document, places, rules = _parse(read_rules_file(path), str(path), path.parent)
    return rules, [placed(odd, places) for odd in find_odd_parts(document, places)]


def read_rules_file(path: Path) -> bytes:
    """The content of a rules file. Raises ConfigError when it cannot be read."""
    try:
        return read_regular_file(path, MAX_FILE_BYTES + 1)
    except OSError as exc:
        raise ConfigError(f"{path}: the rules file cannot be read: {exc.strerror}") from exc


def parse_rules(raw: bytes, *, source: str = "rules", folder: Path | None = None) -> Rules:
    """The rules in the bytes of a file; their version is the SHA-256 of these bytes.

    A model that they name is looked for from ``folder`` (None: the working directory).
    """
    return _parse(raw, source, folder or Path())[2]


def _parse(raw: bytes, source: str, folder: Path) -> tuple[Any, Places, Rules]:
    try:
        document, places = read_yaml_with_places(raw)
    except UnreadableYaml as exc:
        problem = Problem("", exc.expected, exc.found, line=exc.line, column=exc.column)
        raise RulesError(source, [problem]) from None
    model, problems = _load_model(document, folder)
    problems += find_problems(document, model)
    if not problems:
        rules = compile_rules(document, version=hashlib.sha256(raw).hexdigest(), model=model)
        problems += find_undecidable(rules)
        if not problems:
            return document, places, rules
    raise RulesError(source, [placed(problem, places) for problem in problems])


def _load_model(document: Any, folder: Path) -> tuple[Model | None, list[Problem]]:
    """The model that the document names, or what is wrong with it."""
    name = document.get("model") if isinstance(document, dict) else None
    if not isinstance(name, str) or not name:
        return None, []
    try:
        return read_model(folder / name), []
    except OSError as exc:
        return None, [Problem("model", "a file that can be read", f"{name!r}: {exc.strerror}")]
    except ValueError as exc:
        return None, [Problem("model", "a model file", f"{name!r}: {exc}")]


def read_model(path: Path) -> Model:
    """The model in a regular file of bounded size. Raises OSError or ValueError."""
    raw = read_regular_file(path, MAX_MODEL_BYTES + 1)
    if len(raw) > MAX_MODEL_BYTES:
        raise ValueError(f"more than {MAX_MODEL_BYTES} bytes")
    return parse_model(raw)


def _facts_of(model: Model, document: dict[str, Any]) -> frozenset[str]:
    """What the model gives to these rules: the best channel is one of theirs, the next product
    needs a fact that they declare.
    """
    declared = document.get("facts")
    channels = document.get("channels")
    known = channels if isinstance(channels, dict) else DEFAULT_CHANNELS
    names = frozenset(model.facts(channels=known))
    following = model.next_product
    if following is not None and isinstance(declared, dict) and following.fact in declared:
        return names | {"next_product"}
    return names


def find_problems(document: Any, model: Model | None = None) -> list[Problem]:
    """All that is wrong with a parsed document: its shape first, then what the shape cannot say.

    Parts of a wrong shape do not hide what is wrong with others. ``model`` is the one that it names
    (None: not read, so whatever a model can give).
    """
    document, problems = mended(document)
    unwritable = {problem.path for problem in problems}
    errors = sorted(_VALIDATOR.iter_errors(document), key=lambda error: error.json_path)
    problems += [problem for error in errors for problem in _problems_of(error)]
    if isinstance(document, dict):
        facts = None if model is None else _facts_of(model, document)
        problems += check(
            document,
            facts,
            None if model is None else model.cluster_names,
            is_well_formed=not problems,
        )
    return [
        problem
        for index, problem in enumerate(dict.fromkeys(problems))
        if index < len(unwritable) or problem.path not in unwritable
    ]


def _problems_of(error: ValidationError) -> Iterator[Problem]:
    path = _path_text(list(error.absolute_path))
    keyword = error.validator
    found: Any = error.instance
    value: Any = error.validator_value
    if keyword == "required":
        missing = [name for name in value if name not in found]
        for name in missing:
            yield Problem(_join(path, name), "to be there", "nothing")
    elif keyword == "additionalProperties" and value is False:
        known = _schema(error).get("properties", {})
        for name in found:
            if name not in known:
                expected = f"one of {', '.join(known)}"
                yield Problem(_join(path, str(name)), expected, shown(name), nearest(name, known))
    elif "propertyNames" in error.absolute_schema_path:
        names = value if keyword == "enum" else ()
        hint = nearest(str(found), [str(each) for each in names])
        yield Problem(_join(path, str(found)), _expected(error), shown(found), hint)
    elif keyword == "dependentRequired":
        for name, needs in value.items():
            for need in needs:
                if name in found and need not in found:
                    yield Problem(_join(path, need), f"to be there together with {name}", "nothing")
    elif keyword in _COUNTED and value > 1:
        counted = _COUNTED[keyword]
        yield Problem(path, f"at most {value} {counted}", f"{len(found)} {counted}")
    else:
        names = value if keyword == "enum" else ()
        hint = nearest(found, [str(each) for each in names]) if isinstance(found, str) else ""
        yield Problem(path, _expected(error), shown(found), hint)


def _expected(error: ValidationError) -> str:
    """What the failing keyword wanted, in words."""
    value: Any = error.validator_value
    description = _schema(error).get("description")
    match error.validator:
        case "not":
            return f"{description}"
        case "type":
            return f"{'an' if value[0] in 'aeio' else 'a'} {value}"
        case "enum":
            return f"one of {', '.join(map(str, value))}"
        case "const":
            return description or str(value)
        case "minimum" | "exclusiveMinimum":
            return f"{'at least' if error.validator == 'minimum' else 'more than'} {value}"
        case "maximum":
            return f"at most {value}"
        case "minItems" | "minProperties" | "minLength":
            return "something, not nothing"
        case "pattern":
            return description or f"text like {value}"
    return description or f"what {error.validator} {value!r} says"


def _schema(error: ValidationError) -> dict[str, Any]:
    return error.schema if isinstance(error.schema, dict) else {}


def _join(path: str, name: str) -> str:
    return f"{path}.{name}" if path else name


def _path_text(parts: list[str | int]) -> str:
    path = ""
    for part in parts:
        path = f"{path}[{part}]" if isinstance(part, int) else _join(path, str(part))
    return path
