"""Reading a rules file: YAML 1.2 in, compiled rules or every problem at once out."""

import hashlib
import json
import os
import stat
from collections.abc import Iterator
from importlib.resources import files
from pathlib import Path
from typing import Any, Final

import jsonschema
from jsonschema.exceptions import ValidationError

from app.core.compile import compile_rules
from app.core.customer.scoring_model import MAX_MODEL_BYTES, Model, parse_model
from app.core.errors import ConfigError
from app.core.rules.model import Rules
from app.core.validation.document import Problem, check
from app.rules_file.yaml_reader import MAX_FILE_BYTES, UnreadableYaml, read_yaml

SCHEMA: Final[dict[str, Any]] = json.loads(
    files("app.rules_file").joinpath("rules.schema.json").read_text(encoding="utf-8")
)
#: These are looked at entry by entry: one that is broken does not hide what is wrong with others.
_NAMED_PARTS: Final = ("triggers", "segments", "channels", "experiments")
_VALIDATOR: Final = jsonschema.Draft202012Validator(SCHEMA)


class RulesError(ConfigError):
    """The rules file is wrong; ``problems`` says everything that is."""

    def __init__(self, source: str, problems: list[Problem]) -> None:
        self.problems = problems
        lines = "\n".join(f"  {problem}" for problem in problems)
        count = f"{len(problems)} problem{'s' if len(problems) != 1 else ''}"
        super().__init__(f"{source}: {count}\n{lines}")


def load_rules(path: Path) -> Rules:
    """The rules in a file. Raises ConfigError when it cannot be read, RulesError when wrong."""
    try:
        with path.open("rb") as file:
            raw = file.read(MAX_FILE_BYTES + 1)
    except OSError as exc:
        raise ConfigError(f"{path}: the rules file cannot be read: {exc.strerror}") from exc
    return parse_rules(raw, source=str(path), folder=path.parent)


def parse_rules(raw: bytes, *, source: str = "rules", folder: Path | None = None) -> Rules:
    """The rules in the bytes of a file; their version is the SHA-256 of these bytes.

    A model that they name is looked for from ``folder`` (None: the working directory).
    """
    document = _parse_yaml(raw, source)
    model, problems = _load_model(document, folder or Path())
    facts = None if model is None else _facts_of(model, document)
    problems += find_problems(document, facts)
    if problems:
        raise RulesError(source, problems)
    return compile_rules(document, version=hashlib.sha256(raw).hexdigest(), model=model)


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
    with open(path, "rb", opener=_open_without_waiting) as file:
        if not stat.S_ISREG(os.fstat(file.fileno()).st_mode):
            raise ValueError("expected a regular file")
        raw = file.read(MAX_MODEL_BYTES + 1)
    if len(raw) > MAX_MODEL_BYTES:
        raise ValueError(f"more than {MAX_MODEL_BYTES} bytes")
    return parse_model(raw)


def _open_without_waiting(path: str, flags: int) -> int:
    """A pipe that nothing writes into must not hold up the start."""
    return os.open(path, flags | os.O_NONBLOCK)


def _facts_of(model: Model, document: Any) -> frozenset[str]:
    """What the model gives to these rules: the next product needs a fact that they declare."""
    declared = document.get("facts") if isinstance(document, dict) else None
    names = frozenset(model.facts())
    following = model.next_product
    if following is not None and isinstance(declared, dict) and following.fact in declared:
        return names | {"next_product"}
    return names


def _parse_yaml(raw: bytes, source: str) -> Any:
    try:
        return read_yaml(raw)
    except UnreadableYaml as exc:
        raise RulesError(source, [Problem("", exc.expected, exc.found)]) from None


def find_problems(document: Any, model_facts: frozenset[str] | None = None) -> list[Problem]:
    """All that is wrong with a parsed document: its shape first, then what the shape cannot say.

    Parts whose shape is wrong are left out of the second look. ``model_facts`` is
    what the model that it names gives (None: all that a model can).
    """
    errors = sorted(_VALIDATOR.iter_errors(document), key=lambda error: error.json_path)
    problems = [problem for error in errors for problem in _problems_of(error)]
    sound = _without_broken_parts(document, errors)
    if sound is not None:
        problems += check(
            sound, {part: _names(document, part) for part in _NAMED_PARTS}, model_facts
        )
    return list(dict.fromkeys(problems))


def _names(document: dict[str, Any], part: str) -> dict[str, Any]:
    body = document.get(part)
    return body if isinstance(body, dict) else {}


def _without_broken_parts(document: Any, errors: list[ValidationError]) -> dict[str, Any] | None:
    if not isinstance(document, dict):
        return None
    broken = {tuple(error.absolute_path)[:2] for error in errors}
    sound = {}
    for name, body in document.items():
        if (name,) in broken or name not in SCHEMA["properties"]:
            continue
        if name in _NAMED_PARTS and isinstance(body, dict):
            sound[name] = {key: value for key, value in body.items() if (name, key) not in broken}
        elif not any(path[:1] == (name,) for path in broken):
            sound[name] = body
    if "channels" in document and sound.get("channels") != document["channels"]:
        return None
    return sound


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
                yield Problem(_join(path, str(name)), f"one of {', '.join(known)}", repr(name))
    elif "propertyNames" in error.absolute_schema_path:
        yield Problem(_join(path, str(found)), _expected(error), repr(found))
    elif keyword == "dependentRequired":
        for name, needs in value.items():
            for need in needs:
                if name in found and need not in found:
                    yield Problem(_join(path, need), f"to be there beside {name}", "nothing")
    else:
        yield Problem(path, _expected(error), _text(found))


def _expected(error: ValidationError) -> str:
    """What the failing keyword wanted, in words."""
    value: Any = error.validator_value
    description = _schema(error).get("description")
    match error.validator:
        case "not":
            return f"{description}"
        case "maxProperties" if description:
            return f"{description}"
        case "type":
            return f"{'an' if value[0] in 'aeio' else 'a'} {value}"
        case "enum":
            return f"one of {', '.join(map(str, value))}"
        case "const":
            return str(value)
        case "minimum" | "exclusiveMinimum":
            return f"{'at least' if error.validator == 'minimum' else 'more than'} {value}"
        case "maximum":
            return f"at most {value}"
        case "minItems" | "minProperties" | "minLength":
            return "something, not nothing"
        case "maxItems" | "maxProperties" | "maxLength":
            return f"at most {value} (in length)"
        case "pattern":
            return description or f"text like {value}"
    return description or f"what {error.validator} {value!r} says"


def _schema(error: ValidationError) -> dict[str, Any]:
    return error.schema if isinstance(error.schema, dict) else {}


def _text(found: object) -> str:
    text = repr(found)
    return text if len(text) <= 80 else f"{text[:77]}..."


def _join(path: str, name: str) -> str:
    return f"{path}.{name}" if path else name


def _path_text(parts: list[str | int]) -> str:
    path = ""
    for part in parts:
        path = f"{path}[{part}]" if isinstance(part, int) else _join(path, str(part))
    return path
